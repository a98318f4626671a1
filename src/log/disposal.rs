//! Disposal: a closed segment gives up its frames.
//!
//! A small segment takes its place, under the same name and for the same positions: with a statement about
//! the disposal, and the hash of the leaf that each frame had. So the log stays without a gap, and every
//! tree over it can still be computed.
//!
//! | payload of its one group | bytes, little-endian |
//! |---|---|
//! | length of the statement | u32 |
//! | the statement | UTF-8 |
//! | hash of each leaf | 32 |

use std::ops::Range;
use std::path::Path;

use super::format::{FORMAT, GroupHeader, SEGMENT_HEADER, SegmentHeader};
use super::reader::Reader;
use super::writer::segment_path;
use super::{Location, LogError, LogKind, disk_error};
use crate::disk::{self, Disk};
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

    fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.statement.len()).unwrap_or(u32::MAX);
        let mut payload = length.to_le_bytes().to_vec();
        payload.extend_from_slice(self.statement.as_bytes());
        payload.extend_from_slice(self.leaves.as_flattened());
        payload
    }
}

/// Replaces a closed segment by its remains, which have to be those of all its frames; `recorded_at` is the
/// time of the last of them. Returns the segment as it is then.
///
/// # Errors
///
/// The disk's; [`LogError::Disposed`] if there is nothing left to dispose of; [`LogError::Damaged`] if the
/// segment is not closed, or has another number of frames.
pub fn dispose(
    disk: &dyn Disk,
    directory: &Path,
    kind: LogKind,
    reader: &Reader,
    number: u32,
    recorded_at: i64,
    remains: &Remains,
) -> Result<ClosedSegment, LogError> {
    let known = reader.closed()?.into_iter().find(|one| one.number == number);
    let Some(known) = known else {
        return Err(reader.damaged(number, 0, "the segment is not closed"));
    };
    let (first, end) = (known.positions.start.get(), known.positions.end.get());
    if known.is_disposed {
        return Err(LogError::Disposed { first, end });
    }
    if remains.leaves.len() as u64 != end - first {
        return Err(reader.damaged(number, 0, "the segment has another number of frames"));
    }
    let payload = remains.encode();
    let too_large = |_| reader.damaged(number, 0, "there are too many frames");
    let group = GroupHeader {
        payload_length: u32::try_from(payload.len()).map_err(too_large)?,
        first_position: first,
        recorded_at,
        frames: u32::try_from(remains.leaves.len()).map_err(too_large)?,
        payload_check: crc32c::crc32c(&payload),
    };
    let header = SegmentHeader {
        format: FORMAT,
        kind: kind as u8,
        disposed: true,
        number,
        first_position: first,
    };
    let bytes = [&header.encode()[..], &group.encode(), &payload].concat();
    let path = segment_path(directory, number);
    disk::replace(disk, &path, &bytes).map_err(disk_error(&path))?;
    let file = disk.open(&path).map_err(disk_error(&path))?;
    reader.replace_segment(number, file, path);
    let (bytes, is_disposed) = (bytes.len() as u64, true);
    Ok(ClosedSegment { bytes, is_disposed, ..known })
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
