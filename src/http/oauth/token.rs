//! token: from who a program is to a token for it (RFC 6749 §4.4, SMART App Launch 2.2 "Backend Services"), and from the
//! code of an app to a token for its user (RFC 6749 §4.1.3).

use std::sync::Arc;
use std::time::Instant as Stopwatch;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Reply;
use super::super::body::Body;
use super::super::gate;
use super::super::passage::Passage;
use super::super::routes::no_route;
use super::super::state::State;
use super::super::visit::{Ending, Operation, Visit};
use super::form::{Form, invalid, status, told, unread, unrecorded};
use crate::clock::Instant;
use crate::issuing::{
    AUTHORIZATION_CODE, CLIENT_CREDENTIALS, Granted, Issuing, Refusal, TTL_SECONDS,
    USER_TTL_SECONDS,
};

/// The one way in which a client shows who it is (RFC 7523 §2.2).
const BY_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a program sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form in the document of the API")]
struct TokenForm {
    /// client_credentials, of programs; authorization_code, of apps.
    grant_type: String,
    /// What a program wants: scopes of the level system/, with spaces between them.
    scope: Option<String>,
    /// urn:ietf:params:oauth:client-assertion-type:jwt-bearer
    client_assertion_type: Option<String>,
    /// A JWT that the program signed: iss and sub its client_id, aud this address, exp at most five minutes ahead, and a
    /// jti of its own.
    client_assertion: Option<String>,
    /// The code that an app got, within a minute.
    code: Option<String>,
    /// The app.
    client_id: Option<String>,
    /// Where the code was sent.
    redirect_uri: Option<String>,
    /// What the challenge is made of (RFC 7636).
    code_verifier: Option<String>,
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
    /// The patient whom the user chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<&'a str>,
    /// Who has signed in (OpenID Connect).
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
}

/// Why it gets none (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
struct TokenError<'a> {
    /// invalid_request, invalid_client, invalid_grant, invalid_scope, unsupported_grant_type, slow_down or temporarily_unavailable
    error: &'a str,
    error_description: &'a str,
}

/// A token for a program that is registered, for what it does on its own behalf: it shows who it is with a JWT that it
/// signed. Or, for development, for an app and what a user allowed it, in exchange for a code.
#[utoipa::path(post, path = "/oauth/token", operation_id = "token", tag = "tokens", security(()),
    request_body(content = inline(TokenForm), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token of five minutes; of an hour for an app", body = inline(TokenAnswer), content_type = "application/json"),
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
        Some(CLIENT_CREDENTIALS) => program(passage, issuing, &form),
        Some(AUTHORIZATION_CODE) => user(passage, issuing, &form),
        Some(_) => {
            let what = "grant_type must be client_credentials or authorization_code";
            Err(Refusal::of("unsupported_grant_type", what))
        }
        None => Err(invalid("grant_type is missing: client_credentials or authorization_code")),
    }
}

/// A token for a program that shows who it is.
fn program(passage: &mut Passage, issuing: &Issuing, form: &Form) -> Result<Reply, Refusal> {
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
    Ok(answer(&granted, TTL_SECONDS, None))
}

/// Tokens for an app that a user allowed something.
fn user(passage: &mut Passage, issuing: &Issuing, form: &Form) -> Result<Reply, Refusal> {
    let nobody = || {
        let what = "grant_type must be client_credentials: no user is registered here";
        Refusal::of("unsupported_grant_type", what)
    };
    let sign_in = issuing.sign_in().ok_or_else(nobody)?;
    let needed = |name: &str| {
        let missing = || invalid(&format!("{name} is missing"));
        form.get(name)?.ok_or_else(missing)
    };
    let (code, client) = (needed("code")?, needed("client_id")?);
    let (redirect_uri, verifier) = (needed("redirect_uri")?, needed("code_verifier")?);
    let now = Instant::now().seconds();
    let allowed = sign_in.exchange(code, client, redirect_uri, verifier, now)?;
    passage.caller = Some(Arc::new(issuing.user(&allowed.user, &allowed.app)));
    let granted = issuing.hand_out(&allowed, &passage.state.fhir_base, now)?;
    Ok(answer(&granted, USER_TTL_SECONDS, allowed.patient.as_deref()))
}

fn answer(granted: &Granted, expires_in: i64, patient: Option<&str>) -> Reply {
    let answer = TokenAnswer {
        access_token: &granted.access_token,
        token_type: "Bearer",
        expires_in,
        scope: &granted.scope,
        patient,
        id_token: granted.id_token.as_deref(),
    };
    Reply::json(StatusCode::OK, &answer).header("pragma", "no-cache")
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
