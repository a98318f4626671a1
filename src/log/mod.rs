//! The log: commits in order, appended to segment files; the truth of the store.
//!
//! In: groups of frames from one [`Writer`]. Out: an [`AppendedGroup`] once it is on disk, single
//! frames by [`Location`], and all of them again in order ([`Reader::scan`]). Two logs of this same
//! type exist, `events` and `access`; one thread of the engine writes each of them.
//!
//! A segment is a header and then groups; a group is a header and then frames; one group is one
//! fsync, and one or more whole commits. **Invariant:** a group is either entirely in the log or
//! not at all, and only an incomplete *last* group is ever dropped, at opening. Damage anywhere
//! else is an error that names segment and offset.
//!
//! Never: what a payload means, who may read it, ordering across the two logs.

mod disposal;
mod follower;
mod format;
mod inspect;
mod reader;
mod recovery;
mod remains;
mod seen;
mod survey;
mod writer;

pub use disposal::dispose;
pub use follower::{Follower, GroupFlaw, WholeGroup};
pub use format::{
    Content, Frame, FrameKind, FrameParts, Location, LogKind, SEGMENT_HEADER, StreamAlias,
    WRAP_BYTES,
};
pub use inspect::{Batch, Flaw, InspectError, Inspected, Inspection};
pub use reader::{Group, Reader};
pub use recovery::{Recovered, exists, open};
pub use remains::{ClosedSegment, LeafHash, Remains, first_position, is_disposed};
pub use seen::{DisposedSeen, FrameSeen, Seen};
pub use survey::{SegmentEnd, Survey, survey, survey_end};
pub use writer::{AppendedGroup, Writer, segment_path};

use std::path::PathBuf;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A disk operation failed; a writer that has seen this accepts nothing more until restart.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The bytes on disk are not what was written.
    #[error("damaged log: {path} at byte {offset}: {problem}", path = .path.display())]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The files are of a newer format than this program reads.
    #[error("{path} has log format {found}; this program reads format {known}", path = .path.display())]
    Newer {
        /// The segment file.
        path: PathBuf,
        /// The version it carries.
        found: u16,
        /// The newest version known here.
        known: u16,
    },
    /// The frames there were disposed of.
    #[error("positions {first} to {last} of the log were disposed of", last = .end.saturating_sub(1))]
    Disposed {
        /// Position of the first.
        first: u64,
        /// Behind the last.
        end: u64,
    },
    /// The writer stopped after an earlier disk error.
    #[error("the log is read-only since an earlier disk error")]
    ReadOnly,
}

pub(crate) fn disk_error(
    path: &std::path::Path,
) -> impl FnOnce(std::io::Error) -> LogError + use<> {
    let path = path.to_owned();
    move |source| LogError::Disk { path, source }
}
