//! `chartlog import`: FHIR resources and Bundles from files, through the FHIR API.
//!
//! In: files and folders. Out: requests to a server, a summary on stdout and, when something was
//! refused, a report. An import always speaks HTTP; for `--data` it serves the store to itself.
//!
//! ```text
//!  source ─► read ─► piece ─► batcher ─► queue ─► workers ─► client ─► answer ─► tally ─► summary,
//!  which     bytes,  Bundle or  requests, in        threads    HTTP,     outcome    counts   report
//!  files     lines   resource   keys      order                retries   per resource
//! ```
//!
//! Each request carries an idempotency key made of its content, and the server keeps keys forever:
//! running the same import again, after an interruption or for no reason, stores nothing twice and
//! undoes nothing that was changed since.
//!
//! **Invariant:** a resource whose address is known never overtakes an earlier one of the same
//! address. Never: a token in a message, or more of the files in memory than the queue holds.

mod answer;
mod batcher;
mod client;
mod demo;
mod piece;
mod place;
mod progress;
mod queue;
mod read;
mod report;
mod request;
mod source;
mod tally;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant as Stopwatch;

pub use demo::{LOADER, load_demo, record_demo};
pub use tally::{counted, grouped};

use super::agent::Way;
use super::{Failure, ImportArguments, ImportTarget, out, private};
use crate::config::Config;
use batcher::Batcher;
use client::Client;
use progress::Progress;
use queue::Queue;
use source::Source;
use tally::{Refusal, Tally};
use workers::Workers;

/// Where the report goes when nothing else is said.
const DEFAULT_REPORT: &str = "chartlog-import-refused.ndjson";

/// Who imports into a store that no server has open, as its events name it, and with which scopes.
const IMPORTER: (&str, &str) = ("chartlog-import", "system/*.cruds system/SearchParameter.cud");

/// Imports, and prints a summary.
///
/// # Errors
///
/// [`Failure`]: nothing to import, no way to go on, or some resources were refused.
pub fn run(config: Config, arguments: ImportArguments) -> Result<(), Failure> {
    let target = arguments.target()?;
    let report = arguments.report.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_REPORT));
    // What an earlier import left would pass for what this one refused.
    report::remove(&report).map_err(|error| unwritable(&report, &error))?;
    let sources = source::find(&arguments.paths)?;
    let started = Stopwatch::now();
    let workers = usize::from(arguments.parallel);
    let tally = match target {
        ImportTarget::Server { url, token } => {
            let clients = Client::several(workers, &url, &token, &Way::of(&arguments.tls)?)?;
            import(&sources, clients, &Arc::default())
        }
        ImportTarget::Store => private::with_store(config, IMPORTER, move |url, token, stop| {
            let clients = Client::several(workers, url, token, &Way::to_self())?;
            import(&sources, clients, stop)
        }),
    }?;
    out::tell(tally.summary(started.elapsed()))?;
    if tally.refusals().is_empty() {
        return Ok(());
    }
    report::write(&report, tally.refusals()).map_err(|error| unwritable(&report, &error))?;
    let refused = tally::grouped(tally.refused());
    Err(Failure::refused(format!("{refused} refused; {} says what and why", report.display())))
}

fn unwritable(report: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}; --report names another file", report.display()))
}

/// Sends everything, and then, as long as that helps, what was refused for want of something that
/// may have come later.
fn import(
    sources: &[Source],
    clients: Vec<Client>,
    stop: &Arc<AtomicBool>,
) -> Result<Tally, Failure> {
    let progress = Progress::new(source::bytes(sources));
    let workers = Workers::new(clients, Arc::clone(stop), &progress);
    let mut tally = workers.run(|queue| send_all(sources, queue, &progress))?;
    loop {
        let waiting = tally.take_waiting();
        if waiting.is_empty() {
            break;
        }
        let before = tally.accepted();
        let again = workers.run(|queue| waiting.into_iter().try_for_each(|one| queue.send(one)))?;
        tally.add(again);
        if tally.accepted() == before {
            break;
        }
    }
    progress.finish();
    tally.finish();
    Ok(tally)
}

fn send_all(sources: &[Source], queue: &Queue<'_>, progress: &Progress) -> Result<(), Failure> {
    let mut batcher = Batcher::default();
    for source in sources {
        let read = read::documents(source, progress, |place, document| match document {
            Ok(document) => piece::split(&document, &place, &mut |place, piece| match piece {
                Ok(piece) => batcher.add(place, &piece, queue),
                Err(reason) => queue.refuse(Refusal::unread(place, reason)),
            }),
            Err(reason) => queue.refuse(Refusal::unread(place, reason)),
        });
        read?;
        batcher.flush(queue)?;
    }
    Ok(())
}
