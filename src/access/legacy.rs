//! Format 1 of access entries: one JSON object for each, which named charts and the first resource only.

use std::sync::Arc;

use serde::Deserialize;

use super::Runs;
use super::entry::{AccessEntry, Identity, Look, Outcome, RequestId, Source, Words};
use crate::numbers::EventId;

#[derive(Deserialize)]
struct Stored {
    subject: Option<String>,
    client: Option<String>,
    issuer: Option<String>,
    address: Option<String>,
    purpose: Option<String>,
    request: String,
    operation: Arc<str>,
    outcome: Outcome,
    status: u16,
    #[serde(default)]
    charts: Vec<String>,
    resource: Option<EventId>,
    query: String,
}

/// The entry in a payload of format 1. That it began when it was recorded is the best that is known; its id of the
/// request counts as the client's.
pub fn decode(payload: &[u8], recorded_at: i64) -> Option<AccessEntry> {
    let stored: Stored = serde_json::from_slice(payload).ok()?;
    let identity = stored.subject.map(|subject| Identity {
        subject,
        issuer: stored.issuer.unwrap_or_default(),
        client: stored.client,
        ..Identity::default()
    });
    let identity = identity.map(Arc::new);
    let source =
        Source { identity, address: stored.address, purpose: stored.purpose, ..Source::default() };
    let mut charts =
        stored.charts.iter().map(|chart| chart.parse().ok()).collect::<Option<Vec<_>>>()?;
    charts.sort_unstable();
    let method = stored.query.split(' ').next().unwrap_or_default();
    let look = Look {
        operation: stored.operation,
        route: method.into(),
        words: Some(Words::Plain(stored.query.clone())),
        outcome: stored.outcome,
        status: stored.status,
        reason: None,
        charts,
        about: stored.resource,
        shown: Runs::default(),
        written: Runs::default(),
    };
    Some(AccessEntry {
        source: Arc::new(source),
        request: RequestId::new(0, 0),
        begun_at: recorded_at,
        client_request: Some(stored.request),
        trace: None,
        look,
        parts: Vec::new(),
        bytes: 0,
    })
}
