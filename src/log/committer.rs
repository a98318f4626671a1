//! The committer: one thread that orders commands, and one that makes their groups visible.
//!
//! Commands wait on a bounded queue. The ordering thread takes what is waiting, lets a [`Book`]
//! check and number each command, appends all of it as one group and syncs once. The applying
//! thread then brings the views up to date and answers, while the next group is being synced.
//! Commands are answered in the order of the log, and never before their group is both on disk
//! and visible.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::{Draft, LogError, Writer, Written};

/// Groups that may be on disk and not yet visible.
const GROUPS_IN_FLIGHT: usize = 2;

/// What one log does with its commands.
pub trait Book: Send + 'static {
    /// One request for a commit.
    type Command: Send + 'static;
    /// A command that was looked at: its frames are in the group, or it was refused and waits
    /// for its answer.
    type Admitted: Send + 'static;

    /// Checks and numbers a command, and adds its frames to the group.
    fn admit(&mut self, command: Self::Command, group: &mut OpenGroup) -> Self::Admitted;
}

/// What makes a written group visible and answers its commands.
pub trait Apply: Send + 'static {
    /// As in [`Book`].
    type Admitted: Send + 'static;

    /// Applies one group, then answers. `written` is `None` when no command had frames.
    fn apply(&mut self, written: Result<Option<Written>, LogError>, admitted: Vec<Self::Admitted>);
}

/// A group that is being filled.
#[derive(Debug)]
pub struct OpenGroup {
    /// Position of its first frame.
    pub first_position: u64,
    /// Its time, microseconds since 1970.
    pub recorded_at: i64,
    /// Its frames so far.
    pub drafts: Vec<Draft>,
    bytes: usize,
}

impl OpenGroup {
    /// Adds a frame and returns its position.
    pub fn add(&mut self, draft: Draft) -> u64 {
        let position = self.first_position + self.drafts.len() as u64;
        self.bytes += draft.payload.len();
        self.drafts.push(draft);
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
        let order = std::thread::Builder::new()
            .name(format!("{name}-commit"))
            .spawn(move || order(&commands, &groups, limits, now, writer, book))?;
        let apply = std::thread::Builder::new()
            .name(format!("{name}-apply"))
            .spawn(move || make_visible(&written, apply))?;
        Ok(Self { queue: Some(queue), threads: vec![order, apply] })
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

type Settled<A> = (Result<Option<Written>, LogError>, Vec<A>);

fn order<C, A>(
    commands: &Receiver<C>,
    groups: &SyncSender<Settled<A>>,
    limits: Limits,
    now: fn() -> i64,
    mut writer: Writer,
    mut book: impl Book<Command = C, Admitted = A>,
) {
    while let Ok(first) = commands.recv() {
        let mut group = OpenGroup {
            first_position: writer.next_position(),
            recorded_at: writer.stamp(now()),
            drafts: Vec::new(),
            bytes: 0,
        };
        let mut admitted = vec![book.admit(first, &mut group)];
        while group.bytes < limits.group_bytes_max && admitted.len() < limits.queue_commands_max {
            let Ok(next) = commands.try_recv() else { break };
            admitted.push(book.admit(next, &mut group));
        }
        let written = if group.drafts.is_empty() {
            Ok(None)
        } else {
            writer.append(group.recorded_at, &group.drafts).map(Some)
        };
        if groups.send((written, admitted)).is_err() {
            return;
        }
    }
}

fn make_visible<A>(written: &Receiver<Settled<A>>, mut apply: impl Apply<Admitted = A>) {
    while let Ok((written, admitted)) = written.recv() {
        apply.apply(written, admitted);
    }
}
