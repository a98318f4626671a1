//! How long access entries are kept: what is due, and its disposal.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Call, Failure};
use crate::audit::{self, Fate};
use crate::clock::Instant;
use crate::engine::AccessSegment;

/// The closed segments of the access log, and what is to become of them.
#[derive(Debug, Serialize, ToSchema)]
struct Retention {
    /// For how many years access entries are kept; 0: for ever.
    years: u64,
    /// In the order of time. The segment that is being written is not among them.
    segments: Vec<RetainedSegment>,
}

/// A closed segment of the access log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetainedSegment {
    /// Its number.
    segment: u32,
    /// Position of its first frame.
    first: u64,
    /// Position of its last frame.
    last: u64,
    /// When its first frame was recorded.
    #[schema(value_type = String, format = DateTime)]
    since: Instant,
    /// When its last frame was recorded.
    #[schema(value_type = String, format = DateTime)]
    until: Instant,
    /// Bytes on disk.
    bytes: u64,
    /// What is to become of it: `kept`, `held`, `due`, `disposed`.
    fate: &'static str,
    /// If it is held: the patients under a legal hold whom its entries are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patients: Vec<String>,
}

/// What was disposed of.
#[derive(Debug, Serialize, ToSchema)]
struct Disposals {
    /// One signed statement for each segment, a C2SP signed note.
    statements: Vec<String>,
}

/// How long access entries are kept, and which are due for disposal.
#[utoipa::path(get, path = "/v1/retention", operation_id = "readRetention", tag = "operations",
    responses(
        (status = 200, description = "The closed segments of the access log", body = Retention),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "No scope of the token names Retention.r")))]
pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let years = call.options().audit.retention_years;
    let segments = call
        .aside(move |records, grant| audit::retention(records, grant, years, Instant::now()))
        .await?;
    let segments = segments.into_iter().map(|(segment, fate)| shown(&segment, fate)).collect();
    Ok(Reply::json(StatusCode::OK, &Retention { years, segments }))
}

/// Dispose of the access entries that are due.
///
/// Entries go by whole segments of the access log: when the last of a segment is older than
/// `audit.retention_years`, and none is about a chart under a legal hold. A signed statement is left.
#[utoipa::path(delete, path = "/v1/retention/due", operation_id = "disposeAccesses", tag = "operations",
    responses(
        (status = 200, description = "What was disposed of", body = Disposals),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "No scope of the token names Retention.d"),
        (status = 503, description = "The views are being rebuilt: try later")))]
pub async fn dispose(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let years = call.options().audit.retention_years;
    let statements = call
        .aside(move |records, grant| audit::dispose(records, grant, years, Instant::now()))
        .await?;
    Ok(Reply::json(StatusCode::OK, &Disposals { statements }))
}

fn shown(segment: &AccessSegment, fate: Fate) -> RetainedSegment {
    let AccessSegment { segment, since, until } = segment;
    let (fate, patients) = match fate {
        Fate::Kept => ("kept", Vec::new()),
        Fate::Held(patients) => ("held", patients),
        Fate::Due => ("due", Vec::new()),
        Fate::Disposed => ("disposed", Vec::new()),
    };
    RetainedSegment {
        segment: segment.number,
        first: segment.positions.start.get(),
        last: segment.positions.end.previous().get(),
        since: *since,
        until: *until,
        bytes: segment.bytes,
        fate,
        patients: patients.iter().map(ToString::to_string).collect(),
    }
}
