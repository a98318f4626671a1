//! Rebuilding the views: a new generation is built from the logs while the old one is served, and
//! takes its place.

use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use super::health::Health;
use super::replay::{replay_access, replay_events};
use super::{Engine, EngineError};
use crate::view::{Basis, Comparison, Generation};

/// Events and access entries that the swap may have left to apply while both logs wait: a few
/// milliseconds.
const BEHIND_MAX: u64 = 128;
/// How the served views compare with views that are built anew.
#[derive(Debug)]
pub enum ViewsCompared {
    /// Not compared: the served ones still have traces of erased charts.
    Traces {
        /// How many.
        charts: usize,
    },
    /// Compared.
    With {
        /// Events in both.
        events: u64,
        /// Access entries in both.
        accesses: u64,
        /// What came of it.
        comparison: Comparison,
    },
}

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

impl Engine {
    /// What views that are built now follow from, beside the logs.
    fn basis(&self) -> Result<Basis, EngineError> {
        let definitions = (self.defined)(&self.keys, &self.views.view())?;
        Ok(Basis { definitions, upcasters: Arc::clone(&self.upcasters) })
    }

    /// Whether the views that are served follow from what those would that are built now.
    pub(super) fn is_up_to_date(&self) -> Result<bool, EngineError> {
        let (wanted, serving) = (self.basis()?, self.views.serving());
        Ok(wanted.definitions == serving.definitions()
            && wanted.upcasters.files() == serving.upcasters().files())
    }

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
    /// [`EngineError::Busy`] while another rebuild runs; those of the logs and the disk.
    pub fn rebuild(&self, progress: impl Fn(u64, u64)) -> Result<Rebuilt, EngineError> {
        let _alone = self.alone()?;
        let started = Stopwatch::now();
        let progress = |done, total| {
            self.health.build(done, total);
            progress(done, total);
        };
        let _reset = Reset(&self.health);
        let building = self.views.begin(&self.basis()?)?;
        let new = building.generation();
        self.catch_up(new, &progress)?;
        tracing::debug!(took = ?started.elapsed(), "the new generation of views is filled");
        new.rewrap(&[], self.keys.vault().epoch()?)?;
        building.compact()?;
        tracing::debug!(took = ?started.elapsed(), "it is compacted");
        // What came during the compaction, while both logs go on: the swap itself has to be short.
        self.catch_up(new, &progress)?;
        building.serve(|new, old| -> Result<(), EngineError> {
            replay_events(new, &self.keys, old.applied_events()?, &|_| {})?;
            replay_access(new, &self.access_frames, old.applied_access()?)
        })?;
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        let (events, accesses) = (events.get(), accesses.get());
        Ok(Rebuilt { events, accesses, took: started.elapsed() })
    }

    /// Applies to a generation what the logs have beyond it, until little is left, or no less than
    /// a round before: whoever writes faster than this applies waits for the rest during the swap.
    fn catch_up(
        &self,
        generation: &Arc<Generation>,
        progress: &impl Fn(u64, u64),
    ) -> Result<(), EngineError> {
        let mut last = u64::MAX;
        loop {
            let served = self.views.view();
            let (events, accesses) = (served.applied_events()?, served.applied_access()?);
            let built = generation.view();
            let behind =
                (events - built.applied_events()?) + (accesses - built.applied_access()?);
            if behind <= BEHIND_MAX || behind >= last {
                return Ok(());
            }
            last = behind;
            replay_events(generation, &self.keys, events, &|done| {
                progress(done.get(), events.get())
            })?;
            replay_access(generation, &self.access_frames, accesses)?;
        }
    }

    /// Builds the views anew, compares every record with those that are served, and removes them
    /// again. Nothing may be written meanwhile. `progress` is told how many events are done, and how
    /// many there are.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] while a rebuild runs; those of the logs and the disk.
    pub fn compare_views(&self, progress: impl Fn(u64, u64)) -> Result<ViewsCompared, EngineError> {
        let _alone = self.alone()?;
        let serving = self.views.serving();
        let charts = serving.hidden().len();
        if charts > 0 {
            return Ok(ViewsCompared::Traces { charts });
        }
        // Dropped before it is served, it leaves nothing behind.
        let building = self.views.begin(&serving.basis())?;
        let anew = building.generation();
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        replay_events(anew, &self.keys, events, &|done| progress(done.get(), events.get()))?;
        replay_access(anew, &self.access_frames, accesses)?;
        anew.rewrap(&[], self.keys.vault().epoch()?)?;
        let comparison = serving.compare(anew)?;
        let (events, accesses) = (events.get(), accesses.get());
        Ok(ViewsCompared::With { events, accesses, comparison })
    }
}
