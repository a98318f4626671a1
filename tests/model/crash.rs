//! The log's files cut off anywhere, damaged anywhere, and views that are older, newer or gone:
//! whole commits come back or a loud error, never other data.

use std::path::{Path, PathBuf};

use chartlog::disk::RealDisk;
use chartlog::engine::EngineOptions;
use chartlog::fhir::ResourceId;
use chartlog::log::{self, LogError, LogKind};
use chartlog::numbers::{Position, ResourceVersion};
use chartlog::records::WriteResult;
use tempfile::TempDir;

use crate::clinic::{open, options, send, write_of};
use crate::fold::Fold;
use crate::histories::compare;
use crate::history::{Transaction, one, seed};

const SEGMENT_BYTES_MAX: u64 = 6_000;

fn sizes() -> EngineOptions {
    options(3, SEGMENT_BYTES_MAX)
}

/// A store that was filled and closed, and every commit in it.
struct Recorded {
    root: TempDir,
    /// A copy of the views at half time.
    older_views: PathBuf,
    commits: Vec<(Transaction, WriteResult)>,
}

/// Where a group lies in its segment, by the table in the log's documentation.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
    /// Position behind its last frame.
    position: u64,
}

fn record(seed: u64, rounds: usize) -> Recorded {
    let root = tempfile::tempdir().unwrap();
    let older_views = root.path().join("older-views");
    let mut recorded = Recorded { root, older_views, commits: Vec::new() };
    let rounds = one(seed, rounds);
    let mut store = open(recorded.root.path(), &sizes()).unwrap();
    let mut fold = Fold::default();
    for (at, round) in rounds.iter().enumerate() {
        for transaction in round {
            let write = write_of(transaction, |key| fold.live_version(key));
            let answer = send(&store, vec![write]).pop().unwrap();
            if let Ok(written) = answer
                && written.events.is_some()
            {
                fold.take(transaction, &written);
                recorded.commits.push((transaction.clone(), written));
            }
        }
        if at == rounds.len() / 2 {
            drop(store);
            copy(&recorded.root.path().join("views"), &recorded.older_views);
            store = open(recorded.root.path(), &sizes()).unwrap();
        }
    }
    drop(store);
    recorded
}

impl Recorded {
    fn events(&self) -> PathBuf {
        self.root.path().join("log/events")
    }

    fn segments(&self) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            std::fs::read_dir(self.events()).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// What the commits below a position mean; they must end there.
    fn fold_below(&self, position: u64) -> Fold {
        let mut fold = Fold::default();
        for (transaction, written) in &self.commits {
            if fold.position < position {
                fold.take(transaction, written);
            }
        }
        assert_eq!(fold.position, position, "a commit was cut in two");
        fold
    }

    /// A copy whose views are as they were at the end.
    fn copied(&self) -> TempDir {
        let copied = tempfile::tempdir().unwrap();
        for part in ["FORMAT", "log", "vault", "views"] {
            copy(&self.root.path().join(part), &copied.path().join(part));
        }
        copied
    }
}

pub fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn groups(bytes: &[u8]) -> Vec<Group> {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut groups = Vec::new();
    let mut start = 32;
    while start < bytes.len() {
        assert_eq!(&bytes[start..start + 4], b"GRUP");
        let end = start + 36 + u32_at(start + 4) as usize;
        let first = u64::from_le_bytes(bytes[start + 8..start + 16].try_into().unwrap());
        groups.push(Group { start, end, position: first + u64::from(u32_at(start + 24)) });
        start = end;
    }
    groups
}

/// A recording whose last segment holds at least three groups.
fn recorded_for_cuts(seed: u64) -> (Recorded, Vec<u8>, Vec<Group>) {
    for rounds in 25.. {
        let recorded = record(seed, rounds);
        let bytes = std::fs::read(recorded.segments().last().unwrap()).unwrap();
        let groups = groups(&bytes);
        if groups.len() >= 3 && recorded.segments().len() >= 2 {
            return (recorded, bytes, groups);
        }
    }
    unreachable!()
}

/// Opens the log alone and reads all of it.
fn scan(events: &Path) -> Result<u64, LogError> {
    let log = log::open(RealDisk::handle(), events, LogKind::Events, SEGMENT_BYTES_MAX, 0)?;
    let end = log.writer.next_position().get();
    let mut position = 0;
    for group in log.reader.scan(Position::new(0), Position::new(end)) {
        let group = group?;
        assert_eq!(group.first_position.get(), position, "a hole in the positions");
        position += group.frames.len() as u64;
        assert!(group.frames.last().unwrap().0.last_of_commit, "half a commit in a group");
        assert!(group.frames.iter().all(|(frame, _)| frame.content.is_sealed()));
    }
    assert_eq!(position, end);
    Ok(end)
}

#[test]
fn a_log_cut_anywhere_in_its_last_groups_keeps_every_commit_before_the_cut() {
    let (recorded, bytes, groups) = recorded_for_cuts(seed());
    let from = groups[groups.len() - 2].start;
    let before = groups[groups.len() - 3].position;
    let name = recorded.segments().last().unwrap().file_name().unwrap().to_owned();
    let copied = recorded.copied();
    let events = copied.path().join("log/events");
    for cut in from..=bytes.len() {
        std::fs::write(events.join(&name), &bytes[..cut]).unwrap();
        let whole = groups.iter().filter(|group| group.end <= cut).map(|group| group.position);
        let expected = whole.max().unwrap_or(before);
        assert_eq!(scan(&events).unwrap(), expected, "cut at {cut}");
    }
}

#[test]
fn a_store_whose_log_was_cut_shows_whole_commits_whatever_became_of_its_views() {
    let (recorded, bytes, groups) = recorded_for_cuts(seed());
    let [.., first, second] = groups.as_slice() else { unreachable!() };
    let name = recorded.segments().last().unwrap().file_name().unwrap().to_owned();
    let cuts = [
        0,
        7,
        32,
        first.start,
        first.start + 1,
        first.start + 36,
        first.end - 1,
        first.end,
        second.start + 35,
        second.end - 1,
        second.end,
    ];
    let before = |cut: usize| {
        let before = recorded.commits.iter().map(|(_, written)| written.events.unwrap());
        let start = u64::from_le_bytes(bytes[16..24].try_into().unwrap());
        let start = before.map(|(at, count)| at.get() + count).filter(|end| *end <= start).max();
        let whole = groups.iter().filter(|group| group.end <= cut).map(|group| group.position);
        whole.max().or(start).unwrap_or(0)
    };
    for (at, cut) in cuts.into_iter().enumerate() {
        let copied = recorded.copied();
        let views = copied.path().join("views");
        match at % 3 {
            // Views of a later state than the log's prove that it has lost something.
            0 => {}
            1 => std::fs::remove_dir_all(&views).unwrap(),
            _ => {
                std::fs::remove_dir_all(&views).unwrap();
                copy(&recorded.older_views, &views);
            }
        }
        let path = copied.path().join("log/events").join(&name);
        std::fs::write(&path, &bytes[..cut]).unwrap();
        if at % 3 == 0 && before(cut) < second.position {
            let error = open(copied.path(), &sizes()).unwrap_err().to_string();
            assert!(names_the_place(&error, &path) && error.contains("acknowledged"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap().len(), cut, "cut at {cut}");
            std::fs::remove_dir_all(&views).unwrap();
        }
        let store = open(copied.path(), &sizes()).unwrap();
        let mut fold = recorded.fold_below(before(cut));
        compare(&store, &fold);
        // And it goes on from there.
        let rounds = one(5, 3);
        crate::histories::play(&store, &mut fold, &rounds);
        compare(&store, &fold);
    }
}

#[test]
fn older_views_are_brought_up_to_date() {
    let recorded = record(seed(), 30);
    let views = recorded.root.path().join("views");
    std::fs::remove_dir_all(&views).unwrap();
    copy(&recorded.older_views, &views);
    let store = open(recorded.root.path(), &sizes()).unwrap();
    compare(&store, &recorded.fold_below(store.engine().applied_position().get()));
    let (_, last) = recorded.commits.last().unwrap();
    let (first, count) = last.events.unwrap();
    assert_eq!(store.engine().applied_position(), first + count);
}

#[test]
fn views_that_do_not_open_are_rebuilt() {
    let recorded = record(seed(), 12);
    let views = recorded.root.path().join("views");
    overwrite_all(&views);
    let store = open(recorded.root.path(), &sizes()).unwrap();
    let (first, count) = recorded.commits.last().unwrap().1.events.unwrap();
    compare(&store, &recorded.fold_below((first + count).get()));
}

fn overwrite_all(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            overwrite_all(&path);
        } else {
            std::fs::write(&path, b"not what stood here").unwrap();
        }
    }
}

/// Whether an error names the segment, and a byte offset in it.
fn names_the_place(error: &str, segment: &Path) -> bool {
    let number = segment.file_stem().unwrap().to_str().unwrap();
    error.contains(number) && error.contains("at byte ")
}

#[test]
fn every_flipped_bit_before_the_last_group_is_found_and_located() {
    let seed = seed();
    let (recorded, last, groups) = recorded_for_cuts(seed);
    let copied = recorded.copied();
    let events = copied.path().join("log/events");
    let mut random = seed;
    for segment in recorded.segments() {
        let whole = std::fs::read(&segment).unwrap();
        let is_last = whole == last;
        let end = if is_last { groups[groups.len() - 1].start } else { whole.len() };
        let path = events.join(segment.file_name().unwrap());
        let mut at = 0;
        while at < end {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (random >> 61);
            std::fs::write(&path, &damaged).unwrap();
            let error = scan(&events).expect_err(&format!("{path:?} byte {at}")).to_string();
            assert!(names_the_place(&error, &path), "{path:?} byte {at}: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), damaged, "a damaged segment was changed");
            at += 1 + (random >> 33) as usize % 11;
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn dropped_swapped_and_cut_groups_before_the_last_segment_are_found_and_located() {
    let (recorded, ..) = recorded_for_cuts(seed());
    let copied = recorded.copied();
    let events = copied.path().join("log/events");
    let segments = recorded.segments();
    for segment in &segments[..segments.len() - 1] {
        let whole = std::fs::read(segment).unwrap();
        let path = events.join(segment.file_name().unwrap());
        let groups = groups(&whole);
        let without = |group: &Group| [&whole[..group.start], &whole[group.end..]].concat();
        let mut altered: Vec<Vec<u8>> = groups.iter().map(without).collect();
        altered.extend(groups.iter().map(|group| whole[..group.start].to_vec()));
        for pair in groups.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let parts = [
                0..first.start,
                second.start..second.end,
                first.start..first.end,
                second.end..whole.len(),
            ];
            altered.push(parts.into_iter().flat_map(|part| whole[part].to_vec()).collect());
        }
        for bytes in altered {
            std::fs::write(&path, &bytes).unwrap();
            let error = scan(&events).expect_err("other groups than were written").to_string();
            assert!(names_the_place(&error, &path), "{path:?}: {error}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn damage_before_a_segment_without_groups_is_not_taken_for_an_unfinished_write() {
    let (recorded, _, groups) = recorded_for_cuts(seed());
    let end = groups.last().unwrap().position;
    let path = recorded.segments().pop().unwrap();
    let whole = std::fs::read(&path).unwrap();
    // A crash right after a new segment was created: a header and nothing else.
    let number = recorded.segments().len() as u32;
    let mut header = b"CHARTLOG\x01\x00\x01\x00".to_vec();
    header.extend(number.to_le_bytes());
    header.extend(end.to_le_bytes());
    header.extend([0; 4]);
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    let next = recorded.events().join(format!("{number:08}.seg"));
    for header in [&header[..], &header[..9]] {
        std::fs::write(&next, header).unwrap();
        assert_eq!(scan(&recorded.events()).unwrap(), end);
        std::fs::write(&next, header).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let error =
            scan(&recorded.events()).expect_err("an acknowledged group is gone").to_string();
        assert!(names_the_place(&error, &path), "{error}");
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn damage_under_kept_views_shows_as_an_error_and_never_as_other_data() {
    let seed = seed();
    let (recorded, ..) = recorded_for_cuts(seed);
    let position = recorded.commits.last().unwrap().1.events.map(|(at, count)| at + count).unwrap();
    let fold = recorded.fold_below(position.get());
    let segments = recorded.segments();
    let first = &segments[0];
    let whole = std::fs::read(first).unwrap();
    let mut errors = 0;
    // The last byte of a group belongs to an event, where one between them may belong to something that no read needs.
    for at in groups(&whole).into_iter().map(|group| group.end - 1) {
        let copied = recorded.copied();
        // Without its proofs the whole log would be read at the start.
        for part in ["proof", "ORIGIN"] {
            copy(&recorded.root.path().join(part), &copied.path().join(part));
        }
        let path = copied.path().join("log/events").join(first.file_name().unwrap());
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        std::fs::write(&path, &damaged).unwrap();
        let store = match open(copied.path(), &sizes()) {
            Ok(store) => store,
            Err(error) => panic!("kept views need not read the first segment: {error}"),
        };
        for name in &fold.order {
            let expected = &fold.resources[name];
            for (number, expected) in (1u64..).zip(expected) {
                let key = crate::clinic::key(name);
                match store.read_version(
                    &crate::clinic::grant(),
                    &key,
                    ResourceVersion::new(number),
                ) {
                    Ok(one) => {
                        let text = String::from_utf8(one.bytes(&crate::clinic::grant())).unwrap();
                        assert_eq!(Some(text), expected.served);
                    }
                    Err(chartlog::records::RecordsError::Gone { .. }) => {
                        assert_eq!(expected.served, None);
                    }
                    Err(error) => {
                        errors += 1;
                        assert!(names_the_place(&error.to_string(), &path), "{error}");
                    }
                }
            }
        }
        for patient in fold.charts.keys() {
            let id: ResourceId = patient.parse().unwrap();
            let at = chartlog::records::At::Now;
            let Ok(chart) = store.chart(&crate::clinic::grant(), &id, at, None) else { continue };
            let served = chart
                .resources
                .iter()
                .map(|one| String::from_utf8(one.bytes(&crate::clinic::grant())).unwrap());
            let expected = fold.chart_at(patient, fold.charts[patient].len());
            assert_eq!(
                served.collect::<Vec<_>>(),
                expected.into_iter().map(|(_, served)| served).collect::<Vec<_>>()
            );
        }
        drop(store);
        std::fs::remove_dir_all(copied.path().join("views")).unwrap();
        let error = open(copied.path(), &sizes()).expect_err("a rebuild reads everything");
        assert!(names_the_place(&error.to_string(), &path), "{error}");
    }
    assert!(errors > 0, "no damage was met; seed {seed}");
}
