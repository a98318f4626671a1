//! `$status` and `$events` of Subscriptions: Subscriptions R5 Backport for R4.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::super::reply::FHIR_JSON;
use super::bundle::BundleWriter;
use super::parameters::parameters;
use super::{Call, Failure, Reply};
use crate::auth::Permission;
use crate::feed::fhir::Content;
use crate::feed::subscriptions::RecallRequest;
use crate::fhir::check::IssueCode;
use crate::fhir::search::Query;
use crate::fhir::{ResourceKey, ResourceType};
use crate::records::{Page, Resource, SearchRequest};

/// Subscriptions of which one answer tells.
const STATUSES_MAX: usize = 1_000;
/// The parameters of `$status`: at the instance level they are ignored.
const OF_STATUS: [&str; 2] = ["id", "status"];
/// The parameters of `$events`.
const OF_EVENTS: [&str; 3] = ["eventsSinceNumber", "eventsUntilNumber", "content"];

/// How a Subscription is: its status, and how many events there were.
#[utoipa::path(get, path = "/fhir/Subscription/{id}/$status", operation_id = "subscriptionStatus", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Subscription"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset with one status", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted")))]
pub async fn status(mut call: Call) -> Result<Reply, Failure> {
    let resource = asked(&mut call, &OF_STATUS).await?.0;
    told(&call, &[resource])
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Subscription/{id}/$status", operation_id = "subscriptionStatusByPost", tag = "fhir",
    params(("id" = String, Path, description = "Logical id of the Subscription")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A Bundle of type searchset with one status", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn status_by_post(call: Call) -> Result<Reply, Failure> {
    status(call).await
}

/// How several Subscriptions are: those with these ids, or of these statuses, or all.
#[utoipa::path(get, path = "/fhir/Subscription/$status", operation_id = "subscriptionStatuses", tag = "fhir",
    params(
        ("id" = Option<String>, Query, description = "Only these ids, separated by commas or given several times"),
        ("status" = Option<String>, Query, description = "Only of these statuses"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A Bundle of type searchset with a status for each", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it")))]
pub async fn statuses(mut call: Call) -> Result<Reply, Failure> {
    let pairs = parameters(&mut call, &OF_STATUS).await?;
    let values = |name: &str| {
        let of_name = pairs.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(",")
    };
    let criteria = [("_id", values("id")), ("status", values("status"))];
    let criteria: Vec<(String, String)> = criteria
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name.to_owned(), values))
        .collect();
    let kind = ResourceType::SUBSCRIPTION;
    let known = call.records().parameters();
    let query = Query::parse(&known, kind, &criteria, Some(call.base_url()))
        .map_err(|problems| Failure::search(problems, None))?;
    let request = SearchRequest {
        queries: vec![(kind, query)],
        within: None,
        as_of: None,
        start: None,
        limit: STATUSES_MAX,
        with_total: false,
    };
    let found = call.aside(move |records, grant| {
        // What a status says is a part of what the Subscription says.
        grant.reach(kind, Permission::Read)?;
        records.search(grant, &request)
    });
    let Page { matches, .. } = found.await?;
    told(&call, &matches)
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Subscription/$status", operation_id = "subscriptionStatusesByPost", tag = "fhir",
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A Bundle of type searchset with a status for each", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn statuses_by_post(call: Call) -> Result<Reply, Failure> {
    statuses(call).await
}

/// Events that a Subscription has told of, or was to tell of, by their numbers: for who has missed some.
///
/// The last 10,000 are kept, and 1,000 are in one answer.
#[utoipa::path(get, path = "/fhir/Subscription/{id}/$events", operation_id = "subscriptionEvents", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Subscription"),
        ("eventsSinceNumber" = Option<String>, Query, description = "From this event on"),
        ("eventsUntilNumber" = Option<String>, Query, description = "Up to this event"),
        ("content" = Option<String>, Query, description = "empty, id-only or full-resource. Left out: as the Subscription says"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "A notification: a Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request, or those events are no longer kept"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted")))]
pub async fn events(mut call: Call) -> Result<Reply, Failure> {
    let (resource, pairs) = asked(&mut call, &OF_EVENTS).await?;
    let one = |name: &str| {
        let mut values = pairs.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, text)| text.as_str());
        match values.next() {
            Some(_) => {
                Err(Failure::at(IssueCode::Value, name, format!("{name} may be given once")))
            }
            None => Ok(first),
        }
    };
    let number = |name: &str| {
        let read = |text: &str| {
            let number = text.parse::<u64>().ok().filter(|number| *number > 0);
            let right = format!("{name} must be a number of an event: 1 or more");
            number.ok_or_else(|| Failure::at(IssueCode::Value, name, right))
        };
        one(name)?.map(read).transpose()
    };
    let content = one("content")?.map(|code| {
        let content = Content::of(code);
        content.ok_or_else(|| Failure::at(IssueCode::Value, "content", Content::RIGHT))
    });
    let (since, until) = (number("eventsSinceNumber")?, number("eventsUntilNumber")?);
    let request = RecallRequest { since, until, content: content.transpose()? };
    let kept = Arc::clone(call.subscriptions().kept());
    let recalled =
        call.aside(move |records, grant| kept.recall(records, grant, &resource, &request)).await?;
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, recalled.bundle(call.base_url())))
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Subscription/{id}/$events", operation_id = "subscriptionEventsByPost", tag = "fhir",
    params(("id" = String, Path, description = "Logical id of the Subscription")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "A notification: a Bundle of type history", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request, or those events are no longer kept"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn events_by_post(call: Call) -> Result<Reply, Failure> {
    events(call).await
}

/// The Subscription in the path, and the parameters.
async fn asked(
    call: &mut Call,
    known: &[&str],
) -> Result<(Resource, Vec<(String, String)>), Failure> {
    let key = ResourceKey::new(ResourceType::SUBSCRIPTION, call.id()?);
    let pairs = parameters(call, known).await?;
    Ok((call.records().read(&call.grant, &key)?, pairs))
}

/// A Bundle with the status of each.
fn told(call: &Call, resources: &[Resource]) -> Result<Reply, Failure> {
    let kept = call.subscriptions().kept();
    let mut bundle = BundleWriter::new("searchset", Some(resources.len()), &[]);
    for resource in resources {
        let id = uuid::Uuid::now_v7().to_string();
        let status = kept.status(&call.grant, resource)?.status(call.base_url(), &id);
        let full_url = format!("urn:uuid:{id}");
        let mode = r#"{"mode":"match"}"#.to_owned();
        bundle.entry(Some(&full_url), Some(status.as_bytes()), &[("search", mode)]);
    }
    Ok(Reply::bundle(bundle.finish()))
}
