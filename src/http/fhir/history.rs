//! history of one resource: FHIR R4 §3.1.0.11.

use actix_web::http::StatusCode;

use super::super::paging::{cursor, page_size, read_cursor};
use super::super::reply::FHIR_JSON;
use super::bundle::BundleWriter;
use super::{Call, Failure, Reply};
use crate::fhir::ResourceKey;
use crate::json::quote;
use crate::store::Version;

/// All versions of a resource, newest first.
#[utoipa::path(get, path = "/fhir/{type}/{id}/_history", operation_id = "readResourceHistory", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("_count" = Option<u32>, Query, description = "Versions on a page"),
        ("_cursor" = Option<String>, Query, description = "From the link to the next page"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "A Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there")))]
pub async fn history(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    call.allow_parameters(&["_count", "_cursor", "_format"])?;
    let limit = page_size(&call, "_count")?.max(1);
    let before = read_cursor(&call, "_cursor")?.unwrap_or(u64::MAX);
    let versions = call.store().history(&call.grant, &key, before, limit)?;
    let base = call.base_url();
    let mut links = vec![("self", format!("{base}/{key}/_history?_count={limit}"))];
    if let Some(last) = versions.last().filter(|last| last.version > 1 && versions.len() == limit) {
        let next = format!("{base}/{key}/_history?_count={limit}&_cursor={}", cursor(last.version));
        links.push(("next", next));
    }
    let mut bundle = BundleWriter::new("history", None, &links);
    for version in &versions {
        entry(&mut bundle, base, &key, version);
    }
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()))
}

fn entry(bundle: &mut BundleWriter, base: &str, key: &ResourceKey, version: &Version) {
    let (method, status) = match (&version.resource, version.first) {
        (None, _) => ("DELETE", "204"),
        (Some(_), true) => ("PUT", "201"),
        (Some(_), false) => ("PUT", "200"),
    };
    let request = format!(r#"{{"method":"{method}","url":{}}}"#, quote(&key.to_string()));
    let response = format!(
        r#"{{"status":"{status}","etag":"W/\"{}\"","lastModified":"{}"}}"#,
        version.version, version.recorded_at
    );
    let resource = version.resource.as_ref().map(crate::store::Resource::bytes);
    let full_url = format!("{base}/{key}");
    let members = [("request", request), ("response", response)];
    bundle.entry(Some(&full_url), resource.as_deref(), &members);
}
