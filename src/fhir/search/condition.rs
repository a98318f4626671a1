//! Conditions: one `name:modifier=a,b` of a query, how to find what matches it, and whether a
//! resource does.

use std::sync::Arc;

use super::modifier::Modifier;
use super::order;
use super::predicate::Predicate;
use super::problem::{Refusal, invalid, too_costly};
use super::reference::ReferencePredicate;
use super::split::alternatives;
use super::term::{tag, value};
use super::terms::items_of;
use super::token::TokenPredicate;
use super::uri::UriPredicate;
use super::{Canonical, Lookup, Plan, Probe, SearchParameter, SearchType, Term, Verdict, Window};
use crate::fhir::{ResourceId, ResourceKey};
use crate::json::Node;

/// Most look-ups for one condition: bounds its time, for a bare id stands for one look-up per
/// target type.
pub const LOOKUPS_MAX: usize = 10_000;

/// What one parameter of a query asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    parameter: Arc<SearchParameter>,
    requirement: Requirement,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Requirement {
    /// One of the values matches one of the predicates.
    Any(Vec<Predicate>),
    /// No value matches any of the predicates.
    None(Vec<Predicate>),
    /// There is a value, or there is none.
    Present(bool),
    /// The key by which it is sorted lies in the window; without one, there is no key.
    Sorted { descending: bool, window: Option<Window> },
}

impl Condition {
    /// Parses the values of a parameter.
    pub(super) fn parse(
        parameter: &Arc<SearchParameter>,
        modifier: Modifier,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<Self, Refusal> {
        let parameter = Arc::clone(parameter);
        if modifier == Modifier::Missing {
            let requirement = match text {
                "true" => Requirement::Present(false),
                "false" => Requirement::Present(true),
                _ => return Err(invalid("the value of :missing is true or false")),
            };
            return Ok(Self { parameter, requirement });
        }
        let mut predicates = Vec::new();
        for value in alternatives(text)? {
            let parsed = Predicate::parse(&parameter, modifier, value, base_url);
            let turned = Predicate::parse_turned(&parameter, value, base_url);
            match (parsed, turned) {
                (Err(_), Some(turned)) => predicates.push(turned),
                (parsed, turned) => predicates.extend(std::iter::once(parsed?).chain(turned)),
            }
        }
        let requirement = if modifier == Modifier::Not {
            Requirement::None(predicates)
        } else {
            Requirement::Any(predicates)
        };
        let condition = Self { parameter, requirement };
        let lookups: usize = condition.plan().all_of.iter().map(|probe| probe.any_of.len()).sum();
        if lookups > LOOKUPS_MAX {
            return Err(too_costly(format!(
                "the search asks for more than {LOOKUPS_MAX} alternatives; name fewer values, and \
                 the type of each reference"
            )));
        }
        Ok(condition)
    }

    /// That a token parameter has one of some codes, each with its system; or, if negated, none of
    /// them. The meaning of `:in` and `:not-in` when the codes of the value set are known.
    #[must_use]
    pub fn of_codes(
        parameter: &Arc<SearchParameter>,
        codes: &[(String, String)],
        negated: bool,
    ) -> Self {
        let predicate = |(system, code): &(String, String)| {
            Predicate::Token(TokenPredicate::of_code(parameter, system, code))
        };
        let predicates = codes.iter().map(predicate).collect();
        let requirement =
            if negated { Requirement::None(predicates) } else { Requirement::Any(predicates) };
        Self { parameter: Arc::clone(parameter), requirement }
    }

    /// That the key by which a resource is sorted lies in a window; without one, that it has none. The
    /// parameter is one whose values an index has in order.
    pub(super) fn sorted(
        parameter: &Arc<SearchParameter>,
        descending: bool,
        window: Option<Window>,
    ) -> Self {
        Self {
            parameter: Arc::clone(parameter),
            requirement: Requirement::Sorted { descending, window },
        }
    }

    /// That a reference leads to a resource of this server, which may have a canonical URL.
    #[must_use]
    pub fn refers_to(
        parameter: &Arc<SearchParameter>,
        key: &ResourceKey,
        canonical: Option<&Canonical>,
    ) -> Self {
        let predicate = Predicate::Reference(ReferencePredicate::to(key, canonical));
        let requirement = Requirement::Any(vec![predicate]);
        Self { parameter: Arc::clone(parameter), requirement }
    }

    /// That a resource is what a canonical leads to; the parameter is the one of its URL.
    #[must_use]
    pub fn is_canonical(parameter: &Arc<SearchParameter>, canonical: &Canonical) -> Self {
        let requirement = Requirement::Any(vec![Predicate::Uri(UriPredicate::of(canonical))]);
        Self { parameter: Arc::clone(parameter), requirement }
    }

    /// The resources of this server of which a reference must lead to one.
    #[must_use]
    pub fn targets(&self) -> Vec<ResourceKey> {
        match &self.requirement {
            Requirement::Any(predicates) => {
                let target = |predicate: &Predicate| match predicate {
                    Predicate::Reference(predicate) => predicate.targets(&self.parameter),
                    _ => Vec::new(),
                };
                predicates.iter().flat_map(target).collect()
            }
            Requirement::None(_) | Requirement::Present(_) | Requirement::Sorted { .. } => {
                Vec::new()
            }
        }
    }

    /// The ids of references that were named without the type, where there are several.
    pub fn bare_ids(&self) -> impl Iterator<Item = &ResourceId> {
        let predicates: &[Predicate] = match &self.requirement {
            Requirement::Any(predicates) if self.parameter.targets().len() > 1 => predicates,
            _ => &[],
        };
        predicates.iter().filter_map(|predicate| match predicate {
            Predicate::Reference(predicate) => predicate.bare(),
            _ => None,
        })
    }

    /// Which parameter it is about.
    #[must_use]
    pub fn parameter(&self) -> &SearchParameter {
        &self.parameter
    }

    /// Where an index has the resources that match it.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let (all_of, needs_check) = match &self.requirement {
            Requirement::Present(_) => {
                let present = Lookup::Exact(value(tag::PRESENT, &[]));
                (vec![self.probe(vec![present])], false)
            }
            Requirement::Any(predicates) | Requirement::None(predicates) => self.probes(predicates),
            Requirement::Sorted { descending, window } => {
                let (search_type, every) = (self.parameter.search_type, Window::default());
                let window = window.as_ref().unwrap_or(&every);
                (vec![self.probe(order::lookups(search_type, *descending, window))], true)
            }
        };
        let complement = matches!(
            self.requirement,
            Requirement::None(_)
                | Requirement::Present(false)
                | Requirement::Sorted { window: None, .. }
        );
        Plan { all_of, complement, needs_check }
    }

    /// What a term says that a [`Lookup::Range`] of the plan has found.
    ///
    /// If the plan is a complement, [`Verdict::Yes`] says that the resource is one of those to be
    /// left out.
    #[must_use]
    pub fn accepts(&self, term: &Term) -> Verdict {
        let predicates = match &self.requirement {
            Requirement::Any(predicates) | Requirement::None(predicates) => predicates,
            Requirement::Sorted { descending, window: Some(window) } => {
                return order::accepts(*descending, window, &term.value);
            }
            Requirement::Present(_) | Requirement::Sorted { window: None, .. } => {
                return Verdict::Yes;
            }
        };
        let mut verdict = Verdict::No;
        for predicate in predicates {
            match predicate.accepts(&self.parameter, term) {
                Verdict::Yes => return Verdict::Yes,
                Verdict::Unsure => verdict = Verdict::Unsure,
                Verdict::No => {}
            }
        }
        verdict
    }

    /// Whether a resource matches it, decided by the resource itself.
    #[must_use]
    pub fn matches(&self, resource: Node<'_>, base_url: Option<&str>) -> bool {
        let items = items_of(&self.parameter.expression, resource);
        let any_matches = |predicates: &[Predicate]| {
            let matches = |predicate: &Predicate| {
                items
                    .iter()
                    .any(|item| predicate.matches(&self.parameter, resource, *item, base_url))
            };
            predicates.iter().any(matches)
        };
        match &self.requirement {
            Requirement::Present(present) => items.is_empty() != *present,
            Requirement::Any(predicates) => any_matches(predicates),
            Requirement::None(predicates) => !any_matches(predicates),
            Requirement::Sorted { descending, window } => {
                let key = order::key_of(&self.parameter, *descending, resource, base_url);
                match (key, window) {
                    (Some(key), Some(window)) => window.contains(&key),
                    (key, window) => key.is_none() && window.is_none(),
                }
            }
        }
    }

    fn probe(&self, any_of: Vec<Lookup>) -> Probe {
        Probe { parameter: self.parameter.code, any_of }
    }

    fn probes(&self, predicates: &[Predicate]) -> (Vec<Probe>, bool) {
        if self.parameter.search_type == SearchType::Composite {
            return (Predicate::component_probes(&self.parameter, predicates), true);
        }
        if let Some(all_of) = Predicate::containing(predicates) {
            return (all_of.into_iter().map(|any_of| self.probe(any_of)).collect(), true);
        }
        let any_of = predicates.iter().flat_map(Predicate::lookups).collect();
        (vec![self.probe(any_of)], predicates.iter().any(Predicate::is_cut))
    }
}
