//! The values of the views.

use serde::{Deserialize, Serialize};

use super::ViewError;
use crate::chart::Happening;
use crate::clock::Instant;
use crate::log::{Location, StreamAlias};

/// A frame's place, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Location")]
struct StoredLocation {
    segment: u32,
    offset: u32,
    length: u32,
}

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

/// A chart, as far as its stream goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRecord {
    /// Alias of its stream.
    pub(super) alias: u64,
    /// Version of its last event.
    pub version: u64,
    /// When that was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
}

impl ChartRecord {
    /// Alias of the chart's stream.
    #[must_use]
    pub fn alias(&self) -> StreamAlias {
        StreamAlias(self.alias)
    }
}

/// Where a resource stands in one chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlace {
    alias: u64,
    /// Chart version of the event that put its current body there.
    pub version: u64,
}

impl StreamPlace {
    pub(super) fn new(alias: StreamAlias, version: u64) -> Self {
        Self { alias: alias.0, version }
    }

    /// Alias of the chart's stream.
    #[must_use]
    pub fn alias(&self) -> StreamAlias {
        StreamAlias(self.alias)
    }
}

/// The current version of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Position of its first event.
    pub number: u64,
    /// FHIR's `versionId`.
    pub version: u64,
    /// False after a deletion.
    pub live: bool,
    /// True when the body says `entered-in-error`.
    pub retracted: bool,
    /// Position of the event that carries this version.
    pub position: u64,
    /// Where that event lies.
    #[serde(with = "StoredLocation")]
    pub location: Location,
    /// When it was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
    /// The charts it lies in (or lay in, when deleted), home first; none: the directory.
    pub places: Vec<StreamPlace>,
}

/// One version of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVersion {
    /// Position of the event that carries it.
    pub position: u64,
    /// Where that event lies.
    #[serde(with = "StoredLocation")]
    pub location: Location,
    /// When it was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
    /// False when this version is a deletion.
    pub live: bool,
    /// True when a deleted resource came back, or a first version was stored: FHIR's POST or PUT.
    pub first: bool,
    pub(super) aliases: Vec<u64>,
}

impl PastVersion {
    /// The charts this version lay in, home first; none: the directory.
    pub fn aliases(&self) -> impl Iterator<Item = StreamAlias> + '_ {
        self.aliases.iter().copied().map(StreamAlias)
    }
}

/// One event of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEntry {
    /// Position of the event.
    pub position: u64,
    /// Where it lies.
    #[serde(with = "StoredLocation")]
    pub location: Location,
    /// When it was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
    /// Chart version whose body this event replaces or removes; 0: none.
    pub supersedes: u64,
    /// The resource's version that it brings; 0 for events about the chart alone.
    pub resource_version: u64,
    /// Where the body lies that the chart holds from this event on, if it brings one.
    pub(super) body: Option<BodyPlace>,
}

/// A [`Location`] that serde can put into an `Option`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BodyPlace(#[serde(with = "StoredLocation")] pub Location);

impl StreamEntry {
    /// Where the frame lies whose body the chart holds from this event on.
    #[must_use]
    pub fn body(&self) -> Option<Location> {
        self.body.map(|place| place.0)
    }
}

/// What a commit with an idempotency key did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotentCommit {
    /// SHA-256 over the request, hexadecimal.
    pub request: String,
    /// Position of its first event.
    pub first_position: u64,
    /// Where that lies; the commit's other events follow it.
    #[serde(with = "StoredLocation")]
    pub first: Location,
    /// When it was recorded.
    #[serde(with = "stored_instant")]
    pub recorded_at: Instant,
}

/// True for what FHIR calls a creation.
pub(super) fn is_first(happening: Happening) -> bool {
    matches!(happening, Happening::Recorded | Happening::Restored)
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
