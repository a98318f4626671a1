//! A store with everything that is needed to serve it, made from the configuration.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, upcasters};
use crate::auth::{Issuer, LocalIssuer, OwnIssuer, TokenRequest, Verifier, VerifierOptions};
use crate::clock::{Clock, Instant};
use crate::config::{AuthConfig, Client, Config, PoliciesConfig, ReferentialIntegrity};
use crate::demo;
use crate::disk::RealDisk;
use crate::engine::{DataDirectory, DirectoryError, EngineOptions, ProofOptions, read_origin};
use crate::feed::subscriptions::Subscriptions;
use crate::http::{self, Running};
use crate::issuers::{Directory, Introspection, Issuers, Keeping};
use crate::issuing::Issuing;
use crate::policies::{RuleBook, Text};
use crate::records::{Records, RecordsOptions};
use crate::view;

/// Life of the tokens that the server signs for itself and for `--demo`.
const TTL_SECONDS: u64 = 12 * 60 * 60;

type Opened = Result<DataDirectory, DirectoryError>;

/// A store with everything that is needed to serve it.
pub struct Served {
    listener: TcpListener,
    /// The store itself, to close it in the end.
    pub store: Arc<Records>,
    verifier: Arc<Verifier>,
    tls: Option<Arc<http::Tls>>,
    issuers: Issuers,
    /// What gives tokens here, and the keys of those that it gives them to.
    issuing: Option<(Arc<Issuing>, Issuers)>,
    endpoints: Arc<Directory>,
    introspection: Option<Arc<Introspection>>,
    /// Address under which clients reach the server.
    pub base_url: String,
    /// Signs development tokens for it.
    pub issuer: Arc<LocalIssuer>,
}

impl Served {
    /// Binds the address, opens the store, reads the keys.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        Self::with(config, Clock::default(), |directory| {
            let directory = directory.map_err(Failure::failed)?;
            let secret = directory.local_issuer_secret().map_err(Failure::failed)?;
            Ok((directory, secret))
        })
    }

    /// The same for this process alone: the key of its issuer is nowhere else. `clock` is what the logs are stamped by.
    pub fn privately(config: &Config, clock: Clock) -> Result<Self, Failure> {
        Self::with(config, clock, |directory| {
            let directory = directory.map_err(|error| match error {
                DirectoryError::InUse(_) => Failure::failed(format!(
                    "{error}: if that is a server, ask it with --server URL"
                )),
                error => Failure::failed(error),
            })?;
            let mut secret = [0; 32];
            let failed = |_| Failure::failed("there are no random numbers to be had");
            aws_lc_rs::rand::fill(&mut secret).map_err(failed)?;
            Ok((directory, secret))
        })
    }

    /// `take` makes of the opened directory what is needed of it: itself, and the secret of the issuer.
    fn with(
        config: &Config,
        clock: Clock,
        take: impl FnOnce(Opened) -> Result<(DataDirectory, [u8; 32]), Failure>,
    ) -> Result<Self, Failure> {
        let tls = http::Tls::open(&config.server).map_err(Failure::usage)?;
        let listener = TcpListener::bind(config.server.listen)
            .map_err(|error| Failure::failed(not_bound(config.server.listen, &error)))?;
        let bound = listener.local_addr().map_err(Failure::failed)?;
        let base_url = config.server.base_url(bound);
        let (directory, secret) = take(DataDirectory::open(&config.store.data))?;
        let issuer = Arc::new(LocalIssuer::new(secret));
        let issuers = Issuers::read(&config.auth).map_err(Failure::usage)?;
        let options = EngineOptions { clock, ..engine_options(config)? };
        let fhir_base = format!("{base_url}/fhir");
        let records = RecordsOptions {
            rules: rule_book(config, &fhir_base)?,
            base_url: Some(fhir_base),
            refuses_unresolved: config.store.referential_integrity == ReferentialIntegrity::Refuse,
        };
        let store = Records::open(directory, &options, records).map_err(Failure::failed)?;
        let issuing = issuing(config, &store, &base_url)?;
        let verifier =
            verifier(config, &issuer, &issuers, issuing.as_ref().map(|(own, _)| &**own))?;
        let introspection = issuers.introspection();
        let mut endpoints = issuers.directory();
        if let Some((own, _)) = &issuing {
            endpoints = Arc::new(endpoints.followed_by(own.about()));
        }
        Ok(Self {
            listener,
            store,
            verifier,
            tls,
            issuers,
            issuing,
            endpoints,
            introspection,
            base_url,
            issuer,
        })
    }

    /// Starts to keep the keys of issuers, and of those who are given tokens here, up to date.
    pub fn keep_keys(&mut self) -> Result<Vec<Keeping>, Failure> {
        let mut keeping = vec![std::mem::take(&mut self.issuers).keep(&self.verifier)];
        if let Some((issuing, keys)) = &mut self.issuing {
            keeping.push(std::mem::take(keys).keep(issuing.clients().verifier()));
        }
        keeping.into_iter().collect::<Result<_, _>>().map_err(Failure::failed)
    }

    /// Starts to answer requests.
    pub fn start(
        self,
        config: &Config,
        subscriptions: Arc<Subscriptions>,
    ) -> Result<Running, Failure> {
        let options = http::ServerOptions {
            named_url: config.server.public_url.as_ref().map(|_| self.base_url.clone()),
            public_url: self.base_url,
            workers: config.server.worker_count(),
            limits: config.limits.clone(),
            audit: config.audit.clone(),
            proxies: http::Proxies {
                trusted: config.server.proxy_networks(),
                header: config.server.proxy_header,
            },
            cors_origins: config.server.cors_origins.clone(),
            break_glass_minutes: config.policies.break_glass_minutes,
            is_demo: is_demo(config),
            metrics: config.server.metrics,
            docs: config.server.docs,
            console: config.console.clone(),
            tls: self.tls,
            issuers: self.endpoints,
            introspection: self.introspection,
            issuing: self.issuing.map(|(issuing, _)| issuing),
        };
        http::start(self.listener, self.store, self.verifier, subscriptions, options)
            .map_err(Failure::failed)
    }
}

/// Why the server cannot listen at an address, and what to do.
fn not_bound(listen: SocketAddr, error: &io::Error) -> String {
    let todo = match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there, which `ss -ltnp` names: stop it, or choose another address with --listen or \
             server.listen (port 0 takes any that is free)"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: 127.0.0.1 is for programs on it alone, 0.0.0.0 for all addresses it has"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need a right: choose a higher one, or grant CAP_NET_BIND_SERVICE"
        }
        _ => return format!("cannot listen at {listen}: {error}"),
    };
    format!("cannot listen at {listen}: {error}; {todo}")
}

/// Opens the store of a command that has it for itself.
///
/// # Errors
///
/// [`Failure`]: no store there, a server has it open, or a log is damaged.
pub fn store(config: &Config, options: &EngineOptions) -> Result<Arc<Records>, Failure> {
    let data = &config.store.data;
    if !data.join("log").is_dir() {
        return Err(Failure::failed(DirectoryError::Missing(data.clone())));
    }
    let directory = DataDirectory::open(data).map_err(Failure::failed)?;
    Records::open(directory, options, RecordsOptions::default()).map_err(Failure::failed)
}

/// How the engine is opened.
///
/// # Errors
///
/// [`Failure`]: `vault.master_key` or `proof.sinks` is not one.
pub fn engine_options(config: &Config) -> Result<EngineOptions, Failure> {
    let master_key = config.vault.master_key(&config.store.data);
    Ok(EngineOptions {
        disk: RealDisk::handle(),
        master_key: master_key.parse().map_err(Failure::usage)?,
        variable: super::variable,
        seals: true,
        proves: true,
        proof: proof(config)?,
        purge: config.store.purge.parse().map_err(Failure::usage)?,
        segment_bytes_max: config.store.segment_bytes_max,
        queue_commands_max: config.store.queue_commands_max,
        group_bytes_max: usize::try_from(config.store.group_bytes_max).unwrap_or(usize::MAX),
        views: view::ViewOptions {
            cache_bytes: config.store.cache_bytes,
            snapshot_events_min: config.store.snapshot_events_min,
        },
        upcasters: Arc::new(upcasters::read(&config.store.upcasters)?),
        clock: Clock::default(),
    })
}

/// How the proofs are kept.
fn proof(config: &Config) -> Result<ProofOptions, Failure> {
    let proof = &config.proof;
    let sinks = proof.sinks.iter().map(|sink| sink.parse());
    let sinks = sinks.collect::<Result<_, _>>();
    Ok(ProofOptions {
        origin: proof.origin.clone(),
        checkpoint_interval: Duration::from_millis(proof.checkpoint_interval_ms),
        sinks: sinks.map_err(|error| Failure::usage(format!("proof.sinks: {error}")))?,
    })
}

/// What decides beside scopes.
///
/// # Errors
///
/// [`Failure`]: a policy is wrong.
pub fn rule_book(config: &Config, fhir_base: &str) -> Result<Arc<RuleBook>, Failure> {
    let folder = config.policies.directory.as_ref().map(PathBuf::from);
    let book = RuleBook::open(folder, config.policies.consent, Some(Arc::from(fhir_base)));
    book.map(|book| Arc::new(book.beside(settings_of(config))))
        .map_err(|problems| Failure::usage(format!("policies.directory: {}", problems.join("; "))))
}

/// What settings say of who may see what, if they say anything; without a secret, as keys of clients stand elsewhere.
fn settings_of(config: &Config) -> Option<Text> {
    let PoliciesConfig { consent, break_glass_minutes, .. } = config.policies;
    let AuthConfig { clients, users, apps, .. } = &config.auth;
    let says_any = consent || break_glass_minutes > 0 || !clients.is_empty();
    let clients: Vec<_> = clients
        .iter()
        .map(|Client { id, name, scopes, purpose, .. }| {
            serde_json::json!({ "id": id, "name": name, "scopes": scopes, "purpose": purpose })
        })
        .collect();
    let content = serde_json::json!({
        "consent": consent, "breakGlassMinutes": break_glass_minutes,
        "clients": clients, "users": users, "apps": apps,
    });
    let (file, content) = ("settings.json".to_owned(), content.to_string());
    says_any.then_some(Text { file, content })
}

/// What gives tokens here, if the configuration registers anybody whom it gives them to.
fn issuing(
    config: &Config,
    store: &Records,
    base_url: &str,
) -> Result<Option<(Arc<Issuing>, Issuers)>, Failure> {
    if config.auth.clients.is_empty() && config.auth.users.is_empty() {
        return Ok(None);
    }
    let key = store.engine().token_key().map_err(Failure::failed)?;
    let issuer = OwnIssuer::new(base_url, &key).map_err(Failure::failed)?;
    let now = Instant::now().seconds();
    let opened = Issuing::open(&config.auth, issuer, now).map_err(Failure::usage)?;
    Ok(Some((Arc::new(opened.0), opened.1)))
}

fn verifier(
    config: &Config,
    local: &LocalIssuer,
    others: &Issuers,
    issuing: Option<&Issuing>,
) -> Result<Arc<Verifier>, Failure> {
    let mut issuers = Vec::new();
    if config.auth.local_issuer {
        let name = LocalIssuer::ISSUER.to_owned();
        let keys = vec![local.verification_key()];
        issuers.push(Issuer { name, keys, requires_binding: false });
    }
    issuers.extend(others.known());
    issuers.extend(issuing.map(|issuing| issuing.issuer().trusted()));
    let options = VerifierOptions {
        audience: config.auth.audience.clone(),
        leeway_seconds: config.auth.leeway_seconds,
        issuers,
        cache_entries: config.auth.token_cache_entries,
    };
    Verifier::new(options).map(Arc::new).map_err(Failure::usage)
}

/// Whether the store that is open holds the synthetic clinic, with times that were made up.
pub fn is_demo(config: &Config) -> bool {
    let origin = read_origin(&config.store.data).ok().flatten();
    origin.is_some_and(|origin| origin.starts_with(demo::ORIGIN))
}

/// A token of the local issuer for this server itself, or to be shown for a first try.
pub fn sign(
    issuer: &LocalIssuer,
    config: &Config,
    subject: &str,
    scope: &str,
) -> Result<String, Failure> {
    let (subject, scope) = (subject.to_owned(), scope.to_owned());
    sign_as(issuer, config, TokenRequest { subject, scope, ..TokenRequest::default() })
}

/// The same for whom the request says.
pub fn sign_as(
    issuer: &LocalIssuer,
    config: &Config,
    request: TokenRequest,
) -> Result<String, Failure> {
    let audience = config.auth.audience.first().cloned().unwrap_or_default();
    let request = TokenRequest { audience, ttl_seconds: TTL_SECONDS, ..request };
    issuer.sign(&request, Instant::now().seconds()).map_err(Failure::failed)
}
