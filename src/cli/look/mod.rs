//! Looking into the past from a terminal: one file per command.
//!
//! In: answers of the HTTP API, which decides what is seen and records who looked; a store that no server has open is
//! served to the command itself meanwhile. Out: lines for people, in colour on a terminal, or JSON for programs. What a
//! chart says is told to the digit, and nothing in it can command a terminal.
//!
//! `element` compares resources, `event` is an event as the API tells it, `page` writes. Never: opening a log, a
//! decision about who may see what.

mod blame;
mod chart;
mod diff;
mod element;
mod event;
mod log;
mod page;
mod show;

pub use blame::blame;
pub use chart::chart;
pub use diff::diff;
pub use log::log;
pub use show::show;

use super::agent::Way;
use super::ask::Asked;
use super::{Failure, LookArguments, LookAt, operator, private};
use crate::config::LogConfig;
use crate::engine::DirectoryError;
use crate::telemetry;

/// What the operator of a store may do with it by looking.
const SCOPES: &str = "system/*.rs";

/// Looks where the arguments say.
///
/// # Errors
///
/// [`Failure`]: no store or no server there, or that of the look itself.
pub fn through(
    arguments: &LookArguments,
    look: impl FnOnce(&Asked) -> Result<(), Failure> + Send + 'static,
) -> Result<(), Failure> {
    if let LookAt::Server { url, token } = arguments.at()? {
        return look(&Asked::new(&url, &token, &Way::of(&arguments.tls)?));
    }
    let config = super::load(&arguments.overrides())?.config;
    let data = &config.store.data;
    if !data.join("log").is_dir() {
        return Err(Failure::failed(DirectoryError::Missing(data.clone())));
    }
    // What a server would tell of its doings is of no use to who looks.
    let log = LogConfig { filter: "warn".to_owned(), traces: None, ..config.log.clone() };
    let _telemetry = telemetry::init(&log).map_err(Failure::failed)?;
    let operator = (operator::OPERATOR, SCOPES);
    private::with_store(config, operator, move |url, token, _| {
        look(&Asked::new(url, token, &Way::to_self()))
    })
}
