//! Opening a log: find its end, drop an incomplete last group, refuse everything else.

use std::fs::OpenOptions;
use std::path::Path;

use super::format::{FORMAT, GROUP_HEADER, GROUP_MAGIC, GroupHeader, SEGMENT_HEADER};
use super::reader::Reader;
use super::writer::{Tail, Writer, create_segment, segment_path, sync_directory};
use super::{LogError, LogKind, disk_error};

/// A log, open for reading and writing.
#[derive(Debug)]
pub struct Recovered {
    /// Its only writer.
    pub writer: Writer,
    /// Its readers' handle.
    pub reader: Reader,
    /// Bytes of an unfinished last group that were dropped; nobody was ever told of them.
    pub dropped_bytes: u64,
}

/// Opens the log in a directory, or creates it there. It must hold at least the first
/// `acknowledged` frames, which somebody is known to have been told of.
///
/// # Errors
///
/// [`LogError::Damaged`] unless the only flaw is that the last group was not written to its end
/// and was not acknowledged; [`LogError::Newer`]; or the disk's. Nothing is changed then.
pub fn open(
    directory: &Path,
    kind: LogKind,
    segment_bytes_max: u64,
    acknowledged: u64,
) -> Result<Recovered, LogError> {
    std::fs::create_dir_all(directory).map_err(disk_error(directory))?;
    if let Some(parent) = directory.parent() {
        sync_directory(parent)?;
    }
    let reader = Reader::new();
    let mut number = 0;
    while segment_path(directory, number).exists() {
        reader.add_segment(&segment_path(directory, number))?;
        number += 1;
    }
    refuse_gaps(directory, number)?;
    let last = if let Some(last) = number.checked_sub(1) {
        drop_unfinished_segment(directory, kind, &reader, last)?
    } else {
        let (_, path) = create_segment(directory, kind, 0, 0)?;
        reader.add_segment(&path)?;
        0
    };
    for number in 0..=last {
        check_header(directory, kind, &reader, number)?;
    }
    let (tail, dropped_bytes) = find_tail(directory, &reader, last, acknowledged)?;
    // As long as the segment never exceeds u32 offsets, locations stay 12 bytes.
    let segment_bytes_max = segment_bytes_max.min(u64::from(u32::MAX) / 2);
    let writer = Writer::resume(directory, kind, segment_bytes_max, reader.clone(), &tail)?;
    Ok(Recovered { writer, reader, dropped_bytes })
}

/// A segment file beyond a missing one means that files were lost.
fn refuse_gaps(directory: &Path, count: u32) -> Result<(), LogError> {
    let entries = std::fs::read_dir(directory).map_err(disk_error(directory))?;
    for entry in entries {
        let path = entry.map_err(disk_error(directory))?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "seg");
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        if is_segment && number.is_none_or(|number| number >= count) {
            let problem = format!("segment {count:08} is missing before it");
            return Err(LogError::Damaged { path, offset: 0, problem });
        }
    }
    Ok(())
}

/// A crash while a segment was created leaves a file shorter than its header: create it again.
fn drop_unfinished_segment(
    directory: &Path,
    kind: LogKind,
    reader: &Reader,
    last: u32,
) -> Result<u32, LogError> {
    if reader.segment_length(last)? > SEGMENT_HEADER as u64 || reader.segment_header(last).is_ok() {
        return Ok(last);
    }
    let first_position = match last.checked_sub(1) {
        Some(before) => find_whole(reader, before)?.next_position,
        None => 0,
    };
    create_segment(directory, kind, last, first_position)?;
    Ok(last)
}

fn check_header(
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

/// Finds the end of the last segment and cuts off an unfinished last group.
fn find_tail(
    directory: &Path,
    reader: &Reader,
    segment: u32,
    acknowledged: u64,
) -> Result<(Tail, u64), LogError> {
    let (mut tail, length) = walk(reader, segment)?;
    if tail.next_position < acknowledged {
        let problem = format!(
            "sound groups end at position {}, but {acknowledged} events or entries were \
             acknowledged: restore the log, or delete views/ to go on without what is lost",
            tail.next_position
        );
        return Err(reader.damaged(segment, tail.length, &problem));
    }
    let dropped = length - tail.length;
    if dropped > 0 {
        refuse_groups_behind(reader, segment, tail.length, length)?;
        truncate(directory, segment, tail.length)?;
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
        length: SEGMENT_HEADER as u64,
        next_position: reader.segment_header(segment)?.first_position,
        recorded_at: i64::MIN,
    };
    while tail.length < length {
        let Some(header) = whole_group(reader, segment, tail.length, length)? else { break };
        if header.first_position != tail.next_position {
            return Err(reader.damaged(segment, tail.length, "a group is out of order"));
        }
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

fn truncate(directory: &Path, segment: u32, length: u64) -> Result<(), LogError> {
    let path = segment_path(directory, segment);
    let file = OpenOptions::new().write(true).open(&path).map_err(disk_error(&path))?;
    file.set_len(length).map_err(disk_error(&path))?;
    file.sync_all().map_err(disk_error(&path))
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, FrameKind, StreamAlias};
    use super::*;

    fn drafts(count: u64, size: usize) -> Vec<Draft> {
        (0..count)
            .map(|version| Draft {
                kind: FrameKind::Chart,
                last_of_commit: true,
                alias: StreamAlias(1),
                version,
                payload: vec![b'x'; size],
            })
            .collect()
    }

    fn filled(directory: &Path, groups: usize) {
        let mut log = open(directory, LogKind::Events, 2_000, 0).unwrap();
        for at in 0..groups {
            log.writer.append(i64::try_from(at).unwrap(), &drafts(3, 100)).unwrap();
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
        let log = open(directory.path(), LogKind::Events, 2_000, 0).unwrap();
        assert_eq!(log.writer.next_position(), 60);
        assert!(log.reader.segments() > 3);
        let groups: Vec<_> = log.reader.scan(31, 60).map(Result::unwrap).collect();
        assert_eq!(groups.first().unwrap().first_position, 30);
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
            let log = open(directory.path(), LogKind::Events, 2_000, 0).unwrap();
            log.writer.next_position()
        };
        let group = 36 + 3 * 128;
        for cut in 1..group {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let log = open(directory.path(), LogKind::Events, 2_000, 0).unwrap();
            assert_eq!(log.writer.next_position(), before - 3, "cut {cut}");
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
        let error = open(directory.path(), LogKind::Events, 2_000, 0).unwrap_err().to_string();
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
        let error = open(directory.path(), LogKind::Events, 2_000, 6).unwrap_err().to_string();
        assert!(error.contains("end at position 3, but 6"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
        let log = open(directory.path(), LogKind::Events, 2_000, 3).unwrap();
        assert_eq!(log.writer.next_position(), 3);
    }

    #[test]
    fn a_missing_segment_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path(), 20);
        std::fs::remove_file(segment_path(directory.path(), 1)).unwrap();
        let error = open(directory.path(), LogKind::Events, 2_000, 0).unwrap_err().to_string();
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
        let log = open(directory.path(), LogKind::Events, 2_000, 0).unwrap();
        assert_eq!(log.writer.next_position(), 60);
        assert_eq!(log.writer.stamp(0), 19);
    }
}
