//! The settings of `[limits]`.

use super::super::kind::Kind;
use super::super::setting::Setting;
use super::{BYTES_MAX, TIMEOUT_SECONDS_MAX, WHOLE_BYTES_MAX, setting};

/// Most requests in a second that a rate may allow: a million.
const RATE_MAX: i64 = 1_000_000;

/// The settings of `[limits]`.
pub static SETTINGS: &[Setting] = &[
    setting(
        "limits.body_bytes_max",
        Kind::Number(1024..=WHOLE_BYTES_MAX),
        "Largest request body in bytes",
        |config| &mut config.limits.body_bytes_max,
    ),
    setting(
        "limits.bodies_bytes_max",
        Kind::Number(1024..=WHOLE_BYTES_MAX),
        "Bytes of all request bodies that are worked on at the same time; more are answered 503",
        |config| &mut config.limits.bodies_bytes_max,
    ),
    setting(
        "limits.client_request_timeout_ms",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX * 1000),
        "Milliseconds in which a client must have sent the whole head of its request",
        |config| &mut config.limits.client_request_timeout_ms,
    ),
    setting(
        "limits.request_timeout_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds in which a client must have sent the whole body of its request",
        |config| &mut config.limits.request_timeout_seconds,
    ),
    setting(
        "limits.answer_timeout_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds in which a client must take something of an answer that waits for it",
        |config| &mut config.limits.answer_timeout_seconds,
    ),
    setting(
        "limits.keep_alive_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds an idle connection stays open",
        |config| &mut config.limits.keep_alive_seconds,
    ),
    setting(
        "limits.connections_per_worker_max",
        Kind::Number(1..=1 << 20),
        "Connections one worker serves at a time; more wait to be accepted",
        |config| &mut config.limits.connections_per_worker_max,
    ),
    setting(
        "limits.bundle_entries_max",
        Kind::Number(1..=1 << 20),
        "Entries in one Bundle",
        |config| &mut config.limits.bundle_entries_max,
    ),
    setting(
        "limits.page_size_default",
        Kind::Number(1..=10_000),
        "Entries on a page of results when the client does not say",
        |config| &mut config.limits.page_size_default,
    ),
    setting(
        "limits.page_size_max",
        Kind::Number(1..=10_000),
        "Most entries on a page, whatever the client says",
        |config| &mut config.limits.page_size_max,
    ),
    setting(
        "limits.request_records_max",
        Kind::Number(1..=i64::MAX),
        "Records of the index that one request may read, all entries of a Bundle together; opening a\n\
         resource counts as forty. What would take more is answered 400 (too-costly)",
        |config| &mut config.limits.request_records_max,
    ),
    setting(
        "limits.request_bytes_max",
        Kind::Number(1..=BYTES_MAX),
        "Bytes of the resources that one request may open, all entries of a Bundle together",
        |config| &mut config.limits.request_bytes_max,
    ),
    setting(
        "limits.request_seconds_max",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds that one request may be worked on, or wait to be worked on, when it reads much",
        |config| &mut config.limits.request_seconds_max,
    ),
    setting(
        "limits.heavy_requests_max",
        Kind::Number(0..=1 << 20),
        "Requests that read or write much and are worked on at the same time; 0: two per processor core",
        |config| &mut config.limits.heavy_requests_max,
    ),
    setting(
        "limits.heavy_waiting_max",
        Kind::Number(0..=1 << 20),
        "Such requests that may wait for their turn; more are answered 503",
        |config| &mut config.limits.heavy_waiting_max,
    ),
    setting(
        "limits.requests_per_second_per_token",
        Kind::Number(0..=RATE_MAX),
        "Requests of one token in a second, on the average; more are answered 429. 0: any number",
        |config| &mut config.limits.requests_per_second_per_token,
    ),
    setting(
        "limits.burst_per_token",
        Kind::Number(0..=RATE_MAX),
        "How many of those may come at once; 0: as many as in a second",
        |config| &mut config.limits.burst_per_token,
    ),
    setting(
        "limits.requests_per_second_per_address",
        Kind::Number(0..=RATE_MAX),
        "Requests of one address (IPv6: of one /64) in a second, on the average; more are answered\n\
         429, whoever sends them. 0: any number",
        |config| &mut config.limits.requests_per_second_per_address,
    ),
    setting(
        "limits.burst_per_address",
        Kind::Number(0..=RATE_MAX),
        "How many of those may come at once; 0: as many as in a second",
        |config| &mut config.limits.burst_per_address,
    ),
    setting(
        "limits.stranger_entries_max",
        Kind::Number(0..=1 << 20),
        "Requests without an acceptable token, or beyond a rate, that are recorded one by one, of each\n\
         address and minute; those beyond are counted, and recorded as one sum",
        |config| &mut config.limits.stranger_entries_max,
    ),
    setting(
        "limits.followers_max",
        Kind::Number(0..=1 << 20),
        "Requests that follow the log and wait for more at the same time; further ones are answered 503",
        |config| &mut config.limits.followers_max,
    ),
    setting(
        "limits.follower_heartbeat_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds after which a follower to whom nothing was sent is told how far the log goes",
        |config| &mut config.limits.follower_heartbeat_seconds,
    ),
    setting(
        "limits.follower_patience_seconds",
        Kind::Number(1..=TIMEOUT_SECONDS_MAX),
        "Seconds in which a follower over a WebSocket must have taken what it was sent, and answered",
        |config| &mut config.limits.follower_patience_seconds,
    ),
    setting(
        "limits.stranger_sockets_max",
        Kind::Number(0..=1 << 20),
        "WebSockets at the same time of which nobody has said yet who opened them; further ones are\n\
         answered 503",
        |config| &mut config.limits.stranger_sockets_max,
    ),
    setting(
        "limits.shutdown_timeout_seconds",
        Kind::Number(0..=TIMEOUT_SECONDS_MAX),
        "Seconds that requests under way get to finish when the server stops",
        |config| &mut config.limits.shutdown_timeout_seconds,
    ),
];
