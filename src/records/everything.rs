//! A chart page by page, narrowed by time and type: what FHIR calls everything of a patient.

use super::chart::{may_show, resolve};
use super::{At, Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::{Care, ResourceId, ResourceType};
use crate::json::Document;

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
    /// Chart version behind which the page starts; 0: at the beginning.
    pub after: u64,
    /// Most resources on the page.
    pub limit: usize,
}

/// One page of a chart.
#[derive(Debug, Clone)]
pub struct EverythingPage {
    /// The resources, in the order in which their bodies were recorded.
    pub resources: Vec<Resource>,
    /// Version of the chart that all pages show.
    pub version: u64,
    /// `after` of the next page, if there is one.
    pub next: Option<u64>,
}

impl Records {
    /// A page of what a chart holds and the caller may read.
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
        let versions = manifest.versions().filter(|version| *version > request.after);
        let mut care = request.care.clone();
        let mut page = EverythingPage { resources: Vec::new(), version, next: None };
        let mut last = request.after;
        for entry in view.stream_of(record.alias(), versions) {
            let (at, entry) = entry?;
            if request.since.is_some_and(|since| entry.recorded_at < since) {
                continue;
            }
            let Some(resource) = self.resource_of(&view, &entry)? else { continue };
            let kind = resource.key.kind;
            let is_wanted = request.only.as_ref().is_none_or(|only| only.contains(&kind))
                && may_show(grant, kind, patient)
                && care.as_mut().is_none_or(|care| is_of(care, &resource));
            if !is_wanted {
                continue;
            }
            if page.resources.len() == request.limit {
                page.next = Some(last);
                return Ok(page);
            }
            last = at;
            page.resources.push(resource);
        }
        Ok(page)
    }
}

/// Whether a resource is about care of that time.
fn is_of(care: &mut Care, resource: &Resource) -> bool {
    // What is stored reads back.
    let document = Document::parse(resource.body.as_slice());
    document.is_ok_and(|document| care.admits(resource.key.kind, document.root()))
}
