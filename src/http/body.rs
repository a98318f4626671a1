//! The body of a request: bounded, whole, decompressed, and of a media type that is understood.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, web};
use tokio::sync::OwnedSemaphorePermit;

use super::encoding::decompressed;
use super::state::{BODY_UNIT, State};
use super::{Failure, Fault};
use crate::issuing::{AUTHORIZE_PATH, TOKEN_PATH};

/// Where content of any media type is stored: FHIR R4 §2.40 (Binary).
const BINARY: &str = "/fhir/Binary";

/// A body, with its share in the memory for all bodies, which it gives back when it is gone.
#[derive(Debug, Default)]
pub struct Body {
    /// The bytes, decompressed.
    pub bytes: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// 400, 408, 413, 415, 503.
    pub async fn read(
        state: &State,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<Self, Failure> {
        let headers = request.headers();
        let mut body = Self::default();
        body.grow(state, declared(state, headers))?;
        let sent = received(state, payload).await?;
        if sent.is_empty() {
            return Ok(body);
        }
        check_media_type(request)?;
        body.bytes = match headers.get("content-encoding").map(|coding| coding.to_str()) {
            None => sent,
            Some(Ok("identity")) => sent,
            Some(Ok("gzip" | "x-gzip")) => {
                let limit = state.options.limits.body_bytes_max;
                decompressed(&sent, limit, |more| body.grow(state, more))?
            }
            Some(_) => {
                let detail = "send the body with Content-Encoding gzip, or without one";
                return Err(Failure::of(Fault::MediaType, detail));
            }
        };
        Ok(body)
    }

    /// What is a part of another body, which has its share.
    pub fn of_entry(bytes: Vec<u8>) -> Self {
        Self { bytes, share: None }
    }

    /// Takes a larger share in the memory for bodies.
    fn grow(&mut self, state: &State, bytes: usize) -> Result<(), Failure> {
        if bytes == 0 {
            return Ok(());
        }
        if bytes > state.options.limits.body_bytes_max {
            return Err(too_large(state));
        }
        let permits = u32::try_from(bytes.div_ceil(BODY_UNIT)).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&state.bodies).try_acquire_many_owned(permits) else {
            return Err(Failure::of(Fault::Busy, "too many large requests at the same time"));
        };
        match &mut self.share {
            Some(share) => share.merge(more),
            None => self.share = Some(more),
        }
        Ok(())
    }
}

/// How many bytes a request says that it has, or may have.
fn declared(state: &State, headers: &HeaderMap) -> usize {
    let length = headers.get("content-length").and_then(|text| text.to_str().ok()?.parse().ok());
    match length {
        Some(bytes) => bytes,
        None if headers.contains_key("transfer-encoding") => state.options.limits.body_bytes_max,
        None => 0,
    }
}

async fn received(state: &State, payload: web::Payload) -> Result<Vec<u8>, Failure> {
    let limits = &state.options.limits;
    let timeout = Duration::from_secs(limits.request_timeout_seconds);
    let read = tokio::time::timeout(timeout, payload.to_bytes_limited(limits.body_bytes_max)).await;
    match read {
        Err(_) => Err(Failure::of(Fault::Timeout, "the body did not arrive in time")),
        Ok(Err(_)) => Err(too_large(state)),
        Ok(Ok(Err(error))) => {
            let detail = format!("the body did not arrive whole: {error}");
            Err(Failure::of(Fault::Invalid, detail))
        }
        Ok(Ok(Ok(body))) => Ok(body.into()),
    }
}

fn too_large(state: &State) -> Failure {
    let limit = state.options.limits.body_bytes_max;
    Failure::of(Fault::TooLarge, format!("the body may have {limit} bytes"))
}

/// Whether a request is about a Binary, which travels in its own form too.
pub fn is_binary(request: &HttpRequest) -> bool {
    let rest = request.path().strip_prefix(BINARY);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the body of a request is a form of OAuth (RFC 6749 §3).
fn is_oauth_form(request: &HttpRequest) -> bool {
    [TOKEN_PATH, AUTHORIZE_PATH].contains(&request.path().trim_end_matches('/'))
}

/// Whether a request is a search whose parameters come as a form: FHIR R4 §3.1.0.13.
pub fn is_search(request: &HttpRequest) -> bool {
    request.path().trim_end_matches('/').ends_with("/_search")
}

fn check_media_type(request: &HttpRequest) -> Result<(), Failure> {
    let Some(content_type) = request.headers().get("content-type") else { return Ok(()) };
    let content_type = content_type.to_str().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let accepted: &[&str] = match *request.method() {
        Method::PATCH => {
            &["application/json-patch+json", "application/fhir+json", "application/json"]
        }
        Method::POST if is_search(request) || is_oauth_form(request) => {
            &["application/x-www-form-urlencoded"]
        }
        Method::POST | Method::PUT if is_binary(request) => return Ok(()),
        _ => &["application/fhir+json", "application/json"],
    };
    if accepted.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        Ok(())
    } else {
        let detail = format!("send Content-Type {}, not {essence}", accepted.join(" or "));
        Err(Failure::of(Fault::MediaType, detail))
    }
}
