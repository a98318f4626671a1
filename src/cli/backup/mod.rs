//! `chartlog backup`: the logs of a store at another place, also while a server has it open.

mod remote;

use std::fs::{File, TryLockError};
use std::path::Path;

use super::agent::Way;
use super::import::counted;
use super::progress::{self, megabytes};
use super::{BackupArguments, BackupFrom, Failure, out};
use crate::backup::{DirectorySource, Source, Taken, take};
use crate::disk::{self, RealDisk};
use remote::ServerSource;

/// What stands in a backup.
const NAMES: [&str; 5] = ["BACKUP", "FORMAT", "ORIGIN", "log", "proof"];

/// Takes a backup, and prints one line about it.
///
/// # Errors
///
/// [`Failure`]: no store there, damage on the way, another history at the destination, or the
/// server does not allow it.
pub fn run(arguments: &BackupArguments) -> Result<(), Failure> {
    let mut source: Box<dyn Source> = match arguments.from()? {
        BackupFrom::Directory(data) => {
            refuse_within(&arguments.destination, &data)?;
            Box::new(DirectorySource::new(RealDisk::handle(), &data))
        }
        BackupFrom::Server { url, token } => {
            Box::new(ServerSource::new(&url, &token, &Way::of(&arguments.tls)?))
        }
    };
    let _only = lock(&arguments.destination)?;
    let bar = progress::bytes();
    let taken = take(&RealDisk, &mut *source, &arguments.destination, &|done, all| {
        bar.set_length(all.max(done));
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let taken = taken.map_err(Failure::failed)?;
    // Only now is it known to be a backup, and not a directory of something else.
    close_to_others(&arguments.destination)?;
    out::tell(format_args!("{}\n", summary(&taken)))
}

/// A backup within the store that it is of would go down with it.
fn refuse_within(destination: &Path, data: &Path) -> Result<(), Failure> {
    let Ok(data) = data.canonicalize() else { return Ok(()) };
    let known = destination.ancestors().find_map(|above| {
        above.canonicalize().ok().or_else(|| (above == Path::new("")).then(|| ".".into()))
    });
    if known.is_some_and(|known| known.canonicalize().unwrap_or(known).starts_with(&data)) {
        return Err(Failure::usage(format!(
            "{} lies within the data directory: a backup belongs to another place",
            destination.display()
        )));
    }
    Ok(())
}

/// One backup at a time goes into a directory. The lock is on the directory itself, and leaves
/// nothing there.
fn lock(destination: &Path) -> Result<File, Failure> {
    let failed = |error| Failure::failed(format!("{}: {error}", destination.display()));
    disk::create_directory(destination).map_err(failed)?;
    let directory = File::open(destination).map_err(failed)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
            "another backup is being taken into {}",
            destination.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// What an earlier backup, or a copy of one, left open to others than its owner.
fn close_to_others(destination: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::failed(format!("{}: {error}", destination.display()));
    let found = disk::close_to_others(destination, &NAMES).map_err(failed)?;
    for (paths, outcome) in [
        (found.closed, "were open to others than their owner, and are not any more"),
        (found.left, "are open to others and belong to somebody else, who alone can close them"),
    ] {
        if let Some(first) = paths.first() {
            let (count, first) = (paths.len(), first.display());
            out::note(format_args!(
                "chartlog: {count} files and directories {outcome}; the first is {first}"
            ));
        }
    }
    Ok(())
}

fn summary(taken: &Taken) -> String {
    let manifest = &taken.manifest;
    let kept = manifest.bytes().saturating_sub(taken.copied_bytes);
    format!(
        "backup of {} and {}, {}: {} copied, {} were there",
        counted(manifest.events.position, "event"),
        counted(manifest.access.position, "access entry"),
        manifest.taken_at.as_deref().unwrap_or_default(),
        megabytes(taken.copied_bytes),
        megabytes(kept)
    )
}
