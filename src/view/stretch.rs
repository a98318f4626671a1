//! Stretches: up to 64 neighbouring events of one group, as one record of the index of events.
//!
//! An event is found by a [`Pointer`]: its slot, and how many events of its stretch stand before
//! it. All stretches of a group but the last are full, so the pointers of its other events follow
//! from the pointer of one.

use serde::{Deserialize, Serialize};

use super::ViewError;
use super::fact::EventPlace;
use super::pointer::Pointer;
use super::records::decode;
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::{Location, StreamAlias};
use crate::numbers::{ChartVersion, EventId, Position, ResourceVersion, Slot, Step};

/// What the index stores about an event besides its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    flags: u8,
    /// At home: how many events about the same resource in further charts follow. Elsewhere: how
    /// many events before this one the home event stands.
    pub related: u32,
    /// The resource's version that it brings; 0: it is about no resource.
    pub version: ResourceVersion,
    /// The step of its chart whose body it replaces or removes; 0: none.
    pub supersedes: Step,
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
    /// It says nothing today.
    Dropped = 32,
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

/// An event's chart, and its numbers there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPoint {
    /// Alias of the chart's stream.
    pub alias: StreamAlias,
    /// Its number among what the index has of the chart.
    pub step: Step,
    /// Its number in the chart; of a part: that of its event.
    pub version: ChartVersion,
}

/// Which resource an event is about. Empty for an event that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its type; `None`: the event is about no resource.
    pub kind: Option<ResourceType>,
    /// At home: how many slots before this one the resource's first event stands.
    pub since_first: u64,
}

/// An event on its way into the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// Where it is read.
    pub place: EventPlace,
    /// Position of a part's event; of others it follows from their slot.
    pub part_of: Option<Position>,
    /// Its chart; `None`: the directory.
    pub stream: Option<StreamPoint>,
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
    /// Where it stands in the log; of a part: where its event does.
    pub position: Position,
    /// Where it is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Its chart; `None`: the directory.
    pub stream: Option<StreamPoint>,
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

    /// At home: slot of the resource's first event.
    pub fn first(&self) -> Slot {
        Slot::new(self.pointer.slot().get().saturating_sub(self.subject.since_first))
    }

    /// How access entries name it.
    pub fn id(&self) -> EventId {
        EventId::of(self.position, self.place.part)
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
    /// Parts that stand before its first event in the index.
    parts_before: u64,
    /// Its parts.
    parts: Vec<Part>,
    /// Of each run, how far the steps are ahead of the chart versions; empty if they nowhere are.
    leads: Vec<u64>,
}

/// A part among the events of a stretch, with its place, which does not follow from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    at: u8,
    number: u8,
    position: Position,
    segment: u32,
    offset: u32,
    length: u32,
}

/// Stands for no type; type codes begin at 1.
const NO_KIND: u8 = 0;

/// Neighbouring events of one chart with the same note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    events: u32,
    /// The chart's alias, and the step of the first; bytes, for they are random.
    stream: Option<([u8; 8], Step)>,
    note: Note,
}

impl Stretch {
    /// The record of some events; the frames of those that are no parts must follow each other in one segment. So many parts stand before
    /// them in the index.
    ///
    /// # Errors
    ///
    /// [`ViewError::Apply`] when they do not.
    pub fn of(
        recorded_at: Instant,
        events: &[NewEvent],
        parts_before: u64,
    ) -> Result<Self, ViewError> {
        let first = events.iter().find(|event| event.part_of.is_none());
        let start = first.map(|event| event.place.location).unwrap_or_default();
        let mut stretch = Self {
            recorded_at: recorded_at.micros(),
            segment: start.segment,
            offset: start.offset,
            lengths: Vec::with_capacity(events.len()),
            runs: Vec::new(),
            kinds: Vec::with_capacity(events.len()),
            since_first: Vec::new(),
            parts_before,
            parts: Vec::new(),
            leads: Vec::new(),
        };
        let mut offset = start.offset;
        for (at, NewEvent { place, part_of, stream, note, subject }) in (0u8..).zip(events) {
            let EventPlace { location, part: number } = *place;
            if let Some(position) = *part_of {
                let Location { segment, offset, length } = location;
                stretch.parts.push(Part { at, number, position, segment, offset, length });
                stretch.lengths.push(0);
            } else {
                if (location.segment, location.offset) != (start.segment, offset) {
                    return Err(ViewError::Apply("frames of a group lie apart".into()));
                }
                offset += location.length;
                stretch.lengths.push(location.length);
            }
            stretch.kinds.push(kind_code(subject.kind)?);
            if subject.since_first > 0 {
                stretch.since_first.push((at, subject.since_first));
            }
            let lead = stream.map_or(0, |point| point.step.get() - point.version.get());
            let stream = stream.map(|point| (point.alias.0.to_be_bytes(), point.step));
            match stretch.runs.last_mut() {
                Some(run) if run.goes_on(stream, *note) && stretch.leads.last() == Some(&lead) => {
                    run.events += 1;
                }
                _ => {
                    stretch.runs.push(Run { events: 1, stream, note: *note });
                    stretch.leads.push(lead);
                }
            }
        }
        if stretch.leads.iter().all(|lead| *lead == 0) {
            stretch.leads = Vec::new();
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

    /// Position of its first event that is no part, if it has one, when its first stands at that slot.
    pub fn position(&self, first: Slot) -> Position {
        Position::new(first.get().saturating_sub(self.parts_before))
    }

    /// Position behind its last event.
    pub fn behind(&self, first: Slot) -> Position {
        self.position(first) + (self.len() - self.parts())
    }

    /// How many of its events are parts.
    pub fn parts(&self) -> u64 {
        self.parts.len() as u64
    }

    /// All events of the stretch, of which the first stands at that slot.
    pub fn events(&self, first: Slot) -> impl Iterator<Item = IndexedEvent> + '_ {
        let leads = self.leads.iter().copied().chain(std::iter::repeat(0));
        let steps = self.runs.iter().zip(leads).flat_map(|(run, lead)| {
            (0..u64::from(run.events)).map(move |within| {
                let point = run.stream.map(|(alias, first)| {
                    let step = first + within;
                    let version = ChartVersion::new(step.get().saturating_sub(lead));
                    StreamPoint { alias: StreamAlias(u64::from_be_bytes(alias)), step, version }
                });
                (point, run.note)
            })
        });
        let mut offset = self.offset;
        let mut distances = self.since_first.iter().peekable();
        let mut parts = self.parts.iter().peekable();
        let mut position = first.get().saturating_sub(self.parts_before);
        let places = (0u8..).zip(self.lengths.iter().zip(&self.kinds));
        places.zip(steps).map(move |((at, (length, kind)), (stream, note))| {
            let (position, place) = match parts.next_if(|part| part.at == at) {
                Some(part) => (part.position, part.place()),
                None => {
                    let location = Location { segment: self.segment, offset, length: *length };
                    offset += length;
                    position += 1;
                    (Position::new(position - 1), EventPlace { location, part: 0 })
                }
            };
            let distance = distances.next_if(|(of, _)| *of == at);
            IndexedEvent {
                pointer: Pointer::new(first, 0).onward(at.into()),
                position,
                place,
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

impl Part {
    fn place(&self) -> EventPlace {
        let Self { number, segment, offset, length, .. } = *self;
        EventPlace { location: Location { segment, offset, length }, part: number }
    }
}

fn kind_code(kind: Option<ResourceType>) -> Result<u8, ViewError> {
    let code = kind.map_or(Ok(NO_KIND), |kind| u8::try_from(kind.code()));
    code.map_err(|_| ViewError::Apply("a type whose code takes more than a byte".into()))
}

impl Run {
    fn goes_on(&self, stream: Option<([u8; 8], Step)>, note: Note) -> bool {
        let next = self.stream.map(|(alias, step)| (alias, step + u64::from(self.events)));
        note == self.note && stream == next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pointers_of_a_group_follow_from_each_other() {
        let first = Pointer::new(Slot::new(1_000), 0);
        for events in [0, 1, 63, 64, 65, 500] {
            let other = first.onward(events);
            assert_eq!(other.slot(), Slot::new(1_000 + events));
            assert_eq!(other.first(), Slot::new(1_000 + events / 64 * 64));
            assert_eq!(other.backward(events), first);
        }
    }

    #[test]
    fn fresh_neighbours_take_one_run() {
        let note = Note::default().with(Flag::Body, true).with(Flag::First, true);
        let kind = ResourceType::from_name("Observation");
        let events: Vec<NewEvent> = (0..64)
            .map(|at| NewEvent {
                place: Location { segment: 1, offset: 300 * at, length: 300 }.into(),
                part_of: None,
                stream: Some(StreamPoint {
                    alias: StreamAlias(9),
                    step: Step::new(10 + u64::from(at)),
                    version: ChartVersion::new(10 + u64::from(at)),
                }),
                note,
                subject: Subject { kind, since_first: 0 },
            })
            .collect();
        let stretch = Stretch::of(Instant::from_micros(9), &events, 0).unwrap();
        assert_eq!(stretch.runs.len(), 1);
        let bytes = super::super::records::encode(&stretch).unwrap();
        // Two bytes of length and one of type for each event, and less than half a one for the rest.
        assert!(bytes.len() < 64 * 3 + 32, "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn events_read_back(
            lengths in prop::collection::vec((1u32..5_000, 0u64..3, any::<bool>(), 0u8..4), 1..64),
            start in 0u32..1_000_000,
            parts_before in 0u64..3,
        ) {
            let mut offset = start;
            let (mut steps, mut parts) = ([(0, 0); 3], 0);
            let mut position = 70 - parts_before;
            let events: Vec<_> = lengths.iter().map(|(length, chart, body, part)| {
                let part = if position == 70 - parts_before { 0 } else { *part };
                let (step, lead) = &mut steps[*chart as usize];
                *step += 1;
                let (place, part_of) = if part == 0 {
                    let location = Location { segment: 3, offset, length: *length };
                    offset += length;
                    position += 1;
                    (location.into(), None)
                } else {
                    parts += 1;
                    *lead += 1;
                    let location = Location { segment: 3, offset: 7, length: *length };
                    (EventPlace { location, part }, Some(Position::new(position - 1)))
                };
                let version = ChartVersion::new(*step - *lead);
                let point = StreamPoint { alias: StreamAlias(*chart), step: Step::new(*step), version };
                let note = Note::default().with(Flag::Body, *body);
                let kind = ResourceType::from_code((*length % 147) as u16);
                let since_first = u64::from(*length).saturating_sub(4_000);
                let stream = (*chart > 0).then_some(point);
                NewEvent { place, part_of, stream, note, subject: Subject { kind, since_first } }
            }).collect();
            let stretch = Stretch::of(Instant::from_micros(9), &events, parts_before).unwrap();
            let bytes = super::super::records::encode(&stretch).unwrap();
            let read = Stretch::decode(&bytes).unwrap();
            prop_assert_eq!(&read, &stretch);
            prop_assert_eq!(read.parts(), parts);
            let mut position = 70 - parts_before;
            for (at, expected) in (0u64..).zip(&events) {
                let pointer = Pointer::new(Slot::new(70 + at), at);
                let event = read.event(pointer).unwrap();
                let IndexedEvent { place, stream, note, subject, .. } = event;
                let part_of = (place.part > 0).then_some(event.position);
                prop_assert_eq!(&NewEvent { place, part_of, stream, note, subject }, expected);
                prop_assert_eq!(event.pointer, pointer);
                if part_of.is_none() {
                    prop_assert_eq!(event.position.get(), position);
                    position += 1;
                }
            }
            let behind = events.len() as u64;
            prop_assert_eq!(read.event(Pointer::new(Slot::new(70 + behind), behind)), None);
        }
    }
}
