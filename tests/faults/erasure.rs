//! Each single operation of an erasure fails, one after the other: the chart is whole or gone, never in
//! between, the others are whole, and the next start finishes what was begun.

use std::sync::Arc;

use chartlog::engine::EngineError;
use chartlog::records::{ErasureRequest, Records, RecordsError};

use crate::clinic::{block_on, grant, grant_of, key, send, write_of};
use crate::every_operation::each_fails;
use crate::history::{Condition, Op};
use crate::simulated::{Plan, SimulatedDisk};
use crate::stores::open;

const ERASED: &str = "p0";

fn put(store: &Arc<Records>, slot: usize) {
    let op = Op::Put {
        slot,
        patients: vec![slot],
        note: 1,
        in_error: false,
        condition: Condition::None,
    };
    send(store, vec![write_of(&vec![op], |_| None)]).pop().unwrap().unwrap();
}

fn erase(store: &Arc<Records>) -> Result<(), RecordsError> {
    let request = ErasureRequest {
        patient: ERASED.parse().unwrap(),
        reason: "r".to_owned(),
        basis: "b".to_owned(),
        dry_run: false,
    };
    block_on(store.erase(&grant_of("system/ChartErasure.c", None), request)).map(drop)
}

/// The chart is readable, or it is gone.
fn is_there(store: &Records) -> bool {
    match store.read(&grant(), &key("Patient/p0")) {
        Ok(_) => true,
        Err(RecordsError::Engine(EngineError::Erased(_))) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Erases a chart on a disk on which one of the erasure's operations fails; how many there were.
fn run(plan: Option<Plan>, seed: u64) -> u64 {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), seed);
    let store = open(root.path(), &disk).unwrap();
    for slot in [0, 1, 10] {
        put(&store, slot);
    }
    let (before, _) = disk.operations();
    if let Some(plan) = plan {
        disk.fail(plan);
    }
    let answer = erase(&store);
    let (after, _) = disk.operations();
    if answer.is_ok() {
        assert!(!is_there(&store));
    }
    let was_gone = !is_there(&store);
    drop(store);
    disk.heal();
    // The process alone ended, or the machine did.
    let disk = if seed.is_multiple_of(2) { disk } else { disk.crash(seed) };
    let vault = root.path().join("vault");
    let store = open(root.path(), &disk).unwrap();
    let keys = disk.handle().list(&vault).unwrap();
    let keys: Vec<_> =
        keys.iter().filter(|name| name.ends_with(".key") && name.starts_with("epoch")).collect();
    assert_eq!(keys.len(), 1, "an erasure was not finished: {keys:?}");
    if answer.is_ok() || was_gone {
        assert!(!is_there(&store), "an erased chart came back");
        assert!(!keys.iter().any(|name| name.contains("00000001")), "its key is still there");
    }
    for name in ["Patient/p1", "Practitioner/d0"] {
        store.read(&grant(), &key(name)).unwrap();
    }
    let again = erase(&store);
    assert!(
        matches!(again, Ok(()) | Err(RecordsError::Engine(EngineError::Erased(_)))),
        "{again:?}"
    );
    assert!(!is_there(&store));
    store.engine().purge().unwrap();
    drop(store);
    let store = open(root.path(), &disk).unwrap();
    assert!(!is_there(&store));
    store.read(&grant(), &key("Patient/p1")).unwrap();
    after - before
}

#[test]
fn whichever_operation_of_an_erasure_fails_the_chart_is_whole_or_gone() {
    each_fails("erasures", 10, run);
}
