//! The upcasters of a directory.

use std::path::Path;

use super::Failure;
use crate::chart::{UpcasterFile, Upcasters};

/// Reads the files `*.toml` of a directory, in the order of their names; without a directory there are none.
///
/// # Errors
///
/// [`Failure`]: what cannot be read, or all that is wrong with them, a line each: file, line, event, and what is wrong.
pub fn read(directory: &str) -> Result<Upcasters, Failure> {
    if directory.is_empty() {
        return Ok(Upcasters::default());
    }
    let directory = Path::new(directory);
    let unusable = |path: &Path, error: &std::io::Error| {
        Failure::usage(format!("store.upcasters: {}: {error}", path.display()))
    };
    let entries = directory.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| unusable(directory, &error))?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let files = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        Ok(UpcasterFile { name: path.display().to_string(), text })
    });
    Upcasters::read(files.collect::<Result<_, Failure>>()?).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::usage(lines.join("\n"))
    })
}
