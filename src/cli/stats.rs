//! `chartlog stats`: what a store contains, also while a server has it open.

use std::fmt::Write;

use super::import::grouped;
use super::progress::{self, megabytes};
use super::{Failure, StatsArguments, out};
use crate::config::Config;
use crate::disk::RealDisk;
use crate::inspect::{LastCheckpoint, LogPayloads, Stats, stats};
use crate::vault::{MasterKey, MasterKeySource};

/// Prints the statistics of the store.
///
/// # Errors
///
/// [`Failure`]: no store there, or damage in a log.
pub fn run(config: &Config, arguments: &StatsArguments) -> Result<(), Failure> {
    let data = &config.store.data;
    let source: MasterKeySource = config.vault.master_key(data).parse().map_err(Failure::usage)?;
    // Without it, what is in the clear can still be counted.
    let master = MasterKey::load(&RealDisk, &source, super::variable, false).ok();
    let bar = progress::entries();
    let found = stats(&RealDisk::handle(), data, master.map(|(key, _)| key), &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let found = found.map_err(Failure::failed)?;
    if arguments.json { out::json(&found) } else { out::tell(summary(&found)) }
}

fn summary(stats: &Stats) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<24}{value:>16}");
    };
    for (name, count) in [
        ("events", stats.events),
        ("commits", stats.commits),
        ("access entries", stats.access_entries),
        ("charts", stats.charts),
        ("  erased", stats.erased_charts),
    ] {
        line(name, grouped(count));
    }
    let bytes = &stats.bytes;
    for (name, size) in [
        ("log of events", bytes.log_events),
        ("log of accesses", bytes.log_access),
        ("tiles and checkpoints", bytes.proof),
        ("views", bytes.views),
        ("vault", bytes.vault),
        ("other", bytes.other),
        ("all", bytes.total),
    ] {
        line(name, megabytes(size));
    }
    line("log bytes per event", format!("{:.0}", stats.log_bytes_per_event));
    if let Some(payloads) = &stats.payloads {
        line("events in plain", plain(&payloads.events));
        line("accesses in plain", plain(&payloads.access));
        let sample = &payloads.sample;
        line("sample of payloads", grouped(sample.payloads));
        line("  in plain", megabytes(sample.plain_bytes));
        line("  stored", megabytes(sample.stored_bytes));
        line("  without dictionaries", megabytes(sample.without_dictionaries_bytes));
    }
    let epochs: Vec<String> = stats.epochs.iter().map(ToString::to_string).collect();
    line("epoch", epochs.join(", "));
    line("origin", stats.origin.clone().unwrap_or_default());
    line("checkpoint of events", checkpoint(stats.events_checkpoint.as_ref()));
    line("checkpoint of accesses", checkpoint(stats.access_checkpoint.as_ref()));
    if stats.payloads.is_none() {
        text.push_str("The master key is not to be had here: payloads were not opened\n");
    }
    text
}

fn plain(payloads: &LogPayloads) -> String {
    format!("{}, {:.1} times what is stored", megabytes(payloads.plain_bytes), payloads.ratio)
}

fn checkpoint(checkpoint: Option<&LastCheckpoint>) -> String {
    checkpoint.map_or_else(
        || "none".to_owned(),
        |checkpoint| format!("{} entries, {}", grouped(checkpoint.size), checkpoint.written_at),
    )
}
