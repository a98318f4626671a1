//! The native API, under `/v1`: one file per noun. It gives what FHIR has no interaction for: the chart as a stream.
//!
//! In: JSON as the OpenAPI document describes it. Out: JSON, with resources as their stored bytes;
//! errors are problem details (RFC 9457).

mod accesses;
mod backup;
mod break_glass;
mod chart;
mod difference;
mod erasure;
mod events;
mod evidence;
mod export;
mod feed;
mod log;
mod reports;
mod retention;
mod subscriptions;

use serde_json::value::RawValue;

use super::routes::Routes;
use super::{Call, Failure};
use crate::chart::fingerprint;
use crate::clock::Instant;
use crate::fhir::check::IssueCode;
use crate::records::{At, IdempotencyKey, Resource};

/// Longest `Idempotency-Key`, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// Mounts the operations.
pub fn mount(routes: &mut Routes<'_>) {
    routes.gated::<events::__path_append, _, _>(events::append);
    routes.gated::<events::__path_list, _, _>(events::list);
    routes.gated_or_socket::<feed::__path_follow, _, _>(feed::follow);
    routes.gated::<feed::one::__path_one, _, _>(feed::one::one);
    routes.gated::<subscriptions::__path_create, _, _>(subscriptions::create);
    routes.gated::<subscriptions::__path_list, _, _>(subscriptions::list);
    routes.gated::<subscriptions::__path_read, _, _>(subscriptions::read);
    routes.gated::<subscriptions::__path_update, _, _>(subscriptions::update);
    routes.gated::<subscriptions::__path_delete, _, _>(subscriptions::delete);
    routes.gated::<subscriptions::__path_pause, _, _>(subscriptions::pause);
    routes.gated::<subscriptions::__path_resume, _, _>(subscriptions::resume);
    routes.gated::<subscriptions::__path_replay, _, _>(subscriptions::replay);
    routes.gated::<subscriptions::__path_rotate, _, _>(subscriptions::rotate);
    routes.gated::<subscriptions::__path_list_parked, _, _>(subscriptions::list_parked);
    routes.gated::<subscriptions::__path_replay_parked, _, _>(subscriptions::replay_parked);
    routes.gated::<subscriptions::__path_drop_parked, _, _>(subscriptions::drop_parked);
    routes.gated::<chart::__path_chart, _, _>(chart::chart);
    routes.gated::<difference::__path_difference, _, _>(difference::difference);
    routes.gated::<erasure::__path_erase, _, _>(erasure::erase);
    routes.gated::<erasure::__path_certificates, _, _>(erasure::certificates);
    routes.gated::<erasure::__path_hold, _, _>(erasure::hold);
    routes.gated::<erasure::__path_release, _, _>(erasure::release);
    routes.gated::<break_glass::__path_list, _, _>(break_glass::list);
    routes.gated::<break_glass::__path_acknowledge, _, _>(break_glass::acknowledge);
    routes.gated::<accesses::__path_of_chart, _, _>(accesses::of_chart);
    routes.gated::<accesses::__path_of_all, _, _>(accesses::of_all);
    routes.gated::<evidence::__path_of_chart, _, _>(evidence::of_chart);
    routes.gated::<evidence::__path_of_accesses, _, _>(evidence::of_accesses);
    routes.gated::<export::__path_export, _, _>(export::export);
    routes.gated::<accesses::__path_one, _, _>(accesses::one);
    routes.gated::<reports::__path_report, _, _>(reports::report);
    routes.gated::<backup::__path_list, _, _>(backup::list);
    routes.gated::<backup::__path_stretch, _, _>(backup::stretch);
    routes.gated::<retention::__path_read, _, _>(retention::read);
    routes.gated::<retention::__path_dispose, _, _>(retention::dispose);
    routes.public::<log::__path_disposals, _, _>(log::disposals);
    routes.public::<log::__path_checkpoint, _, _>(log::checkpoint);
    routes.public::<log::__path_key, _, _>(log::key);
    routes.public::<log::__path_inclusion, _, _>(log::inclusion);
    routes.public::<log::__path_consistency, _, _>(log::consistency);
    routes.public::<log::__path_tile, _, _>(log::tile);
}

/// The `Idempotency-Key` of a write, bound to the body and to everything else that makes it this
/// write.
pub fn idempotency(call: &Call, parts: &[&str]) -> Result<Option<IdempotencyKey>, Failure> {
    let Some(key) = call.only_header("idempotency-key")? else { return Ok(None) };
    if key.len() > KEY_LENGTH_MAX {
        let diagnostics = format!("longer than {KEY_LENGTH_MAX} characters");
        return Err(Failure::at(IssueCode::TooLong, "Idempotency-Key", diagnostics));
    }
    let mut bound: Vec<&[u8]> = Vec::new();
    for part in parts {
        bound.extend([part.as_bytes(), b"\n"]);
    }
    bound.push(call.body());
    let request = fingerprint(&bound);
    Ok(Some(IdempotencyKey { key: key.to_owned(), request }))
}

/// A resource's bytes as a JSON value that is written as it is.
fn raw(call: &Call, resource: &Resource) -> Result<Box<RawValue>, Failure> {
    let text = String::from_utf8(resource.bytes(&call.grant)).map_err(|_| Failure::internal())?;
    RawValue::from_string(text).map_err(|_| Failure::internal())
}

/// A state of a chart as a query names it: a version number or an instant.
async fn state(call: &Call, text: &str, name: &str) -> Result<At, Failure> {
    if let Ok(version) = text.parse() {
        return Ok(At::Version(version));
    }
    Ok(At::Moment(call.settled(instant(text, name)?).await?))
}

/// An instant that is not in the future: the chart of a later moment is not known yet.
///
/// # Errors
///
/// 400: it is not an instant, or lies in the future.
pub fn instant(text: &str, name: &str) -> Result<Instant, Failure> {
    let wrong = |diagnostics: &str| Failure::at(IssueCode::Value, name, diagnostics);
    let instant = Instant::parse(text).ok_or_else(|| {
        wrong("not an instant with a time zone, such as 2026-02-28T12:00:00Z (write + as %2B)")
    })?;
    if instant > Instant::now() { Err(wrong("lies in the future")) } else { Ok(instant) }
}
