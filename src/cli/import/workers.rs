//! The workers, which take requests from the queue and send them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::Failure;
use super::client::Client;
use super::progress::Progress;
use super::queue::{Queue, Shared, lock};
use super::request::Request;
use super::tally::Tally;

/// One worker per client, for as many passes over requests as it takes.
#[allow(missing_debug_implementations)] // It holds a token.
pub struct Workers<'a> {
    clients: Vec<Client>,
    stop: Arc<AtomicBool>,
    progress: &'a Progress,
}

impl<'a> Workers<'a> {
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
        feed: impl FnOnce(&Queue<'_>) -> Result<(), Failure>,
    ) -> Result<Tally, Failure> {
        let shared = Shared::default();
        let (queue, requests) = Queue::new(self.clients.len(), &shared, self.progress);
        let requests = Mutex::new(requests);
        std::thread::scope(|scope| {
            for client in &self.clients {
                scope.spawn(|| self.work(client, &requests, &shared));
            }
            // Closes the queue at its end: the workers then finish.
            let queue = queue;
            feed(&queue)
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
            let addresses: Vec<String> = request.addresses().cloned().collect();
            // After a failure the queue is only emptied.
            if !shared.has_failed() {
                let stopped = || self.stop.load(Ordering::Relaxed) || shared.has_failed();
                match client.send(&request, stopped) {
                    Ok(answer) => {
                        self.progress.answered(request.bytes_read, answer.accepted());
                        lock(&shared.tally).note(request, answer);
                    }
                    Err(failure) => {
                        lock(&shared.failure).get_or_insert(failure);
                    }
                }
            }
            shared.finished(&addresses);
        }
    }
}
