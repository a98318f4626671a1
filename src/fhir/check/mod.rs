//! Validation on every write, against the official definitions of FHIR R4.
//!
//! In: a parsed resource. Out: its type and id, or all that is wrong with it, each with its FHIRPath:
//! unknown elements, JSON of another form than the type's (§2.6.2), cardinalities, choices of type,
//! the formats of primitive types (§2.24.0.1), codes outside closed value sets, references that are
//! not well formed or of a type that may not stand there (§2.3.0), extensions (§2.5.0), contained
//! resources (§2.27.2) and narrative with more in it than text (§2.4.0). One pass over the resource,
//! and nothing is allocated for what is right.
//!
//! Never: profiles, open terminologies, and invariants beyond those named here.

mod coded;
mod date;
mod element;
mod hint;
mod link;
mod markup;
mod narrative;
mod place;
mod primitive;
mod problem;
mod resource;

use super::{ResourceId, ResourceType};
use crate::json::Node;
use place::Place;

use problem::Problems;
pub use problem::{IssueCode, PROBLEMS_MAX, Problem};

/// Type and id of a valid resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its type.
    pub kind: ResourceType,
    /// Its id, if it has one.
    pub id: Option<ResourceId>,
}

/// Checks a resource, of the expected type if there is one.
///
/// `place` is the FHIRPath of the resource in what was sent, such as `Bundle.entry[3].resource`;
/// it is empty if the resource is all that was sent.
///
/// # Errors
///
/// All problems, but no more than [`PROBLEMS_MAX`].
pub fn check(
    expected: Option<ResourceType>,
    resource: Node<'_>,
    place: &str,
) -> Result<Checked, Vec<Problem>> {
    let kind = resource.get_str("resourceType").and_then(|name| ResourceType::from_name(&name));
    let root = match (place, kind) {
        ("", Some(kind)) => Place::Root(kind.name()),
        ("", None) => Place::Root("Resource"),
        (place, _) => Place::Root(place),
    };
    let mut check = Check::default();
    if let (Some(expected), Some(kind)) = (expected, kind)
        && expected != kind
    {
        let diagnostics = format!("expected a resource of type {expected}, found {kind}");
        check.problems.add(IssueCode::Value, &root.member("resourceType"), diagnostics);
    }
    check.resource(resource, &root);
    match (kind, check.problems.is_empty()) {
        (Some(kind), true) => {
            let id = resource.get_str("id").and_then(|id| ResourceId::parse(&id).ok());
            Ok(Checked { kind, id })
        }
        _ => Err(check.problems.all()),
    }
}

/// A check on its way through a resource.
#[derive(Default)]
struct Check<'a> {
    problems: Problems,
    /// What `#id` may lead to, where the check is now.
    contained: link::Contained<'a>,
}

#[cfg(test)]
mod tests;
