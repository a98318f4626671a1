//! The members of a small request, which may be left out as a whole.

use std::sync::Arc;

use super::super::super::{Call, Failure};
use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Document, Kind, Node};

/// A small request.
pub struct Words(Option<Arc<Document>>);

impl Words {
    /// Reads it, and refuses members that are not known.
    pub async fn read(call: &mut Call, known: &[&str]) -> Result<Self, Failure> {
        if call.body().is_empty() {
            return Ok(Self(None));
        }
        let document = call.json().await?;
        let root = document.root();
        let right = match known {
            [] => "an object without members".to_owned(),
            known => format!("an object with {}", known.join(", ")),
        };
        if root.kind() != Kind::Object {
            return Err(Failure::at(IssueCode::Structure, "", format!("the body must be {right}")));
        }
        let unknown = root.members().filter(|(name, _)| !known.contains(&&**name));
        let problem = |(name, _): (std::borrow::Cow<'_, str>, Node<'_>)| Problem {
            code: IssueCode::Structure,
            expression: name.into_owned(),
            diagnostics: format!("is no member of this request, which is {right}"),
        };
        let problems: Vec<Problem> = unknown.map(problem).collect();
        if problems.is_empty() { Ok(Self(Some(document))) } else { Err(Failure::invalid(problems)) }
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(node) = self.get(name) else { return Ok(None) };
        let text = node.as_str().ok_or_else(|| wrong(name, "must be a text"))?;
        Ok(Some(text.into_owned()))
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(node) = self.get(name) else { return Ok(None) };
        node.as_u64().ok_or_else(|| wrong(name, "must be a whole number, 0 or more")).map(Some)
    }

    /// Something that must be there.
    pub fn place<T>(
        &self,
        name: &str,
        right: &str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        self.get(name).and_then(read).ok_or_else(|| wrong(name, right))
    }

    fn get(&self, name: &str) -> Option<Node<'_>> {
        self.0.as_ref()?.root().get(name)
    }
}

fn wrong(name: &str, right: &str) -> Failure {
    Failure::at(IssueCode::Value, name, right)
}
