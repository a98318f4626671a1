//! What all requests share.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use tokio::sync::{Semaphore, mpsc, watch};

use super::heavy::Heavy;
use super::proxies::Proxies;
use super::rates::Rates;
use super::strangers::{Strangers, Sum};
use super::tls::Tls;
use crate::access::{AccessEntry, Outcome, Source};
use crate::auth::Verifier;
use crate::budget::WorkLimits;
use crate::config::{AuditConfig, ConsoleConfig, LimitsConfig, MetricsAccess};
use crate::engine::EngineError;
use crate::feed::subscriptions::Subscriptions;
use crate::issuers::{Directory, Introspection};
use crate::issuing::Issuing;
use crate::records::Records;

/// Name and sizes of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Base URL under which clients reach the server, without a slash at its end.
    pub public_url: String,
    /// The same, if the configuration says it.
    pub named_url: Option<String>,
    /// Threads that serve requests.
    pub workers: usize,
    /// What one request or one client may ask for.
    pub limits: LimitsConfig,
    /// Which accesses are called unusual.
    pub audit: AuditConfig,
    /// The proxies in front of the server.
    pub proxies: Proxies,
    /// Sites whose pages browsers let read answers.
    pub cors_origins: Vec<String>,
    /// Whether the store holds the synthetic clinic, with times that were made up.
    pub is_demo: bool,
    /// Who gets the figures.
    pub metrics: MetricsAccess,
    /// Whether there are the OpenAPI document and its page.
    pub docs: bool,
    /// The console in the browser.
    pub console: ConsoleConfig,
    /// Who the server shows itself as; without, it speaks HTTP in the clear.
    pub tls: Option<Arc<Tls>>,
    /// Minutes for which who breaks a glass sees the chart; 0: nobody can.
    pub break_glass_minutes: u64,
    /// Where clients get tokens.
    pub issuers: Arc<Directory>,
    /// Who is asked about tokens that are no JWT.
    pub introspection: Option<Arc<Introspection>>,
    /// What gives tokens here, if anything does.
    pub issuing: Option<Arc<Issuing>>,
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
    pub(super) verifier: Arc<Verifier>,
    pub(super) options: ServerOptions,
    pub(super) fhir_base: String,
    /// Places for requests that take much.
    pub(super) heavy: Heavy,
    /// One permit per [`BODY_UNIT`] bytes of request bodies.
    pub(super) bodies: Arc<Semaphore>,
    /// How often one token, and one address, may ask.
    pub(super) rates: Rates,
    /// Requests without an acceptable token.
    pub(super) strangers: Strangers,
    /// Places for questions to an issuer.
    pub(super) questions: Semaphore,
    /// Places for those who follow the log.
    pub(super) followers: Arc<Semaphore>,
    /// Places for WebSockets of which nobody has said yet who opened them.
    pub(super) stranger_sockets: Arc<Semaphore>,
    /// Who is sent what comes.
    pub(super) subscriptions: Arc<Subscriptions>,
    /// True when the server stops: what has no end of its own ends then.
    pub(super) stopping: watch::Sender<bool>,
    _alive: mpsc::Sender<Infallible>,
}

/// Questions to an issuer at the same time: each holds a thread until it is answered.
const QUESTIONS_MAX: usize = 16;
/// Bytes of request bodies per permit.
pub(super) const BODY_UNIT: usize = 1_024;

impl State {
    /// The channel `alive` closes when nothing has the state any more.
    pub(super) fn new(
        records: Arc<Records>,
        verifier: Arc<Verifier>,
        subscriptions: Arc<Subscriptions>,
        options: ServerOptions,
        alive: mpsc::Sender<Infallible>,
    ) -> Self {
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
        let rates = Rates::new(&options.limits);
        let strangers = Strangers::new(options.limits.stranger_entries_max);
        let followers = Arc::new(Semaphore::new(options.limits.followers_max));
        let stranger_sockets = Arc::new(Semaphore::new(options.limits.stranger_sockets_max));
        let stopping = watch::Sender::new(false);
        Self {
            questions: Semaphore::new(QUESTIONS_MAX),
            records,
            verifier,
            options,
            fhir_base,
            heavy,
            bodies,
            rates,
            strangers,
            followers,
            stranger_sockets,
            subscriptions,
            stopping,
            _alive: alive,
        }
    }

    /// The client that sent a request, and the proxy that says so.
    pub(super) fn client(&self, request: &HttpRequest) -> Option<(IpAddr, Option<IpAddr>)> {
        let peer = request.peer_addr()?;
        Some(self.options.proxies.client(peer.ip(), request.headers()))
    }

    /// Records sums of requests that were turned away at the door. Nobody waits for them.
    pub(super) fn write_sums(&self, sums: Vec<Sum>) {
        let engine = self.records.engine();
        let submit = |sum: &Sum| {
            let source = Source { address: sum.address.clone(), ..Source::default() };
            let (request, operation) = (engine.next_request(), "refusalsSummed");
            let mut entry = AccessEntry::of(source, request, operation, sum.since);
            entry.look.outcome = Outcome::Refused;
            let count = sum.count;
            let reason =
                format!("{count} more requests without an acceptable token, or beyond a rate");
            entry.look.reason = Some(reason.into());
            engine.submit_access(entry)
        };
        // When there is no room for one now, there is later.
        let is_busy = |sum: &Sum| matches!(submit(sum), Err(EngineError::Busy));
        self.strangers.keep(sums.into_iter().filter(is_busy));
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.write_sums(self.strangers.all());
    }
}
