//! From the index to the events: which come into question, and what they say.

use super::sight::Sight;
use super::{BatchLimits, LogEvent, PASSED_MAX, size_of};
use crate::chart::{Erasure, EventKind, EventType, Payload};
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::fhir::ResourceKey;
use crate::fhir::search::{Criteria, Criterion};
use crate::json::{Document, JsonError};
use crate::log::{Frame, Location, StreamAlias};
use crate::numbers::{Position, ResourceVersion};
use crate::records::error::unreadable;
use crate::records::{Records, RecordsError, Resource};
use crate::view::{Change, LoggedEvent, View};

/// How many times larger bodies are than their frames, about: more are then hardly read than fit into a batch.
const EXPANSION: usize = 4;

/// An event that comes into question.
pub(super) struct Candidate {
    event: LoggedEvent,
    frame: Frame,
    /// Number of its commit among those of the batch.
    commit: u64,
}

/// Events that were opened, each with the number of its commit.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) events: Vec<(u64, LogEvent)>,
    /// The first that was not opened, because those before it are enough.
    pub(super) stopped: Option<Position>,
}

/// One batch on one state of the views.
pub(super) struct Pass<'a> {
    pub(super) records: &'a Records,
    pub(super) view: &'a View,
    pub(super) sight: &'a Sight,
    /// The one chart that the caller may look into.
    pub(super) own: Option<StreamAlias>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        records: &'a Records,
        view: &'a View,
        sight: &'a Sight,
    ) -> Result<Self, RecordsError> {
        let own = match &sight.own {
            Some(own) => view.chart(own)?.map(|chart| chart.alias()),
            None => None,
        };
        Ok(Self { records, view, sight, own })
    }

    /// The events from a position on that come into question, by what the index says; and the position behind the
    /// last that was passed.
    pub(super) fn candidates(
        &self,
        from: Position,
        head: Position,
        limits: BatchLimits,
    ) -> Result<(Vec<Candidate>, Position), RecordsError> {
        let (mut candidates, mut bytes, mut commit) = (Vec::new(), 0, 0);
        let bytes_max = match self.sight.filter.with_bodies {
            true => limits.bytes / EXPANSION,
            false => limits.bytes,
        };
        let mut is_in_commit = false;
        let range = from..head.max(from);
        for (passed, event) in self.view.logged(range.clone()).enumerate() {
            let event = event?;
            let is_full = candidates.len() >= limits.events || bytes >= bytes_max;
            if !is_in_commit && (is_full || passed >= PASSED_MAX) {
                return Ok((candidates, event.position));
            }
            let is_wanted = self.may_be_wanted(&event);
            if !is_wanted && !is_in_commit {
                continue;
            }
            let frame = self.records.keys.reader().frame(event.location)?;
            commit += u64::from(!is_in_commit);
            is_in_commit = !frame.last_of_commit;
            if is_wanted {
                bytes += frame.length();
                candidates.push(Candidate { event, frame, commit });
            }
        }
        Ok((candidates, range.end))
    }

    fn may_be_wanted(&self, event: &LoggedEvent) -> bool {
        let filter = &self.sight.filter;
        if !event.is_readable {
            return self.sight.sees_erasures()
                && (filter.patient.is_none() || event.chart == self.sight.chart);
        }
        // That a chart was erased stands in the directory.
        let is_in_chart = |chart| event.chart == Some(chart) || event.chart.is_none();
        let may_be_erasure = event.kind.is_none() && event.chart.is_none();
        self.sight.reaches(event.kind, event.chart, self.own)
            && (filter.admits_kind(event.kind) || may_be_erasure && self.sight.sees_erasures())
            && self.sight.chart.is_none_or(is_in_chart)
    }

    /// Opens candidates one by one, until they take so many bytes and a commit has ended.
    pub(super) fn open(
        &self,
        candidates: Vec<Candidate>,
        bytes_max: usize,
    ) -> Result<Opened, RecordsError> {
        let mut opened = Opened::default();
        let (mut bytes, mut commit) = (0, 0);
        for candidate in candidates {
            if bytes >= bytes_max && candidate.commit != commit {
                opened.stopped = Some(candidate.event.position);
                break;
            }
            commit = candidate.commit;
            if let Some(event) = self.event(candidate)? {
                bytes += size_of(&event);
                opened.events.push((commit, event));
            }
        }
        Ok(opened)
    }

    /// What an event says, if the caller wants it and may see it.
    fn event(&self, candidate: Candidate) -> Result<Option<LogEvent>, RecordsError> {
        let Candidate { event, frame, .. } = candidate;
        let alias = frame.alias;
        if !event.is_readable {
            return Ok(Some(erased(&event, alias)));
        }
        let keys = &self.records.keys;
        let read = keys.of(self.view, alias).and_then(|key| {
            let payload = keys.open(self.view, frame, event.location)?;
            Ok((key, payload))
        });
        let (key, mut payload) = match read {
            Ok(read) => read,
            // Erased while it was on its way.
            Err(EngineError::Erased(_)) => {
                return Ok(self.sight.sees_erasures().then(|| erased(&event, alias)));
            }
            Err(error) => return Err(error.into()),
        };
        let parts = Payload::decode(&payload);
        let envelope = parts.outline().map_err(|_| unreadable())?;
        let start = payload.len() - parts.body.len();
        let body = payload.split_off(start);
        if envelope.event_type.event_kind == EventKind::Erased {
            return self.erasure(&event, envelope.event_type, &body);
        }
        let resource: Option<ResourceKey> =
            envelope.resource.as_deref().and_then(|key| key.parse().ok());
        let filter = &self.sight.filter;
        // Decided by what the event says itself; the index has only saved the opening of others.
        let kind = resource.as_ref().map(|key| key.kind);
        if !self.sight.reaches(kind, event.chart, self.own)
            || !filter.admits_kind(kind)
            || self.sight.chart.is_some_and(|chart| event.chart != Some(chart))
            || !filter.admits_type(&envelope.event_type)
        {
            return Ok(None);
        }
        let needs_body =
            filter.with_bodies || !filter.criteria.is_empty() || !filter.triggers.is_empty();
        let body = if needs_body { self.body(&event, body)? } else { None };
        let mut leaves = false;
        if let Some(resource) = resource.as_ref().filter(|_| !filter.criteria.is_empty()) {
            let now = body.as_ref().map(|body| (body.as_slice(), event.recorded_at));
            if !self.matches(resource, now)? {
                leaves = self.matched_before(resource, &event)?;
                if !leaves {
                    return Ok(None);
                }
            }
        }
        if let Some(resource) = resource.as_ref().filter(|_| !filter.triggers.is_empty()) {
            // Of a resource in several charts there are several events, of which one is told.
            if event.home != event.position && !self.sight.is_confined(resource.kind) {
                return Ok(None);
            }
            let now = body.as_ref().map(|body| (body.clone(), event.recorded_at));
            let before = self.version_before(resource, &event)?;
            if !self.is_triggered(resource, before, now)? {
                return Ok(None);
            }
        }
        let body = resource.zip(body).filter(|_| filter.with_bodies).map(|(key, body)| Resource {
            key,
            version: event.version,
            recorded_at: event.recorded_at,
            position: Some(event.home),
            body,
        });
        Ok(Some(LogEvent {
            position: event.position,
            recorded_at: event.recorded_at,
            event_type: envelope.event_type,
            chart: event.chart,
            patient: key.owner().parse().ok().filter(|_| event.chart.is_some()),
            chart_version: event.chart_version,
            resource: envelope.resource,
            version: event.version,
            reason: envelope.reason,
            rights: envelope.rights,
            leaves,
            ends_commit: false,
            body,
        }))
    }

    /// That a chart was erased, if the caller may know.
    fn erasure(
        &self,
        event: &LoggedEvent,
        event_type: EventType,
        body: &[u8],
    ) -> Result<Option<LogEvent>, RecordsError> {
        let chart = Erasure::decode(body).ok_or_else(unreadable)?.chart;
        let is_wanted = self.sight.sees_erasures()
            && self.sight.filter.admits_type(&event_type)
            && self.sight.chart.is_none_or(|wanted| wanted == chart);
        Ok(is_wanted.then(|| erased(event, chart)))
    }

    /// The body that a chart holds after an event: in the event itself, or in the one at home.
    fn body(&self, event: &LoggedEvent, own: Vec<u8>) -> Result<Option<Vec<u8>>, RecordsError> {
        if !event.holds_body {
            return Ok(None);
        }
        if event.home == event.position {
            return Ok(Some(own));
        }
        let home = self.view.logged(event.home..event.home.next()).next().transpose()?;
        match home.filter(|home| home.is_readable) {
            Some(home) => self.stored(home.location),
            None => Ok(None),
        }
    }

    /// The body in a frame; `None`: erased.
    fn stored(&self, at: Location) -> Result<Option<Vec<u8>>, RecordsError> {
        match self.records.body(self.view, at) {
            Err(RecordsError::Engine(EngineError::Erased(_))) => Ok(None),
            body => body.map(Some),
        }
    }

    /// Whether a resource matched the criteria before an event, where the caller could see it.
    fn matched_before(&self, key: &ResourceKey, event: &LoggedEvent) -> Result<bool, RecordsError> {
        let before = self.version_before(key, event)?;
        self.matches(key, before.as_ref().map(|(body, at)| (body.as_slice(), *at)))
    }

    /// What a resource was before an event, where the caller could see it.
    fn version_before(
        &self,
        key: &ResourceKey,
        event: &LoggedEvent,
    ) -> Result<Option<(Vec<u8>, Instant)>, RecordsError> {
        let change = match event.change {
            Some(change) => Some(change),
            None => {
                let home = self.view.logged(event.home..event.home.next()).next().transpose()?;
                home.and_then(|home| home.change)
            }
        };
        let Some(Change { number, version, first: false, .. }) = change else { return Ok(None) };
        let Some(head) = self.view.head_of(number)? else { return Ok(None) };
        let before = ResourceVersion::new(version.get().saturating_sub(1));
        let Some(past) = self.view.version(&head, before)? else { return Ok(None) };
        let is_hidden = self.sight.is_confined(key.kind)
            && !past.aliases().any(|alias| Some(alias) == self.own);
        if !past.live || is_hidden {
            return Ok(None);
        }
        Ok(self.stored(past.location)?.map(|body| (body, past.recorded_at)))
    }

    /// Whether a version of a resource matches one of the criteria.
    fn matches(
        &self,
        key: &ResourceKey,
        version: Option<(&[u8], Instant)>,
    ) -> Result<bool, RecordsError> {
        let Some((body, recorded_at)) = version else { return Ok(false) };
        let mut criteria =
            self.sight.filter.criteria.iter().filter(|one| one.kind == key.kind).peekable();
        if criteria.peek().is_none() {
            return Ok(false);
        }
        let document = Document::parse(body).map_err(|_| unreadable())?;
        Ok(criteria.any(|one| self.holds(one, key, &document, recorded_at)))
    }

    /// Whether a change of a resource pulls one of the triggers.
    fn is_triggered(
        &self,
        key: &ResourceKey,
        before: Option<(Vec<u8>, Instant)>,
        after: Option<(Vec<u8>, Instant)>,
    ) -> Result<bool, RecordsError> {
        let read = |version: Option<(Vec<u8>, Instant)>| {
            let read = version.map(|(body, at)| Ok((Document::parse(body)?, at)));
            read.transpose().map_err(|_: JsonError| unreadable())
        };
        let (before, after) = (read(before)?, read(after)?);
        let matches = |criteria: &Criteria, (document, at): &(Document, Instant)| {
            Ok::<_, RecordsError>(self.holds(criteria, key, document, *at))
        };
        for trigger in self.sight.filter.triggers.iter().filter(|one| one.kind == key.kind) {
            if trigger.is_pulled(before.as_ref(), after.as_ref(), matches)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether criteria hold of a version of a resource.
    fn holds(
        &self,
        criteria: &Criteria,
        key: &ResourceKey,
        document: &Document,
        recorded_at: Instant,
    ) -> bool {
        let base_url = self.records.base_url();
        criteria.all.iter().all(|criterion| match criterion {
            Criterion::LastUpdated(tests) => {
                tests.iter().any(|test| test.contains(recorded_at.micros()))
            }
            other => other.holds_of(key, document.root(), base_url) == Some(true),
        })
    }
}

/// An event of which nothing is left, or the one that says so: which chart was erased.
fn erased(event: &LoggedEvent, chart: StreamAlias) -> LogEvent {
    LogEvent {
        position: event.position,
        recorded_at: event.recorded_at,
        event_type: EventType { subject: "chart".to_owned(), event_kind: EventKind::Erased },
        chart: Some(chart),
        patient: None,
        chart_version: None,
        resource: None,
        version: ResourceVersion::default(),
        reason: None,
        rights: None,
        leaves: false,
        ends_commit: false,
        body: None,
    }
}
