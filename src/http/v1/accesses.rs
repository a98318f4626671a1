//! Who looked.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::paging::{cursor, page_size, read_cursor};
use super::super::reply::Reply;
use super::super::{Call, Failure};
use super::instant;
use crate::audit::{self, AccessFilter};
use crate::auth::Grant;
use crate::chart::Outcome;
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::fhir::check::IssueCode;
use crate::numbers::Position;
use crate::records::Records;

/// A page of access entries.
#[derive(Debug, Serialize, ToSchema)]
struct AccessPage {
    /// Newest first.
    accesses: Vec<Access>,
    /// `cursor` of the next page, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Who looked (or was refused) what, when, from where, why, with which outcome.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Access {
    /// Number of the entry in the access log.
    position: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Instant,
    /// Who; absent when no acceptable token came with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Client application.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// Issuer of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// From where: network address of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Why: X-Purpose-Of-Use.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// Id of the request.
    request: String,
    /// What: id of the operation in this document.
    operation: String,
    /// Patients whose charts it touched.
    patients: Vec<String>,
    /// Type/id, if it was about one resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// Method, path and query.
    query: String,
    /// granted, refused or failed.
    #[schema(value_type = String)]
    outcome: Outcome,
    /// HTTP status of the answer.
    status: u16,
}

/// Who looked at this chart, or was refused.
#[utoipa::path(get, path = "/v1/patients/{id}/accesses", operation_id = "listChartAccesses", tag = "audit",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("actor" = Option<String>, Query, description = "Only of this subject"),
        ("outcome" = Option<String>, Query, description = "granted, refused or failed"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("count" = Option<u32>, Query, description = "Entries on a page"),
        ("cursor" = Option<String>, Query, description = "next of the page before")),
    responses(
        (status = 200, description = "A page of access entries", body = AccessPage),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs"), (status = 404, description = "No such chart")))]
pub async fn of_chart(call: Call) -> Result<Reply, Failure> {
    let patient = call.id()?;
    page(&call, Some(patient)).await
}

/// Who looked at anything, or was refused.
#[utoipa::path(get, path = "/v1/accesses", operation_id = "listAccesses", tag = "audit",
    params(
        ("actor" = Option<String>, Query, description = "Only of this subject"),
        ("outcome" = Option<String>, Query, description = "granted, refused or failed"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("count" = Option<u32>, Query, description = "Entries on a page"),
        ("cursor" = Option<String>, Query, description = "next of the page before")),
    responses(
        (status = 200, description = "A page of access entries", body = AccessPage),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs on everything")))]
pub async fn of_all(call: Call) -> Result<Reply, Failure> {
    page(&call, None).await
}

async fn page(call: &Call, patient: Option<ResourceId>) -> Result<Reply, Failure> {
    call.allow_parameters(&["actor", "outcome", "since", "until", "count", "cursor"])?;
    let moment = |name: &str| -> Result<Option<Instant>, Failure> {
        let text = call.parameter::<String>(name, "an instant")?;
        text.map(|text| instant(&text, name)).transpose()
    };
    let outcome = match call.parameter::<String>("outcome", "an outcome")?.as_deref() {
        None => None,
        Some("granted") => Some(Outcome::Granted),
        Some("refused") => Some(Outcome::Refused),
        Some("failed") => Some(Outcome::Failed),
        Some(_) => {
            return Err(Failure::at(
                IssueCode::Value,
                "outcome",
                "must be granted, refused or failed",
            ));
        }
    };
    let filter = AccessFilter {
        actor: call.parameter("actor", "a subject")?,
        outcome,
        since: moment("since")?,
        until: moment("until")?,
    };
    let limit = page_size(call, "count")?.max(1);
    let before = Position::new(read_cursor(call, "cursor")?.unwrap_or(u64::MAX));
    let read = move |records: &Records, grant: &Grant| {
        audit::accesses(records, grant, patient.as_ref(), &filter, before, limit)
    };
    let (found, next) = call.aside(read).await?;
    let accesses = found.into_iter().map(access).collect();
    let next = next.map(|next| cursor(next.get()));
    Ok(Reply::json(StatusCode::OK, &AccessPage { accesses, next }))
}

fn access(access: audit::Access) -> Access {
    let audit::Access { position, recorded_at, entry, patients, resource } = access;
    Access {
        position: position.get(),
        recorded_at,
        subject: entry.subject,
        client: entry.client,
        issuer: entry.issuer,
        address: entry.address,
        purpose: entry.purpose,
        request: entry.request,
        operation: entry.operation,
        patients: patients.iter().map(ToString::to_string).collect(),
        resource: resource.map(|key| key.to_string()),
        query: entry.query,
        outcome: entry.outcome,
        status: entry.status,
    }
}
