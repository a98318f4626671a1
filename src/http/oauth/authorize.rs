//! authorize: a user of the configuration is chosen, for development, and allows an app what it asks for (RFC 6749 §4.1.1,
//! SMART App Launch 2.2 "Standalone launch").
//!
//! Nobody has to show anything to be such a user, so only what the person at this machine does may count: the request must
//! name this server as its host (no other name that was bent to this machine), and what is chosen must come from the page
//! itself (`Origin`), not from that of another site. The page shows nothing of the store.

use std::sync::Arc;
use std::time::Instant as Stopwatch;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::ToSchema;

use super::super::body::Body;
use super::super::gate;
use super::super::passage::Passage;
use super::super::query::encoded;
use super::super::routes::no_route;
use super::super::state::State;
use super::super::visit::{Ending, Operation, Visit};
use super::super::{Failure, Fault, OpenCall, Reply};
use super::form::{Form, status, told, unread, unrecorded};
use super::page;
use crate::clock::Instant;
use crate::issuing::{Asked, Issuing, Refusal, SignIn, Wish};

/// Parameters of a request; others are passed over (RFC 6749 §3.1).
const PARAMETERS: [&str; 9] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "nonce",
];

/// What the page sends.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form in the document of the API")]
struct Choice {
    /// The `sub` of a user; without, the app is refused what it asks for.
    user: Option<String>,
    /// Id of the patient.
    patient: Option<String>,
    /// These and all further parameters: as the app sent them.
    client_id: String,
}

/// The page where a user of the configuration is chosen. For development: without a password, on this machine alone.
#[utoipa::path(get, path = "/oauth/authorize", operation_id = "authorize", tag = "tokens", security(()),
    params(
        ("client_id" = String, Query, description = "The app (auth.apps)"),
        ("redirect_uri" = String, Query, description = "Where the browser goes with the answer: one that is registered"),
        ("response_type" = String, Query, description = "code"),
        ("scope" = String, Query, description = "What the app wants, with spaces between"),
        ("aud" = String, Query, description = "Address of the FHIR API"),
        ("code_challenge" = String, Query, description = "SHA-256 of the verifier, in base64url (RFC 7636)"),
        ("code_challenge_method" = String, Query, description = "S256"),
        ("state" = Option<String>, Query, description = "Given back"),
        ("nonce" = Option<String>, Query, description = "Stands in the ID token")),
    responses(
        (status = 200, description = "The page", content_type = "text/html"),
        (status = 303, description = "Back to the app, with what is wrong"),
        (status = 400, description = "Not a valid request of an app that is registered; a page says why", content_type = "text/html"),
        (status = 404, description = "Nobody signs in here")))]
pub async fn authorize(call: OpenCall) -> Result<Reply, Failure> {
    let Some(sign_in) = call.issuing().and_then(Issuing::sign_in) else {
        let detail =
            "nobody signs in here: no user is registered in the configuration of this server";
        return Err(Failure::of(Fault::NoRoute, detail));
    };
    if !is_addressed(&call.request, call.base_url()) {
        return Ok(page::refusal(StatusCode::BAD_REQUEST, ELSEWHERE));
    }
    let form = Form(call.query.clone());
    Ok(match Wished::read(sign_in, &form) {
        Err(what) => page::refusal(StatusCode::BAD_REQUEST, &what),
        Ok(Wished { wish, sent }) => match wish.check(call.base_url()) {
            Ok(()) => page::question(&wish, sign_in.users(), &sent),
            Err(refusal) => refused(&wish, &refusal),
        },
    })
}

/// What was chosen on that page.
#[utoipa::path(post, path = "/oauth/authorize", operation_id = "chooseUser", tag = "tokens", security(()),
    request_body(content = inline(Choice), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Back to the app, with a code or with what is wrong"),
        (status = 400, description = "Not a valid request of an app that is registered; a page says why", content_type = "text/html"),
        (status = 403, description = "It does not come from the page of this server", content_type = "text/html"),
        (status = 404, description = "Nobody signs in here"),
        (status = 429, description = "Too many requests", content_type = "text/html"),
        (status = 503, description = "It cannot be recorded now", content_type = "text/html")))]
pub async fn choose(
    state: Arc<State>,
    operation: Operation,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let started = Stopwatch::now();
    let Some(issuing) = state.options.issuing.clone().filter(|own| own.sign_in().is_some()) else {
        return no_route(request, state).await;
    };
    let visit = Visit::of(&state, operation, &request);
    let mut passage = Passage::new(state, visit);
    let (reply, refusal) = chosen(&mut passage, &issuing, &request, payload).await;
    let ending = match refusal {
        Some(refusal) => Ending::refused(reply.status, told(&refusal)),
        None => Ending::of_reply(&reply),
    };
    let unwritten = |failure: Failure| page::refusal(failure.fault.status(), &failure.detail);
    let reply = passage.close(ending).await.map_or_else(unwritten, |()| reply);
    gate::tell(&passage.visit, &reply, started);
    gate::headed(&passage.visit, &reply).body(reply.body.bytes)
}

/// The answer, and what is to be recorded of a refusal.
async fn chosen(
    passage: &mut Passage,
    issuing: &Issuing,
    request: &HttpRequest,
    payload: web::Payload,
) -> (Reply, Option<Refusal>) {
    let shown =
        |status, refusal: Refusal| (page::refusal(status, &refusal.description), Some(refusal));
    let state = Arc::clone(&passage.state);
    let foreign = |what: &str| shown(StatusCode::FORBIDDEN, Refusal::of("access_denied", what));
    if !is_addressed(request, &state.options.public_url) {
        return foreign(ELSEWHERE);
    }
    if !is_own_page(request, &state.options.public_url) {
        return foreign(
            "it does not come from the page of this server: its Origin is another, or missing",
        );
    }
    let form = match read(&state, passage, request, payload).await {
        Ok(form) => form,
        Err(refusal) => return shown(status(&refusal), refusal),
    };
    let nobody = "no user is registered in the configuration of this server";
    let wished = issuing.sign_in().ok_or_else(|| nobody.to_owned());
    let wished = wished.and_then(|sign_in| Ok((sign_in, Wished::read(sign_in, &form)?)));
    let (sign_in, Wished { wish, .. }) = match wished {
        Ok(wished) => wished,
        Err(what) => return shown(StatusCode::BAD_REQUEST, Refusal::of("invalid_request", what)),
    };
    let decided = wish.check(&state.fhir_base).and_then(|()| {
        let user = form.get("user")?;
        let user = sign_in.users().iter().find(|known| Some(known.sub.as_str()) == user);
        let denied = || Refusal::of("access_denied", "the person refused");
        let user = user.ok_or_else(denied)?;
        passage.caller = Some(Arc::new(issuing.user(user, wish.app)));
        sign_in.allow(&wish, user, form.get("patient")?, Instant::now().seconds())
    });
    match decided {
        Ok(code) => (back(&wish, &[("code", &code)]), None),
        Err(refusal) => (refused(&wish, &refusal), Some(refusal)),
    }
}

async fn read(
    state: &State,
    passage: &Passage,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Form, Refusal> {
    state.rates.address(passage.visit.client()).map_err(unrecorded)?;
    let body = Body::read(state, request, payload).await.map_err(unread)?;
    Form::read(request, &body.bytes)
}

/// What an app wishes, and the parameters in which it says so.
struct Wished<'a> {
    wish: Wish<'a>,
    sent: Vec<(&'static str, &'a str)>,
}

impl<'a> Wished<'a> {
    /// Fails where the browser must be sent nowhere.
    fn read(sign_in: &'a SignIn, form: &'a Form) -> Result<Self, String> {
        let mut sent = Vec::new();
        for name in PARAMETERS {
            let value = form.get(name).map_err(|refusal| refusal.description)?;
            sent.extend(value.map(|value| (name, value)));
        }
        let get = |name| sent.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let wish = sign_in.wish(Asked {
            client_id: get("client_id"),
            redirect_uri: get("redirect_uri"),
            response_type: get("response_type"),
            scope: get("scope"),
            state: get("state"),
            aud: get("aud"),
            code_challenge: get("code_challenge"),
            code_challenge_method: get("code_challenge_method"),
            nonce: get("nonce"),
        })?;
        Ok(Self { wish, sent })
    }
}

const ELSEWHERE: &str =
    "it names another host than the address of this server, under which alone anybody signs in";

/// Whether a request names this server as its host. A page of another site may have had its own name led to this
/// machine, and could read and send everything under it.
fn is_addressed(request: &HttpRequest, base_url: &str) -> bool {
    let header = request.headers().get("host").and_then(|host| host.to_str().ok());
    // HTTP/2 has it in the target.
    let named = request.uri().authority().map(|authority| authority.as_str()).or(header);
    let own = base_url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    own.is_some() && named == own
}

/// Whether a form comes from a page of this server, as browsers say it of each.
fn is_own_page(request: &HttpRequest, base_url: &str) -> bool {
    let origin = request.headers().get("origin").and_then(|origin| origin.to_str().ok());
    let sites: Vec<&str> = base_url.splitn(4, '/').take(3).collect();
    origin == Some(sites.join("/").as_str())
}

/// Back to the app, with what is wrong (RFC 6749 §4.1.2.1).
fn refused(wish: &Wish<'_>, refusal: &Refusal) -> Reply {
    back(wish, &[("error", refusal.error), ("error_description", &refusal.description)])
}

/// Back to the app. A browser asks there with GET, whatever it asked here with.
fn back(wish: &Wish<'_>, parameters: &[(&str, &str)]) -> Reply {
    let state = wish.state.map(|state| ("state", state));
    let parameters = parameters.iter().copied().chain(state);
    let parameters = parameters.map(|(name, value)| format!("{name}={}", encoded(value)));
    let parameters = parameters.collect::<Vec<_>>().join("&");
    let mark = if wish.redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{}{mark}{parameters}", wish.redirect_uri);
    Reply::empty(StatusCode::SEE_OTHER)
        .header("location", location)
        .header("cache-control", "no-store")
}
