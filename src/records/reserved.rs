//! Names of resources that the server alone writes: what it says about access.

use crate::fhir::{ResourceKey, ResourceType};

/// How the ids of the requests for the review of a broken glass begin.
pub(super) const REVIEW_ID: &str = "break-glass-";
/// The id of the Library that holds what is in force.
pub(super) const LIBRARY_ID: &str = "chartlog-access";

/// Whether only the server may write a resource: what it says about access.
pub(super) fn is_reserved(key: &ResourceKey) -> bool {
    match key.kind {
        ResourceType::COMMUNICATION_REQUEST => key.id.as_str().starts_with(REVIEW_ID),
        ResourceType::LIBRARY => key.id.as_str() == LIBRARY_ID,
        _ => false,
    }
}
