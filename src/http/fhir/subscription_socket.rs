//! Subscriptions whose channel is a WebSocket: the token that binds one, and the socket itself (Subscriptions R5 Backport
//! for R4, channel websocket; R4 §2.46.6.2).

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant as Stopwatch, sleep_until};

use super::super::Fault;
use super::super::reply::FHIR_JSON;
use super::super::sending::{End, Ended, Rest};
use super::super::socket::{self, Opening};
use super::super::state::State;
use super::super::visit::Operation;
use super::super::writing::Part;
use super::parameters::parameters;
use super::{Call, Failure, Reply};
use crate::auth::Permission;
use crate::clock::Instant;
use crate::feed::subscriptions::Message;
use crate::fhir::check::IssueCode;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::records::RecordsError;

/// Where sockets are opened, below the FHIR API's base.
const PLACE: &str = "/ws";
/// Subscriptions that are bound with one token.
const BOUND_MAX: usize = 100;

/// A token with which a WebSocket is bound to a Subscription of the caller. It serves once, for five minutes.
#[utoipa::path(get, path = "/fhir/Subscription/{id}/$get-ws-binding-token", operation_id = "bindingToken", tag = "fhir",
    params(
        ("id" = String, Path, description = "Logical id of the Subscription"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "Parameters: token, expiration, subscription, websocket-url", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it, or the Subscription is somebody else's"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted"), (status = 422, description = "Its channel is another")))]
pub async fn token(mut call: Call) -> Result<Reply, Failure> {
    let key = ResourceKey::new(ResourceType::SUBSCRIPTION, call.id()?);
    parameters(&mut call, &["id"]).await?;
    issued(&call, vec![key])
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Subscription/{id}/$get-ws-binding-token", operation_id = "bindingTokenByPost", tag = "fhir",
    params(("id" = String, Path, description = "Logical id of the Subscription")),
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "Parameters: token, expiration, subscription, websocket-url", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it, or the Subscription is somebody else's"), (status = 404, description = "Not there"),
        (status = 410, description = "Deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON"),
        (status = 422, description = "Its channel is another")))]
pub async fn token_by_post(call: Call) -> Result<Reply, Failure> {
    token(call).await
}

/// The same for several Subscriptions: those with these ids, or all of the caller that are told on WebSockets.
#[utoipa::path(get, path = "/fhir/Subscription/$get-ws-binding-token", operation_id = "bindingTokens", tag = "fhir",
    params(
        ("id" = Option<String>, Query, description = "Only these ids, separated by commas or given several times"),
        ("_format" = Option<String>, Query, description = "The form of the answer, before what Accept says; it is JSON in any case")),
    responses(
        (status = 200, description = "Parameters: token, expiration, subscription, websocket-url", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it, or a Subscription is somebody else's"), (status = 404, description = "Not there, or none"),
        (status = 410, description = "Deleted"), (status = 422, description = "Another channel")))]
pub async fn tokens(mut call: Call) -> Result<Reply, Failure> {
    let pairs = parameters(&mut call, &["id"]).await?;
    let keys = match pairs.is_empty() {
        true => call.subscriptions().kept().of_sockets(&call.grant),
        false => keys(&pairs)?,
    };
    issued(&call, keys)
}

/// As by GET; the parameters may also stand in the body.
#[utoipa::path(post, path = "/fhir/Subscription/$get-ws-binding-token", operation_id = "bindingTokensByPost", tag = "fhir",
    request_body(content = serde_json::Value, content_type = "application/fhir+json", description = "Parameters, or nothing"),
    responses(
        (status = 200, description = "Parameters: token, expiration, subscription, websocket-url", content_type = "application/fhir+json"),
        (status = 400, description = "Not a valid request"), (status = 401, description = "No acceptable token"),
        (status = 403, description = "The token does not allow it, or a Subscription is somebody else's"), (status = 404, description = "Not there, or none"),
        (status = 410, description = "Deleted"), (status = 413, description = "Too large"), (status = 415, description = "Not JSON"),
        (status = 422, description = "Another channel")))]
pub async fn tokens_by_post(call: Call) -> Result<Reply, Failure> {
    tokens(call).await
}

/// Mounts the socket. It is not in the OpenAPI document, which has no words for what is said on it.
pub fn mount(state: Arc<State>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let pass = move |request: HttpRequest, payload: web::Payload| {
            let route = format!("GET /fhir{PLACE}").into();
            let operation = Operation { id: "bindSubscriptions".into(), route };
            socket::pass(Arc::clone(&state), operation, request, payload, Opening::Binding, bind)
        };
        config.route(&format!("/fhir{PLACE}"), web::get().to(pass));
    }
}

fn keys(pairs: &[(String, String)]) -> Result<Vec<ResourceKey>, Failure> {
    let ids = pairs.iter().flat_map(|(_, ids)| ids.split(','));
    let id = |id: &str| -> Result<ResourceId, Failure> {
        let id = id.strip_prefix("Subscription/").unwrap_or(id);
        id.parse().map_err(|error| Failure::at(IssueCode::Value, "id", format!("{error}")))
    };
    let keys = ids.map(|text| Ok(ResourceKey::new(ResourceType::SUBSCRIPTION, id(text)?)));
    keys.collect()
}

fn issued(call: &Call, keys: Vec<ResourceKey>) -> Result<Reply, Failure> {
    if keys.is_empty() {
        let reached = call.grant.reach(ResourceType::SUBSCRIPTION, Permission::Read);
        reached.map_err(RecordsError::from)?;
        let detail = "there is no Subscription of yours whose channel is websocket";
        return Err(Failure::of(Fault::NotFound, detail));
    }
    check_count(&keys)?;
    let kept = call.subscriptions().kept();
    let (token, expires_at) = kept.ticket(call.records(), &call.grant, &keys)?;
    let url = url(call.base_url());
    let mut list = vec![
        json!({ "name": "token", "valueString": token }),
        json!({ "name": "expiration", "valueDateTime": expires_at.to_string() }),
        json!({ "name": "websocket-url", "valueUrl": url }),
    ];
    let subscription =
        |key: &ResourceKey| json!({ "name": "subscription", "valueString": key.id.to_string() });
    list.extend(keys.iter().map(subscription));
    let answer = json!({ "resourceType": "Parameters", "parameter": list });
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, answer.to_string().into_bytes()))
}

/// Where sockets are opened, on an API with that base URL.
#[must_use]
pub fn url(base: &str) -> String {
    format!("{}{PLACE}", base.replacen("http", "ws", 1))
}

fn check_count(keys: &[ResourceKey]) -> Result<(), Failure> {
    let told = format!("at most {BOUND_MAX} Subscriptions are bound with one token");
    match keys.len() <= BOUND_MAX {
        true => Ok(()),
        false => Err(Failure::at(IssueCode::TooCostly, "id", told)),
    }
}

/// A socket that is bound.
struct Bound {
    messages: mpsc::Receiver<Message>,
    ended: Arc<Ended>,
    stopping: watch::Receiver<bool>,
    /// When the token of who is bound expires.
    expires: Stopwatch,
    _place: OwnedSemaphorePermit,
}

/// Binds a socket: what its Subscriptions tell of goes out on it, from now on.
async fn bind(call: Call) -> Result<Reply, Failure> {
    call.allow_parameters(&["id"])?;
    let keys = keys(&call.query)?;
    if keys.is_empty() {
        return Err(Failure::at(
            IssueCode::Required,
            "id",
            "say which Subscriptions, by their ids",
        ));
    }
    check_count(&keys)?;
    let state = call.reading().state;
    let place = Arc::clone(&state.followers)
        .try_acquire_owned()
        .map_err(|_| Failure::of(Fault::Busy, "too many follow the log already: try again"))?;
    let kept = call.subscriptions().kept();
    let (first, messages) = kept.bind(call.records(), &call.grant, &keys, call.base_url())?;
    let left = call.grant.caller().expires_at.saturating_mul(1_000_000);
    let left = left.saturating_sub(Instant::now().micros());
    let ended = Arc::new(Ended::default());
    let bound = Bound {
        messages,
        ended: Arc::clone(&ended),
        stopping: state.stopping.subscribe(),
        expires: Stopwatch::now() + Duration::from_micros(u64::try_from(left).unwrap_or(0)),
        _place: place,
    };
    let parts = stream::unfold(bound, |mut bound| async move {
        bound.next().await.map(|part| (Ok(part), bound))
    });
    let first = first.join(&b'\n');
    Ok(Reply::new(StatusCode::OK, FHIR_JSON, first)
        .followed_by(Rest::Parts(parts.boxed()))
        .as_feed(ended))
}

impl Bound {
    /// The next message, when it comes.
    async fn next(&mut self) -> Option<Part> {
        let end = tokio::select! {
            biased;
            _ = self.stopping.wait_for(|is_stopping| *is_stopping) => End::Stopping,
            () = sleep_until(self.expires) => End::Expired,
            message = self.messages.recv() => match message {
                Some(message) => return Some(Part::from(message.to_vec())),
                None => End::Unbound,
            },
        };
        self.ended.because(end);
        None
    }
}
