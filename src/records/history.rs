//! Histories: the versions of one resource, of a type, or of everything (FHIR R4 §3.1.0.12).
//!
//! Newest first. A page ends at a place in the log, and the first page says up to where the log was
//! looked at; so what is written between two pages neither shifts nor repeats anything.

use std::cell::OnceCell;

use super::reach::Reach;
use super::resource::{Facts, PAGE_BYTES_MAX, may_know, note};
use super::{Records, RecordsError, Resource};
use crate::auth::{Denied, Grant, Permission, Rights};
use crate::clock::Instant;
use crate::engine::{EngineError, Settled};
use crate::fhir::search::Span;
use crate::fhir::{ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceVersion};
use crate::view::{Change, Head, Order, PastVersion, View};

/// Most records and versions that one page looks at for those that belong to it.
const LOOKS_MAX: usize = 20_000;
/// Most versions of one resource that are counted.
const COUNTED_MAX: u64 = 1_000;

/// One version in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Of which resource.
    pub key: ResourceKey,
    /// FHIR's `versionId`.
    pub version: ResourceVersion,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The event that brought it.
    pub event: EventId,
    /// True when the resource did not exist (any more) before it.
    pub first: bool,
    /// The content; `None` when this version is a deletion.
    pub resource: Option<Resource>,
}

/// Whose history is wanted.
#[derive(Debug, Clone)]
pub enum HistoryOf {
    /// Of one resource.
    Resource(ResourceKey),
    /// Of all resources of a type.
    Type(ResourceType),
    /// Of all resources of the types that the caller may search.
    System,
}

/// A page of a history.
#[derive(Debug, Clone)]
pub struct HistoryRequest {
    /// Whose.
    pub of: HistoryOf,
    /// Only versions that were recorded at this moment or later.
    pub since: Option<Instant>,
    /// Only versions that were current at some moment of this time.
    pub at: Option<(Span, Settled)>,
    /// Where the page begins; `None`: at the newest version.
    pub from: Option<HistoryPlace>,
    /// Most versions on the page; 0 only counts those of one resource.
    pub limit: usize,
}

impl HistoryRequest {
    /// The first page of a whole history.
    #[must_use]
    pub fn newest(of: HistoryOf, limit: usize) -> Self {
        Self { of, since: None, at: None, from: None, limit }
    }
}

/// A place between two pages: of one resource its versions, otherwise positions in the log; so both
/// are plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPlace {
    /// What the first page did not see: this, and all that is later, is as if it were not.
    pub end: u64,
    /// The page shows what stands before this.
    pub before: u64,
}

/// Some versions, newest first.
#[derive(Debug, Clone, Default)]
pub struct HistoryPage {
    /// The versions.
    pub versions: Vec<Version>,
    /// How many there are on all pages; only of one resource, and if they are not too many.
    pub total: Option<usize>,
    /// Where the next page begins, if there may be one.
    pub next: Option<HistoryPlace>,
    /// Bytes of the versions.
    bytes: usize,
}

impl HistoryPage {
    fn is_full(&self, limit: usize) -> bool {
        self.versions.len() >= limit || self.bytes >= PAGE_BYTES_MAX
    }

    fn push(&mut self, version: Version) {
        self.bytes += version.resource.as_ref().map_or(0, |resource| resource.body.len());
        self.versions.push(version);
    }
}

impl Records {
    /// A page of a history. A version that lay in another chart is left out for who reaches only
    /// their own. The page may be short, or empty, and the next one full: the walk over the log is
    /// bounded.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`]; [`RecordsError::NotFound`] of one resource; [`EngineError::Busy`].
    pub fn history(
        &self,
        grant: &Grant,
        request: &HistoryRequest,
    ) -> Result<HistoryPage, RecordsError> {
        let reach = VisibleTypes::of(grant, &request.of)?;
        let view = self.views.view();
        let walk = PageBuilder { records: self, view: &view, grant, request, reach };
        match &request.of {
            HistoryOf::Resource(key) => walk.of_resource(key),
            HistoryOf::Type(_) | HistoryOf::System => walk.of_many(),
        }
    }
}

/// The types of which the caller may see versions, and which.
struct VisibleTypes<'a>(Vec<(ResourceType, Rights<'a>)>);

impl<'a> VisibleTypes<'a> {
    fn of(grant: &'a Grant, of: &HistoryOf) -> Result<Self, Denied> {
        let one = |kind, permission| Ok(Self(vec![(kind, grant.rights(kind, permission)?)]));
        match of {
            HistoryOf::Resource(key) => one(key.kind, Permission::Read),
            HistoryOf::Type(kind) => one(*kind, Permission::Search),
            HistoryOf::System => {
                let rights = |kind| Some((kind, grant.rights(kind, Permission::Search).ok()?));
                let types: Vec<_> = ResourceType::all().filter_map(rights).collect();
                match types.is_empty() {
                    true => Err(grant.denied(Permission::Search, "any type")),
                    false => Ok(Self(types)),
                }
            }
        }
    }

    /// The rights on a type; `None`: there are none.
    fn to(&self, kind: ResourceType) -> Option<&Rights<'a>> {
        self.0.iter().find(|(known, _)| *known == kind).map(|(_, rights)| rights)
    }
}

/// One page while it is gathered.
struct PageBuilder<'a> {
    records: &'a Records,
    view: &'a View,
    grant: &'a Grant,
    request: &'a HistoryRequest,
    reach: VisibleTypes<'a>,
}

impl PageBuilder<'_> {
    fn of_resource(&self, key: &ResourceKey) -> Result<HistoryPage, RecordsError> {
        let missing = || RecordsError::NotFound(key.to_string());
        let rights = self.reach.to(key.kind).ok_or_else(missing)?;
        let may_know = may_know(rights, key);
        let absent = || self.records.absent(self.view, may_know, key, key.to_string());
        let head = self.view.head(key)?.ok_or_else(absent)?;
        let end = head.version.next().get();
        let newest = HistoryPlace { end, before: end };
        let place = self.request.from.unwrap_or(newest);
        let is_only_counted = self.request.limit == 0;
        let is_counted = is_only_counted || place.end <= COUNTED_MAX;
        // The version above the first of the page says until when that was current.
        let start =
            if is_counted { place.end } else { place.before.saturating_add(1).min(place.end) };
        let mut page = HistoryPage::default();
        let (mut is_visible, mut total, mut until) = (false, 0, None);
        for entry in self.view.versions(&head, ResourceVersion::new(start)) {
            let (version, past) = entry?;
            self.grant.budget().read(1)?;
            note(self.grant, head.id, past.aliases());
            let is_wanted = self.is_in_time(past.recorded_at, past.live, until);
            until = Some(past.recorded_at);
            let facts = Facts::from(&past);
            if !self.records.admits(self.view, self.grant, rights, key, &facts)? {
                continue;
            }
            is_visible = true;
            if !is_wanted {
                continue;
            }
            total += 1;
            if version.get() >= place.before {
                continue;
            }
            if !page.is_full(self.request.limit) {
                page.push(self.version(key, version, &past, facts)?);
            } else if page.next.is_none() && !is_only_counted {
                page.next = Some(HistoryPlace { before: version.next().get(), ..place });
                if !is_counted {
                    break;
                }
            }
        }
        if !is_visible {
            return Err(missing());
        }
        page.total = is_counted.then_some(total);
        Ok(page)
    }

    fn version(
        &self,
        key: &ResourceKey,
        version: ResourceVersion,
        past: &PastVersion,
        facts: Facts,
    ) -> Result<Version, RecordsError> {
        let read = || self.records.past(self.view, self.grant, key, version, past, facts);
        let resource = past.live.then(read).transpose()?;
        let PastVersion { recorded_at, first, .. } = *past;
        let event = past.event();
        Ok(Version { key: key.clone(), version, recorded_at, event, first, resource })
    }

    fn of_many(&self) -> Result<HistoryPage, RecordsError> {
        let events = self.view.applied_events()?.get();
        let place = self.request.from.unwrap_or(HistoryPlace { end: events, before: events });
        let position_at = |micros| self.view.position_at(Instant::from_micros(micros));
        let until =
            self.request.at.map(|(at, _)| position_at(at.to.saturating_add(1))).transpose()?;
        let since = self.request.since.map(|since| position_at(since.micros())).transpose()?;
        let last = Position::new(place.end.min(place.before));
        let last = until.map_or(last, |until| last.min(until));
        let first = since.unwrap_or_default().min(last);
        let mut page = HistoryPage::default();
        let mut looks = 0;
        for record in self.view.changes(first..last, Order::Descending)? {
            let (passed, changes) = record?;
            self.grant.budget().read(1)?;
            looks += 1;
            for change in &changes {
                let Some(rights) = self.reach.to(change.kind) else { continue };
                looks += 1;
                if !self.is_wanted(change, Position::new(place.end))? {
                    continue;
                }
                let Some(version) = self.seen(change, rights)? else { continue };
                // Parts of one event are on one page.
                let goes_on = page
                    .versions
                    .last()
                    .is_some_and(|last| last.event.position() == change.position);
                if page.is_full(self.request.limit) && !goes_on {
                    page.next =
                        Some(HistoryPlace { before: change.position.next().get(), ..place });
                    return Ok(page);
                }
                page.push(version);
            }
            if looks >= LOOKS_MAX && passed > first {
                page.next = Some(HistoryPlace { before: passed.get(), ..place });
                return Ok(page);
            }
        }
        Ok(page)
    }

    /// Whether a change belongs to the time that is asked for.
    fn is_wanted(&self, change: &Change, events: Position) -> Result<bool, RecordsError> {
        let is_before =
            self.request.at.is_some_and(|(at, _)| change.recorded_at.micros() < at.from);
        let until = if is_before && change.live {
            self.view.superseded(change.number, change.version, events)?
        } else {
            None
        };
        Ok(self.is_in_time(change.recorded_at, change.live, until))
    }

    /// Whether a version belongs to the time that is asked for: recorded then, or current when that
    /// time began (FHIR R4 §3.1.0.12, `_at`). A deletion from before leaves nothing current.
    fn is_in_time(&self, recorded_at: Instant, live: bool, until: Option<Instant>) -> bool {
        let is_since = self.request.since.is_none_or(|since| recorded_at >= since);
        let is_at = self.request.at.is_none_or(|(at, _)| {
            let is_within = at.contains(recorded_at.micros());
            let is_current = recorded_at.micros() < at.from
                && live
                && until.is_none_or(|until| until.micros() > at.from);
            is_within || is_current
        });
        is_since && is_at
    }

    /// The version that a change made, if it lies within the caller's reach.
    fn seen(&self, change: &Change, rights: &Rights<'_>) -> Result<Option<Version>, RecordsError> {
        let alone = |chart: Option<StreamAlias>| Vec::from_iter(chart);
        let charts = if change.is_in_several {
            match self.past(change)? {
                Some(past) => past.aliases().collect(),
                None => return Ok(None),
            }
        } else {
            alone(change.chart)
        };
        if Reach::of(self.view, rights)?.within(&charts).is_empty() {
            return Ok(None);
        }
        let (envelope, body) = match self.records.keys.read_event(self.view, change.place) {
            // It was erased since the page began.
            Err(EngineError::Erased(_)) => return Ok(None),
            read => read?,
        };
        self.grant.budget().open(body.len())?;
        let key = envelope.key().ok_or_else(super::error::unreadable)?;
        let Change { version, recorded_at, first, live, place, .. } = *change;
        let facts = Facts { charts, place, live, recorded_at, body: OnceCell::from(body) };
        if !self.records.admits(self.view, self.grant, rights, &key, &facts)? {
            return Ok(None);
        }
        facts.charts.into_iter().for_each(|chart| self.grant.saw_chart(chart));
        let resource = live.then(|| {
            let event = Some(change.id());
            let body = facts.body.into_inner().unwrap_or_default();
            Resource { key: key.clone(), version, recorded_at, event, body }
        });
        Ok(Some(Version { key, version, recorded_at, event: change.id(), first, resource }))
    }

    fn past(&self, change: &Change) -> Result<Option<PastVersion>, RecordsError> {
        let head: Option<Head> = self.view.head_of(change.number)?;
        Ok(match head {
            Some(head) => self.view.version(&head, change.version)?,
            None => None,
        })
    }
}
