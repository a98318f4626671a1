//! Stretches: up to 64 neighbouring events of one group, as one record of the index of events.
//!
//! An event is found by a [`Pointer`]: its position, and how many events of its stretch stand before
//! it. All stretches of a group but the last are full, so the pointers of its other events follow
//! from the pointer of one.

use serde::{Deserialize, Serialize};

use super::ViewError;
use super::records::decode;
use crate::clock::Instant;
use crate::log::{Location, StreamAlias};

/// Events in a full stretch, as a power of two.
const STRETCH_BITS: u32 = 6;
/// Events in a full stretch.
pub const STRETCH_EVENTS: u64 = 1 << STRETCH_BITS;

/// Where the index of events has an event: position, and number of events before it in its
/// stretch, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer(u64);

impl Pointer {
    /// Of an event at a position, so many events behind the start of its stretch.
    pub fn new(position: u64, back: u64) -> Self {
        Self(position << STRETCH_BITS | back & (STRETCH_EVENTS - 1))
    }

    /// The event's position.
    pub fn position(self) -> u64 {
        self.0 >> STRETCH_BITS
    }

    /// Position of the first event of its stretch.
    pub fn first(self) -> u64 {
        self.position() - self.back()
    }

    fn back(self) -> u64 {
        self.0 & (STRETCH_EVENTS - 1)
    }

    /// The event so many events behind it, in the same group.
    pub fn onward(self, events: u64) -> Self {
        Self::new(self.position() + events, self.back() + events)
    }

    /// The event so many events before it, in the same group.
    pub fn backward(self, events: u64) -> Self {
        let back = self.back().wrapping_sub(events);
        Self::new(self.position().saturating_sub(events), back)
    }
}

/// What the index says of an event beside its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    flags: u8,
    /// At home: how many events about the same resource in further charts follow. Elsewhere: how
    /// many events before this one the home event stands.
    pub related: u32,
    /// The resource's version that it brings; 0: it is about no resource.
    pub version: u64,
    /// Chart version whose body it replaces or removes; 0: none.
    pub supersedes: u64,
}

/// A fact about an event, as a bit of [`Note`].
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub enum Flag {
    /// It is not the home event of its resource.
    Elsewhere = 1,
    /// The chart has a body of the resource after it.
    Body = 2,
    /// The body says `entered-in-error`.
    Retracted = 4,
    /// The resource did not exist before it.
    First = 8,
    /// It is of an erased chart.
    Unreadable = 16,
}

impl Note {
    /// Says a fact, or not.
    #[must_use]
    pub fn with(mut self, flag: Flag, said: bool) -> Self {
        self.flags |= if said { flag as u8 } else { 0 };
        self
    }

    /// Whether a fact is said.
    pub fn has(self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }
}

/// An event's chart and its number there.
pub type StreamStep = Option<(StreamAlias, u64)>;

/// One event of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedEvent {
    /// Where it stands in the index.
    pub pointer: Pointer,
    /// Where its frame lies.
    pub location: Location,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Its chart; `None`: the directory.
    pub stream: StreamStep,
    /// The rest.
    pub note: Note,
}

impl IndexedEvent {
    /// Whether it is about a resource, which has a body in its chart after it.
    pub fn holds_body(&self) -> bool {
        self.note.has(Flag::Body)
    }
}

/// A record of the index of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    recorded_at: i64,
    segment: u32,
    offset: u32,
    lengths: Vec<u32>,
    runs: Vec<Run>,
}

/// Neighbouring events of one chart of which the same is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    events: u32,
    /// The chart's alias, and the chart version of the first; bytes, for they are random.
    stream: Option<([u8; 8], u64)>,
    note: Note,
}

impl Stretch {
    /// The record of some events; their frames must follow each other in one segment.
    ///
    /// # Errors
    ///
    /// [`ViewError::Apply`] when they do not.
    pub fn of(
        recorded_at: Instant,
        events: &[(Location, StreamStep, Note)],
    ) -> Result<Self, ViewError> {
        let start = events.first().map(|(location, ..)| *location).unwrap_or_default();
        let mut stretch = Self {
            recorded_at: recorded_at.micros(),
            segment: start.segment,
            offset: start.offset,
            lengths: Vec::with_capacity(events.len()),
            runs: Vec::new(),
        };
        let mut offset = start.offset;
        for (location, stream, note) in events {
            if (location.segment, location.offset) != (start.segment, offset) {
                return Err(ViewError::Apply("frames of a group lie apart".into()));
            }
            offset += location.length;
            stretch.lengths.push(location.length);
            let stream = stream.map(|(alias, version)| (alias.0.to_be_bytes(), version));
            match stretch.runs.last_mut() {
                Some(run) if run.goes_on(stream, *note) => run.events += 1,
                _ => stretch.runs.push(Run { events: 1, stream, note: *note }),
            }
        }
        Ok(stretch)
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, ViewError> {
        decode("events", bytes)
    }

    /// The event of the stretch that a pointer means.
    pub fn event(&self, pointer: Pointer) -> Option<IndexedEvent> {
        let back = usize::try_from(pointer.back()).ok()?;
        let length = *self.lengths.get(back)?;
        let before: u32 = self.lengths.iter().take(back).sum();
        let location = Location { segment: self.segment, offset: self.offset + before, length };
        let mut within = pointer.back();
        let run = self.runs.iter().find(|run| {
            let found = within < u64::from(run.events);
            if !found {
                within -= u64::from(run.events);
            }
            found
        })?;
        let stream = run
            .stream
            .map(|(alias, version)| (StreamAlias(u64::from_be_bytes(alias)), version + within));
        let recorded_at = Instant::from_micros(self.recorded_at);
        Some(IndexedEvent { pointer, location, recorded_at, stream, note: run.note })
    }
}

impl Run {
    fn goes_on(&self, stream: Option<([u8; 8], u64)>, note: Note) -> bool {
        let next = self.stream.map(|(alias, version)| (alias, version + u64::from(self.events)));
        note == self.note && stream == next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pointers_of_a_group_follow_from_each_other() {
        let first = Pointer::new(1_000, 0);
        for events in [0, 1, 63, 64, 65, 500] {
            let other = first.onward(events);
            assert_eq!(other.position(), 1_000 + events);
            assert_eq!(other.first(), 1_000 + events / 64 * 64);
            assert_eq!(other.backward(events), first);
        }
    }

    proptest! {
        #[test]
        fn events_read_back(
            lengths in prop::collection::vec((1u32..5_000, 0u64..3, any::<bool>()), 1..64),
            start in 0u32..1_000_000,
        ) {
            let mut offset = start;
            let mut versions = [0; 3];
            let events: Vec<_> = lengths.iter().map(|(length, chart, body)| {
                let location = Location { segment: 3, offset, length: *length };
                offset += length;
                let version = &mut versions[*chart as usize];
                *version += 1;
                let stream = (*chart > 0).then_some((StreamAlias(*chart), *version));
                (location, stream, Note::default().with(Flag::Body, *body))
            }).collect();
            let stretch = Stretch::of(Instant::from_micros(9), &events).unwrap();
            let bytes = super::super::records::encode(&stretch).unwrap();
            let read = Stretch::decode(&bytes).unwrap();
            prop_assert_eq!(&read, &stretch);
            for (at, (location, stream, note)) in (0u64..).zip(&events) {
                let event = read.event(Pointer::new(70 + at, at)).unwrap();
                prop_assert_eq!((event.location, event.stream, event.note), (*location, *stream, *note));
            }
            prop_assert_eq!(read.event(Pointer::new(0, events.len() as u64)), None);
        }
    }
}
