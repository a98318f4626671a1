//! history of one resource, of a type, and of everything: FHIR R4 §3.1.0.12.

use super::super::paging::{lowered_page_size, open_cursor, seal_cursor};
use super::super::query::encoded;
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply, audit_event};
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::fhir::search::Span;
use crate::json::quote;
use crate::records::{HistoryOf, HistoryPlace, HistoryRequest, Version};

/// Parameters of all histories.
const PARAMETERS: [&str; 5] = ["_since", "_at", "_count", "_sort", "_cursor"];
/// The one order there is.
const NEWEST_FIRST: &str = "-_lastUpdated";

/// All versions of a resource, newest first.
#[utoipa::path(get, path = "/fhir/{type}/{id}/_history", operation_id = "readResourceHistory", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("_since" = Option<String>, Query, description = "Only versions recorded at this instant or later"),
        ("_at" = Option<String>, Query, description = "Only versions that were current at some moment of this date, day or dateTime: those recorded then, and the one that was current when it began"),
        ("_count" = Option<u32>, Query, description = "Versions on a page"),
        ("_sort" = Option<String>, Query, description = "-_lastUpdated: the order that it has anyway"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data, count or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn history(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    audit_event::refuse(key.kind)?;
    page(&call, &format!("/{key}/_history"), HistoryOf::Resource(key)).await
}

/// All versions of all resources of a type, newest first.
#[utoipa::path(get, path = "/fhir/{type}/_history", operation_id = "readTypeHistory", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("_since" = Option<String>, Query, description = "Only versions recorded at this instant or later"),
        ("_at" = Option<String>, Query, description = "Only versions that were current at some moment of this date, day or dateTime"),
        ("_count" = Option<u32>, Query, description = "Versions on a page; it may hold fewer and still have a next one"),
        ("_sort" = Option<String>, Query, description = "-_lastUpdated: the order that it has anyway"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not a resource type"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn type_history(call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    audit_event::refuse(kind)?;
    page(&call, &format!("/{kind}/_history"), HistoryOf::Type(kind)).await
}

/// All versions of all resources of the types that the token may search, newest first.
#[utoipa::path(get, path = "/fhir/_history", operation_id = "readSystemHistory", tag = "fhir",
    params(
        ("_since" = Option<String>, Query, description = "Only versions recorded at this instant or later"),
        ("_at" = Option<String>, Query, description = "Only versions that were current at some moment of this date, day or dateTime"),
        ("_count" = Option<u32>, Query, description = "Versions on a page; it may hold fewer and still have a next one"),
        ("_sort" = Option<String>, Query, description = "-_lastUpdated: the order that it has anyway"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token may search no type"),
        (status = 406, description = "Only JSON is spoken here")))]
pub async fn system_history(call: Call) -> Result<Reply, Failure> {
    page(&call, "/_history", HistoryOf::System).await
}

async fn page(call: &Call, path: &str, of: HistoryOf) -> Result<Reply, Failure> {
    call.allow_parameters_of_read(&PARAMETERS)?;
    let since = call.parameter::<String>("_since", "an instant")?;
    let at = call.parameter::<String>("_at", "a date")?;
    let sort = call.parameter::<String>("_sort", NEWEST_FIRST)?;
    if let Some(sort) = sort.filter(|sort| sort != NEWEST_FIRST) {
        let diagnostics = format!("\"{sort}\" is not {NEWEST_FIRST}, the order of every history");
        return Err(Failure::at(IssueCode::NotSupported, "_sort", diagnostics));
    }
    let limit = match call.rendering.is_count {
        true if !matches!(of, HistoryOf::Resource(_)) => {
            let diagnostics =
                "only the versions of one resource, and the results of a search, are counted";
            return Err(Failure::at(IssueCode::NotSupported, "_summary", diagnostics));
        }
        true => 0,
        false => lowered_page_size(call, "_count")?.max(1),
    };
    let base = call.base_url();
    let mut address = format!("{base}{path}?_count={limit}");
    let repeated = |(name, _): &&(String, String)| name == "_since" || name == "_at";
    for (name, value) in call.query.iter().filter(repeated).chain(&call.rendering.parameters) {
        address.push_str(&format!("&{name}={}", encoded(value)));
    }
    let cursor = call.parameter::<String>("_cursor", "a cursor")?;
    let from = cursor.map(|text| open_cursor::<(u64, u64)>(call, "_cursor", &address, &text));
    let at = match at.as_deref().map(period).transpose()? {
        Some(span) => {
            // Versions of a past time must not become more between two requests.
            let end = Instant::from_micros(span.to.saturating_add(1) - 1).min(Instant::now());
            Some((span, call.settled(end).await?))
        }
        None => None,
    };
    let request = HistoryRequest {
        of,
        since: since.as_deref().map(|since| instant("_since", since)).transpose()?,
        at,
        from: from.transpose()?.map(|(end, before)| HistoryPlace { end, before }),
        limit,
    };
    let page = call.aside(move |records, grant| records.history(grant, &request)).await?;
    let next = page.next.map(|next| seal_cursor(call, &address, &(next.end, next.before)));
    let next = next.transpose()?.map(|next| ("next", format!("{address}&_cursor={next}")));
    let links: Vec<_> = [("self", address)].into_iter().chain(next).collect();
    let mut bundle = BundleWriter::new("history", page.total, &links);
    for version in &page.versions {
        entry(&mut bundle, call, version);
    }
    Ok(Reply::bundle(bundle.finish()))
}

/// Reads an instant in a parameter of that name.
pub fn instant(name: &str, text: &str) -> Result<Instant, Failure> {
    Instant::parse(text).ok_or_else(|| {
        let hint = if text.contains(' ') { "; in a URL, '+' is written %2B" } else { "" };
        let diagnostics = format!(
            "\"{text}\" is not an instant with a time zone, such as 2026-01-31T12:00:00.000Z{hint}"
        );
        Failure::at(IssueCode::Value, name, diagnostics)
    })
}

fn period(text: &str) -> Result<Span, Failure> {
    Span::named(text).ok_or_else(|| {
        let hint = if text.contains(' ') { "; in a URL, '+' is written %2B" } else { "" };
        let diagnostics = format!(
            "\"{text}\" is not a date of the form YYYY, YYYY-MM, YYYY-MM-DD or \
             YYYY-MM-DDThh:mm[:ss[.sss]] with an optional time zone Z or ±hh:mm{hint}"
        );
        Failure::at(IssueCode::Value, "_at", diagnostics)
    })
}

fn entry(bundle: &mut BundleWriter, call: &Call, version: &Version) {
    let base = call.base_url();
    call.grant.showed(version.event);
    let (method, status) = match (&version.resource, version.first) {
        (None, _) => ("DELETE", "204"),
        (Some(_), true) => ("PUT", "201"),
        (Some(_), false) => ("PUT", "200"),
    };
    let key = &version.key;
    let request = format!(r#"{{"method":"{method}","url":{}}}"#, quote(&key.to_string()));
    let response = format!(
        r#"{{"status":"{status}","etag":"W/\"{}\"","lastModified":"{}"}}"#,
        version.version, version.recorded_at
    );
    let resource = version.resource.as_ref().map(|resource| resource.bytes(&call.grant));
    let full_url = format!("{base}/{key}");
    let members = [("request", request), ("response", response)];
    bundle.entry(Some(&full_url), resource.as_deref(), &members);
}
