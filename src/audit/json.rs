//! An entry as JSON: in the answers of the API, in exports, and where entries are forwarded to.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::accesses::Access;
use super::reader::NamedLook;
use super::rendered::{ResourceJson, SourceJson};
use crate::access::{Action, Look, Outcome};
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::numbers::Position;

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
    /// Who asked, from where and why.
    #[serde(flatten)]
    #[schema(value_type = SourceJson)]
    pub source: Arc<SourceJson>,
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
    #[schema(value_type = String)]
    pub operation: Arc<str>,
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
    #[schema(value_type = Option<String>)]
    pub reason: Option<Arc<str>>,
    /// Patients whose charts it was about.
    #[schema(value_type = Vec<String>)]
    pub patients: Vec<ResourceId>,
    /// How many more there were, whose charts were erased since.
    #[serde(skip_serializing_if = "is_zero")]
    pub erased_patients: usize,
    /// Type/id of the resource that it was about, unless that is the one that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The versions that left, or those that a commit wrote; on a page the first of them.
    #[schema(value_type = Vec<ResourceJson>)]
    pub resources: Vec<Arc<RawValue>>,
    /// How many versions these are.
    pub resource_count: u64,
    /// Positions of the events that it committed, where that is not a trace of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<u64>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl From<Access> for AccessJson {
    fn from(access: Access) -> Self {
        let Access { id, recorded_at, source, entry, look, parts } = access;
        let named = entry.parts.iter().zip(parts);
        Self {
            id: id.to_string(),
            recorded_at,
            begun_at: Instant::from_micros(entry.begun_at),
            source,
            request: entry.request.to_string(),
            parts: named
                .map(|(part, named)| PartJson { entry: part.at, look: look_of(&part.look, named) })
                .collect(),
            client_request: entry.client_request,
            trace: entry.trace,
            bytes: entry.bytes,
            summary: None,
            look: look_of(&entry.look, look),
        }
    }
}

fn look_of(look: &Look, named: NamedLook) -> LookJson {
    LookJson {
        operation: Arc::clone(&look.operation),
        action: look.action(),
        query: named.query(look),
        outcome: look.outcome,
        status: look.status,
        reason: look.reason.clone(),
        erased_patients: named.erased,
        resource: named.about.as_ref().map(ToString::to_string),
        resource_count: named.shown_count,
        resources: named.shown.iter().map(|shown| Arc::clone(&shown.json)).collect(),
        patients: named.patients,
        events: look.written.positions().map(Position::get).collect(),
    }
}
