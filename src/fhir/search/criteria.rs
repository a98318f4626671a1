//! The criteria of a conditional interaction: a search on one type that is to find one resource, or
//! none (FHIR R4 §3.1.0.8.1).

use super::{Criterion, Lookup, Parameters, Plan, ProblemKind, Query, SearchProblem, Term};
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::json::Node;

/// What must be found once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// The type.
    pub kind: ResourceType,
    /// What must hold of it.
    pub all: Vec<Criterion>,
}

/// What criteria look for in the terms of resources.
#[derive(Debug)]
pub struct Watched<'a> {
    ids: Vec<&'a [ResourceId]>,
    plans: Vec<Plan>,
}

impl Criteria {
    /// Parses the decoded names and values of criteria on a type.
    ///
    /// # Errors
    ///
    /// Everything that is not supported or not valid, in its order; and criteria that any resource
    /// of the type could match.
    pub fn parse(
        parameters: &Parameters,
        kind: ResourceType,
        pairs: &[(String, String)],
        base_url: Option<&str>,
    ) -> Result<Self, Vec<SearchProblem>> {
        let Query { criteria, .. } = Query::parse(parameters, kind, pairs, base_url)?;
        let shapes = |(name, _): &&(String, String)| {
            let base = name.split(':').next().unwrap_or_default();
            matches!(base, "_sort" | "_include" | "_revinclude")
        };
        let problem = |(name, _): &(String, String)| SearchProblem {
            parameter: name.clone(),
            kind: ProblemKind::NotSupported,
            diagnostics: "criteria of a conditional interaction only select".to_owned(),
        };
        let problems: Vec<_> = pairs.iter().filter(shapes).map(problem).collect();
        if problems.is_empty() { Ok(Self { kind, all: criteria }) } else { Err(problems) }
    }

    /// Whether they ask for an id or a value of the resource itself.
    #[must_use]
    pub fn name_a_value(&self) -> bool {
        self.all.iter().any(|one| match one {
            Criterion::Ids(_) => true,
            Criterion::Condition(condition) => !condition.plan().complement,
            _ => false,
        })
    }

    /// What to watch for changes of what they find; `None` if that may depend on other resources
    /// than those of the type.
    #[must_use]
    pub fn watched(&self) -> Option<Watched<'_>> {
        let mut watched = Watched { ids: Vec::new(), plans: Vec::new() };
        for criterion in &self.all {
            match criterion {
                Criterion::Ids(ids) => watched.ids.push(ids),
                Criterion::Condition(condition) => watched.plans.push(condition.plan()),
                _ => return None,
            }
        }
        Some(watched)
    }
}

impl Criterion {
    /// Whether it holds of a content that is stored now under a key; `None` if that depends on other
    /// resources too.
    #[must_use]
    pub fn holds_of(
        &self,
        key: &ResourceKey,
        content: Node<'_>,
        base_url: Option<&str>,
    ) -> Option<bool> {
        match self {
            Self::Ids(ids) => Some(ids.contains(&key.id)),
            Self::LastUpdated(tests) => {
                let now = Instant::now().micros();
                Some(tests.iter().any(|test| test.contains(now)))
            }
            Self::Condition(condition) => Some(condition.matches(content, base_url)),
            _ => None,
        }
    }
}

impl Watched<'_> {
    /// The ids that are asked for.
    pub fn ids(&self) -> impl Iterator<Item = &ResourceId> {
        self.ids.iter().copied().flatten()
    }

    /// Whether a resource of the type that gains or loses terms may be found from then on, or no
    /// more. The terms are sorted.
    #[must_use]
    pub fn could_change(&self, terms: &[Term]) -> bool {
        self.plans.iter().any(|plan| {
            // What only the resource itself can tell may change without its terms.
            plan.needs_check
                || plan.all_of.iter().any(|probe| {
                    let mut lookups = probe.any_of.iter();
                    lookups.any(|lookup| has_any(terms, probe.parameter, lookup))
                })
        })
    }
}

fn has_any(terms: &[Term], parameter: u16, lookup: &Lookup) -> bool {
    let from = match lookup {
        Lookup::Exact(value) | Lookup::Prefix(value) | Lookup::Range { from: value, .. } => value,
    };
    let before = |term: &Term| (term.parameter, term.value.as_slice()) < (parameter, from);
    let first = terms.get(terms.partition_point(before));
    let value = first.filter(|term| term.parameter == parameter).map(|term| &term.value);
    value.is_some_and(|value| match lookup {
        Lookup::Exact(wanted) => value == wanted,
        Lookup::Prefix(beginning) => value.starts_with(beginning),
        Lookup::Range { to, .. } => value <= to || value.starts_with(to),
    })
}
