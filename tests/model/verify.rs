//! Every place of a data directory is altered, and verification finds and names it.

use std::fs;
use std::path::{Path, PathBuf};

use chartlog::inspect::{Finding, Verdict, VerifyOptions};
use chartlog::records::WriteResult;
use tempfile::TempDir;

use crate::clinic::{block_on, key, open, options, put, send};
use chartlog::access::{AccessEntry, Identity, RequestId, Source};
use chartlog::records::{Target, Write};

const SEGMENT_BYTES_MAX: u64 = 20_000;
const SEGMENT_HEADER: usize = 32;
const GROUP_HEADER: usize = 36;
const FRAME_HEADER: usize = 50;

/// A store of more than 256 events and some accesses in several segments, closed.
fn recorded() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), 0..150);
    fill(root.path(), 150..310);
    root
}

fn fill(root: &Path, numbers: std::ops::Range<usize>) {
    let store = open(root, &options(50, SEGMENT_BYTES_MAX)).unwrap();
    for number in numbers {
        let (id, patient) = (format!("Observation/o{number}"), number % 5);
        let text = format!(
            r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"c"}},"subject":{{"reference":"Patient/p{patient}"}}}}"#
        );
        let subject = format!(r#"{{"resourceType":"Patient","id":"p{patient}"}}"#);
        let changes = vec![
            put(&subject, Target::Key(key(&format!("Patient/p{patient}")))),
            put(&text, Target::Key(key(&id))),
        ];
        let written: WriteResult =
            send(&store, vec![Write { changes, ..Write::default() }]).pop().unwrap().unwrap();
        assert!(written.events.is_some());
        block_on(store.engine().record_access(access(number))).unwrap();
    }
}

fn access(number: usize) -> AccessEntry {
    let identity = Identity { subject: "tester".to_owned(), ..Identity::default() };
    let source = Source { identity: Some(identity.into()), ..Source::default() };
    AccessEntry::of(source, RequestId::new(1, number as u64), "readResource", 0)
}

/// What verification says.
fn verify(root: &Path, checkpoints: &[PathBuf]) -> Vec<Finding> {
    let read = |path: &PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    let options = VerifyOptions {
        keys: Vec::new(),
        checkpoints: checkpoints.iter().map(read).collect(),
        open: None,
        threads: 2,
        progress: &|_| {},
    };
    let mut findings = Vec::new();
    chartlog::inspect::verify(root, &options, &mut |finding| findings.push(finding)).unwrap();
    findings
}

fn altered(root: &Path) -> Vec<String> {
    let findings = verify(root, &[]);
    let altered = findings.iter().filter(|finding| finding.verdict == Verdict::Altered);
    altered.map(|finding| format!("{}: {}", finding.part, finding.detail)).collect()
}

/// Verification finds a file with these bytes in the place of its own, and says all of the words.
#[track_caller]
fn found(root: &Path, path: &Path, bytes: Option<&[u8]>, case: &str, words: &[&str]) {
    let whole = fs::read(path).unwrap();
    if bytes == Some(whole.as_slice()) {
        return;
    }
    match bytes {
        Some(bytes) => fs::write(path, bytes).unwrap(),
        None => fs::remove_file(path).unwrap(),
    }
    let said = altered(root);
    assert!(!said.is_empty(), "{} {case} is not found", path.display());
    for word in words {
        let named = said.iter().any(|one| one.contains(word));
        assert!(named, "{} {case}: {word} is not named in {said:?}", path.display());
    }
    fs::write(path, whole).unwrap();
}

/// The groups of a segment: where each starts and ends, its first position, and its frames' starts.
struct Group {
    start: usize,
    end: usize,
    first_position: u64,
    frames: Vec<usize>,
}

fn groups(bytes: &[u8]) -> Vec<Group> {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut groups = Vec::new();
    let mut start = SEGMENT_HEADER;
    while start < bytes.len() {
        let end = start + GROUP_HEADER + u32_at(start + 4);
        let first_position = u64::from_le_bytes(bytes[start + 8..start + 16].try_into().unwrap());
        let mut frames = Vec::new();
        let mut at = start + GROUP_HEADER;
        while at < end {
            frames.push(at);
            at += FRAME_HEADER + u32_at(at);
        }
        groups.push(Group { start, end, first_position, frames });
        start = end;
    }
    groups
}

/// Makes both checksums of a group right again.
fn check_again(bytes: &mut [u8], group: &Group) {
    let (start, body) = (group.start, group.start + GROUP_HEADER);
    let check = crc32c::crc32c(&bytes[body..group.end]).to_le_bytes();
    bytes[start + 28..start + 32].copy_from_slice(&check);
    let check = crc32c::crc32c(&bytes[start..start + 32]).to_le_bytes();
    bytes[start + 32..start + 36].copy_from_slice(&check);
}

fn segments(root: &Path, log: &str) -> Vec<PathBuf> {
    let folder = root.join("log").join(log);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 2, "{log} has one segment");
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn what_nobody_altered_holds() {
    let root = recorded();
    assert_eq!(altered(root.path()), Vec::<String>::new());
    let findings = verify(root.path(), &[]);
    let holds = |part: &str| {
        findings.iter().any(|one| one.verdict == Verdict::Holds && one.part.starts_with(part))
    };
    for part in ["events log", "events tiles", "events checkpoint", "access log", "access tiles"] {
        assert!(holds(part), "{part}: {findings:?}");
    }
}

#[test]
fn flips_and_zeros_at_every_field_of_every_segment_are_found_and_located() {
    let root = recorded();
    for log in ["events", "access"] {
        for (number, path) in segments(root.path(), log).iter().enumerate() {
            let whole = fs::read(path).unwrap();
            let mut places = vec![0, 8, 10, 11, 12, 16, 24, 28];
            let all = groups(&whole);
            // All fields of the first, a middle and the last group; of the others the body.
            for (at, group) in all.iter().enumerate() {
                if at == 0 || at == all.len() / 2 || at + 1 == all.len() {
                    places.extend([0, 4, 8, 16, 24, 28, 32].map(|field| group.start + field));
                    for frame in &group.frames {
                        places.extend([0, 4, 5, 6, 10, 18, 49, 50].map(|field| frame + field));
                    }
                }
                if at % (number + 5) == 0 {
                    places.push(group.end - 1);
                }
            }
            for place in places {
                let mut bytes = whole.clone();
                bytes[place] ^= 0x10;
                let case = format!("flipped at {place}");
                found(
                    root.path(),
                    path,
                    Some(&bytes),
                    &case,
                    &[name(path), "at byte ", "position "],
                );
                let mut bytes = whole.clone();
                bytes[place] = 0;
                found(root.path(), path, Some(&bytes), &format!("zero at {place}"), &[name(path)]);
            }
        }
    }
}

#[test]
fn a_change_with_its_checksums_made_right_is_found_at_its_very_place() {
    let root = recorded();
    for log in ["events", "access"] {
        for path in segments(root.path(), log) {
            let whole = fs::read(&path).unwrap();
            for group in groups(&whole).iter().step_by(7) {
                for (position, frame) in (group.first_position..).zip(&group.frames) {
                    for field in [6, 10, 18, 49, 50, 60] {
                        let mut bytes = whole.clone();
                        bytes[frame + field] ^= 1;
                        check_again(&mut bytes, group);
                        let place = format!("{} at byte {frame}", name(&path));
                        let position = format!("position {position}:");
                        let case = format!("frame {frame}, field {field}");
                        found(
                            root.path(),
                            &path,
                            Some(&bytes),
                            &case,
                            &[&place, &position, "signed"],
                        );
                    }
                }
                // A later time, too.
                let mut bytes = whole.clone();
                bytes[group.start + 16] ^= 1;
                check_again(&mut bytes, group);
                found(root.path(), &path, Some(&bytes), "another time", &[name(&path)]);
            }
        }
    }
}

#[test]
fn dropped_swapped_doubled_and_cut_groups_and_segments_are_found() {
    let root = recorded();
    for log in ["events", "access"] {
        let paths = segments(root.path(), log);
        for path in &paths {
            let whole = fs::read(path).unwrap();
            let all = groups(&whole);
            let place = [name(path), "position "];
            for group in all.iter().step_by(5).chain(all.last()) {
                let (start, end) = (group.start, group.end);
                let without = [&whole[..start], &whole[end..]].concat();
                let twice = [&whole[..end], &whole[start..]].concat();
                // The next segment says that something is missing, if there is one.
                found(root.path(), path, Some(&without), "a group less", &[".seg", "position "]);
                found(root.path(), path, Some(&twice), "a group twice", &[".seg", "position "]);
                for cut in [start, start + 1, start + GROUP_HEADER, end - 1] {
                    let case = format!("cut at {cut}");
                    found(root.path(), path, Some(&whole[..cut]), &case, &[".seg", "position "]);
                }
            }
            for pair in all.windows(2).step_by(6) {
                let (first, second) = (&pair[0], &pair[1]);
                let parts = [
                    0..first.start,
                    second.start..second.end,
                    first.start..first.end,
                    second.end..whole.len(),
                ];
                let swapped: Vec<u8> =
                    parts.into_iter().flat_map(|part| whole[part].to_vec()).collect();
                found(root.path(), path, Some(&swapped), "swapped", &place);
            }
            found(root.path(), path, Some(&[]), "emptied", &[".seg"]);
            found(root.path(), path, None, "removed", &[".seg"]);
        }
        let last = paths.last().unwrap();
        let next = last.with_file_name(format!("{:08}.seg", paths.len()));
        fs::copy(last, &next).unwrap();
        let said = altered(root.path());
        assert!(said.iter().any(|one| one.contains(name(&next))), "{said:?}");
        fs::remove_file(&next).unwrap();
    }
    fs::rename(root.path().join("log/access"), root.path().join("log/away")).unwrap();
    let said = altered(root.path());
    assert!(said.iter().any(|one| one.contains("log/access is missing")), "{said:?}");
}

#[test]
fn altered_tiles_are_found_and_located() {
    let root = recorded();
    for log in ["events", "access"] {
        let folder = root.path().join("proof").join(log);
        let leaves = folder.join("0.hashes");
        let whole = fs::read(&leaves).unwrap();
        for hash in (0..whole.len() / 32).step_by(9) {
            let mut bytes = whole.clone();
            bytes[hash * 32 + hash % 32] ^= 1;
            let place = format!("0.hashes at byte {}", hash * 32);
            found(root.path(), &leaves, Some(&bytes), "flipped", &[&place]);
        }
        let mut zeros = whole.clone();
        zeros[64..128].fill(0);
        found(root.path(), &leaves, Some(&zeros), "zeros", &["0.hashes at byte 64"]);
        let swapped = [&whole[..32], &whole[64..96], &whole[32..64], &whole[96..]].concat();
        found(root.path(), &leaves, Some(&swapped), "swapped", &["0.hashes at byte 32"]);
        found(root.path(), &leaves, Some(&whole[32..]), "the first left out", &["0.hashes"]);
        found(root.path(), &leaves, Some(&whole[..whole.len() - 1]), "cut", &["0.hashes"]);
        found(root.path(), &leaves, None, "removed", &["0.hashes"]);
        let synced = folder.join("synced");
        let text = fs::read(&synced).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone();
            bytes[at] ^= 2;
            found(root.path(), &synced, Some(&bytes), &format!("flipped at {at}"), &[]);
        }
        found(root.path(), &synced, None, "removed", &["synced"]);
    }
    let upper = root.path().join("proof/events/1.hashes");
    let whole = fs::read(&upper).unwrap();
    for at in 0..32 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        found(root.path(), &upper, Some(&bytes), "flipped", &["1.hashes at byte 0"]);
    }
    found(root.path(), &upper, None, "removed", &["1.hashes"]);
}

#[test]
fn altered_checkpoints_and_keys_are_found() {
    let root = recorded();
    for log in ["events", "access"] {
        for file in ["checkpoint", "vkey"] {
            let path = root.path().join("proof").join(log).join(file);
            let whole = fs::read(&path).unwrap();
            for at in 0..whole.len() {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                found(root.path(), &path, Some(&bytes), &format!("flipped at {at}"), &[log]);
                found(root.path(), &path, Some(&whole[..at]), &format!("cut at {at}"), &[log]);
            }
            let twice = [&whole[..], &whole[..]].concat();
            found(root.path(), &path, Some(&twice), "twice", &[log]);
            found(root.path(), &path, None, "removed", &[file]);
        }
    }
}

#[test]
fn a_log_that_was_rewritten_and_signed_again_contradicts_a_checkpoint_kept_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), 0..40);
    let kept = root.path().join("kept");
    fs::copy(root.path().join("proof/events/checkpoint"), &kept).unwrap();
    fill(root.path(), 40..80);
    let holds = verify(root.path(), std::slice::from_ref(&kept));
    assert!(holds.iter().all(|one| one.verdict != Verdict::Altered), "{holds:?}");
    assert!(holds.iter().any(|one| one.part.contains("kept")), "{holds:?}");
    // Whoever has the signing key rewrites an entry, and has everything computed again.
    let path = root.path().join("log/events/00000000.seg");
    let mut bytes = fs::read(&path).unwrap();
    let group = groups(&bytes).remove(3);
    bytes[group.frames[0] + 20] ^= 1;
    check_again(&mut bytes, &group);
    fs::write(&path, &bytes).unwrap();
    fs::remove_dir_all(root.path().join("proof")).unwrap();
    drop(open(root.path(), &options(50, SEGMENT_BYTES_MAX)).unwrap());
    assert_eq!(altered(root.path()), Vec::<String>::new(), "alone, it looks sound");
    let findings = verify(root.path(), &[kept]);
    let said = findings.iter().find(|one| one.verdict == Verdict::Altered).expect("a finding");
    assert!(said.detail.contains("positions 0 to "), "{said:?}");
}

#[test]
fn altered_views_are_found() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path(), 0..30);
    let verified = || {
        let store = open(root.path(), &options(50, SEGMENT_BYTES_MAX)).unwrap();
        chartlog::inspect::verify_views(store.engine(), |_, _| {}).unwrap()
    };
    assert_eq!(verified().verdict, Verdict::Holds, "{:?}", verified());
    let (key, value) = alter_terms(root.path(), |space, key, mut value| {
        *value.last_mut().unwrap() ^= 1;
        space.insert(key, value).unwrap();
    });
    let finding = verified();
    assert_eq!(finding.verdict, Verdict::Altered, "{finding:?}");
    assert!(finding.detail.contains("keyspace terms") && finding.detail.contains("differs"));
    alter_terms(root.path(), |space, key, _| space.remove(key).unwrap());
    assert!(verified().detail.contains("the record is missing"));
    alter_terms(root.path(), |space, _, _| {
        space.insert(&key, &value).unwrap();
        space.insert([&key[..], b"more"].concat(), &value).unwrap();
    });
    assert!(verified().detail.contains("does not follow from the logs"));
}

/// Changes the index of terms behind the store's back, given its first record; returns that.
fn alter_terms(
    root: &Path,
    change: impl Fn(&fjall::Keyspace, Vec<u8>, Vec<u8>),
) -> (Vec<u8>, Vec<u8>) {
    let current = fs::read_to_string(root.join("views/CURRENT")).unwrap();
    let database =
        fjall::Database::builder(root.join("views").join(current.trim())).open().unwrap();
    let space = database.keyspace("terms", fjall::KeyspaceCreateOptions::default).unwrap();
    let (key, value) = space.iter().next().unwrap().into_inner().unwrap();
    change(&space, key.to_vec(), value.to_vec());
    database.persist(fjall::PersistMode::SyncAll).unwrap();
    (key.to_vec(), value.to_vec())
}
