//! From decided events to events that are ready to be committed.

use super::plan::Planner;
use super::weigh::{Before, Content};
use super::{Expectation, Prepared, StoreError};
use crate::chart::event::SCHEMA;
use crate::chart::{Drafted, Envelope, EventType, Happening, Payload};
use crate::fhir::terms::terms_of;
use crate::fhir::{ResourceId, ResourceKey};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::view::TermChange;

impl Planner<'_> {
    /// Makes the events of one resource ready.
    pub(super) fn draft(
        &mut self,
        key: &ResourceKey,
        version: u64,
        before: Option<&Before>,
        content: Option<&Content>,
        drafted: &[Drafted],
    ) -> Result<(), StoreError> {
        let terms = |document: Option<&Document>| {
            document.map(|document| terms_of(key.kind, document.root(), None)).unwrap_or_default()
        };
        let old = before.and_then(|before| before.body.as_ref()).map(|(_, document)| document);
        let mut change =
            TermChange::between(&terms(old), &terms(content.map(|content| &content.document)));
        for (steps, draft) in (0u32..).zip(drafted) {
            let alias = match &draft.patient {
                Some(patient) => self.chart(patient)?,
                None => StreamAlias::NONE,
            };
            self.grant.saw_chart(alias);
            let envelope = Envelope {
                schema: SCHEMA,
                event_type: EventType::of(key, draft.happening),
                patient: draft.patient.as_ref().map(ToString::to_string),
                resource: Some(key.to_string()),
                home: (!draft.home).then_some(steps),
                actor: self.grant.actor().clone(),
                idempotency: None,
            };
            let stored = content.filter(|_| draft.home).map(|content| &content.stored);
            let (splice, body) =
                stored.map_or((0, [].as_slice()), |stored| (stored.splice, &stored.bytes));
            self.events.push(Prepared {
                alias,
                resource_version: version,
                payload: Payload::encode(&envelope, splice, body),
                envelope,
                holds_body: content.is_some() && draft.happening != Happening::MovedOut,
                retracted: content.is_some_and(|content| content.retracted),
                terms: if draft.home { std::mem::take(&mut change) } else { TermChange::default() },
            });
        }
        Ok(())
    }

    /// The alias of a patient's chart; drafts the event that opens it if it does not exist.
    fn chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, StoreError> {
        if let Some(alias) = self.charts.get(patient) {
            return Ok(*alias);
        }
        let existing = self.view.chart(patient)?.map(|chart| chart.alias());
        self.expectations.push(Expectation::Chart(patient.clone(), existing));
        let alias = match existing {
            Some(alias) => alias,
            None => self.open_chart(patient)?,
        };
        self.charts.insert(patient.clone(), alias);
        Ok(alias)
    }

    /// Drafts the event of a request that changes nothing, but whose key must be kept.
    pub(super) fn keep_key(&mut self) {
        let envelope = Envelope {
            schema: SCHEMA,
            event_type: EventType { subject: "request".to_owned(), happening: Happening::Answered },
            patient: None,
            resource: None,
            home: None,
            actor: self.grant.actor().clone(),
            idempotency: None,
        };
        self.events.push(without_body(StreamAlias::NONE, envelope));
    }

    fn open_chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, StoreError> {
        let alias = self.fresh_alias()?;
        let envelope = Envelope {
            schema: SCHEMA,
            event_type: EventType { subject: "chart".to_owned(), happening: Happening::Opened },
            patient: Some(patient.to_string()),
            resource: None,
            home: None,
            actor: self.grant.actor().clone(),
            idempotency: None,
        };
        self.opened.push(without_body(alias, envelope));
        Ok(alias)
    }

    /// A random alias that no chart has.
    fn fresh_alias(&self) -> Result<StreamAlias, StoreError> {
        loop {
            let mut bytes = [0; 8];
            aws_lc_rs::rand::fill(&mut bytes)
                .map_err(|_| StoreError::System(std::io::Error::other("no randomness")))?;
            let alias = StreamAlias(u64::from_le_bytes(bytes));
            if alias != StreamAlias::NONE && self.view.patient(alias)?.is_none() {
                return Ok(alias);
            }
        }
    }
}

/// An event about no resource.
fn without_body(alias: StreamAlias, envelope: Envelope) -> Prepared {
    Prepared {
        alias,
        resource_version: 0,
        payload: Payload::encode(&envelope, 0, &[]),
        envelope,
        holds_body: false,
        retracted: false,
        terms: TermChange::default(),
    }
}
