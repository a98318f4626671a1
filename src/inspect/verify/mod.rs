//! Verifying a data directory from outside: whether it still is what was written and signed.
//!
//! In: the directory, which a server may have open, and whatever the caller holds that whoever could
//! change the directory could not: a public key, older checkpoints. Out: a [`Finding`] for each
//! part, in order. Every byte of both logs is read, every hash of the tiles is computed again from
//! them, and so are the roots that checkpoints promise.
//!
//! Never: changing anything, taking a lock, believing what it can compute.

mod disposals;
mod frames;
mod log;
mod views;
mod walk;

pub use views::verify_views;

use std::path::{Path, PathBuf};

use crate::disk::{self, Disk, ReadOnlyDisk};
use crate::engine::{EngineError, check_format_of, proofs};
use crate::proof::{BundleLog, Checkpoint, Note, ProofError, Verifier};
use crate::vault::{MasterKey, MasterKeySource, Vault};

/// What to verify with.
pub struct VerifyOptions<'a> {
    /// Public keys from elsewhere; those in the directory stand in for what is missing.
    pub keys: Vec<Verifier>,
    /// Checkpoints kept from earlier: their names and texts.
    pub checkpoints: Vec<(PathBuf, String)>,
    /// Opens every frame too, with the master key from there.
    pub open: Option<MasterKeyFrom>,
    /// Threads that check while one reads.
    pub threads: usize,
    /// Is told how many bytes were looked at since the last call.
    pub progress: &'a dyn Fn(u64),
}

/// Where the master key is, and how to look up a variable of the environment.
pub type MasterKeyFrom = (MasterKeySource, fn(&str) -> Option<String>);

/// What was found out about one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part.
    pub part: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was looked at, or what is wrong and where.
    pub detail: String,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was written.
    Holds,
    /// It holds as far as it goes, and here is what that does not say.
    Note,
    /// It was altered, or is missing.
    Altered,
}

/// How many bytes the logs of a data directory have, to show progress.
///
/// # Errors
///
/// The disk's.
pub fn log_bytes(root: &Path) -> Result<u64, EngineError> {
    let disk = ReadOnlyDisk;
    let mut bytes = 0;
    for log in [BundleLog::Events, BundleLog::Access] {
        let folder = root.join("log").join(proofs::folder(log));
        for name in disk.list(&folder).unwrap_or_default() {
            bytes += disk.open(&folder.join(name))?.length()?;
        }
    }
    Ok(bytes)
}

/// Verifies a data directory, telling of each part as soon as it is known.
///
/// # Errors
///
/// What kept it from being verified: the disk, or keys that were asked for and cannot be had.
/// Alterations are findings and no errors.
pub fn verify(
    root: &Path,
    options: &VerifyOptions<'_>,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), EngineError> {
    let disk = ReadOnlyDisk::handle();
    check_format_of(root)?;
    let vault = match &options.open {
        Some((source, variable)) => {
            let (master, _) = MasterKey::load(&*disk, source, *variable, false)?;
            Some(Vault::open(disk.clone(), &root.join("vault"), master, false, true)?)
        }
        None => None,
    };
    for (path, text) in &options.checkpoints {
        if let Some(finding) = foreign(path, text) {
            tell(finding);
        }
    }
    for log in [BundleLog::Events, BundleLog::Access] {
        log::verify(&*disk, root, log, options, vault.as_ref(), tell)?;
    }
    Ok(())
}

impl Finding {
    fn holds(part: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { part: part.into(), verdict: Verdict::Holds, detail: detail.into() }
    }

    fn note(part: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { part: part.into(), verdict: Verdict::Note, detail: detail.into() }
    }

    fn altered(part: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { part: part.into(), verdict: Verdict::Altered, detail: detail.into() }
    }
}

/// A file given as a checkpoint that is of neither log.
fn foreign(path: &Path, text: &str) -> Option<Finding> {
    let wrong =
        |what: String| Some(Finding::altered(format!("checkpoint {}", path.display()), what));
    match origin(text) {
        Ok(origin) if log_of(&origin).is_some() => None,
        Ok(origin) => wrong(format!("it is of {origin:?}, which is neither log")),
        Err(error) => wrong(error.to_string()),
    }
}

fn origin(text: &str) -> Result<String, ProofError> {
    Ok(Checkpoint::parse(Note::parse(text)?.text())?.origin)
}

/// The log that an origin or the name of a key is of.
fn log_of(name: &str) -> Option<BundleLog> {
    let logs = [BundleLog::Events, BundleLog::Access];
    logs.into_iter().find(|log| name.ends_with(log.origin_suffix()))
}

/// Reads a text file; `None` if it is not there.
fn read_text(disk: &dyn Disk, path: &Path) -> Result<Option<String>, EngineError> {
    if !disk.exists(path) {
        return Ok(None);
    }
    let bytes = disk::read(disk, path)
        .map_err(|source| ProofError::Disk { path: path.to_owned(), source })?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
