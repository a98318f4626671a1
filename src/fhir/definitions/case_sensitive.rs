//! Code systems in which the case of a code counts: FHIR R4 §3.1.1.4.10, `CodeSystem.caseSensitive`.

use std::sync::LazyLock;

use super::rows;

const CASE_SENSITIVE: &str = include_str!("case_sensitive.tsv");

/// Whether two codes of the system are different ones if only their cases differ. Of systems that the standard
/// does not know, it is not: what is found beside is less dangerous than what is not found.
#[must_use]
pub fn is_case_sensitive(system: &str) -> bool {
    SYSTEMS.binary_search(&system).is_ok()
}

/// In the order of the table.
static SYSTEMS: LazyLock<Vec<&str>> =
    LazyLock::new(|| rows(CASE_SENSITIVE).map(|[system]| system).collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_definitions_say_whose_case_counts() {
        for system in ["http://hl7.org/fhir/administrative-gender", "http://unitsofmeasure.org"] {
            assert!(is_case_sensitive(system), "{system}");
        }
        for system in ["http://snomed.info/sct", "http://acme.org/codes", "system", ""] {
            assert!(!is_case_sensitive(system), "{system}");
        }
        assert!(SYSTEMS.is_sorted());
    }
}
