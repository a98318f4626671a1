//! The views against the logs: made anew beside those that are served, and compared.

use std::fmt::Write;
use std::sync::TryLockError;

use super::super::replay::{replay_access, replay_events};
use super::super::{Store, StoreError};
use super::Finding;
use crate::view::Comparison;

impl Store {
    /// Makes the views anew from the logs, compares every record with those that are served, and
    /// removes them again. Nothing may be written meanwhile. `progress` is told how many events are
    /// done, and how many there are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] while a rebuild runs; those of the logs and the disk.
    pub fn verify_views(&self, progress: impl Fn(u64, u64)) -> Result<Finding, StoreError> {
        let _only = match self.rebuilding.try_lock() {
            Ok(only) => only,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::Busy),
        };
        let serving = self.views.serving();
        let erased = serving.hidden().len();
        if erased > 0 {
            let detail = format!(
                "not compared: the views still have traces of {erased} erased charts, until \
                 `chartlog rebuild` or the server makes them anew"
            );
            return Ok(Finding::note("views", detail));
        }
        // Dropped before it is served, it leaves nothing behind.
        let building = self.views.begin(serving.definitions())?;
        let anew = building.generation();
        let view = self.views.view();
        let (events, accesses) = (view.applied_events()?, view.applied_access()?);
        replay_events(anew, &self.keys, events, &|done| progress(done, events))?;
        replay_access(anew, &self.keys, &self.access_reader, accesses)?;
        anew.rewrap(&[], self.keys.vault().epoch()?)?;
        Ok(match serving.compare(anew)? {
            Comparison::Same { records } => Finding::holds(
                "views",
                format!(
                    "{records} records, all as they follow from {events} events and {accesses} access entries"
                ),
            ),
            Comparison::Differs { keyspace, key, problem } => {
                let key = key.iter().fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                });
                let what = format!(
                    "keyspace {keyspace}, key {key}: {problem}; `chartlog rebuild` makes the views \
                     anew from the logs"
                );
                Finding::altered("views", what)
            }
        })
    }
}
