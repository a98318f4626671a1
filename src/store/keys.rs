//! The keys of charts, found by what the views know, opened by the vault.

use std::sync::Arc;

use super::StoreError;
use crate::chart::{Envelope, Payload};
use crate::log::{Frame, StreamAlias};
use crate::seal::SealingKey;
use crate::vault::{Vault, VaultError};
use crate::view::{View, Views};

/// Opens frames.
#[derive(Debug, Clone)]
pub struct Keys {
    vault: Arc<Vault>,
    views: Views,
    directory: Arc<SealingKey>,
    access: Arc<SealingKey>,
}

impl Keys {
    /// The keys of a data directory; the wraps of those of the directory and of the access log are
    /// in the vault.
    pub fn new(vault: Arc<Vault>, views: Views) -> Result<Self, StoreError> {
        let wraps = vault.wraps()?;
        let system = |wanted: StreamAlias| {
            let wrap = wraps.iter().find(|(alias, _)| *alias == wanted).map(|(_, wrap)| wrap);
            vault.key(wanted, wrap.ok_or(VaultError::Wrap)?)
        };
        let (directory, access) = (system(StreamAlias::NONE)?, system(StreamAlias::ACCESS)?);
        Ok(Self { vault, views, directory, access })
    }

    /// The vault itself.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The keys of the access log.
    pub fn access(&self) -> &SealingKey {
        &self.access
    }

    /// The keys of a chart, or of the directory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Erased`] when they were destroyed.
    pub fn of(&self, view: &View, alias: StreamAlias) -> Result<Arc<SealingKey>, StoreError> {
        if alias == StreamAlias::NONE {
            return Ok(Arc::clone(&self.directory));
        }
        if let Some(key) = self.vault.opened_key(alias) {
            return Ok(key);
        }
        let open = |view: &View| -> Result<Arc<SealingKey>, StoreError> {
            let wrap = view.wrap(alias)?.ok_or(StoreError::Erased)?;
            match self.vault.key(alias, &wrap) {
                Err(VaultError::Destroyed(_)) => Err(StoreError::Erased),
                opened => Ok(opened?),
            }
        };
        match open(view) {
            // The view may be older than the epoch: ask the newest.
            Err(StoreError::Erased) => open(&self.views.view()),
            opened => opened,
        }
    }

    /// The payload of a frame.
    ///
    /// # Errors
    ///
    /// As [`Keys::of`]; [`StoreError::Seal`] when it does not open.
    pub fn open(&self, view: &View, frame: Frame) -> Result<Vec<u8>, StoreError> {
        let key = self.of(view, frame.alias)?;
        Ok(key.open(frame.kind, frame.alias, frame.content)?)
    }

    /// The envelope of an event, and its body.
    ///
    /// # Errors
    ///
    /// As [`Keys::open`].
    pub fn open_event(&self, view: &View, frame: Frame) -> Result<(Envelope, Vec<u8>), StoreError> {
        let mut payload = self.open(view, frame)?;
        let (envelope, start) = envelope_of(&payload)?;
        payload.drain(..start);
        Ok((envelope, payload))
    }
}

/// The envelope in a payload, and where the body starts.
pub fn envelope_of(payload: &[u8]) -> Result<(Envelope, usize), StoreError> {
    let parts = Payload::decode(payload);
    let envelope = parts
        .envelope()
        .map_err(|_| StoreError::Unreadable("an event does not read back".to_owned()))?;
    Ok((envelope, payload.len() - parts.body.len()))
}
