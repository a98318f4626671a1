//! What an operator does with a store, in the access log of the store: start, stop, and the commands that
//! open it.

use std::sync::Arc;

use super::Failure;
use super::notices::Notice;
use crate::access::{AccessEntry, Identity, Source, Words};
use crate::audit;
use crate::auth::{Caller, Grant, Scopes};
use crate::budget::Budget;
use crate::chart::fingerprint;
use crate::clock::Instant;
use crate::config::{self, Config};
use crate::records::Records;

/// Who such entries say it was.
pub const OPERATOR: &str = "operator";
/// Who says so: no token, but that the process could open the store.
const ISSUER: &str = "chartlog";
const START: &str = "serverStart";
const STOP: &str = "serverStop";

/// The grant of a command that opens the store: who can read the data directory and its keys may do everything
/// with it, but a command asks for what it needs.
pub fn grant(scopes: &str) -> Arc<Grant> {
    let identity = identity();
    let actor = identity.actor(uuid::Uuid::now_v7().to_string());
    let caller = Caller {
        identity,
        scopes: Scopes::parse(scopes),
        expires_at: i64::MAX,
        ..Caller::default()
    };
    Arc::new(Grant::new(Arc::new(caller), actor, Budget::default(), &Arc::default()))
}

fn identity() -> Arc<Identity> {
    let (subject, issuer) = (OPERATOR.to_owned(), ISSUER.to_owned());
    Arc::new(Identity { subject, issuer, ..Identity::default() })
}

/// Records that a server starts: with which program, configuration and keys, which of these the start before
/// did not have, and whether the run before was stopped. Before that, what was done while none was running.
///
/// # Errors
///
/// [`Failure`]: it cannot be recorded, so the server must not start.
pub fn started(store: &Records, config: &Config) -> Result<(), Failure> {
    tell_notices(store)?;
    let epoch = store.engine().epoch().map_err(Failure::failed)?;
    let words = [
        format!("version={}", env!("CARGO_PKG_VERSION")),
        format!("configuration={}", fingerprint(&[config::effective(config).as_bytes()])),
        format!("epoch={epoch}"),
    ];
    let last = audit::last_of(store, OPERATOR, &[START, STOP]).map_err(Failure::failed)?;
    let before = match &last {
        None => "nothing",
        Some(entry) if *entry.look.operation == *STOP => "stopped",
        Some(_) => "killed",
    };
    let last = audit::last_of(store, OPERATOR, &[START]).map_err(Failure::failed)?;
    let known = match last.and_then(|entry| entry.look.words) {
        Some(Words::Plain(words)) => words,
        _ => String::new(),
    };
    let known: Vec<&str> = known.split('&').collect();
    let changed = words.iter().filter(|word| !known.contains(&word.as_str()));
    let changed: Vec<&str> = changed.filter_map(|word| Some(word.split_once('=')?.0)).collect();
    let words = format!("{}&changed={}&before={before}", words.join("&"), changed.join(","));
    record(store, START, Instant::now().micros(), words)
}

/// Records that a server has stopped. If it cannot be recorded, the next start says that it was killed.
pub fn stopped(store: &Records) {
    let version = format!("version={}", env!("CARGO_PKG_VERSION"));
    if let Err(failure) = record(store, STOP, Instant::now().micros(), version) {
        tracing::warn!(failure.message, "the stop was not recorded");
    }
}

/// Records that a command has done something, begun at a time in microseconds since 1970.
///
/// # Errors
///
/// [`Failure`]: it cannot be recorded.
pub fn record(
    store: &Records,
    operation: &str,
    begun_at: i64,
    words: String,
) -> Result<(), Failure> {
    let engine = store.engine();
    let source = Source { identity: Some(identity()), ..Source::default() };
    let mut entry = AccessEntry::of(source, engine.next_request(), operation, begun_at);
    entry.look.words = Some(Words::Plain(words));
    match engine.submit_access(entry).map_err(Failure::failed)?.blocking_recv() {
        Ok(true) => Ok(()),
        _ => Err(Failure::failed(format!("{operation} could not be written to the access log"))),
    }
}

/// Records what was done with the data directory while its logs were closed.
///
/// # Errors
///
/// [`Failure`]: it cannot be recorded.
pub fn tell_notices(store: &Records) -> Result<(), Failure> {
    let root = store.engine().directory().root();
    for Notice { operation, at, words } in Notice::waiting(root).map_err(Failure::failed)? {
        record(store, &operation, at, words)?;
    }
    Notice::clear(root).map_err(Failure::failed)
}
