//! Why a request for records was not answered as asked.

use crate::auth::Denied;
use crate::budget::Spent;
use crate::engine::{CommitError, EngineError};
use crate::fhir::ResourceType;
use crate::fhir::check::Problem;
use crate::log::LogError;
use crate::numbers::ResourceVersion;
use crate::proof::ProofError;
use crate::seal::SealError;
use crate::vault::VaultError;
use crate::view::ViewError;

/// Everything that can keep a request from being answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// No such resource, version or chart, or not one that the caller may know of.
    #[error("{0} does not exist")]
    NotFound(String),
    /// It existed and was deleted.
    #[error("{what} was deleted")]
    Gone {
        /// The resource.
        what: String,
        /// The version that is the deletion.
        version: ResourceVersion,
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
        error: Box<RecordsError>,
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
    /// Resources of that type are made by this server alone, and are not stored.
    #[error(
        "{0} resources are made by this server alone: they can be read and searched, nothing else"
    )]
    MadeHere(ResourceType),
    /// The idempotency key was used for another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The engine failed, or refused for now.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl RecordsError {
    /// The chart was erased.
    #[must_use]
    pub fn erased(what: impl Into<String>) -> Self {
        Self::Engine(EngineError::Erased(what.into()))
    }

    /// What the log contains does not read back.
    #[must_use]
    pub fn unreadable(what: impl Into<String>) -> Self {
        Self::Engine(EngineError::Unreadable(what.into()))
    }

    /// The same, naming the place in the request if it has one and does not say it yet.
    #[must_use]
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::NotFound(_)
            | Self::Gone { .. }
            | Self::Denied(_)
            | Self::Engine(EngineError::Erased(_))
                if !place.is_empty() =>
            {
                Self::At { place: place.to_owned(), error: Box::new(self) }
            }
            other => other,
        }
    }
}

impl From<Spent> for RecordsError {
    fn from(spent: Spent) -> Self {
        ViewError::from(spent).into()
    }
}

/// What fails below the engine fails for its reasons.
macro_rules! through_the_engine {
    ($($error:ty),*) => {
        $(impl From<$error> for RecordsError {
            fn from(error: $error) -> Self {
                Self::Engine(error.into())
            }
        })*
    };
}

through_the_engine!(
    LogError,
    ViewError,
    std::io::Error,
    VaultError,
    SealError,
    ProofError,
    CommitError
);

/// An event of the log does not read back.
pub(super) fn unreadable() -> RecordsError {
    RecordsError::unreadable("an event does not read back".to_owned())
}
