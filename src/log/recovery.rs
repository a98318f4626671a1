//! Opening a log: find its end, drop an incomplete last group, refuse everything else.

use std::path::Path;
use std::sync::Arc;

use super::format::{FORMAT, GROUP_HEADER, GROUP_MAGIC, GroupHeader, SEGMENT_HEADER};
use super::reader::Reader;
use super::writer::{Tail, Writer, create_segment, segment_path};
use super::{LogError, LogKind, disk_error};
use crate::disk::Disk;

/// A log, open for reading and writing.
#[derive(Debug)]
pub struct Recovered {
    /// Its only writer.
    pub writer: Writer,
    /// Its readers' handle.
    pub reader: Reader,
    /// Bytes of an unfinished last group that were dropped; they were never acknowledged.
    pub dropped_bytes: u64,
}

/// Opens the log in a directory, or creates it there. It must contain at least the first
/// `acknowledged` frames, which clients were told are durable.
///
/// # Errors
///
/// [`LogError::Damaged`] unless the only flaw is that the last group was not written to its end
/// and was not acknowledged; [`LogError::Newer`]; or the disk's. A log that is damaged or newer is
/// left as it is.
pub fn open(
    disk: Arc<dyn Disk>,
    directory: &Path,
    kind: LogKind,
    segment_bytes_max: u64,
    acknowledged: u64,
) -> Result<Recovered, LogError> {
    create_directory(&*disk, directory)?;
    let reader = Reader::new();
    let mut count = 0;
    while disk.exists(&segment_path(directory, count)) {
        let path = segment_path(directory, count);
        reader.add_segment(disk.open(&path).map_err(disk_error(&path))?, path);
        count += 1;
    }
    refuse_gaps(&*disk, directory, count)?;
    let is_unfinished = match count.checked_sub(1) {
        Some(last) => is_unfinished_segment(&reader, last)?,
        None => false,
    };
    if is_unfinished {
        reader.remove_last_segment();
        count -= 1;
    }
    for number in 0..count {
        check_header(directory, kind, &reader, number)?;
    }
    let (mut tail, dropped_bytes) = match count.checked_sub(1) {
        Some(last) if is_unfinished => (find_whole(&reader, last)?.behind(), 0),
        Some(last) => find_tail(&reader, last)?,
        None => (Tail::EMPTY, 0),
    };
    refuse_loss(directory, &tail, acknowledged)?;
    // Until here, nothing was changed.
    if tail.length == 0 {
        let (file, path) = create_segment(&*disk, directory, kind, count, tail.next_position)?;
        reader.add_segment(file, path);
        tail.length = SEGMENT_HEADER as u64;
    } else {
        secure(&*disk, directory, &reader, &tail, dropped_bytes)?;
    }
    // As long as the segment never exceeds u32 offsets, locations stay 12 bytes.
    let segment_bytes_max = segment_bytes_max.min(u64::from(u32::MAX) / 2);
    let writer = Writer::resume(disk, directory, kind, segment_bytes_max, reader.clone(), &tail)?;
    Ok(Recovered { writer, reader, dropped_bytes })
}

/// Creates the directory of a log, durably: it may be new, and the one above it too.
fn create_directory(disk: &dyn Disk, directory: &Path) -> Result<(), LogError> {
    disk.create_directory(directory).map_err(disk_error(directory))?;
    let above = directory.ancestors().skip(1).take(2);
    for above in above.filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_directory(above).map_err(disk_error(above))?;
    }
    Ok(())
}

/// Whether a directory contains a log.
#[must_use]
pub fn exists(disk: &dyn Disk, directory: &Path) -> bool {
    disk.exists(&segment_path(directory, 0))
}

/// A segment file beyond a missing one means that files were lost.
pub(super) fn refuse_gaps(disk: &dyn Disk, directory: &Path, count: u32) -> Result<(), LogError> {
    for name in disk.list(directory).map_err(disk_error(directory))? {
        let path = directory.join(name);
        let is_segment = path.extension().is_some_and(|extension| extension == "seg");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        if is_segment && number.is_none_or(|number| number >= count) {
            let problem = format!("segment {count:08} is missing before it");
            return Err(LogError::Damaged { path, offset: 0, problem });
        }
    }
    Ok(())
}

/// Whether a crash while the segment was created left it without a header, and so without groups.
pub(super) fn is_unfinished_segment(reader: &Reader, last: u32) -> Result<bool, LogError> {
    if reader.segment_length(last)? > SEGMENT_HEADER as u64 {
        return Ok(false);
    }
    match reader.segment_header(last) {
        Ok(_) => Ok(false),
        Err(LogError::Damaged { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

pub(super) fn check_header(
    directory: &Path,
    kind: LogKind,
    reader: &Reader,
    number: u32,
) -> Result<(), LogError> {
    let header = reader.segment_header(number)?;
    if header.format > FORMAT {
        let path = segment_path(directory, number);
        return Err(LogError::Newer { path, found: header.format, known: FORMAT });
    }
    if header.kind != kind as u8 || header.number != number {
        return Err(reader.damaged(number, 0, "the header belongs to another segment"));
    }
    Ok(())
}

/// Finds the end of the last segment; the second value is the length of an unfinished last group.
pub(super) fn find_tail(reader: &Reader, segment: u32) -> Result<(Tail, u64), LogError> {
    let (mut tail, length) = walk(reader, segment)?;
    let dropped = length - tail.length;
    if dropped > 0 {
        refuse_groups_behind(reader, segment, tail.length, length)?;
    }
    if tail.recorded_at == i64::MIN
        && let Some(before) = segment.checked_sub(1)
    {
        let whole = find_whole(reader, before)?;
        if whole.next_position != tail.next_position {
            let problem = "groups are missing at the segment's end";
            return Err(reader.damaged(before, whole.length, problem));
        }
        tail.recorded_at = whole.recorded_at;
    }
    Ok((tail, dropped))
}

/// What was acknowledged must be there.
fn refuse_loss(directory: &Path, tail: &Tail, acknowledged: u64) -> Result<(), LogError> {
    if tail.next_position >= acknowledged {
        return Ok(());
    }
    let problem = format!(
        "sound groups end at position {}, but {acknowledged} events or entries were acknowledged, or \
         signed for in a checkpoint: restore the log. Only if that cannot be done, delete views/ and \
         proof/ to go on without what is lost; older checkpoints elsewhere will then contradict the log",
        tail.next_position
    );
    Err(LogError::Damaged {
        path: segment_path(directory, tail.segment),
        offset: tail.length,
        problem,
    })
}

/// Cuts off an unfinished last group, and makes what is left of the last segment durable.
fn secure(
    disk: &dyn Disk,
    directory: &Path,
    reader: &Reader,
    tail: &Tail,
    dropped_bytes: u64,
) -> Result<(), LogError> {
    let (file, path) = reader.file(tail.segment)?;
    if dropped_bytes > 0 {
        file.set_length(tail.length).map_err(disk_error(&path))?;
    }
    // The process before may have ended between writing the last group and syncing it, or a sync
    // may have failed, after which the system takes pages for clean that are not on disk. So the
    // group is written once more, before any reader sees it.
    let length = usize::try_from(tail.length - tail.last_group).unwrap_or(usize::MAX);
    let last = reader.bytes(tail.segment, tail.last_group, length)?;
    file.write_all_at(&last, tail.last_group).map_err(disk_error(&path))?;
    file.sync_data().map_err(disk_error(&path))?;
    disk.sync_directory(directory).map_err(disk_error(directory))
}

/// The end of a segment before the last: it was on disk before the next one was created, so
/// nothing in it is unfinished.
fn find_whole(reader: &Reader, segment: u32) -> Result<Tail, LogError> {
    let (tail, length) = walk(reader, segment)?;
    if tail.length < length {
        let problem = "a damaged group, with another segment behind it";
        return Err(reader.damaged(segment, tail.length, problem));
    }
    Ok(tail)
}

/// Walks a segment up to its first flaw; the second value is the length of its file.
fn walk(reader: &Reader, segment: u32) -> Result<(Tail, u64), LogError> {
    let length = reader.segment_length(segment)?;
    let mut tail = Tail {
        segment,
        last_group: 0,
        length: SEGMENT_HEADER as u64,
        next_position: reader.segment_header(segment)?.first_position,
        recorded_at: i64::MIN,
    };
    while tail.length < length {
        let Some(header) = whole_group(reader, segment, tail.length, length)? else { break };
        if header.first_position != tail.next_position {
            return Err(reader.damaged(segment, tail.length, "a group is out of order"));
        }
        tail.last_group = tail.length;
        tail.length += GROUP_HEADER as u64 + u64::from(header.payload_length);
        tail.next_position += u64::from(header.frames);
        tail.recorded_at = header.recorded_at;
    }
    Ok((tail, length))
}

fn whole_group(
    reader: &Reader,
    segment: u32,
    offset: u64,
    length: u64,
) -> Result<Option<GroupHeader>, LogError> {
    let Some(header) = reader.group_header(segment, offset)? else { return Ok(None) };
    let start = offset + GROUP_HEADER as u64;
    if start + u64::from(header.payload_length) > length {
        return Ok(None);
    }
    let payload = reader.bytes(segment, start, header.payload_length as usize)?;
    Ok((crc32c::crc32c(&payload) == header.payload_check).then_some(header))
}

/// If a sound group follows, the flaw before it is damage and not an unfinished write.
fn refuse_groups_behind(
    reader: &Reader,
    segment: u32,
    flaw: u64,
    length: u64,
) -> Result<(), LogError> {
    let rest = reader.bytes(segment, flaw, usize::try_from(length - flaw).unwrap_or(usize::MAX))?;
    let sound = rest
        .windows(GROUP_HEADER)
        .skip(1)
        .any(|window| window.starts_with(GROUP_MAGIC) && GroupHeader::decode(window).is_some());
    if sound {
        return Err(reader.damaged(segment, flaw, "a damaged group, with sound groups behind it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::format::FRAME_HEADER;
    use super::super::{Content, Frame, FrameKind, StreamAlias};
    use super::*;
    use crate::disk::RealDisk;
    use crate::numbers::Position;

    fn frames(count: u32, size: usize) -> Vec<Frame> {
        (0..count)
            .map(|version| Frame {
                kind: FrameKind::Chart,
                last_of_commit: true,
                alias: StreamAlias(1),
                version,
                content: Content::clear(vec![b'x'; size]),
            })
            .collect()
    }

    fn filled(directory: &Path, groups: usize) {
        let mut log = open(RealDisk::handle(), directory, LogKind::Events, 2_000, 0).unwrap();
        for at in 0..groups {
            log.writer.append(i64::try_from(at).unwrap(), &frames(3, 100)).unwrap();
        }
    }

    fn last_segment(directory: &Path) -> std::path::PathBuf {
        let mut number = 0;
        while segment_path(directory, number + 1).exists() {
            number += 1;
        }
        segment_path(directory, number)
    }

    #[test]
    fn reads_back_everything_in_order_over_several_segments() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 20);
        let log = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0).unwrap();
        assert_eq!(log.writer.next_position().get(), 60);
        assert!(log.reader.segments() > 3);
        let groups: Vec<_> =
            log.reader.scan(Position::new(31), Position::new(60)).map(Result::unwrap).collect();
        assert_eq!(groups.first().unwrap().first_position.get(), 30);
        assert_eq!(groups.len(), 10);
        let (frame, location) = &groups[0].frames[1];
        assert_eq!(&log.reader.frame(*location).unwrap(), frame);
    }

    #[test]
    fn drops_only_an_unfinished_last_group_wherever_it_was_cut() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 4);
        let path = last_segment(directory.path());
        let whole = std::fs::read(&path).unwrap();
        let before = {
            let log =
                open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0).unwrap();
            log.writer.next_position().get()
        };
        let group = 36 + 3 * (FRAME_HEADER + 100);
        for cut in 1..group {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let log =
                open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0).unwrap();
            assert_eq!(log.writer.next_position().get(), before - 3, "cut {cut}");
            assert_eq!(log.dropped_bytes, (group - cut) as u64);
        }
    }

    #[test]
    fn damage_before_the_last_group_is_an_error_that_names_the_place() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 2);
        let path = last_segment(directory.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SEGMENT_HEADER + 50] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains("at byte 32") && error.contains("damaged group"), "{error}");
    }

    #[test]
    fn a_damaged_last_group_is_an_error_if_it_is_known_to_have_been_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 2);
        let path = last_segment(directory.path());
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let error = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 6)
            .unwrap_err()
            .to_string();
        assert!(error.contains("end at position 3, but 6"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
        let log = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 3).unwrap();
        assert_eq!(log.writer.next_position().get(), 3);
    }

    #[test]
    fn a_missing_segment_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 20);
        std::fs::remove_file(segment_path(directory.path(), 1)).unwrap();
        let error = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains("segment 00000001 is missing"), "{error}");
    }

    #[test]
    fn a_segment_cut_off_while_it_was_created_is_created_again() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 20);
        let path = last_segment(directory.path());
        let number: u32 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let next = segment_path(directory.path(), number + 1);
        std::fs::write(&next, b"CHART").unwrap();
        let log = open(RealDisk::handle(), directory.path(), LogKind::Events, 2_000, 0).unwrap();
        assert_eq!(log.writer.next_position().get(), 60);
        assert_eq!(log.writer.stamp(0), 19);
    }
}
