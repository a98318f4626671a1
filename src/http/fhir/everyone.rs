//! `Patient/$everything`: FHIR R4 OperationDefinition Patient-everything, at the level of the type.

use serde::{Deserialize, Serialize};

use super::super::paging::{open_cursor, seal_cursor};
use super::bundle::BundleWriter;
use super::everything::{From, PARAMETERS, add, address, asked, following_page, of_patient};
use super::parameters::parameters;
use super::{Call, Failure, Reply};
use crate::fhir::check::IssueCode;
use crate::fhir::search::Query;
use crate::fhir::{ResourceId, ResourceType};
use crate::numbers::{ChartVersion, Position, Step};
use crate::records::{At, EverythingPage, PageStart, SearchRequest};

/// The same for the patient whom the token names; or for all patients that the token may find, one after the other.
///
/// Of several patients, each page is about one; it may be empty and still have a next one.
#[utoipa::path(get, path = "/fhir/Patient/$everything", operation_id = "patientsEverything", tag = "fhir",
    params(
        ("start" = Option<String>, Query, description = "Only care on this date or later; what has no date stays", example = "2024-01-01"),
        ("end" = Option<String>, Query, description = "Only care on this date or before; what has no date stays"),
        ("_since" = Option<String>, Query, description = "Only what was recorded at this instant or later"),
        ("_type" = Option<String>, Query, description = "Only these resource types, separated by commas"),
        ("_count" = Option<u32>, Query, description = "Resources of a patient on a page, which come with what they refer to"),
        ("_asOf" = Option<String>, Query, description = "As a reader had it at this instant; only of the one patient whom the token names"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false; of one patient also count"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset; all pages about one patient show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "The patient whom the token names is not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "That Patient was deleted")))]
pub async fn everything(mut call: Call) -> Result<Reply, Failure> {
    call.query = parameters(&mut call, &PARAMETERS).await?;
    match call.grant.own_patient().cloned() {
        Some(own) => of_patient(&call, own).await,
        None => of_all(&call).await,
    }
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Patient/$everything", operation_id = "patientsEverythingByPost", tag = "fhir",
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A Bundle of type searchset; all pages about one patient show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "The patient whom the token names is not there"),
        (status = 410, description = "That Patient was deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn everything_by_post(call: Call) -> Result<Reply, Failure> {
    everything(call).await
}

/// Where a page begins.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// In the chart of this patient, at that version, when so many events had happened, behind that step.
    within: Option<(String, ChartVersion, Position, Step)>,
    /// Among the patients behind that one.
    patients: Option<PageStart>,
}

async fn of_all(call: &Call) -> Result<Reply, Failure> {
    let is_of_past = call.query.iter().any(|(name, _)| name == "_asOf");
    if is_of_past || call.rendering.is_count {
        let place = if is_of_past { "_asOf" } else { "_summary" };
        let diagnostics = "of one patient only: ask for Patient/[id]/$everything";
        return Err(Failure::at(IssueCode::NotSupported, place, diagnostics));
    }
    let address = address(call, "Patient");
    let cursor = call.parameter::<String>("_cursor", "a cursor")?;
    let cursor = cursor.map(|text| open_cursor(call, "_cursor", &address, &text));
    let Place { within, mut patients } = cursor.transpose()?.unwrap_or_default();
    let beginning = (At::Now, None, Step::default());
    let (patient, from) = match within {
        Some((id, version, end, after)) => {
            (id.parse().ok(), (At::Version(version), Some(end), after))
        }
        None => (next(call, &mut patients).await?, beginning),
    };
    let page = match &patient {
        Some(patient) => of_one(call, patient, from).await?,
        None => EverythingPage::default(),
    };
    let within = patient.zip(page.next);
    let within = within.map(|(patient, next)| (patient.to_string(), page.version, page.end, next));
    let mut links = vec![("self", address.clone())];
    if within.is_some() || patients.is_some() {
        let cursor = seal_cursor(call, &address, &Place { within, patients })?;
        links.push(("next", following_page(&address, &cursor)));
    }
    let mut bundle = BundleWriter::new("searchset", None, &links);
    add(&mut bundle, call.base_url(), &call.grant, &page);
    Ok(Reply::bundle(bundle.finish()))
}

/// The next patient whom the caller may find; the place moves behind them.
async fn next(
    call: &Call,
    patients: &mut Option<PageStart>,
) -> Result<Option<ResourceId>, Failure> {
    let request = SearchRequest {
        queries: vec![(ResourceType::PATIENT, Query::default())],
        within: None,
        as_of: None,
        start: patients.take(),
        limit: 1,
        with_total: false,
    };
    let page = call.aside(move |records, grant| records.search(grant, &request)).await?;
    *patients = page.next;
    Ok(page.matches.into_iter().next().map(|patient| patient.key.id))
}

/// A page of a patient's chart; an empty one if they are gone by now, or may be found but not looked into.
async fn of_one(call: &Call, patient: &ResourceId, from: From) -> Result<EverythingPage, Failure> {
    let request = asked(call, patient.clone(), from, true)?;
    match call.aside(move |records, grant| records.everything(grant, &request)).await {
        Err(failure) if failure.is_absence() => Ok(EverythingPage::default()),
        page => page,
    }
}
