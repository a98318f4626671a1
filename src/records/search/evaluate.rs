//! Whether a resource matches criteria, evaluated on the resource itself; and the sets behind those criteria
//! that lead to other resources.

use super::RecordsError;
use super::candidates::{Found, Matches};
use super::context::{Held, Opened, SearchContext};
use super::set::Set;
use super::through::Through;
use crate::auth::Permission;
use crate::fhir::search::{Chain, Condition, Criterion, Has, reference_value, references_of};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::numbers::ResourceNumber;
use crate::records::ground::Stand;
use crate::records::reach::Reach;
use crate::view::TermNumbers;

/// Most matches at the other end of a chain that are looked up before the candidates themselves are
/// followed one by one.
const CHAINED_MAX: usize = 1_000;

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
        for criterion in criteria {
            if !self.matches(opened, criterion)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn matches(&self, opened: &Opened, criterion: &Criterion) -> Result<bool, RecordsError> {
        Ok(match criterion {
            Criterion::Condition(condition) => {
                condition.matches(opened.document.root(), self.base_url)
            }
            Criterion::Ids(ids) => ids.contains(&opened.key.id),
            Criterion::LastUpdated(tests) => {
                tests.iter().any(|test| test.contains(opened.held.recorded_at.micros()))
            }
            Criterion::Chain(chain) => self.matches_chain(opened, chain)?,
            Criterion::Has(has) => self.matches_has(opened, has)?,
            Criterion::AnyOf(alternatives) => {
                for one in alternatives {
                    if self.matches(opened, one)? {
                        return Ok(true);
                    }
                }
                false
            }
            // They were resolved before the search began.
            Criterion::List(_) | Criterion::InValueSet { .. } => false,
        })
    }

    /// Whether one of the resources that this one refers to meets the criteria of a chain.
    fn matches_chain(&self, opened: &Opened, chain: &Chain) -> Result<bool, RecordsError> {
        let root = opened.document.root();
        for (key, _) in references_of(&chain.parameter, root, self.base_url) {
            for (target, criteria) in &chain.targets {
                if *target == key.kind && self.target_matches(&key, criteria)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
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
        let criteria = referring(has, &opened.key);
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
        let mut values = Vec::new();
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
                let key = self.key_of(found)?;
                values.extend(key.map(|key| reference_value(&key)));
            }
            through.note(self.grant);
        }
        match denied {
            Some(why) if chain.targets.len() == 1 => Err(why.into()),
            _ => {
                let code = chain.parameter.code;
                Ok(Some(Set::Terms(TermNumbers::of(self.view, kind, code, &values))))
            }
        }
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
            let targets = references_of(&has.parameter, opened.document.root(), self.base_url);
            for (key, _) in targets.iter().filter(|(key, _)| key.kind == kind) {
                numbers.extend(self.view.head(key)?.map(|head| head.number));
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

    fn key_of(&self, found: Found) -> Result<Option<ResourceKey>, RecordsError> {
        Ok(found.open(self)?.map(|opened| opened.key))
    }
}

/// The criteria of a reverse chain, for one resource at its end.
fn referring(has: &Has, key: &ResourceKey) -> Vec<Criterion> {
    let mut criteria = has.criteria.clone();
    criteria.push(Criterion::Condition(Condition::refers_to(&has.parameter, key)));
    criteria
}
