//! Parameters of operations: in the query, or as a resource in the body (FHIR R4 §3.2.0.3).

use super::super::query::allow_parameters;
use super::{Call, Failure};
use crate::fhir::check::IssueCode;
use crate::json::{Kind, Node};

/// The parameters of the query, and those of the body.
///
/// # Errors
///
/// 400: one is not known, or the body is not Parameters.
pub async fn parameters(call: &mut Call, known: &[&str]) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = call.query.clone();
    if !call.body().is_empty() {
        let document = call.json().await?;
        let root = document.root();
        if root.get_str("resourceType").as_deref() != Some("Parameters") {
            return Err(wrong("resourceType", "the body must be Parameters, or left out"));
        }
        let list = root.get("parameter");
        let is_list = |list: &Node<'_>| list.kind() == Kind::Array;
        if list.as_ref().is_some_and(|list| !is_list(list)) {
            return Err(wrong("Parameters.parameter", "must be a list"));
        }
        for one in list.into_iter().flat_map(|list| list.items()) {
            let Some(name) = one.get_str("name").filter(|name| !name.is_empty()) else {
                return Err(wrong("Parameters.parameter.name", "must be a text"));
            };
            let name = name.into_owned();
            let value = one.members().find(|(name, _)| name.starts_with("value"));
            let Some((_, value)) = value else {
                let right = format!("{name} must have a value");
                return Err(Failure::at(IssueCode::Required, "Parameters.parameter", right));
            };
            let text = match value.kind() {
                Kind::String => value.as_str().unwrap_or_default().into_owned(),
                _ => value.text().to_owned(),
            };
            pairs.push((name, text));
        }
    }
    allow_parameters(&pairs, known).map(|()| pairs)
}

fn wrong(place: &str, right: &str) -> Failure {
    Failure::at(IssueCode::Structure, place, right)
}
