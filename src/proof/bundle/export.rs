//! Audit exports: all frames of the access log of a period, or all commits of the log of events, without a gap.
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
pub const EXPORT_FORMAT: &str = "chartlog-audit-export/2";
/// Longest line that is read, in bytes: more than the largest frame takes.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHead {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// Which of the two logs.
    pub log: BundleLog,
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

/// A line of an export of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExportLine {
    /// All that is told of a commit of the period.
    Commit(ExportCommit),
    /// The frame in front of the period, or the one behind it.
    Frame(ExportFrame),
}

/// A commit: where its events stand, and nothing of what they say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportCommit {
    /// Position of its first event.
    pub position: u64,
    /// The hashes of the leaves of its events.
    pub leaves: Vec<Hash>,
}

/// Every further line of an export of the access log.
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
    /// Which log.
    pub log: BundleLog,
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
    /// Access entries in these frames, or commits.
    pub entries: u64,
    /// Frames of the period whose payload is disclosed, and matches its commitment.
    pub disclosed: u64,
    /// Whether a later frame shows that the period was over. Otherwise the log of events ended in it.
    pub is_closed: bool,
}

/// Checks an audit export with the verifier key of its log, and nothing else: that it holds every frame of
/// the access log, or names every event, that was recorded in its period. `progress` is told the bytes of each
/// line.
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
    let suffix = head.log.origin_suffix();
    if !origin.ends_with(suffix) {
        return Err(at_head(format!("checkpoint: the origin {origin} does not end in {suffix}")));
    }
    let (first, end) = (head.first, head.end);
    if first > end || end > size {
        let problem = format!("from {first} to {end} are no positions of {size} signed ones");
        return Err(at_head(problem));
    }
    if head.since.is_some_and(|since| since > head.until) {
        return Err(at_head("since lies behind until".to_owned()));
    }
    if first > 0 && head.since.is_none() {
        return Err(at_head(format!("it begins at position {first}, and not with the first")));
    }
    let ExportHead { log, since, until, left, right, .. } = head;
    let report = ExportReport {
        log,
        origin,
        size,
        since,
        until,
        frames: 0,
        entries: 0,
        disclosed: 0,
        is_closed: false,
    };
    let commit = Vec::new().into_iter();
    let mut check = Check { lines, first, end, before: i64::MIN, commit, report };
    let proof = RunProof { first, end, size, left, right };
    let computed = proof.root(&mut |position| check.leaf(position))?;
    if !check.report.is_closed && (log == BundleLog::Access || end < size) {
        let problem = "the run must end behind the period, with a later frame".to_owned();
        return Err(check.lines.flaw(problem));
    }
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
    /// Leaves that are left of the commit on the last line.
    commit: std::vec::IntoIter<Hash>,
    report: ExportReport,
}

impl<R: BufRead> Check<'_, R> {
    /// The hash of the next leaf, once its line is checked.
    fn leaf(&mut self, position: u64) -> Result<Hash, ProofError> {
        if let Some(leaf) = self.commit.next() {
            return Ok(leaf);
        }
        let line = match self.report.log {
            BundleLog::Access => ExportLine::Frame(self.lines.next()?),
            BundleLog::Events => self.lines.next()?,
        };
        match line {
            ExportLine::Frame(frame) => {
                self.frame(position, &frame).map_err(|problem| self.lines.flaw(problem))?;
                Ok(frame.leaf)
            }
            ExportLine::Commit(commit) => {
                self.commit(position, &commit).map_err(|problem| self.lines.flaw(problem))?;
                self.commit = commit.leaves.into_iter();
                let none = || self.lines.flaw("a commit has an event at least".to_owned());
                self.commit.next().ok_or_else(none)
            }
        }
    }

    /// Checks that a line stands where it belongs; `is_before`: it is older than the period.
    fn order(&self, position: u64, found: u64, is_before: bool) -> Result<(), String> {
        if found != position {
            return Err(format!("position {position} belongs here; this is {found}"));
        }
        if position == self.first && position > 0 && !is_before {
            return Err("the run must begin in front of the period, with an older frame".to_owned());
        }
        Ok(())
    }

    fn commit(&mut self, position: u64, line: &ExportCommit) -> Result<(), String> {
        self.order(position, line.position, false)?;
        let events = line.leaves.len() as u64;
        if events > self.end - position {
            return Err(format!("{events} events from here on go beyond the end of the run"));
        }
        self.report.frames += events;
        self.report.entries += 1;
        Ok(())
    }

    fn frame(&mut self, position: u64, line: &ExportFrame) -> Result<(), String> {
        let recorded_at = line.recorded_at;
        let is_before = self.report.since.is_some_and(|since| recorded_at < since);
        self.order(position, line.position, is_before)?;
        if recorded_at < self.before {
            return Err("it was recorded before a frame in front of it".to_owned());
        }
        self.before = recorded_at;
        if line.leaf != leaf(position, recorded_at, &line.frame.0) {
            return Err("the leaf is not that of position, recordedAt and frame".to_owned());
        }
        let header = Header::parse(&line.frame.0)?;
        if !header.belongs_to(self.report.log) {
            let log = self.report.log.origin_suffix();
            return Err(format!("a frame of kind {} does not belong to {log}", header.kind));
        }
        check_disclosed(line.disclosed.as_ref(), &header)?;
        let is_behind = recorded_at >= self.report.until;
        self.report.is_closed |= is_behind && position + 1 == self.end;
        if self.report.log == BundleLog::Events {
            let is_in_front = is_before && position == self.first;
            if !is_in_front && !self.report.is_closed {
                return Err(
                    "only one frame in front of the period and one behind it belong here, and \
                            between them commits"
                        .to_owned(),
                );
            }
        } else if !is_before && !is_behind {
            self.report.frames += 1;
            self.report.entries += header.access_entries();
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
