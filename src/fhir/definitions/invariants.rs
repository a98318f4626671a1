//! The invariants of every type: FHIR R4 §2.1.24 (ElementDefinition.constraint).

use super::rows;

const INVARIANTS: &str = include_str!("invariants.tsv");

/// A row of the table of invariants.
#[derive(Debug, Clone, Copy)]
pub struct InvariantRow {
    /// The type that states it, such as `Patient.contact`.
    pub type_name: &'static str,
    /// The element of that type which it is about, with the `[x]` of a choice; empty if it is about
    /// values of the type.
    pub element: &'static str,
    /// Its name in the standard, such as `pat-1`. Some are used by several types.
    pub key: &'static str,
    /// False if breaking it is only worth a warning.
    pub is_error: bool,
    /// What must hold, in FHIRPath, as published.
    pub expression: &'static str,
    /// The same in words.
    pub human: &'static str,
}

/// All of them, in the order of the types that state them.
pub fn invariant_rows() -> impl Iterator<Item = InvariantRow> {
    rows(INVARIANTS).map(|[type_name, element, key, severity, expression, human]| InvariantRow {
        type_name,
        element,
        key,
        is_error: severity == "error",
        expression,
        human,
    })
}

#[cfg(test)]
mod tests {
    use super::super::elements;
    use super::*;

    #[test]
    fn every_row_is_about_a_type_or_an_element() {
        assert_eq!(invariant_rows().count(), INVARIANTS.lines().count() - 1);
        for row in invariant_rows() {
            let element = row.element.trim_end_matches("[x]");
            assert!(elements::definition(row.type_name).is_some(), "{row:?}");
            assert!(
                element.is_empty() || elements::element(row.type_name, element).is_some(),
                "{row:?}"
            );
        }
        let errors = invariant_rows().filter(|row| row.is_error).count();
        assert_eq!((errors, invariant_rows().count() - errors), (205, 34));
    }
}
