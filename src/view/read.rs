//! Reading one consistent state.

use std::sync::Arc;

use fjall::{Keyspace, Readable, Snapshot};
use serde::Deserialize;

use super::generation::Generation;
use super::keyspaces::Spaces;
use super::pointer::Pointer;
use super::records::{
    ChartRecord, ErasedChart, Head, IdempotentCommit, IndexedPlace, PastVersion, StoredCommit,
    StoredHead, StreamPlace, decode,
};
use super::stretch::{Flag, IndexedEvent, Stretch};
use super::terms::Tables;
use super::{ViewError, keys};
use crate::chart::{Tombstone, Upcasters};
use crate::fhir::search::Parameters;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceNumber, ResourceVersion, Slot};
use crate::vault::Wrap;

/// The record of the index that was read last: neighbouring resources are often in one.
#[derive(Debug, Default)]
pub struct Neighbours(Option<(Slot, Stretch)>);

/// One state of all views, unaffected by what is applied later.
#[derive(Clone)]
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

impl Generation {
    /// One consistent state of all views of the generation.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> View {
        View { snapshot: self.database.snapshot(), generation: Arc::clone(self) }
    }
}

impl View {
    /// The search parameters that resources are indexed by in this state.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        self.generation.parameters()
    }

    /// What old events are told by in this state.
    #[must_use]
    pub fn upcasters(&self) -> &Upcasters {
        self.generation.upcasters()
    }

    /// Number of the generation that this is a state of.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// What an index of terms is read from.
    pub(super) fn tables(&self) -> Tables<'_> {
        Tables { snapshot: &self.snapshot, spaces: self.spaces() }
    }

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
    pub fn applied_events(&self) -> Result<Position, ViewError> {
        Ok(self.record(&self.spaces().state, "state", "events")?.unwrap_or_default())
    }

    /// Number of access entries that this state indexes.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn applied_access(&self) -> Result<Position, ViewError> {
        Ok(self.record(&self.spaces().state, "state", "access")?.unwrap_or_default())
    }

    /// The epoch under which the data keys here were wrapped; later ones are in the vault.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn epoch(&self) -> Result<u32, ViewError> {
        Ok(self.record(&self.spaces().state, "state", "epoch")?.unwrap_or_default())
    }

    /// The chart of a patient.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn chart(&self, patient: &ResourceId) -> Result<Option<ChartRecord>, ViewError> {
        self.record(&self.spaces().charts, "charts", keys::patient(patient))
    }

    /// The aliases of all charts that are under a legal hold.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn held_charts(&self) -> Result<Vec<StreamAlias>, ViewError> {
        let mut held = Vec::new();
        for entry in self.snapshot.iter(&self.spaces().charts) {
            let chart: ChartRecord = decode("charts", &entry.value()?)?;
            held.extend(chart.held.then(|| chart.alias()));
        }
        Ok(held)
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

    /// The wrapped data key of a chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn wrap(&self, alias: StreamAlias) -> Result<Option<Wrap>, ViewError> {
        let bytes = self.snapshot.get(&self.spaces().keys, alias.0.to_be_bytes())?;
        let wrap = |bytes: fjall::UserValue| Some(Wrap::from_bytes((*bytes).try_into().ok()?));
        bytes.map(|bytes| wrap(bytes).ok_or(ViewError::Record("keys"))).transpose()
    }

    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head(&self, key: &ResourceKey) -> Result<Option<Head>, ViewError> {
        match self.record(&self.spaces().names, "names", keys::resource(key))? {
            Some(first) => self.head_since(first, None),
            None => Ok(None),
        }
    }

    /// The current version of the resource with that number.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head_of(&self, number: ResourceNumber) -> Result<Option<Head>, ViewError> {
        self.head_near(number, &mut Neighbours::default())
    }

    /// The current version of a resource that access entries name so.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head_named(&self, first: EventId) -> Result<Option<Head>, ViewError> {
        match self.number_of(first)? {
            Some(number) => self.head_of(number),
            None => Ok(None),
        }
    }

    /// The same as [`View::head_of`], where resources with neighbouring numbers are asked for one after the other.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head_near(
        &self,
        number: ResourceNumber,
        near: &mut Neighbours,
    ) -> Result<Option<Head>, ViewError> {
        let holds = |(first, stretch): &(Slot, Stretch)| {
            number.get().checked_sub(first.get()).is_some_and(|back| back < stretch.len())
        };
        if !near.0.as_ref().is_some_and(holds) {
            near.0 = self.stretch_with(number.slot())?;
        }
        match &near.0 {
            Some((first, stretch)) => {
                self.head_since(Pointer::new(number.slot(), number.slot() - *first), Some(stretch))
            }
            None => Ok(None),
        }
    }

    /// The head of the resource with that first event, which is in that stretch if one is known; none if
    /// its home is erased.
    fn head_since(
        &self,
        first: Pointer,
        known: Option<&Stretch>,
    ) -> Result<Option<Head>, ViewError> {
        let number = ResourceNumber::of(first.slot());
        let changed = self.record(&self.spaces().heads, "heads", number.get().to_be_bytes())?;
        let current = changed.map_or(first, |StoredHead { event, .. }| event);
        let event = match known.filter(|_| current.first() == first.first()) {
            Some(stretch) => stretch.event(current).ok_or(ViewError::Record("events"))?,
            None => self.event(current)?,
        };
        if event.note.has(Flag::Unreadable) {
            return Ok(None);
        }
        let mut head = Head {
            number,
            id: self.id_of(first)?,
            version: changed.map_or(event.note.version, |StoredHead { version, .. }| version),
            live: event.holds_body(),
            retracted: event.note.has(Flag::Retracted),
            position: event.position,
            place: event.place,
            recorded_at: event.recorded_at,
            places: Vec::new(),
            first,
            current,
        };
        head.places = self.places_of(&head, head.version, &event)?;
        Ok(Some(head).filter(|head| !self.is_hidden(&head.places)))
    }

    /// Whether what lies in those charts is at home in an erased one.
    fn is_hidden(&self, places: &[StreamPlace]) -> bool {
        places.first().is_some_and(|home| self.generation.is_hidden(home.alias()))
    }

    /// Whether a resource was erased, by its tombstone.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn is_erased(&self, tombstone: &Tombstone) -> Result<bool, ViewError> {
        Ok(self.snapshot.contains_key(&self.spaces().tombstones, tombstone)?)
    }

    /// Whether there is a tombstone of any resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn has_erased(&self) -> Result<bool, ViewError> {
        Ok(self.snapshot.first_key_value(&self.spaces().erased).is_some())
    }

    /// Whether a chart is known, or was and is erased.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn knows(&self, alias: StreamAlias) -> Result<bool, ViewError> {
        let (alias, spaces) = (alias.0.to_be_bytes(), self.spaces());
        Ok(self.snapshot.contains_key(&spaces.keys, alias)?
            || self.snapshot.contains_key(&spaces.erased, alias)?)
    }

    /// The charts that were erased, each with the position of the event that says so and where that
    /// lies.
    pub fn erased(
        &self,
    ) -> impl Iterator<Item = Result<(StreamAlias, IndexedPlace), ViewError>> + '_ {
        self.snapshot.iter(&self.spaces().erased).map(|entry| {
            let (key, value) = entry.into_inner()?;
            let event = self.event(decode::<ErasedChart>("erased", &value)?.event)?;
            let (position, location) = (event.position, event.place.location);
            let place = IndexedPlace { position, location, recorded_at: event.recorded_at };
            Ok((StreamAlias(keys::last_number(&key)), place))
        })
    }

    /// The wrapped data keys of all charts.
    pub fn wraps(&self) -> impl Iterator<Item = Result<(StreamAlias, Wrap), ViewError>> + '_ {
        self.snapshot.iter(&self.spaces().keys).map(|entry| {
            let (key, value) = entry.into_inner()?;
            let wrap = (*value).try_into().map_err(|_| ViewError::Record("keys"))?;
            Ok((StreamAlias(keys::last_number(&key)), Wrap::from_bytes(wrap)))
        })
    }

    /// One version of a resource; none if its home is erased.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn version(
        &self,
        head: &Head,
        version: ResourceVersion,
    ) -> Result<Option<PastVersion>, ViewError> {
        let Some(pointer) = self.event_of(head, version)? else { return Ok(None) };
        let event = self.event(pointer)?;
        let places = self.places_of(head, version, &event)?;
        if self.is_hidden(&places) {
            return Ok(None);
        }
        Ok(Some(PastVersion {
            position: event.position,
            place: event.place,
            recorded_at: event.recorded_at,
            live: event.holds_body(),
            first: event.note.has(Flag::First),
            places,
        }))
    }

    /// The versions of a resource below version `before`, newest first.
    pub fn versions<'a>(
        &'a self,
        head: &'a Head,
        before: ResourceVersion,
    ) -> impl Iterator<Item = Result<(ResourceVersion, PastVersion), ViewError>> + 'a {
        (1..before.min(head.version.next()).get()).rev().filter_map(|version| {
            let version = ResourceVersion::new(version);
            let past = self.version(head, version).transpose()?;
            Some(past.map(|past| (version, past)))
        })
    }

    /// The event that carries a version.
    fn event_of(
        &self,
        head: &Head,
        version: ResourceVersion,
    ) -> Result<Option<Pointer>, ViewError> {
        if version == head.version {
            return Ok(Some(head.current));
        }
        let key = keys::pair(head.number.get(), version.get());
        let past = self.record(&self.spaces().history, "history", key)?;
        if past.is_some() || head.first == head.current {
            return Ok(past);
        }
        // The first version that can be read: earlier ones may be of an erased chart.
        let is_first = self.event(head.first)?.note.version == version;
        Ok(is_first.then_some(head.first))
    }

    /// The charts that a version lies in; of a deletion: those in which it had lain.
    fn places_of(
        &self,
        head: &Head,
        version: ResourceVersion,
        event: &IndexedEvent,
    ) -> Result<Vec<StreamPlace>, ViewError> {
        if event.holds_body() {
            return self.places(event);
        }
        match self.event_of(head, version.previous())? {
            Some(before) => self.places(&self.event(before)?),
            None => Ok(Vec::new()),
        }
    }

    /// The charts in which an event and those that belong to it put a body.
    fn places(&self, home: &IndexedEvent) -> Result<Vec<StreamPlace>, ViewError> {
        let place = |event: &IndexedEvent| {
            let point = event.stream.filter(|_| event.holds_body())?;
            Some(StreamPlace::new(point.alias, point.step))
        };
        let mut places = Vec::from_iter(place(home));
        for steps in 1..=u64::from(home.note.related) {
            places.extend(place(&self.event(home.pointer.onward(steps))?));
        }
        Ok(places)
    }

    /// The record with the event at a slot, and the slot of its first event.
    fn stretch_with(&self, slot: Slot) -> Result<Option<(Slot, Stretch)>, ViewError> {
        let range = 0u64.to_be_bytes()..=slot.get().to_be_bytes();
        let Some(entry) = self.snapshot.range(&self.spaces().events, range).next_back() else {
            return Ok(None);
        };
        let (key, value) = entry.into_inner()?;
        Ok(Some((Slot::new(keys::last_number(&key)), Stretch::decode(&value)?)))
    }

    /// Where the index has the event at a slot.
    pub(super) fn pointer(&self, slot: Slot) -> Result<Option<Pointer>, ViewError> {
        let range = 0u64.to_be_bytes()..=slot.get().to_be_bytes();
        let Some(entry) = self.snapshot.range(&self.spaces().events, range).next_back() else {
            return Ok(None);
        };
        Ok(Some(Pointer::new(slot, slot.get() - keys::last_number(&entry.key()?))))
    }

    pub(super) fn event(&self, pointer: Pointer) -> Result<IndexedEvent, ViewError> {
        self.stretch(pointer)?.event(pointer).ok_or(ViewError::Record("events"))
    }

    /// The record in which an event is.
    pub(super) fn stretch(&self, pointer: Pointer) -> Result<Stretch, ViewError> {
        let bytes =
            self.snapshot.get(&self.spaces().events, pointer.first().get().to_be_bytes())?;
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
            first_position: event.position,
            first: event.place.location,
            recorded_at: event.recorded_at,
        }))
    }
}
