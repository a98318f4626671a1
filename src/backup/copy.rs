//! The bytes of a segment on their way, checked group by group.

use super::{BackupError, STRETCH_BYTES_MAX};
use crate::log::{Follower, GroupFlaw, SEGMENT_HEADER, WholeGroup};

/// One segment, or the rest of one.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Number of the segment.
    pub segment: u32,
    /// Where the stretch begins: at the start of the segment, or of a group.
    pub from: u64,
    /// Where it ends: behind a group.
    pub to: u64,
}

/// Reads a stretch with `read`, lets `follower` check it, and gives the header of the segment, if
/// it is part of it, and then each group to `take`.
pub fn copy(
    follower: &mut Follower,
    span: Span,
    read: &mut dyn FnMut(u64, u64) -> Result<Vec<u8>, BackupError>,
    flawed: &dyn Fn(GroupFlaw) -> BackupError,
    take: &mut dyn FnMut(Part<'_>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut buffer = Vec::new();
    let mut start = 0;
    // How much of the segment was read.
    let mut reached = span.from;
    if span.from == 0 {
        let header = read(0, (SEGMENT_HEADER as u64).min(span.to))?;
        follower.begin(span.segment, &header).map_err(flawed)?;
        reached = header.len() as u64;
        take(Part::Header(&header))?;
    }
    while follower.offset() < span.to {
        let waiting = buffer.get(start..).unwrap_or_default();
        if let Some(group) = follower.next(waiting).map_err(flawed)? {
            start += group.bytes.len();
            take(Part::Group(group))?;
            continue;
        }
        if reached >= span.to {
            return Err(flawed(follower.flaw("a group is cut off")));
        }
        buffer.drain(..start);
        start = 0;
        let to = span.to.min(reached + STRETCH_BYTES_MAX);
        buffer.extend(read(reached, to)?);
        reached = to;
    }
    Ok(())
}

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// The header of the segment.
    Header(&'a [u8]),
    /// A group.
    Group(WholeGroup<'a>),
}

impl<'a> Part<'a> {
    /// Its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Header(bytes) => bytes,
            Self::Group(group) => group.bytes,
        }
    }
}
