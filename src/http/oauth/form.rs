//! Forms of OAuth, and why they are refused.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::super::query::decoded;
use super::super::{Failure, Fault};
use crate::issuing::Refusal;

/// Largest form, in bytes: an assertion has at most 16 KiB.
const FORM_BYTES_MAX: usize = 65_536;

/// The parameters of a request.
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// Reads the body of a request.
    pub fn read(request: &HttpRequest, body: &[u8]) -> Result<Self, Refusal> {
        if !request.query_string().is_empty() {
            return Err(invalid("parameters belong into the form, not into the address"));
        }
        if request.headers().contains_key("authorization") {
            return Err(invalid(
                "no Authorization is taken: a client shows who it is by client_assertion alone, or has no secret",
            ));
        }
        if body.len() > FORM_BYTES_MAX {
            return Err(invalid("the form is larger than 64 KiB"));
        }
        let text = std::str::from_utf8(body).map_err(|_| invalid("the form is not UTF-8"))?;
        // What exactly cannot be read may be a secret.
        decoded(text).map(Self).map_err(|_| invalid("the form is not percent-encoded UTF-8"))
    }

    /// The value of a parameter; an empty one is none (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            Some(_) => Err(invalid(&format!("{name} may be given once"))),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }
}

/// A request that makes no sense.
pub fn invalid(what: &str) -> Refusal {
    Refusal::of("invalid_request", what)
}

/// A body that cannot be had.
pub fn unread(failure: Failure) -> Refusal {
    match failure.fault {
        Fault::Busy => Refusal::of(UNAVAILABLE, failure.detail),
        _ => invalid(&failure.detail),
    }
}

/// What this server cannot do now.
pub fn unrecorded(failure: Failure) -> Refusal {
    Refusal::of(
        if failure.fault == Fault::TooMany { TOO_MANY } else { UNAVAILABLE },
        failure.detail,
    )
}

const UNAVAILABLE: &str = "temporarily_unavailable";
/// OAuth has no word for that at this endpoint; this is the one of the device flow (RFC 8628 §3.5).
const TOO_MANY: &str = "slow_down";

/// The status of a refusal.
pub fn status(refusal: &Refusal) -> StatusCode {
    match refusal.error {
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        TOO_MANY => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A refusal as the access log has it.
pub fn told(refusal: &Refusal) -> String {
    format!("{}: {}", refusal.error, refusal.description)
}
