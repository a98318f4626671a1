//! Checking what is to be stored, with a hint where upcasters know it in an older form.

use super::Failure;
use crate::chart::Upcasters;
use crate::fhir::subset::problem_of_part;
use crate::fhir::{Checked, IssueCode, ResourceType, check};
use crate::json::Node;

/// Checks a resource of a type; `place` is its place in what was sent, as for [`check`].
///
/// # Errors
///
/// All that is wrong with it.
pub fn checked(
    upcasters: &Upcasters,
    kind: ResourceType,
    resource: Node<'_>,
    place: &str,
) -> Result<Checked, Failure> {
    let checked = check(Some(kind), resource, place).map_err(|mut problems| {
        // Unknown elements are problems of structure.
        let unknown = problems.iter_mut().find(|problem| problem.code == IssueCode::Structure);
        if let Some(problem) = unknown
            && let Some(hint) = upcasters.hint(kind, resource)
        {
            problem.diagnostics = format!("{}; {hint}", problem.diagnostics);
        }
        Failure::not_valid(problems)
    })?;
    let place = if place.is_empty() { kind.name() } else { place };
    match problem_of_part(resource, place) {
        Some(problem) => Err(Failure::invalid(vec![problem])),
        None => Ok(checked),
    }
}
