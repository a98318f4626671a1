//! Deciding a write against one view.

use std::collections::{BTreeMap, HashSet};

use super::super::search::Limits;
use super::aim::Aim;
use super::idempotency::mark;
use super::planner::{Planner, Stored};
use super::references::References;
use super::refuse::{refuse_ambiguous, refuse_by_absence, refuse_repeated, refuse_undeclared};
use super::weigh::{Before, Content};
use super::{
    Action, Change, ChangeResult, Effect, Expectation, Plan, Prepared, Records, RecordsError,
    Resource, Write,
};
use crate::auth::Grant;
use crate::chart::{Current, Wish, decide};
use crate::clock::Instant;
use crate::fhir::same::says_the_same;
use crate::fhir::{ResourceId, ResourceKey};
use crate::numbers::ChartVersion;

impl Records {
    pub(super) fn plan(
        &self,
        grant: &Grant,
        write: &Write,
        limits: Limits<'_>,
    ) -> Result<Plan, RecordsError> {
        let view = self.views.view();
        let mark = write.idempotency.as_ref().map(|key| mark(grant.actor(), key));
        let mut planner = Planner {
            records: self,
            view: &view,
            grant,
            mark: mark.as_ref(),
            expectations: Vec::new(),
            charts: BTreeMap::new(),
            keys: BTreeMap::new(),
            said: BTreeMap::new(),
            removed: HashSet::new(),
            resolved: BTreeMap::new(),
            limits,
            contents: Vec::new(),
            redefined: Vec::new(),
            subscribed: Vec::new(),
            opened: Vec::new(),
            events: Vec::new(),
        };
        planner.plan(write)
    }
}

impl Planner<'_> {
    fn plan(&mut self, write: &Write) -> Result<Plan, RecordsError> {
        for change in &write.changes {
            self.refuse_by_type(change).map_err(|error| error.at(&change.place))?;
        }
        if let Some(mark) = self.mark {
            if let Some(commit) = self.view.idempotent(&mark.key)? {
                if !commit.is_for(&mark.request) {
                    return Err(RecordsError::KeyReused);
                }
                let written = {
                    let Self { view, grant, limits, .. } = *self;
                    self.records.answer_again(view, grant, &commit, mark, &write.changes, limits)?
                };
                return Ok(Plan::Nothing(written));
            }
            self.expectations.push(Expectation::Unused(mark.key.clone()));
        }
        let aims = self.aims(write)?;
        refuse_repeated(&write.changes, &aims)?;
        refuse_ambiguous(&write.changes, &aims)?;
        if let Some((patient, expected)) = &write.expected_version {
            self.expect_version(patient, *expected)?;
        }
        let mut references =
            self.records.references(self.view, self.grant, &write.changes, &aims, self.limits)?;
        let mut done = Vec::with_capacity(aims.len());
        for (change, aim) in write.changes.iter().zip(&aims) {
            let one = match aim {
                Aim::Existing(key) => {
                    self.grant.owes_entry();
                    self.records.done_nothing(self.view, self.grant, key)
                }
                Aim::Resource(key) => self.change(change, key, false, &mut references),
                Aim::New(key) => self.change(change, key, true, &mut references),
                Aim::Nothing => refuse_by_absence(change).map(|()| ChangeResult::nothing()),
            };
            done.push(one.map_err(|error| error.at(&change.place))?);
        }
        self.refuse_absent_reads(&write.reads, &done)?;
        self.refuse_duplicates(&write.changes, &aims)?;
        self.refuse_definitions()?;
        self.refuse_subscriptions()?;
        // What the server writes itself refers to what it has just seen.
        if self.records.options.refuses_unresolved && !self.grant.is_of_server() {
            self.refuse_unresolved(&write.changes, &aims)?;
        }
        self.finish(done)
    }

    fn finish(&mut self, done: Vec<ChangeResult>) -> Result<Plan, RecordsError> {
        if self.events.is_empty() {
            if self.mark.is_none() {
                return Ok(Plan::Nothing(super::WriteResult { done, events: None }));
            }
            // Or the same request, sent again, could change something then.
            self.keep_key();
        }
        let mut events = std::mem::take(&mut self.opened);
        events.append(&mut self.events);
        if let (Some(first), Some(mark)) = (events.first_mut(), self.mark) {
            first.envelope.idempotency = Some(mark.clone());
        }
        let events: Result<Vec<Prepared>, RecordsError> =
            events.into_iter().map(|event| self.seal(event)).collect();
        let events = events?;
        let expectations = std::mem::take(&mut self.expectations);
        let generation = self.view.generation();
        Ok(Plan::Commit { events, expectations, done, generation })
    }

    fn expect_version(
        &mut self,
        patient: &ResourceId,
        expected: ChartVersion,
    ) -> Result<(), RecordsError> {
        let actual = self.view.chart(patient)?.map(|chart| chart.version).unwrap_or_default();
        if actual != expected {
            let reason = format!(
                "expectedVersion is {expected}, the chart of patient {patient} is at version {actual}"
            );
            return Err(RecordsError::Conflict { place: "expectedVersion".to_owned(), reason });
        }
        self.expectations.push(Expectation::ChartVersion(patient.clone(), expected));
        Ok(())
    }

    fn change(
        &mut self,
        change: &Change,
        key: &ResourceKey,
        must_be_new: bool,
        references: &mut References<'_>,
    ) -> Result<ChangeResult, RecordsError> {
        let before = self.before(key)?;
        let content = match &change.action {
            Action::Put(document, index) => {
                Some(self.content(change, key, document.node(*index), references)?)
            }
            Action::Patch(patch) => {
                let document = self.patched(change, key, patch, before.as_ref())?;
                self.records.resolve(
                    self.view,
                    self.grant,
                    document.root(),
                    &change.place,
                    references,
                )?;
                Some(self.content(change, key, document.root(), references)?)
            }
            Action::Remove => None,
        };
        // Charts first: a version is nobody's business who may not see the resource.
        self.refuse_by_chart(change, key, before.as_ref(), content.as_ref())?;
        let is_live = before.as_ref().is_some_and(|before| before.head.live);
        if !is_live && self.records.engine.was_erased(self.view, key)? {
            return Err(RecordsError::erased(key.to_string()));
        }
        if is_live && must_be_new {
            let reason = format!("the criteria find nothing, and {key} exists: its id is taken");
            return Err(RecordsError::Conflict { place: change.place.clone(), reason });
        }
        self.refuse_by_version(change, key, before.as_ref())?;
        let unchanged = match (&before, &content) {
            (Some(Before { body: Some((bytes, document)), .. }), Some(content)) => {
                *bytes == content.stored.bytes
                    || says_the_same(document.root(), content.document.root())
            }
            _ => false,
        };
        let current = before.as_ref().map(|before| Current {
            live: before.head.live,
            retracted: before.head.retracted,
            patients: before.patients.clone(),
        });
        let wish = match &content {
            Some(content) => Wish::Put {
                patients: content.patients.clone(),
                retracted: content.retracted,
                unchanged,
            },
            None => Wish::Remove,
        };
        let drafted = decide(current.as_ref(), &wish);
        refuse_undeclared(change, key, &drafted)?;
        self.expectations.push(Expectation::Head(
            key.clone(),
            before.as_ref().map(|before| before.head.position),
        ));
        let Some(home) = drafted.first() else {
            return self.records.done_nothing(self.view, self.grant, key);
        };
        self.redefine(change, key, before.as_ref(), content.as_ref())?;
        self.subscribe(change, key, before.as_ref(), content.as_ref())?;
        let effect = Effect::of(home.event_kind);
        let version = before.as_ref().map(|before| before.head.version).unwrap_or_default().next();
        let terms = self.draft(key, version, before.as_ref(), content.as_ref(), &drafted)?;
        // The time is filled in when the commit has one.
        let recorded_at = Instant::default();
        // Who patches has sent only a part: the whole is for who may read it.
        let is_shown = match change.action {
            Action::Patch(_) => self.may_read(key, content.as_ref())?,
            _ => true,
        };
        let resource = content.map(|Content { stored, document, .. }| {
            if self.rests_on_criteria() || self.records.options.refuses_unresolved {
                self.contents.push(Stored { key: key.clone(), document, terms });
            }
            Resource { key: key.clone(), version, recorded_at, event: None, body: stored.bytes }
        });
        let resource = resource.filter(|_| is_shown);
        let key = Some(key.clone());
        Ok(ChangeResult { key, effect, version, recorded_at: None, resource, repeated: false })
    }
}
