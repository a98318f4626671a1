//! token: from who a program is to a token for it (RFC 6749 §4.4, SMART App Launch 2.2 "Backend Services").

use std::sync::Arc;
use std::time::Instant as Stopwatch;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::body::Body;
use super::super::gate;
use super::super::passage::Passage;
use super::super::query::decoded;
use super::super::routes::no_route;
use super::super::state::State;
use super::super::visit::{Ending, Operation, Visit};
use super::super::{Failure, Fault, Reply};
use crate::clock::Instant;
use crate::issuing::{CLIENT_CREDENTIALS, Issuing, Refusal, TTL_SECONDS};

/// Largest form, in bytes: an assertion has at most 16 KiB.
const FORM_BYTES_MAX: usize = 65_536;
/// The one way in which a client shows who it is (RFC 7523 §2.2).
const BY_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a program sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form in the document of the API")]
struct TokenForm {
    /// client_credentials
    grant_type: String,
    /// What it wants: scopes of the level system/, with spaces between them.
    scope: String,
    /// urn:ietf:params:oauth:client-assertion-type:jwt-bearer
    client_assertion_type: String,
    /// A JWT that it signed: iss and sub its client_id, aud this address, exp at most five minutes ahead, and a jti of
    /// its own.
    client_assertion: String,
}

/// What it gets (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    /// Bearer
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    /// What is granted, which may be less than what was asked for.
    scope: &'a str,
}

/// Why it gets none (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
struct TokenError<'a> {
    /// invalid_request, invalid_client, invalid_scope, unsupported_grant_type, slow_down or temporarily_unavailable
    error: &'a str,
    error_description: &'a str,
}

/// A token for a program that is registered, for what it does on its own behalf. It shows who it is with a JWT that it signed.
#[utoipa::path(post, path = "/oauth/token", operation_id = "token", tag = "tokens", security(()),
    request_body(content = inline(TokenForm), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token of five minutes", body = inline(TokenAnswer), content_type = "application/json"),
        (status = 400, description = "There is none, and why", body = inline(TokenError), content_type = "application/json"),
        (status = 404, description = "Nobody is given tokens here"),
        (status = 429, description = "Too many requests", body = inline(TokenError), content_type = "application/json"),
        (status = 503, description = "There is none now; try again", body = inline(TokenError), content_type = "application/json")))]
pub async fn token(
    state: Arc<State>,
    operation: Operation,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let started = Stopwatch::now();
    let Some(issuing) = state.options.issuing.clone() else {
        return no_route(request, state).await;
    };
    let mut visit = Visit::of(&state, operation, &request);
    // What stands in the query may be a secret that belongs into the form.
    visit.has_spoken();
    let mut passage = Passage::new(state, visit);
    let result = exchange(&mut passage, &issuing, &request, payload).await;
    let ending = match &result {
        Ok(reply) => Ending::of_reply(reply),
        Err(refusal) => Ending::refused(status(refusal), told(refusal)),
    };
    let recorded = passage.close(ending).await.map_err(unrecorded);
    let reply = recorded.and(result).unwrap_or_else(|refusal| refused(&refusal));
    gate::tell(&passage.visit, &reply, started);
    gate::headed(&passage.visit, &reply).body(reply.body.bytes)
}

async fn exchange(
    passage: &mut Passage,
    issuing: &Issuing,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Reply, Refusal> {
    let state = Arc::clone(&passage.state);
    state.rates.address(passage.visit.client()).map_err(unrecorded)?;
    let body = Body::read(&state, request, payload).await.map_err(unread)?;
    let form = Form::read(request, &body.bytes)?;
    match form.get("grant_type")? {
        Some(CLIENT_CREDENTIALS) => {}
        Some(_) => {
            let what = "grant_type must be client_credentials";
            return Err(Refusal::of("unsupported_grant_type", what));
        }
        None => return Err(invalid("grant_type is missing: client_credentials")),
    }
    if form.get("client_assertion_type")? != Some(BY_ASSERTION) {
        return Err(invalid(&format!("client_assertion_type must be {BY_ASSERTION}")));
    }
    let Some(assertion) = form.get("client_assertion")? else {
        return Err(invalid("client_assertion is missing: a JWT that the client signed"));
    };
    let scope = form.get("scope")?;
    let id = form.get("client_id")?;
    let now = Instant::now().seconds();
    let client = issuing.clients().authenticate(assertion, now)?;
    passage.caller = Some(Arc::new(issuing.caller(client)));
    if id.is_some_and(|id| id != client.id) {
        return Err(Refusal::of("invalid_client", "client_id is another than in client_assertion"));
    }
    let Some(scope) = scope else {
        return Err(Refusal::of("invalid_scope", "scope is missing, such as system/Patient.rs"));
    };
    let granted = issuing.grant(client, scope, now)?;
    let answer = TokenAnswer {
        access_token: &granted.access_token,
        token_type: "Bearer",
        expires_in: TTL_SECONDS,
        scope: &granted.scope,
    };
    Ok(Reply::json(StatusCode::OK, &answer).header("pragma", "no-cache"))
}

/// The parameters of a request for a token.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(request: &HttpRequest, body: &[u8]) -> Result<Self, Refusal> {
        if !request.query_string().is_empty() {
            return Err(invalid("parameters belong into the form, not into the address"));
        }
        if request.headers().contains_key("authorization") {
            return Err(invalid("a client shows who it is by client_assertion alone"));
        }
        if body.len() > FORM_BYTES_MAX {
            return Err(invalid("the form is larger than 64 KiB"));
        }
        let text = std::str::from_utf8(body).map_err(|_| invalid("the form is not UTF-8"))?;
        // What exactly cannot be read may be a secret.
        decoded(text).map(Self).map_err(|_| invalid("the form is not percent-encoded UTF-8"))
    }

    /// The value of a parameter; an empty one is none (RFC 6749 §3.2).
    fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            Some(_) => Err(invalid(&format!("{name} may be given once"))),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }
}

fn invalid(what: &str) -> Refusal {
    Refusal::of("invalid_request", what)
}

/// A body that cannot be had.
fn unread(failure: Failure) -> Refusal {
    match failure.fault {
        Fault::Busy => Refusal::of(UNAVAILABLE, failure.detail),
        _ => invalid(&failure.detail),
    }
}

/// What this server cannot do now.
fn unrecorded(failure: Failure) -> Refusal {
    Refusal::of(
        if failure.fault == Fault::TooMany { TOO_MANY } else { UNAVAILABLE },
        failure.detail,
    )
}

const UNAVAILABLE: &str = "temporarily_unavailable";
/// OAuth has no word for that at this endpoint; this is the one of the device flow (RFC 8628 §3.5).
const TOO_MANY: &str = "slow_down";

fn status(refusal: &Refusal) -> StatusCode {
    match refusal.error {
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        TOO_MANY => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn told(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.error, refusal.description)
}

fn refused(refusal: &Refusal) -> Reply {
    let Refusal { error, description } = refusal;
    let reply = Reply::json(status(refusal), &TokenError { error, error_description: description });
    let reply = reply.header("pragma", "no-cache");
    match status(refusal) {
        StatusCode::BAD_REQUEST => reply,
        _ => reply.header("retry-after", "1"),
    }
}
