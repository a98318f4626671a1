//! The thread of a sink.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Sink;
use super::post::Poster;
use super::witness::Witness;
use crate::disk::{self, Disk};
use crate::proof::{ProofError, SignedCheckpoint, TileReader, disk_error};

/// Wait before a failed delivery is tried again; doubles with each, up to the longest.
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_mins(10);

/// Called with each checkpoint that a witness cosigned.
pub type OnCosigned = Box<dyn Fn(&SignedCheckpoint) + Send>;

/// A running sink of one log. Dropping it ends its thread after the current delivery, without
/// waiting for that.
#[derive(Debug)]
pub struct SinkHandle {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

impl Sink {
    /// Starts the thread that delivers the checkpoints of one log. `cosigned` is called there with
    /// each checkpoint that a witness signed; it should pass it to
    /// [`crate::proof::Issuer::cosigned`].
    ///
    /// # Errors
    ///
    /// [`ProofError::Delivery`]: the system could not start a thread.
    pub fn start(
        &self,
        disk: Arc<dyn Disk>,
        log: TileReader,
        cosigned: impl Fn(&SignedCheckpoint) + Send + 'static,
    ) -> Result<SinkHandle, ProofError> {
        let queue = Arc::new(Queue::default());
        let mut courier = self.courier(disk, log, Box::new(cosigned));
        let name = self.to_string();
        let orders = queue.clone();
        let thread = std::thread::Builder::new().name("checkpoint-sink".to_owned());
        let failed = |error| ProofError::Delivery(format!("no thread for a sink: {error}"));
        let thread = thread.spawn(move || orders.work(&name, &mut courier)).map_err(failed)?;
        Ok(SinkHandle { queue, thread })
    }

    fn courier(&self, disk: Arc<dyn Disk>, log: TileReader, cosigned: OnCosigned) -> Courier {
        match self.clone() {
            Self::Folder(folder) => Box::new(move |signed| store(&*disk, &folder, signed)),
            Self::Webhook(address) => {
                let poster = Poster::new(address);
                Box::new(move |signed| send(&poster, signed))
            }
            Self::Witness { verifier, prefix } => {
                let mut witness = Witness::new(prefix, verifier, log);
                Box::new(move |signed| witness.cosign(signed).map(|signed| cosigned(&signed)))
            }
        }
    }
}

impl SinkHandle {
    /// Whether the thread has ended, though nobody asked it to: it panicked.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Hands over a checkpoint and returns at once. One that still waits is replaced: a newer
    /// checkpoint says all that an older one did.
    pub fn push(&self, signed: Arc<SignedCheckpoint>) {
        self.queue.order(|order| order.next = Some(signed));
    }

    /// Delivers what still waits, but gives up after so long. True if nothing is left undelivered.
    #[must_use]
    pub fn finish(self, wait_max: Duration) -> bool {
        self.queue.order(|order| order.ended = true);
        let order = self.queue.lock();
        let working = |order: &mut Order| !order.idle;
        let waited = self.queue.changed.wait_timeout_while(order, wait_max, working);
        let (order, _) = waited.unwrap_or_else(PoisonError::into_inner);
        order.idle && order.delivered
    }
}

impl Drop for SinkHandle {
    fn drop(&mut self) {
        self.queue.order(|order| order.ended = true);
    }
}

type Courier = Box<dyn FnMut(&SignedCheckpoint) -> Result<(), ProofError> + Send>;

#[derive(Debug, Default)]
struct Queue {
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Order {
    next: Option<Arc<SignedCheckpoint>>,
    /// No more will come.
    ended: bool,
    /// The thread has ended.
    idle: bool,
    /// The last checkpoint that was tried arrived, or none was.
    delivered: bool,
}

impl Queue {
    fn order(&self, change: impl FnOnce(&mut Order)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, name: &str, courier: &mut Courier) {
        let delivered = self.deliver(name, courier);
        self.order(|order| (order.idle, order.delivered) = (true, delivered));
    }

    /// Works until the end; false if the last delivery failed.
    fn deliver(&self, name: &str, courier: &mut Courier) -> bool {
        let mut failed: Option<Arc<SignedCheckpoint>> = None;
        let mut wait = RETRY_MIN;
        let mut last = true;
        while let Some(signed) = self.next(failed.take(), wait) {
            let result = courier(&signed);
            last = result.is_ok();
            match result {
                Ok(()) => wait = RETRY_MIN,
                Err(error) => {
                    let size = signed.checkpoint().size;
                    tracing::warn!(sink = name, size, %error, "a checkpoint was not delivered");
                    wait = wait.saturating_mul(2).min(RETRY_MAX);
                    failed = Some(signed);
                }
            }
        }
        last
    }

    /// Waits for a checkpoint; or, if one failed, for a newer one until it is to be tried again.
    /// `None` at the end.
    fn next(
        &self,
        failed: Option<Arc<SignedCheckpoint>>,
        wait: Duration,
    ) -> Option<Arc<SignedCheckpoint>> {
        let idle = |order: &mut Order| order.next.is_none() && !order.ended;
        let order = self.lock();
        let mut order = if failed.is_some() {
            let waited = self.changed.wait_timeout_while(order, wait, idle);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            self.changed.wait_while(order, idle).unwrap_or_else(PoisonError::into_inner)
        };
        // What waits at the end is still delivered, once: it is the newest state there is.
        order.next.take().or(if order.ended { None } else { failed })
    }
}

fn store(disk: &dyn Disk, folder: &Path, signed: &SignedCheckpoint) -> Result<(), ProofError> {
    let checkpoint = signed.checkpoint();
    let safe = |letter: char| if is_safe(letter) { letter } else { '_' };
    let origin: String = checkpoint.origin.chars().map(safe).collect();
    let path = folder.join(format!("{origin}-{}.checkpoint", checkpoint.size));
    let text = signed.note().to_string();
    disk::replace(disk, &path, text.as_bytes()).map_err(disk_error(&path))
}

/// Whether a character of an origin is safe in file names on every system.
fn is_safe(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-')
}

fn send(poster: &Poster, signed: &SignedCheckpoint) -> Result<(), ProofError> {
    let answer = poster.post("", &signed.note().to_string())?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(ProofError::Delivery(format!("{} answered {}", poster.address(), answer.status)))
}
