//! Who looked.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::paging::page_size;
use super::super::reply::Reply;
use super::super::{Call, Failure};
use super::instant;
use crate::access::{Action, Look, Outcome};
use crate::audit::{self, AccessFilter, AccessId, NamedLook, Sort};
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
    accesses: Vec<Access>,
    /// `cursor` of the next page, if there may be one: a page that looked at very many entries ends early.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Who looked (or was refused) what, when, from where, why, with which outcome: one request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Where the entry stands: frame of the access log, and number in the frame. Of a commit, which is its own
    /// trace, e and the position of its first event.
    pub(super) id: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub(super) recorded_at: Instant,
    /// When the request began.
    #[schema(value_type = String, format = DateTime)]
    pub(super) begun_at: Instant,
    /// Who; absent when no acceptable token came with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
    /// Name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Role of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    /// Organisation of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    /// The resource that stands for the subject, such as Practitioner/x: claim fhirUser of SMART.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fhir_user: Option<String>,
    /// Who acted on behalf of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acting: Option<String>,
    /// Client application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<String>,
    /// Issuer of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_id: Option<String>,
    /// What the token granted: the decision rested on this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scopes: Option<String>,
    /// From where: network address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    /// The trusted proxy that named this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proxy: Option<String>,
    /// User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_agent: Option<String>,
    /// Why: purpose of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purpose: Option<String>,
    /// Whether the glass was broken.
    pub(super) break_glass: bool,
    /// Id that the server gave the request.
    pub(super) request: String,
    /// Id that the client gave the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_request: Option<String>,
    /// traceparent (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
    /// Bytes of the answer, or of its first part, before elements are left out and it is compressed.
    pub(super) bytes: u64,
    /// The whole in plain words, as it would be told to the patient; only among the accesses to one chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(flatten)]
    pub(super) look: AccessLook,
    /// The entries of a Bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<AccessPart>,
}

/// An entry of a Bundle.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessPart {
    /// Its number in the Bundle, from 0.
    pub(super) entry: u32,
    #[serde(flatten)]
    pub(super) look: AccessLook,
}

/// What was asked, how it ended, and what left.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessLook {
    /// Id of the operation in this document.
    pub(super) operation: String,
    /// C, R, U, D or E: create, read, update, delete, execute (and search).
    #[schema(value_type = String)]
    pub(super) action: Action,
    /// Method, path and query; the pattern of the path when the words of the request were erased. Absent for a
    /// commit: its events do not tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) query: String,
    /// granted, refused or failed.
    #[schema(value_type = String)]
    pub(super) outcome: Outcome,
    /// HTTP status of the answer; 0: there was none, or it is not told by the events.
    pub(super) status: u16,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Patients whose charts it was about.
    pub(super) patients: Vec<String>,
    /// How many more there were, whose charts were erased since.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) erased_patients: usize,
    /// Type/id of the resource that it was about, unless that is the one that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<String>,
    /// The versions that left, or those that a commit wrote; on a page the first of them.
    pub(super) resources: Vec<AccessedResource>,
    /// How many versions these are.
    pub(super) resource_count: u64,
    /// Positions of the events that it committed, where that is not a trace of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<u64>,
}

/// A version of a resource that left.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessedResource {
    /// Position of the event that brought it.
    pub(super) position: u64,
    /// Type/id; absent when it was erased since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<String>,
    /// meta.versionId.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// Patients in whose charts it lies.
    pub(super) patients: Vec<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
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
        (status = 403, description = "The token does not grant AuditEvent.rs on everything"),
        (status = 404, description = "No such patient or resource")))]
pub async fn of_all(call: Call) -> Result<Reply, Failure> {
    page(&call, None).await
}

/// One access entry, with every version that left.
#[utoipa::path(get, path = "/v1/accesses/{id}", operation_id = "readAccess", tag = "audit",
    params(("id" = String, Path, description = "Id of the entry, such as 12-3, or of a commit, such as e123")),
    responses(
        (status = 200, description = "The entry", body = Access),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant AuditEvent.rs"), (status = 404, description = "No such entry")))]
pub async fn one(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let id = id(call.segment("id"), "id")?;
    let read = move |records: &Records, grant: &Grant| audit::access(records, grant, id);
    Ok(Reply::json(StatusCode::OK, &access(call.aside(read).await?)))
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
    let limit = page_size(call, "count")?.max(1);
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
    let mut accesses: Vec<Access> = found.into_iter().map(access).collect();
    for (access, summary) in accesses.iter_mut().zip(summaries) {
        access.summary = Some(summary);
    }
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

/// An entry as it is shown.
pub fn access(access: audit::Access) -> Access {
    let audit::Access { id, recorded_at, entry, look, parts } = access;
    let source = &entry.source;
    let break_glass = source.breaks_glass();
    let identity = source.identity.clone();
    let (subject, issuer) = match &identity {
        Some(identity) => (Some(identity.subject.clone()), Some(identity.issuer.clone())),
        None => (None, None),
    };
    let identity = identity.unwrap_or_default();
    let named = entry.parts.iter().zip(parts);
    Access {
        id: id.to_string(),
        recorded_at,
        begun_at: Instant::from_micros(entry.begun_at),
        subject,
        name: identity.name,
        role: identity.role,
        organization: identity.organization,
        fhir_user: identity.fhir_user,
        acting: identity.acting,
        client: identity.client,
        issuer,
        token_id: identity.token_id,
        scopes: identity.scopes,
        address: source.address.clone(),
        proxy: source.proxy.clone(),
        user_agent: source.user_agent.clone(),
        purpose: source.purpose.clone(),
        break_glass,
        request: entry.request.to_string(),
        client_request: entry.client_request.clone(),
        trace: entry.trace.clone(),
        bytes: entry.bytes,
        summary: None,
        look: look_of(&entry.look, look),
        parts: named
            .map(|(part, named)| AccessPart { entry: part.at, look: look_of(&part.look, named) })
            .collect(),
    }
}

fn look_of(look: &Look, named: NamedLook) -> AccessLook {
    let names = |patients: &[ResourceId]| patients.iter().map(ToString::to_string).collect();
    AccessLook {
        operation: look.operation.to_string(),
        action: look.action(),
        query: named.query(look),
        outcome: look.outcome,
        status: look.status,
        reason: look.reason.as_ref().map(ToString::to_string),
        patients: names(&named.patients),
        erased_patients: named.erased,
        resource: named.about.as_ref().map(ToString::to_string),
        resource_count: named.shown_count,
        resources: named
            .shown
            .into_iter()
            .map(|shown| AccessedResource {
                position: shown.position.get(),
                resource: shown.resource.as_ref().map(|(key, _)| key.to_string()),
                version: shown.resource.as_ref().map(|(_, version)| version.to_string()),
                patients: names(&shown.patients),
            })
            .collect(),
        events: look.written.positions().map(|position| position.get()).collect(),
    }
}
