//! A chart page by page, narrowed by time and type: what FHIR calls everything of a patient.

use std::collections::HashSet;

use super::chart::resolve;
use super::search::{Support, is_supporting};
use super::showing::{LOOKED_INTO, may_show_all};
use super::{At, Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::{Care, ResourceId, ResourceKey, ResourceType};
use crate::json::Document;
use crate::numbers::{ChartVersion, Position, ResourceNumber, ResourceVersion, Step};
use crate::view::{ChartRecord, Head, StreamEntry, View};

/// What of a chart is wanted.
#[derive(Debug, Clone)]
pub struct EverythingRequest {
    /// Whose chart.
    pub patient: ResourceId,
    /// Which state of it.
    pub at: At,
    /// How many events had happened in that state, for a page behind the first.
    pub end: Option<Position>,
    /// Only these types.
    pub only: Option<Vec<ResourceType>>,
    /// Only what was recorded at this moment or later.
    pub since: Option<Instant>,
    /// Only care of this time.
    pub care: Option<Care>,
    /// Step of the chart behind which the page starts; 0: at the beginning.
    pub after: Step,
    /// Most resources of the chart on the page; 0 only counts them, from `after` to the end of the chart.
    pub limit: usize,
    /// Bytes of opened resources after which the page takes no further one.
    pub bytes_max: usize,
    /// What went with the parts of the same answer that were sent before.
    pub shown: HashSet<ResourceKey>,
}

/// One page of a chart.
#[derive(Debug, Clone, Default)]
pub struct EverythingPage {
    /// The resources, in the order in which their bodies were recorded.
    pub resources: Vec<Resource>,
    /// What goes with them: the resources of no chart to which they refer.
    pub supporting: Vec<Resource>,
    /// How many of the chart they are, or would be if they were not only counted.
    pub count: usize,
    /// Version of the chart that all pages show.
    pub version: ChartVersion,
    /// How many events had happened then.
    pub end: Position,
    /// `after` of the next page, if there may be one.
    pub next: Option<Step>,
}

impl Records {
    /// A page of what a chart contains and the caller may read, and of what goes with it. It may be short, or empty, and the
    /// next one full: the work for a page is bounded.
    ///
    /// # Errors
    ///
    /// As [`Records::chart`]; [`RecordsError::Gone`] of a patient who was deleted.
    pub fn everything(
        &self,
        grant: &Grant,
        request: &EverythingRequest,
    ) -> Result<EverythingPage, RecordsError> {
        let state = self.state_of(grant, request)?;
        let mut support = Support::new(self, &request.shown);
        let mut page = self.own_page(grant, request, &state, &mut support)?;
        if request.limit > 0 {
            let supporting = support.resources(&state.view, grant, state.end)?;
            page.supporting.extend(supporting.into_iter().filter(|one| request.shows(one)));
        }
        Ok(page)
    }

    /// The state that is shown, if the patient was there.
    fn state_of(&self, grant: &Grant, request: &EverythingRequest) -> Result<State, RecordsError> {
        let patient = &request.patient;
        let (view, record) = self.open_chart(grant, patient)?;
        let version = resolve(&view, &record, patient, request.at)?;
        let end = match (request.end, request.at) {
            (Some(end), _) => end,
            (None, At::Moment(moment)) => {
                let behind = moment.moment().micros().saturating_add(1);
                view.position_at(Instant::from_micros(behind))?
            }
            (None, _) => view.applied_events()?,
        };
        let state = State { view, record, version, end };
        let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
        let held = state.view.head(&key)?;
        let held = match &held {
            Some(head) => state.held(head)?,
            None => None,
        };
        match held {
            Some((_, true)) => Ok(state),
            Some((version, false)) => Err(RecordsError::Gone { what: key.to_string(), version }),
            None => Err(RecordsError::NotFound(key.to_string())),
        }
    }

    /// The part of a page that is of the chart itself; gathers what it refers to.
    fn own_page(
        &self,
        grant: &Grant,
        request: &EverythingRequest,
        state: &State,
        support: &mut Support<'_>,
    ) -> Result<EverythingPage, RecordsError> {
        let State { view, record, version, end } = state;
        let manifest = view.manifest(record.alias(), *version)?;
        let steps = manifest.steps().filter(|step| *step > request.after);
        let mut care = request.care.clone();
        let mut page = EverythingPage { version: *version, end: *end, ..EverythingPage::default() };
        let is_only_counted = request.limit == 0;
        let leads_on = !is_only_counted && request.wants_supporting();
        let (mut last, mut opened_bytes) = (request.after, 0);
        for entry in view.stream_of(record.alias(), steps) {
            let entry = entry?;
            grant.budget().read(1)?;
            let Some(Wanted { number, is_sure, is_shown }) = request.wants(grant, &entry) else {
                continue;
            };
            if !is_shown && !leads_on {
                continue;
            }
            if is_only_counted && care.is_none() && is_sure {
                // What was erased with the chart that it was at home in is not there.
                page.count += usize::from(view.head_of(number)?.is_some());
                continue;
            }
            if !is_only_counted && opened_bytes >= request.bytes_max {
                page.next = Some(last);
                return Ok(page);
            }
            let Some(resource) = self.resource_of(view, grant, &entry)? else { continue };
            opened_bytes += resource.body.len();
            let may_be =
                is_sure || self.may_show(view, grant, &resource, &request.patient, record)?;
            if may_be && care.as_mut().is_none_or(|care| is_of(care, &resource)) {
                if !is_only_counted && is_shown && page.count == request.limit {
                    page.next = Some(last);
                    return Ok(page);
                }
                if leads_on {
                    support.gather(&resource)?;
                }
                page.count += usize::from(is_shown);
                page.resources.extend((is_shown && !is_only_counted).then_some(resource));
            }
            last = entry.step;
        }
        Ok(page)
    }

    /// Notes all versions from `after` on that the parts of an answer will show, for one access entry that
    /// tells of the whole of it. What is about care of a time, or is one of the resources that a scope is
    /// restricted to, is only known when it is read: then each part is told of by an entry of its own.
    ///
    /// # Errors
    ///
    /// As [`Records::everything`].
    pub fn tell_of_everything(
        &self,
        grant: &Grant,
        request: &EverythingRequest,
    ) -> Result<(), RecordsError> {
        if request.care.is_some() || grant.is_restricted() {
            return Ok(());
        }
        let state = self.state_of(grant, request)?;
        let State { view, record, version, end } = &state;
        let manifest = view.manifest(record.alias(), *version)?;
        let steps = manifest.steps().filter(|step| *step > request.after);
        let (mut support, mut opened_bytes) = (Support::new(self, &request.shown), 0);
        for entry in view.stream_of(record.alias(), steps) {
            let entry = entry?;
            grant.budget().read(1)?;
            let Some(wanted) = request.wants(grant, &entry) else { continue };
            if wanted.is_shown && view.head_of(wanted.number)?.is_some() {
                grant.showed(entry.home);
            }
            if request.wants_supporting()
                && let Some(resource) = self.resource_of(view, grant, &entry)?
            {
                opened_bytes += resource.body.len();
                support.gather(&resource)?;
                // Nothing of a part is held any more: each has a budget of its own when it is sent.
                if opened_bytes >= request.bytes_max {
                    grant.budget().renew();
                    opened_bytes = 0;
                }
            }
        }
        let supporting = support.resources(view, grant, *end)?;
        let shown = supporting.iter().filter(|one| request.shows(one));
        shown.filter_map(|one| one.event).for_each(|event| grant.showed(event));
        Ok(())
    }
}

/// The one state that all pages show.
struct State {
    view: View,
    record: ChartRecord,
    version: ChartVersion,
    /// How many events had happened.
    end: Position,
}

impl State {
    /// The version of a resource that counted, and whether it was no deletion.
    fn held(&self, head: &Head) -> Result<Option<(ResourceVersion, bool)>, RecordsError> {
        for past in self.view.versions(head, head.version.next()) {
            let (version, past) = past?;
            if past.position < self.end {
                return Ok(Some((version, past.live)));
            }
        }
        Ok(None)
    }
}

/// What an event of a chart brings, as far as it tells itself.
struct Wanted {
    number: ResourceNumber,
    /// Whether it may be shown whatever it says.
    is_sure: bool,
    /// Whether it is asked for, and does not only lead to what is.
    is_shown: bool,
}

impl EverythingRequest {
    /// The resource of an event whose content is wanted, as far as the event itself tells.
    fn wants(&self, grant: &Grant, entry: &StreamEntry) -> Option<Wanted> {
        let (kind, number) = entry.subject?;
        let is_sure = may_show_all(grant, kind, &self.patient);
        let may_be = || {
            let mut permissions = LOOKED_INTO.into_iter();
            permissions.all(|permission| grant.reaches_some_in(kind, permission, &self.patient))
        };
        let is_shown = self.is_asked_for(kind, entry.recorded_at);
        (is_sure || may_be()).then_some(Wanted { number, is_sure, is_shown })
    }

    fn is_asked_for(&self, kind: ResourceType, recorded_at: Instant) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&kind))
            && self.since.is_none_or(|since| recorded_at >= since)
    }

    fn shows(&self, supporting: &Resource) -> bool {
        self.is_asked_for(supporting.key.kind, supporting.recorded_at)
    }

    /// Whether resources of no chart are wanted too.
    fn wants_supporting(&self) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|kind| is_supporting(*kind)))
    }
}

/// Whether a resource is about care of that time.
fn is_of(care: &mut Care, resource: &Resource) -> bool {
    // What is stored reads back.
    let document = Document::parse(resource.body.as_slice());
    document.is_ok_and(|document| care.admits(resource.key.kind, document.root()))
}
