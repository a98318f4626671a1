//! Reading AuditEvents.

use super::project::Told;
use super::units::units;
use super::{AuditEventId, AuditQuery};
use crate::access::Look;
use crate::audit::accesses::{PageMax, find, hide_token};
use crate::audit::filter::{Wanted, reach};
use crate::audit::reader::{EntryReader, Found};
use crate::audit::walk::{Step, Walk};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::search::Criterion;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::json::Document;
use crate::records::{Records, RecordsError};
use crate::view::ViewError;

/// AuditEvents that one page makes to find those that are wanted; then it ends.
const MADE_MAX: usize = 2_000;
/// Records of the index in whose time a page is made: forty for each AuditEvent.
const PAGE_RECORDS: u64 = 80_000;

/// An AuditEvent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The resource, JSON.
    pub body: Vec<u8>,
}

/// The AuditEvents that meet a query, from where a page begins; and where the next page begins, if there may be one.
///
/// # Errors
///
/// As [`crate::audit::accesses`].
pub fn audit_events(
    records: &Records,
    grant: &Grant,
    query: &AuditQuery,
    from: Option<AuditEventId>,
    limit: usize,
) -> Result<(Vec<AuditEvent>, Option<AuditEventId>), RecordsError> {
    let view = records.view();
    page(&EntryReader::new(records, &view), grant, query, from, PageMax::of(limit))
}

/// How many AuditEvents meet a query.
///
/// # Errors
///
/// As [`audit_events`]; [`ViewError::Costly`] when more would have to be looked at than one request may.
pub fn count_audit_events(
    records: &Records,
    grant: &Grant,
    query: &AuditQuery,
) -> Result<usize, RecordsError> {
    let view = records.view();
    let reader = EntryReader::new(records, &view);
    let most = PageMax::of(MADE_MAX);
    let (mut count, mut from) = (0, None);
    loop {
        let (events, next) = page(&reader, grant, query, from, most)?;
        count += events.len();
        if next.is_none() {
            return Ok(count);
        }
        from = next;
        grant.budget().read(PAGE_RECORDS).map_err(ViewError::from)?;
    }
}

/// As [`audit_events`], with as much as a page of its own size holds.
pub(in crate::audit) fn page(
    reader: &EntryReader<'_>,
    grant: &Grant,
    query: &AuditQuery,
    from: Option<AuditEventId>,
    most: PageMax<'_>,
) -> Result<(Vec<AuditEvent>, Option<AuditEventId>), RecordsError> {
    let own = reach(grant, Permission::Read)?.cloned();
    let (records, view) = (reader.records, reader.view);
    let mut filter = query.filter.clone();
    if filter.patient.is_none() {
        filter.patient.clone_from(&own);
    }
    let wanted = match Wanted::new(records, view, grant, &filter) {
        Err(RecordsError::NotFound(_)) => return Ok((Vec::new(), None)),
        wanted => wanted?,
    };
    let maker = Maker { reader, own: own.as_ref(), resources_max: most.resources };
    let mut walk =
        Walk::new(reader, &wanted, query.sort, from.map(|from| from.access), most.stretch)?;
    let mut events = Vec::new();
    let (mut made, mut resources) = (0, 0u64);
    loop {
        let found = match walk.next()? {
            Step::End => return Ok((events, None)),
            Step::Stopped(access) => {
                return Ok((events, Some(AuditEventId { access, part: None })));
            }
            Step::Found(found) => *found,
        };
        for (part, look) in units(reader, &found)? {
            let id = AuditEventId { access: found.id, part };
            let is_passed = from.is_some_and(|from| from.access == id.access && part < from.part);
            if is_passed || !maker.may_tell(&look)? {
                continue;
            }
            let is_full = events.len() == most.entries || resources > most.resources_in_all as u64;
            if is_full || made == MADE_MAX {
                return Ok((events, Some(id)));
            }
            made += 1;
            resources = resources.saturating_add(look.shown.count());
            let event = maker.make(id, &found, &look)?;
            let is_wanted =
                query.criteria.is_empty() || meets(&event, &query.criteria, records.base_url())?;
            if is_wanted {
                events.push(event);
            }
        }
    }
}

/// One AuditEvent, with all that it names.
///
/// # Errors
///
/// As [`crate::audit::access`].
pub fn audit_event(
    records: &Records,
    grant: &Grant,
    id: AuditEventId,
) -> Result<AuditEvent, RecordsError> {
    let own = reach(grant, Permission::Read)?.cloned();
    let view = records.view();
    let mut reader = EntryReader::new(records, &view);
    let found = find(&mut reader, grant, own.as_ref(), id.access)?;
    let missing = || RecordsError::NotFound(format!("AuditEvent/{id}"));
    let units = units(&reader, &found)?;
    let (_, look) = units.into_iter().find(|(part, _)| *part == id.part).ok_or_else(missing)?;
    let maker = Maker { reader: &reader, own: own.as_ref(), resources_max: usize::MAX };
    match maker.may_tell(&look)? {
        true => maker.make(id, &found, &look),
        false => Err(missing()),
    }
}

struct Maker<'a> {
    reader: &'a EntryReader<'a>,
    /// The patient for whom it is made, if it is for one.
    own: Option<&'a ResourceId>,
    resources_max: usize,
}

impl Maker<'_> {
    /// Whether a part of a request is for the caller to know of.
    fn may_tell(&self, look: &Look) -> Result<bool, RecordsError> {
        let Some(own) = self.own else { return Ok(true) };
        let chart = self.reader.view.chart(own)?;
        Ok(chart.is_some_and(|chart| look.charts.contains(&chart.alias())))
    }

    fn make(
        &self,
        id: AuditEventId,
        found: &Found,
        look: &Look,
    ) -> Result<AuditEvent, RecordsError> {
        let named = self.reader.named_for(look, self.own, self.resources_max)?;
        let mut entry = found.entry.clone();
        if self.own.is_some() {
            hide_token(&mut entry);
        }
        let (recorded_at, server) = (found.recorded_at, self.reader.records.base_url());
        let told = Told { id, recorded_at, entry: &entry, look, named: &named, server };
        Ok(AuditEvent { id, recorded_at, body: told.resource().to_string().into_bytes() })
    }
}

fn meets(
    event: &AuditEvent,
    criteria: &[Criterion],
    base_url: Option<&str>,
) -> Result<bool, RecordsError> {
    let unreadable = || RecordsError::unreadable(format!("AuditEvent/{} is not one", event.id));
    let id = ResourceId::parse(&event.id.to_string()).map_err(|_| unreadable())?;
    let key = ResourceKey::new(ResourceType::AUDIT_EVENT, id);
    let document = Document::parse(event.body.clone()).map_err(|_| unreadable())?;
    let holds = |criterion: &Criterion| {
        criterion.holds_of(&key, event.recorded_at, document.root(), base_url) == Some(true)
    };
    Ok(criteria.iter().all(holds))
}
