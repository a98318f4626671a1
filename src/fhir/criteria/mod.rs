//! What a search asks for, as terms: FHIR R4 §3.1.1 (Search).
//!
//! In: a resource type and its query, decoded by [`parse_query`] into names and values. Out:
//! [`Criteria`] made of the same [`Term`]s that resources have, so that the index and the matcher
//! in memory cannot disagree. What is not understood is a [`SearchProblem`], never ignored. Never:
//! parameters that shape the result (`_count`, `_sort`, …); the caller takes those out before.

mod instant;
mod problem;
mod value;

use super::definitions::{SearchType, search_parameter};
use super::{ResourceId, ResourceType, Term};

pub use super::search::{PAIRS_MAX, QueryError, parse_query};
pub use super::search::{ProblemKind, SearchProblem};
pub use instant::InstantRange;

/// Most terms in one search: bounds its time, for a bare id stands for one term per target type.
pub const TERMS_MAX: usize = 10_000;

/// The criteria of a search on one resource type; all of them must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// Of each clause at least one term must be among the resource's terms.
    pub clauses: Vec<Vec<Term>>,
    /// The only ids that are asked for, sorted, each once; `None` for any.
    pub ids: Option<Vec<ResourceId>>,
    /// Of each list at least one range must contain the instant of the last update.
    pub last_updated: Vec<Vec<InstantRange>>,
}

impl Criteria {
    /// Understands the decoded names and values of a query.
    ///
    /// `base_url` is this server's own: references below it are local.
    ///
    /// # Errors
    ///
    /// Everything in the query that is not supported or not valid, in its order.
    pub fn parse(
        kind: ResourceType,
        pairs: &[(String, String)],
        base_url: Option<&str>,
    ) -> Result<Self, Vec<SearchProblem>> {
        let mut criteria = Self::default();
        let mut problems = Vec::new();
        for (name, text) in pairs {
            if let Err((problem, diagnostics)) = criteria.add(kind, name, text, base_url) {
                problems.push(SearchProblem {
                    parameter: name.clone(),
                    kind: problem,
                    diagnostics,
                });
            }
        }
        if problems.is_empty() { Ok(criteria) } else { Err(problems) }
    }

    /// Whether a resource meets the criteria.
    ///
    /// `terms` are those of [`terms_of`](super::terms_of), sorted; `last_updated` is in
    /// microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn matches(&self, terms: &[Term], id: &ResourceId, last_updated: i64) -> bool {
        let has = |term: &Term| terms.binary_search(term).is_ok();
        let contains = |range: &InstantRange| range.contains(last_updated);
        self.ids.as_ref().is_none_or(|ids| ids.binary_search(id).is_ok())
            && self.last_updated.iter().all(|ranges| ranges.iter().any(contains))
            && self.clauses.iter().all(|clause| clause.iter().any(has))
    }

    fn add(
        &mut self,
        kind: ResourceType,
        name: &str,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<(), Refusal> {
        let (name, modifier) = match name.split_once(':') {
            Some((name, modifier)) => (name, Some(modifier)),
            None => (name, None),
        };
        match name {
            "_id" => {
                value::refuse_modifier(name, modifier)?;
                self.add_ids(value::ids(text)?);
            }
            "_lastUpdated" => {
                value::refuse_modifier(name, modifier)?;
                self.last_updated.push(value::instant_ranges(text)?);
            }
            _ => {
                let parameter = search_parameter(kind, name)
                    .ok_or_else(|| problem::unknown_parameter(kind, name))?;
                let clause = match parameter.search_type {
                    SearchType::Token => {
                        value::refuse_modifier(name, modifier)?;
                        value::tokens(parameter, text)?
                    }
                    SearchType::Reference => {
                        value::references(parameter, modifier, text, base_url)?
                    }
                };
                self.add_clause(clause)?;
            }
        }
        Ok(())
    }

    /// A repeated `_id` asks for the ids that stand in each of its lists.
    fn add_ids(&mut self, mut ids: Vec<ResourceId>) {
        ids.sort_unstable();
        ids.dedup();
        if let Some(before) = &self.ids {
            ids.retain(|id| before.contains(id));
        }
        self.ids = Some(ids);
    }

    fn add_clause(&mut self, clause: Vec<Term>) -> Result<(), Refusal> {
        let terms = self.clauses.iter().map(Vec::len).sum::<usize>() + clause.len();
        if terms > TERMS_MAX {
            let diagnostics = format!(
                "the search asks for more than {TERMS_MAX} alternatives; name fewer values, and the \
                 type of each reference"
            );
            return Err((ProblemKind::TooCostly, diagnostics));
        }
        self.clauses.push(clause);
        Ok(())
    }
}

/// Why one parameter is refused.
type Refusal = (ProblemKind, String);

#[cfg(test)]
mod tests;
