//! One delivery: reads an event, tells the access log, and sends it.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::entry::{Entry, State};
use super::progress::Startable;
use super::seeing::{Address, Seeing, Shape};
use crate::clock::Instant;
use crate::feed::fhir::{Outlet, Status, Wanted};
use crate::feed::webhook::{Answer, Method, Shipment};
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
    let (reading, status) = (Arc::clone(&seeing), entry.with(status_of));
    let read = aside(context, move |records| reading.read(records, event, status)).await;
    let mut letter = match read {
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
    if matches!(letter.address, Address::Sockets) && !context.sockets.is_bound(&entry.id) {
        // Nothing leaves. Whoever asks for events later finds it by its number.
        return Outcome::Nothing;
    }
    // Its place first: what is told leaves soon.
    let Ok(_place) = context.places.acquire().await else {
        return Outcome::Held("the server stops".to_owned());
    };
    let body = std::mem::take(&mut letter.body);
    if let Some(access) = letter.entry.take().filter(|_| !*is_told) {
        let Some(records) = context.records.upgrade() else {
            return Outcome::Held("the store is closed".to_owned());
        };
        if let Err(error) = records.engine().record_access(access).await {
            return Outcome::Held(format!("the access log: {error}"));
        }
        *is_told = true;
    }
    let (method, target) = match letter.address {
        Address::Http(method, target) => (method, target),
        Address::Sockets => return tell(context, &entry.id, body).await,
    };
    let shipped = ship(context, move |context| {
        let headers = match &seeing.shape {
            Shape::Native { .. } => signed(&entry, event, seeing.content_type(), &body),
            Shape::Fhir(wanted) => sent_along(wanted),
        };
        let timeout = seeing.timeout();
        let shipment =
            Shipment { method, target: &target, headers: &headers, body: &body, timeout };
        context.poster.send(&shipment)
    });
    shipped.await
}

/// The headers of a webhook.
fn signed(
    entry: &Entry,
    event: Startable,
    content_type: &'static str,
    body: &[u8],
) -> Vec<(&'static str, String)> {
    let now = Instant::now().seconds();
    // The same each time, so that the receiver knows what it has had.
    let id = format!("{}-{}", entry.id, event.position);
    let signature = entry.with(|state| state.secrets().map(|secrets| secrets.sign(&id, now, body)));
    vec![
        ("content-type", content_type.to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", now.to_string()),
        ("webhook-signature", signature.unwrap_or_default()),
    ]
}

/// The headers of a notification.
fn sent_along(wanted: &Wanted) -> Vec<(&str, String)> {
    let own = wanted.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    own.chain([("content-type", wanted.content_type.to_owned())]).collect()
}

/// Tells on WebSockets. Nobody acknowledges there: what was handed over is delivered.
async fn tell(context: &Context, id: &str, body: Vec<u8>) -> Outcome {
    let patience = Duration::from_secs(context.config.webhook_timeout_seconds);
    context.sockets.tell(id, body, patience).await;
    Outcome::Delivered
}

/// Sends a notification that tells of no event.
pub async fn notify(
    context: &Arc<Context>,
    id: &str,
    wanted: Arc<Wanted>,
    body: Vec<u8>,
) -> Outcome {
    let Ok(_place) = context.places.acquire().await else {
        return Outcome::Held("the server stops".to_owned());
    };
    let target = match wanted.outlet.clone() {
        Outlet::RestHook(target) => target,
        Outlet::Socket => return tell(context, id, body).await,
    };
    let shipped = ship(context, move |context| {
        let (headers, timeout) = (sent_along(&wanted), wanted.timeout);
        let shipment = Shipment {
            method: Method::Post,
            target: &target,
            headers: &headers,
            body: &body,
            timeout,
        };
        context.poster.send(&shipment)
    });
    shipped.await
}

/// Sends something on a thread that may wait, and says what has become of it.
async fn ship(
    context: &Arc<Context>,
    send: impl FnOnce(&Context) -> Result<Answer, &'static str> + Send + 'static,
) -> Outcome {
    let context = Arc::clone(context);
    match tokio::task::spawn_blocking(move || send(&context)).await {
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

fn status_of(state: &mut State) -> Status {
    state.standing().map_or(Status::Active, |standing| standing.status)
}

/// Reads the store on a thread that may wait; `None`: it is closed, or the reading panicked.
pub async fn aside<T: Send + 'static>(
    context: &Context,
    read: impl FnOnce(&Records) -> T + Send + 'static,
) -> Option<T> {
    let records = context.records.upgrade()?;
    tokio::task::spawn_blocking(move || read(&records)).await.ok()
}
