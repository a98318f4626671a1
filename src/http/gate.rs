//! The one door: token before, access entry after.
//!
//! Each mounted handler runs inside [`pass`]. It authenticates, reads the bounded body, makes the
//! [`Grant`], runs the handler, and lets the answer out only when the access entry is durable. A
//! request that committed events, and saw nothing else, needs no entry: the events carry who, why
//! and which request. Of an answer that goes out part by part, each part waits until all charts that it
//! shows stand in an entry.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;

use super::accept::takes_gzip;
use super::body::{Body, is_binary, is_search};
use super::call::{Asked, is_fhir};
use super::encoding::{compressed, negotiated};
use super::query::decoded;
use super::rendering::Rendering;
use super::reply::Reply;
use super::sending::{Interrupted, Trail, sent};
use super::state::State;
use super::{Call, Failure, Fault};
use crate::auth::{Caller, Grant, Seen};
use crate::budget::Budget;
use crate::chart::Actor;
use crate::chart::{AccessEntry, Outcome};
use crate::clock::Instant;
use crate::records::INLINE_BYTES_MAX;

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
    let mut visit = Visit::of(&request);
    let mut rendering = Rendering::default();
    let (result, grant) =
        admit(&state, &mut visit, &request, payload, &mut rendering, handler).await;
    let status = match &result {
        Ok(reply) => reply.status.as_u16(),
        Err(failure) => failure.fault.status().as_u16(),
    };
    let seen = grant.as_ref().map(|grant| grant.summary()).unwrap_or_default();
    let is_its_own_trace = seen.committed && !seen.owes_entry && result.is_ok();
    let caller = grant.as_ref().map(|grant| grant.caller());
    let entry = visit.entry(&operation, caller, &seen, status);
    let recorded =
        if is_its_own_trace { Ok(()) } else { state.records.engine().record_access(&entry).await };
    let mut reply = match (recorded, result) {
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
    let (reply, rest) = match reply.rest.take() {
        Some(rest) => {
            let writing = rendering.writing(&mut reply);
            let writing = negotiated(&mut reply, writing, is_gzip_taken(&request));
            (reply, Some((rest, writing)))
        }
        None => (written(reply, rendering, &request).await, None),
    };
    let mut response = HttpResponse::build(reply.status);
    for (name, value) in reply.headers {
        response.insert_header((name, value));
    }
    response.insert_header(("x-request-id", visit.request.as_str()));
    response.insert_header(("x-content-type-options", "nosniff"));
    response.insert_header(("cache-control", "private, no-cache"));
    match (rest, grant) {
        // Of an answer in parts nobody knows the length: there is nothing to be said of its body.
        (Some(_), _) if *request.method() == Method::HEAD => {
            response.streaming(stream::empty::<Result<web::Bytes, Interrupted>>())
        }
        (Some((rest, writing)), Some(grant)) => {
            let trace = Trace { state, visit, operation, grant, charts: seen.charts.len() };
            response.streaming(sent(reply.body, rest, writing, trace))
        }
        (_, _) => response.body(reply.body.bytes),
    }
}

/// The answer as it goes out: in the form that was asked for, and compressed for who takes that.
pub(super) async fn written(reply: Reply, rendering: Rendering, request: &HttpRequest) -> Reply {
    let takes_gzip = is_gzip_taken(request);
    let is_work = takes_gzip || rendering.is_work();
    let write = move |reply: Reply| compressed(rendering.apply(reply), takes_gzip);
    if !is_work || reply.body.bytes.len() <= INLINE_BYTES_MAX {
        return write(reply);
    }
    let written = web::block(move || write(reply)).await;
    written.unwrap_or_else(|_| Failure::internal().render(true, "none"))
}

fn is_gzip_taken(request: &HttpRequest) -> bool {
    let header = request.headers().get("accept-encoding").and_then(|value| value.to_str().ok());
    takes_gzip(header)
}

/// The trace of an answer that goes out part by part, with as many charts as it names already.
struct Trace {
    state: Arc<State>,
    visit: Visit,
    operation: Arc<str>,
    grant: Arc<Grant>,
    charts: usize,
}

impl Trace {
    async fn record(&self, seen: &Seen, status: StatusCode) -> Result<(), Failure> {
        let caller = Some(self.grant.caller());
        let entry = self.visit.entry(&self.operation, caller, seen, status.as_u16());
        Ok(self.state.records.engine().record_access(&entry).await?)
    }
}

impl Trail for Trace {
    async fn follow(&mut self) -> Result<(), Failure> {
        let seen = self.grant.summary();
        if seen.charts.len() > self.charts {
            self.record(&seen, StatusCode::OK).await?;
            self.charts = seen.charts.len();
        }
        Ok(())
    }

    async fn interrupted(&mut self, failure: &Failure) {
        let request = self.visit.request.as_str();
        tracing::warn!(request, operation = &*self.operation, failure.detail, "broken off");
        // If even this cannot be recorded, the log above has to do.
        let _ = self.record(&self.grant.summary(), failure.fault.status()).await;
    }
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
            is_fhir: is_fhir(request),
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

    fn entry(
        &self,
        operation: &str,
        caller: Option<&Caller>,
        seen: &Seen,
        status: u16,
    ) -> AccessEntry {
        AccessEntry {
            subject: caller.map(|caller| caller.subject.clone()),
            client: caller.and_then(|caller| caller.client.clone()),
            issuer: caller.map(|caller| caller.issuer.clone()),
            address: self.address.clone(),
            purpose: self.purpose.clone(),
            request: self.request.clone(),
            operation: operation.to_owned(),
            outcome: match status {
                _ if seen.was_refused => Outcome::Refused,
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
    visit: &mut Visit,
    request: &HttpRequest,
    payload: web::Payload,
    rendering: &mut Rendering,
    handler: impl FnOnce(Call) -> F,
) -> (Result<Reply, Failure>, Option<Arc<Grant>>)
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let caller = match authenticate(state, request.headers()) {
        Ok(caller) => caller,
        Err(failure) => return (Err(failure), None),
    };
    let budget = Budget::of(state.options.work());
    let grant = Arc::new(Grant::new(Arc::clone(&caller), visit.actor(&caller), budget));
    let result = match prepare(state, visit, &grant, request, payload, rendering).await {
        Ok(call) => handler(call).await,
        Err(failure) => Err(failure),
    };
    (result, Some(grant))
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
    visit: &mut Visit,
    grant: &Arc<Grant>,
    request: &HttpRequest,
    payload: web::Payload,
    rendering: &mut Rendering,
) -> Result<Call, Failure> {
    let mut query = decoded(request.query_string())?;
    let mut body = Body::read(state, request, payload).await?;
    if is_search(request) {
        let form = std::mem::take(&mut body).bytes;
        let form = std::str::from_utf8(&form)
            .map_err(|_| Failure::of(Fault::Invalid, "the form in the body is not UTF-8"))?;
        visit.query = format!("{} {}", visit.query, bounded(form));
        query.extend(decoded(form)?);
    }
    if visit.is_fhir {
        *rendering = Rendering::of(request, &mut query)?;
        if !is_binary(request) {
            rendering.check()?;
        }
    }
    Ok(Call {
        state: Arc::clone(state),
        records: Arc::clone(&state.records),
        grant: Arc::clone(grant),
        asked: Asked::Request(request.clone()),
        query,
        rendering: rendering.clone(),
        body,
        place: Arc::default(),
    })
}

/// A short header value of visible characters; anything else counts as absent.
fn label(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let fits = (1..=LABEL_LENGTH_MAX).contains(&text.len());
    (fits && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))).then(|| text.to_owned())
}

fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(QUERY_BYTES_MAX)).unwrap_or(text)
}
