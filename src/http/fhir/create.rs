//! create, plain and conditional: FHIR R4 §3.1.0.8 and §3.1.0.8.1.

use super::super::checked::checked;
use super::{Call, Failure, Reply, Return, binary, commit, idempotency, written};
use crate::fhir::check::IssueCode;
use crate::fhir::{Criteria, Parameters, ResourceType, parse_query};
use crate::records::{Action, Change, Target};

/// Stores a new resource under an id that the server chooses.
#[utoipa::path(post, path = "/fhir/{type}", operation_id = "createResource", tag = "fhir",
    params(
        ("type" = String, Path, description = "Resource type", example = "Observation"),
        ("If-None-Exist" = Option<String>, Header, description = "Search criteria: create only if they find nothing"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key is harmless, forever"),
        ("Prefer" = Option<String>, Header, description = "return=minimal, representation (default) or OperationOutcome"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "The resource"),
    responses(
        (status = 201, description = "Created; Location names the version, Chartlog-Position its place in the log", content_type = "application/fhir+json"),
        (status = 200, description = "If-None-Exist found this resource; nothing was stored"),
        (status = 400, description = "Not valid; the outcome says what and where"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not a resource type"),
        (status = 412, description = "If-None-Exist finds several"), (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"), (status = 422, description = "The key was used for another request; a Subscription or a SearchParameter cannot be carried out; or, by setting, a reference leads nowhere")))]
pub async fn create(mut call: Call) -> Result<Reply, Failure> {
    let kind = call.kind()?;
    call.allow_parameters(&[])?;
    let wanted = Return::of(&call, Return::Representation);
    let idempotency = idempotency(&call, &format!("POST {kind}"))?;
    let criteria = call
        .only_header("if-none-exist")?
        .map(|text| {
            let parameters = call.records().parameters();
            criteria(&parameters, call.base_url(), kind, text, "If-None-Exist")
        })
        .transpose()?;
    let size = call.body().len();
    let document = binary::content(&mut call, kind, None).await?;
    checked(call.upcasters(), kind, document.root(), "")?;
    let index = document.root().index();
    let change = Change::new(Target::New(kind, criteria), Action::Put(document, index));
    let (done, events) = commit(&call, change, idempotency, size).await?;
    Ok(written(&call, &done, wanted).positions(events))
}

/// Reads criteria as a query, such as those of `If-None-Exist`, by the search parameters that there
/// are and this server's base URL.
pub fn criteria(
    parameters: &Parameters,
    base_url: &str,
    kind: ResourceType,
    query: &str,
    place: &str,
) -> Result<Criteria, Failure> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let pairs = parse_query(query)
        .map_err(|error| Failure::at(IssueCode::Value, place, error.to_string()))?;
    criteria_of(parameters, base_url, kind, &pairs, place)
}

/// Understands criteria that decide what a write is about: they must name something of it.
pub fn criteria_of(
    parameters: &Parameters,
    base_url: &str,
    kind: ResourceType,
    pairs: &[(String, String)],
    place: &str,
) -> Result<Criteria, Failure> {
    if pairs.is_empty() {
        return Err(Failure::at(IssueCode::Required, place, "criteria are missing"));
    }
    let criteria = Criteria::parse(parameters, kind, pairs, Some(base_url))
        .map_err(|problems| Failure::search(problems, Some(place)))?;
    if !criteria.name_a_value() {
        let diagnostics = "must name an id or another value of the resource";
        return Err(Failure::at(IssueCode::Required, place, diagnostics));
    }
    Ok(criteria)
}
