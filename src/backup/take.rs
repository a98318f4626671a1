//! Taking a backup: what is not there yet is fetched, checked and made durable; then the backup is
//! valid.

use std::path::Path;

use super::copy::{Span, copy};
use super::manifest::Manifest;
use super::source::Source;
use super::writer::SegmentWriter;
use super::{BackupError, disk_error, log_folder, proof_folder};
use crate::disk::{self, Disk};
use crate::engine;
use crate::log::{self, Follower, LogError, LogKind};

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What the backup contains now.
    pub manifest: Manifest,
    /// Bytes of segments that were fetched.
    pub copied_bytes: u64,
}

/// Takes a backup, or brings the one that is there up to date. `progress` is told how many bytes of
/// how many have been fetched.
///
/// # Errors
///
/// [`BackupError`]; a backup that was there stays as it was.
pub fn take(
    disk: &dyn Disk,
    source: &mut dyn Source,
    root: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<Taken, BackupError> {
    let known = Manifest::read(disk, root)?;
    if known.is_none() {
        refuse_others(disk, root)?;
    }
    let wanted = source.manifest()?;
    let known = match known {
        Some(known) => known,
        // From now on, it is a backup that has only to be finished.
        None => begin(disk, root, &wanted)?,
    };
    refuse_other_history(source, root, &known, &wanted)?;
    let all = wanted.bytes().saturating_sub(known.bytes());
    let mut fetched = Fetched { bytes: 0, all, progress };
    // As at the source: no entry is about a chart whose events are not there.
    for kind in [LogKind::Access, LogKind::Events] {
        take_log(disk, source, root, kind, (&known, &wanted), &mut fetched)?;
    }
    write_signed(disk, root, &wanted)?;
    wanted.write(disk, root)?;
    Ok(Taken { manifest: wanted, copied_bytes: fetched.bytes })
}

struct Fetched<'a> {
    bytes: u64,
    all: u64,
    progress: &'a dyn Fn(u64, u64),
}

/// A new backup needs a directory of its own.
fn refuse_others(disk: &dyn Disk, root: &Path) -> Result<(), BackupError> {
    disk.create_directory(root).map_err(disk_error(root))?;
    let names = disk.list(root).map_err(disk_error(root))?;
    // A first backup may have been interrupted while its BACKUP was written.
    match names.iter().find(|name| *name != "BACKUP.new" && *name != "lost+found") {
        None => Ok(()),
        Some(name) => Err(BackupError::Refused(format!(
            "{} holds {name:?} and no backup: a backup needs a directory of its own",
            root.display()
        ))),
    }
}

fn begin(disk: &dyn Disk, root: &Path, wanted: &Manifest) -> Result<Manifest, BackupError> {
    let empty = Manifest::empty(wanted.origin.clone());
    empty.write(disk, root)?;
    if let Some(above) = root.parent().filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_directory(above).map_err(disk_error(above))?;
    }
    Ok(empty)
}

fn refuse_other_history(
    source: &dyn Source,
    root: &Path,
    known: &Manifest,
    wanted: &Manifest,
) -> Result<(), BackupError> {
    let other = |why: String| {
        Err(BackupError::Refused(format!(
            "{} is a backup of another history: {why}. Take a new backup into another directory, and \
             keep this one until it is clear which history is the right one",
            root.display()
        )))
    };
    if known.origin != wanted.origin {
        let name = |manifest: &Manifest| manifest.origin.clone().unwrap_or_default();
        return other(format!("it is of {:?}, not of {:?}", name(known), name(wanted)));
    }
    for kind in LogKind::ALL {
        let (known, wanted) = (known.of(kind), wanted.of(kind));
        let is_closed = |number: usize| number + 1 < wanted.segments.len();
        if known.position > wanted.position {
            return other(format!(
                "its {} log has {} entries, the store only {}",
                kind.name(),
                known.position,
                wanted.position
            ));
        }
        let closed = known.segments.iter().zip(&wanted.segments);
        let last = known.segments.len().saturating_sub(1);
        for (number, (known, wanted)) in closed.enumerate() {
            let differs = known > wanted || (number < last && known != wanted);
            if differs && !(is_closed(number) && is_disposed_at(source, kind, number)?) {
                return other(format!(
                    "segment {number:08} of its {} log has {known} bytes, that of the store {wanted}",
                    kind.name()
                ));
            }
        }
    }
    Ok(())
}

fn take_log(
    disk: &dyn Disk,
    source: &dyn Source,
    root: &Path,
    kind: LogKind,
    (known, wanted): (&Manifest, &Manifest),
    fetched: &mut Fetched<'_>,
) -> Result<(), BackupError> {
    let folder = log_folder(root, kind);
    disk.create_directory(&folder).map_err(disk_error(&folder))?;
    for folder in folder.ancestors().skip(1).take(2) {
        disk.sync_directory(folder).map_err(disk_error(folder))?;
    }
    let (known, wanted) = (known.of(kind), wanted.of(kind));
    let mut follower = Follower::new(kind);
    let mut fetch = |follower: &mut Follower, span: Span| {
        let path = log::segment_path(&folder, span.segment);
        let mut writer = match span.from {
            0 => SegmentWriter::create(disk, &path)?,
            from => SegmentWriter::extend(disk, &path, from)?,
        };
        let mut read = |from, to| {
            let bytes = source.stretch(kind, span.segment, from, to)?;
            fetched.bytes += bytes.len() as u64;
            (fetched.progress)(fetched.bytes, fetched.all);
            Ok(bytes)
        };
        let flawed = |flaw: log::GroupFlaw| flaw.of(&source.name(kind)).into();
        copy(follower, span, &mut read, &flawed, &mut |part| writer.put(part.bytes()))?;
        writer.finish(disk)
    };
    let last = known.segments.len().saturating_sub(1);
    let mut first = last;
    for (at, (length, to)) in known.segments.iter().zip(&wanted.segments).enumerate() {
        let segment = number(at)?;
        let is_closed = at + 1 < wanted.segments.len();
        if is_closed && length != to && is_disposed_at(source, kind, at)? {
            // What was disposed of there goes here too.
            let begin = first_position(disk, &folder, segment)?;
            follower = Follower::behind(kind, segment, 0, begin, i64::MIN);
            fetch(&mut follower, Span { segment, from: 0, to: *to })?;
            first = if at == last { last + 1 } else { last };
        } else {
            check_length(disk, &log::segment_path(&folder, segment), *length)?;
        }
    }
    if let Some(length) = known.segments.last().filter(|_| first == last) {
        let last = number(last)?;
        follower = check_end(disk, source, &folder, kind, last, *length, known.position)?;
    }
    for (at, to) in wanted.segments.iter().enumerate().skip(first) {
        let from = known.segments.get(at).copied().unwrap_or(0);
        if from != *to {
            fetch(&mut follower, Span { segment: number(at)?, from, to: *to })?;
        }
    }
    if follower.position() == wanted.position {
        Ok(())
    } else {
        let problem =
            format!("the log holds {} entries here, not {}", follower.position(), wanted.position);
        Err(follower.flaw(problem).of(&source.name(kind)).into())
    }
}

/// Whether the source has disposed of the frames of a segment.
fn is_disposed_at(source: &dyn Source, kind: LogKind, at: usize) -> Result<bool, BackupError> {
    let header = source.stretch(kind, number(at)?, 0, log::SEGMENT_HEADER as u64)?;
    Ok(log::is_disposed(&header))
}

/// Position of the first frame of a segment of the backup.
fn first_position(disk: &dyn Disk, folder: &Path, segment: u32) -> Result<u64, BackupError> {
    let path = log::segment_path(folder, segment);
    let file = disk.open_to_read(&path).map_err(disk_error(&path))?;
    let mut header = [0; log::SEGMENT_HEADER];
    file.read_exact_at(&mut header, 0).map_err(disk_error(&path))?;
    log::first_position(&header)
        .ok_or_else(|| damaged(&path, 0, "this segment of the backup has no header"))
}

/// A segment of the backup must still be there, as long as it counts.
fn check_length(disk: &dyn Disk, path: &Path, length: u64) -> Result<(), BackupError> {
    if !disk.exists(path) {
        return Err(damaged(path, 0, "this segment of the backup is missing"));
    }
    let found = disk.open_to_read(path).and_then(|file| file.length()).map_err(disk_error(path))?;
    if found < length {
        return Err(damaged(path, found, "this segment of the backup was cut off"));
    }
    Ok(())
}

fn damaged(path: &Path, offset: u64, problem: &str) -> BackupError {
    let problem = format!("{problem}; take a new backup into another directory");
    LogError::Damaged { path: path.to_owned(), offset, problem }.into()
}

/// What the backup has of its last segment: it must be sound, and at the source its last group must
/// be the same. Returns where to go on.
fn check_end(
    disk: &dyn Disk,
    source: &dyn Source,
    folder: &Path,
    kind: LogKind,
    segment: u32,
    length: u64,
    position: u64,
) -> Result<Follower, BackupError> {
    let path = log::segment_path(folder, segment);
    let file = disk.open(&path).map_err(disk_error(&path))?;
    // What is behind was left by a backup that did not finish.
    file.set_length(length).map_err(disk_error(&path))?;
    let survey = log::survey_end(disk, folder, kind, segment)?;
    if survey.length != length || survey.next_position != position {
        return Err(damaged(
            &path,
            survey.length,
            "this segment of the backup is not what was copied",
        ));
    }
    let from = survey.last_group;
    let to = length.min(from + super::STRETCH_BYTES_MAX);
    let mut ours = vec![0; usize::try_from(to - from).unwrap_or_default()];
    file.read_exact_at(&mut ours, from).map_err(disk_error(&path))?;
    if source.stretch(kind, segment, from, to)? != ours {
        return Err(BackupError::Refused(format!(
            "{} at byte {from} differs from what the store has there: one of them was changed, or the \
             store has lost what the backup still has. Take a new backup into another directory, and \
             keep this one until it is clear which history is the right one",
            path.display()
        )));
    }
    Ok(Follower::behind(kind, segment, length, position, survey.recorded_at))
}

/// Writes what is not a log: for people and tools that take the backup for a data directory.
fn write_signed(disk: &dyn Disk, root: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let write = |path: &Path, text: &str| {
        if disk.exists(path) && disk::read(disk, path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(());
        }
        disk::replace(disk, path, text.as_bytes()).map_err(disk_error(path))
    };
    for kind in LogKind::ALL {
        let (folder, log) = (proof_folder(root, kind), manifest.of(kind));
        for (name, text) in [("checkpoint", &log.checkpoint), ("vkey", &log.key)] {
            if let Some(text) = text {
                disk.create_directory(&folder).map_err(disk_error(&folder))?;
                write(&folder.join(name), text)?;
            }
        }
    }
    if let Some(origin) = &manifest.origin {
        write(&root.join("ORIGIN"), &format!("{origin}\n"))?;
    }
    write(&root.join("FORMAT"), &format!("{}\n", engine::FORMAT))
}

fn number(at: usize) -> Result<u32, BackupError> {
    u32::try_from(at).map_err(|_| BackupError::Refused("too many segments".to_owned()))
}
