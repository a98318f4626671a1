//! Each single operation of a disposal fails, one after the other: a segment of the access log is whole or
//! disposed of, never in between, and the others are whole.

use std::collections::{BTreeMap, BTreeSet};

use chartlog::audit::{self, AccessFilter, Fate, Sort};
use chartlog::clock::Instant;
use chartlog::engine::ViewsCompared;
use chartlog::records::{Records, RecordsError};
use chartlog::view::Comparison;

use crate::charts::entry;
use crate::clinic::{block_on, grant, grant_of};
use crate::every_operation::each_fails;
use crate::simulated::{Plan, SimulatedDisk};
use crate::stores::open;

const YEARS: u64 = 6;
const ENTRIES: usize = 120;

/// When everything that is recorded today is old.
fn later() -> Instant {
    let years = i64::try_from(YEARS).unwrap() + 1;
    Instant::from_micros(Instant::now().micros() + years * 366 * 24 * 3_600 * 1_000_000)
}

fn dispose(store: &Records) -> Result<Vec<String>, RecordsError> {
    audit::dispose(store, &grant_of("system/Retention.d", None), YEARS, later())
}

/// The requests whose entries are there, by the segment that they lie in.
fn found(store: &Records) -> BTreeMap<u32, BTreeSet<String>> {
    let officer = grant_of("system/Retention.r", None);
    let segments = audit::retention(store, &officer, YEARS, later()).unwrap();
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let (filter, all) = (AccessFilter::default(), usize::MAX);
    let (accesses, next) =
        audit::accesses(store, &grant(), &filter, Sort::Oldest, None, all).unwrap();
    assert_eq!(next, None);
    for access in accesses {
        let audit::AccessId::Entry { position, .. } = access.id else { panic!("a commit") };
        let of = segments.iter().find(|(one, _)| one.segment.positions.contains(&position));
        let number = of.map_or(u32::MAX, |(one, fate)| {
            assert_eq!(*fate, Fate::Due);
            one.segment.number
        });
        let request = access.entry.client_request.clone().unwrap();
        assert!(found.entry(number).or_default().insert(request), "an entry is there twice");
    }
    found
}

/// Each segment is as it was, or has no entries; if all was disposed of, none has but the last.
fn check(store: &Records, before: &BTreeMap<u32, BTreeSet<String>>, all_gone: bool) {
    let after = found(store);
    for (number, requests) in before {
        match after.get(number) {
            Some(left) => assert!(left.is_superset(requests), "segment {number} is not whole"),
            None => assert_ne!(*number, u32::MAX, "the last segment is gone"),
        }
    }
    if all_gone {
        assert_eq!(after.keys().copied().collect::<Vec<_>>(), [u32::MAX]);
    }
}

/// Disposes on a disk on which one of the operations fails; how many there were.
fn run(plan: Option<Plan>, seed: u64) -> u64 {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), seed);
    let store = open(root.path(), &disk).unwrap();
    for number in 0..ENTRIES {
        block_on(store.engine().record_access(entry(&format!("r{number}")))).unwrap();
    }
    let before = found(&store);
    assert!(before.len() > 2, "{before:?}");
    let (operations_before, _) = disk.operations();
    if let Some(plan) = plan {
        disk.fail(plan);
    }
    let answer = dispose(&store);
    let (operations_after, _) = disk.operations();
    check(&store, &before, answer.is_ok());
    if plan.is_none() {
        assert_eq!(answer.unwrap().len(), before.len() - 1);
    }
    drop(store);
    disk.heal();
    // The process alone ended, or the machine did.
    let disk = if seed.is_multiple_of(2) { disk } else { disk.crash(seed) };
    let store = open(root.path(), &disk).unwrap();
    check(&store, &before, false);
    dispose(&store).unwrap();
    check(&store, &before, true);
    block_on(store.engine().record_access(entry("last"))).unwrap();
    assert!(found(&store)[&u32::MAX].contains("last"));
    match store.engine().compare_views(|_, _| {}).unwrap() {
        ViewsCompared::With { comparison: Comparison::Same { .. }, .. } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(store.engine().disposals().unwrap().len(), before.len() - 1);
    operations_after - operations_before
}

#[test]
fn whichever_operation_of_a_disposal_fails_a_segment_is_whole_or_gone() {
    each_fails("disposals", 8, run);
}
