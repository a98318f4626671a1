//! The arguments of the commands that look after a store.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::help::DONE_OR_NOT;
use super::{Secret, StoreArguments, TlsArguments};
use crate::backup::Until;
use crate::cli::Failure;
use crate::clock::Instant;

const BACKUP_HELP: &str = "\
The backup is a directory laid out like a data directory, with both logs and no keys: keep those
with `chartlog vault export`. A second backup into the same directory fetches only what is new. A
backup that is interrupted leaves the one before it as it was; the same command takes it up again.

With --server, the token needs a scope that names Backup, such as system/Backup.r; * is not enough.

Exit codes:
  0  done
  1  failed; a backup that was there is as it was
  2  the command line is wrong; nothing was done";

const RESTORE_HELP: &str = "\
Everything is checked on the way: each group, the order, the times, and that the log has the root
that was signed. Views and tiles come back at the first start. The keys come from
`chartlog vault import`, before or after.

With --to, the later commits and access entries are left out. That is another history than the one
that was signed: the logs get a new name, and the old checkpoint is left out.

Exit codes:
  0  done
  1  failed; the directory holds no log
  2  the command line or the configuration is wrong; nothing was done";

const EXPORT_HELP: &str = "\
A pair of keys for the escrow, of which only the public one need be near the server:

  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out escrow.pem
  openssl pkey -in escrow.pem -pubout -out escrow-public.pem

The file is a JWE (RFC 7516, RSA-OAEP-256, A256GCM), which other programs can open too. Make a new
one after each erasure, and destroy the older ones: with one of those and an older backup, the
erased chart could be read.

Exit codes:
  0  done
  1  failed: what is wrong, and where, is on stderr
  2  the command line or the configuration is wrong; nothing was done";

/// Arguments of `chartlog backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_HELP)]
pub struct BackupArguments {
    /// Directory of the backup: an empty one, or one with an earlier backup of the same store
    #[arg(value_name = "DEST")]
    pub destination: PathBuf,
    /// Copy from this data directory, whether a server has it open or not
    #[arg(long, value_name = "DIR", help_heading = "Where from (one of)")]
    data: Option<PathBuf>,
    /// Copy from a running server
    #[arg(long, value_name = "URL", help_heading = "Where from (one of)")]
    server: Option<String>,
    /// Token for the server; better given as CHARTLOG_TOKEN, which other users cannot see
    #[arg(
        long,
        env = "CHARTLOG_TOKEN",
        hide_env = true,
        hide_env_values = true,
        help_heading = "Where from (one of)"
    )]
    token: Option<Secret>,
    /// How the server is known.
    #[command(flatten)]
    pub tls: TlsArguments,
}

/// Where a backup is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFrom {
    /// A data directory.
    Directory(PathBuf),
    /// A running server.
    Server {
        /// Its address.
        url: String,
        /// The bearer token to send.
        token: Secret,
    },
}

impl BackupArguments {
    /// Where to take the backup from.
    ///
    /// # Errors
    ///
    /// When not exactly one of `--data` and `--server` is given, or a server without a token.
    pub fn from(&self) -> Result<BackupFrom, Failure> {
        let token = self.token.clone().filter(|token| !token.expose().is_empty());
        match (&self.data, &self.server, token) {
            (Some(data), None, _) => Ok(BackupFrom::Directory(data.clone())),
            (None, Some(url), Some(token)) => Ok(BackupFrom::Server { url: url.clone(), token }),
            (None, Some(url), None) => Err(Failure::usage(format!(
                "{url} wants to know who takes a backup: give a token in CHARTLOG_TOKEN or with \
                 --token, with the scope system/Backup.r"
            ))),
            _ => Err(Failure::usage(
                "a backup comes from one place: give either --data DIR or --server URL",
            )),
        }
    }
}

/// Arguments of `chartlog restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_HELP)]
pub struct RestoreArguments {
    /// Directory of the backup
    #[arg(value_name = "SRC")]
    pub source: PathBuf,
    /// Leave out what came later: a time such as 2026-02-28T12:00:00Z, or the position of the last
    /// event to keep; no commit is kept in part
    #[arg(long, value_name = "TIME|POSITION", value_parser = until)]
    pub to: Option<Until>,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

fn until(text: &str) -> Result<Until, &'static str> {
    if let Ok(position) = text.parse() {
        return Ok(Until::Position(position));
    }
    let moment = Instant::parse(text).map(Until::Moment);
    moment.ok_or("write a position such as 4711, or a time such as 2026-02-28T12:00:00Z")
}

/// What to do with the keys of a store.
#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Write all keys to a file that only the owner of a private key can open
    Export(ExportArguments),
    /// Bring exported keys into a data directory that has none
    Import(VaultImportArguments),
}

/// Arguments of `chartlog vault export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArguments {
    /// RSA public key of whoever keeps the keys: 2048 bits or more, PEM
    #[arg(long, value_name = "PUBLIC.pem")]
    pub recipient: PathBuf,
    /// File to write; one that exists is not replaced
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog vault import`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct VaultImportArguments {
    /// File that `chartlog vault export` wrote
    #[arg(value_name = "FILE")]
    pub input: PathBuf,
    /// RSA private key that belongs to the recipient's public key: PKCS#8, PEM, not encrypted
    #[arg(long, value_name = "KEY.pem")]
    pub private_key: PathBuf,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// Arguments of `chartlog stats`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct StatsArguments {
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check policies, and say what they decide in cases, and which of them decided
    Check(PolicyCheckArguments),
    /// Print the schema of policies: all that they may ask about
    #[command(after_help = DONE_OR_NOT)]
    Schema,
}

const POLICY_CHECK_HELP: &str = "\
A case names a caller, an action, a resource and a moment; docs/policies.md shows one. Without a
file, those of DIR are taken, *.test.toml.

Exit codes:
  0  the policies are right, and all cases are decided as they say
  1  a case is decided otherwise: stdout says which, and by which policy
  2  a policy or a case is wrong (file and line are on stderr), or the command line is";

/// Arguments of `chartlog policy check`.
#[derive(Debug, Args)]
#[command(after_help = POLICY_CHECK_HELP)]
pub struct PolicyCheckArguments {
    /// Directory with policies, *.cedar
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Files with cases
    #[arg(value_name = "FILE")]
    pub cases: Vec<PathBuf>,
}

const UPCAST_HELP: &str = "\
Nothing is changed, and nothing is put in force: for that, set store.upcasters. Of a store that is
served, try them on a backup that was restored to another place.

Exit codes:
  0  they can be put in force
  1  they cannot be carried out on some events, or make what is there already: stdout says which
  2  a file is wrong (its line and event are on stderr), or the command line is; nothing was read";

/// Arguments of `chartlog upcast`.
#[derive(Debug, Args)]
#[command(after_help = UPCAST_HELP)]
pub struct UpcastArguments {
    /// Directory with upcasters, *.toml
    #[arg(value_name = "DIR")]
    pub upcasters: String,
    /// Show what would change, on how many events, with samples
    #[arg(long, required = true)]
    pub dry_run: bool,
    /// Most samples of each file
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub samples: usize,
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArguments,
}
