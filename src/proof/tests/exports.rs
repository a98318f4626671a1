//! Audit exports: a good one, and the same altered; and the proof over a run of leaves.

use serde_json::{Value, json};

use super::super::{
    Base64, BundleLog, Checkpoint, Disclosed, EXPORT_FORMAT, ExportCommit, ExportFrame, ExportHead,
    ExportLine, Hash, ProofError, RunProof, leaf, root, run, verify_export,
};
use super::bundles::{ORIGIN, frame, key, payload, recorded_at, salt};
use super::{Memory, leaves, signer};

pub const EXPORT_ORIGIN: &str = "example.org/clinic/access";
/// Frames of the log.
const SIZE: u64 = 300;

/// The head of an export of positions from 99 on, of which the period begins with the next.
fn head(log: BundleLog, origin: &str, end: u64) -> ExportHead {
    let leaf_of = |position: u64| leaf_of(log, position);
    let memory = Memory::of(&(0..SIZE).map(leaf_of).collect::<Vec<_>>());
    let signed = Checkpoint::sign(&signer(origin), SIZE, memory.tree.root()).unwrap();
    let first = 99;
    let proof = run(&memory, first, end, SIZE).unwrap();
    ExportHead {
        format: EXPORT_FORMAT.to_owned(),
        log,
        checkpoint: signed.note().to_string(),
        // Four frames each have the same time.
        since: Some(recorded_at(100)),
        until: recorded_at(140),
        first,
        end,
        left: proof.left,
        right: proof.right,
    }
}

fn leaf_of(log: BundleLog, position: u64) -> Hash {
    leaf(position, recorded_at(position), &frame(log, position).bytes())
}

fn shown(log: BundleLog, position: u64) -> ExportFrame {
    ExportFrame {
        position,
        recorded_at: recorded_at(position),
        leaf: leaf_of(log, position),
        frame: Base64(frame(log, position).bytes()),
        disclosed: None,
    }
}

/// The head of the export of a period, and the lines behind it: from position 99 to 140.
fn parts() -> (ExportHead, Vec<ExportFrame>) {
    let head = head(BundleLog::Access, EXPORT_ORIGIN, 141);
    let (first, end) = (head.first, head.end);
    let line = |position: u64| ExportFrame {
        disclosed: (position != 110)
            .then(|| Disclosed { salt: Base64(salt(position)), payload: payload(position) }),
        ..shown(BundleLog::Access, position)
    };
    (head, (first..end).map(line).collect())
}

/// The lines of that export.
fn good() -> Vec<String> {
    let (head, frames) = parts();
    let head = serde_json::to_string(&head).unwrap();
    let frames = frames.iter().map(|frame| serde_json::to_string(frame).unwrap());
    std::iter::once(head).chain(frames).collect()
}

pub fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

pub fn good_text() -> String {
    text(&good())
}

/// The lines of an export of events: commits of one event and of three, and the frames around the period.
pub fn events() -> Vec<String> {
    let log = BundleLog::Events;
    let head = head(log, ORIGIN, 141);
    let commit = |position: u64, events: u64| {
        let leaves = (position..position + events).map(|position| leaf_of(log, position));
        ExportLine::Commit(ExportCommit { position, leaves: leaves.collect() })
    };
    let commits = (100..140).step_by(4).flat_map(|at| [commit(at, 1), commit(at + 1, 3)]);
    let frame = |position| ExportLine::Frame(shown(log, position));
    let lines = std::iter::once(frame(99)).chain(commits).chain([frame(140)]);
    let lines = lines.map(|line| serde_json::to_string(&line).unwrap());
    std::iter::once(serde_json::to_string(&head).unwrap()).chain(lines).collect()
}

/// What is said about an export that is refused.
#[track_caller]
fn refused(what: &str, export: &str) -> String {
    refused_of(EXPORT_ORIGIN, what, export)
}

#[track_caller]
fn refused_of(origin: &str, what: &str, export: &str) -> String {
    match verify_export(export.as_bytes(), &key(origin), &|_| ()) {
        Err(error @ ProofError::Export { .. }) => error.to_string(),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_good_export_is_accepted_and_counted() {
    let report = verify_export(good_text().as_bytes(), &key(EXPORT_ORIGIN), &|_| ()).unwrap();
    assert_eq!((report.size, report.frames, report.disclosed), (SIZE, 40, 39));
    // A frame says in its version how many entries it has.
    let entries: u64 = (100..140).map(|position| position / 2 + 1).sum();
    assert_eq!((report.entries, report.origin.as_str()), (entries, EXPORT_ORIGIN));
}

#[test]
fn commits_are_counted_and_none_can_be_left_out() {
    let good = events();
    let report = verify_export(text(&good).as_bytes(), &key(ORIGIN), &|_| ()).unwrap();
    assert_eq!((report.log, report.frames, report.entries), (BundleLog::Events, 40, 20));
    assert!(report.is_closed);
    let last = good.len() - 1;
    for at in 1..good.len() {
        let mut lines = good.clone();
        lines.remove(at);
        let said = refused_of(ORIGIN, "dropped", &text(&lines));
        assert!(said.starts_with(&format!("line {}: ", at + 1)), "{said}");
        let mut line: Value = serde_json::from_str(&good[at]).unwrap();
        let Some(leaves) = line["leaves"].as_array_mut() else { continue };
        let (removed, more) = (leaves.remove(0), leaves.clone());
        for leaves in [more.clone(), [&more[..], &[removed.clone(), removed]].concat()] {
            line["leaves"] = leaves.into();
            let mut lines = good.clone();
            lines[at] = line.to_string();
            refused_of(ORIGIN, "fewer or more leaves", &text(&lines));
        }
    }
    // The frames of the period are not shown, and those around it must be.
    let frame = |position| serde_json::to_string(&shown(BundleLog::Events, position)).unwrap();
    let mut lines = good.clone();
    lines[2] = frame(100);
    assert!(refused_of(ORIGIN, "a frame", &text(&lines)).starts_with("line 3: only one frame"));
    let commit = |position: u64| json!({ "position": position, "leaves": [leaf_of(BundleLog::Events, position)] });
    for (at, position, said) in
        [(1, 99, "line 2: the run must begin"), (last, 140, "line 23: the run must end")]
    {
        let mut lines = good.clone();
        lines[at] = commit(position).to_string();
        let text = refused_of(ORIGIN, "no frame", &text(&lines));
        assert!(text.starts_with(said), "{text}");
    }
}

#[test]
fn a_log_of_events_may_end_in_the_period() {
    let log = BundleLog::Events;
    let mut head = head(log, ORIGIN, SIZE);
    head.until = recorded_at(SIZE);
    let leaves: Vec<Hash> = (100..SIZE).map(|position| leaf_of(log, position)).collect();
    let lines = |head: &ExportHead| {
        text(&[
            serde_json::to_string(head).unwrap(),
            serde_json::to_string(&shown(log, 99)).unwrap(),
            serde_json::to_string(&ExportCommit { position: 100, leaves: leaves.clone() }).unwrap(),
        ])
    };
    let report = verify_export(lines(&head).as_bytes(), &key(ORIGIN), &|_| ()).unwrap();
    assert_eq!((report.frames, report.entries, report.is_closed), (SIZE - 100, 1, false));
    // A log without events.
    let empty = Checkpoint::sign(&signer(ORIGIN), 0, Hash::empty()).unwrap();
    head.checkpoint = empty.note().to_string();
    (head.first, head.end, head.left, head.right) = (0, 0, Vec::new(), Vec::new());
    let lines = text(&[serde_json::to_string(&head).unwrap()]);
    let report = verify_export(lines.as_bytes(), &key(ORIGIN), &|_| ()).unwrap();
    assert_eq!((report.frames, report.entries), (0, 0));
}

#[test]
fn lines_that_are_dropped_doubled_swapped_or_cut_are_named() {
    let good = good();
    for at in 0..good.len() {
        let mut dropped = good.clone();
        dropped.remove(at);
        let said = refused("dropped", &text(&dropped));
        assert!(said.starts_with(&format!("line {}: ", at + 1)), "{said}");
        let mut doubled = good.clone();
        doubled.insert(at, good[at].clone());
        let said = refused("doubled", &text(&doubled));
        assert!(said.starts_with(&format!("line {}: ", at + 2)), "{said}");
        if at > 0 {
            let mut swapped = good.clone();
            swapped.swap(at - 1, at);
            let said = refused("swapped", &text(&swapped));
            assert!(said.starts_with(&format!("line {at}: ")), "{said}");
        }
        let said = refused("shortened", &text(&good[..at]));
        assert!(said.starts_with(&format!("line {}: the export ends", at + 1)), "{said}");
    }
    let whole = text(&good);
    let cut = refused("cut", whole.strip_suffix('\n').unwrap());
    assert!(cut.starts_with(&format!("line {}: the line is cut off", good.len())), "{cut}");
    let more = refused("more", &format!("{whole}\n"));
    assert!(more.starts_with(&format!("line {}: the export must have", good.len() + 1)), "{more}");
}

#[test]
fn every_flipped_bit_is_found_in_its_line() {
    let good = good_text();
    let period = verify_export(good.as_bytes(), &key(EXPORT_ORIGIN), &|_| ()).unwrap();
    for at in (0..good.len()).step_by(7) {
        let line = 1 + good.bytes().take(at).filter(|byte| *byte == b'\n').count() as u64;
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1;
        let told = match verify_export(bytes.as_slice(), &key(EXPORT_ORIGIN), &|_| ()) {
            Err(ProofError::Export { line, .. }) => line,
            // A shorter period is another statement, and as true.
            Ok(report) => {
                assert_ne!((report.since, report.until), (period.since, period.until), "byte {at}");
                line
            }
            Err(error) => panic!("{error}"),
        };
        // A changed position of the head is found where it does not fit.
        assert!(line == 1 || told == line, "byte {at} of line {line}: line {told}");
    }
}

/// Changes one value of a line.
fn changed(at: usize, member: &str, value: Value) -> String {
    let mut lines = good();
    let mut line: Value = serde_json::from_str(&lines[at]).unwrap();
    assert_ne!(line[member], value, "{member} is not changed");
    line[member] = value;
    lines[at] = line.to_string();
    text(&lines)
}

#[test]
fn a_period_that_the_run_does_not_cover_is_refused() {
    for (member, value, said) in [
        ("since", json!(recorded_at(99)), "line 2: the run must begin in front of the period"),
        ("since", Value::Null, "line 1: "),
        ("until", json!(0), "line 1: since lies behind until"),
        ("until", json!(recorded_at(140) + 1), "line 43: the run must end behind the period"),
        ("end", json!(300), "line 44: the export ends"),
        ("end", json!(301), "line 1: from 99 to 301"),
        ("end", json!(98), "line 1: from 99 to 98"),
        ("log", json!("events"), "line 1: checkpoint: the origin"),
        ("first", json!(98), "line 2: position 98 belongs here"),
    ] {
        let text = refused(member, &changed(0, member, value));
        assert!(text.starts_with(said), "{member}: {text}");
    }
    // A run that ends before the next frame, with the hashes that fit it.
    let (mut head, frames) = parts();
    let leaf_of = |position: u64| leaf_of(BundleLog::Access, position);
    let memory = Memory::of(&(0..SIZE).map(leaf_of).collect::<Vec<_>>());
    for (first, end, said) in
        [(99, 140, "line 42: the run must end"), (100, 141, "line 2: the run must begin")]
    {
        let proof = run(&memory, first, end, SIZE).unwrap();
        (head.first, head.end, head.left, head.right) = (first, end, proof.left, proof.right);
        let kept = frames.iter().filter(|frame| (first..end).contains(&frame.position));
        let kept = kept.map(|frame| serde_json::to_string(frame).unwrap());
        let lines: Vec<String> =
            std::iter::once(serde_json::to_string(&head).unwrap()).chain(kept).collect();
        let text = refused("shorter", &text(&lines));
        assert!(text.starts_with(said), "{text}");
    }
}

#[test]
fn what_was_rewritten_whole_does_not_lead_to_the_signed_root() {
    // Leaf and frame fit each other, and the commitment fits what is disclosed: only the tree tells.
    let (_, mut frames) = parts();
    let line = &mut frames[8];
    line.recorded_at += 1;
    line.leaf = leaf(line.position, line.recorded_at, &line.frame.0);
    let mut lines = good();
    lines[9] = serde_json::to_string(line).unwrap();
    let said = refused("another time", &text(&lines));
    assert!(said.contains("do not lead to the signed root"), "{said}");
    for side in ["left", "right"] {
        let mut head: Value = serde_json::from_str(&good()[0]).unwrap();
        let hashes = head[side].as_array_mut().unwrap();
        hashes.pop();
        let fewer = hashes.clone();
        hashes.extend([json!(Hash::empty()), json!(Hash::empty())]);
        let more = hashes.clone();
        for hashes in [fewer, more] {
            let said = refused(side, &changed(0, side, Value::Array(hashes)));
            assert!(said.contains("do not lead to the signed root"), "{said}");
        }
    }
}

#[test]
fn another_key_or_log_is_refused() {
    let other = signer("example.org/other/access").verifier().to_string();
    verify_export(good_text().as_bytes(), &other, &|_| ()).unwrap_err();
    verify_export(good_text().as_bytes(), "no key", &|_| ()).unwrap_err();
    let events = "example.org/clinic/events";
    let signed = Checkpoint::sign(&signer(events), SIZE, Hash::empty()).unwrap();
    let text = changed(0, "checkpoint", signed.note().to_string().into());
    let error = verify_export(text.as_bytes(), &key(events), &|_| ()).unwrap_err();
    assert!(error.to_string().contains("does not end in /access"), "{error}");
}

#[test]
fn every_run_of_every_tree_leads_to_its_root() {
    let all = leaves(600);
    let memory = Memory::of(&all);
    let check = |first: u64, end: u64, size: u64| {
        let proof = run(&memory, first, end, size).unwrap();
        let mut asked = Vec::new();
        let computed = proof.root(&mut |position| {
            asked.push(position);
            Ok::<_, ()>(all[usize::try_from(position).unwrap()])
        });
        assert_eq!(computed, Ok(Some(root(&memory, size).unwrap())), "{first}..{end} of {size}");
        assert_eq!(asked, (first..end).collect::<Vec<_>>());
    };
    for size in 0..=35 {
        for first in 0..=size {
            (first..=size).for_each(|end| check(first, end, size));
        }
    }
    for (first, end) in [(0, 600), (255, 257), (256, 512), (511, 600), (599, 600), (600, 600)] {
        check(first, end, 600);
    }
    for (first, end, size) in [(2, 1, 3), (0, 4, 3)] {
        assert!(run(&memory, first, end, size).is_err());
        let proof = RunProof { first, end, size, left: Vec::new(), right: Vec::new() };
        assert_eq!(proof.root(&mut |_| Ok::<_, ()>(all[0])), Ok(None));
    }
}
