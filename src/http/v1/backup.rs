//! The logs as bytes, for `chartlog backup`. What they say is sealed, and the keys are not here.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Call, Failure, Fault};
use crate::auth::Grant;
use crate::backup::{self, LogCopy};
use crate::backup::{Manifest, STRETCH_BYTES_MAX};
use crate::engine::{EngineError, read_origin};
use crate::fhir::check::IssueCode;
use crate::log::LogKind;
use crate::records::Records;

/// What a backup could hold now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Backup {
    /// Version of this description.
    format: u32,
    /// Version of the layout of data directories.
    data: String,
    /// The server's time.
    taken_at: Option<String>,
    /// The name that the logs are signed under.
    origin: Option<String>,
    /// Every change.
    events: BackupLog,
    /// Every look.
    access: BackupLog,
}

/// What a backup could hold of one log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupLog {
    /// Number of events or entries.
    position: u64,
    /// Bytes of each segment file, in order: segment 0, 1, and so on.
    segments: Vec<u64>,
    /// The latest checkpoint, a signed note; it covers no more than the segments hold.
    checkpoint: Option<String>,
    /// The public key that it was signed with.
    key: Option<String>,
}

/// What a backup of the logs would hold now.
#[utoipa::path(get, path = "/v1/backup", operation_id = "listBackup", tag = "operations",
    responses(
        (status = 200, description = "Segments with their lengths, and the latest checkpoints", body = Backup),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "No scope of the token names Backup.r")))]
pub async fn list(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let read = |records: &Records, grant: &Grant| {
        let copies = backup::copies(records.engine(), grant)?;
        Ok((copies, read_origin(records.engine().directory().root()).map_err(EngineError::from)?))
    };
    let ([events, access], origin) = call.aside(read).await?;
    let Manifest { format, data, taken_at, origin, .. } =
        Manifest::new(origin, <_>::default(), <_>::default());
    let log = |copy: LogCopy| {
        let LogCopy { position, segments, checkpoint, key } = copy;
        BackupLog { position, segments, checkpoint, key }
    };
    let (events, access) = (log(events), log(access));
    Ok(Reply::json(StatusCode::OK, &Backup { format, data, taken_at, origin, events, access }))
}

/// Bytes of a segment of a log.
#[utoipa::path(get, path = "/v1/backup/{log}/{segment}", operation_id = "readBackup", tag = "operations",
    params(
        ("log" = String, Path, description = "events or access"),
        ("segment" = u32, Path, description = "Number of the segment, from 0"),
        ("from" = Option<u64>, Query, description = "Offset of the first byte; 0 if left out"),
        ("to" = u64, Query, description = "Offset behind the last byte; at most 8388608 behind from. Bytes behind the length that listBackup gives may be of a group that is not finished")),
    responses(
        (status = 200, description = "The bytes, as they are on disk (docs/format.md)", content_type = "application/octet-stream"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "No scope of the token names Backup.r"),
        (status = 404, description = "No such log or segment, or it is not so long")))]
pub async fn stretch(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&["from", "to"])?;
    let number = |name| call.parameter(name, "a whole number, 0 or more");
    let from = number("from")?.unwrap_or(0);
    let missing = || Failure::at(IssueCode::Required, "to", "is missing");
    let to = number("to")?.ok_or_else(missing)?;
    if from > to || to - from > STRETCH_BYTES_MAX {
        let most = format!("must be at least from, and at most {STRETCH_BYTES_MAX} more");
        return Err(Failure::at(IssueCode::Value, "to", most));
    }
    let (log, segment) = (call.segment("log").to_owned(), call.segment("segment").to_owned());
    let kind = LogKind::ALL.into_iter().find(|kind| kind.name() == log);
    let named = kind.zip(segment.parse().ok());
    let read = move |records: &Records, grant: &Grant| {
        // The right comes before what there is.
        let (kind, segment) = named.unwrap_or((LogKind::Events, u32::MAX));
        backup::copied(records.engine(), grant, kind, segment, from, to)
    };
    let bytes = call.aside(read).await?.ok_or_else(|| {
        let detail = format!("the {log} log has no segment {segment}, or it ends before {to}");
        Failure::of(Fault::NotFound, detail)
    })?;
    Ok(Reply::new(StatusCode::OK, "application/octet-stream", bytes))
}
