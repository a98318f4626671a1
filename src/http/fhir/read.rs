//! read and vread: FHIR R4 §3.1.0.2 and §3.1.0.3.

use actix_web::http::StatusCode;

use super::super::reply::is_known;
use super::{Call, Failure, Reply};
use crate::store::Resource;

/// The current version of a resource.
#[utoipa::path(get, path = "/fhir/{type}/{id}", operation_id = "readResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if this is still the version"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "The resource, as stored", content_type = "application/fhir+json"),
        (status = 304, description = "Not changed"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted")))]
pub async fn read(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    call.allow_parameters(&["_format"])?;
    let resource = call.store().read(&call.grant, &key)?;
    Ok(unless_known(&call, &resource))
}

/// One version of a resource.
#[utoipa::path(get, path = "/fhir/{type}/{id}/_history/{version}", operation_id = "readResourceVersion", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("version" = String, Path, description = "meta.versionId", example = "1"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 if this is the version"),
        ("_format" = Option<String>, Query, description = "json")),
    responses(
        (status = 200, description = "The version, as stored", content_type = "application/fhir+json"),
        (status = 304, description = "Known already"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "This version is a deletion")))]
pub async fn read_version(call: Call) -> Result<Reply, Failure> {
    let (key, version) = (call.key()?, call.version()?);
    call.allow_parameters(&["_format"])?;
    let resource = call.store().read_version(&call.grant, &key, version)?;
    Ok(unless_known(&call, &resource))
}

fn unless_known(call: &Call, resource: &Resource) -> Reply {
    let reply = if is_known(call.header("if-none-match"), resource.version) {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        Reply::resource(StatusCode::OK, resource.bytes())
    };
    reply.version(resource.version, resource.recorded_at)
}
