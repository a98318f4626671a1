//! Evidence bundles and audit exports: entries of a log that an outsider checks with nothing but a public
//! key.
//!
//! `docs/format.md` has every rule; `tests/verifier/verify.py` is another implementation,
//! written from that page.

mod export;
mod frame;
mod verify;

pub use export::{
    EXPORT_FORMAT, ExportCommit, ExportFrame, ExportHead, ExportLine, ExportReport, verify_export,
};
pub use verify::{Report, StreamSpan, verify_bundle};

use serde::{Deserialize, Deserializer, Serialize};

use super::{Base64, Hash};

/// The value of a bundle's `format`.
pub const BUNDLE_FORMAT: &str = "chartlog-evidence/1";

/// What a commitment hashes before salt and payload, so that no other hash can be taken for one.
const COMMITMENT_LABEL: &[u8] = b"chartlog commitment v1\0";

/// The bytes of a leaf: position u64, recorded at i64 (µs since 1970), both little-endian, and the
/// frame as it is on disk.
#[must_use]
pub fn leaf(position: u64, recorded_at: i64, frame: &[u8]) -> Hash {
    Hash::leaf_of(&[&position.to_le_bytes(), &recorded_at.to_le_bytes(), frame])
}

/// The commitment of a sealed frame to its payload: SHA-256("chartlog commitment v1" ‖ 0x00 ‖ salt
/// ‖ payload). Until the salt is disclosed, it reveals nothing about the payload, however easily
/// that is guessed.
#[must_use]
pub fn commitment(salt: &[u8], payload: &[u8]) -> Hash {
    Hash::of(&[COMMITMENT_LABEL, salt, payload].concat())
}

/// An evidence bundle, as it is written to JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`BUNDLE_FORMAT`].
    pub format: String,
    /// Which of the two logs.
    pub log: BundleLog,
    /// The signed note, with all its lines.
    pub checkpoint: String,
    /// Entries in order of position.
    pub entries: Vec<Entry>,
}

/// Which of the two logs a bundle is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BundleLog {
    /// Every change to a record.
    Events,
    /// Every access to a record.
    Access,
}

impl BundleLog {
    /// How the origin of its checkpoints ends.
    #[must_use]
    pub fn origin_suffix(self) -> &'static str {
        match self {
            Self::Events => "/events",
            Self::Access => "/access",
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Its position.
    pub position: u64,
    /// When its group was recorded: microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    /// The bytes of its frame, as on disk.
    pub frame: Base64,
    /// The proof that the checkpoint's tree contains it (RFC 6962 §2.1.1).
    pub proof: Vec<Hash>,
    /// The payload of the sealed frame; absent if it is not disclosed, or was erased.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub disclosed: Option<Disclosed>,
}

/// The payload of a sealed frame, with the salt that proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// The salt of the commitment, 16 bytes.
    pub salt: Base64,
    /// The payload, which is UTF-8.
    pub payload: String,
}

/// A field that may be absent, but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
