//! What an inspection shows of each position.

use super::{FrameParts, LeafHash};

/// One frame of a sound group.
#[derive(Debug, Clone, Copy)]
pub struct FrameSeen<'a> {
    /// Its position.
    pub position: u64,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// Byte offset in its segment.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its fields.
    pub parts: FrameParts<'a>,
}

/// What disposal left of one frame.
#[derive(Debug, Clone, Copy)]
pub struct DisposedSeen {
    /// The hash of its leaf.
    pub leaf: LeafHash,
    /// Byte offset of the hash in its segment.
    pub offset: u64,
}

/// What stands at a position.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// A frame.
    Frame(FrameSeen<'a>),
    /// A frame was disposed of.
    Disposed(DisposedSeen),
}
