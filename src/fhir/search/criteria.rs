//! The criteria of a conditional interaction: a search on one type that is to find one resource, or
//! none (FHIR R4 §3.1.0.8.1).

use super::{Criterion, Parameters, ProblemKind, Query, SearchProblem};
use crate::clock::Instant;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::Node;

/// What must be found once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// The type.
    pub kind: ResourceType,
    /// What must hold of it.
    pub all: Vec<Criterion>,
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
            diagnostics: "criteria only select".to_owned(),
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
}

impl Criterion {
    /// Whether it holds of a content that was recorded at a moment under a key; `None` if that depends on
    /// other resources too.
    #[must_use]
    pub fn holds_of(
        &self,
        key: &ResourceKey,
        recorded_at: Instant,
        content: Node<'_>,
        base_url: Option<&str>,
    ) -> Option<bool> {
        match self {
            Self::Ids(ids) => Some(ids.contains(&key.id)),
            Self::OtherIds(ids) => Some(!ids.contains(&key.id)),
            Self::LastUpdated(tests) => {
                Some(tests.iter().any(|test| test.contains(recorded_at.micros())))
            }
            Self::Condition(condition) => Some(condition.matches(content, base_url)),
            _ => None,
        }
    }
}
