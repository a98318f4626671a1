//! `chartlog upcast --dry-run`: what upcasters would do to all events of a store, before they are put in force.

use std::fmt::Write;

use serde::Serialize;

use super::import::grouped;
use super::served::{engine_options, store};
use super::{Failure, UpcastArguments, operator, out, progress, upcasters};
use crate::chart::{Trial, Tried};
use crate::clock::Instant;
use crate::config::Config;

/// Most ids that are named because they are taken.
const TAKEN_NAMED_MAX: usize = 10;

/// What a trial found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    /// Events of the log that could be read.
    events: u64,
    /// Those that an upcaster is about.
    concerned: u64,
    /// What each file would do.
    files: &'a [Tried],
    /// Resources that would be made, and are there already: how many.
    taken: u64,
    /// The first of them, each with the position of the event that it would be made of.
    taken_samples: Vec<Taken>,
}

/// A resource that would be made of an event, and is there already.
#[derive(Serialize)]
struct Taken {
    resource: String,
    position: u64,
}

/// Tries the upcasters of a directory, and prints what they would do.
///
/// # Errors
///
/// [`Failure`]: an upcaster is wrong, no store there, a server has it open, damage in the log; or that they cannot be put in force.
pub fn run(config: &Config, arguments: &UpcastArguments) -> Result<(), Failure> {
    let tried = upcasters::read(&arguments.upcasters)?;
    let store = store(config, &engine_options(config)?)?;
    operator::tell_notices(&store)?;
    let begun_at = Instant::now().micros();
    let mut trial = Trial::new(&tried, arguments.samples);
    let (mut taken, mut taken_samples) = (0, Vec::new());
    let view = store.view();
    let bar = progress::entries();
    bar.set_length(store.engine().applied_position().get());
    let read = store.engine().each_written(|position, envelope, body| {
        bar.set_position(position.get());
        for key in trial.take(envelope, body) {
            // What upcasters that are in force have made is not in the way.
            if view.head(&key)?.is_some_and(|head| head.live && head.id.part() == 0) {
                taken += 1;
                if taken_samples.len() < TAKEN_NAMED_MAX {
                    let position = position.get();
                    taken_samples.push(Taken { resource: key.to_string(), position });
                }
            }
        }
        Ok(())
    });
    bar.finish_and_clear();
    read.map_err(Failure::failed)?;
    // All charts were read.
    let words = format!("upcasters={}&events={}", tried.files().len(), trial.events);
    operator::record(&store, "tryUpcasters", begun_at, words)?;
    let (events, concerned) = (trial.events, trial.concerned);
    let found = Found { events, concerned, files: &trial.files, taken, taken_samples };
    match arguments.json {
        true => out::json(&found)?,
        false => out::tell(summary(&found))?,
    }
    let failed: u64 = trial.files.iter().map(|file| file.failed).sum();
    if failed + taken > 0 {
        return Err(Failure::failed(format!(
            "they cannot be put in force: {} events on which they cannot be carried out, {} resources that are there already",
            grouped(failed),
            grouped(taken)
        )));
    }
    Ok(())
}

fn summary(found: &Found<'_>) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(
        out,
        "{} events, {} of which an upcaster is about",
        grouped(found.events),
        grouped(found.concerned)
    );
    for file in found.files {
        let _ = writeln!(
            out,
            "\n{}\n  looked at {}, changes {}, drops {}, splits {} into {} more, fails on {}",
            file.file,
            grouped(file.looked_at),
            grouped(file.changed),
            grouped(file.dropped),
            grouped(file.split),
            grouped(file.parts),
            grouped(file.failed)
        );
        for failure in &file.failures {
            let _ = writeln!(out, "  ! {failure}");
        }
        for sample in &file.samples {
            let _ = writeln!(out, "  {} {}", sample.event, sample.resource);
            let _ = writeln!(out, "  - {}", sample.before);
            for after in &sample.after {
                let _ = writeln!(out, "  + {after}");
            }
        }
    }
    if found.taken > 0 {
        let _ = writeln!(out, "\n{} resources are there already:", grouped(found.taken));
        for Taken { resource, position } in &found.taken_samples {
            let _ = writeln!(out, "  {resource}, of the event at position {position}");
        }
    }
    out
}
