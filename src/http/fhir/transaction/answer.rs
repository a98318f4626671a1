//! The entries of the Bundle that answers.

use super::super::bundle::BundleWriter;
use super::super::{Call, Failure, Reply, Return, informed, location};
use super::look::Look;
use crate::http::reply::positions;
use crate::json::quote;
use crate::numbers::Position;
use crate::records::{ChangeResult, Effect};

/// URL of the extension of `Bundle.entry.response` that says where in the log an entry of a batch
/// stands (`valueString`, as the header `Chartlog-Position` of all other writes).
const POSITION_EXTENSION: &str = "urn:chartlog:position";

/// Adds what became of a write. `events` are those of the entry alone.
pub(super) fn written(
    bundle: &mut BundleWriter,
    call: &Call,
    done: &ChangeResult,
    wanted: Return,
    events: Option<(Position, u64)>,
) {
    let status = match done.effect {
        Effect::Created => "201",
        Effect::Updated | Effect::Unchanged => "200",
        Effect::Removed | Effect::Absent => "204",
    };
    let base = call.base_url();
    let mut response = String::from("{");
    if let Some(positions) = positions(events) {
        response.push_str(&format!(
            r#""extension":[{{"url":"{POSITION_EXTENSION}","valueString":"{positions}"}}],"#
        ));
    }
    response.push_str(&format!(r#""status":"{status}""#));
    if let Some(location) = location(base, done) {
        let etag = format!(r#"W/"{}""#, done.version);
        response.push_str(&format!(r#","location":{},"etag":{}"#, quote(&location), quote(&etag)));
    }
    if let Some(recorded_at) = done.recorded_at {
        response.push_str(&format!(r#","lastModified":"{recorded_at}""#));
    }
    if wanted == Return::Outcome {
        response.push_str(r#","outcome":"#);
        response.push_str(&String::from_utf8_lossy(&informed(done)));
    }
    response.push('}');
    let resource = done.resource.as_ref().filter(|_| wanted == Return::Representation);
    let bytes = resource.map(|resource| resource.bytes(&call.grant));
    let key = done.key.as_ref().filter(|_| bytes.is_some());
    let full_url = key.map(|key| format!("{base}/{key}"));
    bundle.entry(full_url.as_deref(), bytes.as_deref(), &[("response", response)]);
}

/// Adds what was read.
pub(super) fn looked(bundle: &mut BundleWriter, look: &Look, result: &Result<Reply, Failure>) {
    let reply = match result {
        Ok(reply) => reply,
        Err(failure) => return failed(bundle, failure),
    };
    let mut response = format!(r#"{{"status":"{}""#, reply.status.as_u16());
    if let Some((_, etag)) = reply.headers.iter().find(|(name, _)| *name == "etag") {
        response.push_str(&format!(r#","etag":{}"#, quote(etag)));
    }
    if let Some(recorded_at) = reply.recorded_at {
        response.push_str(&format!(r#","lastModified":"{recorded_at}""#));
    }
    response.push('}');
    let shows = !look.is_head && !reply.body.bytes.is_empty();
    let resource = shows.then_some(reply.body.bytes.as_slice());
    bundle.entry(None, resource, &[("response", response)]);
}

/// Adds why an entry was not done.
pub(super) fn failed(bundle: &mut BundleWriter, failure: &Failure) {
    let status = failure.fault.status().as_u16();
    let response = format!(r#"{{"status":"{status}","outcome":{}}}"#, failure.outcome());
    bundle.entry(None, None, &[("response", response)]);
}
