//! What is written to the log of the process (not the log of events).

use serde::{Deserialize, Serialize};

/// The part `[log]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The format of a line.
    pub format: LogFormat,
    /// Which lines are written, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// Address of a collector of traces, OTLP over HTTP; none gets any without it.
    pub traces: Option<String>,
}

/// The format of a line of the process's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info,actix_server=warn,fjall=warn,lsm_tree=warn".to_owned(),
            traces: None,
        }
    }
}
