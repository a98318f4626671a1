//! Stretches: up to 64 neighbouring events of one group, as one record of the index of events.
//!
//! An event is found by a [`Pointer`]: its position, and how many events of its stretch stand before
//! it. All stretches of a group but the last are full, so the pointers of its other events follow
//! from the pointer of one.

use serde::{Deserialize, Serialize};

use super::ViewError;
use super::pointer::Pointer;
use super::records::decode;
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::{Location, StreamAlias};
use crate::numbers::{ChartVersion, Position, ResourceVersion};

/// What the index stores about an event besides its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    flags: u8,
    /// At home: how many events about the same resource in further charts follow. Elsewhere: how
    /// many events before this one the home event stands.
    pub related: u32,
    /// The resource's version that it brings; 0: it is about no resource.
    pub version: ResourceVersion,
    /// Chart version whose body it replaces or removes; 0: none.
    pub supersedes: ChartVersion,
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
    /// Sets a flag, or not.
    #[must_use]
    pub fn with(mut self, flag: Flag, said: bool) -> Self {
        self.flags |= if said { flag as u8 } else { 0 };
        self
    }

    /// Whether a flag is set.
    pub fn has(self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }
}

/// An event's chart and its number there.
pub type StreamStep = Option<(StreamAlias, ChartVersion)>;

/// Which resource an event is about. Empty for an event that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its type; `None`: the event is about no resource.
    pub kind: Option<ResourceType>,
    /// At home: how many positions before this one the resource's first event stands.
    pub since_first: u64,
}

/// An event on its way into the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// Where its frame lies.
    pub location: Location,
    /// Its chart; `None`: the directory.
    pub stream: StreamStep,
    /// Its flags and versions.
    pub note: Note,
    /// Which resource it is about.
    pub subject: Subject,
}

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
    /// Which resource it is about.
    pub subject: Subject,
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
    /// Type code of each event's resource; [`NO_KIND`]: about none.
    kinds: Vec<u8>,
    /// Number of an event in the stretch and its distance from the first of its resource, where
    /// that is not 0. Most events are the first of theirs, so this stands apart from the runs.
    since_first: Vec<(u8, u64)>,
}

/// Stands for no type; type codes begin at 1.
const NO_KIND: u8 = 0;

/// Neighbouring events of one chart with the same note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    events: u32,
    /// The chart's alias, and the chart version of the first; bytes, for they are random.
    stream: Option<([u8; 8], ChartVersion)>,
    note: Note,
}

impl Stretch {
    /// The record of some events; their frames must follow each other in one segment.
    ///
    /// # Errors
    ///
    /// [`ViewError::Apply`] when they do not.
    pub fn of(recorded_at: Instant, events: &[NewEvent]) -> Result<Self, ViewError> {
        let start = events.first().map(|event| event.location).unwrap_or_default();
        let mut stretch = Self {
            recorded_at: recorded_at.micros(),
            segment: start.segment,
            offset: start.offset,
            lengths: Vec::with_capacity(events.len()),
            runs: Vec::new(),
            kinds: Vec::with_capacity(events.len()),
            since_first: Vec::new(),
        };
        let mut offset = start.offset;
        for (at, NewEvent { location, stream, note, subject }) in (0u8..).zip(events) {
            if (location.segment, location.offset) != (start.segment, offset) {
                return Err(ViewError::Apply("frames of a group lie apart".into()));
            }
            offset += location.length;
            stretch.lengths.push(location.length);
            stretch.kinds.push(kind_code(subject.kind)?);
            if subject.since_first > 0 {
                stretch.since_first.push((at, subject.since_first));
            }
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

    /// When its events were recorded.
    pub fn recorded_at(&self) -> Instant {
        Instant::from_micros(self.recorded_at)
    }

    /// How many events it contains.
    pub fn len(&self) -> u64 {
        self.lengths.len() as u64
    }

    /// The event of the stretch that a pointer means.
    pub fn event(&self, pointer: Pointer) -> Option<IndexedEvent> {
        self.events(pointer.first()).nth(usize::try_from(pointer.back()).ok()?)
    }

    /// All events of the stretch, of which the first stands at that position.
    pub fn events(&self, first: Position) -> impl Iterator<Item = IndexedEvent> + '_ {
        let steps = self.runs.iter().flat_map(|run| {
            (0..u64::from(run.events)).map(|within| {
                let stream = run.stream.map(|(alias, version)| {
                    (StreamAlias(u64::from_be_bytes(alias)), version + within)
                });
                (stream, run.note)
            })
        });
        let mut offset = self.offset;
        let mut distances = self.since_first.iter().peekable();
        let places = (0u8..).zip(self.lengths.iter().zip(&self.kinds));
        places.zip(steps).map(move |((at, (length, kind)), (stream, note))| {
            let location = Location { segment: self.segment, offset, length: *length };
            offset += length;
            let distance = distances.next_if(|(of, _)| *of == at);
            IndexedEvent {
                pointer: Pointer::new(first, 0).onward(at.into()),
                location,
                recorded_at: self.recorded_at(),
                stream,
                note,
                subject: Subject {
                    kind: ResourceType::from_code((*kind).into()),
                    since_first: distance.map_or(0, |(_, distance)| *distance),
                },
            }
        })
    }
}

fn kind_code(kind: Option<ResourceType>) -> Result<u8, ViewError> {
    let code = kind.map_or(Ok(NO_KIND), |kind| u8::try_from(kind.code()));
    code.map_err(|_| ViewError::Apply("a type whose code takes more than a byte".into()))
}

impl Run {
    fn goes_on(&self, stream: Option<([u8; 8], ChartVersion)>, note: Note) -> bool {
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
        let first = Pointer::new(Position::new(1_000), 0);
        for events in [0, 1, 63, 64, 65, 500] {
            let other = first.onward(events);
            assert_eq!(other.position(), Position::new(1_000 + events));
            assert_eq!(other.first(), Position::new(1_000 + events / 64 * 64));
            assert_eq!(other.backward(events), first);
        }
    }

    #[test]
    fn fresh_neighbours_take_one_run() {
        let note = Note::default().with(Flag::Body, true).with(Flag::First, true);
        let kind = ResourceType::from_name("Observation");
        let events: Vec<NewEvent> = (0..64)
            .map(|at| NewEvent {
                location: Location { segment: 1, offset: 300 * at, length: 300 },
                stream: Some((StreamAlias(9), ChartVersion::new(10 + u64::from(at)))),
                note,
                subject: Subject { kind, since_first: 0 },
            })
            .collect();
        let stretch = Stretch::of(Instant::from_micros(9), &events).unwrap();
        assert_eq!(stretch.runs.len(), 1);
        let bytes = super::super::records::encode(&stretch).unwrap();
        // Two bytes of length and one of type for each event, and less than half a one for the rest.
        assert!(bytes.len() < 64 * 3 + 32, "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn events_read_back(
            lengths in prop::collection::vec((1u32..5_000, 0u64..3, any::<bool>()), 1..64),
            start in 0u32..1_000_000,
        ) {
            let mut offset = start;
            let mut versions = [ChartVersion::default(); 3];
            let events: Vec<_> = lengths.iter().map(|(length, chart, body)| {
                let location = Location { segment: 3, offset, length: *length };
                offset += length;
                let version = &mut versions[*chart as usize];
                *version = version.next();
                let stream = (*chart > 0).then_some((StreamAlias(*chart), *version));
                let note = Note::default().with(Flag::Body, *body);
                let kind = ResourceType::from_code((*length % 147) as u16);
                let since_first = u64::from(*length).saturating_sub(4_000);
                NewEvent { location, stream, note, subject: Subject { kind, since_first } }
            }).collect();
            let stretch = Stretch::of(Instant::from_micros(9), &events).unwrap();
            let bytes = super::super::records::encode(&stretch).unwrap();
            let read = Stretch::decode(&bytes).unwrap();
            prop_assert_eq!(&read, &stretch);
            for (at, expected) in (0u64..).zip(&events) {
                let pointer = Pointer::new(Position::new(70 + at), at);
                let event = read.event(pointer).unwrap();
                let IndexedEvent { location, stream, note, subject, .. } = event;
                prop_assert_eq!(&NewEvent { location, stream, note, subject }, expected);
                prop_assert_eq!(event.pointer, pointer);
            }
            let behind = events.len() as u64;
            prop_assert_eq!(read.event(Pointer::new(Position::new(70 + behind), behind)), None);
        }
    }
}
