//! One log through lives that end by power cuts, kills and refused writes: what was acknowledged
//! stays, in order, and nothing else appears.

use std::path::{Path, PathBuf};

use chartlog::log::{self, Content, Frame, FrameKind, LogError, LogKind, Recovered, StreamAlias};
use chartlog::numbers::Position;

use crate::random::Random;
use crate::simulated::{Fault, Plan, SimulatedDisk};

/// Small, so that most lives meet the beginning of a segment.
const SEGMENT_BYTES_MAX: u64 = 12_000;
/// Most groups that one life appends.
const GROUPS_MAX: u64 = 24;
/// Images of each power cut; one of them is where the next life begins.
const IMAGES_PER_CUT: u64 = 4;
/// Lives of one disk.
const LIVES: u64 = 5;

/// What a group says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub recorded_at: i64,
    pub frames: Vec<Frame>,
}

/// What somebody knows about the log.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Acknowledged, or shown after a restart: there forever.
    pub groups: Vec<Told>,
    /// Handed over and not acknowledged: there wholly or not at all.
    pub pending: Option<Told>,
}

impl Truth {
    pub fn position(&self) -> u64 {
        self.groups.iter().map(|group| group.frames.len() as u64).sum()
    }
}

/// A new log's directory, on a disk where the data directory alone is there.
pub fn place() -> (PathBuf, PathBuf) {
    (PathBuf::from("/data"), PathBuf::from("/data/log/events"))
}

/// Opens the log; `None`: the disk did not let it.
pub fn open(
    disk: &SimulatedDisk,
    directory: &Path,
    acknowledged: u64,
) -> Result<Option<Recovered>, String> {
    match log::open(disk.handle(), directory, LogKind::Events, SEGMENT_BYTES_MAX, acknowledged) {
        Ok(log) => Ok(Some(log)),
        Err(LogError::Disk { .. }) => Ok(None),
        Err(error) => Err(format!("the log does not open: {error}")),
    }
}

/// Holds an open log against what is known of it, and learns what became of the pending group.
pub fn verify(log: &Recovered, truth: &mut Truth) -> Result<(), String> {
    let end = log.writer.next_position();
    let mut position = 0;
    let mut expected = truth.groups.iter().chain(&truth.pending);
    let mut found = 0;
    let mut recorded_at = i64::MIN;
    for group in log.reader.scan(Position::new(0), end) {
        let group = group.map_err(|error| error.to_string())?;
        let told = Told {
            recorded_at: group.recorded_at,
            frames: group.frames.into_iter().map(|(frame, _)| frame).collect(),
        };
        if group.first_position.get() != position {
            return Err(format!("position {} follows {position}", group.first_position));
        }
        if told.recorded_at < recorded_at {
            return Err(format!("time runs backwards at position {position}"));
        }
        if !told.frames.last().is_some_and(|frame| frame.last_of_commit) {
            return Err(format!("half a commit at position {position}"));
        }
        if expected.next() != Some(&told) {
            return Err(format!("position {position} holds what nobody wrote there"));
        }
        position += told.frames.len() as u64;
        recorded_at = told.recorded_at;
        found += 1;
    }
    if position != end.get() {
        return Err(format!("the log ends at {position}, and says it ends at {end}"));
    }
    let known = truth.groups.len();
    if found < known {
        return Err(format!("{found} of {known} acknowledged groups are left"));
    }
    let pending = truth.pending.take();
    // Whoever reads the log sees it from now on.
    truth.groups.extend(pending.filter(|_| found > known));
    Ok(())
}

/// A group of one to five commits.
pub fn group(random: &mut Random, log: &Recovered) -> Told {
    // A clock that steps back now and then.
    let now = 1_000_000 + random.below(1_000) as i64;
    let recorded_at = log.writer.stamp(now);
    let first = log.writer.next_position();
    let mut frames = Vec::new();
    for _ in 0..1 + random.below(5) {
        let events = 1 + random.below(3);
        for event in 0..events {
            let size = if random.one_in(4) { random.below(5_000) } else { random.below(200) };
            frames.push(Frame {
                kind: FrameKind::Chart,
                last_of_commit: event + 1 == events,
                alias: StreamAlias(1 + random.below(9)),
                version: (1 + first.get()) as u32 + frames.len() as u32,
                content: Content::clear(random.bytes(size as usize)),
            });
        }
    }
    Told { recorded_at, frames }
}

/// One life of the process: opens the log, appends until something fails or enough is written.
fn live(
    disk: &SimulatedDisk,
    directory: &Path,
    truth: &mut Truth,
    random: &mut Random,
) -> Result<(), String> {
    // The views may know what was acknowledged, or be gone.
    let acknowledged = if random.one_in(2) { truth.position() } else { 0 };
    let Some(mut log) = open(disk, directory, acknowledged)? else { return Ok(()) };
    verify_unless_failing(&log, truth)?;
    for _ in 0..1 + random.below(GROUPS_MAX) {
        let told = group(random, &log);
        match log.writer.append(told.recorded_at, &told.frames) {
            Ok(written) => {
                if written.first_position.get() != truth.position() {
                    return Err(format!("position {} was given away", written.first_position));
                }
                truth.groups.push(told);
            }
            Err(LogError::Disk { .. }) => {
                let again = log.writer.append(told.recorded_at, &told.frames);
                truth.pending = Some(told);
                if !matches!(again, Err(LogError::ReadOnly)) {
                    return Err(format!("a log that failed takes more: {again:?}"));
                }
                return Ok(());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// As [`verify`], but a look that fails is not the log's fault.
fn verify_unless_failing(log: &Recovered, truth: &mut Truth) -> Result<(), String> {
    let mut learned = truth.clone();
    match verify(log, &mut learned) {
        Err(error) if error.contains("os error") => {
            // What was not acknowledged is in the log or not: its end tells.
            let shown = log.writer.next_position().get() > truth.position();
            let pending = truth.pending.take();
            truth.groups.extend(pending.filter(|_| shown));
            Ok(())
        }
        result => {
            *truth = learned;
            result
        }
    }
}

/// What is going to happen to a life.
fn plan(random: &mut Random) -> Plan {
    let fault = match random.below(8) {
        0 => Fault::Broken,
        1 => Fault::Full,
        2 => Fault::Short,
        _ => Fault::PowerCut,
    };
    // The first operations open the log; the others append.
    let at = if random.one_in(3) { random.below(12) } else { random.below(60) };
    Plan { at, fault, lasting: random.one_in(2), looks: random.one_in(8) }
}

/// The lives of one disk, until so many images have been tried; how many were.
pub fn chain(seed: u64, lies: bool) -> Result<u64, String> {
    let mut random = Random::new(seed);
    let (root, directory) = place();
    let mut disk = SimulatedDisk::new(&root, random.next());
    let mut truth = Truth::default();
    let mut images = 0;
    for _ in 0..LIVES {
        if lies {
            disk.lie();
        }
        let plan = plan(&mut random);
        disk.fail(plan);
        live(&disk, &directory, &mut truth, &mut random)?;
        // Without a power cut the process alone ended: the system's cache is still there.
        if plan.fault != Fault::PowerCut && random.one_in(2) {
            disk.heal();
            continue;
        }
        for image in 0..IMAGES_PER_CUT {
            let crashed = disk.crash(random.next());
            images += 1;
            if image + 1 == IMAGES_PER_CUT {
                disk = crashed;
                break;
            }
            let mut known = truth.clone();
            let log = open(&crashed, &directory, truth.position())?;
            let mut log = log.ok_or("a whole disk failed")?;
            verify(&log, &mut known)?;
            let more = group(&mut random, &log);
            let written = log.writer.append(more.recorded_at, &more.frames);
            written.map_err(|error| error.to_string())?;
        }
    }
    Ok(images)
}

#[test]
fn whatever_a_power_cut_leaves_of_a_log_holds_what_was_acknowledged() {
    let seed = crate::random::seed();
    let (wanted, mut images, mut chains) = (crate::random::images(), 0, 0);
    while images < wanted {
        let one = seed.wrapping_add(chains);
        images +=
            chain(one, false).unwrap_or_else(|error| panic!("{error}; CHARTLOG_FAULTS_SEED={one}"));
        chains += 1;
    }
    println!("logs: images tried {images}, violations 0 (disks {chains})");
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    // The check itself would be worthless if it let this pass.
    let violations = (0..40).filter(|seed| chain(*seed, true).is_err()).count();
    println!("logs on disks that lie about syncs: disks 40, found out {violations}");
    assert!(violations > 20, "only {violations} of 40 disks that lie were found out");
}
