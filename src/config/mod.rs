//! The configuration: every setting, where it came from, and whether it makes sense.
//!
//! In: options of the command line, the environment and a TOML file, in this order of precedence,
//! and defaults for the rest. Out: one plain [`Config`], checked, with one struct per concern; or a
//! [`ConfigError`] that lists all problems at once, each with its place and what would be right.
//!
//! One table, `settings`, names each setting once: its key (`server.listen`), what it takes, what
//! it means and the field it fills. The name in the environment (`CHARTLOG_SERVER_LISTEN`), the
//! help of the command line, `chartlog config` and the example file are derived from it, so they
//! cannot drift apart.
//!
//! ```text
//!  flags ──────────┐
//!  environment ────┤ text             ┌─ check ── Config ── the rest of the program
//!  file ── file.rs ┘ TOML ── load ────┤
//!                   settings ─────────┴─ show ─── `chartlog config`, config/chartlog.toml
//! ```
//!
//! Never: reading the process's environment or a file by itself (the caller hands in both), opening
//! anything a setting names, or printing a secret.

mod address;
mod audit;
mod auth;
mod check;
mod clients;
mod console;
mod demo;
mod duration;
mod environment;
mod feed;
mod file;
mod kind;
mod limits;
mod load;
mod log;
mod nats;
mod policies;
mod problem;
mod proof;
mod server;
mod setting;
mod settings;
mod show;
mod siem;
mod sign_in;
mod source;
mod store;
#[cfg(test)]
mod tests;
mod vault;

pub use address::is_safe_address;
pub use audit::AuditConfig;
pub use auth::{Algorithm, AuthConfig, Introspection, Issuer, IssuerKey};
pub use clients::Client;
pub use console::ConsoleConfig;
pub use demo::DemoConfig;
pub use duration::{DurationError, parse_duration};
pub use environment::FILE_VARIABLE;
pub use feed::FeedConfig;
pub use limits::LimitsConfig;
pub use load::{DEFAULT_FILE, Loaded, Override, Overrides, load};
pub use log::{LogConfig, LogFormat};
pub use nats::{NatsConfig, NatsForm, NatsServer};
pub use policies::PoliciesConfig;
pub use problem::{ConfigError, Problem};
pub use proof::ProofConfig;
pub use server::{ClientCertificates, MetricsAccess, ProxyHeader, ServerConfig};
pub use show::{effective, example, in_force, option_help};
pub use siem::{NoTarget, SiemForm, SiemHost, SiemTarget, SiemWay};
pub use sign_in::{App, User};
pub use source::{Source, Sources};
pub use store::{ReferentialIntegrity, StoreConfig};
pub use vault::VaultConfig;

/// All settings of the program, one part per concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Where the server listens, and with how many threads.
    pub server: ServerConfig,
    /// Where charts are kept, and how much memory and disk their keeping may take.
    pub store: StoreConfig,
    /// Where the master key comes from.
    pub vault: VaultConfig,
    /// How the logs are proven.
    pub proof: ProofConfig,
    /// Whose tokens are accepted.
    pub auth: AuthConfig,
    /// What decides beside the scopes of tokens.
    pub policies: PoliciesConfig,
    /// How long access entries are kept, which are called unusual, and where they are forwarded to.
    pub audit: AuditConfig,
    /// Where subscriptions may lead, and how much they may take.
    pub feed: FeedConfig,
    /// Where and how events are published to NATS.
    pub nats: NatsConfig,
    /// The console in the browser.
    pub console: ConsoleConfig,
    /// What one request or one client may ask for.
    pub limits: LimitsConfig,
    /// What is written to the log of the process (not the log of events).
    pub log: LogConfig,
    /// The synthetic clinic.
    pub demo: DemoConfig,
}

impl Config {
    /// Whether users may be signed in as here without a password: nobody beyond this machine reaches the server.
    #[must_use]
    pub fn may_sign_in(&self) -> bool {
        sign_in::exposure(self).is_none()
    }
}
