//! Who looked.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::paging::page_size;
use super::super::reply::{JSON, Reply};
use super::super::{Call, Failure};
use super::instant;
use crate::access::{Action, Outcome};
use crate::audit::{self, AccessFilter, AccessId, AccessJson, Sort};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::fhir::check::IssueCode;
use crate::records::Records;

/// The parameters by which entries are chosen.
pub const FILTERS: [&str; 13] = [
    "patient",
    "actor",
    "client",
    "organization",
    "purpose",
    "outcome",
    "action",
    "operation",
    "request",
    "breakGlass",
    "resource",
    "since",
    "until",
];

/// A page of access entries.
#[derive(Debug, Serialize, ToSchema)]
struct AccessPage {
    /// In the order that was asked for.
    #[schema(value_type = Vec<AccessJson>)]
    accesses: Vec<Box<RawValue>>,
    /// `cursor` of the next page, if there may be one: a page that looked at very many entries ends early.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Who looked at this chart, or was refused.
#[utoipa::path(get, path = "/v1/patients/{id}/accesses", operation_id = "listChartAccesses", tag = "audit",
    params(
        ("id" = String, Path, description = "Id of the Patient"),
        ("actor" = Option<String>, Query, description = "Only of this subject, or of who acted on its behalf"),
        ("client" = Option<String>, Query, description = "Only of this client application"),
        ("organization" = Option<String>, Query, description = "Only of subjects of this organisation"),
        ("purpose" = Option<String>, Query, description = "Only with this purpose of use"),
        ("outcome" = Option<String>, Query, description = "granted, refused or failed"),
        ("action" = Option<String>, Query, description = "C, R, U, D or E"),
        ("operation" = Option<String>, Query, description = "Only of this operation"),
        ("request" = Option<String>, Query, description = "Only of the request with this id: X-Request-Id of its answer, or of itself"),
        ("breakGlass" = Option<bool>, Query, description = "Only with the glass broken, or not"),
        ("resource" = Option<String>, Query, description = "Only what showed this resource, or was about it: Type/id"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("sort" = Option<String>, Query, description = "-recordedAt (default) or recordedAt"),
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
        ("patient" = Option<String>, Query, description = "Only about the chart of the Patient with this id"),
        ("actor" = Option<String>, Query, description = "Only of this subject, or of who acted on its behalf"),
        ("client" = Option<String>, Query, description = "Only of this client application"),
        ("organization" = Option<String>, Query, description = "Only of subjects of this organisation"),
        ("purpose" = Option<String>, Query, description = "Only with this purpose of use"),
        ("outcome" = Option<String>, Query, description = "granted, refused or failed"),
        ("action" = Option<String>, Query, description = "C, R, U, D or E"),
        ("operation" = Option<String>, Query, description = "Only of this operation"),
        ("request" = Option<String>, Query, description = "Only of the request with this id: X-Request-Id of its answer, or of itself"),
        ("breakGlass" = Option<bool>, Query, description = "Only with the glass broken, or not"),
        ("resource" = Option<String>, Query, description = "Only what showed this resource, or was about it: Type/id"),
        ("since" = Option<String>, Query, description = "Not before this instant"),
        ("until" = Option<String>, Query, description = "Before this instant"),
        ("sort" = Option<String>, Query, description = "-recordedAt (default) or recordedAt"),
        ("count" = Option<u32>, Query, description = "Entries on a page"),
        ("cursor" = Option<String>, Query, description = "next of the page before")),
    responses(
        (status = 200, description = "A page of access entries", body = AccessPage),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs on everything, by that name"),
        (status = 404, description = "No such patient or resource"),
        (status = 410, description = "The chart of the patient was erased")))]
pub async fn of_all(call: Call) -> Result<Reply, Failure> {
    page(&call, None).await
}

/// One access entry, with every version that left.
#[utoipa::path(get, path = "/v1/accesses/{id}", operation_id = "readAccess", tag = "audit",
    params(("id" = String, Path, description = "Id of the entry, such as 12-3, or of a commit, such as e123")),
    responses(
        (status = 200, description = "The entry", body = AccessJson),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs"), (status = 404, description = "No such entry")))]
pub async fn one(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let id = id(call.segment("id"), "id")?;
    let read = move |records: &Records, grant: &Grant| audit::access(records, grant, id);
    Ok(Reply::new(StatusCode::OK, JSON, call.aside(read).await?.json(None).into_bytes()))
}

fn id(text: &str, name: &str) -> Result<AccessId, Failure> {
    text.parse().map_err(|_| {
        Failure::at(IssueCode::Value, name, format!("\"{text}\" is not of the form 12-3 or e123"))
    })
}

async fn page(call: &Call, patient: Option<ResourceId>) -> Result<Reply, Failure> {
    let filters = FILTERS.iter().filter(|name| patient.is_none() || **name != "patient");
    let allowed: Vec<&str> = filters.copied().chain(["sort", "count", "cursor"]).collect();
    call.allow_parameters(&allowed)?;
    let is_of_chart = patient.is_some();
    let filter = filter(call, patient)?;
    let sort = match call.parameter::<String>("sort", "a member")?.as_deref() {
        None | Some("-recordedAt") => Sort::Newest,
        Some("recordedAt") => Sort::Oldest,
        Some(_) => {
            let diagnostics = "must be -recordedAt (newest first) or recordedAt";
            return Err(Failure::at(IssueCode::Value, "sort", diagnostics));
        }
    };
    let limit = page_size(call, "count")?;
    let cursor = call.parameter::<String>("cursor", "a cursor")?;
    let from = cursor.map(|text| id(&text, "cursor")).transpose()?;
    let read = move |records: &Records, grant: &Grant| {
        let (found, next) = audit::accesses(records, grant, &filter, sort, from, limit)?;
        let summaries = match filter.patient.as_ref().filter(|_| is_of_chart) {
            Some(patient) => audit::summaries(records, grant, patient, &found)?,
            None => Vec::new(),
        };
        Ok((found, summaries, next))
    };
    let (found, summaries, next) = call.aside(read).await?;
    let mut summaries = summaries.into_iter();
    let written = found.iter().map(|access| access.json(summaries.next().as_deref()));
    let accesses = written.map(RawValue::from_string).collect::<Result<_, _>>();
    let accesses = accesses.map_err(|_| Failure::internal())?;
    let next = next.map(|next| next.to_string());
    Ok(Reply::json(StatusCode::OK, &AccessPage { accesses, next }))
}

/// The filter in the query of a request.
///
/// # Errors
///
/// 400.
pub fn filter(call: &Call, patient: Option<ResourceId>) -> Result<AccessFilter, Failure> {
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
            let diagnostics = "must be granted, refused or failed";
            return Err(Failure::at(IssueCode::Value, "outcome", diagnostics));
        }
    };
    let action = match call.parameter::<String>("action", "a letter")? {
        None => None,
        Some(letter) => {
            let action = Action::ALL.into_iter().find(|action| action.letter() == letter);
            Some(action.ok_or_else(|| {
                Failure::at(IssueCode::Value, "action", "must be C, R, U, D or E")
            })?)
        }
    };
    Ok(AccessFilter {
        patient: match patient {
            Some(patient) => Some(patient),
            None => call.parameter("patient", "the id of a Patient")?,
        },
        subject: call.parameter("actor", "a subject")?,
        client: call.parameter("client", "a client")?,
        organization: call.parameter("organization", "an organisation")?,
        purpose: call.parameter("purpose", "a purpose")?,
        outcome,
        action,
        operation: call.parameter("operation", "the id of an operation")?,
        request: call.parameter("request", "the id of a request")?,
        break_glass: call.parameter("breakGlass", "true or false")?,
        resource: call.parameter("resource", "Type/id")?,
        since: moment("since")?,
        until: moment("until")?,
    })
}
