//! The tables in memory: a small store that knows only what [`chartlog::fhir::search`] says.
//!
//! Each condition is answered twice, by a look at the resources and by their terms, as an index
//! would. The two must agree.

use std::collections::{BTreeMap, BTreeSet};

use chartlog::fhir::search::{
    Canonical, Chain, Condition, Criterion, Include, Layout, Lookup, Parameters, Query, Scope,
    SearchType, Target, Term, Verdict, codes_in_hierarchy, codes_of_value_set, parse_query,
    targets_of, terms_of,
};
use chartlog::fhir::{ResourceId, ResourceKey, ResourceType};
use chartlog::json::{Document, Node};

use crate::table::{Expected, TABLES, Table};

const BASE_URL: &str = "http://here.example/fhir";

pub struct Memory {
    parameters: Parameters,
    resources: BTreeMap<ResourceKey, (Document, Vec<Term>)>,
}

impl Memory {
    pub fn of(table: &Table) -> Self {
        let parameters = Parameters::standard();
        let mut resources = BTreeMap::new();
        for resource in &table.resources {
            let document = Document::parse(resource.to_string()).unwrap();
            let kind: ResourceType = resource["resourceType"].as_str().unwrap().parse().unwrap();
            let id: ResourceId = resource["id"].as_str().unwrap().parse().unwrap();
            let terms = terms_of(&parameters, kind, document.root(), Some(BASE_URL));
            resources.insert(ResourceKey::new(kind, id), (document, terms));
        }
        Self { parameters, resources }
    }

    /// One resource, whatever its id.
    pub fn of_one(kind: ResourceType, document: Document) -> Self {
        let parameters = Parameters::standard();
        let terms = terms_of(&parameters, kind, document.root(), Some(BASE_URL));
        let key = ResourceKey::new(kind, "1".parse().unwrap());
        Self { parameters, resources: BTreeMap::from([(key, (document, terms))]) }
    }

    pub fn parse(&self, text: &str) -> Result<(ResourceType, Query), String> {
        let (kind, query) = text.split_once('?').unwrap();
        let kind: ResourceType = kind.parse().unwrap();
        let pairs = parse_query(query).unwrap();
        let query = Query::parse(&self.parameters, kind, &pairs, Some(BASE_URL));
        let message = |problems: Vec<chartlog::fhir::SearchProblem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        query.map(|query| (kind, query)).map_err(message)
    }

    pub fn matches(&self, kind: ResourceType, query: &Query) -> Vec<ResourceKey> {
        let of_kind = self.resources.keys().filter(|key| key.kind == kind);
        let mut found: Vec<_> =
            of_kind.filter(|key| self.holds(&query.criteria, key)).cloned().collect();
        for sort in query.sort.iter().rev() {
            let key = |key: &ResourceKey| sort.key(self.resources[key].0.root(), Some(BASE_URL));
            found.sort_by(|one, other| match (key(one), key(other)) {
                (Some(one), Some(other)) if sort.descending => other.cmp(&one),
                (Some(one), Some(other)) => one.cmp(&other),
                (one, other) => one.is_none().cmp(&other.is_none()),
            });
        }
        found
    }

    fn holds(&self, criteria: &[Criterion], key: &ResourceKey) -> bool {
        let Some((document, _)) = self.resources.get(key) else { return false };
        let scope = Scope::of(document.root());
        criteria.iter().all(|criterion| match criterion {
            Criterion::Ids(ids) => ids.contains(&key.id),
            Criterion::OtherIds(ids) => !ids.contains(&key.id),
            Criterion::LastUpdated(_) => panic!("nothing here has a time"),
            Criterion::List(list) => {
                let list = ResourceKey::new("List".parse().unwrap(), list.clone());
                self.refers(&list, "item", key)
            }
            Criterion::Condition(condition) => self.meets(condition, key),
            Criterion::AnyOf(any) => {
                any.iter().any(|one| self.holds(std::slice::from_ref(one), key))
            }
            Criterion::Chain(chain) => self.leads(chain, scope),
            Criterion::Has(has) => {
                let mut sources = self.resources.keys().filter(|source| source.kind == has.kind);
                sources.any(|source| {
                    self.refers(source, &has.parameter.name, key)
                        && self.holds(&has.criteria, source)
                })
            }
            Criterion::InHierarchy { parameter, codes, direction } => {
                let of_code = |(system, code): &(String, String)| {
                    let known = self.resources.iter().find(|(key, (document, _))| {
                        let url = document.root().get_str("url");
                        key.kind.name() == "CodeSystem" && url.as_deref() == Some(system)
                    });
                    let known = known.unwrap().1.0.root();
                    let codes = codes_in_hierarchy(known, code, *direction).unwrap().into_iter();
                    codes.map(|code| (system.clone(), code)).collect::<Vec<_>>()
                };
                let codes: Vec<_> = codes.iter().flat_map(of_code).collect();
                self.meets(&Condition::of_codes(parameter, &codes, false), key)
            }
            Criterion::InValueSet { parameter, value_sets, negated } => {
                let codes: Vec<_> = value_sets.iter().flat_map(|text| self.codes(text)).collect();
                self.meets(&Condition::of_codes(parameter, &codes, *negated), key)
            }
        })
    }

    fn leads(&self, chain: &Chain, scope: Scope<'_>) -> bool {
        let of_kind = |kind| chain.targets.iter().filter(move |(known, _)| *known == kind);
        targets_of(&chain.parameter, scope, Some(BASE_URL)).iter().any(|target| match target {
            Target::Within(kind, scope) => of_kind(*kind).any(|(_, criteria)| {
                criteria.iter().all(|one| match one {
                    Criterion::Condition(one) => one.matches(scope.node, Some(BASE_URL)),
                    Criterion::Chain(chain) => self.leads(chain, *scope),
                    other => panic!("not here: {other:?}"),
                })
            }),
            stored => self
                .stored(stored)
                .iter()
                .any(|key| of_kind(key.kind).any(|(_, criteria)| self.holds(criteria, key))),
        })
    }

    /// The resources that are stored as what a reference leads to.
    fn stored(&self, target: &Target<'_>) -> Vec<ResourceKey> {
        let is_canonical = |canonical: &Canonical, resource: Node<'_>| {
            let own = Canonical::of(resource);
            own.is_some_and(|own| {
                let named = &canonical.version;
                own.url == canonical.url && (named.is_none() || *named == own.version)
            })
        };
        match target {
            Target::Resource(key, _) => vec![key.clone()],
            Target::Canonical(canonical) => {
                let named = self
                    .resources
                    .iter()
                    .filter(|(_, (document, _))| is_canonical(canonical, document.root()));
                named.map(|(key, _)| key.clone()).collect()
            }
            Target::Within(..) => Vec::new(),
        }
    }

    fn refers(&self, source: &ResourceKey, parameter: &str, target: &ResourceKey) -> bool {
        let Some((document, _)) = self.resources.get(source) else { return false };
        let parameter = self.parameters.named(source.kind, parameter).unwrap();
        let targets = targets_of(parameter, Scope::of(document.root()), Some(BASE_URL));
        targets.iter().any(|one| self.stored(one).contains(target))
    }

    fn codes(&self, value_set: &str) -> Vec<(String, String)> {
        let found = self.resources.iter().find(|(key, (document, _))| {
            key.to_string() == value_set
                || document.root().get_str("url").as_deref() == Some(value_set)
        });
        codes_of_value_set(found.unwrap().1.0.root()).unwrap()
    }

    /// The truth; and the terms must lead to it.
    fn meets(&self, condition: &Condition, key: &ResourceKey) -> bool {
        let (document, terms) = &self.resources[key];
        let truth = condition.matches(document.root(), Some(BASE_URL));
        let plan = condition.plan();
        let verdicts: Vec<Verdict> = plan
            .all_of
            .iter()
            .map(|probe| {
                let of_parameter = terms.iter().filter(|term| term.parameter == probe.parameter);
                let verdicts = of_parameter.flat_map(|term| {
                    probe.any_of.iter().map(|lookup| look(condition, lookup, term))
                });
                best(verdicts)
            })
            .collect();
        let is_candidate = verdicts.iter().all(|verdict| *verdict != Verdict::No);
        let is_sure = verdicts.iter().all(|verdict| *verdict == Verdict::Yes) && !plan.needs_check;
        let name = &condition.parameter().name;
        if truth != plan.complement {
            assert!(
                is_candidate,
                "{key} has no term by which {name} would find it: {plan:?} {terms:?}"
            );
        }
        if is_sure {
            assert_eq!(truth, !plan.complement, "{key} is found by {name} but does not meet it");
        }
        truth
    }

    /// `Type/id` of matches and what is included.
    fn with_included(&self, matches: &[ResourceKey], includes: &[Include]) -> Vec<String> {
        let mut all: BTreeSet<ResourceKey> = matches.iter().cloned().collect();
        let mut fresh: Vec<ResourceKey> = matches.to_vec();
        let mut is_first = true;
        while !fresh.is_empty() {
            let mut found = BTreeSet::new();
            for include in includes.iter().filter(|include| is_first || include.iterate) {
                for key in &fresh {
                    found.extend(self.included(include, key));
                }
            }
            found.retain(|key| self.resources.contains_key(key) && !all.contains(key));
            all.extend(found.iter().cloned());
            fresh = found.into_iter().collect();
            is_first = false;
        }
        all.iter().map(ToString::to_string).collect()
    }

    fn included(&self, include: &Include, key: &ResourceKey) -> Vec<ResourceKey> {
        let leading = |kind: ResourceType, scope: Scope<'_>| -> Vec<ResourceKey> {
            let parameters = self.parameters.of(kind).filter(|parameter| {
                parameter.search_type == SearchType::Reference
                    && include.parameter.as_ref().is_none_or(|wanted| wanted == *parameter)
            });
            let targets = parameters.flat_map(|one| targets_of(one, scope, Some(BASE_URL)));
            let targets = targets.flat_map(|target| self.stored(&target));
            targets.filter(|key| include.target.is_none_or(|kind| kind == key.kind)).collect()
        };
        let root = |key: &ResourceKey| Scope::of(self.resources[key].0.root());
        let targets = |source: &ResourceKey| leading(source.kind, root(source));
        if include.reverse {
            let sources = self.resources.keys().filter(|source| source.kind == include.source);
            sources.filter(|source| targets(source).contains(key)).cloned().collect()
        } else {
            let within = root(key).within();
            let within = within.filter(|(kind, _)| include.iterate && *kind == include.source);
            let within = within.flat_map(|(kind, scope)| leading(kind, scope));
            let own = Some(key).filter(|key| key.kind == include.source);
            own.into_iter().flat_map(targets).chain(within).collect()
        }
    }
}

/// What an index and the condition make of a term.
fn look(condition: &Condition, lookup: &Lookup, term: &Term) -> Verdict {
    let is_found = match lookup {
        Lookup::Exact(value) => {
            assert_eq!(Term { parameter: 1, value: value.clone() }.layout(), Layout::Exact);
            return Verdict::from(term.value == *value);
        }
        Lookup::Prefix(value) => {
            let is_found = term.layout() == Layout::Exact && term.value.starts_with(value);
            return Verdict::from(is_found);
        }
        Lookup::Range { from, to } => {
            assert_eq!(from[0], to[0], "a range is of one tag");
            let is_below = term.value <= *to || term.value.starts_with(to);
            term.layout() == Layout::Ordered && *from <= term.value && is_below
        }
    };
    if is_found { condition.accepts(term) } else { Verdict::No }
}

fn best(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::No, |best, verdict| match (best, verdict) {
        (Verdict::Yes, _) | (_, Verdict::Yes) => Verdict::Yes,
        (Verdict::Unsure, _) | (_, Verdict::Unsure) => Verdict::Unsure,
        _ => Verdict::No,
    })
}

#[test]
fn every_case_comes_out_as_the_table_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in TABLES {
        let table = Table::read(text, BASE_URL);
        let memory = Memory::of(&table);
        for case in &table.cases {
            count += 1;
            if let Err(found) = outcome(&memory, &case.query, &case.expected) {
                wrong.push(format!("{name}: {}\n    {found}", case.query));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn outcome(memory: &Memory, text: &str, expected: &Expected) -> Result<(), String> {
    let parsed = memory.parse(text);
    let (kind, query) = match (parsed, expected) {
        (Err(message), Expected::Fail(word)) if message.contains(word.as_str()) => return Ok(()),
        (Err(message), _) => return Err(format!("refused: {message}")),
        (Ok(_), Expected::Fail(_)) => return Err("it was not refused".to_owned()),
        (Ok(parsed), _) => parsed,
    };
    let matches = memory.matches(kind, &query);
    let found: Vec<String> = match expected {
        Expected::All(_) => memory.with_included(&matches, &query.includes),
        _ => matches.iter().map(|key| key.id.to_string()).collect(),
    };
    expected.compare(found)
}
