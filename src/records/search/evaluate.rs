//! Whether a resource matches criteria, evaluated on the resource itself; and the sets behind those criteria
//! that lead to other resources.

use super::RecordsError;
use super::candidates::{Found, Matches};
use super::context::{Held, Opened, SearchContext};
use super::set::Set;
use super::through::Through;
use crate::auth::Permission;
use crate::fhir::search::{
    Canonical, Chain, Condition, Criterion, Has, Scope, Target, canonical_value, reference_value,
    targets_of, value_within,
};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::json::Node;
use crate::numbers::ResourceNumber;
use crate::records::ground::Stand;
use crate::records::reach::Reach;
use crate::view::TermNumbers;

/// Most matches at the other end of a chain that are looked up before the candidates themselves are
/// followed one by one.
const CHAINED_MAX: usize = 1_000;
/// The parameter of a resource's canonical URL.
const URL: &str = "url";

impl<'a> SearchContext<'a> {
    /// The version, if it meets the criteria; it is opened only if one of them asks for that.
    pub(super) fn matches_all(
        &self,
        found: Found,
        criteria: &[&Criterion],
    ) -> Result<Option<Found>, RecordsError> {
        let (outside, inside): (Vec<&Criterion>, Vec<&Criterion>) =
            criteria.iter().partition(|one| matches!(one, Criterion::LastUpdated(_)));
        for criterion in outside {
            if let Criterion::LastUpdated(tests) = criterion
                && !tests.iter().any(|test| test.contains(found.held().recorded_at.micros()))
            {
                return Ok(None);
            }
        }
        if inside.is_empty() {
            return Ok(Some(found));
        }
        let Some(opened) = found.open(self)? else { return Ok(None) };
        let meets = self.meets_all(&opened, inside)?;
        Ok(meets.then(|| Found::Opened(Box::new(opened))))
    }

    fn meets_all<'c>(
        &self,
        opened: &Opened,
        criteria: impl IntoIterator<Item = &'c Criterion>,
    ) -> Result<bool, RecordsError> {
        self.meets(Scope::of(opened.document.root()), Some(opened), criteria)
    }

    /// Whether a resource meets criteria; `stored` is the resource, unless it is one within another.
    fn meets<'c>(
        &self,
        scope: Scope<'_>,
        stored: Option<&Opened>,
        criteria: impl IntoIterator<Item = &'c Criterion>,
    ) -> Result<bool, RecordsError> {
        for criterion in criteria {
            if !self.matches(scope, stored, criterion)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn matches(
        &self,
        scope: Scope<'_>,
        stored: Option<&Opened>,
        criterion: &Criterion,
    ) -> Result<bool, RecordsError> {
        let has_id = |ids: &[ResourceId]| stored.is_some_and(|one| ids.contains(&one.key.id));
        Ok(match criterion {
            Criterion::Condition(condition) => condition.matches(scope.node, self.base_url),
            Criterion::Ids(ids) => has_id(ids),
            Criterion::OtherIds(ids) => !has_id(ids),
            Criterion::LastUpdated(tests) => stored.is_some_and(|one| {
                tests.iter().any(|test| test.contains(one.held.recorded_at.micros()))
            }),
            Criterion::Chain(chain) => self.matches_chain(scope, chain)?,
            // Nothing that is stored refers to what stands within a resource.
            Criterion::Has(has) => match stored {
                Some(opened) => self.matches_has(opened, has)?,
                None => false,
            },
            Criterion::AnyOf(alternatives) => {
                for one in alternatives {
                    if self.matches(scope, stored, one)? {
                        return Ok(true);
                    }
                }
                false
            }
            // They were resolved before the search began.
            Criterion::List(_) | Criterion::InHierarchy { .. } | Criterion::InValueSet { .. } => {
                false
            }
        })
    }

    /// Whether one of the resources that this one refers to meets the criteria of a chain.
    fn matches_chain(&self, scope: Scope<'_>, chain: &Chain) -> Result<bool, RecordsError> {
        for target in targets_of(&chain.parameter, scope, self.base_url) {
            for (kind, criteria) in &chain.targets {
                let meets = match &target {
                    Target::Resource(key, _) => {
                        *kind == key.kind && self.target_matches(key, criteria)?
                    }
                    Target::Canonical(canonical) => {
                        let keys = self.with_canonical(*kind, canonical)?;
                        self.any_matches(&keys, criteria)?
                    }
                    // It goes with the resource that has it, but is of its own type.
                    Target::Within(found, scope) => {
                        found == kind
                            && self.reach(*kind).is_ok()
                            && self.meets(*scope, None, criteria)?
                    }
                };
                if meets {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn any_matches(
        &self,
        keys: &[ResourceKey],
        criteria: &[Criterion],
    ) -> Result<bool, RecordsError> {
        for key in keys {
            if self.target_matches(key, criteria)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The resources of a type with a canonical URL that the caller may find.
    pub(super) fn with_canonical(
        &self,
        kind: ResourceType,
        canonical: &Canonical,
    ) -> Result<Vec<ResourceKey>, RecordsError> {
        let Some(url) = self.parameters.named(kind, URL) else { return Ok(Vec::new()) };
        let criteria = [Criterion::Condition(Condition::is_canonical(url, canonical))];
        let walk = match Matches::new(self, kind, &criteria, None, None) {
            Err(RecordsError::Denied(_)) => return Ok(Vec::new()),
            walk => walk?,
        };
        let mut keys = Vec::new();
        for found in walk {
            keys.extend(found?.open(self)?.map(|opened| opened.key));
        }
        Ok(keys)
    }

    /// The canonical URL of a resource of a type that has one.
    pub(super) fn canonical_of(&self, kind: ResourceType, resource: Node<'_>) -> Option<Canonical> {
        self.parameters.named(kind, URL)?;
        Canonical::of(resource)
    }

    fn target_matches(
        &self,
        key: &ResourceKey,
        criteria: &[Criterion],
    ) -> Result<bool, RecordsError> {
        let Some(held) = self.held_as(key)? else { return Ok(false) };
        let Some(found) = self.permitted(key.kind, Permission::Search, held)? else {
            return Ok(false);
        };
        let criteria: Vec<&Criterion> = criteria.iter().collect();
        Ok(self.matches_all(found, &criteria)?.is_some())
    }

    /// A version if a permission of the caller reaches it; of types without such a right it reaches nothing.
    pub(super) fn permitted(
        &self,
        kind: ResourceType,
        permission: Permission,
        held: Held,
    ) -> Result<Option<Found>, RecordsError> {
        match self.reach_with(kind, permission) {
            Ok(reach) => self.admitted(kind, &reach, Found::Held(held)),
            Err(RecordsError::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was found, if it is within reach: the one decision on each resource.
    pub(super) fn admitted(
        &self,
        kind: ResourceType,
        reach: &Reach<'_>,
        found: Found,
    ) -> Result<Option<Found>, RecordsError> {
        if reach.is_everything() {
            return Ok(Some(found));
        }
        let charts = &found.held().charts;
        let there = reach.within(charts);
        if there.is_empty() {
            return Ok(None);
        }
        let mut is_granted = there.iter().any(|criteria| criteria.is_empty());
        let stand = match reach.rules {
            Some(inquiry) => Some(self.ground().stand(inquiry, kind, charts)?),
            None => None,
        };
        let decided = stand.as_ref().map_or(Some(true), Stand::decided);
        match decided {
            Some(true) if is_granted => return Ok(Some(found)),
            Some(false) => return Ok(None),
            _ => {}
        }
        let Some(opened) = found.open(self)? else { return Ok(None) };
        for criteria in there {
            is_granted = is_granted || self.meets_all(&opened, criteria)?;
        }
        let permits = |stand: &Stand<'_>| stand.permits(&opened.key, opened.document.root());
        let is_permitted = decided == Some(true) || stand.as_ref().is_none_or(permits);
        Ok((is_granted && is_permitted).then(|| Found::Opened(Box::new(opened))))
    }

    /// Whether a resource that refers to this one meets the criteria.
    fn matches_has(&self, opened: &Opened, has: &Has) -> Result<bool, RecordsError> {
        let canonical = self.canonical_of(opened.key.kind, opened.document.root());
        let criteria = referring(has, &opened.key, canonical.as_ref());
        Ok(Matches::new(self, has.kind, &criteria, None, None)?.next().transpose()?.is_some())
    }

    /// The numbers of the resources with these ids.
    pub(super) fn numbers_of(
        &self,
        kind: ResourceType,
        ids: &[ResourceId],
    ) -> Result<Vec<ResourceNumber>, RecordsError> {
        let mut numbers = Vec::with_capacity(ids.len());
        for id in ids {
            let key = ResourceKey::new(kind, id.clone());
            numbers.extend(self.view.head(&key)?.map(|head| head.number));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// The resources that refer to what meets the criteria of a chain; `None` when that is too much
    /// to ask for first.
    pub(super) fn chain_set(
        &'a self,
        kind: ResourceType,
        chain: &Chain,
    ) -> Result<Option<Set<'a>>, RecordsError> {
        let code = chain.parameter.code;
        let terms = |values: &[Vec<u8>]| TermNumbers::of(self.view, kind, code, values);
        let (mut values, mut canonicals) = (Vec::new(), Vec::new());
        let mut denied = None;
        for (target, criteria) in &chain.targets {
            let mut through = Through::default();
            let walk = match Matches::new(self, *target, criteria, None, None) {
                // A reference may lead to several types, of which some are within reach.
                Err(RecordsError::Denied(why)) => {
                    denied = Some(why);
                    continue;
                }
                walk => walk?,
            };
            for found in walk {
                if values.len() == CHAINED_MAX {
                    return Ok(None);
                }
                let found = found?;
                through.add(found.held());
                let Some(opened) = found.open(self)? else { continue };
                values.push(reference_value(&opened.key));
                let canonical = self.canonical_of(*target, opened.document.root());
                canonicals.extend(canonical.as_ref().map(canonical_value));
            }
            through.note(self.grant);
        }
        if let Some(why) = denied.filter(|_| chain.targets.len() == 1) {
            return Err(why.into());
        }
        let mut named = Set::Terms(terms(&values));
        if kind == ResourceType::BUNDLE {
            // What stands in it counts, not what is stored under the same name.
            named = Set::Unsure(Box::new(named));
        }
        // Of what is in a resource, and of versions, the index does not say enough.
        let within = chain.targets.iter().map(|(target, _)| value_within(*target));
        let mut others = terms(&canonicals.into_iter().chain(within).collect::<Vec<_>>());
        if others.seek(0)?.is_none() {
            return Ok(Some(named));
        }
        let others = Set::Unsure(Box::new(Set::Terms(others)));
        Ok(Some(Set::Union(vec![named, others])))
    }

    /// The resources to which those refer that meet the criteria; `None` when that is too much to
    /// ask for first.
    pub(super) fn has_set(
        &self,
        kind: ResourceType,
        has: &Has,
    ) -> Result<Option<Set<'a>>, RecordsError> {
        let (mut numbers, mut through) = (Vec::new(), Through::default());
        for (at, found) in Matches::new(self, has.kind, &has.criteria, None, None)?.enumerate() {
            if at == CHAINED_MAX {
                return Ok(None);
            }
            let Some(opened) = found?.open(self)? else { continue };
            through.add(&opened.held);
            let scope = Scope::of(opened.document.root());
            for target in targets_of(&has.parameter, scope, self.base_url) {
                let keys = match target {
                    Target::Resource(key, _) if key.kind == kind => vec![key],
                    Target::Canonical(canonical) => self.with_canonical(kind, &canonical)?,
                    Target::Resource(..) | Target::Within(..) => continue,
                };
                for key in &keys {
                    numbers.extend(self.view.head(key)?.map(|head| head.number));
                }
            }
        }
        through.note(self.grant);
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Some(Set::Numbers(numbers)))
    }

    /// The resources that meet any of some criteria, and whether nothing else is in the sets; none
    /// if the index does not know.
    pub(super) fn any_of(
        &'a self,
        kind: ResourceType,
        alternatives: &'a [Criterion],
    ) -> Result<(Vec<Set<'a>>, bool), RecordsError> {
        let mut union = Vec::with_capacity(alternatives.len());
        let mut is_sure = true;
        for one in alternatives {
            let Criterion::Condition(condition) = one else { return Ok((Vec::new(), false)) };
            let mut sets = Set::of_condition(self, kind, condition)?;
            if sets.len() != 1 {
                return Ok((Vec::new(), false));
            }
            union.append(&mut sets);
            is_sure &= !condition.plan().needs_check;
        }
        Ok((vec![Set::Union(union)], is_sure))
    }
}

/// The criteria of a reverse chain, for one resource at its end.
fn referring(has: &Has, key: &ResourceKey, canonical: Option<&Canonical>) -> Vec<Criterion> {
    let mut criteria = has.criteria.clone();
    let condition = Condition::refers_to(&has.parameter, key, canonical);
    criteria.push(Criterion::Condition(condition));
    criteria
}
