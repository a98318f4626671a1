//! Changing parts of a resource: FHIR R4 §3.1.0.6 (patch).
//!
//! In: a patch as it was sent, read once into a [`Patch`], and the resource as it is served. Out: the
//! resource as it then is, with everything that was not touched copied as it stood (`72.50` stays
//! `72.50`, and members keep their order), or what cannot be done and why. Whether the outcome is a
//! valid resource is for [`check`](mod@super::check) to say. Never: a look at another resource.

mod draft;
mod json;
mod pointer;
mod same;

use crate::json::{Document, Node};

use super::check::{IssueCode, Problem};
use draft::Draft;
use json::JsonPatch;

/// Most operations in one patch.
pub const OPERATIONS_MAX: usize = 2_000;

/// A patch that is well formed. Whether it can be applied depends on the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch(JsonPatch);

impl Patch {
    /// Reads a patch: an array is a JSON Patch (RFC 6902).
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each named by its operation.
    pub fn read(patch: Node<'_>) -> Result<Self, Vec<Problem>> {
        json::read(patch).map(Self)
    }

    /// The resource with all operations applied, in their order; `resource` is JSON.
    ///
    /// # Errors
    ///
    /// The first operation that cannot be carried out; then none of them counts.
    pub fn apply(&self, resource: Vec<u8>) -> Result<Document, Problem> {
        let before = Document::parse(resource).map_err(|error| {
            problem(IssueCode::Structure, "", format!("the resource does not read: {error}"))
        })?;
        let mut draft = Draft::new(before);
        json::apply(&self.0, &mut draft)?;
        Ok(draft.finish())
    }
}

fn problem(code: IssueCode, place: impl Into<String>, diagnostics: impl Into<String>) -> Problem {
    Problem { code, expression: place.into(), diagnostics: diagnostics.into() }
}

#[cfg(test)]
mod tests;
