//! Starting the server: workers and limits.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::state::{ServerOptions, State};
use super::{docs, routes, table};
use crate::auth::Verifier;
use crate::records::Records;

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

/// Starts serving on a listener. SIGTERM and SIGINT drain and stop it; the second stops it at once.
///
/// # Errors
///
/// The operating system's.
pub fn start(
    listener: TcpListener,
    records: Arc<Records>,
    verifier: Verifier,
    options: ServerOptions,
) -> std::io::Result<Running> {
    let address = listener.local_addr()?;
    let state = Arc::new(State::new(records, verifier, options));
    let (workers, limits) = (state.options.workers, state.options.limits.clone());
    let signals = Signals::listen()?;
    let server = HttpServer::new(move || {
        let state = Arc::clone(&state);
        App::new()
            .configure(move |config| table::routes(Some(&state)).mount(config))
            .configure(docs::mount)
            .default_service(web::to(routes::no_route))
    })
    .workers(workers)
    .max_connections(limits.connections_per_worker_max)
    .client_request_timeout(Duration::from_millis(limits.client_request_timeout_ms))
    .keep_alive(Duration::from_secs(limits.keep_alive_seconds))
    .shutdown_timeout(limits.shutdown_timeout_seconds)
    .disable_signals()
    .listen(listener)?
    .run();
    actix_web::rt::spawn(signals.stop(server.handle()));
    Ok(Running { address, handle: server.handle(), server })
}

/// The signals that stop a server. Those of actix-web do not drain on SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    async fn stop(mut self, server: ServerHandle) {
        self.next().await;
        tokio::select! {
            () = server.stop(true) => {}
            () = self.next() => server.stop(false).await,
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
