//! update, patch and delete of the resource that criteria find: FHIR R4 §3.1.0.4.3, §3.1.0.6 and
//! §3.1.0.7.1.
//!
//! What the criteria find is decided with the commit, so that of requests that come at the same time
//! none finds less than those before it have stored.

use std::sync::Arc;

use super::super::checked::checked;
use super::super::query::encoded;
use super::create::criteria_of;
use super::{Call, Failure, Reply, Return, commit, deleted, idempotency, on_condition, written};
use crate::fhir::{Criteria, Patch, ResourceType};
use crate::records::{Action, Change, Target};

/// Replaces the resource that the criteria find, or stores a new one if they find none.
#[utoipa::path(put, path = "/fhir/{type}", operation_id = "conditionalUpdate", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("identifier" = Option<String>, Query, description = "Criteria, as for a search"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource; with an id only if it is the one that the criteria find, or free"),
    responses(
        (status = 200, description = "Replaced, or unchanged because equal; Chartlog-Position says where in the log", content_type = "application/fhir+json"),
        (status = 201, description = "The criteria found nothing, and it was stored; Chartlog-Position says where in the log"),
        (status = 400, description = "Not valid, or another id than that of what the criteria find; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not a resource type"),
        (status = 409, description = "The criteria find nothing, but the id is taken"),
        (status = 412, description = "The criteria find several, or it has another version"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request")))]
pub async fn update(mut call: Call) -> Result<Reply, Failure> {
    let (kind, criteria, address) = asked(&call)?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("PUT {address}"))?;
    let size = call.body().len();
    let document = call.json().await?;
    let checked = checked(call.upcasters(), kind, document.root(), "")?;
    let index = document.root().index();
    let target = Target::Found(kind, criteria, checked.id);
    let change = Change::new(target, Action::Put(document, index));
    let change = on_condition(&call, change)?;
    let (done, events) = commit(&call, change, idempotency, size).await?;
    Ok(written(&call, &done, wanted).positions(events))
}

/// Changes parts of the resource that the criteria find.
#[utoipa::path(patch, path = "/fhir/{type}", operation_id = "conditionalPatch", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("identifier" = Option<String>, Query, description = "Criteria, as for a search"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content((serde_json::Value = "application/json-patch+json"), (serde_json::Value = "application/fhir+json")), description = "As for patchResource"),
    responses(
        (status = 200, description = "Changed, or unchanged because equal; Chartlog-Position says where in the log", content_type = "application/fhir+json"),
        (status = 400, description = "Not a patch; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "The criteria find nothing"),
        (status = 412, description = "The criteria find several, or it has another version"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "As for patchResource")))]
pub async fn patch(mut call: Call) -> Result<Reply, Failure> {
    let (kind, criteria, address) = asked(&call)?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("PATCH {address}"))?;
    let size = call.body().len();
    let document = call.json().await?;
    let patch = Patch::read(document.root()).map_err(Failure::invalid)?;
    let target = Target::Found(kind, criteria, None);
    let change = on_condition(&call, Change::new(target, Action::Patch(Arc::new(patch))))?;
    let (done, events) = commit(&call, change, idempotency, size).await?;
    Ok(written(&call, &done, wanted).positions(events))
}

/// Deletes the resource that the criteria find; its history stays.
#[utoipa::path(delete, path = "/fhir/{type}", operation_id = "conditionalDelete", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("identifier" = Option<String>, Query, description = "Criteria, as for a search"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "Deleted, or nothing found, with an OperationOutcome", content_type = "application/fhir+json"),
        (status = 204, description = "Deleted, or nothing found; Chartlog-Position says where in the log"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not a resource type"),
        (status = 412, description = "The criteria find several, of which none is deleted; or it has another version"),
        (status = 422, description = "The key was used for another request")))]
pub async fn delete(call: Call) -> Result<Reply, Failure> {
    let (kind, criteria, address) = asked(&call)?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("DELETE {address}"))?;
    let change = Change::new(Target::Found(kind, criteria, None), Action::Remove);
    let change = on_condition(&call, change)?;
    let (done, events) = commit(&call, change, idempotency, 0).await?;
    Ok(deleted(&done, wanted, events))
}

/// The type and criteria in the address, and the address in one spelling.
fn asked(call: &Call) -> Result<(ResourceType, Criteria, String), Failure> {
    let kind = call.kind()?;
    let pairs = &call.query;
    let parameters = call.records().parameters();
    let criteria = criteria_of(&parameters, call.base_url(), kind, pairs, "criteria")?;
    let pair = |(name, value): &(String, String)| format!("{}={}", encoded(name), encoded(value));
    let query: Vec<String> = pairs.iter().map(pair).collect();
    Ok((kind, criteria, format!("{kind}?{}", query.join("&"))))
}
