//! Inspecting a log that is not open: reads every byte, in order, and changes none.
//!
//! One thread reads ahead while others check what was read. While a server is running, the
//! inspection ends at the length that the log had when it began.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{
    FORMAT, FrameParts, GROUP_HEADER, GROUP_MAGIC, GroupHeader, SEGMENT_HEADER, SegmentHeader,
};
use super::reader::Reader;
use super::writer::segment_path;
use super::{DisposedSeen, FrameSeen, LeafHash, LogKind, Remains, Seen};
use crate::disk::{Disk, DiskFile};

/// Bytes that are read and checked at once.
const BATCH_BYTES: u64 = 8 << 20;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("position {position}: {path} at byte {offset}: {problem}", path = .path.display())]
pub struct Flaw {
    /// The first position that cannot be trusted.
    pub position: u64,
    /// The file.
    pub path: PathBuf,
    /// Byte offset in it.
    pub offset: u64,
    /// What is wrong there.
    pub problem: String,
}

/// Why an inspection did not finish.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The log is not what was written.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// It cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// The results for consecutive positions of one segment.
#[derive(Debug)]
pub struct Batch<T> {
    /// Position of the first.
    pub first_position: u64,
    /// The segment file.
    pub path: PathBuf,
    /// One for each position.
    pub items: Vec<T>,
    /// The statement about their disposal, if the frames were disposed of.
    pub statement: Option<String>,
    /// Bytes of the log that this took.
    pub bytes: u64,
}

/// A log that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Number of frames.
    pub entries: u64,
    /// Where the next group would start: the last segment, and byte offset in it.
    pub end: (PathBuf, u64),
    /// Bytes behind the last whole group: being written, or left by a crash.
    pub unfinished_bytes: u64,
    /// Number of segments.
    pub segments: usize,
}

/// Walks a log. Give it to [`Inspection::next`] until that returns `None`.
#[derive(Debug)]
pub struct Inspection {
    kind: LogKind,
    segments: Vec<Segment>,
    /// The segment that is being read, whether its frames were disposed of, and where.
    at: usize,
    disposed: bool,
    offset: u64,
    position: u64,
    recorded_at: i64,
    unfinished_bytes: u64,
    ahead: Option<Raw>,
    /// Ends the walk, once what was read before it is handed out.
    stopped: Option<Result<(), InspectError>>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    length: u64,
}

/// Groups as they were read, and where each starts in the bytes.
#[derive(Debug)]
struct Raw {
    segment: usize,
    disposed: bool,
    offset: u64,
    bytes: Vec<u8>,
    groups: Vec<(usize, GroupHeader)>,
    /// Whether its last group is the last of the log.
    is_last: bool,
}

impl Inspection {
    /// Lists the segments.
    ///
    /// # Errors
    ///
    /// A gap between the segment files; the disk's.
    pub fn begin(disk: &dyn Disk, directory: &Path, kind: LogKind) -> Result<Self, InspectError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| InspectError::Disk { path, source }
        };
        let mut names = disk.list(directory).map_err(failed(directory))?;
        names.retain(|name| name.ends_with(".seg"));
        names.sort_unstable();
        let mut segments = Vec::with_capacity(names.len());
        for (number, name) in (0..).zip(names) {
            let path = segment_path(directory, number);
            if path.file_name().and_then(|name| name.to_str()) != Some(name.as_str()) {
                let problem = format!("this segment file is missing, but {name} is there");
                return Err(Flaw { position: 0, path, offset: 0, problem }.into());
            }
            let file = disk.open(&path).map_err(failed(&path))?;
            let length = file.length().map_err(failed(&path))?;
            segments.push(Segment { path, file, length });
        }
        Ok(Self {
            kind,
            segments,
            at: 0,
            disposed: false,
            offset: 0,
            position: 0,
            recorded_at: i64::MIN,
            unfinished_bytes: 0,
            ahead: None,
            stopped: None,
        })
    }

    /// Reads the segments that are inspected.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let reader = Reader::new();
        for Segment { path, file, .. } in &self.segments {
            reader.add_segment(Arc::clone(file), path.clone());
        }
        reader
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Checks the next groups on so many threads, and calls `each` for every position.
    ///
    /// # Errors
    ///
    /// The first flaw; the disk's.
    pub fn next<T: Send>(
        &mut self,
        threads: usize,
        each: impl Fn(Seen<'_>) -> T + Sync,
    ) -> Result<Option<Batch<T>>, InspectError> {
        if self.ahead.is_none() {
            self.read_ahead();
        }
        let Some(raw) = self.ahead.take() else {
            return match self.stopped.take() {
                Some(Err(error)) => Err(error),
                _ => Ok(None),
            };
        };
        let path = self.segments.get(raw.segment).map(|one| one.path.clone()).unwrap_or_default();
        let (kind, part) = (self.kind, raw.groups.len().div_ceil(threads.max(1)).max(1));
        let results: Vec<Checked<T>> = std::thread::scope(|scope| {
            let (raw, each) = (&raw, &each);
            let work = |groups| scope.spawn(move || raw.check(groups, kind, each));
            let workers: Vec<_> = raw.groups.chunks(part).map(work).collect();
            self.read_ahead();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        });
        let first_position = raw.groups.first().map_or(0, |(_, header)| header.first_position);
        let (mut items, mut statement) = (Vec::new(), None);
        for checked in results {
            items.extend(checked.items);
            statement = statement.or(checked.statement);
            if let Some(broken) = checked.broken {
                self.stop_at(&raw, &path, broken);
                break;
            }
        }
        let bytes = raw.bytes.len() as u64;
        Ok(Some(Batch { first_position, path, items, statement, bytes }))
    }

    /// The summary, once the end is reached.
    #[must_use]
    pub fn inspected(&self) -> Inspected {
        let end = self.segments.get(self.at).or(self.segments.last());
        Inspected {
            entries: self.position,
            end: (end.map(|one| one.path.clone()).unwrap_or_default(), self.offset),
            unfinished_bytes: self.unfinished_bytes,
            segments: self.segments.len(),
        }
    }

    /// Ends the walk at a group that is not sound.
    fn stop_at(&mut self, raw: &Raw, path: &Path, broken: Broken) {
        self.ahead = None;
        let offset = raw.offset + broken.at as u64;
        let is_last = raw.groups.last().is_some_and(|(start, _)| *start == broken.at);
        if broken.may_be_unfinished && is_last && raw.is_last {
            // A crash may have left the last group so; whether one may be missing is not known here.
            let length = self.segments.get(raw.segment).map_or(0, |segment| segment.length);
            (self.position, self.offset) = (broken.position, offset);
            self.unfinished_bytes = length - offset;
            self.stopped = Some(Ok(()));
        } else {
            let Broken { position, problem, .. } = broken;
            self.stopped =
                Some(Err(Flaw { position, path: path.to_owned(), offset, problem }.into()));
        }
    }

    /// Reads the next groups, unless the walk has ended.
    fn read_ahead(&mut self) {
        while self.ahead.is_none() && self.stopped.is_none() {
            match self.read() {
                Ok(Some(raw)) if raw.groups.is_empty() => {}
                Ok(Some(raw)) => self.ahead = Some(raw),
                Ok(None) => self.stopped = Some(Ok(())),
                Err(error) => self.stopped = Some(Err(error)),
            }
        }
    }

    fn read(&mut self) -> Result<Option<Raw>, InspectError> {
        let Some(segment) = self.segments.get(self.at) else { return Ok(None) };
        let is_last_segment = self.at + 1 == self.segments.len();
        if self.offset == 0 {
            return self.read_header(is_last_segment);
        }
        let rest = segment.length.saturating_sub(self.offset);
        if rest == 0 {
            if is_last_segment {
                return Ok(None);
            }
            (self.at, self.offset) = (self.at + 1, 0);
            return self.read();
        }
        let header = segment.read(self.offset, rest.min(GROUP_HEADER as u64))?;
        let whole = GroupHeader::decode(&header)
            .map(|header| GROUP_HEADER as u64 + u64::from(header.payload_length))
            .filter(|length| *length <= rest);
        let Some(whole) = whole else { return self.broken(is_last_segment, rest) };
        let bytes = segment.read(self.offset, rest.min(whole.max(BATCH_BYTES)))?;
        let mut raw = Raw {
            segment: self.at,
            disposed: self.disposed,
            offset: self.offset,
            bytes,
            groups: Vec::new(),
            is_last: false,
        };
        let mut at = 0;
        while let Some((header, end)) = raw.group(at) {
            if let Some(problem) = self.misplaced(&header) {
                // What stands before it is handed out first.
                let offset = raw.offset + at as u64;
                let path = self.path();
                let position = self.position;
                self.stopped = Some(Err(Flaw { position, path, offset, problem }.into()));
                break;
            }
            self.position = header.first_position + u64::from(header.frames);
            self.recorded_at = header.recorded_at;
            raw.groups.push((at, header));
            at = end;
        }
        raw.bytes.truncate(at);
        self.offset += at as u64;
        let length = self.segments.get(self.at).map_or(0, |segment| segment.length);
        raw.is_last = is_last_segment && self.offset == length;
        Ok(Some(raw))
    }

    /// What is wrong with the place or time of a group, if anything.
    fn misplaced(&self, header: &GroupHeader) -> Option<String> {
        if header.first_position != self.position {
            let (found, expected) = (header.first_position, self.position);
            return Some(format!("the group starts at position {found}, not {expected}"));
        }
        if header.recorded_at < self.recorded_at {
            return Some("the group is older than the one before it".to_owned());
        }
        (header.frames == 0).then(|| "the group is empty".to_owned())
    }

    fn read_header(&mut self, is_last_segment: bool) -> Result<Option<Raw>, InspectError> {
        let Some(segment) = self.segments.get(self.at) else { return Ok(None) };
        let bytes = segment.read(0, segment.length.min(SEGMENT_HEADER as u64))?;
        let expected = SegmentHeader {
            format: FORMAT,
            kind: self.kind as u8,
            disposed: false,
            number: u32::try_from(self.at).unwrap_or(u32::MAX),
            first_position: self.position,
        };
        let disposed = SegmentHeader { disposed: true, ..expected };
        self.disposed = !is_last_segment && bytes == disposed.encode();
        if self.disposed || bytes == expected.encode() {
            self.offset = SEGMENT_HEADER as u64;
            return self.read();
        }
        if is_last_segment && self.at > 0 && segment.length <= SEGMENT_HEADER as u64 {
            // A crash while the segment was created.
            self.unfinished_bytes = segment.length;
            return Ok(None);
        }
        let problem = match SegmentHeader::decode(&bytes) {
            Some(header) if header.format != FORMAT => {
                format!("log format {}; this program knows {FORMAT}", header.format)
            }
            Some(header) if header.first_position != self.position => format!(
                "the segment starts at position {}, but the one before ends at {}",
                header.first_position, self.position
            ),
            Some(_) => "the header belongs to another segment".to_owned(),
            None => "not a segment header".to_owned(),
        };
        Err(Flaw { position: self.position, path: self.path(), offset: 0, problem }.into())
    }

    /// The bytes from here on are not a group: an unfinished one at the very end, or damage.
    fn broken(&mut self, is_last_segment: bool, rest: u64) -> Result<Option<Raw>, InspectError> {
        let Some(segment) = self.segments.get(self.at) else { return Ok(None) };
        let flaw = |problem: &str| Flaw {
            position: self.position,
            path: self.path(),
            offset: self.offset,
            problem: problem.to_owned(),
        };
        if !is_last_segment {
            return Err(flaw("not a whole group, with another segment behind it").into());
        }
        let bytes = segment.read(self.offset, rest)?;
        let sound = |at: usize| bytes.get(at..).and_then(GroupHeader::decode).is_some();
        if memchr::memmem::find_iter(&bytes, GROUP_MAGIC).any(|at| at > 0 && sound(at)) {
            return Err(flaw("not a whole group, with groups behind it").into());
        }
        self.unfinished_bytes = rest;
        Ok(None)
    }

    fn path(&self) -> PathBuf {
        self.segments.get(self.at).map(|segment| segment.path.clone()).unwrap_or_default()
    }
}

impl Segment {
    fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, InspectError> {
        let failed = |source| InspectError::Disk { path: self.path.clone(), source };
        let length =
            usize::try_from(length).map_err(|error| failed(std::io::Error::other(error)))?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(failed)?;
        Ok(bytes)
    }
}

/// The results for some groups, up to the first that is not sound.
struct Checked<T> {
    items: Vec<T>,
    statement: Option<String>,
    broken: Option<Broken>,
}

/// Where in the bytes, at which position, and what.
struct Broken {
    at: usize,
    position: u64,
    problem: String,
    may_be_unfinished: bool,
}

impl Raw {
    /// The whole group that starts there, and where it ends.
    fn group(&self, at: usize) -> Option<(GroupHeader, usize)> {
        let header = GroupHeader::decode(self.bytes.get(at..)?)?;
        let end = at.checked_add(GROUP_HEADER + header.payload_length as usize)?;
        (end <= self.bytes.len()).then_some((header, end))
    }

    fn check<T>(
        &self,
        groups: &[(usize, GroupHeader)],
        kind: LogKind,
        each: &impl Fn(Seen<'_>) -> T,
    ) -> Checked<T> {
        let mut checked = Checked { items: Vec::new(), statement: None, broken: None };
        for (at, header) in groups {
            let start = at + GROUP_HEADER;
            let end = start + header.payload_length as usize;
            let payload = self.bytes.get(start..end).unwrap_or_default();
            if crc32c::crc32c(payload) != header.payload_check {
                checked.broken = Some(Broken {
                    at: *at,
                    position: header.first_position,
                    problem: "the checksum of a group does not match".to_owned(),
                    may_be_unfinished: true,
                });
                return checked;
            }
            let frames = match self.disposed {
                true => self.remains(start, payload, header, each, &mut checked),
                false => self.frames(start, payload, header, kind, &mut checked.items, each),
            };
            if let Err((at, position, problem)) = frames {
                let problem = problem.to_owned();
                let broken = Broken { at, position, problem, may_be_unfinished: false };
                checked.broken = Some(broken);
                return checked;
            }
        }
        checked
    }

    /// The group of a segment whose frames were disposed of.
    fn remains<T>(
        &self,
        start: usize,
        payload: &[u8],
        header: &GroupHeader,
        each: &impl Fn(Seen<'_>) -> T,
        checked: &mut Checked<T>,
    ) -> Result<(), (usize, u64, &'static str)> {
        let flaw = |problem| (start, header.first_position, problem);
        let Remains { statement, leaves } =
            Remains::decode(payload, header.frames).map_err(flaw)?;
        let hashes = payload.len() - leaves.as_flattened().len();
        let offsets = (self.offset + (start + hashes) as u64..).step_by(size_of::<LeafHash>());
        let seen = leaves.into_iter().zip(offsets);
        let seen = seen.map(|(leaf, offset)| Seen::Disposed(DisposedSeen { leaf, offset }));
        checked.items.extend(seen.map(each));
        checked.statement = Some(statement);
        Ok(())
    }

    fn frames<T>(
        &self,
        start: usize,
        mut payload: &[u8],
        header: &GroupHeader,
        kind: LogKind,
        items: &mut Vec<T>,
        each: &impl Fn(Seen<'_>) -> T,
    ) -> Result<(), (usize, u64, &'static str)> {
        let (mut at, mut position) = (start, header.first_position);
        let mut is_whole = true;
        while !payload.is_empty() {
            let flaw = |problem: &'static str| (at, position, problem);
            let (parts, length) = FrameParts::get(payload).map_err(flaw)?;
            if parts.kind.log() != kind {
                return Err(flaw("a frame of the other log"));
            }
            let (bytes, rest) = payload.split_at_checked(length).unwrap_or((payload, &[]));
            let (recorded_at, offset) = (header.recorded_at, self.offset + at as u64);
            let seen = FrameSeen { position, recorded_at, offset, bytes, parts };
            items.push(each(Seen::Frame(seen)));
            is_whole = parts.last_of_commit;
            (at, position, payload) = (at + length, position + 1, rest);
        }
        if position != header.first_position + u64::from(header.frames) {
            return Err((start, header.first_position, "another number of frames"));
        }
        if is_whole { Ok(()) } else { Err((at, position, "half a commit in a group")) }
    }
}
