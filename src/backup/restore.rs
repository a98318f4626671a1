//! Restoring: a data directory from a backup, everything checked on the way.

use std::path::{Path, PathBuf};

use super::copy::{Part, Span, copy};
use super::manifest::{LogManifest, Manifest};
use super::writer::SegmentWriter;
use super::{BackupError, disk_error, log_folder, proof_folder};
use crate::clock::Instant;
use crate::disk::RealDisk;
use crate::disk::{self, Disk};
use crate::engine::DataDirectory;
use crate::log::{self, Follower, Frame, GroupFlaw, LogError, LogKind, WholeGroup};
use crate::proof::{Checkpoint, Hash, ProofError, Tree, Verifier, leaf};

/// Where the logs are written until they are whole.
const UNFINISHED: &str = "restoring";

/// Where a restored history ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// With the last whole commit up to the event at this position.
    Position(u64),
    /// With the last commit recorded up to this moment.
    Moment(Instant),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Events.
    pub events: u64,
    /// Access entries.
    pub accesses: u64,
    /// Events that were left out.
    pub events_left_out: u64,
    /// Access entries that were left out.
    pub accesses_left_out: u64,
    /// The new name of the logs, if it is another history now.
    pub new_origin: Option<String>,
    /// Entries of both logs that the checkpoints in the backup vouch for.
    pub signed: (u64, u64),
}

/// Restores a backup into a directory that is empty but for a vault. `progress` is told how many
/// bytes of how many are done.
///
/// # Errors
///
/// [`BackupError`]; then the directory holds no log.
pub fn restore(
    disk: &dyn Disk,
    from: &Path,
    root: &Path,
    until: Option<Until>,
    progress: &dyn Fn(u64, u64),
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read(disk, from)?;
    let manifest = manifest.filter(|manifest| manifest.taken_at.is_some()).ok_or_else(|| {
        BackupError::Refused(format!("{} holds no finished backup", from.display()))
    })?;
    if let Some(Until::Position(position)) = until
        && position >= manifest.events.position
    {
        return Err(BackupError::Refused(format!(
            "the backup has no event at position {position}: it holds {}, from 0",
            manifest.events.position
        )));
    }
    refuse_data(disk, root)?;
    let directory = DataDirectory::open(root)?;
    let aside = root.join(UNFINISHED);
    remove_all(&aside)?;
    let restoring = Restoring { disk, from, aside: &aside, all: manifest.bytes(), progress };
    let keep = match until {
        None => Keep::All,
        Some(Until::Position(position)) => Keep::Positions(position),
        Some(Until::Moment(moment)) => Keep::Through(moment.micros()),
    };
    let events = restoring.log(LogKind::Events, &manifest.events, keep, 0)?;
    let keep = match (keep, events.first_left_out) {
        // Accesses before the first event that is left out are kept.
        (Keep::Positions(_), Some(time)) => Keep::Through(time.saturating_sub(1)),
        (Keep::Positions(_), None) => Keep::All,
        (keep, _) => keep,
    };
    let done = manifest.events.segments.iter().sum();
    let access = restoring.log(LogKind::Access, &manifest.access, keep, done)?;
    let is_cut = events.kept < events.all || access.kept < access.all;
    let new_origin = if is_cut {
        Some(directory.write_origin(&RealDisk, None)?)
    } else {
        if let Some(origin) = &manifest.origin {
            directory.write_origin(&RealDisk, Some(origin))?;
        }
        for kind in LogKind::ALL {
            write_signed(disk, root, kind, manifest.of(kind))?;
        }
        None
    };
    // Now the restore is valid: until here, the directory had no log.
    let log = root.join("log");
    disk.rename(&aside.join("log"), &log).map_err(disk_error(&log))?;
    disk.sync_directory(root).map_err(disk_error(root))?;
    remove_all(&aside)?;
    Ok(Restored {
        events: events.kept,
        accesses: access.kept,
        events_left_out: events.all - events.kept,
        accesses_left_out: access.all - access.kept,
        new_origin,
        signed: (events.signed, access.signed),
    })
}

/// Only what a vault, an earlier restore or an opening leaves may be there.
fn refuse_data(disk: &dyn Disk, root: &Path) -> Result<(), BackupError> {
    if !disk.exists(root) {
        return Ok(());
    }
    let names = disk.list(root).map_err(disk_error(root))?;
    let unfinished = names.iter().any(|name| name == UNFINISHED);
    let may_stay = |name: &str| match name {
        "vault" | "LOCK" | "FORMAT" | "NOTICES" | "lost+found" | UNFINISHED => true,
        "ORIGIN" | "proof" => unfinished,
        _ => false,
    };
    match names.iter().find(|name| !may_stay(name)) {
        None => Ok(()),
        Some(name) => Err(BackupError::Refused(format!(
            "{} holds {name:?}: a backup is restored into an empty directory (only vault/ may be there)",
            root.display()
        ))),
    }
}

fn remove_all(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_error(path)(error)),
        _ => Ok(()),
    }
}

fn write_signed(
    disk: &dyn Disk,
    root: &Path,
    kind: LogKind,
    manifest: &LogManifest,
) -> Result<(), BackupError> {
    let folder = proof_folder(root, kind);
    for (name, text) in [("checkpoint", &manifest.checkpoint), ("vkey", &manifest.key)] {
        if let Some(text) = text {
            let path = folder.join(name);
            disk.create_directory(&folder).map_err(disk_error(&folder))?;
            disk::replace(disk, &path, text.as_bytes()).map_err(disk_error(&path))?;
        }
    }
    Ok(())
}

/// How much of a log is kept.
#[derive(Debug, Clone, Copy)]
enum Keep {
    All,
    /// Whole commits up to this position.
    Positions(u64),
    /// Groups up to this time, microseconds since 1970.
    Through(i64),
}

impl Keep {
    /// Whether so many frames of a group that was disposed of are kept: all of them or none.
    fn takes_whole(self, group: &WholeGroup<'_>, frames: usize) -> bool {
        match self {
            Self::All => true,
            Self::Through(time) => group.recorded_at <= time,
            Self::Positions(last) => group.first_position + frames as u64 <= last.saturating_add(1),
        }
    }

    /// How many of a group's first frames are kept: whole commits.
    fn frames(self, group: &WholeGroup<'_>, frames: &[(Frame, &[u8])]) -> usize {
        match self {
            Self::All => frames.len(),
            Self::Through(time) if group.recorded_at <= time => frames.len(),
            Self::Through(_) => 0,
            Self::Positions(last) => {
                let positions = (group.first_position..).zip(frames);
                let kept = positions.take_while(|(position, _)| *position <= last);
                let ends = kept.filter(|(_, (frame, _))| frame.last_of_commit);
                let end =
                    ends.last().map_or(0, |(position, _)| position + 1 - group.first_position);
                usize::try_from(end).unwrap_or(usize::MAX)
            }
        }
    }
}

struct Restoring<'a> {
    disk: &'a dyn Disk,
    from: &'a Path,
    aside: &'a Path,
    all: u64,
    progress: &'a dyn Fn(u64, u64),
}

/// One log, restored.
struct RestoredLog {
    kept: u64,
    all: u64,
    first_left_out: Option<i64>,
    signed: u64,
}

impl Restoring<'_> {
    fn log(
        &self,
        kind: LogKind,
        manifest: &LogManifest,
        keep: Keep,
        mut done: u64,
    ) -> Result<RestoredLog, BackupError> {
        let (here, there) = (log_folder(self.from, kind), log_folder(self.aside, kind));
        self.disk.create_directory(&there).map_err(disk_error(&there))?;
        let flawed = |flaw: GroupFlaw| BackupError::from(flaw.of(&here));
        let mut signed = Signed::of(&proof_folder(self.from, kind), manifest)?;
        let mut follower = Follower::new(kind);
        let (mut kept, mut first_left_out) = (0, None);
        for (number, length) in (0..).zip(&manifest.segments) {
            let path = log::segment_path(&here, number);
            let file = self.disk.open_to_read(&path).map_err(disk_error(&path))?;
            let mut read = |from: u64, to: u64| {
                let mut bytes = vec![0; usize::try_from(to - from).unwrap_or_default()];
                file.read_exact_at(&mut bytes, from)
                    .map_err(|error| short(&path, file.length().unwrap_or(from), error))?;
                done += to - from;
                (self.progress)(done, self.all);
                Ok(bytes)
            };
            let target = log::segment_path(&there, number);
            let mut segment = Segment { header: Vec::new(), writer: None };
            let span = Span { segment: number, from: 0, to: *length };
            copy(&mut follower, span, &mut read, &flawed, &mut |part| {
                let group = match part {
                    Part::Header(header) => {
                        segment.header = header.to_vec();
                        // A log begins with a segment, even with an empty one.
                        let first = number == 0;
                        return if first { segment.put(self.disk, &target, &[]) } else { Ok(()) };
                    }
                    Part::Group(group) => group,
                };
                if let Some(remains) = group.remains().map_err(flawed)? {
                    signed.add(remains.leaves.iter().map(|leaf| Hash(*leaf)));
                    if first_left_out.is_some() {
                        return Ok(());
                    }
                    if !keep.takes_whole(&group, remains.leaves.len()) {
                        return Err(BackupError::Refused(format!(
                            "positions from {} on of the {} log were disposed of: restore to a later moment",
                            group.first_position,
                            kind.name()
                        )));
                    }
                    kept += remains.leaves.len() as u64;
                    return segment.put(self.disk, &target, group.bytes);
                }
                let frames = group.frames().map_err(flawed)?;
                let positions = (group.first_position..).zip(&frames);
                let leaves = positions
                    .map(|(position, (_, bytes))| leaf(position, group.recorded_at, bytes));
                signed.add(leaves);
                if first_left_out.is_some() {
                    return Ok(());
                }
                let count = keep.frames(&group, &frames);
                kept += count as u64;
                if count < frames.len() {
                    first_left_out = Some(group.recorded_at);
                }
                match frames.get(..count).unwrap_or_default() {
                    [] => Ok(()),
                    _ if count == frames.len() => segment.put(self.disk, &target, group.bytes),
                    some => segment.put(self.disk, &target, &group.cut(some)),
                }
            })?;
            segment.finish(self.disk)?;
        }
        if follower.position() != manifest.position {
            let (found, stated) = (follower.position(), manifest.position);
            let problem = format!("the log ends at position {found}, and BACKUP says {stated}");
            return Err(flawed(follower.flaw(problem)));
        }
        Ok(RestoredLog { kept, all: manifest.position, first_left_out, signed: signed.finish()? })
    }
}

fn short(path: &Path, length: u64, error: std::io::Error) -> BackupError {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        let problem = "this segment of the backup was cut off".to_owned();
        LogError::Damaged { path: path.to_owned(), offset: length, problem }.into()
    } else {
        disk_error(path)(error)
    }
}

/// A segment that is created when something is in it.
struct Segment {
    header: Vec<u8>,
    writer: Option<SegmentWriter>,
}

impl Segment {
    fn put(&mut self, disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
        if self.writer.is_none() {
            let mut writer = SegmentWriter::create(disk, path)?;
            writer.put(&self.header)?;
            self.writer = Some(writer);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.put(bytes))
    }

    fn finish(self, disk: &dyn Disk) -> Result<(), BackupError> {
        self.writer.map_or(Ok(()), |writer| writer.finish(disk))
    }
}

/// The checkpoint of a log, and the tree that has to have its root.
struct Signed {
    path: PathBuf,
    checkpoint: Option<Checkpoint>,
    tree: Tree,
}

impl Signed {
    fn of(folder: &Path, manifest: &LogManifest) -> Result<Self, BackupError> {
        let path = folder.join("checkpoint");
        let (Some(note), Some(key)) = (&manifest.checkpoint, &manifest.key) else {
            return Ok(Self { path, checkpoint: None, tree: Tree::default() });
        };
        let open = || {
            let verifier: Verifier = key.trim_end().parse()?;
            Ok(Checkpoint::open(note, &verifier)?.checkpoint().clone())
        };
        let checkpoint =
            open().map_err(|error| BackupError::Checkpoint { path: path.clone(), error })?;
        Ok(Self { path, checkpoint: Some(checkpoint), tree: Tree::default() })
    }

    /// Adds the next leaves of the log.
    fn add(&mut self, leaves: impl Iterator<Item = Hash>) {
        let Some(checkpoint) = &self.checkpoint else { return };
        for leaf in leaves {
            if self.tree.size() == checkpoint.size {
                break;
            }
            self.tree.append(leaf, |_, _| {});
        }
    }

    /// Returns how many entries the checkpoint vouches for.
    fn finish(self) -> Result<u64, BackupError> {
        let Some(checkpoint) = self.checkpoint else { return Ok(0) };
        let (size, path) = (checkpoint.size, self.path);
        let broken = |problem: &str| {
            let error = ProofError::Broken { size, problem: problem.to_owned() };
            Err(BackupError::Checkpoint { path, error })
        };
        if self.tree.size() < size {
            broken("the log is shorter")
        } else if self.tree.root() != checkpoint.root {
            broken("the log has another root: something in it was changed since")
        } else {
            Ok(size)
        }
    }
}
