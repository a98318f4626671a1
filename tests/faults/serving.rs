//! A store behind HTTP in this process.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use chartlog::auth::{Issuer, LocalIssuer, TokenRequest, Verifier, VerifierOptions};
use chartlog::clock::Instant;
use chartlog::config::{Config, LimitsConfig, MetricsAccess};
use chartlog::engine::DataDirectory;
use chartlog::feed::subscriptions::Subscriptions;
use chartlog::http;
use chartlog::records::Records;

use crate::server::Client;

/// A server that runs until it is dropped.
pub struct Serving {
    base: String,
    token: String,
    data: PathBuf,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    pub fn start(store: Arc<Records>) -> Self {
        let data = store.engine().directory().root().to_owned();
        let issuer = LocalIssuer::new([7; 32]);
        let config = Config::default();
        let audience = config.auth.audience.clone();
        let options = VerifierOptions {
            audience: audience.clone(),
            leeway_seconds: 60,
            issuers: vec![Issuer {
                name: LocalIssuer::ISSUER.to_owned(),
                keys: vec![issuer.verification_key()],
                requires_binding: false,
            }],
            cache_entries: 16,
        };
        let verifier = Arc::new(Verifier::new(options).unwrap());
        let request = TokenRequest {
            subject: "tester".to_owned(),
            scope: "system/*.cruds".to_owned(),
            patient: None,
            audience: audience[0].clone(),
            ttl_seconds: 3_600,
            ..TokenRequest::default()
        };
        let token = issuer.sign(&request, Instant::now().seconds()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let limits = LimitsConfig { shutdown_timeout_seconds: 1, ..config.limits };
        let options = http::ServerOptions {
            public_url: base.clone(),
            named_url: None,
            workers: 2,
            limits,
            audit: config.audit,
            proxies: http::Proxies::default(),
            cors_origins: Vec::new(),
            metrics: MetricsAccess::Open,
            console: Default::default(),
            is_demo: false,
            docs: false,
            tls: None,
            break_glass_minutes: 0,
            issuers: Arc::default(),
            issuing: None,
            introspection: None,
        };
        let subscriptions = Subscriptions::open(&store, &config.feed, &base).unwrap();
        let (started, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let running =
                    http::start(listener, store, verifier, subscriptions, options).unwrap();
                started.send(running.handle).unwrap();
                running.server.await.unwrap();
            });
        });
        let handle = wait.recv().unwrap();
        Self { base, token, data, handle, thread: Some(thread) }
    }

    pub fn client(&self) -> Client {
        Client::new(self.base.clone(), self.token.clone())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The command is sent at once; the future only waits for the end, as the thread does.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        // The workers let go of the store a moment later: its lock says when they have.
        while DataDirectory::open(&self.data).is_err() {
            std::thread::yield_now();
        }
    }
}
