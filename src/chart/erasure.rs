//! What the event `chart.erased` says: nothing that could lead back to the patient.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::log::StreamAlias;
use crate::numbers::ChartVersion;

/// Bytes of a tombstone.
pub const TOMBSTONE_BYTES: usize = 16;

/// A keyed hash of `Type/id`: tells that a resource was erased to who asks for it by its name, and
/// nothing to anybody else.
pub type Tombstone = [u8; TOMBSTONE_BYTES];

/// The erasure of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The chart.
    pub chart: StreamAlias,
    /// Its version when it was erased: the number of its events.
    pub events: ChartVersion,
    /// Why.
    pub reason: String,
    /// On what legal basis.
    pub basis: String,
    /// Number of resources that were at home in it.
    pub resources: u64,
    /// Of each of these, and of the patient.
    pub tombstones: Vec<Tombstone>,
    /// Number of resources that also lay in it, but are at home in other charts and stay there.
    pub shared: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureBody {
    chart: String,
    events: ChartVersion,
    reason: String,
    basis: String,
    resources: u64,
    /// All tombstones, one behind the other, base64.
    tombstones: String,
    shared: u64,
}

impl Erasure {
    /// The body of the event, JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = ErasureBody {
            chart: self.chart.to_string(),
            events: self.events,
            reason: self.reason.clone(),
            basis: self.basis.clone(),
            resources: self.resources,
            tombstones: STANDARD.encode(self.tombstones.as_flattened()),
            shared: self.shared,
        };
        // Strings and numbers only: this serialisation cannot fail.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads the body of the event.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let body: ErasureBody = serde_json::from_slice(bytes).ok()?;
        let tombstones = STANDARD.decode(body.tombstones).ok()?;
        let (tombstones, rest) = tombstones.as_chunks::<TOMBSTONE_BYTES>();
        let erasure = Self {
            chart: body.chart.parse().ok()?,
            events: body.events,
            reason: body.reason,
            basis: body.basis,
            resources: body.resources,
            tombstones: tombstones.to_vec(),
            shared: body.shared,
        };
        rest.is_empty().then_some(erasure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_reads_back() {
        let erasure = Erasure {
            chart: StreamAlias(77),
            events: ChartVersion::new(3),
            reason: "asked \"for\" it".into(),
            basis: "GDPR Art. 17(1)(b)".into(),
            resources: 1,
            tombstones: vec![[1; 16], [2; 16]],
            shared: 1,
        };
        assert_eq!(Erasure::decode(&erasure.encode()), Some(erasure));
        assert_eq!(Erasure::decode(b"{}"), None);
    }
}
