//! Rebuilding the views: a new generation is made from the logs beside the one that is served, and
//! takes its place.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Stopwatch};

use super::replay::{replay_access, replay_events};
use super::{Engine, EngineError};
use crate::view::Comparison;

/// Events that may be applied while nothing else is: a fraction of a second.
const EVENTS_BEHIND_MAX: u64 = 2_000;
/// How often a rebuild follows the writes that come meanwhile before it makes them wait.
const ROUNDS_MAX: usize = 20;

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

impl Engine {
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
        let building = self.views.begin(&(self.defined)(&self.keys, &self.views.view())?)?;
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
        building.serve(|new, old| -> Result<(), EngineError> {
            let end = old.applied_events()?;
            replay_events(new, &self.keys, end, &|done| progress(done, end))?;
            replay_access(new, &self.keys, &self.access_reader, old.applied_access()?)
        })?;
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        Ok(Rebuilt { events, accesses, took: started.elapsed() })
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
        let building = self.views.begin(serving.definitions())?;
        let anew = building.generation();
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        replay_events(anew, &self.keys, events, &|done| progress(done, events))?;
        replay_access(anew, &self.keys, &self.access_reader, accesses)?;
        anew.rewrap(&[], self.keys.vault().epoch()?)?;
        let comparison = serving.compare(anew)?;
        Ok(ViewsCompared::With { events, accesses, comparison })
    }
}
