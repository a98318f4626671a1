//! Parameters of operations: in the query, or as a resource in the body (FHIR R4 §3.2.0.3).

use super::super::query::allow_parameters;
use super::{Call, Failure};
use crate::fhir::check::IssueCode;
use crate::json::Kind;

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
            let right = "the body must be Parameters, or left out";
            return Err(Failure::at(IssueCode::Structure, "resourceType", right));
        }
        let list = root.get("parameter");
        for one in list.into_iter().flat_map(|list| list.items()) {
            let name = one.get_str("name").unwrap_or_default().into_owned();
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
