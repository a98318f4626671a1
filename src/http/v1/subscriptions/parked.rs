//! Events that a subscription has given up.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::super::reply::Reply;
use super::super::super::{Call, Failure};
use super::words::Words;
use super::{aside, may};
use crate::auth::Permission;
use crate::feed::subscriptions::ParkedEvent;
use crate::fhir::check::IssueCode;
use crate::numbers::Position;

/// What a subscription has parked.
#[derive(Serialize, ToSchema)]
struct Parked {
    /// In the order of the log.
    parked: Vec<ParkedEvent>,
}

/// The events that a subscription has given up, each with the reason.
#[utoipa::path(get, path = "/v1/subscriptions/{id}/parked", operation_id = "listParkedEvents", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    responses(
        (status = 200, description = "The events", body = Parked),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.r by name"), (status = 404, description = "No such subscription")))]
pub async fn list_parked(call: Call) -> Result<Reply, Failure> {
    may(&call, Permission::Read)?;
    call.allow_parameters(&[])?;
    let id = call.id()?.to_string();
    let parked = aside(&call, move |all, _, grant| all.parked(grant, &id)).await?;
    Ok(Reply::json(StatusCode::OK, &Parked { parked }))
}

/// Nothing needs to be said.
#[derive(ToSchema)]
struct Nothing {}

/// Send a parked event again.
#[utoipa::path(post, path = "/v1/subscriptions/{id}/parked/{position}/replay", operation_id = "replayParkedEvent", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription"), ("position" = u64, Path, description = "Position of the event")),
    request_body = Nothing,
    responses(
        (status = 204, description = "It waits to be sent"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name, or it is somebody else's"),
        (status = 404, description = "No such subscription, or it has not parked that event"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn replay_parked(mut call: Call) -> Result<Reply, Failure> {
    let (id, position) = named(&call)?;
    Words::read(&mut call, &[]).await?;
    aside(&call, move |all, _, grant| all.replay_parked(grant, &id, position)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Drop a parked event: it will not be sent.
#[utoipa::path(delete, path = "/v1/subscriptions/{id}/parked/{position}", operation_id = "dropParkedEvent", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription"), ("position" = u64, Path, description = "Position of the event")),
    responses(
        (status = 204, description = "Dropped"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name, or it is somebody else's"),
        (status = 404, description = "No such subscription, or it has not parked that event")))]
pub async fn drop_parked(call: Call) -> Result<Reply, Failure> {
    let (id, position) = named(&call)?;
    aside(&call, move |all, _, grant| all.drop_parked(grant, &id, position)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The subscription and the event in the path.
fn named(call: &Call) -> Result<(String, Position), Failure> {
    may(call, Permission::Update)?;
    call.allow_parameters(&[])?;
    let id = call.id()?.to_string();
    let position = call.segment("position").parse().map_err(|_| {
        Failure::at(IssueCode::Value, "position", "must be a position: a whole number, 0 or more")
    })?;
    Ok((id, position))
}
