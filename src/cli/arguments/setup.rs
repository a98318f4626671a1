//! The arguments of the commands that help to set a server up.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::SettingArguments;
use super::help::DONE_OR_NOT;

const DOCTOR_HELP: &str = "\
Nothing is changed, and a server may run beside it. Run it as the user that the server runs as, with
the options and variables that the server gets.

Exit codes:
  0  nothing must be mended; there may be warnings
  1  something must be mended: stdout says what, and how
  2  the command line is wrong; nothing was examined";

/// Arguments of `chartlog doctor`.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct DoctorArguments {
    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
    /// The same options as of `serve`.
    #[command(flatten)]
    pub settings: SettingArguments,
}

const COMPLETIONS_HELP: &str = "\
For bash, for instance: chartlog completions bash > /etc/bash_completion.d/chartlog

Exit codes:
  0  done
  1  stdout cannot be written
  2  the command line is wrong; nothing was done";

/// Arguments of `chartlog completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct CompletionsArguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `chartlog man`.
#[derive(Debug, Args)]
#[command(after_help = DONE_OR_NOT)]
pub struct ManArguments {
    /// Directory for the pages: chartlog.1, chartlog-serve.1 and so on
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}
