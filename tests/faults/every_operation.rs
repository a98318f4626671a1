//! Each single operation of a run fails, one after the other: nothing acknowledged is lost, the
//! store says that it is read-only and why, reads go on, and a restart on the mended disk brings
//! everything back.

use std::sync::Arc;

use chartlog::engine::EngineError;
use chartlog::records::{Records, RecordsError};

use crate::charts::{compare, entry};
use crate::clinic::{block_on, send, write_of};
use crate::history::{Op, Round, one};
use crate::random::{Random, is_long, seed};
use crate::server::{Answer, observation};
use crate::serving::Serving;
use crate::simulated::{Fault, Plan, SimulatedDisk};
use crate::stores::{Truth, open};

/// Rounds of the run whose operations fail; and of a long run.
const ROUNDS: usize = 5;
const ROUNDS_LONG: usize = 12;

/// Lets each operation that changes the disk fail in a run of `what`, one after the other and in several ways; `run`
/// says how many there were, at least so many when none is to fail.
pub fn each_fails(what: &str, least: u64, run: impl Fn(Option<Plan>, u64) -> u64) {
    let mut random = Random::new(seed());
    let operations = run(None, random.next());
    assert!(operations >= least, "{operations}");
    let kinds = [Fault::Broken, Fault::Full, Fault::Short];
    let mut runs = 0;
    for at in 0..operations {
        let one = [*random.pick(&kinds)];
        for fault in if is_long() { &kinds[..] } else { &one[..] } {
            let plan = Plan { at, fault: *fault, lasting: random.one_in(2), looks: false };
            run(Some(plan), random.next());
            runs += 1;
        }
    }
    println!("{what}: {operations} operations, runs {runs}, violations 0");
}

/// A store, run on a disk on which one operation fails; how many operations there were.
fn run(rounds: &[Round], plan: Option<Plan>, seed: u64) -> (u64, u64) {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), seed);
    if let Some(plan) = plan {
        disk.fail(plan);
    }
    let mut truth = Truth::default();
    match open(root.path(), &disk) {
        Ok(store) => {
            for (at, round) in rounds.iter().enumerate() {
                if !truth.play(&store, round, &format!("one-{at}")) {
                    check_failed(&store, &truth, plan.expect("nothing was to fail"));
                    break;
                }
            }
        }
        Err(
            RecordsError::Engine(EngineError::Log(_))
            | RecordsError::Engine(EngineError::Vault(_))
            | RecordsError::Engine(EngineError::Proof(_))
            | RecordsError::Engine(EngineError::Directory(_))
            | RecordsError::Engine(EngineError::System(_)),
        ) => {}
        Err(error) => panic!("{error}"),
    }
    let operations = disk.operations();
    disk.heal();
    // The process alone ended, or the machine did.
    let disk = if seed.is_multiple_of(2) { disk } else { disk.crash(seed) };
    let store = open(root.path(), &disk).unwrap();
    let exactly = truth.check(&store);
    assert!(store.engine().is_writable() && store.engine().failure().is_none());
    truth.unknown = 0;
    if exactly {
        for (at, round) in rounds.iter().enumerate() {
            assert!(truth.play(&store, round, &format!("two-{at}")), "it does not go on");
        }
        assert!(truth.check(&store));
    } else {
        assert!(write_more(&store).is_ok(), "it does not go on");
    }
    operations
}

fn write_more(store: &Arc<Records>) -> Result<(), RecordsError> {
    let put = Op::Put {
        slot: 10,
        patients: Vec::new(),
        note: 99,
        in_error: false,
        condition: crate::history::Condition::None,
    };
    send(store, vec![write_of(&vec![put], |_| None)]).pop().unwrap().map(drop)
}

/// What a store must be like whose disk has failed once.
fn check_failed(store: &Arc<Records>, truth: &Truth, plan: Plan) {
    if plan.looks {
        // A failed read is an answer to its reader, and no reason to stop.
        return;
    }
    assert!(!store.engine().is_writable(), "it goes on as if nothing had happened");
    let failure = store.engine().failure().unwrap();
    let log = [
        "the event log could not be written: ",
        "the access log could not be written: ",
        "the proofs could not be written: ",
        "a checkpoint could not be written: ",
    ];
    let reason = log.iter().find_map(|log| failure.strip_prefix(log));
    let reasons = ["no space left on device", "input/output error"];
    assert!(reasons.contains(&reason.unwrap_or(failure)), "{failure}");
    let refused = write_more(store);
    assert!(matches!(refused, Err(RecordsError::Engine(EngineError::ReadOnly))), "{refused:?}");
    if failure.starts_with(log[1]) {
        let refused = block_on(store.engine().record_access(entry("later")));
        assert!(matches!(refused, Err(EngineError::ReadOnly)), "{refused:?}");
    }
    // A failed log shows nothing but what it showed before.
    compare(store, &truth.fold, true);
}

#[test]
fn whichever_operation_fails_nothing_acknowledged_is_lost_and_the_store_says_so() {
    let seed = seed();
    let rounds = one(seed, if is_long() { ROUNDS_LONG } else { ROUNDS });
    let mut random = Random::new(seed);
    let (changes, looks) = run(&rounds, None, random.next());
    let mut runs = 0;
    let kinds = [Fault::Broken, Fault::Full, Fault::Short];
    for at in 0..changes {
        let one = [*random.pick(&kinds)];
        for fault in if is_long() { &kinds[..] } else { &one[..] } {
            let plan = Plan { at, fault: *fault, lasting: random.one_in(2), looks: false };
            run(&rounds, Some(plan), random.next());
            runs += 1;
        }
    }
    for at in 0..looks {
        let plan = Plan { at, fault: Fault::Broken, lasting: false, looks: true };
        run(&rounds, Some(plan), random.next());
        runs += 1;
    }
    println!("operations: {changes} changes and {looks} looks, runs {runs}, violations 0");
}

/// Writes until the answer is not 201; how many were.
fn fill(client: &crate::server::Client, first: u64) -> (u64, Answer) {
    for number in first.. {
        let id = format!("o{number}");
        let body = observation(&id, "p", number);
        let answer = client.put(&format!("/fhir/Observation/{id}"), &[], &body).unwrap();
        if answer.status != 201 {
            return (number, answer);
        }
    }
    unreachable!()
}

#[test]
fn readiness_says_why_and_reads_go_on() {
    for (fault, reason) in
        [(Fault::Full, "no space left on device"), (Fault::Broken, "input/output error")]
    {
        let root = tempfile::tempdir().unwrap();
        let disk = SimulatedDisk::new(root.path(), 1);
        let serving = Serving::start(open(root.path(), &disk).unwrap());
        let client = serving.client();
        assert_eq!(client.get("/health/ready").status, 200);
        disk.fail(Plan { at: 40, fault, lasting: false, looks: false });
        let (written, refused) = fill(&client, 0);
        assert_eq!(refused.status, 500, "its outcome is unknown: {refused:?}");
        let ready = client.get("/health/ready");
        assert_eq!(ready.status, 503);
        let expected = format!(
            "the event log could not be written: {reason}; mend it, then restart the server"
        );
        let ready = ready.json();
        assert_eq!((&ready["status"], &ready["reason"]), (&"read-only".into(), &expected.into()));
        let (more, refused) = fill(&client, written);
        assert_eq!((more, refused.status), (written, 503), "{refused:?}");
        assert!(client.get("/metrics").status == 200 && client.get("/health/live").status == 200);
        for number in 0..written {
            let read = client.get(&format!("/fhir/Observation/o{number}"));
            assert_eq!(read.json()["valueInteger"], number);
        }
        drop(serving);
        let serving = Serving::start(open(root.path(), &disk).unwrap());
        let client = serving.client();
        assert_eq!(client.get("/health/ready").status, 200);
        for number in 0..written {
            let read = client.get(&format!("/fhir/Observation/o{number}"));
            assert_eq!(read.json()["valueInteger"], number);
        }
        let body = observation("again", "p", 1);
        assert_eq!(client.put("/fhir/Observation/again", &[], &body).unwrap().status, 201);
    }
}

#[test]
fn nobody_is_shown_a_chart_when_the_look_cannot_be_recorded() {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), 1);
    let serving = Serving::start(open(root.path(), &disk).unwrap());
    let client = serving.client();
    let body = observation("o", "p", 7);
    assert_eq!(client.put("/fhir/Observation/o", &[], &body).unwrap().status, 201);
    disk.fail(Plan { at: 0, fault: Fault::Full, lasting: true, looks: false });
    for _ in 0..3 {
        let read = client.get("/fhir/Observation/o");
        assert_eq!(read.status, 503, "{read:?}");
        assert!(!read.body.contains("valueInteger"), "{read:?}");
    }
    let reason = client.get("/health/ready").json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("the access log could not be written: no space"), "{reason}");
}
