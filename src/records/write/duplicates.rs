//! Criteria against the other contents of the same request, which no view shows yet.

use std::collections::HashMap;

use super::aim::Aim;
use super::planner::{Planner, Stored};
use super::{Change, Expectation, RecordsError};
use crate::clock::Instant;
use crate::fhir::search::{Criteria, Criterion, Lookup, Term};

impl Planner<'_> {
    /// Whether the write was decided on what criteria find.
    pub(super) fn rests_on_criteria(&self) -> bool {
        self.expectations.iter().any(|one| matches!(one, Expectation::Unchanged { .. }))
    }

    /// Refuses to create a resource because criteria find none, when the same request stores another
    /// one that they would find.
    pub(super) fn refuse_duplicates(
        &self,
        changes: &[Change],
        aims: &[Aim],
    ) -> Result<(), RecordsError> {
        let index = Index::of(&self.contents);
        for (at, (change, aim)) in changes.iter().zip(aims).enumerate() {
            let (Aim::New(own), Some(criteria)) = (aim, self.resolved.get(&at)) else { continue };
            let is_duplicate =
                |stored: &&Stored| stored.key != *own && self.is_found(stored, criteria);
            if let Some(duplicate) = index.candidates(criteria).find(is_duplicate) {
                let reason = format!(
                    "the criteria find nothing yet, but would find {} of this request",
                    duplicate.key
                );
                return Err(RecordsError::Precondition { place: change.place.clone(), reason });
            }
        }
        Ok(())
    }

    fn is_found(&self, stored: &Stored, criteria: &Criteria) -> bool {
        let (key, content) = (&stored.key, stored.document.root());
        // What depends on other resources too may be so: better refused than stored twice.
        let meets = |one: &Criterion| {
            one.holds_of(key, Instant::now(), content, self.records.base_url()).unwrap_or(true)
        };
        key.kind == criteria.kind && criteria.all.iter().all(meets)
    }
}

/// The contents of a request by their terms: as many criteria as contents would be too much work
/// to compare each with each.
struct Index<'a> {
    contents: &'a [Stored],
    by_term: HashMap<&'a Term, Vec<&'a Stored>>,
}

impl<'a> Index<'a> {
    fn of(contents: &'a [Stored]) -> Self {
        let mut by_term: HashMap<&Term, Vec<&Stored>> = HashMap::new();
        for stored in contents {
            for term in &stored.terms {
                by_term.entry(term).or_default().push(stored);
            }
        }
        Self { contents, by_term }
    }

    /// The contents that criteria may find.
    fn candidates(&self, criteria: &Criteria) -> Box<dyn Iterator<Item = &'a Stored> + '_> {
        for criterion in &criteria.all {
            let Criterion::Condition(condition) = criterion else { continue };
            let plan = condition.plan();
            let Some(probe) = plan.all_of.first().filter(|_| !plan.complement) else { continue };
            let exact = |lookup: &Lookup| match lookup {
                Lookup::Exact(value) => {
                    let term = Term { parameter: probe.parameter, value: value.clone() };
                    Some(self.by_term.get(&term).cloned().unwrap_or_default())
                }
                _ => None,
            };
            let found: Option<Vec<_>> = probe.any_of.iter().map(exact).collect();
            if let Some(found) = found {
                return Box::new(found.into_iter().flatten());
            }
        }
        Box::new(self.contents.iter())
    }
}
