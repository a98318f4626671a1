//! From decided events to events that are ready to be committed.

use std::sync::Arc;

use super::planner::Planner;
use super::seal::Unsealed;
use super::weigh::{Before, Content};
use super::{Expectation, RecordsError};
use crate::chart::{Drafted, Envelope, EventKind, EventType, Stated};
use crate::engine::{EngineError, Prepared};
use crate::fhir::{ResourceId, ResourceKey, ResourceType, Term, terms_of};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::numbers::ResourceVersion;
use crate::view::TermChange;

impl Planner<'_> {
    /// Makes the events of one resource ready; gives the terms of its new content.
    pub(super) fn draft(
        &mut self,
        key: &ResourceKey,
        version: ResourceVersion,
        before: Option<&Before>,
        content: Option<&Content>,
        drafted: &[Drafted],
    ) -> Result<Vec<Term>, RecordsError> {
        let terms = |document: Option<&Document>| {
            let parameters = self.view.parameters();
            let of = |document: &Document| terms_of(parameters, key.kind, document.root(), None);
            document.map(of).unwrap_or_default()
        };
        let old = before.and_then(|before| before.body.as_ref()).map(|(_, document)| document);
        let new = terms(content.map(|content| &content.document));
        let mut change = Arc::new(TermChange::between(&terms(old), &new));
        for (steps, draft) in (0u32..).zip(drafted) {
            let alias = match &draft.patient {
                Some(patient) => self.chart(patient)?,
                None => StreamAlias::NONE,
            };
            self.grant.saw_chart(alias);
            let mut envelope =
                Envelope::new(EventType::of(key, draft.event_kind), self.grant.actor().clone());
            envelope.actor = self.stated_actor(alias);
            envelope.resource = Some(key.to_string());
            envelope.content = self.records.engine.upcasters().content_of(key.kind);
            envelope.version = version;
            envelope.home = (!draft.home).then_some(steps);
            envelope.rights = self.rights(key, content).filter(|_| draft.home);
            let stored = content.filter(|_| draft.home).map(|content| &content.stored);
            self.events.push(Unsealed {
                alias,
                patient: draft.patient.clone(),
                envelope,
                body: stored.map(|stored| stored.bytes.clone()).unwrap_or_default(),
                wrap: None,
                holds_body: content.is_some() && draft.event_kind != EventKind::MovedOut,
                retracted: content.is_some_and(|content| content.retracted),
                terms: if draft.home { std::mem::take(&mut change) } else { Arc::default() },
            });
        }
        Ok(new)
    }

    /// The alias of a patient's chart; drafts the event that opens it if it does not exist.
    fn chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, RecordsError> {
        if let Some(alias) = self.charts.get(patient) {
            return Ok(*alias);
        }
        let existing = self.view.chart(patient)?.map(|chart| chart.alias());
        if existing.is_none() {
            let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
            if self.records.engine.was_erased(self.view, &key)? {
                return Err(RecordsError::erased(format!("the chart of patient {patient}")));
            }
        }
        self.expectations.push(Expectation::Chart(patient.clone(), existing));
        let alias = match existing {
            Some(alias) => alias,
            None => self.open_chart(patient)?,
        };
        self.charts.insert(patient.clone(), alias);
        Ok(alias)
    }

    /// The actor, or how far back in the chart this commit has said it.
    fn stated_actor(&mut self, alias: StreamAlias) -> Stated {
        if alias != StreamAlias::NONE {
            let said = self.said.entry(alias).or_default();
            *said += 1;
            if *said > 1 {
                return Stated::Before(*said - 1);
            }
        }
        Stated::Here(Box::new(self.grant.actor().clone()))
    }

    /// Drafts the event of a request that changes nothing, but whose key must be kept.
    pub(super) fn keep_key(&mut self) {
        let event_type =
            EventType { subject: "request".to_owned(), event_kind: EventKind::Answered };
        let envelope = Envelope::new(event_type, self.grant.actor().clone());
        self.events.push(Unsealed::without_body(StreamAlias::NONE, None, envelope));
    }

    fn open_chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, RecordsError> {
        let alias = self.fresh_alias()?;
        let event_type = EventType { subject: "chart".to_owned(), event_kind: EventKind::Opened };
        let mut envelope = Envelope::new(event_type, self.grant.actor().clone());
        envelope.actor = self.stated_actor(alias);
        envelope.patient = Some(patient.to_string());
        let (key, wrap) = self.records.keys.vault().create_key(alias, patient.as_str())?;
        self.expectations.push(Expectation::Epoch(wrap.epoch()));
        self.keys.insert(alias, key);
        let mut event = Unsealed::without_body(alias, Some(patient.clone()), envelope);
        event.wrap = Some(wrap);
        self.opened.push(event);
        Ok(alias)
    }

    /// A random alias that no chart has.
    fn fresh_alias(&self) -> Result<StreamAlias, RecordsError> {
        loop {
            let mut bytes = [0; 8];
            aws_lc_rs::rand::fill(&mut bytes)
                .map_err(|_| EngineError::System(std::io::Error::other("no randomness")))?;
            let alias = StreamAlias(u64::from_le_bytes(bytes));
            if alias.is_of_chart() && self.view.patient(alias)?.is_none() {
                return Ok(alias);
            }
        }
    }

    /// Seals a drafted event; the key of a chart that this write opens is not in the views yet.
    pub(super) fn seal(&self, event: Unsealed) -> Result<Prepared, RecordsError> {
        let alias = event.alias;
        match self.keys.get(&alias) {
            Some(key) => event.seal(key),
            None => event.seal(&*self.records.keys.of(self.view, alias)?),
        }
    }
}
