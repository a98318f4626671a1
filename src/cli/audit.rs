//! `chartlog audit export`: who looked, from a running server to a file.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use ureq::http::Response;

use super::agent::Way;
use super::ask::Asked;
use super::{AuditExportArguments, ExportForm, Failure, ProvedLog, out, progress};

/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes all access entries of a period to a file, or to stdout.
///
/// # Errors
///
/// [`Failure`]: the server does not allow it, broke off, or the file cannot be written or is there already.
pub fn export(arguments: &AuditExportArguments) -> Result<(), Failure> {
    // Before anything is asked, which would be recorded.
    arguments.output.as_deref().map(out::expect_absent).transpose()?;
    let answer = ask(arguments)?;
    let bar = progress::frames();
    let range = answer.headers().get("chartlog-frames").and_then(|value| value.to_str().ok());
    let range = range.and_then(|text| text.split_once('-'));
    let first = range.and_then(|(first, _)| first.parse().ok()).unwrap_or(0);
    let end = range.and_then(|(_, end)| end.parse::<u64>().ok()).unwrap_or(first);
    bar.set_length(end.saturating_sub(first));
    let body = BufReader::with_capacity(BUFFER_BYTES, answer.into_body().into_reader());
    let is_closed = Cell::new(false);
    let written = match &arguments.output {
        None => copy(body, out::Pipe::new(&is_closed), first, &bar),
        Some(path) => to_file(body, path, first, &bar),
    };
    bar.finish_and_clear();
    if is_closed.get() {
        return Ok(());
    }
    let lines = written.map_err(|error| Failure::failed(format!("not exported: {error}")))?;
    if let Some(path) = &arguments.output {
        out::note(format_args!("chartlog: {lines} lines in {}", path.display()));
    }
    Ok(())
}

fn ask(arguments: &AuditExportArguments) -> Result<Response<ureq::Body>, Failure> {
    let token = arguments.token.as_ref().filter(|token| !token.expose().is_empty());
    let token = token.ok_or_else(|| {
        Failure::usage(format!(
            "{} wants to know who asks: give a token in CHARTLOG_TOKEN or with --token, with \
             the scope system/AuditEvent.rs",
            arguments.server
        ))
    })?;
    let format = match arguments.format {
        ExportForm::Ndjson => "ndjson",
        ExportForm::Csv => "csv",
        ExportForm::Fhir => "fhir",
        ExportForm::Proof => "proof",
    };
    let mut query = vec![("format", format)];
    if arguments.log == ProvedLog::Events {
        query.push(("log", "events"));
    }
    let period = [("since", &arguments.since), ("until", &arguments.until)];
    query.extend(period.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    query.extend(arguments.filters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if arguments.sealed {
        query.push(("disclose", "false"));
    }
    let way = Way::of(&arguments.tls)?;
    Asked::new(&arguments.server, token, &way).get("/v1/accesses/export", &query, "*/*")
}

/// Writes beside the file, which is there once it is whole.
fn to_file(body: impl BufRead, path: &Path, first: u64, bar: &ProgressBar) -> std::io::Result<u64> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let file = File::create(&beside)?;
    let written = copy(body, BufWriter::with_capacity(BUFFER_BYTES, &file), first, bar);
    let written = written.and_then(|lines| {
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(lines)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Copies line by line, and tells how many there were. A line of each format begins with the position of
/// its frame, which tells how far the answer is.
fn copy(
    mut from: impl BufRead,
    mut to: impl Write,
    first: u64,
    bar: &ProgressBar,
) -> std::io::Result<u64> {
    let (mut lines, mut line) = (0, Vec::new());
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            to.flush()?;
            return Ok(lines);
        }
        lines += 1;
        if let Some(position) = position(&line) {
            bar.set_position(position.saturating_sub(first));
        }
        to.write_all(&line)?;
    }
}

/// The position at the beginning of a line: of `{"id":"12-3"`, `{"position":12` or `12-3,`. Commits, such as `e12`,
/// have none.
fn position(line: &[u8]) -> Option<u64> {
    let starts = ["{\"id\":\"", "{\"position\":", "{\"resourceType\":\"AuditEvent\",\"id\":\""];
    let line = starts.iter().find_map(|start| line.strip_prefix(start.as_bytes())).unwrap_or(line);
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(line.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_the_export_is() {
        for (line, expected) in [
            ("{\"id\":\"12-3\",\"recordedAt\":", Some(12)),
            ("{\"position\":12,\"recordedAt\":", Some(12)),
            ("12-3,2026-", Some(12)),
            ("{\"resourceType\":\"AuditEvent\",\"id\":\"12-3.0\"", Some(12)),
            ("{\"id\":\"e12\",\"recordedAt\":", None),
            ("id,recordedAt", None),
            ("{\"format\":\"chartlog-audit-export/1\"", None),
        ] {
            assert_eq!(position(line.as_bytes()), expected, "{line}");
        }
    }
}
