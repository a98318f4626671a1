//! Subscriptions: events of the log, sent to an address as they come.

mod change;
mod parked;
mod words;

pub use change::{__path_pause, __path_replay, __path_resume, __path_rotate};
pub use change::{pause, replay, resume, rotate};
pub use parked::{__path_drop_parked, __path_list_parked, __path_replay_parked};
pub use parked::{drop_parked, list_parked, replay_parked};

use std::sync::Arc;

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::reply::Reply;
use super::super::{Call, Failure, shapes};
use crate::auth::{Grant, Permission};
use crate::feed::subscriptions::{SUBSCRIPTION, Snapshot, Subscriptions, Wish};
use crate::records::{Records, RecordsError};

/// A subscription as it is to be.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct NewSubscription {
    /// For people, up to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where events are sent: https, on a host that feed.webhook_hosts names.
    #[schema(example = "https://hooks.example.org/chartlog")]
    url: String,
    /// Only these kinds of event.
    #[schema(example = json!(["Observation.recorded", "chart.erased"]))]
    kind: Option<Vec<String>>,
    /// Only about resources of these types.
    #[schema(rename = "type")]
    types: Option<Vec<String>>,
    /// Only in the chart of this patient.
    patient: Option<String>,
    /// Only about resources that one of these searches would find, with the event or until then.
    #[schema(example = json!(["Observation?code=8867-4"]))]
    criteria: Option<Vec<String>>,
    /// resource: with what the chart holds from the event on.
    include: Option<String>,
    /// json, as the feed tells events, or cloudevents. Left out: json.
    form: Option<String>,
    /// For how many seconds a delivery is repeated before its event is parked. Left out: three days.
    retry_seconds: Option<u64>,
    /// The first position of the log that is looked at, or head: behind the last event. Left out: head, or where a
    /// subscription is that is defined anew.
    #[schema(schema_with = shapes::position_or_head, required = false)]
    from: Option<String>,
}

/// All subscriptions.
#[derive(Serialize, ToSchema)]
struct AllSubscriptions {
    /// In the order in which they were made.
    subscriptions: Vec<Snapshot>,
}

/// Make a subscription: events are sent to an address, signed, at least once, in order per chart.
///
/// The answer has the secret that signatures are checked with; it is not told again.
#[utoipa::path(post, path = "/v1/subscriptions", operation_id = "createSubscription", tag = "feed",
    request_body = NewSubscription,
    responses(
        (status = 201, description = "The subscription, with its secret", body = Snapshot),
        (status = 400, description = "Not a valid request; all that is wrong is named"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.c by name, or nothing of what is wanted"),
        (status = 404, description = "No such chart"), (status = 409, description = "As many as there may be are there"),
        (status = 410, description = "The chart was erased"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn create(mut call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Create)?;
    let wish = wish(&mut call).await?;
    let made = aside(&call, move |all, records, grant| all.create(records, grant, wish)).await?;
    let location = format!("/v1/subscriptions/{}", made.id);
    Ok(Reply::json(StatusCode::CREATED, &made).header("location", location))
}

/// All subscriptions.
#[utoipa::path(get, path = "/v1/subscriptions", operation_id = "listSubscriptions", tag = "feed",
    responses(
        (status = 200, description = "All of them", body = AllSubscriptions),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.r by name")))]
pub async fn list(call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Read)?;
    call.allow_parameters(&[])?;
    let subscriptions = aside(&call, |all, records, grant| all.list(records, grant)).await?;
    Ok(Reply::json(StatusCode::OK, &AllSubscriptions { subscriptions }))
}

/// A subscription: what it is, how far it is, and what failed.
#[utoipa::path(get, path = "/v1/subscriptions/{id}", operation_id = "readSubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    responses(
        (status = 200, description = "The subscription", body = Snapshot),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.r by name"), (status = 404, description = "No such subscription")))]
pub async fn read(call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Read)?;
    call.allow_parameters(&[])?;
    let id = call.id()?.to_string();
    let read = aside(&call, move |all, records, grant| all.read(records, grant, &id)).await?;
    Ok(Reply::json(StatusCode::OK, &read))
}

/// Define a subscription anew. It keeps its secret and its place, and sees by the scopes of this token from now on.
#[utoipa::path(put, path = "/v1/subscriptions/{id}", operation_id = "updateSubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    request_body = NewSubscription,
    responses(
        (status = 200, description = "The subscription", body = Snapshot),
        (status = 400, description = "Not a valid request; all that is wrong is named"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name, or nothing of what is wanted, or it is somebody else's"),
        (status = 404, description = "No such subscription, or no such chart"), (status = 410, description = "The chart was erased"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn update(mut call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Update)?;
    let id = call.id()?.to_string();
    let wish = wish(&mut call).await?;
    let replace = move |all: &Subscriptions, records: &Records, grant: &Grant| {
        all.replace(records, grant, &id, wish)
    };
    Ok(Reply::json(StatusCode::OK, &aside(&call, replace).await?))
}

/// End a subscription. What it has parked goes with it.
#[utoipa::path(delete, path = "/v1/subscriptions/{id}", operation_id = "deleteSubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    responses(
        (status = 204, description = "Ended"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.d by name"), (status = 404, description = "No such subscription")))]
pub async fn delete(call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Delete)?;
    call.allow_parameters(&[])?;
    let id = call.id()?.to_string();
    aside(&call, move |all, _, grant| all.delete(grant, &id)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

async fn wish(call: &mut Call) -> Result<Wish, Failure> {
    call.allow_parameters(&[])?;
    let document = call.json().await?;
    let (parameters, config) = (call.records().parameters(), call.subscriptions().config());
    let wish = Wish::read(&document, &parameters, Some(call.base_url()), config);
    wish.map_err(Failure::invalid)
}

/// Asked before anything else of a request is looked at.
fn may(call: &Call, permission: Permission) -> Result<(), Failure> {
    Ok(call.grant.may(SUBSCRIPTION, permission).map_err(RecordsError::from)?)
}

/// Works on the subscriptions where it may wait for the disk.
async fn aside<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(&Subscriptions, &Records, &Grant) -> Result<T, RecordsError> + Send + 'static,
) -> Result<T, Failure> {
    let all = Arc::clone(call.subscriptions());
    call.aside(move |records, grant| work(&all, records, grant)).await
}
