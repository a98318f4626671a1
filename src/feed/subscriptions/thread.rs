//! The thread on which all subscriptions run.

use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::context::Context;
use super::entry::Entry;
use super::runner;

/// How long the end of all is waited for.
const STOPPING_MAX: Duration = Duration::from_secs(5);
/// Threads for reading, and for what is on the way.
const THREADS_MAX: usize = 300;

/// The thread on which all subscriptions run, once it was started.
#[derive(Debug)]
pub struct Thread {
    begin: mpsc::UnboundedSender<Arc<Entry>>,
    beginning: Mutex<Option<mpsc::UnboundedReceiver<Arc<Entry>>>>,
    stop: watch::Sender<bool>,
    ended: Mutex<Option<std_mpsc::Receiver<()>>>,
}

impl Thread {
    /// One that has not been started; and what tells when it is to end.
    pub fn new() -> (Self, watch::Receiver<bool>) {
        let (stop, stopping) = watch::channel(false);
        let (begin, beginning) = mpsc::unbounded_channel();
        let (beginning, ended) = (Mutex::new(Some(beginning)), Mutex::default());
        (Self { begin, beginning, stop, ended }, stopping)
    }

    /// Runs a subscription, once the thread was started.
    pub fn run(&self, entry: Arc<Entry>) {
        // When the server stops, it runs from the next start on.
        let _ = self.begin.send(entry);
    }

    /// Starts it, with something that runs beside the subscriptions; a second time does nothing.
    ///
    /// # Errors
    ///
    /// There are no threads left.
    pub fn start(
        &self,
        context: Arc<Context>,
        beside: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(beginning) = beginning else { return Ok(()) };
        let runtime = Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(THREADS_MAX)
            .thread_name("webhook")
            .build()?;
        let (end, ended) = std_mpsc::channel::<()>();
        std::thread::Builder::new().name("subscriptions".to_owned()).spawn(move || {
            let _end = end;
            runtime.block_on(run_all(context, beginning, beside));
            // What hangs in a connection is not waited for.
            runtime.shutdown_background();
        })?;
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        Ok(())
    }

    /// Ends it: what is on the way gets a few seconds.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nothing is ever sent: the other end goes with the thread.
        let _ = ended.map(|ended| ended.recv_timeout(STOPPING_MAX));
    }
}

/// Runs what begins, until it is time to end.
async fn run_all(
    context: Arc<Context>,
    mut beginning: mpsc::UnboundedReceiver<Arc<Entry>>,
    beside: impl Future<Output = ()> + Send + 'static,
) {
    let mut stop = context.stop.clone();
    let mut running = JoinSet::new();
    running.spawn(beside);
    loop {
        tokio::select! {
            biased;
            // The other end is gone: that means the same.
            _ = stop.wait_for(|is_stopping| *is_stopping) => break,
            Some(entry) = beginning.recv() => {
                running.spawn(runner::run(Arc::clone(&context), entry));
            }
            Some(ended) = running.join_next(), if !running.is_empty() => {
                if ended.is_err() {
                    tracing::error!("a subscription has ended until restart: it panicked");
                }
            }
        }
    }
    let deadline = Instant::now() + STOPPING_MAX;
    let left = || deadline.saturating_duration_since(Instant::now());
    while let Ok(Some(_)) = timeout(left(), running.join_next()).await {}
}
