//! What a search asks for that cannot be answered.

use super::{ProblemKind, Refusal};
use crate::fhir::ResourceType;
use crate::fhir::definitions::search_parameters;
use crate::fhir::types::quotable;

/// Names the parameter, and lists those that there are.
pub(super) fn unknown_parameter(kind: ResourceType, name: &str) -> Refusal {
    let mut supported = vec!["_id", "_lastUpdated"];
    supported.extend(search_parameters(kind).iter().map(|parameter| parameter.name));
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
