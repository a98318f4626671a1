//! transaction and batch: FHIR R4 §3.1.0.11.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::super::reply::{FHIR_JSON, positions};
use super::bundle::BundleWriter;
use super::create::criteria;
use super::update::check_named;
use super::{Call, Failure, Reply, Return, if_match, if_none_match};
use crate::fhir::check::IssueCode;
use crate::fhir::{ResourceKey, ResourceType, check};
use crate::json::{Document, Kind, Node, quote};
use crate::store::{Action, Change, Done, Effect, IdempotencyKey, Target, Write, fingerprint};

/// URL of the extension of `Bundle.entry.request` that gives an entry of a batch an idempotency key
/// of its own (`valueString`).
pub const KEY_EXTENSION: &str = "urn:chartlog:idempotency-key";
/// URL of the extension of `Bundle.entry.response` that says where in the log an entry of a batch
/// stands (`valueString`, as the header `Chartlog-Position` of all other writes).
const POSITION_EXTENSION: &str = "urn:chartlog:position";
/// Entries of a batch that are worked on at the same time.
const BATCH_PARALLEL: usize = 64;

/// Carries out the entries of a Bundle: all or none of a transaction, each of a batch by itself.
#[utoipa::path(post, path = "/fhir", operation_id = "transaction", tag = "fhir",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever. An entry of a batch may bring its own: extension urn:chartlog:idempotency-key of its request"),
        ("Prefer" = Option<String>, Header, description = "return=minimal (default here), representation or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "json")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "A Bundle of type transaction or batch"),
    responses(
        (status = 200, description = "A Bundle of type transaction-response or batch-response. Where in the log its events stand: for a transaction in the header Chartlog-Position, for an entry of a batch in the extension urn:chartlog:position of its response", content_type = "application/fhir+json"),
        (status = 400, description = "Not valid; the outcome says what and where; nothing was stored"),
        (status = 401, description = "No acceptable token"), (status = 403, description = "The token does not allow it"),
        (status = 412, description = "A condition of an entry does not hold"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request; or, by setting, a reference leads nowhere")))]
pub async fn transaction(mut call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&["_format"])?;
    let wanted = match call.header("prefer") {
        Some(_) => Return::of(&call)?,
        None => Return::Minimal,
    };
    let idempotency = super::idempotency(&call, "POST Bundle")?;
    let size = call.body().len();
    let document = call.json().await?;
    let root = document.root();
    if root.get_str("resourceType").as_deref() != Some("Bundle") {
        return Err(Failure::at(IssueCode::Value, "resourceType", "expected a Bundle"));
    }
    let bundle_type = root.get_str("type").unwrap_or_default().into_owned();
    let entries = entries(&call, root)?;
    match bundle_type.as_str() {
        "transaction" => all_or_none(&call, &document, &entries, idempotency, size, wanted).await,
        "batch" => each_by_itself(&call, &document, &entries, idempotency, size, wanted).await,
        other => {
            let diagnostics = format!("\"{other}\" is not transaction or batch");
            Err(Failure::at(IssueCode::Value, "Bundle.type", diagnostics))
        }
    }
}

/// The indexes of the entries.
fn entries(call: &Call, root: Node<'_>) -> Result<Vec<usize>, Failure> {
    let entries: Vec<usize> = match root.get("entry") {
        Some(list) if list.kind() == Kind::Array => {
            list.items().map(|entry| entry.index()).collect()
        }
        Some(_) => {
            return Err(Failure::at(IssueCode::Structure, "Bundle.entry", "must be an array"));
        }
        None => Vec::new(),
    };
    let limit = call.options().limits.bundle_entries_max;
    if entries.len() > limit {
        let diagnostics = format!("{} entries; {limit} are allowed", entries.len());
        return Err(Failure::at(IssueCode::TooLong, "Bundle.entry", diagnostics));
    }
    Ok(entries)
}

async fn all_or_none(
    call: &Call,
    document: &Arc<Document>,
    entries: &[usize],
    idempotency: Option<IdempotencyKey>,
    size: usize,
    wanted: Return,
) -> Result<Reply, Failure> {
    let mut changes = Vec::with_capacity(entries.len());
    let mut problems = Vec::new();
    for (at, index) in entries.iter().enumerate() {
        match change(call, document, *index, &format!("Bundle.entry[{at}]")) {
            Ok(change) => changes.push(change),
            Err(failure) => problems.extend(failure.problems),
        }
    }
    if !problems.is_empty() {
        problems.truncate(crate::fhir::check::PROBLEMS_MAX);
        return Err(Failure::invalid(problems));
    }
    let write = Write { changes, expected_version: None, idempotency, size };
    let written = call.store().write(&call.grant, Arc::new(write)).await?;
    let mut bundle = BundleWriter::new("transaction-response", None, &[]);
    for done in &written.done {
        succeeded(&mut bundle, call, done, wanted, None);
    }
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()).positions(written.events))
}

async fn each_by_itself(
    call: &Call,
    document: &Arc<Document>,
    entries: &[usize],
    idempotency: Option<IdempotencyKey>,
    size: usize,
    wanted: Return,
) -> Result<Reply, Failure> {
    let mut results = Vec::with_capacity(entries.len());
    for (chunk, indexes) in entries.chunks(BATCH_PARALLEL).enumerate() {
        let work = indexes.iter().enumerate().map(|(within, index)| {
            let at = chunk * BATCH_PARALLEL + within;
            let idempotency = idempotency.as_ref().map(|key| of_entry(key, at));
            let idempotency = own_key(document.node(*index)).or(idempotency);
            // The share of this entry in the whole, roughly: where it is worked on.
            let size = size / entries.len().max(1);
            one(call, document, *index, at, idempotency, size)
        });
        results.extend(futures_util::future::join_all(work).await);
    }
    let mut bundle = BundleWriter::new("batch-response", None, &[]);
    for result in &results {
        match result {
            Ok((done, events)) => succeeded(&mut bundle, call, done, wanted, positions(*events)),
            Err(failure) => {
                call.grant.owes_entry();
                let status = failure.fault.status().as_u16();
                let response =
                    format!(r#"{{"status":"{status}","outcome":{}}}"#, failure.outcome());
                bundle.entry(None, None, &[("response", response)]);
            }
        }
    }
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, bundle.finish()))
}

async fn one(
    call: &Call,
    document: &Arc<Document>,
    index: usize,
    at: usize,
    idempotency: Option<IdempotencyKey>,
    size: usize,
) -> Result<(Done, Option<(u64, u64)>), Failure> {
    let change = change(call, document, index, &format!("Bundle.entry[{at}]"))?;
    let write = Write { changes: vec![change], expected_version: None, idempotency, size };
    let written = call.store().write(&call.grant, Arc::new(write)).await?;
    let done = written.done.into_iter().next().ok_or_else(Failure::internal)?;
    Ok((done, written.events))
}

/// The key that an entry of a batch brings itself, as an extension of its request: it holds for
/// this entry wherever it stands and whatever else the batch holds.
fn own_key(entry: Node<'_>) -> Option<IdempotencyKey> {
    let extensions = entry.get("request")?.get("extension")?;
    let is_key = |one: &Node<'_>| one.get_str("url").as_deref() == Some(KEY_EXTENSION);
    let key = extensions.items().find(is_key)?.get_str("valueString")?.into_owned();
    let request = fingerprint(&[entry.text().as_bytes()]);
    Some(IdempotencyKey { key: format!("{key}\nby itself"), request })
}

/// Each entry of a batch commits by itself, so each has a key of its own.
fn of_entry(key: &IdempotencyKey, at: usize) -> IdempotencyKey {
    IdempotencyKey { key: format!("{}\nentry {at}", key.key), request: key.request.clone() }
}

/// Understands one entry; the failure carries all that is wrong with it.
fn change(
    call: &Call,
    document: &Arc<Document>,
    index: usize,
    place: &str,
) -> Result<Change, Failure> {
    let entry = document.node(index);
    let at = |member: &str| format!("{place}.{member}");
    let required = |member: &str| Failure::at(IssueCode::Required, at(member), "is missing");
    let request = entry.get("request").ok_or_else(|| required("request"))?;
    let method = request.get_str("method").ok_or_else(|| required("request.method"))?;
    let url = request.get_str("url").ok_or_else(|| required("request.url"))?;
    let resource = entry.get("resource");
    let text = |name: &str| request.get_str(name).map(std::borrow::Cow::into_owned);
    let mut change = match method.as_ref() {
        "POST" => {
            let kind = kind_of(&url, &at("request.url"))?;
            let resource = resource.ok_or_else(|| required("resource"))?;
            check(Some(kind), resource, &at("resource")).map_err(Failure::invalid)?;
            let criteria = text("ifNoneExist")
                .map(|query| criteria(call, kind, &query, &at("request.ifNoneExist")))
                .transpose()?;
            Change::new(
                Target::New(kind, criteria),
                Action::Put(Arc::clone(document), resource.index()),
            )
        }
        "PUT" => {
            let key = key_of(&url, &at("request.url"))?;
            let resource = resource.ok_or_else(|| required("resource"))?;
            check_named(&key, resource, &at("resource"))?;
            Change::new(Target::Key(key), Action::Put(Arc::clone(document), resource.index()))
        }
        "DELETE" => Change::new(Target::Key(key_of(&url, &at("request.url"))?), Action::Remove),
        other => {
            let diagnostics = format!("\"{other}\" is not POST, PUT or DELETE");
            return Err(Failure::at(IssueCode::NotSupported, at("request.method"), diagnostics));
        }
    };
    change.if_match = if_match(text("ifMatch").as_deref(), &at("request.ifMatch"))?;
    change.if_none_match =
        if_none_match(text("ifNoneMatch").as_deref(), &at("request.ifNoneMatch"))?;
    change.full_url = entry.get_str("fullUrl").map(std::borrow::Cow::into_owned);
    change.place = place.to_owned();
    Ok(change)
}

fn kind_of(url: &str, place: &str) -> Result<ResourceType, Failure> {
    url.parse().map_err(|error| Failure::at(IssueCode::Value, place, format!("{error}")))
}

fn key_of(url: &str, place: &str) -> Result<ResourceKey, Failure> {
    if url.contains('?') {
        let diagnostics = "criteria in the url of a PUT or DELETE are not supported: write Type/id";
        return Err(Failure::at(IssueCode::NotSupported, place, diagnostics));
    }
    url.parse().map_err(|error| Failure::at(IssueCode::Value, place, format!("{error}")))
}

fn succeeded(
    bundle: &mut BundleWriter,
    call: &Call,
    done: &Done,
    wanted: Return,
    positions: Option<String>,
) {
    let status = match done.effect {
        Effect::Created => "201",
        Effect::Updated | Effect::Unchanged => "200",
        Effect::Removed | Effect::Absent => "204",
    };
    let base = call.base_url();
    let mut response = String::from("{");
    if let Some(positions) = positions {
        response.push_str(&format!(
            r#""extension":[{{"url":"{POSITION_EXTENSION}","valueString":"{positions}"}}],"#
        ));
    }
    response.push_str(&format!(r#""status":"{status}""#));
    if done.version > 0 {
        let location = format!("{base}/{}/_history/{}", done.key, done.version);
        response.push_str(&format!(
            r#","location":{},"etag":"W/\"{}\"""#,
            quote(&location),
            done.version
        ));
    }
    if let Some(recorded_at) = done.recorded_at {
        response.push_str(&format!(r#","lastModified":"{recorded_at}""#));
    }
    if wanted == Return::Outcome {
        let outcome = super::informed(done);
        response.push_str(r#","outcome":"#);
        response.push_str(&String::from_utf8_lossy(&outcome));
    }
    response.push('}');
    let resource = done.resource.as_ref().filter(|_| wanted == Return::Representation);
    let bytes = resource.map(crate::store::Resource::bytes);
    let full_url = bytes.as_ref().map(|_| format!("{base}/{}", done.key));
    bundle.entry(full_url.as_deref(), bytes.as_deref(), &[("response", response)]);
}
