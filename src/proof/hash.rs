//! SHA-256 as the tree uses it.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::encoding;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// Prefixes of RFC 6962 §2.1: no leaf can be passed off as a node.
const LEAF_PREFIX: u8 = 0;
const NODE_PREFIX: u8 = 1;

/// A hash of the tree. As text, also in JSON: base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// The root of the tree without leaves: the hash of nothing (RFC 6962 §2.1).
    #[must_use]
    pub fn empty() -> Self {
        Self::of(&[])
    }

    /// The hash of a leaf: SHA-256(0x00 ‖ bytes) (RFC 6962 §2.1).
    #[must_use]
    pub fn leaf(bytes: &[u8]) -> Self {
        Self::leaf_of(&[bytes])
    }

    /// The hash of a leaf whose bytes lie in several places.
    #[must_use]
    pub fn leaf_of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[LEAF_PREFIX]);
        for part in parts {
            context.update(part);
        }
        Self::from_digest(context.finish().as_ref())
    }

    /// The hash of a node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
    #[must_use]
    pub fn node(left: Self, right: Self) -> Self {
        let mut bytes = [NODE_PREFIX; 1 + 2 * HASH_BYTES];
        bytes[1..=HASH_BYTES].copy_from_slice(&left.0);
        bytes[1 + HASH_BYTES..].copy_from_slice(&right.0);
        Self::of(&bytes)
    }

    /// Plain SHA-256.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(digest(&SHA256, bytes).as_ref())
    }

    /// Reads base64.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        encoding::decode_array(text).map(Self)
    }

    fn from_digest(bytes: &[u8]) -> Self {
        // The length is SHA-256's, always.
        Self(bytes.try_into().unwrap_or([0; HASH_BYTES]))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&encoding::encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a hash is 32 bytes in base64"))
    }
}
