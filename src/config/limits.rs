//! What one request or one client may ask for.

/// The part `[limits]` of the configuration.
///
/// Not a setting, because the HTTP library fixes it: the head of a request (request line and
/// headers) may have 131,072 bytes and 96 headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Largest request body in bytes.
    pub body_bytes_max: usize,
    /// Bytes of all request bodies that are worked on at the same time; more are answered 503.
    pub bodies_bytes_max: usize,
    /// Milliseconds in which a client must have sent the whole head of its request.
    pub client_request_timeout_ms: u64,
    /// Seconds in which a client must have sent the whole body of its request.
    pub request_timeout_seconds: u64,
    /// Seconds in which a client must take something of an answer that waits for it.
    pub answer_timeout_seconds: u64,
    /// Seconds an idle connection stays open.
    pub keep_alive_seconds: u64,
    /// Connections one worker serves at a time; more wait to be accepted.
    pub connections_per_worker_max: usize,
    /// Entries in one Bundle.
    pub bundle_entries_max: usize,
    /// Entries on a page of results when the client does not say.
    pub page_size_default: usize,
    /// Most entries on a page, whatever the client says.
    pub page_size_max: usize,
    /// Records of the index that one request may read; opening a resource counts as forty.
    pub request_records_max: u64,
    /// Bytes of the resources that one request may open.
    pub request_bytes_max: u64,
    /// Seconds that one request may be worked on.
    pub request_seconds_max: u64,
    /// Requests that read or write much and are worked on at the same time; 0 means two per processor
    /// core.
    pub heavy_requests_max: usize,
    /// Such requests that may wait for those; more are answered 503.
    pub heavy_waiting_max: usize,
    /// Requests of one token in a second, on the average; 0: any number.
    pub requests_per_second_per_token: u32,
    /// Those that may come at once; 0: as many as in a second.
    pub burst_per_token: u32,
    /// Requests of one address in a second, on the average; 0: any number.
    pub requests_per_second_per_address: u32,
    /// Those that may come at once; 0: as many as in a second.
    pub burst_per_address: u32,
    /// Requests without an acceptable token that are recorded one by one, of each address and minute.
    pub stranger_entries_max: u64,
    /// Requests that follow the log and wait for more at the same time; further ones are answered 503.
    pub followers_max: usize,
    /// Seconds after which a follower to whom nothing was sent is told how far the log goes.
    pub follower_heartbeat_seconds: u64,
    /// Seconds in which a follower over a WebSocket must have taken what it was sent, and answered.
    pub follower_patience_seconds: u64,
    /// WebSockets at the same time of which nobody has said yet who opened them; further ones are answered 503.
    pub stranger_sockets_max: usize,
    /// Seconds that requests under way get to finish when the server stops.
    pub shutdown_timeout_seconds: u64,
}

impl LimitsConfig {
    /// Requests that take much and are worked on at the same time: at least one.
    #[must_use]
    pub fn heavy_request_count(&self) -> usize {
        match self.heavy_requests_max {
            0 => 2 * std::thread::available_parallelism().map_or(1, usize::from),
            requests => requests,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 * 1024 * 1024,
            bodies_bytes_max: 256 * 1024 * 1024,
            client_request_timeout_ms: 5_000,
            request_timeout_seconds: 60,
            // Who follows the log may pause, and is waited for.
            answer_timeout_seconds: 300,
            // Longer than the idle timeout of common load balancers (60 s), or they would send a
            // request into a connection that is just being closed.
            keep_alive_seconds: 75,
            connections_per_worker_max: 8_192,
            bundle_entries_max: 20_000,
            page_size_default: 50,
            page_size_max: 1_000,
            request_records_max: 4_000_000,
            request_bytes_max: 256 * 1024 * 1024,
            request_seconds_max: 30,
            heavy_requests_max: 0,
            // Who is let in waits little longer than at the edge of what the server can do; the
            // others come again (docs/performance.md, "Overload").
            heavy_waiting_max: 64,
            // Who stands in front, and how many share an address, is different everywhere.
            requests_per_second_per_token: 0,
            burst_per_token: 0,
            requests_per_second_per_address: 0,
            burst_per_address: 0,
            stranger_entries_max: 60,
            followers_max: 4_096,
            // Shorter than the idle timeout of common proxies, which is 60 s.
            follower_heartbeat_seconds: 15,
            follower_patience_seconds: 60,
            stranger_sockets_max: 256,
            shutdown_timeout_seconds: 30,
        }
    }
}
