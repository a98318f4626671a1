//! Commits of the event log, as the index of events tells them.

use std::ops::Range;

use super::fact::EventPlace;
use super::stretch::{Flag, IndexedEvent};
use super::{AccessTerm, Change, Fact, Trace, View, ViewError, keys};
use crate::access::{Action, breaks_glass};
use crate::chart::{EventKind, Stated};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, EventId, Position, ResourceVersion};

/// One event, as the index knows it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedEvent {
    /// Its position.
    pub position: Position,
    /// Where it is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Its chart; `None`: the directory.
    pub chart: Option<StreamAlias>,
    /// Its number in its chart.
    pub chart_version: Option<ChartVersion>,
    /// The version of a resource that it brings; `None`: another event brings it, or it is about the
    /// chart alone.
    pub change: Option<Change>,
    /// The type of the resource that it is about; `None`: it is about the chart alone.
    pub kind: Option<ResourceType>,
    /// Version of that resource, whichever event brings it; 0: none.
    pub version: ResourceVersion,
    /// The event that brings the version: it, or one before it in the same commit.
    pub home: EventId,
    /// Whether the chart holds the resource after it.
    pub holds_body: bool,
    /// False if it is of an erased chart.
    pub is_readable: bool,
    /// Whether it says nothing today.
    pub is_dropped: bool,
}

impl LoggedEvent {
    /// How access entries name it.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId::of(self.position, self.place.part)
    }
}

impl View {
    /// The events at some positions, ascending, each followed by its parts; so many as there are.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn logged(
        &self,
        positions: Range<Position>,
    ) -> Result<impl Iterator<Item = Result<LoggedEvent, ViewError>> + '_, ViewError> {
        let slots = self.slot(positions.start)?..self.slot(positions.end)?;
        Ok(self.stretches(slots).flat_map(move |read| {
            let events = read.and_then(|(first, stretch)| self.with_parts(first, &stretch));
            match events {
                Ok(events) => {
                    let within = |event: &IndexedEvent| positions.contains(&event.position);
                    let events = events.into_iter().filter(within);
                    events.map(|event| Ok(self.logged_event(&event))).collect()
                }
                Err(error) => vec![Err(error)],
            }
        }))
    }

    /// One event without its parts; none behind the last.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn logged_at(&self, id: EventId) -> Result<Option<LoggedEvent>, ViewError> {
        let mut at = self.logged(id.position()..id.position().next())?;
        at.find(|event| event.as_ref().map_or(true, |event| event.id() == id)).transpose()
    }

    fn logged_event(&self, event: &IndexedEvent) -> LoggedEvent {
        let chart = event.stream.map(|point| point.alias);
        let is_hidden = chart.is_some_and(|chart| self.generation.is_hidden(chart));
        let steps = if event.note.has(Flag::Elsewhere) { event.note.related } else { 0 };
        let home = Position::new(event.position.get().saturating_sub(steps.into()));
        LoggedEvent {
            position: event.position,
            place: event.place,
            recorded_at: event.recorded_at,
            chart,
            chart_version: event.stream.map(|point| point.version),
            change: self.change(event),
            kind: event.subject.kind,
            version: event.note.version,
            home: EventId::of(home, event.place.part),
            holds_body: event.holds_body(),
            is_readable: !is_hidden && !event.note.has(Flag::Unreadable),
            is_dropped: event.note.has(Flag::Dropped),
        }
    }
}

/// The commit whose events are being applied, as far as it is told what it can be found by.
#[derive(Debug, Default)]
pub struct OpenCommit {
    /// Where its terms lead: to its first event.
    first: Option<Position>,
    is_actor_noted: bool,
    /// The actions that are noted.
    actions: Vec<Action>,
}

impl OpenCommit {
    /// Tells where the next event stands.
    pub fn begin(&mut self, position: Position) {
        self.first.get_or_insert(position);
    }

    /// Gives `add` what the commit can be found by, as far as an event of it tells it.
    pub fn take(&mut self, fact: &Fact, mut add: impl FnMut([u8; keys::ACCESS_BYTES])) {
        let Some(first) = self.first else { return };
        let mut note = |term: AccessTerm<'_>| add(term.key(Trace::Commit, first));
        // Each of its charts has an event that says who made it.
        if let Stated::Here(actor) = &fact.envelope.actor {
            if !std::mem::replace(&mut self.is_actor_noted, true) {
                note(AccessTerm::Subject(&actor.subject));
                actor.acting.iter().for_each(|acting| note(AccessTerm::Subject(acting)));
                actor.client.iter().for_each(|client| note(AccessTerm::Client(client)));
                let organization = actor.organization.iter();
                organization.for_each(|organization| note(AccessTerm::Organization(organization)));
                actor.purpose.iter().for_each(|purpose| note(AccessTerm::Purpose(purpose)));
                if breaks_glass(actor.purpose.as_deref()) {
                    note(AccessTerm::BreakGlass);
                }
            }
            if fact.alias != StreamAlias::NONE {
                note(AccessTerm::Chart(fact.alias));
            }
        }
        for action in actions(fact) {
            if !self.actions.contains(action) {
                self.actions.push(*action);
                note(AccessTerm::Action(*action));
                // Of several kinds, it is a transaction.
                if self.actions.len() == 2 && !self.actions.contains(&Action::Execute) {
                    self.actions.push(Action::Execute);
                    note(AccessTerm::Action(Action::Execute));
                }
            }
        }
    }
}

/// What a commit may have done that has this event, now or when a chart of it is erased.
fn actions(fact: &Fact) -> &'static [Action] {
    match (fact.envelope.event_type.event_kind, fact.envelope.home) {
        // Without the chart of the home event, that was a deletion, or no change.
        (_, Some(_)) => &[Action::Delete, Action::Execute],
        (EventKind::Opened, None) => &[],
        (EventKind::Held, None) => &[Action::Create],
        (EventKind::Released | EventKind::Erased, None) => &[Action::Delete],
        (EventKind::Answered, None) => &[Action::Execute],
        _ if !fact.holds_body => &[Action::Delete],
        _ if fact.is_creation() => &[Action::Create],
        _ => &[Action::Update],
    }
}
