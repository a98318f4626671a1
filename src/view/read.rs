//! Reading one consistent state.

use std::sync::Arc;

use fjall::{Keyspace, Readable, Snapshot};
use serde::Deserialize;

use super::keyspaces::{Spaces, Views};
use super::records::{ChartRecord, Head, IdempotentCommit, PastVersion, StreamEntry, decode};
use super::{ViewError, keys};
use crate::chart::Manifest;
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::StreamAlias;
use crate::vault::Wrap;

/// One state of all views, unaffected by what is applied later.
pub struct View {
    pub(super) snapshot: Snapshot,
    pub(super) spaces: Arc<Spaces>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("View")
    }
}

impl View {
    pub(super) fn new(views: &Views) -> Self {
        Self { snapshot: views.database.snapshot(), spaces: Arc::clone(&views.spaces) }
    }

    fn record<T: for<'de> Deserialize<'de>>(
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
        Ok(self.record(&self.spaces.state, "state", "events")?.unwrap_or_default())
    }

    /// Number of access entries that this state indexes.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn applied_access(&self) -> Result<u64, ViewError> {
        Ok(self.record(&self.spaces.state, "state", "access")?.unwrap_or_default())
    }

    /// The chart of a patient.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn chart(&self, patient: &ResourceId) -> Result<Option<ChartRecord>, ViewError> {
        self.record(&self.spaces.charts, "charts", patient.as_str())
    }

    /// The patient behind a stream alias.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn patient(&self, alias: StreamAlias) -> Result<Option<ResourceId>, ViewError> {
        let bytes = self.snapshot.get(&self.spaces.aliases, alias.0.to_be_bytes())?;
        let text = |bytes: fjall::UserValue| std::str::from_utf8(&bytes).ok()?.parse().ok();
        bytes.map(|bytes| text(bytes).ok_or(ViewError::Record("aliases"))).transpose()
    }

    /// The wrapped data key of a chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn wrap(&self, alias: StreamAlias) -> Result<Option<Wrap>, ViewError> {
        let bytes = self.snapshot.get(&self.spaces.keys, alias.0.to_be_bytes())?;
        let wrap = |bytes: fjall::UserValue| Some(Wrap::from_bytes((*bytes).try_into().ok()?));
        bytes.map(|bytes| wrap(bytes).ok_or(ViewError::Record("keys"))).transpose()
    }

    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn head(&self, key: &ResourceKey) -> Result<Option<Head>, ViewError> {
        self.record(&self.spaces.resources, "resources", keys::resource(key))
    }

    /// The resource with that number.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn resource(&self, number: u64) -> Result<Option<ResourceKey>, ViewError> {
        let bytes = self.snapshot.get(&self.spaces.numbers, number.to_be_bytes())?;
        bytes
            .map(|bytes| keys::read_resource(&bytes).ok_or(ViewError::Record("numbers")))
            .transpose()
    }

    /// One version of a resource.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn version(&self, number: u64, version: u64) -> Result<Option<PastVersion>, ViewError> {
        self.record(&self.spaces.history, "history", keys::pair(number, version))
    }

    /// The versions of a resource below version `before`, newest first.
    pub fn versions(
        &self,
        number: u64,
        before: u64,
    ) -> impl Iterator<Item = Result<(u64, PastVersion), ViewError>> + use<> {
        let range = keys::pair(number, 0)..keys::pair(number, before);
        self.snapshot.range(&self.spaces.history, range).rev().map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((keys::last_number(&key), decode("history", &value)?))
        })
    }

    /// One event of a chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn stream_entry(
        &self,
        alias: StreamAlias,
        version: u64,
    ) -> Result<Option<StreamEntry>, ViewError> {
        self.record(&self.spaces.streams, "streams", keys::pair(alias.0, version))
    }

    /// The events of a chart from version `first` to `last`, both included.
    pub fn stream(
        &self,
        alias: StreamAlias,
        first: u64,
        last: u64,
    ) -> impl Iterator<Item = Result<(u64, StreamEntry), ViewError>> + use<> {
        let range = keys::pair(alias.0, first)..=keys::pair(alias.0, last);
        self.snapshot.range(&self.spaces.streams, range).map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((keys::last_number(&key), decode("streams", &value)?))
        })
    }

    /// What a chart held at a version.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn manifest(&self, alias: StreamAlias, version: u64) -> Result<Manifest, ViewError> {
        let range = keys::pair(alias.0, 0)..=keys::pair(alias.0, version);
        let (mut manifest, from) =
            match self.snapshot.range(&self.spaces.snapshots, range).next_back() {
                Some(entry) => {
                    let (key, value) = entry.into_inner()?;
                    (Manifest::decode(&value), keys::last_number(&key))
                }
                None => (Manifest::default(), 0),
            };
        for entry in self.stream(alias, from + 1, version) {
            let (version, entry) = entry?;
            manifest.apply(version, entry.supersedes, entry.body.is_some());
        }
        Ok(manifest)
    }

    /// The version that a chart had at a moment; 0 before its first event.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn version_at(&self, chart: &ChartRecord, moment: Instant) -> Result<u64, ViewError> {
        let (mut known, mut beyond) = (0, chart.version + 1);
        while known + 1 < beyond {
            let middle = known.midpoint(beyond);
            let entry = self.stream_entry(chart.alias(), middle)?;
            let entry = entry.ok_or(ViewError::Record("streams"))?;
            if entry.recorded_at <= moment {
                known = middle;
            } else {
                beyond = middle;
            }
        }
        Ok(known)
    }

    /// What a commit with that idempotency key did.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn idempotent(&self, key: &str) -> Result<Option<IdempotentCommit>, ViewError> {
        self.record(&self.spaces.idempotency, "idempotency", key)
    }
}
