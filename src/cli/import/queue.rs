//! The queue of requests between the reader of the files and the workers, and what they share.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::super::Failure;
use super::progress::Progress;
use super::request::Request;
use super::tally::{Refusal, Tally};

/// Where requests are handed in, in order. Dropping it closes the queue.
#[derive(Debug)]
pub struct Queue<'a> {
    sender: SyncSender<Request>,
    shared: &'a Shared,
    progress: &'a Progress,
}

/// What the reader and the workers share.
#[derive(Debug, Default)]
pub struct Shared {
    /// What became of the requests so far.
    pub tally: Mutex<Tally>,
    /// The first failure, after which the queue is only emptied.
    pub failure: Mutex<Option<Failure>>,
    /// `Type/id` of everything that waits or is being sent.
    under_way: Mutex<HashSet<String>>,
    arrived: Condvar,
}

impl<'a> Queue<'a> {
    /// A queue with room for so many requests, and the end at which they come out.
    pub fn new(
        room: usize,
        shared: &'a Shared,
        progress: &'a Progress,
    ) -> (Self, Receiver<Request>) {
        let (sender, receiver) = sync_channel(room);
        (Self { sender, shared, progress }, receiver)
    }

    /// Hands in a request; waits for room, and for earlier requests about the same resources.
    ///
    /// # Errors
    ///
    /// [`Failure`]: the workers could not go on.
    pub fn send(&self, mut request: Request) -> Result<(), Failure> {
        // None, when it is sent once more: what was read for it is counted.
        request.bytes_read = self.progress.take_read();
        let under_way = lock(&self.shared.under_way);
        let overtakes = |under_way: &mut HashSet<String>| {
            request.addresses().any(|address| under_way.contains(address))
        };
        let under_way = self.shared.arrived.wait_while(under_way, overtakes);
        let mut under_way = under_way.unwrap_or_else(PoisonError::into_inner);
        under_way.extend(request.addresses().cloned());
        drop(under_way);
        if let Some(failure) = lock(&self.shared.failure).clone() {
            return Err(failure);
        }
        self.sender.send(request).map_err(|_| Failure::failed("the workers of the import are gone"))
    }

    /// Takes note of something that cannot be sent.
    ///
    /// # Errors
    ///
    /// None; for symmetry with [`Queue::send`].
    pub fn refuse(&self, refusal: Refusal) -> Result<(), Failure> {
        lock(&self.shared.tally).refuse(refusal);
        Ok(())
    }
}

impl Shared {
    /// Whether a worker could not go on.
    pub fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    /// Lets later requests about the same resources pass.
    pub fn finished(&self, addresses: &[String]) {
        let mut under_way = lock(&self.under_way);
        for address in addresses {
            under_way.remove(address);
        }
        self.arrived.notify_all();
    }
}

/// A worker that panicked has said so; what it left behind is still counted.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
