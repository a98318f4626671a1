//! The changes of all resources, in the order of the log, read from the index of events alone.

use std::ops::Range;

use fjall::Readable;

use super::fact::EventPlace;
use super::stretch::{Flag, IndexedEvent, Stretch};
use super::{View, ViewError, keys};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceNumber, ResourceVersion, Slot};

/// A new version of a resource, as its home event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Position of the event.
    pub position: Position,
    /// Where it is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Number of the resource in the index.
    pub number: ResourceNumber,
    /// Its type.
    pub kind: ResourceType,
    /// FHIR's `versionId`.
    pub version: ResourceVersion,
    /// False when this version is a deletion.
    pub live: bool,
    /// True when the resource did not exist (any more) before it.
    pub first: bool,
    /// The chart of the event; `None`: the directory.
    pub chart: Option<StreamAlias>,
    /// Whether events in further charts belong to it.
    pub is_in_several: bool,
}

impl Change {
    /// How access entries name it.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId::of(self.position, self.place.part)
    }
}

/// In which order positions are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl View {
    /// The changes of resources in a range of positions, one for each new version; none of erased
    /// charts. Each item is of one record of the index, in which there may be none: how far the
    /// walk has come, the first position that it has not passed (`Ascending`) or the last that it
    /// has (`Descending`), stands beside them.
    pub fn changes(
        &self,
        positions: Range<Position>,
        order: Order,
    ) -> Result<impl Iterator<Item = Result<(Position, Vec<Change>), ViewError>> + '_, ViewError>
    {
        let mut records = self.stretches(self.slot(positions.start)?..self.slot(positions.end)?);
        Ok(std::iter::from_fn(move || {
            let next = match order {
                Order::Ascending => records.next(),
                Order::Descending => records.next_back(),
            };
            let (first, stretch) = match next? {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            let events = match self.with_parts(first, &stretch) {
                Ok(events) => events,
                Err(error) => return Some(Err(error)),
            };
            let within = events.iter().filter(|event| positions.contains(&event.position));
            let mut changes: Vec<Change> = within.filter_map(|event| self.change(event)).collect();
            let passed = match order {
                Order::Ascending => stretch.behind(first).min(positions.end),
                Order::Descending => {
                    changes.reverse();
                    stretch.position(first).max(positions.start)
                }
            };
            Some(Ok((passed, changes)))
        }))
    }

    /// Position of the first event that was recorded at that moment or later; behind the last if
    /// there is none.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn position_at(&self, moment: Instant) -> Result<Position, ViewError> {
        let applied = self.applied_events()?;
        let (mut from, mut until) = (Slot::new(0), self.slot(applied)?);
        let mut position = Position::new(0);
        while from < until {
            let middle = self
                .pointer(Slot::new(from.get().midpoint(until.get())))?
                .ok_or(ViewError::Record("events"))?;
            let stretch = self.stretch(middle)?;
            // All events of a stretch have one time.
            if stretch.recorded_at() >= moment {
                until = middle.first();
            } else {
                from = middle.first() + stretch.len();
                position = stretch.behind(middle.first());
            }
        }
        Ok(position)
    }

    /// When a version of a resource stopped being the current one, in a state of so many events;
    /// `None`: it is current there.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn superseded(
        &self,
        number: ResourceNumber,
        version: ResourceVersion,
        events: Position,
    ) -> Result<Option<Instant>, ViewError> {
        let Some(head) = self.head_of(number)? else { return Ok(None) };
        for later in version.get() + 1..=head.version.get() {
            // A version that was erased is not there.
            if let Some(past) = self.version(&head, ResourceVersion::new(later))? {
                return Ok((past.position < events).then_some(past.recorded_at));
            }
        }
        Ok(None)
    }

    /// The records that hold the events at some slots.
    pub(super) fn stretches(
        &self,
        slots: Range<Slot>,
    ) -> impl DoubleEndedIterator<Item = Result<(Slot, Stretch), ViewError>> + use<> {
        let space = &self.spaces().events;
        let (start, end) = (slots.start.get(), slots.end.get());
        let before = 0u64.to_be_bytes()..=start.to_be_bytes();
        // The one that holds the first may begin before it.
        let first = self.snapshot.range(space, before).next_back();
        let first = first.and_then(|entry| entry.key().ok()).map(|key| keys::last_number(&key));
        let first = first.unwrap_or_default();
        let records = self.snapshot.range(space, first.to_be_bytes()..end.max(first).to_be_bytes());
        records.map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((Slot::new(keys::last_number(&key)), Stretch::decode(&value)?))
        })
    }

    pub(super) fn change(&self, event: &IndexedEvent) -> Option<Change> {
        let kind = event.subject.kind.filter(|_| !event.note.has(Flag::Elsewhere))?;
        let chart = event.stream.map(|point| point.alias);
        if chart.is_some_and(|chart| self.generation.is_hidden(chart)) {
            return None;
        }
        Some(Change {
            position: event.position,
            place: event.place,
            recorded_at: event.recorded_at,
            number: ResourceNumber::of(event.first()),
            kind,
            version: event.note.version,
            live: event.holds_body(),
            first: event.note.has(Flag::First),
            chart,
            is_in_several: event.note.related > 0,
        })
    }
}
