//! Changing parts of a resource: FHIR R4 §3.1.0.6 (patch).
//!
//! In: a patch as it was sent, read once into a [`Patch`], and the resource as it is served. Out:
//! the resource as it then is, with everything that was not touched copied as it stood (`72.50`
//! stays `72.50`, and members keep their order), or what cannot be done and why. Whether the
//! outcome is a valid resource is for [`check`](mod@super::check) to say. Never: reading another
//! resource.

mod draft;
mod json;
mod path;
mod pointer;
mod spot;
mod value;

use crate::json::{Document, Kind, Node};

use super::check::{IssueCode, Problem};
use draft::Draft;
pub use json::JsonPatch;
pub use path::PathPatch;

/// Most operations in one patch.
pub const OPERATIONS_MAX: usize = 2_000;

/// A patch that is well formed. Whether it can be applied depends on the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// A JSON Patch: RFC 6902.
    Json(JsonPatch),
    /// A FHIRPath Patch: R4 §3.1.0.6.1.
    Path(PathPatch),
}

impl Patch {
    /// Reads a patch: an array is a JSON Patch, Parameters are a FHIRPath Patch.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, each named by its operation.
    pub fn read(patch: Node<'_>) -> Result<Self, Vec<Problem>> {
        match (patch.kind(), patch.get_str("resourceType").as_deref()) {
            (Kind::Array, _) => json::read(patch).map(Self::Json),
            (_, Some("Parameters")) => path::read(patch).map(Self::Path),
            _ => {
                let diagnostics = "a patch is an array of operations (RFC 6902), or Parameters with \
                     operations that have a FHIRPath";
                Err(vec![problem(IssueCode::Structure, "patch", diagnostics)])
            }
        }
    }

    /// The resource with all operations applied, in their order; `resource` is JSON.
    ///
    /// # Errors
    ///
    /// The first operation that cannot be carried out; then none is applied.
    pub fn apply(&self, resource: Vec<u8>) -> Result<Document, Problem> {
        let before = Document::parse(resource).map_err(|error| {
            problem(IssueCode::Structure, "", format!("the resource does not read: {error}"))
        })?;
        let mut draft = Draft::new(before);
        match self {
            Self::Json(patch) => json::apply(patch, &mut draft)?,
            Self::Path(patch) => path::apply(patch, &mut draft)?,
        }
        Ok(draft.finish())
    }
}

fn problem(code: IssueCode, place: impl Into<String>, diagnostics: impl Into<String>) -> Problem {
    Problem { code, expression: place.into(), diagnostics: diagnostics.into() }
}

#[cfg(test)]
mod tests;
