//! Backups: both logs at another place, and back again.
//!
//! ```text
//!  source ─► follower ─► files ─► BACKUP               take.rs: only what is not there yet
//!  data directory,       appended  written last
//!  or a server           or new
//!                                    BACKUP ─► follower ─► root ─► data directory   restore.rs
//! ```
//!
//! A backup is laid out like a data directory: `FORMAT`, `ORIGIN`, `log/events`, `log/access`,
//! `proof/events` and `proof/access` with the checkpoint and the public key. It has no views and no
//! tiles, which follow from the logs, and no keys: those are escrowed apart, so that a backup alone
//! opens no payload.
//!
//! **Invariant:** `BACKUP` is replaced last, by one rename, and says how much of each file is
//! valid. Files only grow, so a backup that was interrupted leaves the one before it as it was.
//! Every group is checked on its way in both directions. Never: keys, the content of a payload.

mod copy;
mod log_copy;
mod manifest;
mod restore;
mod source;
mod take;
mod writer;

pub use log_copy::{LogCopy, copied, copies};
pub use manifest::{LogManifest, Manifest};
pub use restore::{Restored, Until, restore};
pub use source::{DirectorySource, Source};
pub use take::{Taken, take};

use std::path::{Path, PathBuf};

use crate::engine::DirectoryError;
use crate::log::{LogError, LogKind};
use crate::proof::ProofError;

/// Bytes that are requested from a source at a time.
pub const STRETCH_BYTES_MAX: u64 = 8 << 20;

/// Why a backup could not be taken or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk's.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Bytes that are not what was written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A data directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A checkpoint that does not verify.
    #[error("{path}: {error}", path = .path.display())]
    Checkpoint {
        /// The file with it.
        path: PathBuf,
        /// What is wrong.
        error: ProofError,
    },
    /// What was asked for cannot be done, with what to do instead.
    #[error("{0}")]
    Refused(String),
    /// The server did not answer as it should.
    #[error("{0}")]
    Server(String),
}

/// The directory of a log in a data directory or backup.
fn log_folder(root: &Path, kind: LogKind) -> PathBuf {
    root.join("log").join(kind.name())
}

/// The directory of what was signed of a log, in a data directory or backup.
fn proof_folder(root: &Path, kind: LogKind) -> PathBuf {
    root.join("proof").join(kind.name())
}

fn disk_error(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Disk { path, source }
}
