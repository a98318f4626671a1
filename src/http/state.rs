//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::heavy::Heavy;
use crate::auth::Verifier;
use crate::budget::WorkLimits;
use crate::config::LimitsConfig;
use crate::records::Records;

/// Name and sizes of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Base URL under which clients reach the server, without a slash at its end.
    pub public_url: String,
    /// Threads that serve requests.
    pub workers: usize,
    /// What one request or one client may ask for.
    pub limits: LimitsConfig,
}

impl ServerOptions {
    /// The work that one request may cause.
    pub(super) fn work(&self) -> WorkLimits {
        WorkLimits {
            records: self.limits.request_records_max,
            bytes: self.limits.request_bytes_max,
            time: Duration::from_secs(self.limits.request_seconds_max),
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub struct State {
    pub(super) records: Arc<Records>,
    pub(super) verifier: Verifier,
    pub(super) options: ServerOptions,
    pub(super) fhir_base: String,
    /// Places for requests that take much.
    pub(super) heavy: Heavy,
    /// One permit per [`BODY_UNIT`] bytes of request bodies.
    pub(super) bodies: Arc<Semaphore>,
}

/// Bytes of request bodies per permit.
pub(super) const BODY_UNIT: usize = 1_024;

impl State {
    pub(super) fn new(records: Arc<Records>, verifier: Verifier, options: ServerOptions) -> Self {
        let fhir_base = format!("{}/fhir", options.public_url);
        // One body of the largest size always fits.
        let bytes = options.limits.bodies_bytes_max.max(options.limits.body_bytes_max);
        let permits = (bytes / BODY_UNIT + 1).min(Semaphore::MAX_PERMITS);
        let bodies = Arc::new(Semaphore::new(permits));
        let heavy = Heavy::new(
            options.limits.heavy_request_count(),
            options.limits.heavy_waiting_max,
            options.work().time,
        );
        Self { records, verifier, options, fhir_base, heavy, bodies }
    }
}
