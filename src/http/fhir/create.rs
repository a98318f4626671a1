//! create, plain and conditional: FHIR R4 §3.1.0.8 and §3.1.0.8.1.

use std::sync::Arc;

use super::{Call, Failure, Reply, Return, idempotency, written};
use crate::fhir::check::IssueCode;
use crate::fhir::criteria::Criteria;
use crate::fhir::{ResourceType, check, parse_query};
use crate::store::{Action, Change, Target, Write};

/// Stores a new resource under an id that the server chooses.
#[utoipa::path(post, path = "/fhir/{type}", operation_id = "createResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("If-None-Exist" = Option<String>, Header, description = "Search criteria: create only if they find nothing"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "json")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource"),
    responses(
        (status = 201, description = "Created; Location names the version, Chartlog-Position its place in the log", content_type = "application/fhir+json"),
        (status = 200, description = "If-None-Exist found this resource; nothing was stored"),
        (status = 400, description = "Not valid; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not a resource type"),
        (status = 412, description = "If-None-Exist finds several"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request; or, by setting, a reference leads nowhere")))]
pub async fn create(mut call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    call.allow_parameters(&["_format"])?;
    let wanted = Return::of(&call)?;
    let idempotency = idempotency(&call, &format!("POST {kind}"))?;
    let header = call.header("if-none-exist").map(str::to_owned);
    let criteria =
        header.map(|query| criteria(&call, kind, &query, "If-None-Exist")).transpose()?;
    let size = call.body().len();
    let document = call.json().await?;
    check(Some(kind), document.root(), "").map_err(Failure::invalid)?;
    let index = document.root().index();
    let change = Change::new(Target::New(kind, criteria), Action::Put(document, index));
    let write = Write { changes: vec![change], expected_version: None, idempotency, size };
    let stored = call.store().write(&call.grant, Arc::new(write)).await?;
    let done = stored.done.first().ok_or_else(Failure::internal)?;
    Ok(written(&call, done, wanted).positions(stored.events))
}

/// Reads criteria such as those of `If-None-Exist`.
pub fn criteria(
    call: &Call,
    kind: ResourceType,
    query: &str,
    place: &str,
) -> Result<Criteria, Failure> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let pairs = parse_query(query)
        .map_err(|error| Failure::at(IssueCode::Value, place, error.to_string()))?;
    if pairs.is_empty() {
        return Err(Failure::at(IssueCode::Required, place, "criteria are missing"));
    }
    let criteria = Criteria::parse(kind, &pairs, Some(call.base_url()))
        .map_err(|problems| Failure::search(problems, Some(place)))?;
    if criteria.clauses.is_empty() && criteria.ids.is_none() {
        let diagnostics = "must name an id or another value of the resource";
        return Err(Failure::at(IssueCode::Required, place, diagnostics));
    }
    Ok(criteria)
}
