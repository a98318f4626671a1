//! The last step before the commit: drafted events become the contents of frames.

use super::plan::Planner;
use super::{Prepared, StoreError};
use crate::chart::{Envelope, Payload};
use crate::fhir::ResourceId;
use crate::log::{FrameKind, StreamAlias};
use crate::seal::Dictionary;
use crate::vault::Wrap;
use crate::view::TermChange;

/// An event, ready but for sealing and its numbers.
pub(super) struct Unsealed {
    pub(super) alias: StreamAlias,
    pub(super) patient: Option<ResourceId>,
    pub(super) envelope: Envelope,
    /// Stored form of the resource, or nothing.
    pub(super) body: Vec<u8>,
    /// The wrapped key of the chart, in the event that opens it.
    pub(super) wrap: Option<Wrap>,
    pub(super) holds_body: bool,
    pub(super) retracted: bool,
    pub(super) terms: TermChange,
}

impl Unsealed {
    /// An event about no resource.
    pub(super) fn without_body(
        alias: StreamAlias,
        patient: Option<ResourceId>,
        envelope: Envelope,
    ) -> Self {
        Self {
            alias,
            patient,
            envelope,
            body: Vec::new(),
            wrap: None,
            holds_body: false,
            retracted: false,
            terms: TermChange::default(),
        }
    }
}

impl Planner<'_> {
    /// Seals an event under the key of its chart, or of the directory.
    pub(super) fn seal(&self, event: Unsealed) -> Result<Prepared, StoreError> {
        let is_chart = event.alias != StreamAlias::NONE;
        let kind = if is_chart { FrameKind::Chart } else { FrameKind::Directory };
        let dictionary = Dictionary::of(&event.envelope.event_type.subject);
        let payload = Payload::encode(&event.envelope, &event.body);
        let key = match self.keys.get(&event.alias) {
            Some(key) => std::sync::Arc::clone(key),
            None => self.store.keys.of(self.view, event.alias)?,
        };
        let content = key.seal(kind, event.alias, dictionary, &payload)?;
        let content = match &event.wrap {
            Some(wrap) => content.with_wrap(*wrap.bytes()),
            None => content,
        };
        Ok(Prepared {
            alias: event.alias,
            patient: event.patient,
            envelope: event.envelope,
            content,
            wrap: event.wrap,
            holds_body: event.holds_body,
            retracted: event.retracted,
            terms: event.terms,
            erasure: None,
        })
    }
}
