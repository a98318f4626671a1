//! Following from a durable cursor: batches are handed to an outlet in order, each at least once.
//!
//! Each delivery has a thread of its own. It sleeps until its source moves, so an outlet that is slow or gone costs
//! nobody else anything, and an idle one nothing at all. Source and outlet may wait: for the access log, for an acknowledgement.
//!
//! A cursor never says more than has arrived. Where the outlet cannot tell that (TCP acknowledges to the system, not to this
//! program), what was handed over is *in doubt* for a while: the cursor stays before it, and if the outlet fails
//! meanwhile, it is handed over again.

use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::future::{Future, ready};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::backoff;
use super::cursor::CursorFile;
use crate::clock;

#[cfg(test)]
mod tests;

/// Longest wait before an outlet that failed is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// The cursor is not written more often: after a crash, what came in between is handed over again.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How long more is waited for when the source has moved, so that what comes at once goes out at once.
const LINGER: Duration = Duration::from_millis(50);
/// Items that may be in doubt. What was handed over before more than these counts as arrived.
const DOUBTED_MAX: usize = 10_000;
/// How often in a row the same is handed over again without anything new behind it. An outlet that ends after each
/// batch would get nothing else for ever.
const REPEATS_MAX: u32 = 10;
/// How long a delivery goes on when it has been told to stop.
const STOPPING: Duration = Duration::from_secs(3);

/// What is followed.
pub trait Source: Send + Sized + 'static {
    /// What is delivered.
    type Item: Send + Sync;
    /// A place in it.
    type Place: Clone + PartialEq + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// What comes next from a place on, and the place behind it, which is the same one at the end. There may be
    /// nothing to deliver between two places.
    ///
    /// # Errors
    ///
    /// It does not read back.
    fn next(
        &mut self,
        from: &Self::Place,
    ) -> impl Future<Output = Result<Batch<Self>, Failed>> + Send;

    /// How much there is behind a place, in the units of the source.
    fn behind(&self, place: &Self::Place) -> u64;

    /// Waits until there may be more. It does not wait if there may have been since the last time.
    fn moved(&mut self) -> impl Future<Output = ()> + Send;
}

/// What comes next of a source, and the place behind it.
pub type Batch<S> = (Vec<<S as Source>::Item>, <S as Source>::Place);

/// Where it is delivered to. What it is asked may be given up in the middle, when the server stops.
pub trait Outlet: Send + 'static {
    /// What is delivered.
    type Item: Send + Sync;
    /// A place in its source.
    type Place: Clone + Send + Sync;

    /// Where it goes on, if the other side knows that better than the cursor does. Asked before each batch.
    ///
    /// # Errors
    ///
    /// It does not say, or it must not go on.
    fn resume(
        &mut self,
        place: &Self::Place,
    ) -> impl Future<Output = Result<Self::Place, Failed>> + Send {
        ready(Ok(place.clone()))
    }

    /// Hands a batch over, as a whole or in part.
    ///
    /// # Errors
    ///
    /// Not all of it was handed over, or what was handed over before may not have arrived: all of that comes again.
    fn deliver(&mut self, items: &[Self::Item]) -> impl Future<Output = Result<(), Failed>> + Send;

    /// How long what was handed over may still get lost.
    fn in_doubt(&self) -> Duration;

    /// Whether the outlet still stands by which it was handed over.
    ///
    /// # Errors
    ///
    /// It does not: what is in doubt may not have arrived.
    fn check(&mut self) -> Result<(), Failed>;

    /// Ends the outlet.
    ///
    /// # Errors
    ///
    /// What is in doubt may not have arrived; otherwise it has.
    fn close(&mut self) -> Result<(), Failed>;
}

/// Why something was not delivered, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    /// What could not be done, and why.
    pub fn because(what: &str, why: &dyn Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// A running delivery.
#[derive(Debug)]
pub struct Handle {
    stop: watch::Sender<bool>,
    ended: mpsc::Receiver<()>,
}

impl Handle {
    /// Tells it to deliver what there is, and to end. To be called before waiting for any of several.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it has ended, but not past a deadline. What was not delivered by then is at the next start.
    pub fn ended(&self, deadline: Instant) {
        // Nothing is ever sent: the other end goes with the thread.
        let _ = self.ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// A batch that was handed over and may not have arrived.
struct Doubted<P> {
    /// The place before it.
    before: P,
    items: usize,
    at: Instant,
}

/// What is delivered from a source to an outlet.
pub struct Delivery<S: Source, O> {
    /// Its name in messages.
    name: String,
    /// Its name in the figures, which are open to all.
    figure: String,
    source: S,
    outlet: O,
    cursor: CursorFile<S::Place>,
    /// Behind what was handed over last.
    place: S::Place,
    doubted: VecDeque<Doubted<S::Place>>,
    /// Items that are being handed over again.
    repeating: usize,
    /// Whether anything new was handed over since the outlet failed, and how often in a row there was nothing.
    is_fresh: bool,
    stalls: u32,
    /// What the cursor says, and since when.
    saved: S::Place,
    saved_at: Instant,
    /// Since when the outlet fails.
    failing_since: Option<Instant>,
}

impl<S: Source, O: Outlet<Item = S::Item, Place = S::Place>> Delivery<S, O> {
    /// A delivery from the place that the cursor says, on a thread of its own. `figure` names it among the figures.
    ///
    /// # Errors
    ///
    /// The operating system's, when it has no threads left.
    pub fn start(
        (name, figure): (String, String),
        source: S,
        outlet: O,
        cursor: CursorFile<S::Place>,
        place: S::Place,
    ) -> std::io::Result<Handle> {
        let delivery = Self {
            name,
            figure,
            source,
            outlet,
            cursor,
            saved: place.clone(),
            place,
            doubted: VecDeque::new(),
            repeating: 0,
            is_fresh: true,
            stalls: 0,
            saved_at: Instant::now(),
            failing_since: None,
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let ((stop, stopping), (end, ended)) = (watch::channel(false), mpsc::channel());
        let watched = Watched { name: delivery.name.clone(), _end: end };
        let thread = std::thread::Builder::new().name(delivery.figure.clone());
        thread.spawn(move || {
            let _watched = watched;
            runtime.block_on(delivery.run(stopping));
        })?;
        Ok(Handle { stop, ended })
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut failures, mut deadline) = (0, None);
        loop {
            let is_stopping = *stop.borrow() || stop.has_changed().is_err();
            let deadline = is_stopping.then(|| *deadline.get_or_insert(Instant::now() + STOPPING));
            let step = self.step_until(deadline, &mut stop).await;
            let is_over = deadline.is_some_and(|deadline| Instant::now() > deadline);
            match step {
                Ok(true) if !is_over => failures = 0,
                Ok(false) if !is_stopping => {
                    failures = 0;
                    self.wait_for_more(&mut stop).await;
                }
                Err(failed) => {
                    self.fail(&failed);
                    if is_stopping {
                        break;
                    }
                    failures += 1;
                    let wait = backoff::wait(failures, RETRY_MAX);
                    let _ = timeout(wait, stopped(&mut stop)).await;
                }
                Ok(_) => break,
            }
        }
        if self.outlet.close().is_ok() {
            self.doubted.clear();
        }
        self.save();
    }

    /// The same as [`Delivery::step`], but it is given up some time after it has been told to stop.
    async fn step_until(
        &mut self,
        deadline: Option<Instant>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<bool, Failed> {
        let given_up = async {
            stopped(stop).await;
            sleep_until(deadline.unwrap_or_else(|| Instant::now() + STOPPING).into()).await;
        };
        tokio::select! {
            biased;
            step = self.step() => step,
            () = given_up => Err(Failed("the server stops".to_owned())),
        }
    }

    /// Hands over what comes next; false: there was nothing.
    async fn step(&mut self) -> Result<bool, Failed> {
        self.settle()?;
        let place = self.outlet.resume(&self.place).await?;
        if place != self.place {
            // It has more than is known here, or less.
            self.doubted.clear();
            self.place = place;
        }
        let (items, next) = self.source.next(&self.place).await?;
        if next == self.place {
            self.count();
            return Ok(false);
        }
        if !items.is_empty()
            && let Err(failed) = self.outlet.deliver(&items).await
        {
            self.go_back();
            return Err(failed);
        }
        let before = std::mem::replace(&mut self.place, next);
        self.doubted.push_back(Doubted { before, items: items.len(), at: Instant::now() });
        self.is_fresh |= items.len() > self.repeating;
        self.repeating = self.repeating.saturating_sub(items.len());
        while self.doubted_items() > DOUBTED_MAX && self.doubted.len() > 1 {
            self.doubted.pop_front();
        }
        self.recover();
        Ok(true)
    }

    fn doubted_items(&self) -> usize {
        self.doubted.iter().map(|batch| batch.items).sum()
    }

    /// When what was handed over first counts as arrived.
    fn settles_at(&self) -> Option<Instant> {
        Some(self.doubted.front()?.at + self.outlet.in_doubt())
    }

    /// Takes out of doubt what was handed over long enough ago, if the outlet still stands.
    fn settle(&mut self) -> Result<(), Failed> {
        if self.settles_at().is_some_and(|at| at <= Instant::now()) {
            if let Err(failed) = self.outlet.check() {
                self.go_back();
                return Err(failed);
            }
            while self.settles_at().is_some_and(|at| at <= Instant::now()) {
                self.doubted.pop_front();
            }
        }
        if self.saved_at.elapsed() >= SAVE_EVERY {
            self.save();
        }
        Ok(())
    }

    /// The place up to which everything has arrived.
    fn arrived(&self) -> &S::Place {
        self.doubted.front().map_or(&self.place, |first| &first.before)
    }

    fn save(&mut self) {
        let arrived = self.arrived().clone();
        if arrived == self.saved {
            return;
        }
        self.saved_at = Instant::now();
        match self.cursor.save(&arrived) {
            Ok(()) => self.saved = arrived,
            // What the old one says is true as well: after a crash more comes again.
            Err(error) => tracing::warn!(outlet = self.name, %error, "a cursor was not written"),
        }
    }

    /// Goes back to what may not have arrived.
    fn go_back(&mut self) {
        let Some(first) = self.doubted.front() else { return };
        self.stalls = if self.is_fresh { 0 } else { self.stalls + 1 };
        let is_stuck = self.stalls >= REPEATS_MAX;
        if is_stuck {
            self.repeating = 0;
        } else {
            self.place = first.before.clone();
            self.repeating += self.doubted_items();
        }
        self.is_fresh = is_stuck;
        self.doubted.clear();
    }

    fn fail(&mut self, failed: &Failed) {
        if self.failing_since.is_none() {
            self.failing_since = Some(Instant::now());
            let error = &failed.0;
            tracing::warn!(
                outlet = self.name,
                error,
                "not delivered; it is tried again until it works"
            );
        }
        metrics::counter!("chartlog_delivery_failures_total", "target" => self.figure.clone())
            .increment(1);
        self.count();
    }

    fn recover(&mut self) {
        if let Some(since) = self.failing_since.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(outlet = self.name, seconds, "delivered again");
        }
        #[allow(clippy::cast_precision_loss)]
        let now = clock::Instant::now().seconds() as f64;
        metrics::gauge!("chartlog_delivery_last_success_timestamp_seconds", "target" => self.figure.clone())
            .set(now);
    }

    fn count(&self) {
        #[allow(clippy::cast_precision_loss)]
        let behind = self.source.behind(&self.place) as f64;
        metrics::gauge!("chartlog_delivery_behind", "target" => self.figure.clone()).set(behind);
        // There from the beginning, so that the first failure is a rise.
        metrics::counter!("chartlog_delivery_failures_total", "target" => self.figure.clone())
            .increment(0);
    }

    /// Waits until the source moves, something is to be settled or written down, or it is time to stop.
    async fn wait_for_more(&mut self, stop: &mut watch::Receiver<bool>) {
        let save_at = (*self.arrived() != self.saved).then(|| self.saved_at + SAVE_EVERY);
        let due = self.settles_at().into_iter().chain(save_at).min();
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        let is_moved = tokio::select! {
            () = self.source.moved() => true,
            () = stopped(stop) => false,
            () = async { sleep(wait.unwrap_or_default()).await }, if wait.is_some() => false,
        };
        if is_moved {
            let _ = timeout(LINGER, stopped(stop)).await;
        }
    }
}

/// Done when it is time to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The other end is gone: that means the same.
    let _ = stop.wait_for(|is_stopping| *is_stopping).await;
}

/// Says so when a thread ends though nobody asked it to. The store does without.
struct Watched {
    name: String,
    _end: mpsc::Sender<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                outlet = self.name,
                "the delivery has ended until restart: it panicked"
            );
        }
    }
}
