//! What is done with a subscription that is there: pause, resume, replay, a new secret.

use actix_web::http::StatusCode;
use utoipa::ToSchema;

use super::super::super::reply::Reply;
use super::super::super::{Call, Failure, shapes};
use super::words::Words;
use super::{aside, may};
use crate::auth::Permission;
use crate::feed::subscriptions::{From, Snapshot};

/// Seconds that an old secret signs along, if nothing else is said: a day.
const OVERLAP_SECONDS: u64 = 24 * 60 * 60;

/// Why a subscription is paused.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Pause {
    /// For people.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Nothing needs to be said.
#[derive(ToSchema)]
struct Nothing {}

/// Where a subscription begins anew.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Replay {
    /// A position of the log, or head. What lies before it counts as delivered; what lies behind it is sent again.
    #[schema(schema_with = shapes::position_or_head)]
    from: String,
}

/// How a secret is replaced.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct Rotation {
    /// For how many seconds the old one signs along. Left out: a day.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u64>,
}

/// Pause a subscription: nothing more is begun. What is on the way may still arrive.
#[utoipa::path(post, path = "/v1/subscriptions/{id}/pause", operation_id = "pauseSubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    request_body = Pause,
    responses(
        (status = 200, description = "The subscription", body = Snapshot),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name"), (status = 404, description = "No such subscription"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn pause(call: Call) -> Result<Reply, Failure> {
    let (call, id, words) = asked(call, &["reason"]).await?;
    let reason = words.text("reason")?;
    let done = aside(&call, move |all, records, grant| all.pause(records, grant, &id, reason));
    Ok(Reply::json(StatusCode::OK, &done.await?))
}

/// Let a paused subscription go on. What failed is tried again at once, for as long as the first time.
#[utoipa::path(post, path = "/v1/subscriptions/{id}/resume", operation_id = "resumeSubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    request_body = Nothing,
    responses(
        (status = 200, description = "The subscription", body = Snapshot),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name"), (status = 404, description = "No such subscription"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn resume(call: Call) -> Result<Reply, Failure> {
    let (call, id, _) = asked(call, &[]).await?;
    let done = aside(&call, move |all, records, grant| all.resume(records, grant, &id));
    Ok(Reply::json(StatusCode::OK, &done.await?))
}

/// Let a subscription begin anew at a place of the log.
#[utoipa::path(post, path = "/v1/subscriptions/{id}/replay", operation_id = "replaySubscription", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    request_body = Replay,
    responses(
        (status = 200, description = "The subscription", body = Snapshot),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name, or it is somebody else's"),
        (status = 404, description = "No such subscription"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn replay(call: Call) -> Result<Reply, Failure> {
    let (call, id, words) = asked(call, &["from"]).await?;
    let from = words.place("from", From::RIGHT, From::read)?;
    let done = aside(&call, move |all, records, grant| all.replay(records, grant, &id, from));
    Ok(Reply::json(StatusCode::OK, &done.await?))
}

/// Give a subscription a new secret, which the answer has. The old one signs along for a while.
#[utoipa::path(post, path = "/v1/subscriptions/{id}/secret", operation_id = "rotateSubscriptionSecret", tag = "feed",
    params(("id" = String, Path, description = "Id of the subscription")),
    request_body = Rotation,
    responses(
        (status = 200, description = "The subscription, with its new secret", body = Snapshot),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not grant Feed.u by name, or it is somebody else's"),
        (status = 404, description = "No such subscription"), (status = 409, description = "Too many secrets overlap"),
        (status = 413, description = "Too large"), (status = 415, description = "Not JSON")))]
pub async fn rotate(call: Call) -> Result<Reply, Failure> {
    let (call, id, words) = asked(call, &["overlapSeconds"]).await?;
    let overlap = words.number("overlapSeconds")?.unwrap_or(OVERLAP_SECONDS);
    let done = aside(&call, move |all, records, grant| all.rotate(records, grant, &id, overlap));
    Ok(Reply::json(StatusCode::OK, &done.await?))
}

/// What all of these begin with.
async fn asked(
    mut call: Call,
    members: &'static [&'static str],
) -> Result<(Call, String, Words), Failure> {
    may(&call, Permission::Update)?;
    call.allow_parameters(&[])?;
    let id = call.id()?.to_string();
    let words = Words::read(&mut call, members).await?;
    Ok((call, id, words))
}
