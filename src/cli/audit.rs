//! `chartlog audit export`: who looked, from a running server to a file.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use ureq::Agent;
use ureq::http::Response;

use super::{AuditExportArguments, ExportForm, Failure, ProvedLog, progress};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time until the answer begins.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// Bytes that are read and written at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Most bytes of an error.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Writes all access entries of a period to a file, or to stdout.
///
/// # Errors
///
/// [`Failure`]: the server does not allow it, broke off, or the file cannot be written.
pub fn export(arguments: &AuditExportArguments) -> Result<(), Failure> {
    let answer = ask(arguments)?;
    let bar = progress::frames();
    let range = answer.headers().get("chartlog-frames").and_then(|value| value.to_str().ok());
    let range = range.and_then(|text| text.split_once('-'));
    let first = range.and_then(|(first, _)| first.parse().ok()).unwrap_or(0);
    let end = range.and_then(|(_, end)| end.parse::<u64>().ok()).unwrap_or(first);
    bar.set_length(end.saturating_sub(first));
    let body = BufReader::with_capacity(BUFFER_BYTES, answer.into_body().into_reader());
    let written = match &arguments.output {
        None => copy(body, std::io::stdout().lock(), first, &bar),
        Some(path) => to_file(body, path, first, &bar),
    };
    bar.finish_and_clear();
    let lines = written.map_err(|error| Failure::failed(format!("not exported: {error}")))?;
    if let Some(path) = &arguments.output {
        eprintln!("chartlog: {} lines in {}", lines, path.display());
    }
    Ok(())
}

fn ask(arguments: &AuditExportArguments) -> Result<Response<ureq::Body>, Failure> {
    let token = arguments.token.as_ref().map_or("", |token| token.expose());
    let url = format!("{}/v1/accesses/export", arguments.server.trim_end_matches('/'));
    if token.is_empty() {
        return Err(Failure::usage(format!(
            "{url} wants to know who asks: give a token in CHARTLOG_TOKEN or with --token, with \
             the scope system/AuditEvent.rs"
        )));
    }
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .build()
        .new_agent();
    let format = match arguments.format {
        ExportForm::Ndjson => "ndjson",
        ExportForm::Csv => "csv",
        ExportForm::Fhir => "fhir",
        ExportForm::Proof => "proof",
    };
    let mut request = agent.get(&url).query("format", format);
    if arguments.log == ProvedLog::Events {
        request = request.query("log", "events");
    }
    let period = [("since", &arguments.since), ("until", &arguments.until)];
    for (name, value) in period {
        request = request.query_pairs(value.iter().map(|value| (name, value)));
    }
    request = request.query_pairs(arguments.filters.iter().map(|(name, value)| (name, value)));
    if arguments.sealed {
        request = request.query("disclose", "false");
    }
    let answer = request.header("authorization", format!("Bearer {token}")).call();
    let mut answer = answer.map_err(|error| Failure::failed(format!("{url}: {error}")))?;
    match answer.status().as_u16() {
        200 => Ok(answer),
        status => {
            let body = answer.body_mut().with_config().limit(TEXT_BYTES_MAX).read_to_vec();
            let problem: serde_json::Value =
                serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
            let detail = problem.get("detail").and_then(|detail| detail.as_str());
            let detail = detail.unwrap_or("this is not the address of a chartlog server");
            Err(Failure::failed(format!("{url}: status {status}: {detail}")))
        }
    }
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
