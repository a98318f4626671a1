//! `Patient/{id}/$everything`: FHIR R4 OperationDefinition Patient-everything.

use std::collections::HashSet;

use futures_util::stream::{self, StreamExt};

use super::super::paging::{lowered_page_size, open_cursor, seal_cursor};
use super::super::query::encoded;
use super::super::sending::Rest;
use super::super::v1::instant as past;
use super::bundle::BundleWriter;
use super::history::instant;
use super::parameters::parameters;
use super::{Call, Failure, Reply};
use crate::auth::Grant;
use crate::fhir::check::IssueCode;
use crate::fhir::search::Span;
use crate::fhir::{Care, ResourceId, ResourceType};
use crate::numbers::{Position, Step};
use crate::records::{At, EverythingPage, EverythingRequest, PAGE_BYTES_MAX};

/// Bytes of resources in a part of an answer, so much as fills the buffers on its way.
const PART_BYTES: usize = 1 << 20;
/// What it can be asked by.
pub const PARAMETERS: [&str; 7] = ["start", "end", "_since", "_type", "_count", "_asOf", "_cursor"];

/// The patient's compartment, and the resources of no patient to which it refers.
#[utoipa::path(get, path = "/fhir/Patient/{id}/$everything", operation_id = "patientEverything", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Patient"),
        ("start" = Option<String>, Query, description = "Only care on this date or later; what has no date stays", example = "2024-01-01"),
        ("end" = Option<String>, Query, description = "Only care on this date or before; what has no date stays"),
        ("_since" = Option<String>, Query, description = "Only what was recorded at this instant or later"),
        ("_type" = Option<String>, Query, description = "Only these resource types, separated by commas"),
        ("_count" = Option<u32>, Query, description = "Resources of the patient on a page, which come with what they refer to; without it all are on one"),
        ("_asOf" = Option<String>, Query, description = "As a reader had it at this instant"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data, count or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset; all its pages show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "The Patient was deleted")))]
pub async fn everything(mut call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.query = parameters(&mut call, &PARAMETERS).await?;
    of_patient(&call, patient).await
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Patient/{id}/$everything", operation_id = "patientEverythingByPost", tag = "fhir",
    params(("id" = String, Path, description = "Logical id of the Patient")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A Bundle of type searchset; all its pages show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "The Patient was deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn everything_by_post(call: Call) -> Result<Reply, Failure> {
    everything(call).await
}

/// All of one patient, with links to further pages if they are asked for.
///
/// # Errors
///
/// As [`everything`].
pub async fn of_patient(call: &Call, patient: ResourceId) -> Result<Reply, Failure> {
    let base = call.base_url();
    let address = address(call, &format!("Patient/{patient}"));
    let is_paged = call.query.iter().any(|(name, _)| name == "_count");
    let request = asked(call, patient, from(call, &address).await?, is_paged)?;
    let is_first = request.after == Step::default();
    let asked = request.clone();
    let page = call.aside(move |records, grant| records.everything(grant, &asked)).await?;
    let mut links = vec![("self", address.clone())];
    if let Some(next) = page.next.filter(|_| is_paged) {
        let place = (page.version, page.end, next);
        links.push(("next", following_page(&address, &seal_cursor(call, &address, &place)?)));
    }
    let is_whole = is_first && page.next.is_none();
    let mut bundle = BundleWriter::new("searchset", is_whole.then_some(page.count), &links);
    add(&mut bundle, base, &call.grant, &page);
    match page.next.filter(|_| !is_paged) {
        None => Ok(Reply::bundle(bundle.finish())),
        Some(after) => {
            let first = bundle.take_part();
            let request = following(request, &page, after);
            let rest = request.clone();
            call.aside(move |records, grant| records.tell_of_everything(grant, &rest)).await?;
            Ok(Reply::bundle(first).followed_by(self::rest(call, request, bundle)))
        }
    }
}

/// Which state of a chart is shown, how many events had happened then if that is known, and from where on.
pub type From = (At, Option<Position>, Step);

/// Where the cursor, or the moment, says that the page begins.
async fn from(call: &Call, address: &str) -> Result<From, Failure> {
    let text = |name: &str, must_be: &str| call.parameter::<String>(name, must_be);
    let moment = text("_asOf", "an instant")?;
    let moment = moment.map(|moment| past(&moment, "_asOf")).transpose()?;
    if let Some(cursor) = text("_cursor", "a cursor")? {
        let (version, end, after) = open_cursor(call, "_cursor", address, &cursor)?;
        return Ok((At::Version(version), Some(end), after));
    }
    let at = match moment {
        Some(moment) => At::Moment(call.settled(moment).await?),
        None => At::Now,
    };
    Ok((at, None, Step::default()))
}

/// What the other parameters ask for.
///
/// # Errors
///
/// 400.
pub fn asked(
    call: &Call,
    patient: ResourceId,
    (at, end, after): From,
    is_paged: bool,
) -> Result<EverythingRequest, Failure> {
    let since = call.parameter::<String>("_since", "an instant")?;
    Ok(EverythingRequest {
        patient,
        at,
        end,
        only: types(call)?,
        since: since.map(|since| instant("_since", &since)).transpose()?,
        care: care(call)?,
        after,
        limit: match call.rendering.is_count {
            true => 0,
            false if is_paged => lowered_page_size(call, "_count")?.max(1),
            false => usize::MAX,
        },
        bytes_max: match is_paged {
            true => PAGE_BYTES_MAX,
            // All of it: part by part, or as a part of another answer as far as the budget goes.
            false if call.is_entry() => usize::MAX,
            false => PART_BYTES,
        },
        shown: HashSet::new(),
    })
}

/// The address that asks for the same, without the place of a page.
pub fn address(call: &Call, owner: &str) -> String {
    let mut address = format!("{}/{owner}/$everything", call.base_url());
    let asked = call.query.iter().filter(|(name, _)| name != "_cursor");
    for (place, (name, value)) in asked.chain(&call.rendering.parameters).enumerate() {
        let separator = if place == 0 { '?' } else { '&' };
        address.push_str(&format!("{separator}{name}={}", encoded(value)));
    }
    address
}

/// The address of the next page.
pub fn following_page(address: &str, cursor: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}_cursor={cursor}")
}

/// Adds the resources of the chart, and then what goes with them.
pub fn add(bundle: &mut BundleWriter, base: &str, grant: &Grant, page: &EverythingPage) {
    for resource in &page.resources {
        bundle.matched(base, grant, resource);
    }
    for resource in &page.supporting {
        bundle.found(base, grant, resource, "include");
    }
}

/// The request for the part behind a page.
fn following(
    mut request: EverythingRequest,
    page: &EverythingPage,
    after: Step,
) -> EverythingRequest {
    request.shown.extend(page.supporting.iter().map(|resource| resource.key.clone()));
    EverythingRequest { at: At::Version(page.version), end: Some(page.end), after, ..request }
}

/// The parts behind the first: of the same version of the chart, each read when it is to be sent.
fn rest(call: &Call, request: EverythingRequest, bundle: BundleWriter) -> Rest {
    let (reading, base) = (call.reading(), call.base_url().to_owned());
    let parts = stream::try_unfold(Some((request, bundle)), move |left| {
        let (reading, base) = (reading.clone(), base.clone());
        async move {
            let Some((request, mut bundle)) = left else { return Ok(None) };
            let asked = request.clone();
            let page =
                reading.part(move |records, grant| records.everything(grant, &asked)).await?;
            add(&mut bundle, &base, &reading.grant, &page);
            Ok(Some(match page.next {
                None => (bundle.finish(), None),
                Some(after) => {
                    (bundle.take_part(), Some((following(request, &page, after), bundle)))
                }
            }))
        }
    });
    Rest::Parts(parts.boxed())
}

/// What `start` and `end` ask for.
fn care(call: &Call) -> Result<Option<Care>, Failure> {
    let date = |name: &str| {
        let date = call.parameter::<String>(name, "a date")?;
        match date {
            Some(date) if Span::named(&date).is_none() => {
                let diagnostics =
                    format!("\"{date}\" is not a date of the form YYYY, YYYY-MM or YYYY-MM-DD");
                Err(Failure::at(IssueCode::Value, name, diagnostics))
            }
            date => Ok(date),
        }
    };
    Ok(match (date("start")?, date("end")?) {
        (None, None) => None,
        (start, end) => Some(Care::between(call.records().parameters(), start, end)),
    })
}

/// The types to which `_type` restricts the answer.
///
/// # Errors
///
/// 400: not a type.
pub fn types(call: &Call) -> Result<Option<Vec<ResourceType>>, Failure> {
    let given = call.query.iter().filter(|(name, _)| name == "_type");
    let names: Vec<&str> = given.flat_map(|(_, names)| names.split(',').map(str::trim)).collect();
    let types: Result<Vec<ResourceType>, _> = names.iter().map(|name| name.parse()).collect();
    let types = types.map_err(|error| Failure::at(IssueCode::Value, "_type", error.to_string()))?;
    Ok((!types.is_empty()).then_some(types))
}
