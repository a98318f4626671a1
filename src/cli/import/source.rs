//! Which files to import: those named, and those found in the folders named.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Failure;

/// Deepest nesting of folders.
const DEPTH_MAX: usize = 64;

/// How a file holds resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Lines,
}

/// One file to import.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path, as found.
    pub path: Arc<Path>,
    /// How it holds resources.
    pub form: Form,
    /// Whether it is compressed with gzip.
    pub gzip: bool,
    /// Its size on disk in bytes.
    pub bytes: u64,
}

/// All files to import, each once: in the order of the arguments, those of a folder by name.
///
/// # Errors
///
/// [`Failure`]: a path does not exist, is of another kind, or there is nothing to import.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let facts = path.metadata().map_err(|error| unusable(path, &error))?;
        if facts.is_dir() {
            folder(path, DEPTH_MAX, &mut found)?;
        } else {
            let source = source(path, facts.len());
            found.push(source.ok_or_else(|| {
                Failure::usage(format!(
                    "{}: an import takes .json, .ndjson, .json.gz and .ndjson.gz",
                    path.display()
                ))
            })?);
        }
    }
    let mut seen = HashSet::new();
    // The same file by two ways would be the same resources twice.
    found.retain(|source| {
        seen.insert(source.path.canonicalize().unwrap_or_else(|_| source.path.to_path_buf()))
    });
    if found.is_empty() {
        return Err(Failure::usage(
            "there is no .json, .ndjson, .json.gz or .ndjson.gz file there",
        ));
    }
    Ok(found)
}

/// Bytes of all files on disk.
pub fn bytes(sources: &[Source]) -> u64 {
    sources.iter().map(|source| source.bytes).sum()
}

fn folder(path: &Path, depth: usize, found: &mut Vec<Source>) -> Result<(), Failure> {
    if depth == 0 {
        return Err(Failure::usage(format!("{}: folders nested too deeply", path.display())));
    }
    let unusable = |error| unusable(path, &error);
    let entries: Result<Vec<_>, _> = path.read_dir().map_err(unusable)?.collect();
    let mut entries = entries.map_err(unusable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(unusable)?.is_dir() {
            folder(&path, depth - 1, found)?;
        } else if let Ok(facts) = path.metadata()
            && facts.is_file()
        {
            found.extend(source(&path, facts.len()));
        }
    }
    Ok(())
}

fn source(path: &Path, bytes: u64) -> Option<Source> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let (stem, gzip) = match name.strip_suffix(".gz") {
        Some(stem) => (stem, true),
        None => (name.as_str(), false),
    };
    let form = match stem.rsplit_once('.')?.1 {
        "json" => Form::Json,
        "ndjson" => Form::Lines,
        _ => return None,
    };
    Some(Source { path: Arc::from(path), form, gzip, bytes })
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}
