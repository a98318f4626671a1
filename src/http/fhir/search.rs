//! search within one type: FHIR R4 §3.1.1.

use actix_web::http::StatusCode;

use super::super::paging::{cursor, page_size, read_cursor};
use super::super::reply::FHIR_JSON;
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply};
use crate::fhir::ResourceType;
use crate::fhir::criteria::{Criteria, ProblemKind};
use crate::store::SearchRequest;

/// Parameters that shape the result; all others are criteria.
const RESULT_PARAMETERS: [&str; 3] = ["_count", "_cursor", "_format"];

/// The current resources of a type that match all criteria, in the order of their first recording.
#[utoipa::path(get, path = "/fhir/{type}", operation_id = "searchResources", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("_id" = Option<String>, Query, description = "Logical ids, separated by commas"),
        ("identifier" = Option<String>, Query, description = "system|value, |value or value"),
        ("patient" = Option<String>, Query, description = "Reference to the patient"),
        ("subject" = Option<String>, Query, description = "Reference to the subject"),
        ("_lastUpdated" = Option<String>, Query, description = "Date or instant, with a prefix such as ge or lt"),
        ("_count" = Option<u32>, Query, description = "Matches on a page"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "A Bundle of type searchset", content_type = "application/fhir+json"),
        (status = 400, description = "A parameter is unknown or not valid; the outcome names it"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"),
        (status = 404, description = "Not a resource type")))]
pub async fn search(call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    let limit = page_size(&call, "_count")?;
    let after = read_cursor(&call, "_cursor")?;
    let is_criterion = |name: &str| !RESULT_PARAMETERS.contains(&name);
    let mut pairs: Vec<_> =
        call.query.iter().filter(|(name, _)| is_criterion(name)).cloned().collect();
    let criteria = criteria(&call, kind, &mut pairs)?;
    let request = SearchRequest { kind, criteria, after, limit };
    let base = call.base_url();
    let address = |cursor_text: Option<String>| {
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let count = limit.to_string();
        let last = [("_count", Some(count.as_str())), ("_cursor", cursor_text.as_deref())];
        let last = last.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let query: Vec<String> = pairs
            .chain(last)
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        format!("{base}/{kind}?{}", query.join("&"))
    };
    let mut links = vec![("self", address(None))];
    if limit == 0 {
        // FHIR R4 §3.1.1.5.4: the total, and nothing else.
        let total = call.aside(move |store, grant| store.count(grant, &request)).await?;
        let bundle = BundleWriter::new("searchset", Some(total), &links);
        return Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()));
    }
    let hits = call.aside(move |store, grant| store.search(grant, &request)).await?;
    links.extend(hits.next.map(|next| ("next", address(Some(cursor(next))))));
    let is_whole = after.is_none() && hits.next.is_none();
    let total = is_whole.then_some(hits.resources.len());
    let mut bundle = BundleWriter::new("searchset", total, &links);
    for resource in &hits.resources {
        bundle.matched(base, resource);
    }
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()))
}

/// Understands the criteria. With `Prefer: handling=lenient` unknown parameters are dropped, and
/// the self link shows it (R4 §3.1.1.2); otherwise they are refused.
fn criteria(
    call: &Call,
    kind: ResourceType,
    pairs: &mut Vec<(String, String)>,
) -> Result<Criteria, Failure> {
    let parsed = Criteria::parse(kind, pairs, Some(call.base_url()));
    let is_lenient = call.header("prefer").is_some_and(|text| text.contains("handling=lenient"));
    let parsed = match parsed {
        Err(problems) if is_lenient => {
            let is_unknown = |name: &str| {
                let of_name = problems.iter().find(|problem| problem.parameter == name);
                of_name.is_some_and(|problem| problem.kind == ProblemKind::UnknownParameter)
            };
            pairs.retain(|(name, _)| !is_unknown(name));
            Criteria::parse(kind, pairs, Some(call.base_url()))
        }
        parsed => parsed,
    };
    parsed.map_err(|problems| Failure::search(problems, None))
}

/// Percent-encodes what may not stand in a query as it is (RFC 3986 §3.4).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'/'
            | b',' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
