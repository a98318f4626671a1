//! Applying parts: what upcasters make of an event beside what it says of its own resource.

use std::sync::atomic::Ordering;

use super::super::parts::count;
use super::super::stretch::{Flag, Note, Subject};
use super::super::{Fact, ViewError};
use super::Application;
use crate::chart::EventKind;
use crate::fhir::ResourceKey;
use crate::log::StreamAlias;
use crate::numbers::Position;

impl<'a> Application<'a> {
    /// Takes a part of an event, told behind the event at that position.
    pub(super) fn take_part(&mut self, fact: &'a Fact, behind: Position) -> Result<(), ViewError> {
        self.view.generation.has_parts.store(true, Ordering::Relaxed);
        let key = fact.envelope.key().ok_or(ViewError::Apply("a part about nothing".into()))?;
        self.parts += 1;
        let of_log = count(StreamAlias::NONE, behind.get(), self.parts)?;
        self.batch.insert(&self.view.spaces().parts, of_log.0, of_log.1);
        let step = self.advance(fact)?;
        if fact.envelope.home.is_none() {
            self.close_resource()?;
            if !fact.is_dropped && (fact.holds_body || self.is_there(&key)?) {
                self.open_resource(fact, key)?;
            }
        }
        // What is not there, and was not, needs no trace but its place.
        let (mut note, mut subject) =
            (Note::default().with(Flag::Dropped, true), Subject::default());
        if self.open.is_some() {
            let is_elsewhere = fact.envelope.home.is_some();
            let blank = Note::default().with(Flag::Body, fact.holds_body);
            let blank = blank.with(Flag::Elsewhere, is_elsewhere);
            let told = self.note_resource(fact, step, blank)?;
            if fact.holds_body || !is_elsewhere || told.0.supersedes.get() > 0 {
                (note, subject) = told;
            }
        }
        self.push(fact, step, note, subject);
        Ok(())
    }

    /// Whether a resource is there before the event that is taken.
    fn is_there(&self, key: &ResourceKey) -> Result<bool, ViewError> {
        match self.changed.get(key) {
            Some(head) => Ok(head.live),
            None => Ok(self.view.head(key)?.is_some_and(|head| head.live)),
        }
    }

    /// Refuses that a part takes the id of a resource that is there, or the other way round.
    pub(super) fn refuse_double(
        &self,
        fact: &Fact,
        key: &ResourceKey,
        is_there: bool,
    ) -> Result<(), ViewError> {
        if is_there && fact.envelope.event_type.event_kind == EventKind::Recorded {
            return Err(ViewError::Apply(format!(
                "the event at position {} brings {key}, which is there already: upcasters make it of another event",
                self.position
            )));
        }
        Ok(())
    }
}
