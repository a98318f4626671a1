//! A command: the events of one commit, and what must still hold when they are ordered.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::EngineError;
use super::committer::Refused;
use super::watch::Watch;
use crate::chart::{Envelope, Erasure};
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::{Content, StreamAlias};
use crate::numbers::{ChartVersion, Position};
use crate::vault::Wrap;
use crate::view::TermChange;

/// One request for a commit: events that were decided on a state of the views, and what that
/// decision rested on.
#[derive(Debug)]
pub struct Command {
    /// The events, in order; never empty.
    pub events: Vec<Prepared>,
    /// What must still be so.
    pub expectations: Vec<Expectation>,
    /// The generation of the views whose terms the events have.
    pub generation: u64,
}

/// An event, ready but for its numbers.
#[derive(Debug)]
pub struct Prepared {
    /// The stream it goes to; [`StreamAlias::NONE`]: the directory.
    pub alias: StreamAlias,
    /// The patient whose chart that is.
    pub patient: Option<ResourceId>,
    /// Who, what and why.
    pub envelope: Envelope,
    /// The sealed payload: envelope and body. Taken when the event goes into a group.
    pub content: Content,
    /// The wrapped key of the chart, in the event that opens it.
    pub wrap: Option<Wrap>,
    /// Whether the resource has a body after it.
    pub holds_body: bool,
    /// Whether that body says `entered-in-error`.
    pub retracted: bool,
    /// Change of index terms, at home.
    pub terms: Arc<TermChange>,
    /// The chart that this event erases, and its traces.
    pub erasure: Option<Erasure>,
}

/// Something a decision rested on.
#[derive(Debug)]
pub enum Expectation {
    /// The resource's current event is at that position, or it never existed.
    Head(ResourceKey, Option<Position>),
    /// The resource exists.
    Live(ResourceKey),
    /// The patient's chart has that alias, or does not exist.
    Chart(ResourceId, Option<StreamAlias>),
    /// The patient's chart is at that version (0: does not exist).
    ChartVersion(ResourceId, ChartVersion),
    /// No change at that position or later is one that is watched for.
    Unchanged {
        /// The position behind the last event that the decision saw.
        since: Position,
        /// Which changes count.
        watch: Box<dyn Watch>,
    },
    /// No commit has this idempotency key.
    Unused(String),
    /// New data keys are still wrapped by the key of that epoch.
    Epoch(u32),
}

/// A command's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Position of its first event.
    pub first_position: Position,
    /// Its time.
    pub recorded_at: Instant,
}

/// Why a command was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitError {
    /// An expectation does not hold any more: decide again. By now the change is visible.
    Stale,
    /// The queue is full.
    Full,
    /// The log or the views failed.
    Failed,
    /// The log failed after it may have taken the command.
    Unknown,
}

/// Where the answer to a command goes.
pub(super) type Reply = oneshot::Sender<Result<Committed, CommitError>>;

impl From<CommitError> for EngineError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Stale | CommitError::Full => Self::Busy,
            CommitError::Failed => Self::ReadOnly,
            CommitError::Unknown => Self::Unknown,
        }
    }
}

impl From<Refused> for CommitError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Full,
            Refused::Stopped => Self::Failed,
        }
    }
}

impl From<Refused> for EngineError {
    fn from(refused: Refused) -> Self {
        CommitError::from(refused).into()
    }
}

#[cfg(test)]
impl Prepared {
    /// The event that opens a chart, in the clear.
    pub(super) fn opening(alias: u64, patient: &str) -> Self {
        let event_type = crate::chart::EventType {
            subject: "chart".to_owned(),
            event_kind: crate::chart::EventKind::Opened,
        };
        let mut envelope = Envelope::new(event_type, crate::chart::Actor::default());
        envelope.patient = Some(patient.to_owned());
        Self {
            alias: StreamAlias(alias),
            patient: patient.parse().ok(),
            envelope,
            content: Content::clear(Vec::new()),
            wrap: None,
            holds_body: false,
            retracted: false,
            terms: Arc::default(),
            erasure: None,
        }
    }
}
