//! What events say of themselves, without their bodies, as it was read for one follower and serves the others.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::chart::{Erasure, EventKind, EventType, Payload};
use crate::engine::EngineError;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::{Frame, Location, StreamAlias};
use crate::numbers::Position;
use crate::records::error::unreadable;
use crate::records::{Records, RecordsError};
use crate::view::View;

/// Events whose outlines are kept: the last of the log, which many followers read at about the same time.
pub(super) const OUTLINES_MAX: usize = 4_096;

/// What an event says of itself, whoever asks.
#[derive(Debug)]
pub struct Outline {
    /// Of the chart under whose key it is.
    pub(super) alias: StreamAlias,
    pub(super) ends_commit: bool,
    /// Where its body begins in its payload.
    pub(super) body_at: usize,
    /// Bytes of its frame.
    pub(super) length: usize,
    pub(super) event_type: EventType,
    /// Whose chart that is; `None`: the directory.
    pub(super) patient: Option<ResourceId>,
    /// The resource it is about, as it says it.
    pub(super) resource: Option<String>,
    pub(super) key: Option<ResourceKey>,
    pub(super) reason: Option<String>,
    pub(super) rights: Option<String>,
    /// The chart that it says was erased.
    pub(super) erased: Option<StreamAlias>,
}

impl Outline {
    /// Opens an event; with its whole payload. `None`: it was erased.
    pub(super) fn open(
        records: &Records,
        view: &View,
        frame: Frame,
        at: Location,
    ) -> Result<Option<(Self, Vec<u8>)>, RecordsError> {
        let (alias, ends_commit, length) = (frame.alias, frame.last_of_commit, frame.length());
        let keys = &records.keys;
        let read = keys.of(view, alias).and_then(|key| Ok((key, keys.open(view, frame, at)?)));
        let (key, payload) = match read {
            Ok(read) => read,
            Err(EngineError::Erased(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let parts = Payload::decode(&payload);
        let envelope = parts.outline().map_err(|_| unreadable())?;
        let erased = match envelope.event_type.event_kind {
            EventKind::Erased => Some(Erasure::decode(parts.body).ok_or_else(unreadable)?.chart),
            _ => None,
        };
        let outline = Self {
            alias,
            ends_commit,
            body_at: payload.len() - parts.body.len(),
            length,
            patient: key.owner().parse().ok(),
            key: envelope.resource.as_deref().and_then(|key| key.parse().ok()),
            resource: envelope.resource,
            event_type: envelope.event_type,
            reason: envelope.reason,
            rights: envelope.rights,
            erased,
        };
        Ok(Some((outline, payload)))
    }
}

/// The outlines of the last events, by their positions. Who takes one has asked the index whether the event may still be
/// read.
#[derive(Debug)]
pub struct Outlines(Cache<Position, Arc<Outline>>);

impl Default for Outlines {
    fn default() -> Self {
        Self(Cache::new(OUTLINES_MAX))
    }
}

impl Outlines {
    pub(super) fn of(&self, position: Position) -> Option<Arc<Outline>> {
        self.0.get(&position)
    }

    pub(super) fn keep(&self, position: Position, outline: &Arc<Outline>) {
        self.0.insert(position, Arc::clone(outline));
    }

    /// Drops all: a chart was erased.
    pub fn clear(&self) {
        self.0.clear();
    }
}
