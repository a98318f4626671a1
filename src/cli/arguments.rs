//! The grammar of the command line.

mod audit;
mod help;
mod look;
mod operations;
mod setup;

pub use audit::{AuditCommand, AuditExportArguments, ExportForm, ProvedLog};
pub use look::{
    BlameArguments, ChartArguments, DiffArguments, LogArguments, LookArguments, LookAt,
    ShowArguments,
};
pub use operations::{
    BackupArguments, BackupFrom, ExportArguments, PolicyCheckArguments, PolicyCommand,
    RestoreArguments, StatsArguments, UpcastArguments, VaultCommand, VaultImportArguments,
};
pub use setup::{CompletionsArguments, DoctorArguments, ManArguments};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};

use self::help::{CONFIG_HELP, DONE_OR_NOT, EXIT_CODES, IMPORT_HELP, SERVE_HELP, VERIFY_HELP};
use super::Failure;
use crate::config::{Override, Overrides, option_help, parse_duration};

/// A health record server that keeps each patient's chart as a log and speaks FHIR R4
#[derive(Debug, Parser)]
#[command(name = "chartlog", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(ServeArguments),
    /// Print a token signed with the store's own key, for development
    Token(TokenArguments),
    /// Load FHIR resources and Bundles from files
    Import(ImportArguments),
    /// Build the views anew from the logs of a store that no server has open
    Rebuild(RebuildArguments),
    /// Erase a patient's chart in a store that no server has open
    Erase(EraseArguments),
    /// Dispose of access entries that were kept long enough, in a store that no server has open
    Dispose(DisposeArguments),
    /// Verify that a data directory, a bundle of evidence, or an audit export is what was written and signed
    Verify(VerifyArguments),
    /// Print the events of the log, a line each
    Log(LogArguments),
    /// Print one event of the log
    Show(ShowArguments),
    /// Print what a chart holds, or held
    Chart(ChartArguments),
    /// Print what changed in a chart between two states, element by element
    Diff(DiffArguments),
    /// Print which event set each element of a resource
    Blame(BlameArguments),
    /// Try upcasters on all events of a store that no server has open
    Upcast(UpcastArguments),
    /// See what policies decide
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// See who looked
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy the logs of a store to another place, also while it is served
    Backup(BackupArguments),
    /// Make a data directory from a backup
    Restore(RestoreArguments),
    /// Keep the keys of a store at another place, encrypted
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Count what a store holds, also while it is served
    Stats(StatsArguments),
    /// Write the OpenAPI document
    Openapi(OpenapiArguments),
    /// Print the configuration in force and where each value comes from
    Config(ConfigArguments),
    /// Examine configuration, keys, disk, clock and network, and say what to do
    Doctor(DoctorArguments),
    /// Print what a shell completes
    Completions(CompletionsArguments),
    /// Write the pages of the manual
    Man(ManArguments),
}

/// Arguments of `chartlog serve`.
#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub struct ServeArguments {
    /// Everything about `serve` is a setting.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Arguments of `chartlog config`.
#[derive(Debug, Args)]
#[command(after_help = CONFIG_HELP)]
pub struct ConfigArguments {
    /// Print a commented file of all settings at their defaults instead
    #[arg(long)]
    pub example: bool,
    /// The same options as of `serve`, to see their effect.
    #[command(flatten)]
    pub settings: SettingArguments,
}

/// Arguments of `chartlog token`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct TokenArguments {
    /// Who the token is for: its `sub`
    #[arg(long, value_name = "NAME")]
    pub sub: String,
    /// What it allows: SMART scopes separated by spaces, such as "user/*.cruds"
    #[arg(long, value_name = "SCOPES")]
    pub scope: String,
    /// The only patient whose chart patient/ scopes open
    #[arg(long, value_name = "ID")]
    pub patient: Option<String>,
    /// The resource that stands for them, such as Practitioner/1: `fhirUser`
    #[arg(long, value_name = "TYPE/ID")]
    pub fhir_user: Option<String>,
    /// Their role: `role`
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Their organisation, such as Organization/1: `organization`
    #[arg(long, value_name = "NAME")]
    pub organization: Option<String>,
    /// The application: `client_id`
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// What they look for, such as TREAT: `purpose_of_use`
    #[arg(long, value_name = "CODE")]
    pub purpose: Option<String>,
    /// How long it is valid: 30s, 15m, 12h, 7d
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = parse_duration)]
    pub ttl: Duration,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub struct ImportArguments {
    /// Files, or folders of files: .json, .ndjson, .json.gz, .ndjson.gz
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// File for the report of what was refused and why, if anything was
    /// [default: chartlog-import-refused.ndjson]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Requests sent at the same time; with 1, everything is stored in the order of the files
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u16).range(1..=64))]
    pub parallel: u16,
    /// Import into the store in this directory, which no server may have open
    #[arg(long, value_name = "DIR", help_heading = "Where to (one of)")]
    data: Option<String>,
    /// Import into a running server
    #[arg(long, value_name = "URL", help_heading = "Where to (one of)")]
    server: Option<String>,
    /// Token for the server; better given as CHARTLOG_TOKEN, which other users cannot see
    #[arg(
        long,
        env = "CHARTLOG_TOKEN",
        hide_env = true,
        hide_env_values = true,
        help_heading = "Where to (one of)"
    )]
    token: Option<Secret>,
    /// How the server is known.
    #[command(flatten)]
    pub tls: TlsArguments,
    #[command(flatten)]
    file: FileArguments,
}

/// Arguments of `chartlog rebuild`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct RebuildArguments {
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog erase`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct EraseArguments {
    /// Id of the Patient whose chart is to be erased
    #[arg(long, value_name = "ID")]
    pub patient: String,
    /// Why; stands in the certificate, so name nobody
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The legal basis, such as "GDPR Art. 17(1)(b)"; stands in the certificate
    #[arg(long, value_name = "TEXT")]
    pub basis: String,
    /// Also purge the index terms now, not when the server next may
    #[arg(long)]
    pub purge_now: bool,
    /// Only tell what would be erased
    #[arg(long)]
    pub dry_run: bool,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog dispose`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct DisposeArguments {
    /// Only tell what is due
    #[arg(long)]
    pub dry_run: bool,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Which store a command is about.
#[derive(Debug, Args)]
pub struct StoreArguments {
    #[arg(long, value_name = "DIR", help = option_help("store.data"), help_heading = "Store")]
    data: Option<String>,
    #[command(flatten)]
    file: FileArguments,
}

/// Where an import goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportTarget {
    /// Into the store that `store.data` of the configuration names.
    Store,
    /// Into a running server.
    Server {
        /// The server's address.
        url: String,
        /// The bearer token to send.
        token: Secret,
    },
}

/// Arguments of `chartlog verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub struct VerifyArguments {
    /// Verify this evidence bundle and nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "checkpoints", "open", "views"])]
    pub bundle: Option<PathBuf>,
    /// Verify this audit export with proof and nothing else: that it holds every entry of its period
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["bundle", "data", "checkpoints", "open", "views"]
    )]
    pub export: Option<PathBuf>,
    /// Public key of a log, kept away from the data directory; may be given for each log
    #[arg(long = "key", value_name = "VKEY")]
    pub keys: Vec<String>,
    /// Checkpoint kept from earlier: the log must still begin with all that it signed; may be
    /// repeated
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub checkpoints: Vec<PathBuf>,
    /// Also make the views anew from the logs and compare every record; no server may have the store
    /// open, and it is opened as a server does
    #[arg(long)]
    pub views: bool,
    /// Open every frame too, with the master key, and check what it committed to
    #[arg(long)]
    pub open: bool,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog openapi`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct OpenapiArguments {
    /// File to write, instead of stdout; one that exists is not replaced
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How a server that speaks TLS is known, and what is shown to it.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArguments {
    /// PEM file with the authorities that certify the server [default: the public ones]
    #[arg(long, value_name = "FILE", requires = "server")]
    pub ca_file: Option<PathBuf>,
    /// PEM file with the certificate chain that is shown to the server, if it asks for one
    #[arg(long, value_name = "FILE", requires = "server", requires = "key_file")]
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    pub key_file: Option<PathBuf>,
}

/// The configuration file, and any setting by its key.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub struct FileArguments {
    /// Configuration file [default: config/chartlog.toml, if it exists] [env: CHARTLOG_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any setting by its key, such as limits.page_size_max=500; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<Override>,
}

/// The settings that have an option of their own.
#[derive(Debug, Args)]
pub struct SettingArguments {
    #[arg(long, value_name = "ADDR", help = option_help("server.listen"), help_heading = "Server")]
    listen: Option<String>,
    #[arg(long, value_name = "URL", help = option_help("server.public_url"), help_heading = "Server")]
    public_url: Option<String>,
    #[arg(long, value_name = "N", help = option_help("server.workers"), help_heading = "Server")]
    workers: Option<String>,
    #[arg(long, value_name = "DIR", help = option_help("store.data"), help_heading = "Store")]
    data: Option<String>,
    #[arg(long, value_name = "FORMAT", help = option_help("log.format"), help_heading = "Log")]
    log_format: Option<String>,
    #[arg(long, value_name = "FILTER", help = option_help("log.filter"), help_heading = "Log")]
    log_filter: Option<String>,
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        help = option_help("demo.enabled"),
        help_heading = "Demo"
    )]
    demo: Option<String>,
    #[arg(long, value_name = "N", help = option_help("demo.patients"), help_heading = "Demo")]
    demo_patients: Option<String>,
    #[arg(long, value_name = "S", help = option_help("demo.seed"), help_heading = "Demo")]
    demo_seed: Option<String>,
    #[command(flatten)]
    file: FileArguments,
}

impl SettingArguments {
    /// What these arguments say about the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        self.file.overrides([
            ("server.listen", "--listen", &self.listen),
            ("server.public_url", "--public-url", &self.public_url),
            ("server.workers", "--workers", &self.workers),
            ("store.data", "--data", &self.data),
            ("log.format", "--log-format", &self.log_format),
            ("log.filter", "--log-filter", &self.log_filter),
            ("demo.enabled", "--demo", &self.demo),
            ("demo.patients", "--demo-patients", &self.demo_patients),
            ("demo.seed", "--demo-seed", &self.demo_seed),
        ])
    }
}

impl StoreArguments {
    /// What these arguments say about the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        self.file.overrides([("store.data", "--data", &self.data)])
    }
}

impl ImportArguments {
    /// What these arguments say about the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        self.file.overrides([("store.data", "--data", &self.data)])
    }

    /// Where to import to.
    ///
    /// # Errors
    ///
    /// When not exactly one of `--data` and `--server` is given, or a server without a token.
    pub fn target(&self) -> Result<ImportTarget, Failure> {
        let token = self.token.clone().filter(|token| !token.expose().is_empty());
        match (&self.data, &self.server, token) {
            (Some(_), None, _) => Ok(ImportTarget::Store),
            (None, Some(url), Some(token)) => Ok(ImportTarget::Server { url: url.clone(), token }),
            (None, Some(url), None) => Err(Failure::usage(format!(
                "{url} wants to know who imports: give a token in CHARTLOG_TOKEN or with --token \
                 (`chartlog token` prints one for development)"
            ))),
            (None, None, _) => Err(Failure::usage(
                "import needs to know where to: --data DIR for a store that no server has open, \
                 or --server URL for a running server",
            )),
            (Some(_), Some(_), _) => Err(Failure::usage(
                "import goes to one place: give either --data DIR or --server URL, not both",
            )),
        }
    }
}

impl FileArguments {
    fn overrides<const COUNT: usize>(
        &self,
        named: [(&str, &str, &Option<String>); COUNT],
    ) -> Overrides {
        let named = named.into_iter().filter_map(|(key, flag, text)| {
            let (key, flag) = (key.to_owned(), flag.to_owned());
            text.clone().map(|text| Override { flag, key, text })
        });
        let file = self.config.clone();
        let settings = self.set.iter().cloned().chain(named).collect();
        Overrides { file, settings }
    }
}

fn key_and_value(set: &str) -> Result<Override, &'static str> {
    let (key, text) =
        set.split_once('=').ok_or("write KEY=VALUE, such as limits.page_size_max=500")?;
    let (key, text) = (key.to_owned(), text.to_owned());
    let flag = format!("--set {key}");
    Ok(Override { flag, key, text })
}

/// A text that must not be shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(********)")
    }
}
