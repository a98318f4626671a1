//! What all requests share.

use std::sync::Arc;

use tokio::sync::Semaphore;

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
    /// Bytes of all request bodies that are worked on at the same time.
    pub bodies_bytes_max: usize,
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
    /// One permit per [`BODY_UNIT`] bytes of request bodies.
    pub(super) bodies: Arc<Semaphore>,
}

/// Bytes of request bodies per permit.
pub(super) const BODY_UNIT: usize = 1_024;

impl State {
    pub(super) fn new(store: Arc<Store>, verifier: Verifier, options: Options) -> Self {
        let fhir_base = format!("{}/fhir", options.public_url);
        // One body of the largest size always fits.
        let bytes = options.bodies_bytes_max.max(options.body_bytes_max);
        let permits = (bytes / BODY_UNIT + 1).min(Semaphore::MAX_PERMITS);
        let bodies = Arc::new(Semaphore::new(permits));
        Self { store, verifier, options, fhir_base, bodies }
    }
}
