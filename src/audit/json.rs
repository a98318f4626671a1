//! An entry as JSON: in the answers of the API, in exports, and where entries are forwarded to.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::accesses::Access;
use super::reader::NamedLook;
use crate::access::{Action, Look, Outcome};
use crate::clock::Instant;
use crate::fhir::ResourceId;

/// Who looked (or was refused) what, when, from where, why, with which outcome: one request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Access)]
pub struct AccessJson {
    /// Where the entry stands: frame of the access log, and number in the frame. Of a commit, which is its own
    /// trace, e and the position of its first event.
    pub id: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Instant,
    /// When the request began.
    #[schema(value_type = String, format = DateTime)]
    pub begun_at: Instant,
    /// Who; absent when no acceptable token came with the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Name of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Organisation of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The resource that stands for the subject, such as Practitioner/x: claim fhirUser of SMART.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// Who acted on behalf of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
    /// Client application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Issuer of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// What the token granted: the decision rested on this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// From where: network address of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The trusted proxy that named this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Why: purpose of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Whether the glass was broken.
    pub break_glass: bool,
    /// Id that the server gave the request.
    pub request: String,
    /// Id that the client gave the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request: Option<String>,
    /// traceparent (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Bytes of the answer, or of its first part, before elements are left out and it is compressed.
    pub bytes: u64,
    /// The whole in plain words, as it would be told to the patient; only among the accesses to one chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was asked, besides what the parts say.
    #[serde(flatten)]
    pub look: LookJson,
    /// The entries of a Bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartJson>,
}

/// An entry of a Bundle.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessPart)]
pub struct PartJson {
    /// Its number in the Bundle, from 0.
    pub entry: u32,
    /// What it asked.
    #[serde(flatten)]
    pub look: LookJson,
}

/// What was asked, how it ended, and what left.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessLook)]
pub struct LookJson {
    /// Id of the operation in this document.
    pub operation: String,
    /// C, R, U, D or E: create, read, update, delete, execute (and search).
    #[schema(value_type = String)]
    pub action: Action,
    /// Method, path and query; the pattern of the path when the words of the request were erased. Absent for a
    /// commit: its events do not tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// granted, refused or failed.
    #[schema(value_type = String)]
    pub outcome: Outcome,
    /// HTTP status of the answer; 0: there was none, or it is not told by the events.
    pub status: u16,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Patients whose charts it was about.
    pub patients: Vec<String>,
    /// How many more there were, whose charts were erased since.
    #[serde(skip_serializing_if = "is_zero")]
    pub erased_patients: usize,
    /// Type/id of the resource that it was about, unless that is the one that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The versions that left, or those that a commit wrote; on a page the first of them.
    pub resources: Vec<ResourceJson>,
    /// How many versions these are.
    pub resource_count: u64,
    /// Positions of the events that it committed, where that is not a trace of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<u64>,
}

/// A version of a resource that left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessedResource)]
pub struct ResourceJson {
    /// Position of the event that brought it.
    pub position: u64,
    /// Type/id; absent when it was erased since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// meta.versionId.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Patients in whose charts it lies.
    pub patients: Vec<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl From<Access> for AccessJson {
    fn from(access: Access) -> Self {
        let Access { id, recorded_at, entry, look, parts } = access;
        let source = &entry.source;
        let break_glass = source.breaks_glass();
        let identity = source.identity.clone();
        let (subject, issuer) = match &identity {
            Some(identity) => (Some(identity.subject.clone()), Some(identity.issuer.clone())),
            None => (None, None),
        };
        let identity = identity.map(Arc::unwrap_or_clone).unwrap_or_default();
        let named = entry.parts.iter().zip(parts);
        Self {
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
                .map(|(part, named)| PartJson { entry: part.at, look: look_of(&part.look, named) })
                .collect(),
        }
    }
}

fn look_of(look: &Look, named: NamedLook) -> LookJson {
    let names = |patients: &[ResourceId]| patients.iter().map(ToString::to_string).collect();
    LookJson {
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
            .map(|shown| ResourceJson {
                position: shown.position.get(),
                resource: shown.resource.as_ref().map(|(key, _)| key.to_string()),
                version: shown.resource.as_ref().map(|(_, version)| version.to_string()),
                patients: names(&shown.patients),
            })
            .collect(),
        events: look.written.positions().map(|position| position.get()).collect(),
    }
}
