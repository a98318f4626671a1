//! Audit exports: a good one, and the same altered; and the proof over a run of leaves.

use serde_json::{Value, json};

use super::super::{
    Base64, BundleLog, Checkpoint, Disclosed, EXPORT_FORMAT, ExportFrame, ExportHead, Hash,
    ProofError, RunProof, leaf, root, run, verify_export,
};
use super::bundles::{frame, key, payload, recorded_at, salt};
use super::{Memory, leaves, signer};

pub const EXPORT_ORIGIN: &str = "example.org/clinic/access";
/// Frames of the log.
const SIZE: u64 = 300;

/// The head of the export of a period, and the lines behind it: from position 99 to 140.
fn parts() -> (ExportHead, Vec<ExportFrame>) {
    let bytes = |position: u64| frame(BundleLog::Access, position).bytes();
    let leaf_of = |position: u64| leaf(position, recorded_at(position), &bytes(position));
    let memory = Memory::of(&(0..SIZE).map(leaf_of).collect::<Vec<_>>());
    let signed = Checkpoint::sign(&signer(EXPORT_ORIGIN), SIZE, memory.tree.root()).unwrap();
    // Four frames each have the same time.
    let (since, until) = (recorded_at(100), recorded_at(140));
    let (first, end) = (99, 141);
    let proof = run(&memory, first, end, SIZE).unwrap();
    let head = ExportHead {
        format: EXPORT_FORMAT.to_owned(),
        checkpoint: signed.note().to_string(),
        since: Some(since),
        until,
        first,
        end,
        left: proof.left,
        right: proof.right,
    };
    let line = |position: u64| ExportFrame {
        position,
        recorded_at: recorded_at(position),
        leaf: leaf_of(position),
        frame: Base64(bytes(position)),
        disclosed: (position != 110)
            .then(|| Disclosed { salt: Base64(salt(position)), payload: payload(position) }),
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

/// What is said about an export that is refused.
#[track_caller]
fn refused(what: &str, export: &str) -> String {
    match verify_export(export.as_bytes(), &key(EXPORT_ORIGIN), &|_| ()) {
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
        let line = 1 + good[..at].matches('\n').count() as u64;
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
        ("end", json!(99), "line 1: from 99 to 99"),
        ("first", json!(98), "line 2: position 98 belongs here"),
    ] {
        let text = refused(member, &changed(0, member, value));
        assert!(text.starts_with(said), "{member}: {text}");
    }
    // A run that ends before the next frame, with the hashes that fit it.
    let (mut head, frames) = parts();
    let bytes = |position: u64| frame(BundleLog::Access, position).bytes();
    let leaf_of = |position: u64| leaf(position, recorded_at(position), &bytes(position));
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
