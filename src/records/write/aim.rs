//! Which resource each change of a request is about.

use super::super::search::find;
use super::idempotency::repeatable_id;
use super::planner::Planner;
use super::watch::CriteriaWatch;
use super::{Action, Change, Expectation, RecordsError, Target, Write};
use crate::fhir::Criteria;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};

/// What a change is aimed at, once it is known.
pub(super) enum Aim {
    /// A resource to be created or changed.
    Resource(ResourceKey),
    /// A resource to be created, because the criteria found none.
    New(ResourceKey),
    /// A resource that the criteria found: nothing to do.
    Existing(ResourceKey),
    /// The criteria found nothing, and nothing is to be created.
    Nothing,
}

impl Aim {
    pub(super) fn key(&self) -> Option<&ResourceKey> {
        match self {
            Self::Resource(key) | Self::New(key) | Self::Existing(key) => Some(key),
            Self::Nothing => None,
        }
    }
}

impl Planner<'_> {
    /// Finds out what each change is aimed at. Criteria are asked for what they find now, and the
    /// commit rests on their finding it still.
    pub(super) fn aims(&mut self, write: &Write) -> Result<Vec<Aim>, RecordsError> {
        let mut order: Vec<(usize, &Change)> = write.changes.iter().enumerate().collect();
        let removes = |change: &Change| matches!(change.action, Action::Remove);
        // Deletions first, wherever they stand: R4 §3.1.0.11.2.
        order.sort_by_key(|(_, change)| !removes(change));
        let mut aims = Vec::with_capacity(order.len());
        for (at, change) in order {
            let aim = self.aim(at, change).map_err(|error| error.at(&change.place))?;
            if removes(change) {
                self.removed.extend(aim.key().cloned());
            }
            aims.push((at, aim));
        }
        aims.sort_by_key(|(at, _)| *at);
        Ok(aims.into_iter().map(|(_, aim)| aim).collect())
    }

    fn aim(&mut self, at: usize, change: &Change) -> Result<Aim, RecordsError> {
        if change.target.kind() == ResourceType::AUDIT_EVENT {
            return Err(RecordsError::MadeHere(ResourceType::AUDIT_EVENT));
        }
        match &change.target {
            Target::Key(key) => Ok(Aim::Resource(key.clone())),
            Target::New(kind, None) => Ok(Aim::Resource(self.fresh_key(*kind, at))),
            Target::New(kind, Some(criteria)) => {
                // What the same request deletes is gone by then.
                let found = self.found(at, change, criteria)?;
                let found = found.filter(|key| !self.removed.contains(key));
                Ok(found.map_or_else(|| Aim::New(self.fresh_key(*kind, at)), Aim::Existing))
            }
            Target::Found(kind, criteria, id) => {
                let found = self.found(at, change, criteria)?;
                self.aim_at_found(change, at, found, *kind, id.as_ref())
            }
        }
    }

    fn aim_at_found(
        &self,
        change: &Change,
        at: usize,
        found: Option<ResourceKey>,
        kind: ResourceType,
        id: Option<&ResourceId>,
    ) -> Result<Aim, RecordsError> {
        match (found, &change.action, id) {
            (Some(key), _, Some(id)) if key.id != *id => {
                let diagnostics = format!("the id is {id}, the criteria find {key}");
                let expression = change.place.clone();
                let problem = Problem { code: IssueCode::Value, expression, diagnostics };
                Err(RecordsError::Invalid(vec![problem]))
            }
            (Some(key), ..) => Ok(Aim::Resource(key)),
            (None, Action::Put(..), Some(id)) => Ok(Aim::New(ResourceKey::new(kind, id.clone()))),
            (None, Action::Put(..), None) => Ok(Aim::New(self.fresh_key(kind, at))),
            (None, Action::Patch(_), _) => Err(RecordsError::NotFound(format!(
                "a resource that meets the criteria for {kind}"
            ))),
            (None, Action::Remove, _) => Ok(Aim::Nothing),
        }
    }

    /// The one resource that the criteria find, if they find one.
    fn found(
        &mut self,
        at: usize,
        change: &Change,
        criteria: &Criteria,
    ) -> Result<Option<ResourceKey>, RecordsError> {
        let found = find(self.records, self.view, self.grant, criteria, 2, self.limits)?;
        let head = match found.heads.as_slice() {
            [] => None,
            [head] => Some(head),
            _ => {
                let what = match change.target {
                    Target::New(..) => "If-None-Exist finds",
                    _ => "the criteria find",
                };
                let reason = format!("{what} several resources");
                return Err(RecordsError::Precondition { place: change.place.clone(), reason });
            }
        };
        let watch = CriteriaWatch::new(criteria, &found.resolved, self.view.generation());
        let watch = Box::new(watch);
        self.expectations.push(Expectation::Unchanged { since: found.end, watch });
        let key = match head {
            Some(head) => {
                self.grant.saw_resource(head.id);
                Some(self.records.key_of(self.view, head)?)
            }
            None => None,
        };
        self.resolved.insert(at, found.resolved);
        Ok(key)
    }

    fn fresh_key(&self, kind: ResourceType, change: usize) -> ResourceKey {
        let random = || uuid::Uuid::now_v7().to_string().parse();
        let repeatable = self.mark.and_then(|mark| repeatable_id(mark, change));
        match repeatable.map_or_else(random, Ok) {
            Ok(id) => ResourceKey::new(kind, id),
            Err(error) => unreachable!("a UUID is a FHIR id: {error}"),
        }
    }
}
