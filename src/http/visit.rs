//! What a request says about itself, and the access entry that it leaves.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, http::StatusCode};

use super::call::is_fhir;
use super::sending::End;
use super::state::State;
use super::{Failure, Fault, Reply};
use crate::access::{AccessEntry, Look, Outcome, RequestId, Runs, Source, Words};
use crate::audit;
use crate::auth::{Caller, Seen, Shown, Thumbprint};
use crate::chart::Actor;

/// Longest text of a request that an access entry repeats whole, in bytes.
const WORDS_BYTES_MAX: usize = 8_192;
/// Longest `X-Purpose-Of-Use` and `X-Request-Id`, in characters.
const LABEL_LENGTH_MAX: usize = 128;
/// Longest method that is kept, in characters: HTTP has no limit.
const METHOD_LENGTH_MAX: usize = 32;
/// Longest `User-Agent` that is kept, in characters.
const AGENT_LENGTH_MAX: usize = 256;

/// An operation of the OpenAPI document, as it was asked for.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its id.
    pub id: Arc<str>,
    /// Method and pattern of the path.
    pub route: Arc<str>,
}

impl Operation {
    /// What is no operation of the document: a request that is answered without a handler.
    pub fn beside(id: &str, request: &HttpRequest) -> Self {
        let method: String = request.method().as_str().chars().take(METHOD_LENGTH_MAX).collect();
        Self { id: id.into(), route: format!("{method} {{path}}").into() }
    }
}

/// What a request says about itself, whoever sent it.
#[derive(Debug)]
pub struct Visit {
    /// The id that this server gave it.
    pub request: RequestId,
    /// Whether it is of the FHIR API.
    pub is_fhir: bool,
    operation: Operation,
    begun_at: i64,
    client_request: Option<String>,
    trace: Option<String>,
    client: Option<IpAddr>,
    address: Option<String>,
    proxy: Option<String>,
    certificate: Option<Thumbprint>,
    user_agent: Option<String>,
    purpose: Option<String>,
    /// Path and query as sent, and the form in the body of a search.
    words: String,
    has_query: bool,
}

/// How a request, or an entry of a Bundle, ended.
#[derive(Debug, Clone)]
pub struct Ending {
    status: u16,
    outcome: Outcome,
    reason: Option<Arc<str>>,
    /// Whether it failed because what it names was erased.
    is_erased: bool,
    bytes: u64,
}

impl Ending {
    /// Of an answer that is ready to leave, or of a failure.
    pub fn of(result: &Result<Reply, Failure>) -> Self {
        match result {
            Ok(reply) => Self::of_reply(reply),
            Err(failure) => Self::failed(failure),
        }
    }

    /// Of an answer that is ready to leave.
    pub fn of_reply(reply: &Reply) -> Self {
        let outcome = match reply.status.as_u16() {
            400.. => Outcome::Failed,
            _ => Outcome::Granted,
        };
        let (status, bytes) = (reply.status.as_u16(), reply.body.bytes.len() as u64);
        Self { status, outcome, reason: None, is_erased: false, bytes }
    }

    /// Of a failure.
    pub fn failed(failure: &Failure) -> Self {
        let (outcome, reason) = match failure.fault {
            Fault::NoToken | Fault::BadToken | Fault::Forbidden | Fault::TooMany => {
                (Outcome::Refused, format!("{}: {}", failure.fault.slug(), failure.detail))
            }
            // The detail may name what was asked for.
            fault => (Outcome::Failed, fault.slug().to_owned()),
        };
        let status = failure.fault.status().as_u16();
        let is_erased = failure.fault == Fault::Erased;
        Self { status, outcome, reason: Some(reason.into()), is_erased, bytes: 0 }
    }

    /// Of a refusal with that status.
    pub fn refused(status: StatusCode, reason: String) -> Self {
        let (status, outcome, reason) = (status.as_u16(), Outcome::Refused, Some(reason.into()));
        Self { status, outcome, reason, is_erased: false, bytes: 0 }
    }

    /// Of an answer of that status.
    pub fn granted(status: StatusCode, bytes: u64) -> Self {
        let (status, outcome) = (status.as_u16(), Outcome::Granted);
        Self { status, outcome, reason: None, is_erased: false, bytes }
    }

    /// Of a request that nobody waits for any more.
    pub fn unanswered() -> Self {
        let reason = Some("the client went away, or the server stopped, before the end".into());
        Self { status: 0, outcome: Outcome::Failed, reason, is_erased: false, bytes: 0 }
    }

    /// Of a feed, behind so many events that have left; without a reason nobody reads it any more.
    pub fn closed(end: Option<End>, events: usize) -> Self {
        let reason = end.map_or("the client went away, or the server stopped", End::reason);
        let reason = Some(format!("ended after {events} events: {reason}").into());
        Self { reason, ..Self::granted(StatusCode::OK, 0) }
    }

    /// Whether it failed or was refused.
    pub fn is_failure(&self) -> bool {
        self.reason.is_some()
    }

    /// The same, when a part of it was refused.
    fn in_part(self, was_refused: bool) -> Self {
        match was_refused {
            true => Self { outcome: Outcome::Refused, ..self },
            false => self,
        }
    }
}

impl Visit {
    /// What a request for an operation says.
    pub fn of(state: &State, operation: Operation, request: &HttpRequest) -> Self {
        let headers = request.headers();
        let (client, proxy) =
            state.client(request).map_or((None, None), |(client, proxy)| (Some(client), proxy));
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        Self {
            request: state.records.engine().next_request(),
            is_fhir: is_fhir(request),
            operation,
            begun_at: state.records.engine().now().micros(),
            client_request: label(headers, "x-request-id", LABEL_LENGTH_MAX),
            trace: label(headers, "traceparent", LABEL_LENGTH_MAX),
            client,
            address: client.map(|client| client.to_string()),
            proxy: proxy.map(|proxy| proxy.to_string()),
            certificate: request.conn_data().copied(),
            user_agent: label(headers, "user-agent", AGENT_LENGTH_MAX),
            purpose: label(headers, "x-purpose-of-use", LABEL_LENGTH_MAX),
            words: target.to_owned(),
            has_query: !request.query_string().is_empty(),
        }
    }

    /// Id of its operation.
    pub fn operation(&self) -> &Arc<str> {
        &self.operation.id
    }

    /// What it says about the trace that it is part of: `traceparent`.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// Network address of the client.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The same as a number.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The certificate that its connection has shown, if any.
    pub fn certificate(&self) -> Option<Thumbprint> {
        self.certificate
    }

    /// Headers of each answer to it.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let client = self.client_request.clone().map(|id| ("x-correlation-id", id));
        // What a token opens is kept by nobody on the way, and by no browser either.
        [("x-request-id", self.request.to_string()), ("cache-control", "no-store".to_owned())]
            .into_iter()
            .chain(client)
    }

    /// Adds the form in the body of a search to its words.
    pub fn add_form(&mut self, form: &str) {
        self.has_query = true;
        self.words.push(if self.words.contains('?') { '&' } else { '?' });
        self.words.push_str(form);
    }

    /// What it asked for stands in an entry: further ones need not repeat it.
    pub fn has_spoken(&mut self) {
        self.words = String::new();
        self.has_query = false;
    }

    /// Its id from the client, which is given back.
    pub fn client_request(&self) -> Option<&str> {
        self.client_request.as_deref()
    }

    /// Who asks, as events say it.
    pub fn actor(&self, caller: &Caller) -> Actor {
        let Source { address, user_agent, purpose, .. } = self.source(Some(caller));
        Actor {
            purpose,
            address,
            user_agent,
            client_request: self.client_request.clone(),
            trace: self.trace.clone(),
            ..caller.identity.actor(self.request.to_string())
        }
    }

    /// The access entry of the request.
    pub fn entry(
        &self,
        state: &State,
        caller: Option<&Caller>,
        mut seen: Seen,
        breaks_glass: bool,
        ending: Ending,
    ) -> AccessEntry {
        let bytes = ending.bytes;
        let ending = ending.in_part(seen.was_refused);
        let parts = std::mem::take(&mut seen.parts);
        let mut source = self.source(caller);
        if breaks_glass {
            source.break_glass();
        }
        let Operation { id, route } = &self.operation;
        let (words, has_query) = (self.words.as_str(), self.has_query);
        let asked = Asked { operation: id, route, words, has_query };
        AccessEntry {
            source: Arc::new(source),
            request: self.request,
            begun_at: self.begun_at,
            client_request: self.client_request.clone(),
            trace: self.trace.clone(),
            look: look(state, &asked, seen, ending),
            parts,
            bytes,
        }
    }

    fn source(&self, caller: Option<&Caller>) -> Source {
        let identity = caller.map(|caller| Arc::clone(&caller.identity));
        let of_token = caller.and_then(|caller| caller.purpose.clone());
        Source {
            identity,
            address: self.address.clone(),
            proxy: self.proxy.clone(),
            user_agent: self.user_agent.clone(),
            purpose: of_token.or_else(|| self.purpose.clone()),
        }
    }
}

/// What was asked, in the words of the request.
pub struct Asked<'a> {
    /// Id of the operation.
    pub operation: &'a str,
    /// Method and pattern of the path.
    pub route: &'a str,
    /// Path and query.
    pub words: &'a str,
    /// Whether there is a query.
    pub has_query: bool,
}

/// What an access entry says about a request, or an entry of a Bundle.
pub fn look(state: &State, asked: &Asked<'_>, seen: Seen, ending: Ending) -> Look {
    let (resource, written) = (seen.resource, Runs::from(&seen.written));
    let Shown { mut charts, versions: shown } = seen.together();
    let about = resource.filter(|_| shown.count() != 1);
    let named = audit::charts_named(&state.records, asked.words);
    if !named.is_empty() {
        charts.extend(named);
        charts.sort_unstable();
        charts.dedup();
    }
    let is_named = about.is_some() || shown.count() == 1;
    let needs_words = asked.has_query
        || match asked.route.split_once(' ').map_or("", |(_, path)| path) {
            "/fhir/{type}/{id}" => !is_named,
            "/fhir/{type}/{id}/_history/{version}" => shown.count() != 1,
            path if path.starts_with("/v1/patients/{id}") => {
                charts.len() != 1 || path.matches('{').count() > 1
            }
            path => path.is_empty() || path.contains('{'),
        };
    // The name of what was erased must not come back by a request for it.
    let words = (needs_words && !ending.is_erased).then(|| bounded(asked.words));
    let words = words.and_then(|words| match charts.is_empty() {
        true => Some(Words::Plain(words)),
        false => audit::seal_words(&state.records, &charts, &words).map(Words::Sealed),
    });
    Look {
        operation: asked.operation.into(),
        route: asked.route.into(),
        words,
        outcome: ending.outcome,
        status: ending.status,
        reason: ending.reason,
        charts,
        about,
        shown,
        written,
    }
}

/// A short header value of visible characters; anything else counts as absent.
fn label(headers: &HeaderMap, name: &str, length_max: usize) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let fits = (1..=length_max).contains(&text.len());
    (fits && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))).then(|| text.to_owned())
}

/// Words of a request, or their beginning with a mark that says what is missing.
fn bounded(words: &str) -> String {
    if words.len() <= WORDS_BYTES_MAX {
        return words.to_owned();
    }
    let start = words.get(..words.floor_char_boundary(WORDS_BYTES_MAX)).unwrap_or_default();
    let digest = crate::chart::fingerprint(&[words.as_bytes()]);
    format!("{start} [cut: {} bytes in all, SHA-256 {digest}]", words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        let words = format!("/fhir/Patient?name={}&family=x", "é".repeat(8_000));
        let kept = bounded(&words);
        assert!(kept.len() < 8_400, "{}", kept.len());
        assert!(kept.contains(&format!("[cut: {} bytes in all, SHA-256 ", words.len())), "{kept}");
        assert_eq!(bounded("/fhir/Patient"), "/fhir/Patient");
    }
}
