//! patch: FHIR R4 §3.1.0.6.

use std::sync::Arc;

use super::{Call, Failure, Reply, Return, commit, idempotency, on_condition, written};
use crate::fhir::Patch;
use crate::records::{Action, Change, Target};

/// Changes parts of a resource; the rest stays as it is, to the digit.
#[utoipa::path(patch, path = "/fhir/{type}/{id}", operation_id = "patchResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Patient"),
        ("id" = String, Path, description = "Logical id"),
        ("If-Match" = Option<String>, Header, description = "The versions of which it must have one; *: it must exist", example = "W/\"1\""),
        ("If-None-Match" = Option<String>, Header, description = "The versions of which it must have none; *: it must not exist"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content((serde_json::Value = "application/json-patch+json"), (serde_json::Value = "application/fhir+json")), description = "A JSON Patch (RFC 6902), or Parameters with a FHIRPath Patch"),
    responses(
        (status = 200, description = "Changed, or unchanged because equal; Chartlog-Position says where in the log", content_type = "application/fhir+json"),
        (status = 400, description = "Not a patch; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted"),
        (status = 412, description = "A condition does not hold: it has another version, or none"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "An operation cannot be carried out, or the outcome would not be valid; nothing was stored. Or the key was used for another request")))]
pub async fn patch(mut call: Call) -> Result<Reply, Failure> {
    let key = call.key()?;
    call.allow_parameters(&[])?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("PATCH {key}"))?;
    let size = call.body().len();
    let document = call.json().await?;
    let patch = Patch::read(document.root()).map_err(Failure::invalid)?;
    let change = Change::new(Target::Key(key), Action::Patch(Arc::new(patch)));
    let change = on_condition(&call, change)?;
    let (done, events) = commit(&call, change, idempotency, size).await?;
    Ok(written(&call, &done, wanted).positions(events))
}
