//! The views against the logs: built anew next to those that are served, and compared.

use std::fmt::Write;

use super::Finding;
use crate::engine::{Engine, EngineError, ViewsCompared};
use crate::view::Comparison;

/// Builds the views anew from the logs, compares every record with those that are served, and
/// removes them again. Nothing may be written meanwhile. `progress` is told how many events are
/// done, and how many there are.
///
/// # Errors
///
/// [`EngineError::Busy`] while a rebuild runs; those of the logs and the disk.
pub fn verify_views(engine: &Engine, progress: impl Fn(u64, u64)) -> Result<Finding, EngineError> {
    let (events, accesses, comparison) = match engine.compare_views(progress)? {
        ViewsCompared::Traces { charts } => {
            let detail = format!(
                "not compared: the views still have traces of {charts} erased charts, until \
                 `chartlog rebuild` or the server makes them anew"
            );
            return Ok(Finding::note("views", detail));
        }
        ViewsCompared::With { events, accesses, comparison } => (events, accesses, comparison),
    };
    Ok(match comparison {
        Comparison::Same { records } => Finding::holds(
            "views",
            format!(
                "{records} records, all as they follow from {events} events and {accesses} access entries"
            ),
        ),
        Comparison::Differs { keyspace, key, problem } => {
            let key = key.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
            let what = format!(
                "keyspace {keyspace}, key {key}: {problem}; `chartlog rebuild` makes the views \
                 anew from the logs"
            );
            Finding::altered("views", what)
        }
    })
}
