//! Epochs of data keys: a new one begins when a chart is erased, and the old key is destroyed when all
//! surviving data keys are wrapped again.

use std::sync::{MutexGuard, TryLockError};

use super::{Engine, EngineError};
use crate::chart::Erasure;
use crate::clock::Instant;
use crate::fhir::ResourceKey;
use crate::numbers::Position;
use crate::view::View;

/// The right to rebuild the views or to erase a chart, of which one happens at a time.
#[derive(Debug)]
pub struct Alone<'a>(#[allow(dead_code, reason = "held until dropped")] MutexGuard<'a, ()>);

impl Engine {
    /// Keeps rebuilds and erasures away until dropped.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] while one runs.
    pub fn alone(&self) -> Result<Alone<'_>, EngineError> {
        match self.alone.try_lock() {
            Ok(alone) => Ok(Alone(alone)),
            Err(TryLockError::Poisoned(poisoned)) => Ok(Alone(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => Err(EngineError::Busy),
        }
    }

    /// The epoch under which the keys of all charts but the erased one will be wrapped.
    ///
    /// # Errors
    ///
    /// The vault's.
    pub fn erasing_epoch(&self, _: &Alone<'_>) -> Result<u32, EngineError> {
        let vault = self.keys.vault();
        Ok(if vault.is_between_epochs() { vault.epoch()? } else { vault.begin_epoch()? })
    }

    /// Finishes an erasure whose event is in the log: destroys the older epoch keys, and signs the
    /// certificate.
    ///
    /// # Errors
    ///
    /// The vault's, the views', the disk's. The next start finishes what is left.
    pub fn finish_erasure(
        &self,
        _: &Alone<'_>,
        erasure: &Erasure,
        position: Position,
        recorded_at: Instant,
    ) -> Result<String, EngineError> {
        self.complete_epoch()?;
        self.certificates.erasure(erasure, position, recorded_at)
    }

    /// There may be traces of an erased chart to purge.
    pub fn purge_soon(&self) {
        self.renewer.wake();
    }

    /// Wraps all keys that are still needed again, and destroys the older epoch keys.
    fn complete_epoch(&self) -> Result<(), EngineError> {
        let vault = self.keys.vault();
        // The views hold every chart that was opened under an older epoch: the event that ends
        // the epoch is behind them in the log.
        let view = self.views.view();
        let system = vault.wraps()?.into_iter().filter(|(alias, _)| !alias.is_of_chart());
        let mut survivors: Vec<_> = system.collect();
        for wrap in view.wraps() {
            survivors.push(wrap?);
        }
        self.views.rewrap(&vault.rewrap(survivors)?, vault.epoch()?)?;
        Ok(vault.destroy_older_epochs()?)
    }

    /// Finishes what an erasure left undone that was interrupted, or met a failing disk.
    pub(super) fn resume_erasure(&self) -> Result<(), EngineError> {
        let _alone = self.alone()?;
        let vault = self.keys.vault();
        if vault.is_between_epochs() {
            self.complete_epoch()?;
            self.complete_certificates()?;
        } else if self.views.view().epoch()? != vault.epoch()? {
            // The views are not synced: they may have lost what was wrapped again.
            self.views.rewrap(&vault.wraps()?, vault.epoch()?)?;
        }
        Ok(vault.destroy_condemned()?)
    }

    /// Whether a resource was erased with its chart. Its id is not used again.
    ///
    /// # Errors
    ///
    /// The views'.
    pub fn was_erased(&self, view: &View, key: &ResourceKey) -> Result<bool, EngineError> {
        if !view.has_erased()? {
            return Ok(false);
        }
        Ok(view.is_erased(&self.keys.directory().tombstone(&key.to_string()))?)
    }
}
