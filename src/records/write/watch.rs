//! Which changes could alter what the criteria of a write find.
//!
//! The criteria were evaluated when the write was planned, under the grant of its caller. What they
//! found stands until a change comes that could make them find something else; the ordering thread
//! compares the index terms of recent changes with the terms that the criteria look up, and nothing
//! more. A change that cannot be told counts.

use crate::engine::{RecentChange, Watch};
use crate::fhir::search::{Criteria, Criterion, Lookup, Parameters, Plan, Probe, Term};
use crate::fhir::{ResourceId, ResourceType};

/// Watches for changes of what criteria find.
#[derive(Debug)]
pub(super) struct CriteriaWatch {
    kinds: Vec<ResourceType>,
    watched: Vec<Watched>,
    /// The generation of the views whose parameter codes the plans have.
    generation: u64,
}

/// Resources of one type, as far as they could be found or lead to what is found.
#[derive(Debug, Default)]
struct Watched {
    /// Each resource must be in every one of these lists.
    ids: Vec<Vec<ResourceId>>,
    /// Each resource must match every one of these.
    plans: Vec<Plan>,
    /// There are further criteria, which terms alone do not decide.
    is_open: bool,
}

impl CriteriaWatch {
    /// Of criteria as they were sent, and with lists and value sets resolved.
    pub fn new(sent: &Criteria, resolved: &Criteria, generation: u64) -> Self {
        let mut all = Vec::new();
        collect(resolved.kind, &resolved.all, &mut all);
        named(&sent.all, &mut all);
        let (kinds, watched) = all.into_iter().unzip();
        Self { kinds, watched, generation }
    }
}

impl Watch for CriteriaWatch {
    fn kinds(&self) -> &[ResourceType] {
        &self.kinds
    }

    fn could_matter(&self, change: &RecentChange) -> bool {
        let of_kind = self.kinds.iter().zip(&self.watched);
        let mut of_kind = of_kind.filter(|(kind, _)| **kind == change.key.kind);
        change.generation != self.generation
            || change.has_moved
            || of_kind.any(|(_, watched)| watched.could_matter(change))
    }
}

impl Watched {
    fn could_matter(&self, change: &RecentChange) -> bool {
        if !self.ids.iter().all(|ids| ids.contains(&change.key.id)) {
            return false;
        }
        let terms = &change.terms;
        if change.is_new {
            // All its terms are here, so that it is found only if each criterion finds one of them.
            let finds = |probe: &Probe| has_any(&terms.added, probe);
            return self.plans.iter().all(|plan| plan.complement || plan.all_of.iter().all(finds));
        }
        let differs =
            |probe: &Probe| has_any(&terms.added, probe) || has_any(&terms.removed, probe);
        self.is_open
            || self.plans.is_empty()
            || self.plans.iter().any(|plan| plan.needs_check || plan.all_of.iter().any(differs))
    }
}

/// What criteria on a type look at, there and at the other end of chains.
fn collect(kind: ResourceType, criteria: &[Criterion], all: &mut Vec<(ResourceType, Watched)>) {
    let mut own = Watched::default();
    for criterion in criteria {
        match criterion {
            Criterion::Ids(ids) => own.ids.push(ids.clone()),
            Criterion::Condition(condition) => own.plans.push(condition.plan()),
            Criterion::Chain(chain) => {
                own.is_open = true;
                for (target, criteria) in &chain.targets {
                    collect(*target, criteria, all);
                    // Its URL may change, by which a canonical leads to it.
                    if let Some((_, watched)) = all.last_mut()
                        && Parameters::standard().named(*target, "url").is_some()
                    {
                        watched.is_open = true;
                    }
                }
            }
            Criterion::Has(has) => {
                own.is_open = true;
                let from = all.len();
                collect(has.kind, &has.criteria, all);
                // Its reference may change while all its other terms stay.
                if let Some((_, referring)) = all.get_mut(from..).and_then(<[_]>::last_mut) {
                    referring.is_open = true;
                }
            }
            Criterion::AnyOf(alternatives) => {
                own.is_open = true;
                for one in alternatives {
                    if !matches!(one, Criterion::Ids(_) | Criterion::Condition(_)) {
                        collect(kind, std::slice::from_ref(one), all);
                    }
                }
            }
            Criterion::OtherIds(_)
            | Criterion::LastUpdated(_)
            | Criterion::List(_)
            | Criterion::InHierarchy { .. }
            | Criterion::InValueSet { .. } => own.is_open = true,
        }
    }
    all.push((kind, own));
}

/// The lists, value sets and code systems that criteria name.
fn named(criteria: &[Criterion], all: &mut Vec<(ResourceType, Watched)>) {
    let any = || Watched { is_open: true, ..Watched::default() };
    for criterion in criteria {
        match criterion {
            Criterion::List(list) => {
                let watched = Watched { ids: vec![vec![list.clone()]], ..Watched::default() };
                all.push((ResourceType::LIST, watched));
            }
            Criterion::InHierarchy { .. } => all.push((ResourceType::CODE_SYSTEM, any())),
            Criterion::InValueSet { .. } => all.push((ResourceType::VALUE_SET, any())),
            Criterion::Chain(chain) => {
                chain.targets.iter().for_each(|(_, criteria)| named(criteria, all));
            }
            Criterion::Has(has) => named(&has.criteria, all),
            Criterion::AnyOf(alternatives) => named(alternatives, all),
            Criterion::Ids(_)
            | Criterion::OtherIds(_)
            | Criterion::Condition(_)
            | Criterion::LastUpdated(_) => {}
        }
    }
}

/// Whether one of some sorted terms is one that a probe looks up.
fn has_any(terms: &[Term], probe: &Probe) -> bool {
    probe.any_of.iter().any(|lookup| has(terms, probe.parameter, lookup))
}

fn has(terms: &[Term], parameter: u16, lookup: &Lookup) -> bool {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Instant;
    use crate::fhir::search::{Parameters, terms_of};
    use crate::fhir::{ResourceKey, parse_query};
    use crate::json::Document;
    use crate::view::TermChange;

    /// What criteria may ask for. All can be decided by one resource alone.
    const QUERIES: [&str; 14] = [
        "identifier=urn:t|a",
        "identifier=urn:t|a,urn:t|b",
        "identifier=urn:t|a&code=x",
        "identifier=urn:t|a&code:not=x",
        "identifier=urn:t|a&status:not=final",
        "code:text=word",
        "code=x&value-quantity=gt5",
        "code-value-quantity=x$gt5",
        "date=ge2024-03&identifier=urn:t|a",
        "date=lt2024-03&code=x",
        "subject=Patient/p",
        "subject:Patient=p&status=final",
        "_id=o1",
        "_id=o1,o2&code=x",
    ];

    /// An Observation of a small world.
    fn observation() -> impl Strategy<Value = String> {
        let two = |one: &'static str, other: &'static str| prop_oneof![Just(one), Just(other)];
        let parts = (two("a", "b"), two("x", "y"), two("final", "amended"), two("p", "q"));
        (parts, two("word", "other"), two("2024-01-01", "2024-06-01"), 3..8u8).prop_map(
            |((identifier, code, status, patient), text, date, value)| {
                format!(
                    r#"{{"resourceType":"Observation","id":"o1","status":"{status}","identifier":[{{"system":"urn:t","value":"{identifier}"}}],"code":{{"coding":[{{"code":"{code}"}}],"text":"{text}"}},"subject":{{"reference":"Patient/{patient}"}},"effectiveDateTime":"{date}","valueQuantity":{{"value":{value},"unit":"kg"}}}}"#
                )
            },
        )
    }

    proptest! {
        #[test]
        fn a_change_of_what_is_found_always_counts(
            before in prop::option::of(observation()),
            after in prop::option::of(observation()),
            query in prop::sample::select(QUERIES.to_vec()),
        ) {
            let parameters = Parameters::standard();
            let key: ResourceKey = "Observation/o1".parse().unwrap();
            let pairs = parse_query(query).unwrap();
            let criteria = Criteria::parse(&parameters, key.kind, &pairs, None).unwrap();
            let (before, after) = (before.as_deref(), after.as_deref());
            let parse = |text: &str| Document::parse(text).unwrap();
            let is_found = |text: Option<&str>| text.is_some_and(|text| {
                let document = parse(text);
                criteria.all.iter().all(|one| one.holds_of(&key, Instant::now(), document.root(), None).unwrap())
            });
            let terms = |text: Option<&str>| {
                let of = |text: &str| terms_of(&parameters, key.kind, parse(text).root(), None);
                text.map(of).unwrap_or_default()
            };
            let change = RecentChange {
                key: key.clone(),
                terms: Arc::new(TermChange::between(&terms(before), &terms(after))),
                is_new: before.is_none(),
                has_moved: false,
                generation: 1,
            };
            let watch = CriteriaWatch::new(&criteria, &criteria, 1);
            if is_found(before) != is_found(after) {
                prop_assert!(watch.could_matter(&change), "{query}: {before:?} → {after:?}");
            }
        }
    }

    #[test]
    fn unrelated_new_resources_do_not_count() {
        let parameters = Parameters::standard();
        let kind: ResourceType = "Observation".parse().unwrap();
        let pairs = parse_query("identifier=urn:t|a&code=x").unwrap();
        let criteria = Criteria::parse(&parameters, kind, &pairs, None).unwrap();
        let watch = CriteriaWatch::new(&criteria, &criteria, 1);
        let counts = |identifier: &str| {
            let text = format!(
                r#"{{"resourceType":"Observation","identifier":[{{"system":"urn:t","value":"{identifier}"}}],"code":{{"coding":[{{"code":"x"}}]}}}}"#
            );
            let document = Document::parse(text).unwrap();
            let added = terms_of(&parameters, kind, document.root(), None);
            watch.could_matter(&RecentChange {
                key: ResourceKey::new(kind, "o".parse().unwrap()),
                terms: Arc::new(TermChange { added, removed: Vec::new() }),
                is_new: true,
                has_moved: false,
                generation: 1,
            })
        };
        assert!(counts("a") && !counts("b"));
    }
}
