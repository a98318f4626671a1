//! Invariants that are not asked as they are published, each with the reason: `corrections.tsv`.

use crate::fhir::definitions::InvariantRow;

const CORRECTIONS: &str = include_str!("corrections.tsv");

/// How an invariant is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// By this expression.
    Expression(&'static str),
    /// By the code of the check, and not again.
    InCode,
}

/// How that invariant is asked.
pub(super) fn reading(row: &InvariantRow) -> Reading {
    match corrections().find(|correction| correction.is_of(row)) {
        Some(Correction { instead: "", .. }) => Reading::InCode,
        Some(Correction { instead, .. }) => Reading::Expression(instead),
        None => Reading::Expression(row.expression),
    }
}

struct Correction {
    /// With spaces between them; those that several types use come as `Type.key`.
    keys: &'static str,
    /// The expression that is evaluated; empty where the code asks.
    instead: &'static str,
}

impl Correction {
    fn is_of(&self, row: &InvariantRow) -> bool {
        self.keys.split(' ').any(|key| match key.split_once('.') {
            Some((type_name, key)) => (type_name, key) == (row.type_name, row.key),
            None => key == row.key,
        })
    }
}

fn corrections() -> impl Iterator<Item = Correction> {
    CORRECTIONS.lines().skip(1).filter_map(|line| {
        let mut cells = line.split('\t');
        Some(Correction { keys: cells.next()?, instead: cells.next()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::definitions::invariant_rows;

    #[test]
    fn every_correction_is_of_an_invariant_and_has_a_reason() {
        for line in CORRECTIONS.lines().skip(1) {
            let cells: Vec<_> = line.split('\t').collect();
            let [keys, instead, reason] = cells[..] else { panic!("{line}") };
            assert!(!reason.is_empty(), "{line}");
            for keys in keys.split(' ') {
                let correction = Correction { keys, instead };
                let found: Vec<_> = invariant_rows().filter(|row| correction.is_of(row)).collect();
                assert_eq!(found.len(), 1, "{keys}");
                assert!(found.iter().all(|row| row.expression != instead), "{keys}");
            }
        }
    }
}
