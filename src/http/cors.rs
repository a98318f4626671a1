//! Which pages of other sites browsers let read answers: Cross-Origin Resource Sharing (the Fetch standard).
//!
//! This protects nobody from who is no browser, and opens nothing: a page of a site that is named here needs a token as
//! anybody does. Questions whether a request may be sent (preflights) show nothing, name nobody, and are not recorded.

use actix_cors::Cors;
use actix_web::middleware::Condition;

/// How long a browser keeps the answer to a preflight, in seconds: as long as any does.
const MAX_AGE_SECONDS: usize = 7_200;
/// Methods of the two APIs.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Headers of requests that mean something here.
const REQUEST_HEADERS: [&str; 16] = [
    "accept",
    "authorization",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-exist",
    "if-none-match",
    "last-event-id",
    "prefer",
    "traceparent",
    "x-break-glass",
    "x-purpose-of-use",
    "x-request-id",
    "x-security-context",
];
/// Headers of answers that say something to a program.
const ANSWER_HEADERS: [&str; 15] = [
    "allow",
    "chartlog-frames",
    "chartlog-head",
    "chartlog-next",
    "chartlog-position",
    "content-disposition",
    "content-location",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "www-authenticate",
    "x-correlation-id",
    "x-request-id",
];

/// What tells browsers that pages of these sites may read the answers; without any it does nothing.
pub fn cors(origins: &[String]) -> Condition<Cors> {
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(REQUEST_HEADERS)
        .expose_headers(ANSWER_HEADERS)
        .max_age(MAX_AGE_SECONDS);
    let cors = origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin));
    Condition::new(!origins.is_empty(), cors)
}
