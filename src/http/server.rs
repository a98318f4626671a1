//! Starting the server: workers and limits.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::{App, HttpRequest, web};
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

use super::cors::cors;
use super::listening::listen;
use super::state::{ServerOptions, State};
use super::tls::Tls;
use super::{console, docs, fhir, routes, rules, table};
use crate::auth::Verifier;
use crate::clock::Instant;
use crate::feed::subscriptions::Subscriptions;
use crate::records::Records;

/// How often it is looked for sums of requests whose minute is over, and for who asks no more.
const SUMS_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether certificates were replaced.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(2);

/// How long threads that have been told to stop may take for it.
const LETTING_GO: Duration = Duration::from_secs(10);

/// A server that listens. It runs while its future is awaited.
pub struct Running {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// Stops it.
    pub handle: ServerHandle,
    /// Ends when it has stopped, and all that there was to be recorded is in its queue.
    pub server: Pin<Box<dyn Future<Output = std::io::Result<()>>>>,
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
    verifier: Arc<Verifier>,
    subscriptions: Arc<Subscriptions>,
    options: ServerOptions,
) -> std::io::Result<Running> {
    let address = listener.local_addr()?;
    // Connections have it of their listener. A day of milliseconds fits.
    let patience = options.limits.answer_timeout_seconds.saturating_mul(1_000);
    set_tcp_user_timeout(&listener, u32::try_from(patience).unwrap_or(u32::MAX))?;
    let (alive, mut gone) = mpsc::channel(1);
    let state = Arc::new(State::new(records, verifier, subscriptions, options, alive));
    let (workers, limits) = (state.options.workers, state.options.limits.clone());
    let signals = Signals::listen()?;
    let (counting, ruling) = (Arc::clone(&state), Arc::clone(&state.records));
    let tls = state.options.tls.clone();
    let (encrypts, document) = (tls.is_some(), docs::shown(&state.options));
    let handshakes = tls.as_ref().map(|tls| tls.server_config()).transpose()?;
    let stopping = counting.stopping.clone();
    let server = listen(listener, handshakes, (workers, &limits), &stopping, move || {
        let (pages, unknown) = (Arc::clone(&state), Arc::clone(&state));
        let (state, document) = (Arc::clone(&state), document.clone());
        App::new()
            .wrap(cors(&state.options.cors_origins))
            .wrap(every_answer(encrypts))
            .configure(fhir::subscription_socket::mount(Arc::clone(&state)))
            .configure(move |config| table::routes(Some(&state)).mount(config))
            .configure(console::mount(Arc::clone(&pages)))
            .configure(|config| {
                if let Some(document) = document {
                    docs::mount(config, document);
                }
            })
            .default_service(web::to(move |request: HttpRequest| {
                routes::no_route(request, Arc::clone(&unknown))
            }))
    })?;
    actix_web::rt::spawn(signals.stop(server.handle(), stopping));
    let handle = server.handle();
    let server = Box::pin(async move {
        let stopped = tokio::select! {
            stopped = server => stopped,
            never = write_sums(&counting) => match never {},
            never = renew(tls) => match never {},
            never = rules::keep(&ruling) => match never {},
        };
        // The workers let go of what they were at a moment later: it is recorded as they do.
        drop(counting);
        let _ = timeout(LETTING_GO, gone.recv()).await;
        stopped
    });
    Ok(Running { address, handle, server })
}

/// Records what is over of the requests that were turned away, and forgets who asks no more, again and again.
async fn write_sums(state: &State) -> Infallible {
    let mut ticks = interval(SUMS_EVERY);
    loop {
        ticks.tick().await;
        state.rates.forget();
        state.write_sums(state.strangers.due(Instant::now().micros()));
    }
}

/// Looks again and again whether certificates were replaced.
async fn renew(tls: Option<Arc<Tls>>) -> Infallible {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut ticks = interval(CERTIFICATES_EVERY);
    loop {
        ticks.tick().await;
        let tls = Arc::clone(&tls);
        // It fails only as the runtime ends, and this with it.
        let _ = web::block(move || tls.renew()).await;
    }
}

/// What each answer says to browsers, unless it says something else there: it is what its type says and no page, it loads
/// nothing and stands in no frame, and addresses, which name patients, go to nobody. Once they have come by TLS, they are
/// never to come without it (RFC 6797).
fn every_answer(encrypts: bool) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"));
    match encrypts {
        true => headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")),
        false => headers,
    }
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

    async fn stop(mut self, server: ServerHandle, stopping: watch::Sender<bool>) {
        self.next().await;
        stopping.send_replace(true);
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
