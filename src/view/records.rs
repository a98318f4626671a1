//! The records of the views about charts, resources, events and commits.

use serde::{Deserialize, Serialize};

use super::ViewError;
use super::fact::EventPlace;
use super::pointer::Pointer;
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::log::{Location, StreamAlias};
use crate::numbers::{ChartVersion, EventId, Position, ResourceNumber, ResourceVersion, Step};

mod stored_instant {
    use super::Instant;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        instant.micros().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        i64::deserialize(deserializer).map(Instant::from_micros)
    }
}

/// The state of a chart's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRecord {
    /// Alias of its stream.
    pub(super) alias: u64,
    /// Version of its last event.
    pub version: ChartVersion,
    /// When that was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
    /// Whether it is under a legal hold.
    pub held: bool,
    /// Parts that upcasters have made in it.
    pub(super) parts: u64,
}

impl ChartRecord {
    /// Alias of the chart's stream.
    #[must_use]
    pub fn alias(&self) -> StreamAlias {
        StreamAlias(self.alias)
    }

    /// Its last step.
    pub(super) fn step(&self) -> Step {
        Step::new(self.version.get() + self.parts)
    }
}

/// Where a resource stands in one chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPlace {
    alias: StreamAlias,
    /// The step of the chart that put its current body there.
    pub(super) step: Step,
}

impl StreamPlace {
    pub(super) fn new(alias: StreamAlias, step: Step) -> Self {
        Self { alias, step }
    }

    /// Alias of the chart's stream.
    #[must_use]
    pub fn alias(&self) -> StreamAlias {
        self.alias
    }
}

/// The current version of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number in the index.
    pub number: ResourceNumber,
    /// How access entries name it: by its first event.
    pub id: EventId,
    /// FHIR's `versionId`.
    pub version: ResourceVersion,
    /// False after a deletion.
    pub live: bool,
    /// True when the body says `entered-in-error`.
    pub retracted: bool,
    /// Position of the event that carries this version.
    pub position: Position,
    /// Where that event is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The charts it lies in (or lay in, when deleted), home first; none: the directory.
    pub places: Vec<StreamPlace>,
    /// Its first event.
    pub(super) first: Pointer,
    /// The event that carries this version.
    pub(super) current: Pointer,
}

/// `heads`: the version and event of a resource that was changed since it was first recorded; and
/// `history`: the same of the versions between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredHead {
    pub version: ResourceVersion,
    pub event: Pointer,
}

/// One version of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastVersion {
    /// Position of the event that carries it.
    pub position: Position,
    /// Where that event is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// False when this version is a deletion.
    pub live: bool,
    /// True when a deleted resource came back, or a first version was stored: FHIR's POST or PUT.
    pub first: bool,
    pub(super) places: Vec<StreamPlace>,
}

impl Head {
    /// The charts it lies in, home first; none: the directory.
    pub fn aliases(&self) -> impl Iterator<Item = StreamAlias> + '_ {
        self.places.iter().map(StreamPlace::alias)
    }

    /// The event that carries this version.
    #[must_use]
    pub fn event(&self) -> EventId {
        EventId::of(self.position, self.place.part)
    }
}

impl PastVersion {
    /// The event that carries it.
    #[must_use]
    pub fn event(&self) -> EventId {
        EventId::of(self.position, self.place.part)
    }

    /// The charts this version lay in, home first; none: the directory.
    pub fn aliases(&self) -> impl Iterator<Item = StreamAlias> + '_ {
        self.places.iter().map(StreamPlace::alias)
    }
}

/// One event of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its number in the chart.
    pub version: ChartVersion,
    /// Its number among what the index has of the chart.
    pub step: Step,
    /// Position of the event.
    pub position: Position,
    /// Where it is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Type and number of the resource that it is about.
    pub subject: Option<(ResourceType, ResourceNumber)>,
    /// The resource's version that it brings; 0 for events about the chart alone.
    pub resource_version: ResourceVersion,
    /// Whether it says nothing today.
    pub is_dropped: bool,
    /// Position of the event that brings the content: another one if the resource is at home in
    /// another chart.
    pub home: EventId,
    pub(super) body: Option<EventPlace>,
}

impl StreamEntry {
    /// Where the body is read that the chart holds from this event on, if it brings one.
    #[must_use]
    pub fn body(&self) -> Option<EventPlace> {
        self.body
    }
}

/// `streams`: events of a chart that stand next to each other in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StreamRun {
    pub first: Pointer,
    pub events: u64,
}

/// Where an event stands in the log, and when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedPlace {
    /// Its position.
    pub position: Position,
    /// Where its frame lies.
    pub location: Location,
    /// When it was recorded.
    pub recorded_at: Instant,
}

/// `erased`: a chart whose key was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ErasedChart {
    /// The event that says so.
    pub event: Pointer,
    /// Whether this generation still has traces of it.
    pub traces: bool,
}

/// What a commit with an idempotency key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentCommit {
    pub(super) request: [u8; 16],
    /// Position of its first event.
    pub first_position: Position,
    /// Where that lies; the commit's other events follow it.
    pub first: Location,
    /// When it was recorded.
    pub recorded_at: Instant,
}

impl IdempotentCommit {
    /// Whether it was made for that request: SHA-256 over all of it, hexadecimal.
    #[must_use]
    pub fn is_for(&self, request: &str) -> bool {
        self.request == super::keys::mark(request)
    }
}

/// `idempotency`: the request, and the first event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredCommit {
    pub request: [u8; 16],
    pub first: Pointer,
}

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, ViewError> {
    postcard::to_stdvec(record).map_err(|_| ViewError::Record("being written"))
}

pub(super) fn decode<'de, T: Deserialize<'de>>(
    view: &'static str,
    bytes: &'de [u8],
) -> Result<T, ViewError> {
    postcard::from_bytes(bytes).map_err(|_| ViewError::Record(view))
}
