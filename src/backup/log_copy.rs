//! What a backup takes: the bytes of the logs, as they are on disk.

use crate::auth::{Grant, Permission};
use crate::engine::Engine;
use crate::log::{LogKind, Reader};
use crate::proof::BundleLog;
use crate::records::RecordsError;

/// What scopes call the right to copy the logs.
const SUBJECT: &str = "Backup";

/// What can be copied of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogCopy {
    /// Number of events or entries.
    pub position: u64,
    /// Bytes of each segment, in order.
    pub segments: Vec<u64>,
    /// The latest checkpoint, a signed note, if proofs are kept.
    pub checkpoint: Option<String>,
    /// The public key that it was signed with.
    pub key: Option<String>,
}

/// What can be copied of the events and of the access log now: all of it is durable, and no
/// entry is about a chart whose events are not there.
///
/// # Errors
///
/// [`RecordsError::Denied`] unless a scope names `Backup`; those of the logs.
pub fn copies(engine: &Engine, grant: &Grant) -> Result<[LogCopy; 2], RecordsError> {
    grant.may(SUBJECT, Permission::Read)?;
    // What is signed is in the log, though it may not be visible yet.
    let (signed_events, signed_access) =
        (signed(engine, BundleLog::Events), signed(engine, BundleLog::Access));
    let access = engine.views().view().applied_access()?;
    let access = copy(engine.access_reader(), access.get(), signed_access)?;
    let events = engine.applied_position();
    let events = copy(engine.keys().reader(), events.get(), signed_events)?;
    Ok([events, access])
}

/// Bytes of a segment; `None` if it does not reach so far.
///
/// # Errors
///
/// [`RecordsError::Denied`] unless a scope names `Backup`; those of the logs.
pub fn copied(
    engine: &Engine,
    grant: &Grant,
    kind: LogKind,
    segment: u32,
    from: u64,
    to: u64,
) -> Result<Option<Vec<u8>>, RecordsError> {
    grant.may(SUBJECT, Permission::Read)?;
    let reader = match kind {
        LogKind::Events => engine.keys().reader(),
        LogKind::Access => engine.access_reader(),
    };
    Ok(reader.stretch(segment, from, to)?)
}

fn signed(engine: &Engine, log: BundleLog) -> Option<Signed> {
    let proof = engine.proof(log).ok()?;
    let latest = proof.latest()?;
    Some(Signed {
        size: latest.checkpoint().size,
        checkpoint: latest.note().to_string(),
        key: format!("{}\n", proof.verifier()),
    })
}

struct Signed {
    size: u64,
    checkpoint: String,
    key: String,
}

fn copy(reader: &Reader, visible: u64, signed: Option<Signed>) -> Result<LogCopy, RecordsError> {
    let position = visible.max(signed.as_ref().map_or(0, |signed| signed.size));
    let segments = reader.lengths(position)?;
    let (checkpoint, key) = match signed {
        Some(signed) => (Some(signed.checkpoint), Some(signed.key)),
        None => (None, None),
    };
    Ok(LogCopy { position, segments, checkpoint, key })
}
