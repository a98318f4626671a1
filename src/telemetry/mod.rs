//! The log of the process: what goes to stderr, for operators. And spans for a collector of traces, if there is one.
//!
//! In: [`LogConfig`]. Out: a subscriber for every `tracing` event of the process, as text or as one
//! JSON object per line. Never: stdout, which belongs to the answers of commands, and never a token
//! or the body of a resource; code that logs keeps those out.

#[cfg(feature = "otlp")]
mod traces;

use std::io::{self, IsTerminal};

use tracing::Span;
use tracing_subscriber::EnvFilter;
#[cfg(feature = "otlp")]
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{LogConfig, LogFormat};

/// The client of NATS tells of each attempt to connect; what comes of them is told here, once. A filter may ask for it.
const QUIET: &str = "async_nats=off";

/// The target of spans that are traced, and that no line of the log is about.
pub const TRACE: &str = "chartlog_trace";

/// What the process tells, until this is dropped.
#[must_use = "traces end with it"]
#[derive(Debug, Default)]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<traces::Traces>,
}

/// Starts writing the log of the process, and sending its traces if there is a collector; once per process.
///
/// # Errors
///
/// When the filter is not in the syntax of [`EnvFilter`], when traces cannot be sent, or when a subscriber is already
/// there.
pub fn init(config: &LogConfig) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{},{TRACE}=off", config.filter))
        .map_err(|source| TelemetryError::Filter { filter: config.filter.clone(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // It would tell of lines that cannot be written by a panic.
    let lines = lines.log_internal_errors(false);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        // The request's span holds its id; the spans around it would only repeat it.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    {
        let traces = config.traces.as_deref().map(traces::Traces::start).transpose();
        let traces = traces.map_err(|error| TelemetryError::Traces(error.to_string()))?;
        let spans = traces.as_ref().map(traces::Traces::layer);
        let spans = spans.with_filter(filter_fn(|about| about.target() == TRACE));
        subscriber.with(spans).try_init()?;
        Ok(Telemetry { _traces: traces })
    }
    #[cfg(not(feature = "otlp"))]
    {
        if config.traces.is_some() {
            return Err(TelemetryError::Traces("this program is built without them".to_owned()));
        }
        subscriber.try_init()?;
        Ok(Telemetry::default())
    }
}

/// Puts the span of a request on the trace that its `traceparent` names.
pub fn follow(span: &Span, traceparent: Option<&str>) {
    #[cfg(feature = "otlp")]
    traces::follow(span, traceparent);
    #[cfg(not(feature = "otlp"))]
    let _ = (span, traceparent);
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
    /// There is no way to the collector.
    #[error("log.traces: traces cannot be sent: {0}")]
    Traces(String),
    /// Another subscriber was installed first.
    #[error("the log of the process is already being written: {0}")]
    Taken(#[from] TryInitError),
}
