//! The changes of all resources, in the order of the log, read from the index of events alone.

use std::ops::Range;

use fjall::Readable;

use super::stretch::{Flag, IndexedEvent, Stretch};
use super::{View, ViewError, keys};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::{Location, StreamAlias};
use crate::numbers::{Position, ResourceNumber, ResourceVersion};

/// A new version of a resource, as its home event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Position of the event.
    pub position: Position,
    /// Where its frame lies.
    pub location: Location,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Number of the resource: position of its first event.
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
    ) -> impl Iterator<Item = Result<(Position, Vec<Change>), ViewError>> + '_ {
        let mut records = self.stretches(positions.clone());
        std::iter::from_fn(move || {
            let next = match order {
                Order::Ascending => records.next(),
                Order::Descending => records.next_back(),
            };
            let (first, stretch) = match next? {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            let within =
                stretch.events(first).filter(|event| positions.contains(&event.pointer.position()));
            let mut changes: Vec<Change> = within.filter_map(|event| self.change(&event)).collect();
            let passed = match order {
                Order::Ascending => (first + stretch.len()).min(positions.end),
                Order::Descending => {
                    changes.reverse();
                    first.max(positions.start)
                }
            };
            Some(Ok((passed, changes)))
        })
    }

    /// Position of the first event that was recorded at that moment or later; behind the last if
    /// there is none.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn position_at(&self, moment: Instant) -> Result<Position, ViewError> {
        let (mut from, mut until) = (Position::new(0), self.applied_events()?);
        while from < until {
            let middle = self
                .pointer(Position::new(from.get().midpoint(until.get())))?
                .ok_or(ViewError::Record("events"))?;
            let stretch = self.stretch(middle)?;
            // All events of a stretch have one time.
            if stretch.recorded_at() >= moment {
                until = middle.first();
            } else {
                from = middle.first() + stretch.len();
            }
        }
        Ok(from)
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

    /// The records that hold the events at some positions.
    pub(super) fn stretches(
        &self,
        positions: Range<Position>,
    ) -> impl DoubleEndedIterator<Item = Result<(Position, Stretch), ViewError>> + use<> {
        let space = &self.spaces().events;
        let (start, end) = (positions.start.get(), positions.end.get());
        let before = 0u64.to_be_bytes()..=start.to_be_bytes();
        // The one that holds the first may begin before it.
        let first = self.snapshot.range(space, before).next_back();
        let first = first.and_then(|entry| entry.key().ok()).map(|key| keys::last_number(&key));
        let first = first.unwrap_or_default();
        let records = self.snapshot.range(space, first.to_be_bytes()..end.max(first).to_be_bytes());
        records.map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((Position::new(keys::last_number(&key)), Stretch::decode(&value)?))
        })
    }

    pub(super) fn change(&self, event: &IndexedEvent) -> Option<Change> {
        let kind = event.subject.kind.filter(|_| !event.note.has(Flag::Elsewhere))?;
        let chart = event.stream.map(|(alias, _)| alias);
        if chart.is_some_and(|chart| self.generation.is_hidden(chart)) {
            return None;
        }
        let position = event.pointer.position();
        Some(Change {
            position,
            location: event.location,
            recorded_at: event.recorded_at,
            number: ResourceNumber::new(position.get().saturating_sub(event.subject.since_first)),
            kind,
            version: event.note.version,
            live: event.holds_body(),
            first: event.note.has(Flag::First),
            chart,
            is_in_several: event.note.related > 0,
        })
    }
}
