//! Disposal: a closed segment gives up its frames.
//!
//! A small segment takes its place, under the same name and for the same positions: with a statement about
//! the disposal, and the hash of the leaf that each frame had. So the log stays without a gap, and every
//! tree over it can still be computed.

use std::path::Path;

use super::format::{FORMAT, GroupHeader, SegmentHeader};
use super::reader::Reader;
use super::writer::segment_path;
use super::{ClosedSegment, LogError, LogKind, Remains, disk_error};
use crate::disk::{self, Disk};

/// Replaces a closed segment by its remains, which have to be those of all its frames; `recorded_at` is the
/// time of the last of them. Returns the segment as it is then.
///
/// # Errors
///
/// The disk's; [`LogError::Disposed`] if there is nothing left to dispose of; [`LogError::Damaged`] if the
/// segment is not closed, or has another number of frames.
pub fn dispose(
    disk: &dyn Disk,
    directory: &Path,
    kind: LogKind,
    reader: &Reader,
    number: u32,
    recorded_at: i64,
    remains: &Remains,
) -> Result<ClosedSegment, LogError> {
    let known = reader.closed()?.into_iter().find(|one| one.number == number);
    let Some(known) = known else {
        return Err(reader.damaged(number, 0, "the segment is not closed"));
    };
    let (first, end) = (known.positions.start.get(), known.positions.end.get());
    if known.is_disposed {
        return Err(LogError::Disposed { first, end });
    }
    if remains.leaves.len() as u64 != end - first {
        return Err(reader.damaged(number, 0, "the segment has another number of frames"));
    }
    let payload = remains.encode();
    let too_large = |_| reader.damaged(number, 0, "there are too many frames");
    let group = GroupHeader {
        payload_length: u32::try_from(payload.len()).map_err(too_large)?,
        first_position: first,
        recorded_at,
        frames: u32::try_from(remains.leaves.len()).map_err(too_large)?,
        payload_check: crc32c::crc32c(&payload),
    };
    let header = SegmentHeader {
        format: FORMAT,
        kind: kind as u8,
        disposed: true,
        number,
        first_position: first,
    };
    let bytes = [&header.encode()[..], &group.encode(), &payload].concat();
    let path = segment_path(directory, number);
    disk::replace(disk, &path, &bytes).map_err(disk_error(&path))?;
    let file = disk.open(&path).map_err(disk_error(&path))?;
    reader.replace_segment(number, file, path);
    let (bytes, is_disposed) = (bytes.len() as u64, true);
    Ok(ClosedSegment { bytes, is_disposed, ..known })
}

#[cfg(test)]
mod tests {
    use super::super::format::SEGMENT_HEADER;
    use super::super::{Content, Frame, FrameKind, LeafHash, StreamAlias, open, survey};
    use super::*;
    use crate::disk::RealDisk;
    use crate::numbers::Position;

    fn frame() -> Frame {
        Frame {
            kind: FrameKind::Access,
            last_of_commit: true,
            alias: StreamAlias::NONE,
            version: 1,
            content: Content::clear(vec![b'x'; 100]),
        }
    }

    #[test]
    fn a_closed_segment_is_replaced_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let kind = LogKind::Access;
        let mut log = open(RealDisk::handle(), path, kind, 500, 0).unwrap();
        for at in 0..6 {
            log.writer.append(at, &[frame()]).unwrap();
        }
        let closed = log.reader.closed().unwrap();
        assert_eq!(closed.len(), 2, "{closed:?}");
        let first = closed[0].positions.clone();
        let leaves: Vec<LeafHash> = (0..2).map(|at| [at; 32]).collect();
        let remains = Remains { statement: "gone\n".to_owned(), leaves: leaves.clone() };
        let dispose = |number, remains: &Remains| {
            super::dispose(&RealDisk, path, kind, &log.reader, number, 1, remains)
        };
        let few = Remains { leaves: leaves[..1].to_vec(), ..remains.clone() };
        assert!(matches!(dispose(0, &few), Err(LogError::Damaged { .. })));
        assert!(matches!(dispose(2, &remains), Err(LogError::Damaged { .. })), "it is not closed");
        let before = log.reader.fixed();
        let left = dispose(0, &remains).unwrap();
        assert!(left.is_disposed && log.reader.closed().unwrap()[0] == left);
        assert!(matches!(dispose(0, &remains), Err(LogError::Disposed { first: 0, end: 2 })));

        // Byte for byte as documented.
        let bytes = std::fs::read(segment_path(path, 0)).unwrap();
        assert_eq!(bytes[..12], *b"CHARTLOG\x02\x00\x02\x01");
        assert_eq!(bytes[SEGMENT_HEADER + 36..SEGMENT_HEADER + 45], *b"\x05\0\0\0gone\n");
        assert_eq!(bytes[SEGMENT_HEADER + 45..], *leaves.as_flattened());

        for reader in [log.reader.clone(), survey(&RealDisk, path, kind).unwrap().reader] {
            let groups = reader.scan(Position::default(), Position::new(6));
            let groups: Vec<_> = groups.map(Result::unwrap).collect();
            assert_eq!(groups.len(), 5);
            assert_eq!(groups[0].remains, Some(remains.clone()));
            assert_eq!(groups[0].end(), groups[1].first_position);
            assert_eq!(reader.disposed(), std::slice::from_ref(&first));
            assert_eq!(reader.statement(0).unwrap().as_deref(), Some("gone\n"));
            assert_eq!(reader.statement(1).unwrap(), None);
            let gone = reader.group(left.remains().unwrap());
            assert!(matches!(gone, Err(LogError::Disposed { first: 0, end: 2 })));
        }
        assert_eq!(before.scan(first.start, first.end).count(), 2, "read by its open file");
        log.writer.append(7, &[frame()]).unwrap();
        let again = open(RealDisk::handle(), path, kind, 500, 7).unwrap();
        assert_eq!(again.writer.next_position().get(), 7);
    }
}
