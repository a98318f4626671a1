//! The committer: one thread that orders commands, and one that makes their groups visible.
//!
//! Commands wait on a bounded queue. The ordering thread takes what is waiting, lets a [`Book`]
//! check and number each command, appends all of it as one group and syncs once. The applying
//! thread then brings the views up to date and answers, while the next group is being synced.
//! Commands are answered in the order of the log, and never before their group is both on disk
//! and visible.
//!
//! A group's time is stamped before it is visible. Whoever speaks of the state at a moment first
//! [settles](Committer::settle) it, so that what they say stays true.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{AppendedGroup, Frame, LogError, Writer};

/// Groups that may be on disk and not yet visible.
const GROUPS_IN_FLIGHT: usize = 2;
/// How long a moment may take to settle: far longer than any group takes.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// What one log does with its commands.
pub trait Book: Send + 'static {
    /// One request for a commit.
    type Command: Send + 'static;
    /// A command that was looked at: its frames are in the group, or it was refused and waits
    /// for its answer.
    type Admitted: Send + 'static;

    /// Checks and numbers a command, and adds its frames to the group.
    fn admit(&mut self, command: Self::Command, group: &mut OpenGroup) -> Self::Admitted;

    /// A group is complete: lets go of the state it was checked on.
    fn rest(&mut self) {}
}

/// What makes a written group visible and answers its commands.
pub trait Apply: Send + 'static {
    /// As in [`Book`].
    type Admitted: Send + 'static;

    /// Applies one group, then answers. `written` is `None` when no command had frames.
    fn apply(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        admitted: Vec<Self::Admitted>,
    );
}

/// A group that is being filled.
#[derive(Debug)]
pub struct OpenGroup {
    /// Position of its first frame.
    pub first_position: u64,
    /// Its time, microseconds since 1970.
    pub recorded_at: i64,
    /// Its frames so far.
    pub frames: Vec<Frame>,
    bytes: usize,
}

impl OpenGroup {
    /// Adds a frame and returns its position.
    pub fn add(&mut self, frame: Frame) -> u64 {
        let position = self.first_position + self.frames.len() as u64;
        self.bytes += frame.length();
        self.frames.push(frame);
        position
    }
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full: try again later.
    #[error("the queue of the log is full")]
    Full,
    /// The log has stopped, by shutdown or by a disk error.
    #[error("the log takes no more commands")]
    Stopped,
}

/// Sizes of a committer.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
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
}

/// Up to which moment the log is settled.
#[derive(Debug)]
struct Horizon {
    /// No group that opens from now on carries this time (microseconds since 1970) or an earlier.
    settled: AtomicI64,
    /// Groups opened so far.
    opened: AtomicU64,
    /// Groups made visible so far.
    visible: Mutex<u64>,
    changed: Condvar,
}

impl Horizon {
    /// Opens a group: the earliest time that it may carry.
    fn open(&self) -> i64 {
        // Counted before the settled moment is read: see `settle`.
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.settled.load(Ordering::SeqCst).saturating_add(1)
    }

    fn close(&self) {
        *self.visible.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    fn settle(&self, moment: i64) -> bool {
        self.settled.fetch_max(moment, Ordering::SeqCst);
        // A group that is not counted here will see the settled moment, and carry a later time.
        let opened = self.opened.load(Ordering::SeqCst);
        let visible = self.visible.lock().unwrap_or_else(PoisonError::into_inner);
        let waited =
            self.changed.wait_timeout_while(visible, SETTLE_MAX, |visible| *visible < opened);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl<C: Send + 'static> Committer<C> {
    /// Starts the two threads of a log. `now` is the clock, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// The operating system's, when it has no threads left.
    pub fn start<A: Send + 'static>(
        name: &str,
        limits: Limits,
        now: fn() -> i64,
        writer: Writer,
        book: impl Book<Command = C, Admitted = A>,
        apply: impl Apply<Admitted = A>,
    ) -> std::io::Result<Self> {
        let (queue, commands) = sync_channel(limits.queue_commands_max);
        let (groups, written) = sync_channel(GROUPS_IN_FLIGHT);
        let horizon = Arc::new(Horizon {
            settled: AtomicI64::new(i64::MIN),
            opened: AtomicU64::new(0),
            visible: Mutex::new(0),
            changed: Condvar::new(),
        });
        let (opening, closing) = (Arc::clone(&horizon), Arc::clone(&horizon));
        let order = std::thread::Builder::new()
            .name(format!("{name}-commit"))
            .spawn(move || order(&commands, &groups, &opening, limits, now, writer, book))?;
        let apply = std::thread::Builder::new()
            .name(format!("{name}-apply"))
            .spawn(move || make_visible(&written, &closing, apply))?;
        Ok(Self { queue: Some(queue), threads: vec![order, apply], horizon })
    }

    /// Waits until every group that carries this time (microseconds since 1970) or an earlier one
    /// is visible, and keeps later groups from carrying it. False: that took too long.
    ///
    /// Blocks the thread for as long as a group takes; not for threads that serve requests.
    #[must_use]
    pub fn settle(&self, moment: i64) -> bool {
        self.horizon.settle(moment)
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
            // A thread that panicked has said so on stderr; there is nothing left to save here.
            let _ = thread.join();
        }
    }
}

type Settled<A> = (Result<Option<AppendedGroup>, LogError>, Vec<A>);

fn order<C, A>(
    commands: &Receiver<C>,
    groups: &SyncSender<Settled<A>>,
    horizon: &Horizon,
    limits: Limits,
    now: fn() -> i64,
    mut writer: Writer,
    mut book: impl Book<Command = C, Admitted = A>,
) {
    while let Ok(first) = commands.recv() {
        let earliest = horizon.open();
        let mut group = OpenGroup {
            first_position: writer.next_position(),
            recorded_at: writer.stamp(now().max(earliest)),
            frames: Vec::new(),
            bytes: 0,
        };
        let mut admitted = vec![book.admit(first, &mut group)];
        while group.bytes < limits.group_bytes_max && admitted.len() < limits.queue_commands_max {
            let Ok(next) = commands.try_recv() else { break };
            admitted.push(book.admit(next, &mut group));
        }
        let written = if group.frames.is_empty() {
            Ok(None)
        } else {
            writer.append(group.recorded_at, &group.frames).map(Some)
        };
        book.rest();
        if groups.send((written, admitted)).is_err() {
            return;
        }
    }
}

fn make_visible<A>(
    written: &Receiver<Settled<A>>,
    horizon: &Horizon,
    mut apply: impl Apply<Admitted = A>,
) {
    while let Ok((written, admitted)) = written.recv() {
        apply.apply(written, admitted);
        horizon.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, FrameKind, LogKind, StreamAlias, open};
    use super::*;
    use crate::disk::RealDisk;

    struct Times;

    impl Book for Times {
        type Command = SyncSender<i64>;
        type Admitted = (SyncSender<i64>, i64);

        fn admit(&mut self, reply: SyncSender<i64>, group: &mut OpenGroup) -> Self::Admitted {
            group.add(Frame {
                kind: FrameKind::Access,
                last_of_commit: true,
                alias: StreamAlias::NONE,
                version: 0,
                content: Content::clear(Vec::new()),
            });
            (reply, group.recorded_at)
        }
    }

    struct Tell(Arc<AtomicI64>);

    impl Apply for Tell {
        type Admitted = (SyncSender<i64>, i64);

        fn apply(
            &mut self,
            _: Result<Option<AppendedGroup>, LogError>,
            admitted: Vec<Self::Admitted>,
        ) {
            for (reply, recorded_at) in admitted {
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
        let limits = Limits { queue_commands_max: 64, group_bytes_max: 1 << 20 };
        let visible = Arc::new(AtomicI64::new(0));
        let tell = Tell(Arc::clone(&visible));
        let committer =
            Committer::start("times", limits, standing, log.writer, Times, tell).unwrap();
        let (reply, answers) = sync_channel(64);
        for round in 0..200 {
            let moment = 1_000 + round;
            committer.submit(reply.clone()).unwrap();
            assert!(committer.settle(moment));
            // Whatever carries the moment or an earlier time is visible by now.
            let seen = visible.load(Ordering::SeqCst);
            committer.submit(reply.clone()).unwrap();
            let (first, second) = (answers.recv().unwrap(), answers.recv().unwrap());
            assert!(first > moment || seen >= first, "{first} was not visible at {moment}");
            assert!(second > moment, "{second} came after {moment} was settled");
        }
    }
}
