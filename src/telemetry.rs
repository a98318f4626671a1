//! The log of the process: what goes to stderr, for operators.
//!
//! In: [`LogConfig`]. Out: a subscriber for every `tracing` event of the process, as text or as one
//! JSON object per line. Never: stdout, which belongs to the answers of commands, and never a token
//! or the body of a resource; code that logs keeps those out.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogConfig, LogFormat};

/// The client of NATS tells of each attempt to connect; what comes of them is told here, once. A filter may ask for it.
const QUIET: &str = "async_nats=off";

/// Starts writing the log of the process; once per process.
///
/// # Errors
///
/// When the filter is not in the syntax of [`EnvFilter`], or a subscriber is already there.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .map_err(|source| TelemetryError::Filter { filter: config.filter.clone(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // It would tell of lines that cannot be written by a panic.
    let lines = lines.log_internal_errors(false);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        // The request's span holds its id; the spans around it would only repeat it.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}

/// Why the log of the process cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error("log.filter is {filter:?}, which is no list of filters: {source}")]
    Filter {
        /// The filter as configured.
        filter: String,
        /// The message of the parser.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Another subscriber was installed first.
    #[error("the log of the process is already being written: {0}")]
    Taken(#[from] TryInitError),
}
