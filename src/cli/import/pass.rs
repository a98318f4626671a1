//! One pass: a bounded queue of requests, and workers that send them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::Failure;
use super::client::Client;
use super::progress::Progress;
use super::request::Request;
use super::tally::{Refusal, Tally};

/// Workers for as many passes as it takes; each has a connection of its own.
#[allow(missing_debug_implementations)] // It holds a token.
pub struct Pass<'a> {
    clients: Vec<Client>,
    stop: Arc<AtomicBool>,
    progress: &'a Progress,
}

/// Where requests of a pass are handed in, in order.
#[derive(Debug)]
pub struct Lane<'a> {
    queue: SyncSender<Request>,
    shared: &'a Shared,
}

/// What the threads of a pass share.
#[derive(Debug, Default)]
struct Shared {
    tally: Mutex<Tally>,
    failure: Mutex<Option<Failure>>,
    /// `Type/id` of everything that waits or is being sent.
    under_way: Mutex<HashSet<String>>,
    arrived: Condvar,
}

impl<'a> Pass<'a> {
    /// One worker per client. Setting `stop` ends a pass soon.
    pub fn new(clients: Vec<Client>, stop: Arc<AtomicBool>, progress: &'a Progress) -> Self {
        Self { clients, stop, progress }
    }

    /// Sends all that `feed` hands in, and waits for the answers.
    ///
    /// # Errors
    ///
    /// [`Failure`]: it could not go on.
    pub fn run(
        &self,
        feed: impl FnOnce(&Lane<'_>) -> Result<(), Failure>,
    ) -> Result<Tally, Failure> {
        let shared = Shared::default();
        let (queue, requests) = sync_channel(self.clients.len());
        let requests = Mutex::new(requests);
        std::thread::scope(|scope| {
            for client in &self.clients {
                scope.spawn(|| self.work(client, &requests, &shared));
            }
            // Dropping the lane closes the queue: the workers then finish.
            let lane = Lane { queue, shared: &shared };
            feed(&lane)
        })?;
        match shared.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) => Err(failure),
            None => Ok(shared.tally.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn work(&self, client: &Client, requests: &Mutex<Receiver<Request>>, shared: &Shared) {
        loop {
            let next = lock(requests).recv();
            let Ok(request) = next else { return };
            let addresses: Vec<String> =
                request.parts.iter().filter_map(|part| part.address.clone()).collect();
            // After a failure the queue is only emptied.
            if !shared.has_failed() {
                let stopped = || self.stop.load(Ordering::Relaxed) || shared.has_failed();
                match client.send(&request, stopped) {
                    Ok(answer) => {
                        self.progress.answered(request.parts.len());
                        lock(&shared.tally).note(request, answer);
                    }
                    Err(failure) => {
                        lock(&shared.failure).get_or_insert(failure);
                    }
                }
            }
            let mut under_way = lock(&shared.under_way);
            for address in &addresses {
                under_way.remove(address);
            }
            shared.arrived.notify_all();
        }
    }
}

impl Lane<'_> {
    /// Hands in a request; waits for room, and for earlier requests about the same resources.
    ///
    /// # Errors
    ///
    /// [`Failure`]: the pass could not go on.
    pub fn send(&self, request: Request) -> Result<(), Failure> {
        let addresses = || request.parts.iter().filter_map(|part| part.address.as_ref());
        let under_way = lock(&self.shared.under_way);
        let overtakes = |under_way: &mut HashSet<String>| {
            addresses().any(|address| under_way.contains(address))
        };
        let under_way = self.shared.arrived.wait_while(under_way, overtakes);
        under_way.unwrap_or_else(PoisonError::into_inner).extend(addresses().cloned());
        if let Some(failure) = lock(&self.shared.failure).clone() {
            return Err(failure);
        }
        self.queue.send(request).map_err(|_| Failure::failed("the workers of the import are gone"))
    }

    /// Takes note of something that cannot be sent.
    ///
    /// # Errors
    ///
    /// None; for symmetry with [`Lane::send`].
    pub fn refuse(&self, refusal: Refusal) -> Result<(), Failure> {
        lock(&self.shared.tally).refuse(refusal);
        Ok(())
    }
}

impl Shared {
    fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }
}

/// A worker that panicked has said so; what it left behind is still counted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
