//! The FHIR R4 API, under `/fhir`: one file per interaction.
//!
//! In: requests as HL7 FHIR R4 §3.1 describes them. Out: stored bytes, Bundles around stored bytes,
//! and OperationOutcomes. Handlers translate; what is true is decided in the store.

mod address;
mod audit_event;
mod binary;
mod bundle;
mod capability;
mod conditional;
mod create;
mod encounter;
mod everyone;
mod everything;
mod fhirpath;
mod history;
mod meta;
mod parameters;
mod patch;
mod read;
mod search;
mod smart;
mod subscription;
pub mod subscription_socket;
mod transaction;
mod update;
mod validate;

pub use transaction::KEY_EXTENSION;

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::reply::FHIR_JSON;
use super::routes::Routes;
use super::{Call, Failure, Reply, etag};
use crate::numbers::Position;
use crate::records::{Change, ChangeResult, Effect, IdempotencyKey, Write};

/// Mounts the interactions. Fixed paths come before patterns that would match them too.
pub fn mount(routes: &mut Routes<'_>) {
    routes.public::<capability::__path_capabilities, _, _>(capability::capabilities);
    routes.public::<smart::__path_configuration, _, _>(smart::configuration);
    routes.public::<smart::__path_configuration_of_host, _, _>(smart::configuration_of_host);
    routes.gated::<validate::__path_validate, _, _>(validate::validate);
    routes.gated::<validate::__path_validate_instance, _, _>(validate::validate_instance);
    routes.gated::<fhirpath::__path_evaluate, _, _>(fhirpath::evaluate);
    routes.gated::<subscription::__path_statuses, _, _>(subscription::statuses);
    routes.gated::<subscription::__path_statuses_by_post, _, _>(subscription::statuses_by_post);
    routes.gated::<subscription::__path_status, _, _>(subscription::status);
    routes.gated::<subscription::__path_status_by_post, _, _>(subscription::status_by_post);
    routes.gated::<subscription::__path_events, _, _>(subscription::events);
    routes.gated::<subscription::__path_events_by_post, _, _>(subscription::events_by_post);
    routes.gated::<subscription_socket::__path_tokens, _, _>(subscription_socket::tokens);
    routes.gated::<subscription_socket::__path_tokens_by_post, _, _>(
        subscription_socket::tokens_by_post,
    );
    routes.gated::<subscription_socket::__path_token, _, _>(subscription_socket::token);
    routes.gated::<subscription_socket::__path_token_by_post, _, _>(
        subscription_socket::token_by_post,
    );
    routes.gated::<everyone::__path_everything, _, _>(everyone::everything);
    routes.gated::<everyone::__path_everything_by_post, _, _>(everyone::everything_by_post);
    routes.gated::<everything::__path_everything, _, _>(everything::everything);
    routes.gated::<everything::__path_everything_by_post, _, _>(everything::everything_by_post);
    routes.gated::<encounter::__path_everything, _, _>(encounter::everything);
    routes.gated::<encounter::__path_everything_by_post, _, _>(encounter::everything_by_post);
    routes.gated::<meta::__path_meta, _, _>(meta::meta);
    routes.gated::<history::__path_history, _, _>(history::history);
    routes.gated::<history::__path_type_history, _, _>(history::type_history);
    routes.gated::<history::__path_system_history, _, _>(history::system_history);
    routes.gated::<search::__path_search_system_by_post, _, _>(search::search_system_by_post);
    routes.gated::<search::__path_search_by_post, _, _>(search::search_by_post);
    routes.gated::<read::__path_read_version, _, _>(read::read_version);
    routes.gated::<read::__path_read, _, _>(read::read);
    routes.gated::<update::__path_update, _, _>(update::update);
    routes.gated::<patch::__path_patch, _, _>(patch::patch);
    routes.gated::<update::__path_delete, _, _>(update::delete);
    routes.gated::<create::__path_create, _, _>(create::create);
    routes.gated::<conditional::__path_update, _, _>(conditional::update);
    routes.gated::<conditional::__path_patch, _, _>(conditional::patch);
    routes.gated::<conditional::__path_delete, _, _>(conditional::delete);
    routes.gated::<transaction::__path_transaction, _, _>(transaction::transaction);
    routes.gated::<search::__path_search, _, _>(search::search);
    routes.gated::<search::__path_search_system, _, _>(search::search_system);
    routes.gated::<search::__path_search_compartment, _, _>(search::search_compartment);
    routes.gated::<search::__path_search_compartment_by_post, _, _>(
        search::search_compartment_by_post,
    );
}

/// What a client wants back from a write: `Prefer: return=` (R4 §3.1.0.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// Nothing.
    Minimal,
    /// The resource.
    Representation,
    /// An OperationOutcome.
    Outcome,
}

impl Return {
    /// What the client prefers; if it says nothing, or what is not known here, the default.
    fn of(call: &Call, default: Self) -> Self {
        let wanted = call.preferred("return").unwrap_or_default();
        let known = [
            ("minimal", Self::Minimal),
            ("representation", Self::Representation),
            ("OperationOutcome", Self::Outcome),
        ];
        let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted));
        found.map_or(default, |(_, known)| known)
    }
}

/// The answer to a write of one resource.
fn written(call: &Call, done: &ChangeResult, wanted: Return) -> Reply {
    let status = match done.effect {
        Effect::Created => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let reply = match (wanted, &done.resource) {
        (Return::Representation, Some(resource)) => {
            Reply::resource(status, resource.bytes(&call.grant))
        }
        (Return::Outcome, _) => Reply::new(status, FHIR_JSON, informed(done)),
        _ => Reply::empty(status),
    };
    let reply = match location(call.base_url(), done) {
        Some(location) => reply.header("location", location),
        None => reply,
    };
    match done.recorded_at {
        Some(recorded_at) => reply.version(done.version, recorded_at),
        None => reply,
    }
}

/// The address of the version that a write led to.
fn location(base_url: &str, done: &ChangeResult) -> Option<String> {
    let key = done.key.as_ref().filter(|_| done.version.get() > 0)?;
    Some(format!("{base_url}/{key}/_history/{}", done.version))
}

/// The answer to a deletion.
fn deleted(done: &ChangeResult, wanted: Return, events: Option<(Position, u64)>) -> Reply {
    let reply = match wanted {
        Return::Outcome => Reply::new(StatusCode::OK, FHIR_JSON, informed(done)),
        _ => Reply::empty(StatusCode::NO_CONTENT),
    };
    let reply = reply.positions(events);
    match done.version.get() {
        0 => reply,
        version => reply.header("etag", format!("W/\"{version}\"")),
    }
}

/// Commits the one change of a request, of so many bytes.
async fn commit(
    call: &Call,
    change: Change,
    idempotency: Option<IdempotencyKey>,
    size: usize,
) -> Result<(ChangeResult, Option<(Position, u64)>), Failure> {
    let write = Write { changes: vec![change], idempotency, size, ..Write::default() };
    let written = call.records().write(&call.grant, Arc::new(write)).await?;
    let done = written.done.into_iter().next().ok_or_else(Failure::internal)?;
    Ok((done, written.events))
}

/// Code system of what a write did, in `OperationOutcome.issue.details`.
pub const EFFECT_SYSTEM: &str = "urn:chartlog:effect";
/// The effect of a write that an earlier request with the same `Idempotency-Key` had done.
pub const REPEATED: &str = "repeated";

/// An OperationOutcome that says what a write did, for people and, as a code, for programs.
fn informed(done: &ChangeResult) -> Vec<u8> {
    let (code, did) = match done.effect {
        Effect::Created => ("created", "created"),
        Effect::Updated => ("updated", "updated"),
        Effect::Unchanged => ("unchanged", "unchanged"),
        Effect::Removed => ("deleted", "deleted"),
        Effect::Absent => ("absent", "was not there"),
    };
    let (code, earlier) =
        if done.repeated { (REPEATED, " by an earlier request") } else { (code, "") };
    let text = match &done.key {
        Some(key) => format!("{key} {did}{earlier}, version {}", done.version),
        None => "the criteria find nothing".to_owned(),
    };
    let details = serde_json::json!({ "coding": [{ "system": EFFECT_SYSTEM, "code": code }] });
    let issue = serde_json::json!([{ "severity": "information", "code": "informational", "details": details, "diagnostics": text }]);
    serde_json::json!({ "resourceType": "OperationOutcome", "issue": issue })
        .to_string()
        .into_bytes()
}

/// A change with the conditions of its request: FHIR R4 §3.1.0.5, RFC 9110 §13.1.
fn on_condition(call: &Call, change: Change) -> Result<Change, Failure> {
    let versions = |name, place| etag::versions(call.list_header(name).as_deref(), place);
    let if_match = versions("if-match", "If-Match")?;
    let if_none_match = versions("if-none-match", "If-None-Match")?;
    Ok(Change { if_match, if_none_match, ..change })
}

/// The `Idempotency-Key` of a write, bound to everything that makes it this write.
fn idempotency(call: &Call, operation: &str) -> Result<Option<IdempotencyKey>, Failure> {
    let conditions = ["if-match", "if-none-match", "if-none-exist"]
        .map(|name| call.list_header(name).unwrap_or_default());
    super::v1::idempotency(call, &[operation, &conditions.join("\n")])
}
