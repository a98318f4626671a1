//! Starting the server: workers, limits, and the state that they share.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer};

use super::routes::Routes;
use super::{docs, health};
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

/// A server that listens. It runs while its future is awaited.
pub struct Running {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// Stops it.
    pub handle: ServerHandle,
    /// Ends when it has stopped.
    pub server: Server,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Running({})", self.address)
    }
}

/// Starts serving on a listener. SIGTERM and SIGINT drain and stop it.
///
/// # Errors
///
/// The operating system's.
pub fn start(
    listener: TcpListener,
    store: Arc<Store>,
    verifier: Verifier,
    options: Options,
) -> std::io::Result<Running> {
    let address = listener.local_addr()?;
    let fhir_base = format!("{}/fhir", options.public_url);
    let state = Arc::new(State { store, verifier, options, fhir_base });
    let limits = state.options.clone();
    let server = HttpServer::new(move || {
        let state = Arc::clone(&state);
        App::new()
            .configure(move |config| Routes::all(Some(&state)).mount(config))
            .configure(docs::mount)
            .default_service(health::default_route())
    })
    .workers(limits.workers)
    .max_connections(limits.connections_per_worker_max)
    .client_request_timeout(Duration::from_millis(limits.client_request_timeout_ms))
    .keep_alive(Duration::from_secs(limits.keep_alive_seconds))
    .shutdown_timeout(limits.shutdown_timeout_seconds)
    .listen(listener)?
    .run();
    Ok(Running { address, handle: server.handle(), server })
}
