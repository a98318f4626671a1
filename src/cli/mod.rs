//! The command line: one file per command.
//!
//! In: the arguments and the environment of the process. Out: an exit code, and for anything but
//! success a clear message on stderr. Arguments become a [`Config`](crate::config::Config) here,
//! once, before a command starts; a command gets what it needs and never reads the environment.

mod agent;
mod arguments;
mod ask;
mod audit;
mod backup;
mod completions;
mod config;
mod dispose;
mod doctor;
mod erase;
mod import;
mod look;
mod man;
mod notices;
mod notify;
mod openapi;
mod operator;
mod out;
mod policy;
mod private;
mod progress;
mod rebuild;
mod restore;
mod serve;
mod served;
mod stats;
mod token;
mod upcast;
mod upcasters;
mod vault;
mod verify;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;

pub use arguments::{
    Arguments, AuditCommand, AuditExportArguments, BackupArguments, BackupFrom, BlameArguments,
    ChartArguments, Command, CompletionsArguments, ConfigArguments, DiffArguments,
    DisposeArguments, DoctorArguments, EraseArguments, ExportArguments, ExportForm,
    ImportArguments, ImportTarget, LogArguments, LookArguments, LookAt, ManArguments,
    OpenapiArguments, PolicyCheckArguments, PolicyCommand, ProvedLog, RebuildArguments,
    RestoreArguments, Secret, ServeArguments, ShowArguments, StatsArguments, TlsArguments,
    TokenArguments, UpcastArguments, VaultCommand, VaultImportArguments, VerifyArguments,
};

use crate::config::{ConfigError, Loaded, Overrides};
use crate::disk;
use crate::policies::SCHEMA;
use crate::telemetry;

/// Runs the command that the command line names.
#[must_use]
pub fn run() -> ExitCode {
    // Whatever a command writes may name patients.
    disk::only_for_owner();
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => dispatch(arguments.command),
        // Also the way of --help and --version, which go to stdout and are no failure.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note(format_args!("chartlog: {}", failure.message));
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Exit code: the command could not do what it was asked to.
const FAILED: u8 = 1;
/// Exit code: the command line or the configuration is wrong; nothing was done.
const USAGE: u8 = 2;
/// Exit code: the import is complete but for resources that were refused.
const REFUSED: u8 = 3;

/// Exit code: something was altered or is missing.
const ALTERED: u8 = 4;

/// Why a command did not succeed: what stderr says, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, where, and what to do, as a sentence without a final stop.
    pub message: String,
    /// The exit code of the process, as listed by `chartlog --help`.
    pub exit_code: u8,
}

impl Failure {
    /// The command could not do what it was asked to.
    pub fn failed(message: impl Display) -> Self {
        Self { message: message.to_string(), exit_code: FAILED }
    }

    /// The command line or the configuration is wrong; nothing was done.
    pub fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), exit_code: USAGE }
    }

    /// The import is complete but for resources that were refused.
    pub fn refused(message: impl Display) -> Self {
        Self { message: message.to_string(), exit_code: REFUSED }
    }

    /// What was verified is not what was written and signed.
    pub fn altered(message: impl Display) -> Self {
        Self { message: message.to_string(), exit_code: ALTERED }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(arguments) => {
            let config = load(&arguments.settings.overrides())?.config;
            let _telemetry = telemetry::init(&config.log).map_err(Failure::failed)?;
            serve::run(config)
        }
        Command::Token(arguments) => {
            token::run(load(&arguments.store.overrides())?.config, arguments)
        }
        Command::Import(arguments) => {
            let config = load(&arguments.overrides())?.config;
            let _telemetry = telemetry::init(&config.log).map_err(Failure::failed)?;
            import::run(config, arguments)
        }
        Command::Rebuild(arguments) => {
            let config = load(&arguments.store.overrides())?.config;
            let _telemetry = telemetry::init(&config.log).map_err(Failure::failed)?;
            rebuild::run(&config)
        }
        Command::Erase(arguments) => {
            let config = load(&arguments.store.overrides())?.config;
            let _telemetry = telemetry::init(&config.log).map_err(Failure::failed)?;
            erase::run(&config, &arguments)
        }
        Command::Dispose(arguments) => {
            let config = load(&arguments.store.overrides())?.config;
            let _telemetry = telemetry::init(&config.log).map_err(Failure::failed)?;
            dispose::run(&config, &arguments)
        }
        Command::Verify(arguments) => match (&arguments.bundle, &arguments.export) {
            (Some(bundle), _) => verify::run_bundle(bundle, &arguments),
            (None, Some(export)) => verify::run_export(export, &arguments),
            (None, None) => verify::run(&load(&arguments.store.overrides())?.config, &arguments),
        },
        Command::Log(arguments) => {
            arguments.at()?;
            looks(|of| &of.look, look::log, arguments)
        }
        Command::Show(arguments) => looks(|of| &of.look, look::show, arguments),
        Command::Chart(arguments) => looks(|of| &of.look, look::chart, arguments),
        Command::Diff(arguments) => looks(|of| &of.look, look::diff, arguments),
        Command::Blame(arguments) => looks(|of| &of.look, look::blame, arguments),
        Command::Policy(PolicyCommand::Check(arguments)) => policy::check(&arguments),
        Command::Policy(PolicyCommand::Schema) => out::hand_over(SCHEMA),
        Command::Audit(AuditCommand::Export(arguments)) => audit::export(&arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => {
            restore::run(&load(&arguments.store.overrides())?.config, &arguments)
        }
        Command::Vault(VaultCommand::Export(arguments)) => {
            vault::export(&load(&arguments.store.overrides())?.config, &arguments)
        }
        Command::Vault(VaultCommand::Import(arguments)) => {
            vault::import(&load(&arguments.store.overrides())?.config, &arguments)
        }
        Command::Stats(arguments) => {
            stats::run(&load(&arguments.store.overrides())?.config, &arguments)
        }
        Command::Upcast(arguments) => {
            upcast::run(&load(&arguments.store.overrides())?.config, &arguments)
        }
        Command::Openapi(arguments) => openapi::run(arguments),
        Command::Doctor(arguments) => {
            doctor::run(load(&arguments.settings.overrides()), &arguments)
        }
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        Command::Config(arguments) if arguments.example => config::run_example(),
        Command::Config(arguments) => config::run(&load(&arguments.settings.overrides())?),
    }
}

/// A command that looks where its arguments say.
fn looks<A: Send + Sync + 'static>(
    of: impl FnOnce(&A) -> &LookArguments,
    look: fn(&ask::Asked, &A) -> Result<(), Failure>,
    arguments: A,
) -> Result<(), Failure> {
    let arguments = std::sync::Arc::new(arguments);
    let theirs = std::sync::Arc::clone(&arguments);
    look::through(of(&arguments), move |server| look(server, &theirs))
}

fn load(overrides: &Overrides) -> Result<Loaded, ConfigError> {
    crate::config::load(overrides, variable, &variables(), |path| std::fs::read_to_string(path))
}

/// The names of all variables of the environment.
fn variables() -> Vec<String> {
    std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}

/// The one place that reads the environment of the process; only `CHARTLOG_TOKEN`, which is no
/// setting, is read by clap.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Command {
        Arguments::try_parse_from(line.split_whitespace()).unwrap().command
    }

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_tells_the_exit_codes() {
        let help = Arguments::command().render_help().to_string();
        for line in [
            "0  done",
            "1  failed",
            "2  the command line or",
            "3  imported, but",
            "4  verified, and",
        ] {
            assert!(help.contains(line), "{help}");
        }
    }

    #[test]
    fn every_option_of_serve_reaches_its_setting() {
        let line = "chartlog serve --listen 127.0.0.1:0 --public-url https://a.example --workers 3 \
                    --data /d --log-format json \
                    --log-filter warn --demo --demo-patients 7 --demo-seed 9 \
                    --set limits.page_size_max=99";
        let Command::Serve(arguments) = parse(line) else { panic!("not serve") };
        let overrides = arguments.settings.overrides();
        let missing = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let config = crate::config::load(&overrides, |_| None, &[], missing).unwrap().config;
        assert_eq!(config.server.listen.port(), 0);
        assert_eq!(config.server.public_url.as_deref(), Some("https://a.example"));
        assert_eq!(config.server.workers, 3);
        assert_eq!(config.store.data, std::path::Path::new("/d"));
        assert_eq!(config.log.format, crate::config::LogFormat::Json);
        assert_eq!(config.log.filter, "warn");
        assert!(config.demo.enabled);
        assert_eq!((config.demo.patients, config.demo.seed), (7, 9));
        assert_eq!(config.limits.page_size_max, 99);
    }

    #[test]
    fn an_import_goes_to_exactly_one_place() {
        let target = |line: &str| match parse(line) {
            Command::Import(arguments) => arguments.target().map_err(|failure| failure.message),
            other => panic!("{other:?}"),
        };
        assert_eq!(target("chartlog import a.json --data d --token t"), Ok(ImportTarget::Store));
        let to_server = target("chartlog import a b --server http://a --token t0ken").unwrap();
        let (url, token) = ("http://a".to_owned(), Secret::from("t0ken".to_owned()));
        assert_eq!(to_server, ImportTarget::Server { url, token });
        assert!(!format!("{to_server:?}").contains("t0ken"));
        for (line, expected) in [
            ("chartlog import a --token t", "where to: --data DIR"),
            ("chartlog import a --data d --server s --token t", "not both"),
            ("chartlog import a --server s --token=", "CHARTLOG_TOKEN or with --token"),
        ] {
            let message = target(line).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_set_without_value_is_refused() {
        let line = ["chartlog", "serve", "--set", "demo.seed"];
        let error = Arguments::try_parse_from(line).unwrap_err().to_string();
        assert!(error.contains("write KEY=VALUE"), "{error}");
    }

    #[test]
    fn a_time_to_live_has_a_unit() {
        let Command::Token(arguments) = parse("chartlog token --sub a --scope b --ttl 7d") else {
            panic!("not token")
        };
        assert_eq!(arguments.ttl.as_secs(), 7 * 24 * 60 * 60);
        let line = "chartlog token --sub a --scope b --ttl 7";
        let error = Arguments::try_parse_from(line.split_whitespace()).unwrap_err().to_string();
        assert!(error.contains("such as 30s, 15m, 12h or 7d"), "{error}");
    }
}
