//! The committer: one thread that orders the commands of a log, and one that makes their groups visible.
//!
//! Commands wait on a bounded queue. The ordering thread takes what is waiting, lets a [`Sequencer`]
//! check and number each command, appends all of it as one group and syncs once. The projecting
//! thread then brings the views up to date and answers, while the next group is being synced.
//! Commands are answered in the order of the log, and never before their group is both on disk
//! and visible.
//!
//! A group's time is stamped before the group is visible. A reader of the state at a moment first
//! waits until that moment is [settled](Committer::settled), so the answer stays the same for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Stopwatch};

use metrics::Histogram;
use tokio::sync::watch;

use super::health::{Health, supervised};
use crate::log::{AppendedGroup, Frame, LogError, Writer};
use crate::numbers::Position;

/// Groups that may be on disk and not yet visible.
const GROUPS_IN_FLIGHT: usize = 2;
/// How long a moment may take to settle: far longer than any group takes.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// Checks and numbers the commands of one log, on the ordering thread.
pub trait Sequencer: Send + 'static {
    /// One request for a commit.
    type Command: Send + 'static;
    /// A command after the check: its frames are in the group, or it was refused and waits for the
    /// answer.
    type Sequenced: Send + 'static;

    /// Checks and numbers a command, and adds its frames to the group: all of them or none.
    fn sequence(&mut self, command: Self::Command, group: &mut OpenGroup) -> Self::Sequenced;

    /// The group takes no further command and is about to be written.
    fn end_group(&mut self, group: &mut OpenGroup);
}

/// Makes the groups of one log visible and answers their commands, on the projecting thread.
pub trait Projector: Send + 'static {
    /// As in [`Sequencer`].
    type Sequenced: Send + 'static;

    /// Applies one group, then answers. `written` is `None` when no command had frames.
    fn project(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        sequenced: Vec<Self::Sequenced>,
    );
}

/// A group that is being filled.
#[derive(Debug)]
pub struct OpenGroup {
    /// Position of its first frame.
    pub first_position: Position,
    /// Its time, microseconds since 1970.
    pub recorded_at: i64,
    /// Its frames so far.
    pub frames: Vec<Frame>,
    /// Bytes of frames above which it begins a new segment.
    pub room: u64,
    bytes: usize,
}

impl OpenGroup {
    /// Adds a frame.
    pub fn add(&mut self, frame: Frame) {
        self.expect(frame.length());
        self.frames.push(frame);
    }

    /// Counts the bytes of a frame that is added when the group ends.
    pub fn expect(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full: try again later.
    #[error("the queue of the log is full")]
    Full,
    /// The log has stopped, by shutdown or by a failure.
    #[error("the log takes no more commands")]
    Stopped,
}

/// Sizes of a committer.
#[derive(Debug, Clone, Copy)]
pub struct CommitterLimits {
    /// Commands that may wait.
    pub queue_commands_max: usize,
    /// Payload bytes after which a group takes no further command.
    pub group_bytes_max: usize,
}

/// The handle through which commands reach a committer. Dropping it lets the threads finish what
/// waits and then ends them.
#[derive(Debug)]
pub struct Committer<C> {
    queue: Option<SyncSender<C>>,
    threads: Vec<JoinHandle<()>>,
    horizon: Arc<Horizon>,
    visible: watch::Receiver<u64>,
}

/// Up to which moment the log is settled.
#[derive(Debug)]
struct Horizon {
    /// No group that opens from now on carries this time (microseconds since 1970) or an earlier.
    settled: AtomicI64,
    /// Groups opened so far.
    opened: AtomicU64,
}

impl Horizon {
    /// Opens a group: the earliest time that it may carry.
    fn open(&self) -> i64 {
        // Counted before the settled moment is read: see `Committer::settled`.
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.settled.load(Ordering::SeqCst).saturating_add(1)
    }
}

impl<C: Send + 'static> Committer<C> {
    /// Starts the two threads of a log. `now` is the clock, in microseconds since 1970. A thread
    /// that panics turns the store read-only, and says so in `health`.
    ///
    /// # Errors
    ///
    /// The operating system's, when it has no threads left.
    pub fn start<A: Send + 'static>(
        name: &str,
        limits: CommitterLimits,
        now: impl Fn() -> i64 + Send + 'static,
        writer: Writer,
        sequencer: impl Sequencer<Command = C, Sequenced = A>,
        projector: impl Projector<Sequenced = A>,
        health: &Arc<Health>,
    ) -> std::io::Result<Self> {
        let (queue, commands) = sync_channel(limits.queue_commands_max);
        let (groups, written) = sync_channel(GROUPS_IN_FLIGHT);
        let (count, visible) = watch::channel(0);
        let settled = AtomicI64::new(i64::MIN);
        let horizon = Arc::new(Horizon { settled, opened: AtomicU64::new(0) });
        let opening = Arc::clone(&horizon);
        let figures = Figures::of(name);
        let order = supervised(health, &format!("{name}-order"), move || {
            order(&commands, &groups, &opening, (limits, now), writer, sequencer, &figures);
        })?;
        let project = supervised(health, &format!("{name}-project"), move || {
            project(&written, &count, projector);
        })?;
        Ok(Self { queue: Some(queue), threads: vec![order, project], horizon, visible })
    }

    /// Waits until every group that carries this time (microseconds since 1970) or an earlier one
    /// is visible, and keeps later groups from carrying it.
    ///
    /// # Errors
    ///
    /// [`Refused::Full`]: that took too long; [`Refused::Stopped`].
    pub async fn settled(&self, moment: i64) -> Result<(), Refused> {
        self.horizon.settled.fetch_max(moment, Ordering::SeqCst);
        // A group that is not counted here reads the settled moment, and carries a later time.
        let opened = self.horizon.opened.load(Ordering::SeqCst);
        let mut visible = self.visible.clone();
        let waited = visible.wait_for(|visible| *visible >= opened);
        match tokio::time::timeout(SETTLE_MAX, waited).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Refused::Stopped),
            Err(_) => Err(Refused::Full),
        }
    }

    /// Changes with every group that becomes visible.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.visible.clone()
    }

    /// Hands a command over without waiting.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the command lost: its answer channel closes.
    pub fn submit(&self, command: C) -> Result<(), Refused> {
        let Some(queue) = &self.queue else { return Err(Refused::Stopped) };
        queue.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Disconnected(_) => Refused::Stopped,
        })
    }
}

impl<C> Drop for Committer<C> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked is told of in the health; there is nothing left to save here.
            let _ = thread.join();
        }
    }
}

/// What is measured of each group of a log.
struct Figures {
    append: Histogram,
    commands: Histogram,
    bytes: Histogram,
}

impl Figures {
    fn of(log: &str) -> Self {
        let log = log.to_owned();
        Self {
            append: metrics::histogram!("chartlog_log_append_duration_seconds", "log" => log.clone()),
            commands: metrics::histogram!("chartlog_group_commands", "log" => log.clone()),
            bytes: metrics::histogram!("chartlog_group_bytes", "log" => log),
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn count(number: usize) -> f64 {
    number as f64
}

/// A group that was written, or why not, with its commands.
type Group<A> = (Result<Option<AppendedGroup>, LogError>, Vec<A>);

fn order<C, A>(
    commands: &Receiver<C>,
    groups: &SyncSender<Group<A>>,
    horizon: &Horizon,
    (limits, now): (CommitterLimits, impl Fn() -> i64),
    mut writer: Writer,
    mut sequencer: impl Sequencer<Command = C, Sequenced = A>,
    figures: &Figures,
) {
    while let Ok(first) = commands.recv() {
        let earliest = horizon.open();
        let mut group = OpenGroup {
            first_position: writer.next_position(),
            recorded_at: writer.stamp(now().max(earliest)),
            frames: Vec::new(),
            room: writer.room(),
            bytes: 0,
        };
        let mut sequenced = vec![sequencer.sequence(first, &mut group)];
        while group.bytes < limits.group_bytes_max && sequenced.len() < limits.queue_commands_max {
            let Ok(next) = commands.try_recv() else { break };
            sequenced.push(sequencer.sequence(next, &mut group));
        }
        sequencer.end_group(&mut group);
        let written = if group.frames.is_empty() {
            Ok(None)
        } else {
            figures.commands.record(count(sequenced.len()));
            figures.bytes.record(count(group.bytes));
            let begun = Stopwatch::now();
            let appended = writer.append(group.recorded_at, &group.frames);
            figures.append.record(begun.elapsed());
            appended.map(Some)
        };
        if groups.send((written, sequenced)).is_err() {
            return;
        }
    }
}

fn project<A>(
    written: &Receiver<Group<A>>,
    visible: &watch::Sender<u64>,
    mut projector: impl Projector<Sequenced = A>,
) {
    while let Ok((written, sequenced)) = written.recv() {
        projector.project(written, sequenced);
        visible.send_modify(|groups| *groups += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::log::{Content, FrameKind, LogKind, StreamAlias, open};

    struct Times;

    impl Sequencer for Times {
        type Command = SyncSender<i64>;
        type Sequenced = (SyncSender<i64>, i64);

        fn sequence(&mut self, reply: SyncSender<i64>, group: &mut OpenGroup) -> Self::Sequenced {
            group.add(Frame {
                kind: FrameKind::Access,
                last_of_commit: true,
                alias: StreamAlias::NONE,
                version: 0,
                content: Content::clear(Vec::new()),
            });
            (reply, group.recorded_at)
        }

        fn end_group(&mut self, _: &mut OpenGroup) {}
    }

    struct Tell(Arc<AtomicI64>);

    impl Projector for Tell {
        type Sequenced = (SyncSender<i64>, i64);

        fn project(
            &mut self,
            _: Result<Option<AppendedGroup>, LogError>,
            sequenced: Vec<Self::Sequenced>,
        ) {
            for (reply, recorded_at) in sequenced {
                self.0.store(recorded_at, Ordering::SeqCst);
                reply.send(recorded_at).unwrap();
            }
        }
    }

    /// A clock that stands still: without settling, all groups would carry its time.
    fn standing() -> i64 {
        1_000
    }

    #[test]
    fn nothing_carries_a_settled_moment_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let log = open(RealDisk::handle(), directory.path(), LogKind::Access, 1 << 20, 0).unwrap();
        let limits = CommitterLimits { queue_commands_max: 64, group_bytes_max: 1 << 20 };
        let visible = Arc::new(AtomicI64::new(0));
        let tell = Tell(Arc::clone(&visible));
        let committer =
            Committer::start("times", limits, standing, log.writer, Times, tell, &Arc::default())
                .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (reply, answers) = sync_channel(64);
        for round in 0..200 {
            let moment = 1_000 + round;
            committer.submit(reply.clone()).unwrap();
            runtime.block_on(committer.settled(moment)).unwrap();
            // Whatever carries the moment or an earlier time is visible by now.
            let seen = visible.load(Ordering::SeqCst);
            committer.submit(reply.clone()).unwrap();
            let (first, second) = (answers.recv().unwrap(), answers.recv().unwrap());
            assert!(first > moment || seen >= first, "{first} was not visible at {moment}");
            assert!(second > moment, "{second} came after {moment} was settled");
        }
    }
}
