//! The one door: token before, access entry after.
//!
//! Each mounted handler runs inside [`pass`]. It authenticates, reads the bounded body, makes the
//! [`Grant`], runs the handler, and lets the answer out only when the access entry is durable. A
//! request that committed events, and saw nothing else, needs no entry: the events carry who, why
//! and which request. Of an answer that goes out part by part, each part waits until all that it
//! shows stands in an entry.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant as Stopwatch;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;
use tracing::Instrument;
use tracing::field::Empty;

use super::accept::takes_gzip;
use super::body::{Body, is_binary, is_search};
use super::call::Asked;
use super::encoding::{compressed, negotiated};
use super::lists::listed;
use super::passage::Passage;
use super::query::{decoded, drop_empty};
use super::rendering::Rendering;
use super::reply::Reply;
use super::sending::{Interrupted, in_pieces, sent};
use super::state::State;
use super::visit::{Operation, Visit};
use super::{Call, Failure, Fault, browsers, glass};
use crate::auth::{Caller, Grant, Thumbprint, TokenError, is_signed};
use crate::clock::Instant;
use crate::issuers::Introspection;
use crate::records::INLINE_BYTES_MAX;
use crate::telemetry::{self, TRACE};

/// Runs one request through the gate.
pub async fn pass<F>(
    state: Arc<State>,
    operation: Operation,
    request: HttpRequest,
    payload: web::Payload,
    handler: impl FnOnce(Call) -> F,
) -> HttpResponse
where
    F: Future<Output = Result<Reply, Failure>>,
{
    if let Some(page) = browsers::page(&request).filter(|_| state.options.console.enabled) {
        return HttpResponse::SeeOther().insert_header((header::LOCATION, page)).finish();
    }
    let started = Stopwatch::now();
    let visit = Visit::of(&state, operation, &request);
    // Of what is asked for, no more than which operation it is.
    let span = tracing::info_span!(
        target: TRACE,
        "request",
        otel.name = &**visit.operation(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.response.status_code = Empty,
    );
    telemetry::follow(&span, visit.trace());
    let mut passage = Passage::new(state, visit);
    let mut rendering = Rendering::default();
    let admitted = admit(&mut passage, &request, payload, &mut rendering, handler);
    let result = admitted.instrument(span.clone()).await;
    let mut reply = passage.end(result).instrument(span.clone()).await;
    span.record("http.response.status_code", i64::from(reply.status.as_u16()));
    if reply.status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    tell(&passage.visit, &reply, started);
    let (reply, rest) = match reply.rest.take() {
        Some(rest) => {
            let writing = rendering.writing(&mut reply);
            let takes_gzip = reply.feed.is_none() && is_gzip_taken(&request);
            let writing = negotiated(&mut reply, writing, takes_gzip);
            (reply, Some((rest, writing)))
        }
        None => (written(reply, rendering, &request).await, None),
    };
    let mut response = headed(&passage.visit, &reply);
    match rest {
        // Of an answer in parts nobody knows the length: there is nothing to be said of its body.
        Some(_) if *request.method() == Method::HEAD => {
            response.streaming(stream::empty::<Result<web::Bytes, Interrupted>>())
        }
        Some((rest, writing)) => {
            let passage = passage.go_on(reply.feed);
            response.streaming(in_pieces(sent(reply.body, rest, writing, passage)))
        }
        None => response.body(reply.body.bytes),
    }
}

/// Answers what no handler is mounted for. Who asked, and for what, is recorded like any look.
pub async fn beside(
    state: Arc<State>,
    operation: &str,
    request: HttpRequest,
    result: Result<Reply, Failure>,
) -> HttpResponse {
    let started = Stopwatch::now();
    let visit = Visit::of(&state, Operation::beside(operation, &request), &request);
    let mut passage = Passage::new(state, visit);
    let result = match authenticate(&passage, request.headers()).await {
        Err(failure) if failure.fault == Fault::TooMany => Err(failure),
        known => {
            passage.caller = known.ok();
            result
        }
    };
    let reply = passage.end(result).await;
    tell(&passage.visit, &reply, started);
    headed(&passage.visit, &reply).body(reply.body.bytes)
}

/// Counts an answer, and logs it.
pub(super) fn tell(visit: &Visit, reply: &Reply, started: Stopwatch) {
    let (operation, status) = (visit.operation(), reply.status);
    super::metrics::count(operation, status, started.elapsed());
    let (operation, client_request) = (&**operation, visit.client_request());
    let (request, status) = (visit.request.to_string(), status.as_u16());
    if reply.status.is_server_error() {
        tracing::warn!(request, client_request, operation, status, "failed");
    } else {
        tracing::debug!(request, client_request, operation, status, "answered");
    }
}

/// The head of a response.
pub(super) fn headed(visit: &Visit, reply: &Reply) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(reply.status);
    for (name, value) in reply.headers.iter().cloned() {
        response.insert_header((name, value));
    }
    for header in visit.headers() {
        response.insert_header(header);
    }
    response
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

/// Whether an answer may be compressed.
pub(super) fn is_gzip_taken(request: &HttpRequest) -> bool {
    takes_gzip(listed(request.headers(), "accept-encoding").as_deref())
}

async fn admit<F>(
    passage: &mut Passage,
    request: &HttpRequest,
    payload: web::Payload,
    rendering: &mut Rendering,
    handler: impl FnOnce(Call) -> F,
) -> Result<Reply, Failure>
where
    F: Future<Output = Result<Reply, Failure>>,
{
    let caller = authenticate(passage, request.headers()).await?;
    let mut grant = passage.admit(Arc::clone(&caller));
    if glass::break_for(&passage.state, &grant, request).await? {
        grant = passage.admit(caller);
    }
    let state = Arc::clone(&passage.state);
    let call = prepare(&state, &mut passage.visit, &grant, request, payload, rendering).await?;
    handler(call).await
}

/// Who sends these headers, if not too often.
pub(super) async fn authenticate(
    passage: &Passage,
    headers: &HeaderMap,
) -> Result<Arc<Caller>, Failure> {
    let state = &passage.state;
    // Before a signature is computed.
    state.rates.address(passage.visit.client())?;
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    // Of two, something in front of the server may have looked at the other.
    let is_only = headers.get_all("authorization").count() == 1;
    let Some(token) = token.filter(|_| is_only) else {
        return Err(Failure::of(Fault::NoToken, "send one token: Authorization: Bearer …"));
    };
    verified(passage, token).await
}

/// Whose token this is, if it is not used too often.
pub(super) async fn verified(passage: &Passage, token: &str) -> Result<Arc<Caller>, Failure> {
    let state = &passage.state;
    let (now, shown) = (Instant::now().seconds(), passage.visit.certificate());
    let caller = match &state.options.introspection {
        Some(introspection) if !is_signed(token) => match introspection.known(token, now, shown) {
            Ok(None) => asked(state, Arc::clone(introspection), token.to_owned(), shown).await?,
            Ok(Some(caller)) => Ok(caller),
            Err(error) => Err(error),
        },
        _ => state.verifier.verify(token, now, shown),
    };
    let caller = caller.map_err(|error| Failure::of(Fault::BadToken, error.to_string()))?;
    state.rates.token(token)?;
    Ok(caller)
}

/// What its issuer says of a token, asked on a thread that may wait.
async fn asked(
    state: &State,
    introspection: Arc<Introspection>,
    token: String,
    shown: Option<Thumbprint>,
) -> Result<Result<Arc<Caller>, TokenError>, Failure> {
    // Whoever sends tokens that nobody knows must not take the threads of all others.
    let busy = |_| Failure::of(Fault::Busy, "too many tokens are being asked about: try again");
    let _place = state.questions.try_acquire().map_err(busy)?;
    let ask = move || introspection.ask(&token, Instant::now().seconds(), shown);
    web::block(ask).await.map_err(|_| Failure::internal())
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
        visit.add_form(form);
        query.extend(decoded(form)?);
    }
    if visit.is_fhir {
        if is_search(request) || request.method().is_safe() {
            drop_empty(&mut query);
        }
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
