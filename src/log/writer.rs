//! The one writer of a log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{FORMAT, GROUP_HEADER, GroupHeader, SEGMENT_HEADER, SegmentHeader};
use super::reader::Reader;
use super::{Frame, Location, LogError, LogKind, disk_error};
use crate::disk::{Disk, DiskFile};
use crate::numbers::Position;

/// Appends groups; at most one exists per log.
#[derive(Debug)]
pub struct Writer {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    kind: LogKind,
    segment_bytes_max: u64,
    reader: Reader,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    segment: u32,
    /// Bytes in the current segment.
    length: u64,
    next_position: u64,
    /// Microseconds since 1970; a group never carries an earlier time than the one before it.
    recorded_at: i64,
    failed: bool,
}

/// A group that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedGroup {
    /// Position of its first frame.
    pub first_position: Position,
    /// Its time, microseconds since 1970.
    pub recorded_at: i64,
    /// Where the group itself lies, header included.
    pub group: Location,
    /// Where each frame lies.
    pub frames: Vec<Location>,
    /// The bytes of the group, header included.
    pub bytes: Vec<u8>,
}

/// What a writer goes on from.
pub(super) struct Tail {
    pub segment: u32,
    /// Where its last group starts; without groups, where its header does.
    pub last_group: u64,
    /// Where its last group ends.
    pub length: u64,
    pub next_position: u64,
    pub recorded_at: i64,
}

impl Tail {
    /// The end of a log that is to be created.
    pub const EMPTY: Self =
        Self { segment: 0, last_group: 0, length: 0, next_position: 0, recorded_at: i64::MIN };

    /// The start of the segment behind that one, which is to be created.
    pub fn behind(&self) -> Self {
        let Self { next_position, recorded_at, .. } = *self;
        Self { segment: self.segment + 1, last_group: 0, length: 0, next_position, recorded_at }
    }
}

impl Writer {
    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        directory: &Path,
        kind: LogKind,
        segment_bytes_max: u64,
        reader: Reader,
        tail: &Tail,
    ) -> Result<Self, LogError> {
        let (file, path) = reader.file(tail.segment)?;
        Ok(Self {
            disk,
            directory: directory.to_owned(),
            kind,
            segment_bytes_max,
            reader,
            file,
            path,
            segment: tail.segment,
            length: tail.length,
            next_position: tail.next_position,
            recorded_at: tail.recorded_at,
            failed: false,
        })
    }

    /// Position that the next frame will have: the number of frames in the log.
    #[must_use]
    pub fn next_position(&self) -> Position {
        Position::new(self.next_position)
    }

    /// The time for a group that starts now: never before the last one's.
    #[must_use]
    pub fn stamp(&self, now: i64) -> i64 {
        now.max(self.recorded_at)
    }

    /// Bytes of frames that the next group may have at most to stand in the same segment as the last one.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.segment_bytes_max.saturating_sub(self.length + GROUP_HEADER as u64)
    }

    /// Appends one group and returns when it is on disk.
    ///
    /// # Errors
    ///
    /// [`LogError::Disk`] once; afterwards [`LogError::ReadOnly`], because what a failed write or
    /// fsync left behind is unknown until the log is opened again.
    pub fn append(
        &mut self,
        recorded_at: i64,
        frames: &[Frame],
    ) -> Result<AppendedGroup, LogError> {
        if self.failed {
            return Err(LogError::ReadOnly);
        }
        debug_assert!(recorded_at >= self.recorded_at, "time runs backwards");
        let result = self.try_append(recorded_at, frames);
        self.failed = result.is_err();
        result
    }

    fn try_append(
        &mut self,
        recorded_at: i64,
        frames: &[Frame],
    ) -> Result<AppendedGroup, LogError> {
        let payload: usize = frames.iter().map(Frame::length).sum();
        let group_length = (GROUP_HEADER + payload) as u64;
        if self.length > SEGMENT_HEADER as u64
            && self.length + group_length > self.segment_bytes_max
        {
            self.rotate()?;
        }
        let mut bytes = Vec::with_capacity(GROUP_HEADER + payload);
        bytes.resize(GROUP_HEADER, 0);
        let mut locations = Vec::with_capacity(frames.len());
        for frame in frames {
            let start = bytes.len();
            frame.put(&mut bytes);
            locations.push(self.location(self.length + start as u64, bytes.len() - start)?);
        }
        let body = bytes.get(GROUP_HEADER..).unwrap_or_default();
        let header = GroupHeader {
            payload_length: u32::try_from(body.len()).map_err(|_| self.too_large())?,
            first_position: self.next_position,
            recorded_at,
            frames: u32::try_from(frames.len()).map_err(|_| self.too_large())?,
            payload_check: crc32c::crc32c(body),
        };
        if let Some(place) = bytes.get_mut(..GROUP_HEADER) {
            place.copy_from_slice(&header.encode());
        }
        let group = self.location(self.length, bytes.len())?;
        self.file.write_all_at(&bytes, self.length).map_err(disk_error(&self.path))?;
        self.file.sync_data().map_err(disk_error(&self.path))?;
        self.length += group_length;
        let first_position = self.next_position();
        self.next_position += frames.len() as u64;
        self.recorded_at = recorded_at;
        Ok(AppendedGroup { first_position, recorded_at, group, bytes, frames: locations })
    }

    fn location(&self, offset: u64, length: usize) -> Result<Location, LogError> {
        let offset = u32::try_from(offset).map_err(|_| self.too_large())?;
        let length = u32::try_from(length).map_err(|_| self.too_large())?;
        Ok(Location { segment: self.segment, offset, length })
    }

    fn too_large(&self) -> LogError {
        let source = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        LogError::Disk { path: self.path.clone(), source }
    }

    fn rotate(&mut self) -> Result<(), LogError> {
        let number = self.segment + 1;
        let (file, path) =
            create_segment(&*self.disk, &self.directory, self.kind, number, self.next_position)?;
        self.reader.add_segment(Arc::clone(&file), path.clone());
        (self.file, self.path) = (file, path);
        self.segment = number;
        self.length = SEGMENT_HEADER as u64;
        Ok(())
    }
}

/// The file of a segment in the directory of its log.
#[must_use]
pub fn segment_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{number:08}.seg"))
}

/// Creates a segment, durably: header and directory entry are on disk when this returns.
pub(super) fn create_segment(
    disk: &dyn Disk,
    directory: &Path,
    kind: LogKind,
    number: u32,
    first_position: u64,
) -> Result<(Arc<dyn DiskFile>, PathBuf), LogError> {
    let path = segment_path(directory, number);
    let disposed = false;
    let header =
        SegmentHeader { format: FORMAT, kind: kind as u8, disposed, number, first_position };
    let file = disk.create(&path).map_err(disk_error(&path))?;
    file.write_all_at(&header.encode(), 0).map_err(disk_error(&path))?;
    file.sync_data().map_err(disk_error(&path))?;
    disk.sync_directory(directory).map_err(disk_error(directory))?;
    Ok((file, path))
}
