//! The keys of charts, found by what the views know, opened by the vault.

use std::sync::Arc;

use super::EngineError;
use crate::chart::{Envelope, Payload, Upcast, Upcasters};
use crate::log::{Frame, Location, Reader, StreamAlias};
use crate::seal::SealingKey;
use crate::vault::{Vault, VaultError};
use crate::view::{EventPlace, View, Views};

/// Opens the event log.
#[derive(Debug, Clone)]
pub struct Keys {
    vault: Arc<Vault>,
    views: Views,
    reader: Reader,
    directory: Arc<SealingKey>,
    access: Arc<SealingKey>,
}

impl Keys {
    /// The keys of a data directory, and the log of events that they open; the wraps of those of the directory and of the access log are
    /// in the vault.
    pub fn new(vault: Arc<Vault>, views: Views, reader: Reader) -> Result<Self, EngineError> {
        let wraps = vault.wraps()?;
        let system = |wanted: StreamAlias| {
            let wrap = wraps.iter().find(|(alias, _)| *alias == wanted).map(|(_, wrap)| wrap);
            vault.key(wanted, wrap.ok_or(VaultError::Wrap)?)
        };
        let (directory, access) = (system(StreamAlias::NONE)?, system(StreamAlias::ACCESS)?);
        Ok(Self { vault, views, reader, directory, access })
    }

    /// The vault itself.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The log that they open.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The keys of the directory.
    pub fn directory(&self) -> Arc<SealingKey> {
        Arc::clone(&self.directory)
    }

    /// The keys of the access log.
    pub fn access(&self) -> &Arc<SealingKey> {
        &self.access
    }

    /// The keys of a chart, or of the directory.
    ///
    /// # Errors
    ///
    /// [`EngineError::Erased`] when they were destroyed.
    pub fn of(&self, view: &View, alias: StreamAlias) -> Result<Arc<SealingKey>, EngineError> {
        if alias == StreamAlias::NONE {
            return Ok(Arc::clone(&self.directory));
        }
        if let Some(key) = self.vault.opened_key(alias) {
            return Ok(key);
        }
        let erased = || EngineError::Erased("this".to_owned());
        let open = |view: &View| -> Result<Arc<SealingKey>, EngineError> {
            let wrap = view.wrap(alias)?.ok_or_else(erased)?;
            match self.vault.key(alias, &wrap) {
                Err(VaultError::Destroyed(_)) => Err(erased()),
                opened => Ok(opened?),
            }
        };
        match open(view) {
            // The view may be older than the epoch: ask the newest.
            Err(EngineError::Erased(_)) => open(&self.views.view()),
            opened => opened,
        }
    }

    /// The payload of the frame at a location of the event log.
    ///
    /// # Errors
    ///
    /// As [`Keys::of`], and of the log.
    pub fn read(&self, view: &View, at: Location) -> Result<Vec<u8>, EngineError> {
        self.open(view, self.reader.frame(at)?, at)
    }

    /// The payload of a frame of the event log that was read from a location.
    ///
    /// # Errors
    ///
    /// As [`Keys::of`]; damage that names the place when the frame does not open.
    pub fn open(&self, view: &View, frame: Frame, at: Location) -> Result<Vec<u8>, EngineError> {
        let key = match self.of(view, frame.alias) {
            // The alias stands in the clear: one that no chart ever had was altered.
            Err(EngineError::Erased(_)) if !self.views.view().knows(frame.alias)? => {
                return Err(self.reader.damage(at, "no chart has its alias").into());
            }
            key => key?,
        };
        self.unseal(&key, frame, at)
    }

    /// The payload of a frame that was read from a location, with the keys of its chart.
    ///
    /// # Errors
    ///
    /// Damage that names the place.
    pub fn unseal(
        &self,
        key: &SealingKey,
        frame: Frame,
        at: Location,
    ) -> Result<Vec<u8>, EngineError> {
        let opened = key.open(frame.kind, frame.alias, frame.content);
        opened.map_err(|error| self.reader.damage(at, &error.to_string()).into())
    }

    /// The envelope of the event at a location, and its body, as they were written.
    ///
    /// # Errors
    ///
    /// As [`Keys::read`].
    pub fn written(&self, view: &View, at: Location) -> Result<(Envelope, Vec<u8>), EngineError> {
        let mut payload = self.read(view, at)?;
        let (envelope, start) = envelope_of(&payload)?;
        payload.drain(..start);
        Ok((envelope, payload))
    }

    /// What an event, or a part of it, says today, if the index does not say that it says nothing.
    ///
    /// # Errors
    ///
    /// As [`Keys::read`]; [`EngineError::Upcast`].
    pub fn read_event(
        &self,
        view: &View,
        at: EventPlace,
    ) -> Result<(Envelope, Vec<u8>), EngineError> {
        let (envelope, body) = self.written(view, at.location)?;
        told(view.upcasters(), envelope, body, at.part)
    }
}

/// What an event that was written so, or a part of it, says today, if the index does not say that it says nothing.
pub fn told(
    upcasters: &Upcasters,
    envelope: Envelope,
    body: Vec<u8>,
    part: u8,
) -> Result<(Envelope, Vec<u8>), EngineError> {
    // What is at home in another chart is told there.
    if part == 0 && (envelope.home.is_some() || !upcasters.concern(&envelope)) {
        return Ok((envelope, body));
    }
    let Upcast { main, parts } =
        upcasters.upcast(envelope, body).map_err(|error| EngineError::Upcast(Box::new(error)))?;
    let told = std::iter::once(main).chain(parts).nth(part.into());
    let told = told.ok_or_else(|| {
        EngineError::Unreadable("the index leads to a part of an event that has none".to_owned())
    })?;
    Ok((told.envelope, told.body))
}

/// The envelope in a payload, and where the body starts.
pub fn envelope_of(payload: &[u8]) -> Result<(Envelope, usize), EngineError> {
    let parts = Payload::decode(payload);
    let envelope = parts
        .envelope()
        .map_err(|_| EngineError::Unreadable("an event does not read back".to_owned()))?;
    Ok((envelope, payload.len() - parts.body.len()))
}
