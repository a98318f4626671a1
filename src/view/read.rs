//! Reading one consistent state.

use std::sync::Arc;

use fjall::{Keyspace, Readable, Snapshot};
use serde::Deserialize;

use super::generation::Generation;
use super::keyspaces::Spaces;
use super::records::{
    ChartRecord, Head, IdempotentCommit, PastVersion, StoredCommit, StoredHead, StreamPlace, decode,
};
use super::stretch::{Flag, IndexedEvent, Pointer, Stretch};
use super::{ViewError, keys};
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::StreamAlias;

/// One state of all views, unaffected by what is applied later.
pub struct View {
    // Before the generation, which may go with its last view.
    pub(super) snapshot: Snapshot,
    pub(super) generation: Arc<Generation>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("View")
    }
}

impl View {
    pub(super) fn spaces(&self) -> &Spaces {
        &self.generation.spaces
    }

    pub(super) fn record<T: for<'de> Deserialize<'de>>(
        &self,
        space: &Keyspace,
        name: &'static str,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<T>, ViewError> {
        self.snapshot.get(space, key)?.map(|bytes| decode(name, &bytes)).transpose()
    }

    /// Number of events that this state holds.
    ///
    /// # Errors
    ///
    /// As all functions here: the view store's.
    pub fn applied_events(&self) -> Result<u64, ViewError> {
        Ok(self.record(&self.spaces().state, "state", "events")?.unwrap_or_default())
    }

    /// Number of access entries that this state indexes.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn applied_access(&self) -> Result<u64, ViewError> {
        Ok(self.record(&self.spaces().state, "state", "access")?.unwrap_or_default())
    }

    /// The chart of a patient.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn chart(&self, patient: &ResourceId) -> Result<Option<ChartRecord>, ViewError> {
        self.record(&self.spaces().charts, "charts", keys::patient(patient))
    }

    /// The patient behind a stream alias.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn patient(&self, alias: StreamAlias) -> Result<Option<ResourceId>, ViewError> {
        let bytes = self.snapshot.get(&self.spaces().aliases, alias.0.to_be_bytes())?;
        let text = |bytes: fjall::UserValue| std::str::from_utf8(&bytes).ok()?.parse().ok();
        bytes.map(|bytes| text(bytes).ok_or(ViewError::Record("aliases"))).transpose()
    }

    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head(&self, key: &ResourceKey) -> Result<Option<Head>, ViewError> {
        let first = self.record(&self.spaces().names, "names", keys::resource(key))?;
        first.map(|first| self.head_since(first)).transpose()
    }

    /// The current version of the resource with that number.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head_of(&self, number: u64) -> Result<Option<Head>, ViewError> {
        self.pointer(number)?.map(|first| self.head_since(first)).transpose()
    }

    fn head_since(&self, first: Pointer) -> Result<Head, ViewError> {
        let number = first.position();
        let changed = self.record(&self.spaces().heads, "heads", number.to_be_bytes())?;
        let stored = changed.unwrap_or(StoredHead { version: 1, event: first });
        let event = self.event(stored.event)?;
        let mut head = Head {
            number,
            version: stored.version,
            live: event.holds_body(),
            retracted: event.note.has(Flag::Retracted),
            position: stored.event.position(),
            location: event.location,
            recorded_at: event.recorded_at,
            places: Vec::new(),
            first,
            current: stored.event,
        };
        head.places = self.places_of(&head, head.version, &event)?;
        Ok(head)
    }

    /// One version of a resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn version(&self, head: &Head, version: u64) -> Result<Option<PastVersion>, ViewError> {
        let Some(pointer) = self.event_of(head, version)? else { return Ok(None) };
        let event = self.event(pointer)?;
        Ok(Some(PastVersion {
            position: pointer.position(),
            location: event.location,
            recorded_at: event.recorded_at,
            live: event.holds_body(),
            first: event.note.has(Flag::First),
            places: self.places_of(head, version, &event)?,
        }))
    }

    /// The versions of a resource below version `before`, newest first.
    pub fn versions<'a>(
        &'a self,
        head: &'a Head,
        before: u64,
    ) -> impl Iterator<Item = Result<(u64, PastVersion), ViewError>> + 'a {
        (1..before.min(head.version + 1)).rev().map(|version| {
            let past = self.version(head, version)?;
            Ok((version, past.ok_or(ViewError::Record("history"))?))
        })
    }

    /// The event that carries a version.
    fn event_of(&self, head: &Head, version: u64) -> Result<Option<Pointer>, ViewError> {
        if version == head.version {
            return Ok(Some(head.current));
        }
        if version == 1 {
            return Ok(Some(head.first));
        }
        let key = keys::pair(head.number, version);
        self.record(&self.spaces().history, "history", key)
    }

    /// The charts that a version lies in; of a deletion: those in which it had lain.
    fn places_of(
        &self,
        head: &Head,
        version: u64,
        event: &IndexedEvent,
    ) -> Result<Vec<StreamPlace>, ViewError> {
        if event.holds_body() {
            return self.places(event);
        }
        match self.event_of(head, version - 1)? {
            Some(before) => self.places(&self.event(before)?),
            None => Ok(Vec::new()),
        }
    }

    /// The charts in which an event and those that belong to it put a body.
    fn places(&self, home: &IndexedEvent) -> Result<Vec<StreamPlace>, ViewError> {
        let place = |event: &IndexedEvent| {
            let (alias, version) = event.stream.filter(|_| event.holds_body())?;
            Some(StreamPlace::new(alias, version))
        };
        let mut places = Vec::from_iter(place(home));
        for steps in 1..=u64::from(home.note.related) {
            places.extend(place(&self.event(home.pointer.onward(steps))?));
        }
        Ok(places)
    }

    /// Where the index has the event at a position.
    fn pointer(&self, position: u64) -> Result<Option<Pointer>, ViewError> {
        let range = 0u64.to_be_bytes()..=position.to_be_bytes();
        let Some(entry) = self.snapshot.range(&self.spaces().events, range).next_back() else {
            return Ok(None);
        };
        Ok(Some(Pointer::new(position, position - keys::last_number(&entry.key()?))))
    }

    pub(super) fn event(&self, pointer: Pointer) -> Result<IndexedEvent, ViewError> {
        self.stretch(pointer)?.event(pointer).ok_or(ViewError::Record("events"))
    }

    /// The record in which an event is.
    pub(super) fn stretch(&self, pointer: Pointer) -> Result<Stretch, ViewError> {
        let bytes = self.snapshot.get(&self.spaces().events, pointer.first().to_be_bytes())?;
        Stretch::decode(&bytes.ok_or(ViewError::Record("events"))?)
    }

    /// What a commit with that idempotency key did.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn idempotent(&self, key: &str) -> Result<Option<IdempotentCommit>, ViewError> {
        let stored: Option<StoredCommit> =
            self.record(&self.spaces().idempotency, "idempotency", keys::mark(key))?;
        let Some(StoredCommit { request, first }) = stored else { return Ok(None) };
        let event = self.event(first)?;
        Ok(Some(IdempotentCommit {
            request,
            first_position: first.position(),
            first: event.location,
            recorded_at: event.recorded_at,
        }))
    }
}
