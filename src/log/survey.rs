//! Surveying a log that another process may be writing, without changing it.

use std::path::Path;

use super::format::SEGMENT_HEADER;
use super::reader::Reader;
use super::recovery::{check_header, find_tail, is_unfinished_segment, refuse_gaps};
use super::writer::segment_path;
use super::{LogError, LogKind, disk_error};
use crate::disk::Disk;

/// The extent of a log, up to its last complete group.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Reads it.
    pub reader: Reader,
    /// Bytes of each segment, in order.
    pub segments: Vec<u64>,
    /// Number of its frames.
    pub position: u64,
    /// Time of its last group, microseconds since 1970; `i64::MIN` if it has none.
    pub recorded_at: i64,
}

/// Surveys the log in a directory. A group that is being written is not counted; what is, is
/// durable. Only the last segment is read.
///
/// # Errors
///
/// [`LogError::Damaged`] as at opening; the disk's.
pub fn survey(disk: &dyn Disk, directory: &Path, kind: LogKind) -> Result<Survey, LogError> {
    let reader = Reader::new();
    let mut count = 0;
    while disk.exists(&segment_path(directory, count)) {
        let path = segment_path(directory, count);
        reader.add_segment(disk.open_to_read(&path).map_err(disk_error(&path))?, path);
        count += 1;
    }
    let Some(mut last) = count.checked_sub(1) else {
        let problem = "there is no log".to_owned();
        return Err(LogError::Damaged { path: directory.to_owned(), offset: 0, problem });
    };
    if let Err(error) = refuse_gaps(disk, directory, count)
        // The writer may have begun another segment in the meantime.
        && !disk.exists(&segment_path(directory, count))
    {
        return Err(error);
    }
    // A segment file exists for a moment before its header is written.
    if last > 0 && is_unfinished_segment(&reader, last)? {
        reader.remove_last_segment();
        last -= 1;
    }
    for number in 0..=last {
        check_header(directory, kind, &reader, number)?;
    }
    let (tail, _) = find_tail(&reader, last)?;
    let (file, path) = reader.file(last)?;
    file.sync_data().map_err(disk_error(&path))?;
    let closed = (0..last).map(|number| reader.segment_length(number));
    let mut segments = closed.collect::<Result<Vec<_>, _>>()?;
    segments.push(tail.length);
    Ok(Survey { reader, segments, position: tail.next_position, recorded_at: tail.recorded_at })
}

/// The end of one segment of a log, which has to begin where the segment itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEnd {
    /// Bytes up to the end of its last whole group.
    pub length: u64,
    /// Where that group begins.
    pub last_group: u64,
    /// Number of frames of the log up to there.
    pub next_position: u64,
    /// Time of that group, microseconds since 1970; `i64::MIN` if there is none.
    pub recorded_at: i64,
}

/// Finds the end of one segment, whatever may be behind it.
///
/// # Errors
///
/// [`LogError::Damaged`], [`LogError::Newer`]; the disk's.
pub fn survey_end(
    disk: &dyn Disk,
    directory: &Path,
    kind: LogKind,
    segment: u32,
) -> Result<SegmentEnd, LogError> {
    let reader = Reader::new();
    for number in 0..=segment {
        let path = segment_path(directory, number);
        reader.add_segment(disk.open_to_read(&path).map_err(disk_error(&path))?, path);
    }
    check_header(directory, kind, &reader, segment)?;
    let (tail, _) = find_tail(&reader, segment)?;
    let super::writer::Tail { length, last_group, next_position, recorded_at, .. } = tail;
    Ok(SegmentEnd { length, last_group, next_position, recorded_at })
}

impl Reader {
    /// Bytes of each segment, up to the end of the group that ends with frame `position` - 1.
    ///
    /// # Errors
    ///
    /// The disk's; [`LogError::Damaged`] if no group ends there.
    pub fn lengths(&self, position: u64) -> Result<Vec<u64>, LogError> {
        let mut lengths = Vec::new();
        let count = u32::try_from(self.segments()).unwrap_or(u32::MAX);
        for number in 0..count {
            let next = (number + 1 < count).then(|| self.segment_header(number + 1)).transpose()?;
            if next.is_some_and(|next| next.first_position <= position) {
                lengths.push(self.segment_length(number)?);
            } else {
                lengths.push(self.length_up_to(number, position)?);
                break;
            }
        }
        Ok(lengths)
    }

    fn length_up_to(&self, number: u32, position: u64) -> Result<u64, LogError> {
        let mut length = SEGMENT_HEADER as u64;
        let mut reached = self.segment_header(number)?.first_position;
        while reached < position {
            let header = self.group_header(number, length)?;
            let header =
                header.ok_or_else(|| self.damaged(number, length, "not a group header"))?;
            length += super::format::GROUP_HEADER as u64 + u64::from(header.payload_length);
            reached += u64::from(header.frames);
        }
        if reached == position {
            Ok(length)
        } else {
            Err(self.damaged(number, length, "a group ends behind what is durable"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Frame, FrameKind, StreamAlias, open};
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_survey_counts_whole_groups_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = open(RealDisk::handle(), directory.path(), LogKind::Events, 600, 0).unwrap();
        let frame = |version| Frame {
            kind: FrameKind::Chart,
            last_of_commit: true,
            alias: StreamAlias(9),
            version,
            content: Content::clear(vec![b'x'; 100]),
        };
        for at in 0..10 {
            log.writer.append(at, &[frame(1), frame(2)]).unwrap();
        }
        let found = survey(&RealDisk, directory.path(), LogKind::Events).unwrap();
        assert_eq!((found.position, found.recorded_at), (20, 9));
        assert_eq!(found.segments.len(), 10);
        assert_eq!(log.reader.lengths(20).unwrap(), found.segments);
        assert_eq!(log.reader.lengths(6).unwrap(), vec![368, 368, 368, 32]);
        assert!(log.reader.lengths(7).is_err());
        let last = segment_path(directory.path(), 9);
        let whole = std::fs::read(&last).unwrap();
        std::fs::write(&last, &whole[..whole.len() - 1]).unwrap();
        let found = survey(&RealDisk, directory.path(), LogKind::Events).unwrap();
        assert_eq!((found.position, found.segments[9], found.recorded_at), (18, 32, 8));
        assert_eq!(std::fs::read(&last).unwrap().len(), whole.len() - 1);
        std::fs::write(segment_path(directory.path(), 10), b"CHART").unwrap();
        std::fs::write(&last, &whole).unwrap();
        let found = survey(&RealDisk, directory.path(), LogKind::Events).unwrap();
        assert_eq!((found.position, found.segments.len()), (20, 10));
        std::fs::remove_file(segment_path(directory.path(), 3)).unwrap();
        assert!(survey(&RealDisk, directory.path(), LogKind::Events).is_err());
    }
}
