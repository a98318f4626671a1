//! An answer, before the gate lets it out.

use std::sync::Arc;

use actix_web::http::StatusCode;

use super::failure::{Failure, Fault, PROBLEM_JSON};
use super::sending::{Ended, Rest};
use super::writing::Part;
use crate::clock::Instant;
use crate::numbers::{Position, ResourceVersion};

/// Content type of the FHIR API.
pub const FHIR_JSON: &str = "application/fhir+json";
/// Content type of the native API.
pub const JSON: &str = "application/json";

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Part,
    /// What follows the body, if it is only the first part.
    pub(super) rest: Option<Rest>,
    /// Of an answer that is told of batch by batch, and again when it ends.
    pub(super) feed: Option<Arc<Ended>>,
    /// When the version that it answers with was recorded.
    pub(super) recorded_at: Option<Instant>,
}

impl Reply {
    /// An answer with a body of that content type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, body: body.into(), rest: None, feed: None, recorded_at: None }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        let (headers, body) = (Vec::new(), Part::default());
        Self { status, headers, body, rest: None, feed: None, recorded_at: None }
    }

    /// A stored resource.
    #[must_use]
    pub fn resource(status: StatusCode, body: Vec<u8>) -> Self {
        let mut reply = Self::new(status, FHIR_JSON, body);
        reply.body.resources = std::iter::once(0..reply.body.bytes.len()).collect();
        reply
    }

    /// A Bundle, or its first part.
    #[must_use]
    pub fn bundle(body: Part) -> Self {
        Self { body, ..Self::new(StatusCode::OK, FHIR_JSON, Vec::new()) }
    }

    /// The same with what follows.
    #[must_use]
    pub fn followed_by(self, rest: Rest) -> Self {
        Self { rest: Some(rest), ..self }
    }

    /// The same as a feed: not compressed, so that nothing waits in between, and told of in the access log
    /// from its beginning to its end.
    #[must_use]
    pub fn as_feed(self, ended: Arc<Ended>) -> Self {
        // For proxies that would gather what is to be passed on at once.
        Self { feed: Some(ended), ..self.header("x-accel-buffering", "no") }
    }

    /// A value of the native API.
    #[must_use]
    pub fn json(status: StatusCode, value: &impl serde::Serialize) -> Self {
        // Maps with string keys, numbers and strings only: this serialisation cannot fail.
        Self::new(status, JSON, serde_json::to_vec(value).unwrap_or_default())
    }

    /// Whether the body is of that content type.
    #[must_use]
    pub fn is_of_type(&self, content_type: &str) -> bool {
        self.content_type() == Some(content_type)
    }

    /// Whether the body is text, which compresses well.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.content_type().is_some_and(|kind| kind.starts_with("text/") || kind.contains("json"))
    }

    fn content_type(&self) -> Option<&str> {
        let header = self.headers.iter().find(|(name, _)| *name == "content-type");
        header.map(|(_, value)| value.as_str())
    }

    pub(super) fn set_type(&mut self, content_type: &str) {
        for (_, value) in self.headers.iter_mut().filter(|(name, _)| *name == "content-type") {
            content_type.clone_into(value);
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the positions of the events that a write led to: what a client keeps to ask
    /// for their proofs.
    #[must_use]
    pub fn positions(self, events: Option<(Position, u64)>) -> Self {
        match positions(events) {
            Some(text) => self.header("chartlog-position", text),
            None => self,
        }
    }

    /// The same with the headers of a FHIR version: `ETag` and `Last-Modified` (R4 §3.1.0.5).
    #[must_use]
    pub fn version(self, version: ResourceVersion, recorded_at: Instant) -> Self {
        let reply = self
            .header("etag", format!("W/\"{version}\""))
            .header("last-modified", recorded_at.http_date());
        Self { recorded_at: Some(recorded_at), ..reply }
    }
}

impl Failure {
    /// The answer: an OperationOutcome on the FHIR API, problem details elsewhere.
    pub(super) fn render(&self, is_fhir: bool, request: &str) -> Reply {
        let status = self.fault.status();
        let (content_type, value) = if is_fhir {
            (FHIR_JSON, self.outcome())
        } else {
            (PROBLEM_JSON, self.problem(request))
        };
        let mut reply = Reply::new(status, content_type, value.to_string().into_bytes());
        match self.fault {
            Fault::NoToken => reply = reply.header("www-authenticate", "Bearer realm=\"chartlog\""),
            Fault::BadToken => {
                // RFC 6750 §3; a token error has no characters that would need escaping.
                let why = format!("error=\"invalid_token\", error_description=\"{}\"", self.detail);
                reply =
                    reply.header("www-authenticate", format!("Bearer realm=\"chartlog\", {why}"));
            }
            // Of an address that has more methods than its type of resource; others name their own.
            Fault::Method => reply = reply.header("allow", "GET, HEAD"),
            // Of a rate, a second always gives one more at least.
            Fault::Busy | Fault::TooMany => reply = reply.header("retry-after", "1"),
            _ => {}
        }
        reply
    }
}

/// `<first>-<last>`, or `<position>` of a single event; of a position and a count.
#[must_use]
pub fn positions(events: Option<(Position, u64)>) -> Option<String> {
    let (first, count) = events?;
    Some(match count {
        0 => return None,
        1 => first.to_string(),
        count => format!("{first}-{}", first + (count - 1)),
    })
}
