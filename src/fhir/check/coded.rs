//! Codes that must be from a closed value set: FHIR R4 §4.1.5, binding strength "required".

use super::place::Place;
use super::{Check, IssueCode};
use crate::fhir::definitions::CodeSet;
use crate::fhir::definitions::elements::Element;
use crate::fhir::types::quotable;
use crate::json::Node;

/// Most codes that a message lists.
const CODES_MAX: usize = 20;

impl Check<'_> {
    /// A code.
    pub(super) fn code(&mut self, element: &Element, value: Node<'_>, place: &Place<'_>) {
        let Some(set) = element.codes else { return };
        let code = value.as_str().unwrap_or_default();
        if !set.has_code(&code) {
            let diagnostics = format!("\"{}\" is not {}", quotable(&code), one_of(set));
            self.problems.add(IssueCode::CodeInvalid, place, diagnostics);
        }
    }

    /// A concept: one of its codings, if it has any, must be from the set.
    pub(super) fn concept(&mut self, element: &Element, concept: Node<'_>, place: &Place<'_>) {
        let Some(set) = element.codes else { return };
        let Some(codings) = concept.get("coding") else { return };
        let is_of_set = |coding: Node<'_>| {
            let (system, code) = (coding.get_str("system"), coding.get_str("code"));
            system.zip(code).is_some_and(|(system, code)| set.has(&system, &code))
        };
        if !codings.items().any(is_of_set) {
            let systems: Vec<_> = set.systems().collect();
            let diagnostics = format!(
                "no coding has as its code {}, of the system {}",
                one_of(set),
                systems.join(" or ")
            );
            self.problems.add(IssueCode::CodeInvalid, &place.member("coding"), diagnostics);
        }
    }
}

fn one_of(set: &CodeSet) -> String {
    let codes: Vec<_> = set.codes().take(CODES_MAX).collect();
    let more = if set.codes().count() > CODES_MAX { " and so on" } else { "" };
    format!("one of {}{more} (value set {})", codes.join(", "), set.name)
}
