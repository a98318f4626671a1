//! `$meta` of one resource: FHIR R4 OperationDefinition Resource-meta.

use actix_web::http::StatusCode;

use super::super::reply::FHIR_JSON;
use super::{Call, Failure, Reply, audit_event};
use crate::json::Document;

/// The profiles, tags and security labels of a resource, with its version and time.
#[utoipa::path(get, path = "/fhir/{type}/{id}/$meta", operation_id = "resourceMeta", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("_pretty" = Option<bool>, Query, description = "true: with line breaks"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "Parameters with one parameter, return: the Meta", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 406, description = "Only JSON is spoken here"), (status = 410, description = "Deleted")))]
pub async fn meta(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    audit_event::refuse(key.kind)?;
    call.allow_parameters(&[])?;
    let resource = call.records().read(&call.grant, &key)?;
    let document = Document::parse(resource.bytes(&call.grant)).map_err(|_| Failure::internal())?;
    let meta = document.root().get("meta").ok_or_else(Failure::internal)?;
    let parameters = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"return","valueMeta":{}}}]}}"#,
        meta.text()
    );
    let reply = Reply::new(StatusCode::OK, FHIR_JSON, parameters.into_bytes());
    Ok(reply.version(resource.version, resource.recorded_at))
}
