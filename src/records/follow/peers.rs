//! Followers who may see the same and want the same: what one of them reads of the log leaves to all.
//!
//! It is still pulled. Who is furthest reads, and the others find the batch that begins where they stand, among the
//! last few; who is slower than that reads for itself, up to where a batch of the others begins, and goes on with theirs.
//! Of what is kept nothing was read before the last erasure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant as Stopwatch;

use bytes::Bytes;
use tokio::sync::Notify;

use super::{BatchLimits, LogEvent, Sight};
use crate::auth::{Grant, Shown};
use crate::numbers::Position;
use crate::records::{Records, RecordsError};

/// Most batches that are kept for some peers.
const KEPT_MAX: usize = 8;
/// Bytes of these; the last one is kept in any case.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A batch of the log as it leaves.
#[derive(Debug)]
pub struct SharedBatch {
    from: Position,
    /// Behind the last event that was looked at: where the next batch begins.
    pub next: Position,
    /// The events, as they were written. Empty: none of them is for these readers.
    pub bytes: Bytes,
    /// What it shows: each who takes it owes an entry of that.
    pub shown: Arc<Shown>,
}

/// Followers for whom the same is decided, and written in the same form.
#[derive(Debug)]
pub struct Peers {
    sight: Arc<Sight>,
    form: String,
    progress: Mutex<Progress>,
    /// Somebody has read, or has failed to.
    read: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    /// How often charts were erased. A batch of before is not kept.
    erasures: u64,
    /// The last batches, in order.
    kept: VecDeque<Arc<SharedBatch>>,
    /// Up to where the one who is furthest has read, and when.
    tip: Option<(Position, Stopwatch)>,
    /// Somebody reads on from there.
    is_reading: bool,
}

/// How a follower gets its next batch.
#[derive(Debug)]
pub enum Next {
    /// A peer has read it.
    Batch(Arc<SharedBatch>),
    /// It is to read.
    Turn(Turn),
}

/// The turn of a follower to read. Who is furthest reads for the others, who wait until this is used or dropped.
#[derive(Debug)]
pub struct Turn {
    peers: Arc<Peers>,
    from: Position,
    /// Where batches of the others begin.
    until: Option<Position>,
    erasures: u64,
    /// When what lies before was read, if others wait for this.
    leads: Option<Option<Stopwatch>>,
}

impl Peers {
    /// Of one who shares nothing.
    #[must_use]
    pub fn alone(sight: Arc<Sight>) -> Arc<Self> {
        Self::new(sight, String::new())
    }

    fn new(sight: Arc<Sight>, form: String) -> Arc<Self> {
        Arc::new(Self { sight, form, progress: Mutex::default(), read: Notify::new() })
    }

    /// What they may see, and want to see.
    #[must_use]
    pub fn sight(&self) -> &Arc<Sight> {
        &self.sight
    }

    /// The batch from a position on, or the turn to read it. Waits for a peer who reads it already.
    pub async fn next(self: &Arc<Self>, from: Position) -> Next {
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            // From now on it is noticed, so what is not there yet cannot come unseen.
            read.as_mut().enable();
            if let Some(next) = self.look(from) {
                return next;
            }
            read.await;
        }
    }

    fn look(self: &Arc<Self>, from: Position) -> Option<Next> {
        let mut progress = self.progress();
        if let Some(batch) = progress.kept.iter().rev().find(|batch| batch.from == from) {
            return Some(Next::Batch(Arc::clone(batch)));
        }
        let leads = progress.tip.is_none_or(|(tip, _)| from >= tip);
        if leads && progress.is_reading {
            return None;
        }
        progress.is_reading |= leads;
        // These are ends of commits, which the place of a reader who has just come may not be.
        let until = progress.kept.iter().map(|batch| batch.next).find(|next| *next > from);
        Some(Next::Turn(Turn {
            peers: Arc::clone(self),
            from,
            until,
            erasures: progress.erasures,
            leads: leads.then(|| progress.tip.map(|(_, at)| at)),
        }))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self) {
        let mut progress = self.progress();
        progress.erasures += 1;
        progress.kept.clear();
    }
}

impl Turn {
    /// Whether others wait for it.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.leads.is_some()
    }

    /// When the batch before was read, if this one is read for all.
    #[must_use]
    pub fn last(&self) -> Option<Stopwatch> {
        self.leads.flatten()
    }

    /// Reads the batch. The grant is that of any of the peers: what was decided for one of them holds for all.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn read(
        self,
        records: &Records,
        grant: &Grant,
        limits: BatchLimits,
        write: impl FnOnce(&Grant, &[LogEvent]) -> Vec<u8>,
    ) -> Result<Arc<SharedBatch>, RecordsError> {
        // Each who takes it notes what it shows.
        let notes = grant.for_part();
        let until = self.until;
        let batch = records.follow_until(&notes, &self.peers.sight, self.from, until, limits)?;
        let bytes = write(&notes, &batch.events).into();
        let shown = Arc::new(notes.into_seen().together());
        let batch = Arc::new(SharedBatch { from: self.from, next: batch.next, bytes, shown });
        // One that leads nowhere would be given to the same reader again and again.
        if self.leads.is_some() && batch.next > batch.from {
            self.keep(&batch);
        }
        Ok(batch)
    }

    fn keep(&self, batch: &Arc<SharedBatch>) {
        // One is the follower's, and one this.
        let is_shared = Arc::strong_count(&self.peers) > 2;
        let mut progress = self.peers.progress();
        progress.tip = Some((batch.next, Stopwatch::now()));
        if !is_shared {
            progress.kept.clear();
        } else if progress.erasures == self.erasures {
            progress.kept.push_back(Arc::clone(batch));
            let mut bytes: usize = progress.kept.iter().map(|batch| batch.bytes.len()).sum();
            while progress.kept.len() > 1
                && (progress.kept.len() > KEPT_MAX || bytes > KEPT_BYTES_MAX)
            {
                bytes -= progress.kept.pop_front().map_or(0, |batch| batch.bytes.len());
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.leads.is_some() {
            self.peers.progress().is_reading = false;
            self.peers.read.notify_waiters();
        }
    }
}

/// All who follow the log live.
#[derive(Debug, Default)]
pub struct AllPeers(Mutex<Vec<Weak<Peers>>>);

impl AllPeers {
    fn all(&self) -> MutexGuard<'_, Vec<Weak<Peers>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops all that was read: a chart was erased.
    pub fn forget(&self) {
        let all: Vec<_> = self.all().iter().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|peers| peers.forget());
    }
}

impl Records {
    /// Those who may see and want the same, and to whom it is written in the same form, which has that name; one more
    /// of them.
    #[must_use]
    pub fn peers(&self, sight: Arc<Sight>, form: String) -> Arc<Peers> {
        let mut all = self.peers.all();
        all.retain(|peers| peers.strong_count() > 0);
        let is_same = |peers: &Arc<Peers>| peers.form == form && peers.sight == sight;
        if let Some(peers) = all.iter().filter_map(Weak::upgrade).find(is_same) {
            return peers;
        }
        let peers = Peers::new(sight, form);
        all.push(Arc::downgrade(&peers));
        peers
    }
}
