//! One event of the log, by its position.

use actix_web::http::StatusCode;

use super::super::super::reply::JSON;
use super::super::super::{Call, Failure, Fault, Reply};
use super::FeedEvent;
use crate::auth::Grant;
use crate::feed::{Form, Framing, Pen};
use crate::numbers::Position;
use crate::records::{LogFilter, Records};

/// One event of the log with its resource: what happened, who caused it, and in which request.
#[utoipa::path(get, path = "/v1/events/{position}", operation_id = "readEvent", tag = "feed",
    params(
        ("position" = u64, Path, description = "Its number in the whole log, from 0"),
        ("raw" = Option<bool>, Query, description = "true: with the text that its frame in the log commits to")),
    responses(
        (status = 200, description = "The event", body = FeedEvent),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it"), (status = 404, description = "No such event, or not for this token")))]
pub async fn one(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&["raw"])?;
    let with_payloads = call.parameter("raw", "true or false")?.unwrap_or(false);
    let text = call.segment("position");
    let absent = Failure::of(Fault::NotFound, format!("event {text} of the log is not known"));
    let Ok(position) = text.parse::<Position>() else { return Err(absent) };
    let filter =
        LogFilter { with_bodies: true, with_actors: true, with_payloads, ..LogFilter::default() };
    let sight = call.records().sight(&call.grant, filter)?;
    let read = move |records: &Records, grant: &Grant| {
        let Some(event) = records.event_at(grant, &sight, position)? else { return Ok(None) };
        let form = Form { framing: Framing::List, cloud_source: None };
        let mut pen = Pen::new(&form);
        pen.event(grant, &event);
        Ok(Some(pen.finish()))
    };
    let event = call.aside(read).await?.ok_or(absent)?;
    Ok(Reply::new(StatusCode::OK, JSON, event))
}
