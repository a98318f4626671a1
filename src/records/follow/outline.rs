//! What events say of themselves, without their bodies, as it was read for one follower and serves the others.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::chart::{Erasure, EventKind, EventType, Payload};
use crate::engine::{self, EngineError};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::{Frame, StreamAlias};
use crate::numbers::EventId;
use crate::records::error::unreadable;
use crate::records::{Records, RecordsError};
use crate::view::{EventPlace, View};

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

/// An event that was opened.
pub(super) struct OpenedEvent {
    pub(super) outline: Outline,
    /// What it says today.
    pub(super) payload: Vec<u8>,
    /// What was written, if that is something else.
    pub(super) written: Option<Vec<u8>>,
}

impl OpenedEvent {
    /// Opens an event, or a part of one, about a resource of that type. `None`: it was erased.
    pub(super) fn open(
        records: &Records,
        view: &View,
        frame: Frame,
        at: EventPlace,
        kind: Option<ResourceType>,
    ) -> Result<Option<Self>, RecordsError> {
        let (alias, ends_commit, length) = (frame.alias, frame.last_of_commit, frame.length());
        let keys = &records.keys;
        let read =
            keys.of(view, alias).and_then(|key| Ok((key, keys.open(view, frame, at.location)?)));
        let (key, written) = match read {
            Ok(read) => read,
            Err(EngineError::Erased(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let outline = |payload: &[u8]| {
            let parts = Payload::decode(payload);
            let envelope = parts.outline().map_err(|_| unreadable())?;
            let erased = match envelope.event_type.event_kind {
                EventKind::Erased => {
                    Some(Erasure::decode(parts.body).ok_or_else(unreadable)?.chart)
                }
                _ => None,
            };
            Ok::<_, RecordsError>(Outline {
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
            })
        };
        let upcasters = view.upcasters();
        let as_written = |payload: Vec<u8>| {
            Ok(Some(Self { outline: outline(&payload)?, payload, written: None }))
        };
        if at.part == 0 && !kind.is_some_and(|kind| upcasters.are_about(kind)) {
            return as_written(written);
        }
        let parts = Payload::decode(&written);
        let envelope = parts.envelope().map_err(|_| unreadable())?;
        if at.part == 0 && !upcasters.concern(&envelope) {
            return as_written(written);
        }
        let (envelope, body) = engine::told(upcasters, envelope, parts.body.to_vec(), at.part)?;
        let payload = Payload::encode(&envelope, &body);
        Ok(Some(Self { outline: outline(&payload)?, payload, written: Some(written) }))
    }
}

/// The outlines of the last events, as a generation of the views tells them. Who takes one has asked the index whether the event may still be
/// read.
#[derive(Debug)]
pub struct Outlines(Cache<(u64, EventId), Arc<Outline>>);

impl Default for Outlines {
    fn default() -> Self {
        Self(Cache::new(OUTLINES_MAX))
    }
}

impl Outlines {
    pub(super) fn of(&self, generation: u64, event: EventId) -> Option<Arc<Outline>> {
        self.0.get(&(generation, event))
    }

    pub(super) fn keep(&self, generation: u64, event: EventId, outline: &Arc<Outline>) {
        self.0.insert((generation, event), Arc::clone(outline));
    }

    /// Drops all: a chart was erased.
    pub fn clear(&self) {
        self.0.clear();
    }
}
