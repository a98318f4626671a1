//! Rebuilding the views: a new generation is made from the logs beside the one that is served, and
//! takes its place.

use std::sync::TryLockError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Stopwatch};

use super::health::Health;
use super::replay::{replay_access, replay_events};
use super::{Store, StoreError};

/// Events that may be applied while nothing else is: a fraction of a second.
const EVENTS_BEHIND_MAX: u64 = 2_000;
/// How often a rebuild follows the writes that come meanwhile before it makes them wait.
const ROUNDS_MAX: usize = 20;

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events in the new generation.
    pub events: u64,
    /// Access entries in it.
    pub accesses: u64,
    /// How long it took.
    pub took: Duration,
}

/// However a rebuild ends, none is going on then.
struct Reset<'a>(&'a Health);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.build(0, 0);
    }
}

impl Store {
    /// The number of the generation of views that is served: one more with each rebuild.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.views.serving().number()
    }

    /// How many events are in the generation of views that is being built, and how many are to be; 0
    /// of 0 if none is being built.
    #[must_use]
    pub fn building(&self) -> (u64, u64) {
        self.health.building()
    }

    /// Builds the views anew from the logs, while reads and writes go on, and serves the new ones.
    /// `progress` is told how many events are done, and how many there are to do.
    ///
    /// Whenever this is interrupted, the views stay as they were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] while another rebuild runs; those of the logs and the disk.
    pub fn rebuild(&self, progress: impl Fn(u64, u64)) -> Result<Rebuilt, StoreError> {
        let _only = match self.rebuilding.try_lock() {
            Ok(only) => only,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
        };
        let started = Stopwatch::now();
        let progress = |done, total| {
            self.health.build(done, total);
            progress(done, total);
        };
        let _reset = Reset(&self.health);
        let building = self.views.begin(&self.defined(&self.views.view())?)?;
        let new = building.generation();
        for round in 0..ROUNDS_MAX {
            let end = self.health.applied_events.load(Ordering::Acquire);
            let behind = end - new.view().applied_events()?;
            if round > 0 && behind <= EVENTS_BEHIND_MAX {
                break;
            }
            replay_events(new, &self.keys, end, &|done| progress(done, end))?;
            let end = self.views.view().applied_access()?;
            replay_access(new, &self.keys, &self.access_reader, end)?;
        }
        tracing::debug!(took = ?started.elapsed(), "the new generation of views is filled");
        new.rewrap(&[], self.keys.vault().epoch()?)?;
        building.settle()?;
        tracing::debug!(took = ?started.elapsed(), "it is settled");
        building.serve(|new, old| -> Result<(), StoreError> {
            let end = old.applied_events()?;
            replay_events(new, &self.keys, end, &|done| progress(done, end))?;
            replay_access(new, &self.keys, &self.access_reader, old.applied_access()?)
        })?;
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        Ok(Rebuilt { events, accesses, took: started.elapsed() })
    }
}
