//! The report of what was refused, for programs: NDJSON.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use serde_json::json;

use super::tally::Refusal;

/// Takes away the report of an earlier import, if there is one.
///
/// # Errors
///
/// The disk's.
pub fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes one line per refusal: file, place in it, resources concerned, HTTP status (or null if it
/// was never sent) and diagnostics.
///
/// # Errors
///
/// The disk's.
pub fn write(path: &Path, refusals: &[Refusal]) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    for refusal in refusals {
        let line = json!({
            "file": refusal.place.file.display().to_string(),
            "place": refusal.place.to_string(),
            "resources": refusal.resources,
            "status": (refusal.status > 0).then_some(refusal.status),
            "diagnostics": refusal.diagnostics,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()
}
