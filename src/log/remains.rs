//! What is left of a segment whose frames were disposed of.
//!
//! | payload of its one group | bytes, little-endian |
//! |---|---|
//! | length of the statement | u32 |
//! | the statement | UTF-8 |
//! | hash of each leaf | 32 |

use std::ops::Range;

use super::Location;
use super::format::{SEGMENT_HEADER, SegmentHeader};
use crate::numbers::Position;

/// The hash of a leaf of the tree over a log.
pub type LeafHash = [u8; 32];

/// What is left of the frames of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// What was disposed of, when and why.
    pub statement: String,
    /// The leaves of the frames that were there.
    pub leaves: Vec<LeafHash>,
}

/// A segment that nothing is appended to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSegment {
    /// Its number.
    pub number: u32,
    /// The positions of its frames.
    pub positions: Range<Position>,
    /// Bytes of its file.
    pub bytes: u64,
    /// Whether its frames were disposed of.
    pub is_disposed: bool,
}

impl ClosedSegment {
    /// Where the one group lies of a segment whose frames were disposed of.
    #[must_use]
    pub fn remains(&self) -> Option<Location> {
        let bytes = self.bytes.saturating_sub(SEGMENT_HEADER as u64);
        let (offset, length) = (u32::try_from(SEGMENT_HEADER).ok()?, u32::try_from(bytes).ok()?);
        self.is_disposed.then_some(Location { segment: self.number, offset, length })
    }
}

impl Remains {
    /// Reads the payload of the group of a segment that was disposed of.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn decode(payload: &[u8], frames: u32) -> Result<Self, &'static str> {
        let cut_off = "what disposal left is cut off";
        let (length, rest) = payload.split_first_chunk().ok_or(cut_off)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (statement, leaves) = rest.split_at_checked(length).ok_or(cut_off)?;
        let statement = str::from_utf8(statement).map_err(|_| "the statement is not UTF-8")?;
        let (leaves, odd) = leaves.as_chunks();
        if !odd.is_empty() || leaves.len() != frames as usize {
            return Err("disposal left another number of hashes");
        }
        Ok(Self { statement: statement.to_owned(), leaves: leaves.to_vec() })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.statement.len()).unwrap_or(u32::MAX);
        let mut payload = length.to_le_bytes().to_vec();
        payload.extend_from_slice(self.statement.as_bytes());
        payload.extend_from_slice(self.leaves.as_flattened());
        payload
    }
}

/// Whether the first bytes of a segment say that its frames were disposed of.
#[must_use]
pub fn is_disposed(header: &[u8]) -> bool {
    SegmentHeader::decode(header).is_some_and(|header| header.disposed)
}

/// Position of the first frame of a segment, from its first bytes.
#[must_use]
pub fn first_position(header: &[u8]) -> Option<u64> {
    SegmentHeader::decode(header).map(|header| header.first_position)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_left_reads_back_and_anything_else_is_no_panic(
            statement in ".{0,40}", count in 0_usize..5, cut in 0_usize..200, noise: Vec<u8>,
        ) {
            let remains = Remains { statement, leaves: vec![[7; 32]; count] };
            let payload = remains.encode();
            let frames = u32::try_from(count).unwrap();
            prop_assert_eq!(Remains::decode(&payload, frames), Ok(remains));
            if cut < payload.len() {
                prop_assert!(Remains::decode(&payload[..cut], frames).is_err());
            }
            prop_assert!(Remains::decode(&payload, frames + 1).is_err());
            let _ = Remains::decode(&noise, frames);
        }
    }
}
