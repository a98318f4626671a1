//! Checking the bytes of a log while they are copied.

use super::LogKind;
use super::format::{FORMAT, GROUP_HEADER, GroupHeader, SEGMENT_HEADER, SegmentHeader};
use super::{Frame, LogError, Remains};

/// Follows the bytes of a log segment by segment and group by group, and says where they break off
/// or contradict what was before.
#[derive(Debug, Clone)]
pub struct Follower {
    kind: LogKind,
    segment: u32,
    offset: u64,
    position: u64,
    recorded_at: i64,
    /// Whether the frames of the segment were disposed of.
    disposed: bool,
}

/// Where a segment is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFlaw {
    /// Number of the segment.
    pub segment: u32,
    /// Byte offset in it.
    pub offset: u64,
    /// What is wrong there.
    pub problem: String,
}

/// A complete group that continues the one before.
#[derive(Debug, Clone, Copy)]
pub struct WholeGroup<'a> {
    /// Number of the segment.
    pub segment: u32,
    /// Where it begins there.
    pub offset: u64,
    /// Position of its first frame.
    pub first_position: u64,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// Whether its frames were disposed of.
    pub disposed: bool,
    /// All of it, header included.
    pub bytes: &'a [u8],
}

impl Follower {
    /// Before the first segment of a log.
    #[must_use]
    pub fn new(kind: LogKind) -> Self {
        Self::behind(kind, 0, 0, 0, i64::MIN)
    }

    /// At the end of a group of which all this is known; `recorded_at` is its time.
    #[must_use]
    pub fn behind(
        kind: LogKind,
        segment: u32,
        offset: u64,
        position: u64,
        recorded_at: i64,
    ) -> Self {
        Self { kind, segment, offset, position, recorded_at, disposed: false }
    }

    /// Frames so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the segment so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on with a segment, from its first [`SEGMENT_HEADER`] bytes.
    ///
    /// # Errors
    ///
    /// [`GroupFlaw`].
    pub fn begin(&mut self, segment: u32, header: &[u8]) -> Result<(), GroupFlaw> {
        (self.segment, self.offset) = (segment, 0);
        let header = SegmentHeader::decode(header);
        let header = header.ok_or_else(|| self.flaw("not a segment header"))?;
        if header.format > FORMAT {
            let problem = format!("log format {}; this program reads {FORMAT}", header.format);
            return Err(self.flaw(problem));
        }
        if header.kind != self.kind as u8 || header.number != segment {
            return Err(self.flaw("the header belongs to another segment"));
        }
        if header.first_position != self.position {
            return Err(self.flaw(format!(
                "the segment begins with position {}, but {} comes next",
                header.first_position, self.position
            )));
        }
        (self.offset, self.disposed) = (SEGMENT_HEADER as u64, header.disposed);
        Ok(())
    }

    /// The next group, which the bytes begin with; `None` if they end before it does.
    ///
    /// # Errors
    ///
    /// [`GroupFlaw`].
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<WholeGroup<'a>>, GroupFlaw> {
        if bytes.len() < GROUP_HEADER {
            return Ok(None);
        }
        let header = GroupHeader::decode(bytes).ok_or_else(|| self.flaw("not a group header"))?;
        let length = GROUP_HEADER + header.payload_length as usize;
        let Some(whole) = bytes.get(..length) else { return Ok(None) };
        let payload = whole.get(GROUP_HEADER..).unwrap_or_default();
        if crc32c::crc32c(payload) != header.payload_check {
            return Err(self.flaw("the checksum of a group does not match"));
        }
        if header.first_position != self.position {
            return Err(self.flaw("a group is out of order"));
        }
        if header.recorded_at < self.recorded_at {
            return Err(self.flaw("the time runs backwards"));
        }
        let group = WholeGroup {
            segment: self.segment,
            offset: self.offset,
            first_position: header.first_position,
            recorded_at: header.recorded_at,
            disposed: self.disposed,
            bytes: whole,
        };
        self.offset += length as u64;
        self.position += u64::from(header.frames);
        self.recorded_at = header.recorded_at;
        Ok(Some(group))
    }

    /// The flaw that something is wrong here.
    #[must_use]
    pub fn flaw(&self, problem: impl Into<String>) -> GroupFlaw {
        GroupFlaw { segment: self.segment, offset: self.offset, problem: problem.into() }
    }
}

impl WholeGroup<'_> {
    /// What is left of its frames, if these were disposed of.
    ///
    /// # Errors
    ///
    /// [`GroupFlaw`]: its bytes do not say so.
    pub fn remains(&self) -> Result<Option<Remains>, GroupFlaw> {
        let frames = GroupHeader::decode(self.bytes).map_or(0, |header| header.frames);
        let payload = self.bytes.get(GROUP_HEADER..).unwrap_or_default();
        let remains = self.disposed.then(|| Remains::decode(payload, frames));
        remains.transpose().map_err(|problem| self.flaw(0, problem))
    }

    /// Its frames, and the bytes of each.
    ///
    /// # Errors
    ///
    /// [`GroupFlaw`]: its bytes are not frames, or not as many, or not whole commits.
    pub fn frames(&self) -> Result<Vec<(Frame, &[u8])>, GroupFlaw> {
        let mut frames = Vec::new();
        let mut at = GROUP_HEADER;
        while at < self.bytes.len() {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let (frame, length) = Frame::get(rest).map_err(|problem| self.flaw(at, problem))?;
            frames.push((frame, rest.get(..length).unwrap_or_default()));
            at += length;
        }
        let stated = GroupHeader::decode(self.bytes).map_or(0, |header| header.frames);
        if frames.len() != stated as usize {
            return Err(self.flaw(0, "a group holds another number of frames"));
        }
        if !frames.last().is_some_and(|(frame, _)| frame.last_of_commit) {
            return Err(self.flaw(0, "a group ends within a commit"));
        }
        Ok(frames)
    }

    /// The group as it would be with these first frames of it only.
    #[must_use]
    pub fn cut(&self, frames: &[(Frame, &[u8])]) -> Vec<u8> {
        let payload: Vec<u8> = frames.iter().flat_map(|(_, bytes)| *bytes).copied().collect();
        // Fewer frames and bytes than there are, whose numbers fit.
        let fewer = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let header = GroupHeader {
            payload_length: fewer(payload.len()),
            first_position: self.first_position,
            recorded_at: self.recorded_at,
            frames: fewer(frames.len()),
            payload_check: crc32c::crc32c(&payload),
        };
        [header.encode().as_slice(), &payload].concat()
    }

    fn flaw(&self, at: usize, problem: &str) -> GroupFlaw {
        let offset = self.offset + at as u64;
        GroupFlaw { segment: self.segment, offset, problem: problem.to_owned() }
    }
}

impl GroupFlaw {
    /// The same as an error of the log in a directory.
    #[must_use]
    pub fn of(self, directory: &std::path::Path) -> LogError {
        let path = super::segment_path(directory, self.segment);
        LogError::Damaged { path, offset: self.offset, problem: self.problem }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, FrameKind, StreamAlias, open, segment_path};
    use super::*;
    use crate::disk::RealDisk;

    fn frame(last_of_commit: bool) -> Frame {
        Frame {
            kind: FrameKind::Chart,
            last_of_commit,
            alias: StreamAlias(9),
            version: 1,
            content: Content::clear(b"{}".to_vec()),
        }
    }

    /// A segment with two groups, of a commit of two frames and one of one frame each.
    fn segment() -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let log = open(RealDisk::handle(), directory.path(), LogKind::Events, 1 << 20, 0).unwrap();
        let mut writer = log.writer;
        writer.append(5, &[frame(false), frame(true), frame(true)]).unwrap();
        writer.append(6, &[frame(false), frame(true), frame(true)]).unwrap();
        std::fs::read(segment_path(directory.path(), 0)).unwrap()
    }

    fn follow(bytes: &[u8]) -> Result<Vec<(u64, usize)>, GroupFlaw> {
        let mut follower = Follower::new(LogKind::Events);
        follower.begin(0, bytes)?;
        let mut groups = Vec::new();
        while follower.offset() < bytes.len() as u64 {
            let rest = &bytes[usize::try_from(follower.offset()).unwrap()..];
            let Some(group) = follower.next(rest)? else {
                return Err(follower.flaw("cut off"));
            };
            groups.push((group.first_position, group.frames()?.len()));
        }
        Ok(groups)
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_found() {
        let whole = segment();
        assert_eq!(follow(&whole), Ok(vec![(0, 3), (3, 3)]));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            let flaw = follow(&damaged).unwrap_err();
            assert!(flaw.offset <= at as u64, "{at}: {flaw:?}");
        }
        for length in SEGMENT_HEADER + 1..whole.len() {
            let found = follow(&whole[..length]);
            assert!(found.is_err() || found == Ok(vec![(0, 3)]), "{length}: {found:?}");
        }
    }

    #[test]
    fn a_cut_group_is_a_whole_group() {
        let whole = segment();
        let mut follower = Follower::new(LogKind::Events);
        follower.begin(0, &whole).unwrap();
        let group = follower.next(&whole[SEGMENT_HEADER..]).unwrap().unwrap();
        let frames = group.frames().unwrap();
        let cut = [&whole[..SEGMENT_HEADER], &group.cut(&frames[..2])].concat();
        assert_eq!(follow(&cut), Ok(vec![(0, 2)]));
        let halved = [&whole[..SEGMENT_HEADER], &group.cut(&frames[..1])].concat();
        assert!(follow(&halved).unwrap_err().problem.contains("within a commit"));
    }
}
