//! read and vread: FHIR R4 §3.1.0.2 and §3.1.0.3.

use std::str::FromStr;

use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;

use super::super::etag;
use super::super::v1::instant;
use super::binary;
use super::{Call, Failure, Reply, audit_event};
use crate::clock::Instant;
use crate::fhir::ResourceType;
use crate::fhir::check::IssueCode;
use crate::records::Resource;

/// The current version of a resource.
#[utoipa::path(get, path = "/fhir/{type}/{id}", operation_id = "readResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if this is still the version"),
        ("If-Modified-Since" = Option<String>, Header, description = "Answer 304 if it has not changed since"),
        ("_asOf" = Option<String>, Query, description = "The version that a reader had at this instant"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "The resource, as stored. A Binary is given in its own media type, unless Accept names application/fhir+json", content_type = "application/fhir+json"),
        (status = 304, description = "Not changed"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "Deleted")))]
pub async fn read(call: Call) -> Result<Reply, Failure> {
    if call.kind()? == ResourceType::AUDIT_EVENT {
        return audit_event::read(&call).await;
    }
    let key = call.key()?;
    call.allow_parameters_of_read(&["_asOf"])?;
    let resource = match call.parameter::<String>("_asOf", "an instant")? {
        None => call.records().read(&call.grant, &key)?,
        Some(moment) => {
            let moment = call.settled(instant(&moment, "_asOf")?).await?;
            call.records().read_as_of(&call.grant, &key, moment)?
        }
    };
    unless_known(&call, &resource)
}

/// One version of a resource.
#[utoipa::path(get, path = "/fhir/{type}/{id}/_history/{version}", operation_id = "readResourceVersion", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("version" = String, Path, description = "meta.versionId", example = "1"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if this is the version"),
        ("If-Modified-Since" = Option<String>, Header, description = "Answer 304 if it was recorded by then"),
        ("_summary" = Option<String>, Query, description = "true, text, data or false"),
        ("_elements" = Option<String>, Query, description = "Only these elements, separated by commas"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "The version, as stored", content_type = "application/fhir+json"),
        (status = 304, description = "Known already"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "This version is a deletion")))]
pub async fn read_version(call: Call) -> Result<Reply, Failure> {
    audit_event::refuse(call.kind()?)?;
    let (key, version) = (call.key()?, call.version()?);
    call.allow_parameters_of_read(&[])?;
    let resource = call.records().read_version(&call.grant, &key, version)?;
    unless_known(&call, &resource)
}

fn unless_known(call: &Call, resource: &Resource) -> Result<Reply, Failure> {
    let reply = if is_known(call, resource)? {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else if resource.key.kind == ResourceType::BINARY {
        binary::reply(call, resource)?
    } else {
        Reply::resource(StatusCode::OK, resource.bytes(&call.grant))
    };
    Ok(reply.version(resource.version, resource.recorded_at))
}

/// Whether the client has this version: FHIR R4 §3.1.0.2.2, RFC 9110 §13.1. A time in a header says it only to the second,
/// so it counts only when no version was named.
fn is_known(call: &Call, resource: &Resource) -> Result<bool, Failure> {
    if let Some(tags) = call.list_header("if-none-match") {
        return Ok(etag::is_known(Some(&tags), resource.version));
    }
    let Some(time) = call.header("if-modified-since") else { return Ok(false) };
    if call.is_entry() {
        // Bundle.entry.request.ifModifiedSince is an instant.
        let wrong = "not an instant with a time zone, such as 2026-02-28T12:00:00Z";
        let since = Instant::parse(time);
        let wrong = || Failure::at(IssueCode::Value, "request.ifModifiedSince", wrong);
        return Ok(resource.recorded_at <= since.ok_or_else(wrong)?);
    }
    let since = HttpDate::from_str(time).ok().map(std::time::SystemTime::from);
    let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let since = since.and_then(|since| i64::try_from(since.as_secs()).ok());
    // What is no date is as if it were not there (RFC 9110 §13.1.3).
    Ok(since.is_some_and(|since| resource.recorded_at.seconds() <= since))
}
