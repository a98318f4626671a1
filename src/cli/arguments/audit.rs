//! The arguments of the commands about who looked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Secret, TlsArguments};

const EXPORT_HELP: &str = "\
The token needs AuditEvent.rs on everything by name: the scope user/AuditEvent.rs or system/AuditEvent.rs.

With --format proof, `chartlog verify --export FILE --key VKEY` tells whether the file holds every
entry of the period, offline and with the public key of the access log alone; or, with --log events,
whether it names every commit, with the public key of the log of events. Get these keys from
/v1/log/access/key and /v1/log/events/key on the first day, and keep them elsewhere.

Exit codes:
  0  done
  1  failed; no file was written
  2  the command line is wrong; nothing was done";

/// What to see of who looked.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write all access entries of a period to a file
    Export(AuditExportArguments),
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// An entry on each line, as JSON
    Ndjson,
    /// For spreadsheets
    Csv,
    /// FHIR AuditEvents, one on each line
    Fhir,
    /// The frames of the log, with the proof that none is missing
    Proof,
}

/// Of which log there shall be proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProvedLog {
    /// Who looked: each frame, with what it says
    Access,
    /// Who wrote: where each commit stands, and nothing of what it says
    Events,
}

/// Arguments of `chartlog audit export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct AuditExportArguments {
    /// The running server
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Token for the server; better given as CHARTLOG_TOKEN, which other users cannot see
    #[arg(long, env = "CHARTLOG_TOKEN", hide_env = true, hide_env_values = true)]
    pub token: Option<Secret>,
    /// How the server is known.
    #[command(flatten)]
    pub tls: TlsArguments,
    /// How to write them
    #[arg(long, value_enum, default_value_t = ExportForm::Ndjson)]
    pub format: ExportForm,
    /// With --format proof: which log
    #[arg(long, value_enum, default_value_t = ProvedLog::Access)]
    pub log: ProvedLog,
    /// Not before this instant, such as 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this instant; now if left out
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only these entries: any filter of GET /v1/accesses, such as patient=p1 or outcome=refused; may be
    /// repeated
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = filter)]
    pub filters: Vec<(String, String)>,
    /// With --format proof and --log access: without what the frames say, only that they are all there
    #[arg(long)]
    pub sealed: bool,
    /// File to write, instead of stdout; one that exists is not replaced
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn filter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as patient=p1")?;
    Ok((name.to_owned(), value.to_owned()))
}
