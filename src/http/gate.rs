//! The one door: token before, access entry after.
//!
//! Each mounted handler runs inside [`pass`]. It authenticates, reads the bounded body, makes the
//! [`Grant`], runs the handler, and lets the answer out only when the access entry is durable. A
//! request that committed events, and saw nothing else, needs no entry: the events carry who, why
//! and which request.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::OwnedSemaphorePermit;

use super::call::decoded;
use super::reply::Reply;
use super::state::{BODY_UNIT, State};
use super::{Call, Failure, Fault};
use crate::auth::{Caller, Grant, Seen};
use crate::chart::Actor;
use crate::clock::Instant;
use crate::store::{Entry, Outcome};

/// Longest text of a request that an access entry repeats, in bytes.
const QUERY_BYTES_MAX: usize = 2_048;
/// Longest `X-Purpose-Of-Use` and `X-Request-Id`, in characters.
const LABEL_LENGTH_MAX: usize = 128;

/// Runs one request through the gate.
pub async fn pass<F>(
    state: Arc<State>,
    operation: Arc<str>,
    request: HttpRequest,
    payload: web::Payload,
    handler: impl FnOnce(Call) -> F,
) -> HttpResponse
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let started = Stopwatch::now();
    let visit = Visit::of(&request);
    let (result, caller, seen) = admit(&state, &visit, &request, payload, handler).await;
    let status = match &result {
        Ok(reply) => reply.status.as_u16(),
        Err(failure) => failure.fault.status().as_u16(),
    };
    let is_its_own_trace = seen.committed && !seen.owes_entry && result.is_ok();
    let entry = visit.entry(&operation, caller.as_deref(), &seen, status);
    let recorded = if is_its_own_trace { Ok(()) } else { state.store.record_access(&entry).await };
    let reply = match (recorded, result) {
        (Ok(()), Ok(reply)) => reply,
        (Ok(()), Err(failure)) => failure.render(visit.is_fhir, &visit.request),
        // No look without a trace: what could not be recorded is not answered.
        (Err(error), _) => Failure::from(error).render(visit.is_fhir, &visit.request),
    };
    super::metrics::count(&operation, reply.status, started.elapsed());
    if reply.status.is_server_error() {
        tracing::warn!(
            request = visit.request,
            operation = &*operation,
            status = reply.status.as_u16(),
            "failed"
        );
    } else {
        tracing::debug!(
            request = visit.request,
            operation = &*operation,
            status = reply.status.as_u16(),
            "answered"
        );
    }
    respond(reply, &visit.request)
}

/// What a request says about itself, whoever sent it.
struct Visit {
    request: String,
    address: Option<String>,
    purpose: Option<String>,
    query: String,
    is_fhir: bool,
}

impl Visit {
    fn of(request: &HttpRequest) -> Self {
        let label = |name| label(request.headers(), name);
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        Self {
            request: label("x-request-id").unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            address: request.peer_addr().map(|peer| peer.ip().to_string()),
            purpose: label("x-purpose-of-use"),
            query: format!("{} {}", request.method(), bounded(target)),
            is_fhir: request.path().starts_with("/fhir"),
        }
    }

    fn actor(&self, caller: &Caller) -> Actor {
        Actor {
            subject: caller.subject.clone(),
            client: caller.client.clone(),
            issuer: caller.issuer.clone(),
            purpose: self.purpose.clone(),
            address: self.address.clone(),
            request: self.request.clone(),
        }
    }

    fn entry(&self, operation: &str, caller: Option<&Caller>, seen: &Seen, status: u16) -> Entry {
        Entry {
            subject: caller.map(|caller| caller.subject.clone()),
            client: caller.and_then(|caller| caller.client.clone()),
            issuer: caller.map(|caller| caller.issuer.clone()),
            address: self.address.clone(),
            purpose: self.purpose.clone(),
            request: self.request.clone(),
            operation: operation.to_owned(),
            outcome: match status {
                401 | 403 => Outcome::Refused,
                400.. => Outcome::Failed,
                _ => Outcome::Granted,
            },
            status,
            charts: seen.charts.iter().map(ToString::to_string).collect(),
            resource: seen.resource,
            query: self.query.clone(),
        }
    }
}

async fn admit<F>(
    state: &Arc<State>,
    visit: &Visit,
    request: &HttpRequest,
    payload: web::Payload,
    handler: impl FnOnce(Call) -> F,
) -> (Result<Reply, Failure>, Option<Arc<Caller>>, Seen)
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let caller = match authenticate(state, request.headers()) {
        Ok(caller) => caller,
        Err(failure) => return (Err(failure), None, Seen::default()),
    };
    let grant = Arc::new(Grant::new(Arc::clone(&caller), visit.actor(&caller)));
    let result = match prepare(state, &grant, request, payload).await {
        Ok(call) => handler(call).await,
        Err(failure) => Err(failure),
    };
    (result, Some(caller), grant.summary())
}

fn authenticate(state: &State, headers: &HeaderMap) -> Result<Arc<Caller>, Failure> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(token) = token else {
        return Err(Failure::of(Fault::NoToken, "send a token: Authorization: Bearer …"));
    };
    state
        .verifier
        .verify(token, Instant::now().seconds())
        .map_err(|error| Failure::of(Fault::BadToken, error.to_string()))
}

async fn prepare(
    state: &Arc<State>,
    grant: &Arc<Grant>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Call, Failure> {
    let query = decoded(request.query_string())?;
    let share = body_share(state, request.headers())?;
    let body = read_body(state, request.method(), request.headers(), payload).await?;
    Ok(Call {
        state: Arc::clone(state),
        grant: Arc::clone(grant),
        request: request.clone(),
        query,
        body,
        _share: share,
    })
}

/// A share in the memory for request bodies, as large as this body says it is.
fn body_share(state: &State, headers: &HeaderMap) -> Result<Option<OwnedSemaphorePermit>, Failure> {
    let limit = state.options.limits.body_bytes_max;
    let declared = headers.get("content-length").and_then(|text| text.to_str().ok()?.parse().ok());
    let bytes = match declared {
        Some(bytes) => bytes,
        None if headers.contains_key("transfer-encoding") => limit,
        None => 0,
    };
    if bytes == 0 {
        return Ok(None);
    }
    if bytes > limit {
        return Err(too_large(limit));
    }
    let permits = u32::try_from(bytes.div_ceil(BODY_UNIT)).unwrap_or(u32::MAX);
    match Arc::clone(&state.bodies).try_acquire_many_owned(permits) {
        Ok(share) => Ok(Some(share)),
        Err(_) => Err(Failure::of(Fault::Busy, "too many large requests at the same time")),
    }
}

async fn read_body(
    state: &State,
    method: &Method,
    headers: &HeaderMap,
    payload: web::Payload,
) -> Result<Vec<u8>, Failure> {
    let limit = state.options.limits.body_bytes_max;
    let timeout = Duration::from_secs(state.options.limits.request_timeout_seconds);
    let read = tokio::time::timeout(timeout, payload.to_bytes_limited(limit)).await;
    let body = match read {
        Err(_) => return Err(Failure::of(Fault::Timeout, "the body did not arrive in time")),
        Ok(Err(_)) => {
            return Err(too_large(limit));
        }
        Ok(Ok(Err(error))) => {
            return Err(Failure::of(
                Fault::Invalid,
                format!("the body did not arrive whole: {error}"),
            ));
        }
        Ok(Ok(Ok(body))) => body,
    };
    if !body.is_empty() {
        check_media_type(method, headers)?;
    }
    Ok(body.into())
}

fn too_large(limit: usize) -> Failure {
    Failure::of(Fault::TooLarge, format!("the body may have {limit} bytes"))
}

fn check_media_type(method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key("content-encoding") {
        return Err(Failure::of(Fault::MediaType, "send the body without Content-Encoding"));
    }
    let Some(content_type) = headers.get("content-type") else { return Ok(()) };
    let content_type = content_type.to_str().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let accepted: &[&str] = match *method {
        Method::PATCH => {
            &["application/json-patch+json", "application/fhir+json", "application/json"]
        }
        _ => &["application/fhir+json", "application/json"],
    };
    if accepted.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        Ok(())
    } else {
        let detail = format!("send Content-Type {}, not {essence}", accepted.join(" or "));
        Err(Failure::of(Fault::MediaType, detail))
    }
}

/// A short header value of visible characters; anything else counts as absent.
fn label(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let fits = (1..=LABEL_LENGTH_MAX).contains(&text.len());
    (fits && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))).then(|| text.to_owned())
}

fn bounded(text: &str) -> &str {
    // A URI is ASCII, so every offset is a boundary.
    text.get(..QUERY_BYTES_MAX).unwrap_or(text)
}

fn respond(reply: Reply, request: &str) -> HttpResponse {
    let mut response = HttpResponse::build(reply.status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.insert_header(("x-request-id", request));
    response.insert_header(("x-content-type-options", "nosniff"));
    response.insert_header(("cache-control", "private, no-cache"));
    response.body(reply.body)
}
