//! Why a parameter of a search is refused.

use super::Parameters;
use crate::fhir::ResourceType;
use crate::fhir::types::quotable;

/// One parameter of a search that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {diagnostics}")]
pub struct SearchProblem {
    /// The name as in the query, with its modifier.
    pub parameter: String,
    /// What sort of problem it is.
    pub kind: ProblemKind,
    /// What is wrong and what would be right.
    pub diagnostics: String,
}

/// What is wrong with a search parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The type has no such parameter here, or not on this server; with `Prefer: handling=lenient` it
    /// may be left out.
    UnknownParameter,
    /// The parameter exists, but not with this modifier, prefix or form of value.
    NotSupported,
    /// The value breaks the rules of the standard.
    InvalidValue,
    /// There are too many alternatives.
    TooCostly,
}

/// Why one parameter is refused.
pub(super) type Refusal = (ProblemKind, String);

/// Names the parameter, and lists those that there are.
pub(super) fn unknown_parameter(
    parameters: &Parameters,
    kind: ResourceType,
    name: &str,
) -> Refusal {
    let mut supported = vec!["_id", "_lastUpdated", "_list", "_has"];
    let known = parameters.of(kind).filter(|parameter| parameter.search_type.is_supported());
    supported.extend(known.map(|parameter| &*parameter.name));
    let diagnostics = format!(
        "{kind} has no search parameter \"{}\" on this server; supported are {}",
        quotable(name),
        supported.join(", ")
    );
    (ProblemKind::UnknownParameter, diagnostics)
}

pub(super) fn not_supported(diagnostics: impl Into<String>) -> Refusal {
    (ProblemKind::NotSupported, diagnostics.into())
}

pub(super) fn invalid(diagnostics: impl Into<String>) -> Refusal {
    (ProblemKind::InvalidValue, diagnostics.into())
}

pub(super) fn too_costly(diagnostics: impl Into<String>) -> Refusal {
    (ProblemKind::TooCostly, diagnostics.into())
}
