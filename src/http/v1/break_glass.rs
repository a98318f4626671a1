//! The queue of broken glasses.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::paging::{open_cursor, page_size, seal_cursor};
use super::super::reply::Reply;
use super::super::{Call, Failure, shapes};
use super::raw;
use crate::fhir::ResourceId;
use crate::fhir::check::IssueCode;
use crate::json::Kind;
use crate::records::GlassesRequest;

/// What a cursor of the queue is of.
const CURSOR: &str = "break-glass";

/// A page of the queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GlassPage {
    /// A FHIR CommunicationRequest for each: who broke the glass (`requester`), why (`reasonCode`), from when until when
    /// (`occurrencePeriod`), and, once it is acknowledged, by whom (`sender`).
    #[schema(schema_with = shapes::resources)]
    glasses: Vec<Box<RawValue>>,
    /// `cursor` of the next page, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What was found when somebody looked at why a glass was broken.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
struct Acknowledgement {
    /// What was found.
    #[schema(min_length = 5, max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    note: Option<String>,
}

/// List the glasses that were broken, and who is to look at why.
#[utoipa::path(get, path = "/v1/break-glass", operation_id = "listBrokenGlasses", tag = "break-glass",
    params(
        ("status" = Option<String>, Query, description = "open (the default): nobody has acknowledged them yet; or all"),
        ("patient" = Option<String>, Query, description = "Only those of this patient"),
        ("count" = Option<usize>, Query, description = "Most on the page"),
        ("cursor" = Option<String>, Query, description = "next of the page before")),
    responses(
        (status = 200, description = "A page of them, the newest last", body = GlassPage),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant BreakGlass.r by name")))]
pub async fn list(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&["status", "patient", "count", "cursor"])?;
    let status: Option<String> = call.parameter("status", "open or all")?;
    let open_only = match status.as_deref() {
        None | Some("open") => true,
        Some("all") => false,
        Some(_) => return Err(Failure::at(IssueCode::Value, "status", "must be open or all")),
    };
    let patient: Option<ResourceId> = call.parameter("patient", "the id of a Patient")?;
    let cursor: Option<String> = call.parameter("cursor", "next of the page before")?;
    let start = cursor.map(|cursor| open_cursor(&call, "cursor", CURSOR, &cursor)).transpose()?;
    let limit = page_size(&call, "count")?;
    let request = GlassesRequest { open_only, patient, start, limit };
    let page = call.aside(move |records, grant| records.broken_glasses(grant, &request)).await?;
    let glasses = page.matches.iter().map(|review| raw(&call, review)).collect::<Result<_, _>>()?;
    let next = page.next.map(|next| seal_cursor(&call, CURSOR, &next)).transpose()?;
    Ok(Reply::json(StatusCode::OK, &GlassPage { glasses, next }))
}

/// Acknowledge that a glass was broken: somebody else than who broke it has looked at why.
#[utoipa::path(post, path = "/v1/break-glass/{id}/acknowledge", operation_id = "acknowledgeBrokenGlass", tag = "break-glass",
    params(("id" = String, Path, description = "Id of the CommunicationRequest in the queue")),
    request_body = Acknowledgement,
    responses(
        (status = 204, description = "Acknowledged"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant BreakGlass.u by name, or the caller broke the glass"),
        (status = 404, description = "No such glass"), (status = 409, description = "Acknowledged already"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn acknowledge(mut call: Call) -> Result<Reply, Failure> {
    call.grant
        .may(crate::records::BREAK_GLASS, crate::auth::Permission::Update)
        .map_err(crate::records::RecordsError::from)?;
    call.allow_parameters(&[])?;
    let id = call.id()?;
    let document = call.json().await?;
    let root = document.root();
    let mut note = None;
    if !root.is_object() {
        return Err(Failure::at(IssueCode::Structure, "", "must be an object"));
    }
    for (name, value) in root.members() {
        match (&*name, value.kind()) {
            ("note", Kind::String) => note = value.as_str().map(|text| text.into_owned()),
            ("note", _) => return Err(Failure::at(IssueCode::Value, "note", "must be a string")),
            (name, _) => {
                return Err(Failure::at(
                    IssueCode::Structure,
                    name,
                    "is not known; there is only note",
                ));
            }
        }
    }
    call.records().acknowledge_glass(&call.grant, &id, note.as_deref()).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
