//! The last step before the commit: drafted events become the contents of frames.

use std::sync::Arc;

use super::RecordsError;
use crate::chart::{Envelope, Payload};
use crate::engine::Prepared;
use crate::fhir::ResourceId;
use crate::log::{FrameKind, StreamAlias};
use crate::seal::{Dictionary, SealingKey};
use crate::vault::Wrap;
use crate::view::TermChange;

/// An event, ready but for sealing and its numbers.
pub(in crate::records) struct Unsealed {
    pub(super) alias: StreamAlias,
    pub(super) patient: Option<ResourceId>,
    pub(super) envelope: Envelope,
    /// Stored form of the resource, or nothing.
    pub(in crate::records) body: Vec<u8>,
    /// The wrapped key of the chart, in the event that opens it.
    pub(super) wrap: Option<Wrap>,
    pub(super) holds_body: bool,
    pub(super) retracted: bool,
    pub(super) terms: Arc<TermChange>,
}

impl Unsealed {
    /// An event about no resource.
    pub(in crate::records) fn without_body(
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
            terms: Arc::default(),
        }
    }
}

impl Unsealed {
    /// Seals the event under the key of its chart, or of the directory.
    pub(in crate::records) fn seal(self, key: &SealingKey) -> Result<Prepared, RecordsError> {
        let is_chart = self.alias != StreamAlias::NONE;
        let kind = if is_chart { FrameKind::Chart } else { FrameKind::Directory };
        let dictionary = Dictionary::of(&self.envelope.event_type.subject);
        let payload = Payload::encode(&self.envelope, &self.body);
        let content = key.seal(kind, self.alias, dictionary, &payload)?;
        let content = match &self.wrap {
            Some(wrap) => content.with_wrap(*wrap.bytes()),
            None => content,
        };
        Ok(Prepared {
            alias: self.alias,
            patient: self.patient,
            envelope: self.envelope,
            content,
            wrap: self.wrap,
            holds_body: self.holds_body,
            retracted: self.retracted,
            terms: self.terms,
            erasure: None,
        })
    }
}
