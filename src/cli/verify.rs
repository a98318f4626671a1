//! `chartlog verify`: whether a data directory, a bundle of evidence, or an audit export is what was written
//! and signed.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::served::engine_options;
use super::{Failure, VerifyArguments, out};
use crate::clock::Instant;
use crate::config::Config;
use crate::engine::DataDirectory;
use crate::inspect::{self, Finding, Verdict, VerifyOptions};
use crate::proof::{BundleLog, ExportReport, Verifier, verify_bundle, verify_export};
use crate::records::{Records, RecordsOptions};

/// Bars that count bytes of the logs, and events.
const BYTES: &str = "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
const EVENTS: &str = "{bar:30} {human_pos}/{human_len} events  {eta} left";

/// Verifies a data directory.
///
/// # Errors
///
/// [`Failure`]: something was altered or is missing, or could not be read.
pub fn run(config: &Config, arguments: &VerifyArguments) -> Result<(), Failure> {
    let root = &config.store.data;
    let keys = keys(&arguments.keys)?;
    let read = |path: &std::path::PathBuf| Ok((path.clone(), read(path)?));
    let checkpoints = arguments.checkpoints.iter().map(read).collect::<Result<_, Failure>>()?;
    let open = if arguments.open {
        let source = config.vault.master_key(root).parse().map_err(Failure::usage)?;
        Some((source, super::variable as fn(&str) -> Option<String>))
    } else {
        None
    };
    let bar = bar(BYTES, crate::inspect::log_bytes(root).map_err(Failure::failed)?);
    let options = VerifyOptions {
        keys,
        checkpoints,
        open,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        progress: &|bytes| bar.inc(bytes),
    };
    let (mut altered, mut told) = (0, Ok(()));
    let verified = crate::inspect::verify(root, &options, &mut |finding| {
        altered += usize::from(finding.verdict == Verdict::Altered);
        let shown = bar.suspend(|| show(&finding));
        told = std::mem::replace(&mut told, Ok(())).and(shown);
    });
    bar.finish_and_clear();
    verified.map_err(|error| Failure::failed(format!("could not be verified: {error}")))?;
    if arguments.views && altered == 0 {
        let finding = verify_views(config)?;
        altered += usize::from(finding.verdict == Verdict::Altered);
        told = told.and(show(&finding));
    }
    match altered {
        0 => told,
        1 => Err(Failure::altered("something was altered or is missing, as said above")),
        several => Err(Failure::altered(format!(
            "{several} parts were altered or are missing, as said above"
        ))),
    }
}

/// Compares the views with logs that are sound.
fn verify_views(config: &Config) -> Result<Finding, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the views could not be verified: {error}"))
    };
    let directory = DataDirectory::open(&config.store.data).map_err(|error| failed(&error))?;
    let options = engine_options(config)?;
    let store = Records::open(directory, &options, RecordsOptions::default())
        .map_err(|error| failed(&error))?;
    let bar = bar(EVENTS, 0);
    let finding = inspect::verify_views(store.engine(), |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    finding.map_err(|error| failed(&error))
}

fn show(finding: &Finding) -> Result<(), Failure> {
    let verdict = match finding.verdict {
        Verdict::Holds => "holds",
        Verdict::Note => "note",
        Verdict::Altered => "ALTERED",
    };
    out::tell(format_args!("{verdict:8} {}: {}\n", finding.part, finding.detail))
}

/// Verifies an evidence bundle; needs nothing but the file and the key.
///
/// # Errors
///
/// As [`run`].
pub fn run_bundle(path: &Path, arguments: &VerifyArguments) -> Result<(), Failure> {
    let keys = keys(&arguments.keys)?;
    let [key] = keys.as_slice() else {
        let message = "a bundle is checked with the one key of its log, kept elsewhere: --key VKEY";
        return Err(Failure::usage(message));
    };
    let report = verify_bundle(&read(path)?, &key.to_string())
        .map_err(|error| Failure::altered(format!("{}: {error}", path.display())))?;
    out::tell(format_args!(
        "holds    {}: {} entries of {}, of which {} disclosed, stood in the log when {} entries were signed\n",
        path.display(),
        report.entries,
        report.origin,
        report.disclosed,
        report.size
    ))
}

/// Verifies an audit export; needs nothing but the file and the key.
///
/// # Errors
///
/// As [`run`].
pub fn run_export(path: &Path, arguments: &VerifyArguments) -> Result<(), Failure> {
    let keys = keys(&arguments.keys)?;
    let [key] = keys.as_slice() else {
        let message =
            "an export is checked with the one key of its log, kept elsewhere: --key VKEY";
        return Err(Failure::usage(message));
    };
    let failed = |error| Failure::failed(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let bar = bar(BYTES, file.metadata().map_err(failed)?.len());
    let report = verify_export(BufReader::new(file), &key.to_string(), &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let report =
        report.map_err(|error| Failure::altered(format!("{}: {error}", path.display())))?;
    let ExportReport { log, origin, size, since, until, frames, entries, disclosed, is_closed } =
        report;
    let since = since.map_or_else(
        || "the beginning".to_owned(),
        |since| Instant::from_micros(since).to_string(),
    );
    let all = match log {
        BundleLog::Access => format!("{frames} frames, with {entries} access entries,"),
        BundleLog::Events => format!("{frames} events, in {entries} commits,"),
    };
    let more = match log {
        BundleLog::Access => format!("{disclosed} of the frames are disclosed; "),
        BundleLog::Events if is_closed => String::new(),
        BundleLog::Events => "the log had nothing later; ".to_owned(),
    };
    out::tell(format_args!(
        "holds    {}: these are all {all} that {origin} recorded from {since} until {}; {more}signed when the \
         log had {size}\n",
        path.display(),
        Instant::from_micros(until),
    ))
}

fn keys(texts: &[String]) -> Result<Vec<Verifier>, Failure> {
    let parse = |text: &String| {
        text.trim().parse().map_err(|error| Failure::usage(format!("--key {text}: {error}")))
    };
    texts.iter().map(parse).collect()
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// indicatif hides it unless stderr is a terminal.
fn bar(template: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
