//! Audit exports: all frames of the access log of a period, without a gap.
//!
//! Checking reads one line at a time, so that an export of any length takes the same memory.

use std::io::{BufRead, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::frame::Header;
use super::verify::check_disclosed;
use super::{BundleLog, Disclosed, leaf, present};
use crate::proof::{Base64, Checkpoint, Hash, ProofError, RunProof, Verifier};

/// The value of an export's `format`.
pub const EXPORT_FORMAT: &str = "chartlog-audit-export/1";
/// Longest line that is read, in bytes: more than the largest frame takes.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHead {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// The signed note, with all its lines.
    pub checkpoint: String,
    /// Beginning of the period, microseconds since 1970; absent: from the first frame on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub since: Option<i64>,
    /// End of the period, microseconds since 1970, which is not in it.
    pub until: i64,
    /// Position of the first frame that follows.
    pub first: u64,
    /// Behind the last frame that follows.
    pub end: u64,
    /// See [`RunProof::left`].
    pub left: Vec<Hash>,
    /// See [`RunProof::right`].
    pub right: Vec<Hash>,
}

/// Every further line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportFrame {
    /// Its position.
    pub position: u64,
    /// When its group was recorded: microseconds since 1970.
    pub recorded_at: i64,
    /// The hash of the leaf. It follows from the rest of the line, and lets a flaw be found in its line.
    pub leaf: Hash,
    /// The bytes of the frame, as on disk.
    pub frame: Base64,
    /// The payload of the frame; absent if it is not disclosed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub disclosed: Option<Disclosed>,
}

/// What an export was found to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReport {
    /// The origin that signed.
    pub origin: String,
    /// Frames that the log had when it was signed.
    pub size: u64,
    /// The period, as [`ExportHead`] has it.
    pub since: Option<i64>,
    /// See `since`.
    pub until: i64,
    /// Frames of the period.
    pub frames: u64,
    /// Access entries in these frames.
    pub entries: u64,
    /// Frames of the period whose payload is disclosed, and matches its commitment.
    pub disclosed: u64,
}

/// Checks an audit export with the verifier key of its log, and nothing else: that it holds every frame of
/// the access log that was recorded in its period. `progress` is told the bytes of each line.
///
/// # Errors
///
/// [`ProofError::Key`] for the key; otherwise [`ProofError::Export`], which says in which line something is
/// wrong, and what.
pub fn verify_export(
    export: impl BufRead,
    verifier_key: &str,
    progress: &dyn Fn(u64),
) -> Result<ExportReport, ProofError> {
    let verifier: Verifier = verifier_key.parse()?;
    let mut lines = Lines { export, number: 0, bytes: Vec::new(), progress };
    let head: ExportHead = lines.next()?;
    let at_head = |problem: String| ProofError::Export { line: 1, problem };
    if head.format != EXPORT_FORMAT {
        let format = &head.format;
        return Err(at_head(format!("its format is {format:?}, not {EXPORT_FORMAT:?}")));
    }
    let signed = Checkpoint::open(&head.checkpoint, &verifier)
        .map_err(|error| at_head(format!("checkpoint: {error}")))?;
    let Checkpoint { origin, size, root, .. } = signed.checkpoint().clone();
    let suffix = BundleLog::Access.origin_suffix();
    if !origin.ends_with(suffix) {
        return Err(at_head(format!("checkpoint: the origin {origin} does not end in {suffix}")));
    }
    let (first, end) = (head.first, head.end);
    if first >= end || end > size {
        let problem = format!("from {first} to {end} are no positions of {size} signed ones");
        return Err(at_head(problem));
    }
    if head.since.is_some_and(|since| since > head.until) {
        return Err(at_head("since lies behind until".to_owned()));
    }
    if first > 0 && head.since.is_none() {
        return Err(at_head(format!("it begins at position {first}, and not with the first")));
    }
    let ExportHead { since, until, left, right, .. } = head;
    let report = ExportReport { origin, size, since, until, frames: 0, entries: 0, disclosed: 0 };
    let mut check = Check { lines, first, end, before: i64::MIN, report };
    let proof = RunProof { first, end, size, left, right };
    let computed = proof.root(&mut |position| check.frame(position))?;
    if computed != Some(root) {
        let line = check.lines.number;
        return Err(at_head(format!(
            "the hashes here and the leaves of lines 2 to {line} do not lead to the signed root"
        )));
    }
    check.lines.end()?;
    Ok(check.report)
}

/// The check of the frames, one after the other.
struct Check<'a, R> {
    lines: Lines<'a, R>,
    first: u64,
    end: u64,
    /// When the frame before was recorded.
    before: i64,
    report: ExportReport,
}

impl<R: BufRead> Check<'_, R> {
    /// The hash of the next leaf, once its line is checked.
    fn frame(&mut self, position: u64) -> Result<Hash, ProofError> {
        let line: ExportFrame = self.lines.next()?;
        self.checked(position, &line).map_err(|problem| self.lines.flaw(problem))?;
        self.before = line.recorded_at;
        Ok(line.leaf)
    }

    fn checked(&mut self, position: u64, line: &ExportFrame) -> Result<(), String> {
        if line.position != position {
            let found = line.position;
            return Err(format!("position {position} belongs here; this is {found}"));
        }
        let recorded_at = line.recorded_at;
        if recorded_at < self.before {
            return Err(format!("it was recorded before position {}", position - 1));
        }
        if line.leaf != leaf(position, recorded_at, &line.frame.0) {
            return Err("the leaf is not that of position, recordedAt and frame".to_owned());
        }
        let header = Header::parse(&line.frame.0)?;
        if !header.belongs_to(BundleLog::Access) {
            return Err(format!("a frame of kind {} is no access entry", header.kind));
        }
        check_disclosed(line.disclosed.as_ref(), &header)?;
        let ExportReport { since, until, .. } = self.report;
        let is_before = since.is_some_and(|since| recorded_at < since);
        if position == self.first && position > 0 && !is_before {
            return Err("the run must begin in front of the period, with an older frame".to_owned());
        }
        if position + 1 == self.end && recorded_at < until {
            return Err("the run must end behind the period, with a later frame".to_owned());
        }
        if !is_before && recorded_at < until {
            self.report.frames += 1;
            // A frame of the first format is one entry, and does not say so.
            self.report.entries += u64::from(header.version.max(1));
            self.report.disclosed += u64::from(line.disclosed.is_some());
        }
        Ok(())
    }
}

/// The lines of an export.
struct Lines<'a, R> {
    export: R,
    /// Number of the line that was read last, from 1.
    number: u64,
    bytes: Vec<u8>,
    progress: &'a dyn Fn(u64),
}

impl<R: BufRead> Lines<'_, R> {
    fn next<T: DeserializeOwned>(&mut self) -> Result<T, ProofError> {
        self.number += 1;
        self.bytes.clear();
        let read = self.export.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut self.bytes);
        let read = read.map_err(|error| self.flaw(error.to_string()))?;
        (self.progress)(read as u64);
        match self.bytes.split_last() {
            None => Err(self.flaw("the export ends here; there must be more lines".to_owned())),
            Some((b'\n', line)) => serde_json::from_slice(line)
                .map_err(|error| self.flaw(format!("not a line of an export: {error}"))),
            Some(_) => Err(self.flaw("the line is cut off".to_owned())),
        }
    }

    /// Checks that no further line follows.
    fn end(&mut self) -> Result<(), ProofError> {
        self.number += 1;
        match self.export.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(self.flaw("the export must have ended in front of this line".to_owned())),
            Err(error) => Err(self.flaw(error.to_string())),
        }
    }

    fn flaw(&self, problem: String) -> ProofError {
        ProofError::Export { line: self.number, problem }
    }
}
