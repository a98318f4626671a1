//! The arguments of the commands that look into the past.

use clap::Args;

use super::{FileArguments, Secret, TlsArguments};
use crate::cli::Failure;
use crate::config::{Overrides, option_help};
use crate::fhir::{ResourceId, ResourceKey};
use crate::numbers::Position;

const HELP: &str = "\
Looks into the store of --data (or of the configuration), which no server may have open; with --server,
asks a running one. Either way it is recorded in the access log who looked, and at what. The token needs
to read and search what is to be seen, such as user/*.rs.

Colours only on a terminal, and not if NO_COLOR is set.

Exit codes:
  0  done
  1  failed: what is wrong is on stderr
  2  the command line or the configuration is wrong; nothing was done";

/// Where to look, and how to tell it.
#[derive(Debug, Args)]
pub struct LookArguments {
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[arg(long, value_name = "DIR", help = option_help("store.data"), help_heading = "Where (one of)")]
    data: Option<String>,
    /// Ask a running server
    #[arg(long, value_name = "URL", conflicts_with = "data", help_heading = "Where (one of)")]
    server: Option<String>,
    /// Token for the server; better given as CHARTLOG_TOKEN, which other users cannot see
    #[arg(
        long,
        env = "CHARTLOG_TOKEN",
        hide_env = true,
        hide_env_values = true,
        help_heading = "Where (one of)"
    )]
    token: Option<Secret>,
    /// How the server is known.
    #[command(flatten)]
    pub tls: TlsArguments,
    #[command(flatten)]
    file: FileArguments,
}

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookAt {
    /// Into the store that `store.data` of the configuration names.
    Store,
    /// At a running server.
    Server {
        /// Its address.
        url: String,
        /// The bearer token to send.
        token: Secret,
    },
}

impl LookArguments {
    /// What these arguments say about the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        self.file.overrides([("store.data", "--data", &self.data)])
    }

    /// Where to look.
    ///
    /// # Errors
    ///
    /// A server without a token.
    pub fn at(&self) -> Result<LookAt, Failure> {
        let token = self.token.clone().filter(|token| !token.expose().is_empty());
        match (&self.server, token) {
            (None, _) => Ok(LookAt::Store),
            (Some(url), Some(token)) => Ok(LookAt::Server { url: url.clone(), token }),
            (Some(url), None) => Err(Failure::usage(format!(
                "{url} wants to know who looks: give a token in CHARTLOG_TOKEN or with --token, with a \
                 scope such as user/*.rs (`chartlog token` prints one for development)"
            ))),
        }
    }
}

/// Arguments of `chartlog log`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct LogArguments {
    /// Only events in the chart of this patient
    #[arg(long, value_name = "ID")]
    pub patient: Option<ResourceId>,
    /// Only events recorded at this instant or later, such as 2026-02-28T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only about resources of this type, such as Observation; or only events of this type, such as
    /// Observation.amended or removed
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Only events caused by this subject
    #[arg(long, value_name = "SUBJECT")]
    pub actor: Option<String>,
    /// With --server: go on with what comes, until interrupted; without --since, only with that
    #[arg(long)]
    pub follow: bool,
    /// Where to look.
    #[command(flatten)]
    pub look: LookArguments,
}

impl LogArguments {
    /// Where to look.
    ///
    /// # Errors
    ///
    /// As [`LookArguments::at`]; following a store in which nothing can happen meanwhile.
    pub fn at(&self) -> Result<LookAt, Failure> {
        match self.look.at()? {
            LookAt::Store if self.follow => Err(Failure::usage(
                "nothing comes to a store while this command has it open: --follow needs --server URL",
            )),
            at => Ok(at),
        }
    }
}

/// Arguments of `chartlog show`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ShowArguments {
    /// Number of the event in the whole log
    pub position: Position,
    /// Print what the event's frame in the log commits to instead: the envelope on one line, and the
    /// resource as it is stored
    #[arg(long)]
    pub raw: bool,
    /// Where to look.
    #[command(flatten)]
    pub look: LookArguments,
}

/// Arguments of `chartlog chart`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct ChartArguments {
    /// Id of the Patient
    #[arg(value_name = "ID")]
    pub patient: ResourceId,
    /// As a reader had it at this instant, such as 2026-02-28T12:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "version")]
    pub as_of: Option<String>,
    /// As it was after this event of the chart
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
    /// Where to look.
    #[command(flatten)]
    pub look: LookArguments,
}

/// Arguments of `chartlog diff`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct DiffArguments {
    /// Id of the Patient
    #[arg(value_name = "ID")]
    pub patient: ResourceId,
    /// A version of the chart, or an instant; 0 is the empty chart
    pub from: String,
    /// A version of the chart, or an instant; now, if left out
    pub to: Option<String>,
    /// Where to look.
    #[command(flatten)]
    pub look: LookArguments,
}

/// Arguments of `chartlog blame`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct BlameArguments {
    /// Id of the Patient whose chart the resource is, or was, in
    #[arg(value_name = "ID")]
    pub patient: ResourceId,
    /// The resource: Type/id
    #[arg(value_name = "TYPE/ID")]
    pub resource: ResourceKey,
    /// Where to look.
    #[command(flatten)]
    pub look: LookArguments,
}
