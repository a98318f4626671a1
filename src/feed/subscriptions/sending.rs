//! One delivery: reads an event, tells the access log, and sends it.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::entry::Entry;
use super::progress::Startable;
use super::seeing::{Letter, Seeing};
use crate::clock::Instant;
use crate::feed::webhook::Answer;
use crate::records::Records;

/// What was sent, and what has become of it.
#[derive(Debug)]
pub struct Sent {
    /// Which event.
    pub event: Startable,
    /// Whether the access log tells of it.
    pub is_told: bool,
    /// What has become of it.
    pub outcome: Outcome,
}

/// What has become of a delivery.
#[derive(Debug)]
pub enum Outcome {
    /// It was acknowledged.
    Delivered,
    /// There is nothing of it for this owner.
    Nothing,
    /// It was not tried: the store did not do its part.
    Held(String),
    /// It can never be sent.
    Refused(String),
    /// It was not acknowledged; and how long the receiver wants to be left alone.
    Failed(String, Option<Duration>),
    /// The receiver wants nothing more.
    Gone,
}

/// Delivers an event once. `is_told`: the access log has told of it before.
pub async fn deliver(
    context: Arc<Context>,
    entry: Arc<Entry>,
    seeing: Arc<Seeing>,
    event: Startable,
    is_told: bool,
) -> Sent {
    let mut is_told = is_told;
    let outcome = attempt(&context, entry, seeing, event, &mut is_told).await;
    Sent { event, is_told, outcome }
}

async fn attempt(
    context: &Arc<Context>,
    entry: Arc<Entry>,
    seeing: Arc<Seeing>,
    event: Startable,
    is_told: &mut bool,
) -> Outcome {
    let reading = Arc::clone(&seeing);
    let read = aside(context, move |records| reading.read(records, event)).await;
    let letter = match read {
        Some(Ok(Some(letter))) => letter,
        Some(Ok(None)) => return Outcome::Nothing,
        Some(Err(error)) => return Outcome::Held(error.to_string()),
        None => return Outcome::Held("the store is closed".to_owned()),
    };
    let (size, most) = (letter.body.len(), context.config.webhook_bytes_max);
    if size > most {
        return Outcome::Refused(format!(
            "it has {size} bytes, and feed.webhook_bytes_max is {most}"
        ));
    }
    // Its place first: what is told leaves soon.
    let Ok(_place) = context.places.acquire().await else {
        return Outcome::Held("the server stops".to_owned());
    };
    let Letter { body, entry: access } = letter;
    if let Some(access) = access.filter(|_| !*is_told) {
        let Some(records) = context.records.upgrade() else {
            return Outcome::Held("the store is closed".to_owned());
        };
        if let Err(error) = records.engine().record_access(access).await {
            return Outcome::Held(format!("the access log: {error}"));
        }
        *is_told = true;
    }
    let context = Arc::clone(context);
    let posted = tokio::task::spawn_blocking(move || {
        let now = Instant::now().seconds();
        // The same each time, so that the receiver knows what it has had.
        let id = format!("{}-{}", entry.id, event.position);
        let signature = entry.with(|state| state.secrets.sign(&id, now, &body));
        let headers = [
            ("content-type", seeing.content_type().to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature),
        ];
        context.poster.post(&seeing.target, &headers, &body)
    });
    match posted.await {
        Ok(Ok(answer)) => outcome(answer),
        Ok(Err(reason)) => Outcome::Failed(reason.to_owned(), None),
        Err(_) => Outcome::Held("a delivery panicked".to_owned()),
    }
}

fn outcome(answer: Answer) -> Outcome {
    let Answer { status, retry_after } = answer;
    match status {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone,
        300..=399 => Outcome::Failed(
            format!("the receiver answered {status}: redirects are not followed"),
            None,
        ),
        _ => Outcome::Failed(format!("the receiver answered {status}"), retry_after),
    }
}

/// Reads the store on a thread that may wait; `None`: it is closed, or the reading panicked.
pub async fn aside<T: Send + 'static>(
    context: &Context,
    read: impl FnOnce(&Records) -> T + Send + 'static,
) -> Option<T> {
    let records = context.records.upgrade()?;
    tokio::task::spawn_blocking(move || read(&records)).await.ok()
}
