//! The part of a scope behind the question mark: which resources a right is restricted to (SMART App Launch 2.2, §scopes:
//! "Finer-grained resource constraints using search parameters").

use crate::fhir::ResourceType;
use crate::fhir::search::{Criteria, Criterion, Parameters, parse_query};

/// What must hold of resources, as a search would ask for it: all of its parameters.
///
/// Understood are the parameters of R4 that are decided by the resource alone, with modifiers and prefixes. Chains, `_has`,
/// `_list` and value sets depend on other resources, which somebody else may change: a scope with them grants nothing. The
/// same holds of parameters that clients have defined, as these can be redefined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restriction(Vec<(ResourceType, Vec<Criterion>)>);

impl Restriction {
    /// The restriction of a scope on a type, or on all types that have the parameters; `None` if it is not understood.
    pub(super) fn parse(kind: Option<ResourceType>, parameters: &str) -> Option<Self> {
        let pairs = parse_query(parameters).ok()?;
        let of_kind = |kind| Some((kind, criteria(kind, &pairs)?));
        let by_kind: Vec<_> = match kind {
            Some(kind) => of_kind(kind).into_iter().collect(),
            None => ResourceType::all().filter_map(of_kind).collect(),
        };
        (!by_kind.is_empty()).then_some(Self(by_kind))
    }

    /// What must hold of resources of a type; `None`: none of them is meant.
    pub(super) fn of(&self, kind: ResourceType) -> Option<&[Criterion]> {
        let (_, criteria) = self.0.iter().find(|(known, _)| *known == kind)?;
        Some(criteria)
    }
}

/// Parameters as criteria, at least one; `None` if any of them is not understood.
fn criteria(kind: ResourceType, pairs: &[(String, String)]) -> Option<Vec<Criterion>> {
    let Criteria { all, .. } = Criteria::parse(&Parameters::standard(), kind, pairs, None).ok()?;
    // Empty parameters and those that shape an answer make no criterion, and would leave the right unrestricted.
    let is_understood = !all.is_empty() && all.len() == pairs.len();
    (is_understood && all.iter().all(is_of_the_resource)).then_some(all)
}

/// Whether a criterion is decided by the resource alone.
fn is_of_the_resource(criterion: &Criterion) -> bool {
    matches!(criterion, Criterion::Ids(_) | Criterion::LastUpdated(_) | Criterion::Condition(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_understood(kind: &str, parameters: &str) -> bool {
        Restriction::parse(kind.parse().ok(), parameters).is_some()
    }

    #[test]
    fn what_a_resource_decides_alone_is_understood() {
        for (kind, parameters) in [
            ("Observation", "category=laboratory"),
            (
                "Observation",
                "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            ),
            ("Observation", "category=a,b&code=http://loinc.org|8867-4&date=ge2020"),
            ("Observation", "code:not=x"),
            ("Observation", "_id=a,b"),
            ("Observation", "_lastUpdated=gt2020-01-01"),
            ("Observation", "value-quantity=gt5"),
            ("Patient", "birthdate=lt1980&gender=female"),
            ("*", "_tag=shared"),
        ] {
            assert!(is_understood(kind, parameters), "{kind} {parameters}");
        }
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for (kind, parameters) in [
            ("Observation", ""),
            ("Observation", "&"),
            ("Observation", "category="),
            ("Observation", "category"),
            ("Observation", "nonsense=1"),
            ("Observation", "category=a&nonsense=1"),
            ("Observation", "category=a&_sort=date"),
            ("Observation", "category=a&_count=3"),
            ("Observation", "category=a&_include=Observation:subject"),
            ("Observation", "category:in=http://a.example/vs"),
            ("Observation", "patient.name=x"),
            ("Observation", "_list=42"),
            ("Patient", "_has:Observation:patient:code=x"),
            ("Observation", "date=gtlater"),
            ("Observation", "category=%zz"),
            ("*", "nonsense=1"),
        ] {
            assert!(!is_understood(kind, parameters), "{kind} {parameters}");
        }
    }

    #[test]
    fn a_restriction_of_all_types_is_of_those_that_have_the_parameters() {
        let restriction = Restriction::parse(None, "birthdate=1980").unwrap();
        let has = |kind: &str| restriction.of(kind.parse().unwrap()).is_some();
        assert!(has("Patient") && has("Person"));
        assert!(!has("Observation"));
    }
}
