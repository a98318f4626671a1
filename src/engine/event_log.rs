//! The seam of the engine: a log of events that takes commands, is followed, and settles.
//!
//! [`LocalLog`] orders in this process. A replicated log fills the same seam: its leader publishes
//! groups under the expected last sequence, and every node appends the groups that are delivered to
//! its own segments and projects them from their bytes, as a replay does. Nothing above the engine
//! may know where ordering happens; file locations in the views are facts of one node.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::EngineError;
use super::command::{Command, CommitError, Committed, Reply};
use super::committer::{Committer, CommitterLimits};
use super::health::Health;
use super::projector::EventProjector;
use super::sequencer::EventSequencer;
use crate::clock::{Clock, Instant};
use crate::log::{Group, LogError, Reader, Writer};
use crate::numbers::Position;

/// The answer to a command, once its commit is durable and visible. A closed channel: unknown.
pub type Pending = oneshot::Receiver<Result<Committed, CommitError>>;
/// Groups of a log, in order, whole.
pub type Groups = Box<dyn Iterator<Item = Result<Group, LogError>> + Send>;
/// Done when a moment is settled.
pub type Settling<'a> = Pin<Box<dyn Future<Output = Result<(), EngineError>> + Send + 'a>>;

/// A log of events.
pub trait EventLog: Debug + Send + Sync {
    /// Hands a command over without waiting. The command is checked, numbered, and committed as a
    /// whole or not at all.
    ///
    /// # Errors
    ///
    /// [`CommitError::Full`] or [`CommitError::Failed`]: the command was not taken.
    fn submit(&self, command: Command) -> Result<Pending, CommitError>;

    /// The groups from the one with position `from` on, below position `end`.
    fn follow(&self, from: Position, end: Position) -> Groups;

    /// The position behind the last event that is visible, as it moves: published before the commands of a
    /// group are answered.
    fn visible(&self) -> watch::Receiver<Position>;

    /// Waits until all events that were recorded at a moment or before it are visible, and keeps
    /// later ones from carrying that time.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] or [`EngineError::ReadOnly`].
    fn settled(&self, moment: Instant) -> Settling<'_>;
}

/// A moment at which no event will be recorded any more, and all that were are visible. Whoever
/// reads the state at a moment needs one, so that no reader waits on a worker thread, or forgets to
/// wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled(Instant);

impl Settled {
    /// Only for the engine, which has waited.
    pub(super) fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// The moment.
    #[must_use]
    pub fn moment(self) -> Instant {
        self.0
    }
}

/// The log of this process: one thread that orders, one that projects, segments on the local disk.
#[derive(Debug)]
pub struct LocalLog {
    committer: Committer<(Command, Reply)>,
    reader: Reader,
    health: Arc<Health>,
}

impl LocalLog {
    /// Starts the threads of the log.
    pub(super) fn start(
        limits: CommitterLimits,
        clock: Clock,
        writer: Writer,
        reader: Reader,
        sequencer: EventSequencer,
        projector: EventProjector,
        health: &Arc<Health>,
    ) -> std::io::Result<Self> {
        let now = move || clock.now().micros();
        let committer =
            Committer::start("events", limits, now, writer, sequencer, projector, health)?;
        Ok(Self { committer, reader, health: Arc::clone(health) })
    }
}

impl EventLog for LocalLog {
    fn submit(&self, command: Command) -> Result<Pending, CommitError> {
        let (reply, pending) = oneshot::channel();
        self.committer.submit((command, reply))?;
        Ok(pending)
    }

    fn follow(&self, from: Position, end: Position) -> Groups {
        Box::new(self.reader.scan(from, end))
    }

    fn visible(&self) -> watch::Receiver<Position> {
        self.health.visible_events()
    }

    fn settled(&self, moment: Instant) -> Settling<'_> {
        Box::pin(async move { Ok(self.committer.settled(moment.micros()).await?) })
    }
}
