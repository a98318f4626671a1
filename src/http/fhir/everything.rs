//! `Patient/{id}/$everything`: FHIR R4 OperationDefinition Patient-everything.

use futures_util::stream::{self, StreamExt};

use super::super::paging::{open_cursor, page_size, seal_cursor};
use super::super::query::encoded;
use super::super::sending::Rest;
use super::super::v1::instant as past;
use super::bundle::BundleWriter;
use super::history::instant;
use super::{Call, Failure, Reply};
use crate::fhir::check::IssueCode;
use crate::fhir::search::Span;
use crate::fhir::{Care, ResourceType};
use crate::numbers::{ChartVersion, Step};
use crate::records::{At, EverythingRequest, PAGE_BYTES_MAX};

/// Bytes of resources in a part of an answer, so much as fills the buffers on its way.
const PART_BYTES: usize = 1 << 20;

/// The patient's compartment: the Patient and every resource in the chart.
#[utoipa::path(get, path = "/fhir/Patient/{id}/$everything", operation_id = "patientEverything", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Patient"),
        ("start" = Option<String>, Query, description = "Only care on this date or later; what has no date stays", example = "2024-01-01"),
        ("end" = Option<String>, Query, description = "Only care on this date or before; what has no date stays"),
        ("_since" = Option<String>, Query, description = "Only what was recorded at this instant or later"),
        ("_type" = Option<String>, Query, description = "Only these resource types, separated by commas"),
        ("_count" = Option<u32>, Query, description = "Resources on a page; without it all are on one"),
        ("_asOf" = Option<String>, Query, description = "As a reader had it at this instant"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data, count or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "A Bundle of type searchset; all its pages show one state", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn everything(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    call.allow_parameters(&["start", "end", "_since", "_type", "_count", "_asOf", "_cursor"])?;
    let text = |name: &str, must_be: &str| call.parameter::<String>(name, must_be);
    let only = text("_type", "resource types, separated by commas")?;
    let since = text("_since", "an instant")?;
    let moment = text("_asOf", "an instant")?;
    let moment = moment.map(|moment| past(&moment, "_asOf")).transpose()?;
    let is_paged = text("_count", "a number")?.is_some();
    let base = call.base_url();
    let mut address = format!("{base}/Patient/{patient}/$everything");
    let asked = call.query.iter().filter(|(name, _)| name != "_cursor");
    for (place, (name, value)) in asked.chain(&call.rendering.parameters).enumerate() {
        let separator = if place == 0 { '?' } else { '&' };
        address.push_str(&format!("{separator}{name}={}", encoded(value)));
    }
    let cursor = text("_cursor", "a cursor")?;
    let from =
        cursor.map(|text| open_cursor::<(ChartVersion, Step)>(&call, "_cursor", &address, &text));
    let (at, after) = match from.transpose()? {
        Some((version, after)) => (At::Version(version), after),
        None => match moment {
            Some(moment) => (At::Moment(call.settled(moment).await?), Step::default()),
            None => (At::Now, Step::default()),
        },
    };
    let (is_count, is_first) = (call.rendering.is_count, after == Step::default());
    let request = EverythingRequest {
        patient,
        at,
        only: only.map(|names| types(&names)).transpose()?,
        since: since.map(|since| instant("_since", &since)).transpose()?,
        care: care(&call)?,
        after,
        limit: match is_count {
            true => 0,
            false if is_paged => page_size(&call, "_count")?.max(1),
            false => usize::MAX,
        },
        bytes_max: match is_paged {
            true => PAGE_BYTES_MAX,
            // All of it: part by part, or as a part of another answer as far as the budget goes.
            false if call.is_entry() => usize::MAX,
            false => PART_BYTES,
        },
    };
    let asked = request.clone();
    let page = call.aside(move |records, grant| records.everything(grant, &asked)).await?;
    let mut links = vec![("self", address.clone())];
    if let Some(next) = page.next.filter(|_| is_paged) {
        let next = seal_cursor(&call, &address, &(page.version, next))?;
        links.push(("next", format!("{address}&_cursor={next}")));
    }
    let is_whole = is_first && page.next.is_none();
    let mut bundle = BundleWriter::new("searchset", is_whole.then_some(page.count), &links);
    for resource in &page.resources {
        bundle.matched(base, &call.grant, resource);
    }
    match page.next.filter(|_| !is_paged) {
        None => Ok(Reply::bundle(bundle.finish())),
        Some(after) => {
            let first = bundle.take_part();
            let at = At::Version(page.version);
            let request = EverythingRequest { at, after, ..request };
            let rest = request.clone();
            call.aside(move |records, grant| records.tell_of_everything(grant, &rest)).await?;
            Ok(Reply::bundle(first).followed_by(self::rest(&call, request, bundle)))
        }
    }
}

/// The parts behind the first: of the same version of the chart, each read when it is to be sent.
fn rest(call: &Call, request: EverythingRequest, bundle: BundleWriter) -> Rest {
    let (reading, base) = (call.reading(), call.base_url().to_owned());
    let parts = stream::try_unfold(Some((request, bundle)), move |left| {
        let (reading, base) = (reading.clone(), base.clone());
        async move {
            let Some((mut request, mut bundle)) = left else { return Ok(None) };
            let asked = request.clone();
            let page =
                reading.part(move |records, grant| records.everything(grant, &asked)).await?;
            for resource in &page.resources {
                bundle.matched(&base, &reading.grant, resource);
            }
            Ok(Some(match page.next {
                None => (bundle.finish(), None),
                Some(after) => {
                    request.after = after;
                    (bundle.take_part(), Some((request, bundle)))
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

fn types(names: &str) -> Result<Vec<ResourceType>, Failure> {
    let read = |name: &str| name.parse::<ResourceType>();
    let types: Result<_, _> = names.split(',').map(str::trim).map(read).collect();
    types.map_err(|error| Failure::at(IssueCode::Value, "_type", error.to_string()))
}
