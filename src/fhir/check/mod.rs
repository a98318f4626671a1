//! Validation on every write, against the official definitions of FHIR R4.
//!
//! In: a parsed resource. Out: its type and id, or all that is wrong with it, each with its FHIRPath:
//! unknown elements, JSON of another form than the type's (§2.6.2), cardinalities, choices of type,
//! the formats of primitive types (§2.24.0.1), codes outside closed value sets, references that are
//! not well formed or of a type that may not stand there (§2.3.0), extensions (§2.5.0), contained
//! resources (§2.27.2), narrative with more in it than text (§2.4.0), and the invariants of all types
//! (§2.1.24): those of severity "error" always, those of severity "warning" where somebody asks for
//! [`warnings`]. One pass over the resource, and hardly anything is allocated for what is right.
//!
//! An invariant is asked where nothing else is wrong with the object that it is about. Some are not
//! asked as they are published: `corrections.tsv` says which, and why.
//!
//! Never: profiles and open terminologies.

mod coded;
mod corrections;
mod date;
mod element;
mod hint;
mod invariant;
mod link;
mod markup;
mod narrative;
mod place;
mod primitive;
mod problem;
mod resource;
mod seen;

use super::path::{Context, Element};
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
    let kind = ResourceType::of(resource);
    let root = root(kind, place);
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

/// What is not wrong, but worth a second look: rules of severity "warning", and what could not be
/// decided. Writes never ask.
///
/// `place` is as for [`check`]; there are no more than [`PROBLEMS_MAX`].
#[must_use]
pub fn warnings(resource: Node<'_>, place: &str) -> Vec<Problem> {
    let mut check = Check { warnings: Some(Problems::default()), ..Check::default() };
    check.resource(resource, &root(ResourceType::of(resource), place));
    check.warnings.map_or(Vec::new(), Problems::all)
}

fn root(kind: Option<ResourceType>, place: &str) -> Place<'_> {
    match (place, kind) {
        ("", Some(kind)) => Place::Root(kind.name()),
        ("", None) => Place::Root("Resource"),
        (place, _) => Place::Root(place),
    }
}

/// A check on its way through a resource.
#[derive(Default)]
struct Check<'a> {
    problems: Problems,
    /// What is only worth a second look, if somebody asks for it.
    warnings: Option<Problems>,
    /// What `#id` may lead to, where the check is now.
    contained: link::Contained<'a>,
    /// The resource in which the check is, or the one that contains it.
    root: Option<Element<'a>>,
    /// What the invariants of the resource may see, contained or not.
    context: Option<Context<'a>>,
}

impl Check<'_> {
    /// Adds a warning; its words are made only if somebody asks for it.
    fn warn(&mut self, code: IssueCode, place: &Place<'_>, diagnostics: impl FnOnce() -> String) {
        if let Some(warnings) = &mut self.warnings {
            warnings.add(code, place, diagnostics());
        }
    }
}

#[cfg(test)]
mod tests;
