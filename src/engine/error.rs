//! Why the engine did not do what was asked.

use super::DirectoryError;
use crate::chart::UpcastError;
use crate::log::LogError;
use crate::numbers::Position;
use crate::proof::ProofError;
use crate::seal::SealError;
use crate::vault::VaultError;
use crate::view::ViewError;

/// Everything that can go wrong below the grant.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// More commands wait than the queue takes, or a rebuild runs already.
    #[error("the server is busy")]
    Busy,
    /// After a failure of log, disk, views or a thread: no more commands until restart.
    #[error("the store is read-only since an earlier failure")]
    ReadOnly,
    /// The commit may or may not be in the log.
    #[error("the outcome of the commit is unknown")]
    Unknown,
    /// A log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The views failed.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The disk or the operating system failed.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The chart was erased: its key was destroyed, and its ids are not used again.
    #[error("{0} was erased")]
    Erased(String),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A frame does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The proofs failed.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// A stored checkpoint is not one of this log.
    #[error("{path}: {error}", path = .path.display())]
    Checkpoint {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        error: ProofError,
    },
    /// The data directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is no such checkpoint, tile, proof or certificate.
    #[error("{0} does not exist")]
    NotFound(String),
    /// An upcaster cannot be carried out on an event.
    #[error("{0}")]
    Upcast(Box<UpcastError>),
    /// The same, of a known event.
    #[error("{error}, at position {position}")]
    UpcastAt {
        /// Where it stands in the log.
        position: Position,
        /// What is wrong.
        error: Box<UpcastError>,
    },
    /// What the log contains does not read back.
    #[error("{0}")]
    Unreadable(String),
}

impl EngineError {
    /// With the position of the event that it is about.
    pub(super) fn at(self, position: Position) -> Self {
        match self {
            Self::Upcast(error) => Self::UpcastAt { position, error },
            other => other,
        }
    }
}
