//! The thread that makes tiles durable and signs checkpoints.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::health::{Health, supervised};
use super::{LogProof, Proofs, lock};

/// How long the sinks of one log may take for the last checkpoint when the store closes.
const LAST_DELIVERY_MAX: Duration = Duration::from_secs(3);

/// Signs a checkpoint of each log that has grown, in equal intervals, and a last one at the end.
#[derive(Debug)]
pub struct Checkpoints {
    ending: Arc<Ending>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Ending {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Checkpoints {
    /// Starts the thread.
    pub fn start(
        proofs: &Proofs,
        interval: Duration,
        health: Arc<Health>,
    ) -> std::io::Result<Self> {
        let logs = [Arc::clone(&proofs.events), Arc::clone(&proofs.access)];
        let (ending, supervisor) = (Arc::new(Ending::default()), Arc::clone(&health));
        let until = Arc::clone(&ending);
        let work = move || {
            while !until.waited(interval) {
                sign(&logs, &health);
            }
            sign(&logs, &health);
            for log in &logs {
                log.finish_sinks(LAST_DELIVERY_MAX);
            }
        };
        let thread = supervised(&supervisor, "checkpoints", work)?;
        Ok(Self { ending, thread: Mutex::new(Some(thread)) })
    }
}

impl Checkpoints {
    /// Signs the last checkpoints, and returns when they are on disk.
    pub fn finish(&self) {
        *lock(&self.ending.ended) = true;
        self.ending.changed.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // A thread that panicked is told of in the health; the log does not depend on it.
            let _ = thread.join();
        }
    }
}

impl Ending {
    /// Waits for so long or for the end; true at the end.
    fn waited(&self, interval: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(lock(&self.ended), interval, |ended| !*ended);
        *waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.finish();
    }
}

fn sign(logs: &[Arc<LogProof>], health: &Health) {
    for log in logs {
        if !health.has_failed() && log.has_lost_a_sink() {
            health.fail("the thread of a checkpoint sink has ended", None, &"it panicked");
        }
        if !health.has_failed()
            && let Err(error) = log.checkpoint()
        {
            health.fail_proofs("a checkpoint could not be written", &error);
        }
    }
}
