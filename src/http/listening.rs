//! Listening: what makes requests of connections, in the clear or over TLS.
//!
//! It is put together here as `HttpServer` of actix-web does it, because there nothing can be put between a connection and
//! the parser: see `framing.rs`.

use std::fmt::Debug;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::body::{BoxBody, MessageBody};
use actix_http::h1::{ExpectHandler, UpgradeHandler};
use actix_http::{HttpServiceBuilder, Protocol, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::error::Error;
use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::sync::watch;

use super::framing::Framed;
use super::tls::note_client;
use crate::config::LimitsConfig;

/// How long a connection that the server ends may take for it.
const ENDING: Duration = Duration::from_secs(1);

/// A server of an application on a listener, which runs once it is awaited.
///
/// # Errors
///
/// The operating system's.
pub(super) fn listen<F, I, S, B>(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    (workers, limits): (usize, &LimitsConfig),
    stopping: &watch::Sender<bool>,
    app: F,
) -> std::io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let app = move || {
        let app = app().into_factory().map_err(|error| error.into().error_response());
        map_config(app, |()| AppConfig::default())
    };
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(limits.connections_per_worker_max)
        .shutdown_timeout(limits.shutdown_timeout_seconds)
        .disable_signals();
    let (limits, stopping) = (limits.clone(), stopping.clone());
    let builder = match tls {
        None => builder.listen("http", listener, move || {
            let accept = fn_service(async |io: TcpStream| {
                let peer = io.peer_addr().ok();
                Ok((Framed::new(io), Protocol::Http1, peer))
            });
            accept.and_then(requests(&limits, &stopping).finish(app()))
        })?,
        Some(mut tls) => {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            max_concurrent_tls_connect(limits.connections_per_worker_max);
            builder.listen("https", listener, move || {
                let mut accept = Acceptor::new(tls.clone());
                // Handshakes that do not come to an end are cut off; until then they must not keep others out.
                accept.set_handshake_timeout(request_timeout(&limits));
                let requests = requests(&limits, &stopping)
                    .on_connect_ext(|io: &Framed<TlsStream<TcpStream>>, noted| {
                        note_client(io.get_ref(), noted);
                    })
                    .finish(app());
                accept
                    .map_init_err(|_| ())
                    .map_err(TlsError::into_service_error)
                    .and_then(async |io: TlsStream<TcpStream>| {
                        let peer = io.get_ref().0.peer_addr().ok();
                        Ok((Framed::new(io), Protocol::Http1, peer))
                    })
                    .and_then(requests.map_err(TlsError::Service))
            })?
        }
    };
    Ok(builder.run())
}

fn request_timeout(limits: &LimitsConfig) -> Duration {
    Duration::from_millis(limits.client_request_timeout_ms)
}

/// What reads requests from connections, within limits, until the server stops.
fn requests<T, S>(
    limits: &LimitsConfig,
    stopping: &watch::Sender<bool>,
) -> HttpServiceBuilder<T, S, ExpectHandler, UpgradeHandler>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    let stopping = stopping.clone();
    HttpServiceBuilder::default()
        .keep_alive(Duration::from_secs(limits.keep_alive_seconds))
        .client_request_timeout(request_timeout(limits))
        .client_disconnect_timeout(ENDING)
        // Connections on which nobody waits for an answer end then, and do not hold up the end.
        .graceful_shutdown_signal(move || {
            let mut stopping = stopping.subscribe();
            async move {
                let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
            }
        })
}
