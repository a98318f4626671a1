//! The form of an entry as JSON, as the document of the API describes it. What writes it is [`super::written`], which
//! is held against this.

use serde::Serialize;
use utoipa::ToSchema;

/// Who looked (or was refused) what, when, from where, why, with which outcome: one request.
#[derive(Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "camelCase")]
#[schema(as = Access)]
pub struct AccessJson {
    /// Where the entry stands: frame of the access log, and number in the frame. Of a commit, which is its own
    /// trace, e and the position of its first event.
    pub id: String,
    /// When it was recorded.
    #[schema(format = DateTime)]
    pub recorded_at: String,
    /// When the request began.
    #[schema(format = DateTime)]
    pub begun_at: String,
    /// Who asked, from where and why.
    #[serde(flatten)]
    pub source: SourceJson,
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
    #[cfg_attr(test, serde(default))]
    pub parts: Vec<PartJson>,
}

/// An entry of a Bundle.
#[derive(Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
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
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessLook)]
pub struct LookJson {
    /// Id of the operation in this document.
    pub operation: String,
    /// C, R, U, D or E: create, read, update, delete, execute (and search).
    pub action: String,
    /// Method, path and query; the pattern of the path when the words of the request were erased. Absent for a
    /// commit: its events do not tell.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(test, serde(default))]
    pub query: String,
    /// granted, refused or failed.
    pub outcome: String,
    /// HTTP status of the answer; 0: there was none, or it is not told by the events.
    pub status: u16,
    /// Why it was refused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Patients whose charts it was about.
    pub patients: Vec<String>,
    /// How many more there were, whose charts were erased since.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(test, serde(default))]
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
    #[cfg_attr(test, serde(default))]
    pub events: Vec<u64>,
}

/// Who asked, from where and why.
#[derive(Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessSource)]
pub struct SourceJson {
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
}

/// A version of a resource that left.
#[derive(Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(serde::Deserialize))]
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
