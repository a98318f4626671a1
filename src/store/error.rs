//! Why the store did not do what was asked.

use super::DirectoryError;
use crate::auth::{Denied, Spent};
use crate::fhir::check::Problem;
use crate::log::LogError;
use crate::log::committer::Refused;
use crate::proof::ProofError;
use crate::seal::SealError;
use crate::vault::VaultError;
use crate::view::ViewError;

/// Everything that can keep a request from being answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such resource, version or chart, or not one that the caller may know of.
    #[error("{0} does not exist")]
    NotFound(String),
    /// It existed and was deleted.
    #[error("{what} was deleted")]
    Gone {
        /// The resource.
        what: String,
        /// The version that is the deletion.
        version: u64,
    },
    /// No scope of the token grants it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The request contradicts itself or the rules; nothing was stored.
    #[error("{} problem(s) in the request", .0.len())]
    Invalid(Vec<Problem>),
    /// The request is well formed, but cannot be carried out on what is there; nothing was stored.
    #[error("{} problem(s) in carrying out the request", .0.len())]
    Unprocessable(Vec<Problem>),
    /// A part of the request is not done for that reason; nothing was stored.
    #[error("{place}: {error}")]
    At {
        /// Place in the request.
        place: String,
        /// Why.
        error: Box<StoreError>,
    },
    /// `If-Match`, `If-None-Match` or a criterion that had to have one match.
    #[error("{reason}")]
    Precondition {
        /// Place in the request.
        place: String,
        /// What was expected and what is.
        reason: String,
    },
    /// The state of the chart is not what the request said.
    #[error("{reason}")]
    Conflict {
        /// Place in the request.
        place: String,
        /// What was said and what is.
        reason: String,
    },
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// More commands wait than the queue holds.
    #[error("the server is busy")]
    Busy,
    /// After a disk error: no more commands until restart.
    #[error("the store is read-only since a disk error")]
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
    /// It was erased: its key was destroyed, and its id is not used again.
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
    /// What the log holds does not read back.
    #[error("{0}")]
    Unreadable(String),
}

impl StoreError {
    /// The same, naming the place in the request if it has one and does not say it yet.
    #[must_use]
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::NotFound(_) | Self::Gone { .. } | Self::Denied(_) | Self::Erased(_)
                if !place.is_empty() =>
            {
                Self::At { place: place.to_owned(), error: Box::new(self) }
            }
            other => other,
        }
    }
}

impl From<Spent> for StoreError {
    fn from(spent: Spent) -> Self {
        Self::View(spent.into())
    }
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Busy,
            Refused::Stopped => Self::ReadOnly,
        }
    }
}
