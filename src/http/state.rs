//! What all requests share.

use std::sync::Arc;

use crate::auth::Verifier;
use crate::store::Store;

/// Limits and names of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base URL under which clients reach the server, without a slash at its end.
    pub public_url: String,
    /// Threads that serve requests.
    pub workers: usize,
    /// Bytes of one request body.
    pub body_bytes_max: usize,
    /// Time for a request's head to arrive, in milliseconds.
    pub client_request_timeout_ms: u64,
    /// Time for a request's body to arrive, in seconds.
    pub request_timeout_seconds: u64,
    /// Time for which an idle connection is kept, in seconds.
    pub keep_alive_seconds: u64,
    /// Open connections per worker.
    pub connections_per_worker_max: usize,
    /// Time for open requests at shutdown, in seconds.
    pub shutdown_timeout_seconds: u64,
    /// Entries of one Bundle.
    pub bundle_entries_max: usize,
    /// Matches on a page when the request does not say.
    pub page_size_default: usize,
    /// Matches on a page at most.
    pub page_size_max: usize,
}

/// What all requests share.
#[derive(Debug)]
pub struct State {
    pub(super) store: Arc<Store>,
    pub(super) verifier: Verifier,
    pub(super) options: Options,
    pub(super) fhir_base: String,
}
