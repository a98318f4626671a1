//! The logs as outsiders see them: signed checkpoints, and hashes to check them with.
//!
//! All of it is open: tools that check logs send no token, and a hash tells nothing. Nor does a
//! request here leave an access entry, for an entry for each look at the access log's checkpoint
//! would make that very log grow.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Failure, Fault, OpenCall};
use crate::fhir::check::IssueCode;
use crate::proof::{self, BundleLog, Tile};

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// For what never changes: a year, the longest that caches are asked to keep anything.
const FOREVER: &str = "public, max-age=31536000, immutable";
const NEVER: &str = "no-cache";

/// That a log holds an entry (RFC 6962 section 2.1.1).
#[derive(Debug, Serialize, ToSchema)]
struct InclusionProof {
    /// Position of the entry.
    position: u64,
    /// Entries of the tree that the proof is for.
    size: u64,
    /// The siblings from the leaf to the root, each 32 bytes in base64.
    hashes: Vec<String>,
}

/// That a log begins with all that it held before (RFC 6962 section 2.1.2).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConsistencyProof {
    /// Entries of the earlier tree.
    old_size: u64,
    /// Entries of the later tree.
    new_size: u64,
    /// What lets one compute both roots, each 32 bytes in base64.
    hashes: Vec<String>,
}

/// The latest signed checkpoint of a log: its size and root.
#[utoipa::path(get, path = "/v1/log/{log}/checkpoint", operation_id = "logCheckpoint", tag = "proofs", security(()),
    params(("log" = String, Path, description = "events or access")),
    responses(
        (status = 200, description = "A signed note (C2SP tlog-checkpoint)", content_type = "text/plain"),
        (status = 400, description = "Not a valid request"), (status = 404, description = "No such log")))]
pub async fn checkpoint(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let note = call.engine().checkpoint(log(&call)?)?;
    Ok(Reply::new(StatusCode::OK, TEXT, note.into_bytes()).header("cache-control", NEVER))
}

/// The public key that a log's checkpoints are signed with.
#[utoipa::path(get, path = "/v1/log/{log}/key", operation_id = "logKey", tag = "proofs", security(()),
    params(("log" = String, Path, description = "events or access")),
    responses(
        (status = 200, description = "A verifier key (C2SP signed-note). Take it from a place that you trust, too", content_type = "text/plain"),
        (status = 400, description = "Not a valid request"), (status = 404, description = "No such log")))]
pub async fn key(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let key = format!("{}\n", call.engine().verifier_key(log(&call)?)?);
    Ok(Reply::new(StatusCode::OK, TEXT, key.into_bytes()).header("cache-control", NEVER))
}

/// Hashes of a log's tree.
#[utoipa::path(get, path = "/v1/log/{log}/tile/{level}/{index}", operation_id = "logTile", tag = "proofs", security(()),
    params(
        ("log" = String, Path, description = "events or access"),
        ("level" = u32, Path, description = "Level of the tile, from 0"),
        ("index" = String, Path, description = "Index of the tile, such as 000 or x001/234, and .p/<width> behind it for one that is not full (C2SP tlog-tiles); the slashes are sent as they are")),
    responses(
        (status = 200, description = "32 bytes for each hash", content_type = "application/octet-stream"),
        (status = 400, description = "Not the path of a tile"), (status = 404, description = "No such log, or the log is not so long")))]
pub async fn tile(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let log = log(&call)?;
    // The path as sent: a tile has one, and no other spelling of it.
    let path = call.path().splitn(5, '/').nth(4).unwrap_or_default();
    let tile: Tile = path
        .parse()
        .map_err(|error: proof::ProofError| Failure::of(Fault::Invalid, error.to_string()))?;
    let bytes = call.engine().tile(log, tile)?;
    let lasts = if tile.is_full() { FOREVER } else { NEVER };
    Ok(Reply::new(StatusCode::OK, BYTES, bytes).header("cache-control", lasts))
}

/// The proof that a log holds an entry.
#[utoipa::path(get, path = "/v1/log/{log}/proof/inclusion", operation_id = "logInclusion", tag = "proofs", security(()),
    params(
        ("log" = String, Path, description = "events or access"),
        ("position" = u64, Query, description = "Position of the entry"),
        ("size" = Option<u64>, Query, description = "Entries of the tree that the proof is for; those of the latest checkpoint if left out")),
    responses(
        (status = 200, description = "The proof", body = InclusionProof),
        (status = 400, description = "Not a valid request, or beyond the log"), (status = 404, description = "No such log")))]
pub async fn inclusion(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&["position", "size"])?;
    let log = log(&call)?;
    let position = required(&call, "position")?;
    let found = call.engine().inclusion_proof(log, position, number(&call, "size")?)?;
    let proof::InclusionProof { position, size, hashes } = found;
    let hashes = hashes.iter().map(ToString::to_string).collect();
    let found = InclusionProof { position, size, hashes };
    Ok(Reply::json(StatusCode::OK, &found).header("cache-control", NEVER))
}

/// The proof that a log begins with all that it held before.
#[utoipa::path(get, path = "/v1/log/{log}/proof/consistency", operation_id = "logConsistency", tag = "proofs", security(()),
    params(
        ("log" = String, Path, description = "events or access"),
        ("from" = u64, Query, description = "Entries of the earlier tree"),
        ("to" = Option<u64>, Query, description = "Entries of the later tree; those of the latest checkpoint if left out")),
    responses(
        (status = 200, description = "The proof", body = ConsistencyProof),
        (status = 400, description = "Not a valid request, or beyond the log"), (status = 404, description = "No such log")))]
pub async fn consistency(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&["from", "to"])?;
    let log = log(&call)?;
    let from = required(&call, "from")?;
    let found = call.engine().consistency_proof(log, from, number(&call, "to")?)?;
    let proof::ConsistencyProof { old_size, new_size, hashes } = found;
    let hashes = hashes.iter().map(ToString::to_string).collect();
    let found = ConsistencyProof { old_size, new_size, hashes };
    Ok(Reply::json(StatusCode::OK, &found).header("cache-control", NEVER))
}

/// What was disposed of in a log.
#[utoipa::path(get, path = "/v1/log/{log}/disposals", operation_id = "logDisposals", tag = "proofs", security(()),
    params(("log" = String, Path, description = "events or access")),
    responses(
        (status = 200, description = "Signed statements (C2SP signed-note), one behind the other, each with an empty line in front of its signature and one behind; nothing if nothing was disposed of", content_type = "text/plain"),
        (status = 400, description = "Not a valid request"), (status = 404, description = "No such log")))]
pub async fn disposals(call: OpenCall) -> Result<Reply, Failure> {
    call.allow_parameters(&[])?;
    let statements = match log(&call)? {
        // Events go with their chart, when that is erased.
        BundleLog::Events => Vec::new(),
        BundleLog::Access => call.engine().disposals()?,
    };
    let text = statements.join("\n");
    Ok(Reply::new(StatusCode::OK, TEXT, text.into_bytes()).header("cache-control", NEVER))
}

fn log(call: &OpenCall) -> Result<BundleLog, Failure> {
    match call.segment("log") {
        "events" => Ok(BundleLog::Events),
        "access" => Ok(BundleLog::Access),
        other => {
            let detail = format!("there is no log \"{other}\": events or access");
            Err(Failure::of(Fault::NotFound, detail))
        }
    }
}

fn number(call: &OpenCall, name: &str) -> Result<Option<u64>, Failure> {
    call.parameter(name, "a whole number, 0 or more")
}

fn required(call: &OpenCall, name: &str) -> Result<u64, Failure> {
    let missing = || Failure::at(IssueCode::Required, name, "is missing");
    number(call, name)?.ok_or_else(missing)
}
