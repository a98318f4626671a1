//! update, with create-on-update, and delete: FHIR R4 §3.1.0.4 and §3.1.0.7.

use super::super::checked::checked;
use super::{
    Call, Failure, Reply, Return, binary, commit, deleted, idempotency, on_condition, written,
};
use crate::chart::Upcasters;
use crate::fhir::ResourceKey;
use crate::fhir::check::IssueCode;
use crate::json::Node;
use crate::records::{Action, Change, Target};

/// Replaces a resource, or stores it for the first time under this id.
#[utoipa::path(put, path = "/fhir/{type}/{id}", operation_id = "updateResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource"),
    responses(
        (status = 200, description = "Replaced, or unchanged because equal; Chartlog-Position says where in the log", content_type = "application/fhir+json"),
        (status = 201, description = "Stored for the first time, or again after a deletion; Chartlog-Position says where in the log"),
        (status = 400, description = "Not valid; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not for this token"),
        (status = 412, description = "A condition does not hold: it has another version, or none"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request; a Subscription or a SearchParameter cannot be carried out; or, by setting, a reference leads nowhere")))]
pub async fn update(mut call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    call.allow_parameters(&[])?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("PUT {key}"))?;
    let size = call.body().len();
    let document = binary::content(&mut call, key.kind, Some(&key.id)).await?;
    check_named(call.upcasters(), &key, document.root(), "")?;
    let index = document.root().index();
    let change = Change::new(Target::Key(key), Action::Put(document, index));
    let change = on_condition(&call, change)?;
    let (done, events) = commit(&call, change, idempotency, size).await?;
    Ok(written(&call, &done, wanted).positions(events))
}

/// Deletes a resource; its history stays.
#[utoipa::path(delete, path = "/fhir/{type}/{id}", operation_id = "deleteResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "Deleted, with an OperationOutcome", content_type = "application/fhir+json"),
        (status = 204, description = "Deleted, or not there; Chartlog-Position says where in the log"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not for this token"),
        (status = 412, description = "A condition does not hold: it has another version, or none")))]
pub async fn delete(call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    call.allow_parameters(&[])?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("DELETE {key}"))?;
    let change = on_condition(&call, Change::new(Target::Key(key), Action::Remove))?;
    let (done, events) = commit(&call, change, idempotency, 0).await?;
    Ok(deleted(&done, wanted, events))
}

/// Checks a resource that must carry the id under which it is to be stored.
pub fn check_named(
    upcasters: &Upcasters,
    key: &ResourceKey,
    resource: Node<'_>,
    place: &str,
) -> Result<(), Failure> {
    let checked = checked(upcasters, key.kind, resource, place)?;
    let prefix = if place.is_empty() { key.kind.name() } else { place };
    match checked.id {
        Some(id) if id == key.id => Ok(()),
        Some(id) => {
            let diagnostics = format!("the id is {id}, the address says {}", key.id);
            Err(Failure::at(IssueCode::Value, format!("{prefix}.id"), diagnostics))
        }
        None => {
            let diagnostics = format!("the id is missing; the address says {}", key.id);
            Err(Failure::at(IssueCode::Required, format!("{prefix}.id"), diagnostics))
        }
    }
}
