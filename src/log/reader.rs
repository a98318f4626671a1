//! Reading frames: one by its location, or all in order.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::format::{GROUP_HEADER, GroupHeader, SEGMENT_HEADER, SegmentHeader, frame_length};
use super::{ClosedSegment, Frame, Location, LogError, Remains, disk_error};
use crate::disk::DiskFile;
use crate::numbers::Position;

/// Reads a log while it is being written; clones share the open files and take no lock.
#[derive(Debug, Clone)]
pub struct Reader {
    segments: Arc<ArcSwap<Vec<Arc<Segment>>>>,
}

#[derive(Debug)]
struct Segment {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    /// The positions of its frames, if these were disposed of.
    disposed: Option<Range<u64>>,
}

/// A group read back in order.
#[derive(Debug, Clone)]
pub struct Group {
    /// Position of the first frame.
    pub first_position: Position,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// Where the group lies, header included.
    pub location: Location,
    /// Its frames and where they lie.
    pub frames: Vec<(Frame, Location)>,
    /// What is left of its frames, if these were disposed of; then there are none.
    pub remains: Option<Remains>,
}

impl Group {
    /// The position behind its last frame.
    #[must_use]
    pub fn end(&self) -> Position {
        let disposed = self.remains.as_ref().map_or(0, |remains| remains.leaves.len());
        self.first_position + (self.frames.len() + disposed) as u64
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { segments: Arc::new(ArcSwap::from_pointee(Vec::new())) }
    }

    /// Adds the segment behind the last one.
    pub(super) fn add_segment(&self, file: Arc<dyn DiskFile>, path: PathBuf) {
        let added = Arc::new(Segment::new(file, path));
        // One that is closed may be replaced meanwhile.
        self.segments.rcu(|segments| {
            let mut segments = Vec::clone(segments);
            segments.push(Arc::clone(&added));
            segments
        });
    }

    /// Puts another file in the place of a segment.
    pub(super) fn replace_segment(&self, number: u32, file: Arc<dyn DiskFile>, path: PathBuf) {
        let replaced = Arc::new(Segment::new(file, path));
        self.segments.rcu(|segments| {
            let mut segments = Vec::clone(segments);
            if let Some(place) = segments.get_mut(number as usize) {
                *place = Arc::clone(&replaced);
            }
            segments
        });
    }

    /// The positions of the frames that were disposed of, in order.
    #[must_use]
    pub fn disposed(&self) -> Vec<Range<Position>> {
        let segments = self.segments.load();
        let disposed = segments.iter().filter_map(|segment| segment.disposed.clone());
        disposed.map(|range| Position::new(range.start)..Position::new(range.end)).collect()
    }

    /// The segments that nothing is appended to any more, in order.
    ///
    /// # Errors
    ///
    /// The disk's; [`LogError::Damaged`].
    pub fn closed(&self) -> Result<Vec<ClosedSegment>, LogError> {
        let count = u32::try_from(self.segments()).unwrap_or(u32::MAX).saturating_sub(1);
        let mut closed = Vec::with_capacity(count as usize);
        for number in 0..count {
            let first = Position::new(self.segment_header(number)?.first_position);
            let end = Position::new(self.segment_header(number + 1)?.first_position);
            closed.push(ClosedSegment {
                number,
                positions: first..end,
                bytes: self.segment_length(number)?,
                is_disposed: self.segment(number)?.disposed.is_some(),
            });
        }
        Ok(closed)
    }

    /// The statement about the disposal of the frames of a segment; `None` if the frames are there.
    ///
    /// # Errors
    ///
    /// The disk's; [`LogError::Damaged`].
    pub fn statement(&self, number: u32) -> Result<Option<String>, LogError> {
        let segment = self.segment(number)?;
        if segment.disposed.is_none() {
            return Ok(None);
        }
        let at = (SEGMENT_HEADER + GROUP_HEADER) as u64;
        let length =
            segment.read(at, 4)?.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
        if at + u64::from(length) > self.segment_length(number)? {
            return Err(segment.damaged(at, "the statement is cut off"));
        }
        let text = String::from_utf8(segment.read(at + 4, length as usize)?);
        text.map(Some).map_err(|_| segment.damaged(at, "the statement is not UTF-8"))
    }

    /// A reader of the segments as they are now, even if one is disposed of.
    #[must_use]
    pub fn fixed(&self) -> Self {
        Self { segments: Arc::new(ArcSwap::new(self.segments.load_full())) }
    }

    /// Removes the last segment, which is empty.
    pub(super) fn remove_last_segment(&self) {
        let mut segments = Vec::clone(&self.segments.load());
        segments.pop();
        self.segments.store(Arc::new(segments));
    }

    /// The file of a segment and its path.
    pub(super) fn file(&self, number: u32) -> Result<(Arc<dyn DiskFile>, PathBuf), LogError> {
        let segment = self.segment(number)?;
        Ok((Arc::clone(&segment.file), segment.path.clone()))
    }

    fn segment(&self, number: u32) -> Result<Arc<Segment>, LogError> {
        self.segments.load().get(number as usize).cloned().ok_or_else(|| LogError::Damaged {
            path: PathBuf::from(format!("{number:08}.seg")),
            offset: 0,
            problem: "no such segment".to_owned(),
        })
    }

    /// Reads the frame at a location.
    ///
    /// # Errors
    ///
    /// The disk's, or [`LogError::Damaged`] when the bytes there are not that frame.
    pub fn frame(&self, at: Location) -> Result<Frame, LogError> {
        let segment = self.undisposed(at)?;
        let bytes = segment.read(u64::from(at.offset), at.length as usize)?;
        let (frame, length) =
            Frame::get(&bytes).map_err(|problem| segment.damaged(at.offset.into(), problem))?;
        if length == bytes.len() {
            Ok(frame)
        } else {
            Err(segment.damaged(at.offset.into(), "a frame is shorter than its place"))
        }
    }

    /// Reads the frames of one commit, the first of which lies there.
    ///
    /// # Errors
    ///
    /// The disk's, or [`LogError::Damaged`] when the bytes there are not such frames.
    pub fn commit(&self, first: Location) -> Result<Vec<(Frame, Location)>, LogError> {
        let mut frames = vec![(self.frame(first)?, first)];
        let mut at = first;
        while frames.last().is_some_and(|(frame, _)| !frame.last_of_commit) {
            at.offset += at.length;
            at.length = self.frame_length(at)?;
            frames.push((self.frame(at)?, at));
        }
        Ok(frames)
    }

    fn frame_length(&self, at: Location) -> Result<u32, LogError> {
        let bytes = self.segment(at.segment)?.read(u64::from(at.offset), 4)?;
        Ok(frame_length(&bytes).unwrap_or(u32::MAX))
    }

    /// Reads the group at a location.
    ///
    /// # Errors
    ///
    /// The disk's, [`LogError::Disposed`], or [`LogError::Damaged`] when the bytes there are not that group.
    pub fn group(&self, at: Location) -> Result<Group, LogError> {
        self.undisposed(at)?.group(at)
    }

    /// The segment of a location, whose frames are still there.
    fn undisposed(&self, at: Location) -> Result<Arc<Segment>, LogError> {
        let segment = self.segment(at.segment)?;
        match segment.disposed.clone() {
            Some(Range { start: first, end }) => Err(LogError::Disposed { first, end }),
            None => Ok(segment),
        }
    }

    /// Every group of the log from the one that contains `position`, in order, up to `end` frames.
    /// A damaged place ends the iteration with its error.
    pub fn scan(
        &self,
        position: Position,
        end: Position,
    ) -> impl Iterator<Item = Result<Group, LogError>> + use<> {
        let mut cursor = Cursor {
            reader: self.clone(),
            at: None,
            reached: 0,
            position: position.get(),
            end: end.get(),
        };
        std::iter::from_fn(move || {
            let next = cursor.next().inspect_err(|_| cursor.end = cursor.position);
            next.transpose()
        })
    }

    /// Bytes of a segment as they are on disk; `None` if it does not reach so far.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn stretch(&self, number: u32, from: u64, to: u64) -> Result<Option<Vec<u8>>, LogError> {
        if number as usize >= self.segments() || from > to || to > self.segment_length(number)? {
            return Ok(None);
        }
        self.bytes(number, from, usize::try_from(to - from).unwrap_or(usize::MAX)).map(Some)
    }

    pub(super) fn segments(&self) -> usize {
        self.segments.load().len()
    }

    pub(super) fn segment_length(&self, number: u32) -> Result<u64, LogError> {
        let segment = self.segment(number)?;
        segment.file.length().map_err(disk_error(&segment.path))
    }

    pub(super) fn segment_header(&self, number: u32) -> Result<SegmentHeader, LogError> {
        let segment = self.segment(number)?;
        let bytes = segment.read(0, SEGMENT_HEADER)?;
        SegmentHeader::decode(&bytes).ok_or_else(|| segment.damaged(0, "not a segment header"))
    }

    /// The group header at an offset, if complete and undamaged.
    pub(super) fn group_header(
        &self,
        number: u32,
        offset: u64,
    ) -> Result<Option<GroupHeader>, LogError> {
        let segment = self.segment(number)?;
        if offset + GROUP_HEADER as u64 > self.segment_length(number)? {
            return Ok(None);
        }
        Ok(GroupHeader::decode(&segment.read(offset, GROUP_HEADER)?))
    }

    pub(super) fn bytes(
        &self,
        number: u32,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, LogError> {
        self.segment(number)?.read(offset, length)
    }

    /// The error for a frame whose content is not what was written.
    #[must_use]
    pub fn damage(&self, at: Location, problem: &str) -> LogError {
        self.damaged(at.segment, at.offset.into(), problem)
    }

    pub(super) fn damaged(&self, number: u32, offset: u64, problem: &str) -> LogError {
        match self.segment(number) {
            Ok(segment) => segment.damaged(offset, problem),
            Err(error) => error,
        }
    }
}

impl Segment {
    fn new(file: Arc<dyn DiskFile>, path: PathBuf) -> Self {
        let mut segment = Self { file, path, disposed: None };
        segment.disposed = segment.positions_disposed();
        segment
    }

    /// The positions of the frames that were here, if the headers say that these were disposed of.
    fn positions_disposed(&self) -> Option<Range<u64>> {
        let header = SegmentHeader::decode(&self.read(0, SEGMENT_HEADER).ok()?)?;
        header.disposed.then(|| {
            let group = self.read(SEGMENT_HEADER as u64, GROUP_HEADER).ok();
            let group = group.and_then(|bytes| GroupHeader::decode(&bytes));
            let frames = group.map_or(0, |group| u64::from(group.frames));
            header.first_position..header.first_position + frames
        })
    }

    /// The group at a location.
    fn group(&self, at: Location) -> Result<Group, LogError> {
        let bytes = self.read(u64::from(at.offset), at.length as usize)?;
        let header = GroupHeader::decode(&bytes)
            .ok_or_else(|| self.damaged(at.offset.into(), "not a group header"))?;
        self.open_group(at, &header, bytes.get(GROUP_HEADER..).unwrap_or_default())
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(self.damaged(offset, "the segment ends too early"))
            }
            Err(error) => Err(disk_error(&self.path)(error)),
        }
    }

    fn damaged(&self, offset: u64, problem: &str) -> LogError {
        LogError::Damaged { path: self.path.clone(), offset, problem: problem.to_owned() }
    }

    fn open_group(
        &self,
        at: Location,
        header: &GroupHeader,
        payload: &[u8],
    ) -> Result<Group, LogError> {
        if payload.len() != header.payload_length as usize
            || crc32c::crc32c(payload) != header.payload_check
        {
            return Err(self.damaged(at.offset.into(), "the checksum of a group does not match"));
        }
        let (first_position, recorded_at) =
            (Position::new(header.first_position), header.recorded_at);
        if self.disposed.is_some() {
            let remains = Remains::decode(payload, header.frames);
            let remains = remains.map_err(|problem| self.damaged(at.offset.into(), problem))?;
            let (frames, remains) = (Vec::new(), Some(remains));
            return Ok(Group { first_position, recorded_at, location: at, frames, remains });
        }
        let mut frames = Vec::with_capacity(header.frames.min(65_536) as usize);
        let mut rest = payload;
        let mut offset = at.offset + u32::try_from(GROUP_HEADER).unwrap_or_default();
        while !rest.is_empty() {
            let (frame, length) =
                Frame::get(rest).map_err(|problem| self.damaged(offset.into(), problem))?;
            let length32 = u32::try_from(length).unwrap_or(u32::MAX);
            frames.push((frame, Location { segment: at.segment, offset, length: length32 }));
            offset += length32;
            rest = rest.get(length..).unwrap_or_default();
        }
        if frames.len() != header.frames as usize {
            return Err(self.damaged(at.offset.into(), "a group holds another number of frames"));
        }
        Ok(Group { first_position, recorded_at, location: at, frames, remains: None })
    }
}

/// Walks groups from segment to segment.
struct Cursor {
    reader: Reader,
    /// Segment and offset of the next group; found on first use.
    at: Option<(u32, u64)>,
    /// Position that the group there must start with.
    reached: u64,
    position: u64,
    end: u64,
}

impl Cursor {
    fn next(&mut self) -> Result<Option<Group>, LogError> {
        loop {
            if self.position >= self.end {
                return Ok(None);
            }
            let (number, offset) = match self.at {
                Some(at) => at,
                None => self.start()?,
            };
            if offset >= self.reader.segment_length(number)? {
                self.next_segment(number, offset)?;
                continue;
            }
            let header = match self.reader.group_header(number, offset)? {
                Some(header) if header.first_position == self.reached => header,
                Some(_) => {
                    return Err(self.reader.damaged(number, offset, "a group is out of order"));
                }
                None => return Err(self.reader.damaged(number, offset, "not a group header")),
            };
            let length = GROUP_HEADER as u64 + u64::from(header.payload_length);
            self.at = Some((number, offset + length));
            let next = header.first_position + u64::from(header.frames);
            self.reached = next;
            if next <= self.position {
                continue;
            }
            let at = Location {
                segment: number,
                offset: u32::try_from(offset).unwrap_or(u32::MAX),
                length: u32::try_from(length).unwrap_or(u32::MAX),
            };
            let group = self.reader.segment(number)?.group(at)?;
            self.position = next;
            return Ok(Some(group));
        }
    }

    /// The last segment that starts at or before the wanted position.
    fn start(&mut self) -> Result<(u32, u64), LogError> {
        let mut number =
            u32::try_from(self.reader.segments()).unwrap_or(u32::MAX).saturating_sub(1);
        self.reached = self.reader.segment_header(number)?.first_position;
        while number > 0 && self.reached > self.position {
            number -= 1;
            self.reached = self.reader.segment_header(number)?.first_position;
        }
        Ok((number, SEGMENT_HEADER as u64))
    }

    /// Goes on behind the end of a segment, where the next one must have started.
    fn next_segment(&mut self, number: u32, length: u64) -> Result<(), LogError> {
        if self.reader.segment_header(number + 1)?.first_position != self.reached {
            return Err(self.reader.damaged(
                number,
                length,
                "groups are missing at the segment's end",
            ));
        }
        self.at = Some((number + 1, SEGMENT_HEADER as u64));
        Ok(())
    }
}
