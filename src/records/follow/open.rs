//! From the index to the events: which come into question, and what they say.

use std::sync::Arc;

use super::outline::{OUTLINES_MAX, OpenedEvent, Outline};
use super::sight::Sight;
use super::{BatchLimits, LogEvent, PASSED_MAX, size_of};
use crate::chart::{Actor, EventKind, EventType, Payload, Stated};
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::fhir::search::Criteria;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::{Document, JsonError};
use crate::log::{Frame, StreamAlias};
use crate::numbers::{Position, ResourceVersion};
use crate::records::error::unreadable;
use crate::records::{Records, RecordsError, Resource};
use crate::view::{Change, EventPlace, LoggedEvent, View};

/// How many times larger bodies are than their frames, about: more are then hardly read than fit into a batch.
const EXPANSION: usize = 4;

/// An event that comes into question.
pub(super) struct Candidate {
    event: LoggedEvent,
    sealed: Sealed,
    /// Number of its commit among those of the batch.
    commit: u64,
}

/// An event that is still to be opened, or was opened for another reader.
enum Sealed {
    Frame(Frame),
    Known(Arc<Outline>),
}

impl Sealed {
    fn alias(&self) -> StreamAlias {
        match self {
            Self::Frame(frame) => frame.alias,
            Self::Known(outline) => outline.alias,
        }
    }

    fn ends_commit(&self) -> bool {
        match self {
            Self::Frame(frame) => frame.last_of_commit,
            Self::Known(outline) => outline.ends_commit,
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.length(),
            Self::Known(outline) => outline.length,
        }
    }
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
    /// Behind the last event.
    pub(super) head: Position,
    /// The outlines of events from here on are kept.
    recent: Position,
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
        let head = view.applied_events()?;
        let recent = Position::new(head.get().saturating_sub(OUTLINES_MAX as u64));
        Ok(Self { records, view, sight, own, head, recent })
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
        // The last event that was opened: its parts are of its commit.
        let mut last = None;
        let bytes_max = match self.sight.filter.with_bodies {
            true => limits.bytes / EXPANSION,
            false => limits.bytes,
        };
        let mut is_in_commit = false;
        let range = from..head.max(from);
        for (passed, event) in self.view.logged(range.clone())?.enumerate() {
            let event = event?;
            let is_full = candidates.len() >= limits.events || bytes >= bytes_max;
            let is_part = event.place.part > 0;
            if !is_in_commit && !is_part && (is_full || passed >= PASSED_MAX) {
                return Ok((candidates, event.position));
            }
            let is_wanted = self.may_be_wanted(&event);
            if !is_wanted && !is_in_commit {
                continue;
            }
            let sealed = self.sealed(&event)?;
            commit += u64::from(!is_in_commit && last != Some(event.position));
            last = Some(event.position);
            is_in_commit = if is_part { is_in_commit } else { !sealed.ends_commit() };
            if is_wanted {
                bytes += sealed.length();
                candidates.push(Candidate { event, sealed, commit });
            }
        }
        Ok((candidates, range.end))
    }

    fn sealed(&self, event: &LoggedEvent) -> Result<Sealed, RecordsError> {
        let known = (event.position >= self.recent && !self.sight.filter.needs_payload())
            .then(|| self.records.outlines.of(self.view.generation(), event.id()));
        Ok(match known.flatten() {
            Some(outline) => Sealed::Known(outline),
            None => Sealed::Frame(self.records.keys.reader().frame(event.place.location)?),
        })
    }

    fn may_be_wanted(&self, event: &LoggedEvent) -> bool {
        let filter = &self.sight.filter;
        if !event.is_readable {
            return self.sight.sees_erasures()
                && (filter.patient.is_none() || event.chart == self.sight.chart);
        }
        // What says nothing today is shown to who asks for what was written.
        if event.is_dropped && (event.place.part > 0 || !filter.with_payloads) {
            return false;
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
        let Candidate { event, sealed, .. } = candidate;
        let alias = sealed.alias();
        if !event.is_readable {
            return Ok(Some(erased(&event, alias)));
        }
        let (outline, mut payload, written) = match sealed {
            Sealed::Known(outline) => (outline, Vec::new(), None),
            Sealed::Frame(frame) => {
                let (view, place) = (self.view, event.place);
                match OpenedEvent::open(self.records, view, frame, place, event.kind)? {
                    Some(OpenedEvent { outline, payload, written }) => {
                        let outline = Arc::new(outline);
                        if event.position >= self.recent {
                            let generation = self.view.generation();
                            self.records.outlines.keep(generation, event.id(), &outline);
                        }
                        (outline, payload, written)
                    }
                    // Erased while it was on its way.
                    None => return Ok(self.sight.sees_erasures().then(|| erased(&event, alias))),
                }
            }
        };
        if let Some(chart) = outline.erased {
            return Ok(self.sees_erasure(&outline, chart).then(|| erased(&event, chart)));
        }
        let filter = &self.sight.filter;
        // Decided by what the event says itself; the index has only saved the opening of others.
        let key = outline.key.as_ref();
        let kind = key.map(|key| key.kind);
        if !self.sight.reaches(kind, event.chart, self.own)
            || !filter.admits_kind(kind)
            || self.sight.chart.is_some_and(|chart| event.chart != Some(chart))
            || !filter.admits_type(&outline.event_type)
        {
            return Ok(None);
        }
        let stated = match filter.needs_actor() {
            true => Some(Payload::decode(&payload).envelope().map_err(|_| unreadable())?.actor),
            false => None,
        };
        let actor = match stated.map(|stated| self.actor(&event, alias, stated)).transpose() {
            // As above.
            Err(RecordsError::Engine(EngineError::Erased(_))) => {
                return Ok(self.sight.sees_erasures().then(|| erased(&event, alias)));
            }
            actor => actor?,
        };
        if !filter.admits_actor(actor.as_deref()) {
            return Ok(None);
        }
        let written = filter.with_payloads.then(|| written.unwrap_or_else(|| payload.clone()));
        let body = payload.split_off(outline.body_at.min(payload.len()));
        let body = if filter.needs_body() { self.body(&event, body)? } else { None };
        let mut leaves = false;
        if let Some(key) = key.filter(|_| !filter.criteria.is_empty()) {
            let now = body.as_ref().map(|body| (body.as_slice(), event.recorded_at));
            if !self.matches(key, now)? {
                leaves = self.matched_before(key, &event)?;
                if !leaves {
                    return Ok(None);
                }
            }
        }
        if let Some(key) = key.filter(|_| !filter.triggers.is_empty()) {
            // Of a resource in several charts there are several events, of which one is told.
            if event.home != event.id() && !self.sight.is_confined(key.kind) {
                return Ok(None);
            }
            let now = body.as_ref().map(|body| (body.clone(), event.recorded_at));
            let before = self.version_before(key, &event)?;
            if !self.is_triggered(key, before, now)? {
                return Ok(None);
            }
        }
        let body = key.zip(body).filter(|_| filter.with_bodies).map(|(key, body)| Resource {
            key: key.clone(),
            version: event.version,
            recorded_at: event.recorded_at,
            event: Some(event.home),
            body,
        });
        let patient = match event.chart {
            // A part in a further chart is read where the resource is at home.
            Some(chart) if event.place.part > 0 => self.view.patient(chart)?,
            Some(_) => outline.patient.clone(),
            None => None,
        };
        Ok(Some(LogEvent {
            position: event.position,
            part: event.place.part,
            recorded_at: event.recorded_at,
            event_type: outline.event_type.clone(),
            chart: event.chart,
            patient,
            chart_version: event.chart_version,
            resource: outline.resource.clone(),
            version: event.version,
            reason: outline.reason.clone(),
            rights: outline.rights.clone(),
            leaves,
            ends_commit: false,
            goes_on: false,
            actor: actor.filter(|_| filter.with_actors),
            body,
            payload: written,
        }))
    }

    /// Who caused an event: said in it, or in an earlier one of its commit in the same chart.
    fn actor(
        &self,
        event: &LoggedEvent,
        alias: StreamAlias,
        stated: Stated,
    ) -> Result<Box<Actor>, RecordsError> {
        let version = event.chart_version.unwrap_or_default();
        let (alias, stated) = match event.chart.filter(|_| event.place.part > 0) {
            // The envelope of a part is that of the resource's home, which may be another chart.
            Some(chart) => (chart, self.records.stated(self.view, chart, version)?),
            None => (alias, stated),
        };
        self.records.actor(self.view, alias, version, stated)
    }

    /// Whether the caller may know that a chart was erased, and wants to.
    fn sees_erasure(&self, outline: &Outline, chart: StreamAlias) -> bool {
        self.sight.sees_erasures()
            && self.sight.filter.admits_type(&outline.event_type)
            && self.sight.chart.is_none_or(|wanted| wanted == chart)
    }

    /// The body that a chart holds after an event: in the event itself, or in the one at home.
    fn body(&self, event: &LoggedEvent, own: Vec<u8>) -> Result<Option<Vec<u8>>, RecordsError> {
        if !event.holds_body {
            return Ok(None);
        }
        if event.home == event.id() {
            return Ok(Some(own));
        }
        let home = self.view.logged_at(event.home)?;
        match home.filter(|home| home.is_readable).zip(event.kind) {
            Some((home, kind)) => self.stored(kind, home.place),
            None => Ok(None),
        }
    }

    /// The body that an event brings; `None`: erased.
    fn stored(&self, kind: ResourceType, at: EventPlace) -> Result<Option<Vec<u8>>, RecordsError> {
        match self.records.body(self.view, kind, at) {
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
                let home = self.view.logged_at(event.home)?;
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
        Ok(self.stored(key.kind, past.place)?.map(|body| (body, past.recorded_at)))
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
        criteria.all.iter().all(|criterion| {
            criterion.holds_of(key, recorded_at, document.root(), base_url) == Some(true)
        })
    }
}

/// An event of which nothing is left, or the one that says so: which chart was erased.
fn erased(event: &LoggedEvent, chart: StreamAlias) -> LogEvent {
    LogEvent {
        position: event.position,
        part: 0,
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
        goes_on: false,
        actor: None,
        body: None,
        payload: None,
    }
}
