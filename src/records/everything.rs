//! A chart page by page, narrowed by time and type: what FHIR calls everything of a patient.

use super::chart::resolve;
use super::showing::{LOOKED_INTO, may_show_all};
use super::{At, Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::{Care, ResourceId, ResourceType};
use crate::json::Document;
use crate::numbers::{ChartVersion, ResourceNumber, Step};
use crate::view::StreamEntry;

/// What of a chart is wanted.
#[derive(Debug, Clone)]
pub struct EverythingRequest {
    /// Whose chart.
    pub patient: ResourceId,
    /// Which state of it.
    pub at: At,
    /// Only these types.
    pub only: Option<Vec<ResourceType>>,
    /// Only what was recorded at this moment or later.
    pub since: Option<Instant>,
    /// Only care of this time.
    pub care: Option<Care>,
    /// Step of the chart behind which the page starts; 0: at the beginning.
    pub after: Step,
    /// Most resources on the page; 0 only counts them, from `after` to the end of the chart.
    pub limit: usize,
    /// Bytes of opened resources after which the page takes no further one.
    pub bytes_max: usize,
}

/// One page of a chart.
#[derive(Debug, Clone, Default)]
pub struct EverythingPage {
    /// The resources, in the order in which their bodies were recorded.
    pub resources: Vec<Resource>,
    /// How many they are, or would be if they were not only counted.
    pub count: usize,
    /// Version of the chart that all pages show.
    pub version: ChartVersion,
    /// `after` of the next page, if there may be one.
    pub next: Option<Step>,
}

impl Records {
    /// A page of what a chart contains and the caller may read. It may be short, or empty, and the next
    /// one full: the work for a page is bounded.
    ///
    /// # Errors
    ///
    /// As [`Records::chart`].
    pub fn everything(
        &self,
        grant: &Grant,
        request: &EverythingRequest,
    ) -> Result<EverythingPage, RecordsError> {
        let patient = &request.patient;
        let (view, record) = self.open_chart(grant, patient)?;
        let version = resolve(&view, &record, patient, request.at)?;
        let manifest = view.manifest(record.alias(), version)?;
        let steps = manifest.steps().filter(|step| *step > request.after);
        let mut care = request.care.clone();
        let mut page = EverythingPage { version, ..EverythingPage::default() };
        let is_only_counted = request.limit == 0;
        let (mut last, mut opened_bytes) = (request.after, 0);
        for entry in view.stream_of(record.alias(), steps) {
            let entry = entry?;
            grant.budget().read(1)?;
            let Some((number, is_sure)) = request.wants(grant, &entry) else { continue };
            if is_only_counted && care.is_none() && is_sure {
                // What was erased with the chart that it was at home in is not there.
                page.count += usize::from(view.head_of(number)?.is_some());
                continue;
            }
            if !is_only_counted && opened_bytes >= request.bytes_max {
                page.next = Some(last);
                return Ok(page);
            }
            let Some(resource) = self.resource_of(&view, grant, &entry)? else { continue };
            opened_bytes += resource.body.len();
            let is_shown = is_sure || self.may_show(&view, grant, &resource, patient, &record)?;
            if is_shown && care.as_mut().is_none_or(|care| is_of(care, &resource)) {
                if !is_only_counted && page.count == request.limit {
                    page.next = Some(last);
                    return Ok(page);
                }
                page.count += 1;
                page.resources.extend((!is_only_counted).then_some(resource));
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
        let (view, record) = self.open_chart(grant, &request.patient)?;
        let version = resolve(&view, &record, &request.patient, request.at)?;
        let manifest = view.manifest(record.alias(), version)?;
        let steps = manifest.steps().filter(|step| *step > request.after);
        for entry in view.stream_of(record.alias(), steps) {
            let entry = entry?;
            grant.budget().read(1)?;
            if let Some((number, _)) = request.wants(grant, &entry)
                && view.head_of(number)?.is_some()
            {
                grant.showed(entry.home);
            }
        }
        Ok(())
    }
}

impl EverythingRequest {
    /// The resource of an event whose content is wanted, as far as the event itself tells; and whether it may be shown
    /// whatever it says.
    fn wants(&self, grant: &Grant, entry: &StreamEntry) -> Option<(ResourceNumber, bool)> {
        let is_earlier = self.since.is_some_and(|since| entry.recorded_at < since);
        let (kind, number) = entry.subject.filter(|_| !is_earlier)?;
        let is_kind = self.only.as_ref().is_none_or(|only| only.contains(&kind));
        let is_sure = may_show_all(grant, kind, &self.patient);
        let may_be = || {
            let mut permissions = LOOKED_INTO.into_iter();
            permissions.all(|permission| grant.reaches_some_in(kind, permission, &self.patient))
        };
        (is_kind && (is_sure || may_be())).then_some((number, is_sure))
    }
}

/// Whether a resource is about care of that time.
fn is_of(care: &mut Care, resource: &Resource) -> bool {
    // What is stored reads back.
    let document = Document::parse(resource.body.as_slice());
    document.is_ok_and(|document| care.admits(resource.key.kind, document.root()))
}
