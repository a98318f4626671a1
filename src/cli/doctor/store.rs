//! The data directory and its keys.

use std::fmt::Display;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::finding::Finding;
use crate::cli::variable;
use crate::clock::Instant;
use crate::config::Config;
use crate::disk::ReadOnlyDisk;
use crate::engine::{check_format_of, read_origin};
use crate::log::{self, LogKind};
use crate::vault::{MasterKey, MasterKeySource, Vault};

const DIRECTORY: &str = "data directory";
const MASTER: &str = "master key";
const VAULT: &str = "keys";
const CLOCK: &str = "clock and log";

/// Bits of a mode that concern others than the owner.
const OTHERS: u32 = 0o077;
/// Longest time that the clock may be behind the log.
const BEHIND_MICROS_MAX: i64 = 1_000_000;

/// Examines the store that the configuration names.
pub fn examine(config: &Config) -> Vec<Finding> {
    let data = &config.store.data;
    if !data.join("log").is_dir() {
        return vec![absent(data)];
    }
    let mut findings = vec![directory(data)];
    findings.extend(keys(config, data));
    findings.push(clock(data));
    findings
}

/// There is no store yet: the first start makes one.
fn absent(data: &Path) -> Finding {
    let shown = data.display();
    match std::fs::read_dir(data).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Finding::fail(
            DIRECTORY,
            format!("{shown} holds no chartlog data, and other files"),
            "name another directory with --data or store.data, or restore a backup there",
        ),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Finding::fail(
            DIRECTORY,
            format!("{shown}: {error}"),
            "run this as the user that the server runs as, and let that user own the directory",
        ),
        _ => Finding::ok(
            DIRECTORY,
            format!("{shown} holds nothing yet; the first start makes a store"),
        ),
    }
}

fn directory(data: &Path) -> Finding {
    let shown = data.display();
    if let Err(error) = check_format_of(data).and_then(|()| read_origin(data).map(drop)) {
        return Finding::fail(
            DIRECTORY,
            error.to_string(),
            "use the program that wrote it, or a newer one",
        );
    }
    let me = rustix::process::geteuid().as_raw();
    match std::fs::metadata(data) {
        Err(error) => Finding::fail(DIRECTORY, format!("{shown}: {error}"), "mend the file system"),
        Ok(facts) if facts.uid() != me => Finding::fail(
            DIRECTORY,
            format!("{shown} belongs to user {}, and this runs as user {me}", facts.uid()),
            "run this and the server as the owner: files that others make there, the server cannot replace",
        ),
        Ok(facts) if facts.mode() & OTHERS != 0 => Finding::warn(
            DIRECTORY,
            format!("{shown} is open to others than its owner (mode {:o})", facts.mode() & 0o7777),
            format!("chmod -R go= {shown}; a server does it when it starts"),
        ),
        Ok(_) => Finding::ok(
            DIRECTORY,
            format!("{shown} is its owner's alone, and of a format that is read"),
        ),
    }
}

/// The master key, where it lies, and whether it opens the vault.
fn keys(config: &Config, data: &Path) -> Vec<Finding> {
    let fail =
        |checked, error: &dyn Display, todo: &str| Finding::fail(checked, error.to_string(), todo);
    let source: MasterKeySource = match config.vault.master_key(data).parse() {
        Ok(source) => source,
        Err(error) => return vec![fail(MASTER, &error, "mend vault.master_key")],
    };
    let master = match MasterKey::load(&ReadOnlyDisk, &source, variable, false) {
        Ok((master, _)) => master,
        Err(error) => {
            let todo = "bring the key back to where vault.master_key says, or the keys from escrow: \
                        chartlog vault import";
            return vec![fail(MASTER, &error, todo)];
        }
    };
    let vault = Vault::open(ReadOnlyDisk::handle(), &data.join("vault"), master, false, true);
    let vault = vault.and_then(|vault| Ok((vault.epoch()?, vault.is_between_epochs())));
    let vault = match vault {
        Ok((epoch, false)) => Finding::ok(VAULT, format!("the master key opens epoch {epoch}")),
        Ok((epoch, true)) => Finding::warn(
            VAULT,
            format!("an erasure was begun and not finished (epoch {epoch})"),
            "start the server: it finishes the erasure",
        ),
        Err(error) => {
            fail(VAULT, &error, "use the master key of this store, or bring the vault back")
        }
    };
    vec![place(&source, data), vault]
}

/// Where the master key lies.
fn place(source: &MasterKeySource, data: &Path) -> Finding {
    let MasterKeySource::File(path) = source else {
        return Finding::ok(MASTER, "it can be had, and is in no file of this store");
    };
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => Finding::fail(MASTER, format!("{shown}: {error}"), "mend the file system"),
        Ok(facts) if facts.mode() & OTHERS != 0 => Finding::fail(
            MASTER,
            format!("{shown} is open to others than its owner (mode {:o})", facts.mode() & 0o7777),
            format!("chmod go= {shown}; who may have read it can open the logs"),
        ),
        Ok(_) if path.starts_with(data) => Finding::warn(
            MASTER,
            format!("{shown} lies within the data directory: a copy of the directory opens itself"),
            "move it, name it in vault.master_key, and keep a copy elsewhere (docs/operations.md)",
        ),
        Ok(_) => Finding::ok(MASTER, format!("{shown} is its owner's alone")),
    }
}

/// Whether the clock is ahead of the last group of both logs, as it must be.
fn clock(data: &Path) -> Finding {
    let last = |kind: LogKind| {
        let folder = data.join("log").join(kind.name());
        log::survey(&ReadOnlyDisk, &folder, kind).map(|survey| survey.recorded_at)
    };
    let both = last(LogKind::Events).and_then(|events| Ok(events.max(last(LogKind::Access)?)));
    let now = Instant::now();
    match both {
        Err(error) => Finding::fail(
            CLOCK,
            error.to_string(),
            "chartlog verify says more; restore a backup if the log is damaged",
        ),
        Ok(i64::MIN) => Finding::ok(CLOCK, "nothing is recorded yet"),
        Ok(last) if last > now.micros().saturating_add(BEHIND_MICROS_MAX) => Finding::fail(
            CLOCK,
            format!("the log ends at {}, and the clock says {now}", Instant::from_micros(last)),
            "set the clock: what is recorded now would bear the time of the last group for as long as \
             that lies ahead",
        ),
        Ok(last) => Finding::ok(
            CLOCK,
            format!(
                "the clock is behind nothing that is recorded; the last at {}",
                Instant::from_micros(last)
            ),
        ),
    }
}
