//! A disk that takes its time, and a clock that runs backwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{SyncSender, channel, sync_channel};
use std::time::Duration;

use chartlog::engine::EngineOptions;
use chartlog::engine::committer::{
    Committer, CommitterLimits, OpenGroup, Projector, Refused, Sequencer,
};
use chartlog::log::{
    self, AppendedGroup, Content, Frame, FrameKind, LogError, LogKind, StreamAlias,
};
use chartlog::numbers::Position;

use crate::logs::place;
use crate::random::{Random, seed};
use crate::server::{Answer, observation};
use crate::serving::Serving;
use crate::simulated::SimulatedDisk;
use crate::stores::sizes;

/// Longest wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn while_the_disk_is_slow_a_bounded_number_waits_and_the_others_are_told_to_come_back() {
    const WAITING_MAX: usize = 4;
    const CLIENTS: usize = 48;
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), 1);
    let options = EngineOptions { queue_commands_max: WAITING_MAX, ..sizes(&disk) };
    let store = crate::clinic::open(root.path(), &options).unwrap();
    let serving = Serving::start(store);
    disk.hold_syncs();
    let (answer, answers) = channel::<(usize, Answer)>();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, answer) = (serving.client(), answer.clone());
            scope.spawn(move || {
                let id = format!("o{number}");
                let body = observation(&id, "p", 1);
                let path = format!("/fhir/Observation/{id}");
                answer.send((number, client.put(&path, &[], &body).unwrap())).unwrap();
            });
        }
        drop(answer);
        // One group is being synced and one queue is full, in each of the two logs: a refusal
        // leaves an access entry, and waits for it.
        let at_once = CLIENTS - 4 * WAITING_MAX;
        let mut refused = Vec::new();
        for _ in 0..at_once {
            let (number, answer) = answers.recv_timeout(PATIENCE).expect("nobody may wait longer");
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.retry_after.is_some(), "{answer:?}");
            refused.push(number);
        }
        disk.release_syncs();
        let mut stored = 0;
        for (number, answer) in answers {
            match answer.status {
                201 => stored += 1,
                503 => refused.push(number),
                other => panic!("{other}: {answer:?}"),
            }
        }
        println!("slow disk: {stored} stored, {} refused, {at_once} at once", refused.len());
        assert!(stored > 0 && stored + refused.len() == CLIENTS);
        let client = serving.client();
        for number in 0..CLIENTS {
            let found = client.get(&format!("/fhir/Observation/o{number}")).status;
            assert_eq!(found == 404, refused.contains(&number), "o{number}: {found}");
        }
        let body = observation("after", "p", 1);
        assert_eq!(client.put("/fhir/Observation/after", &[], &body).unwrap().status, 201);
    });
}

/// How long the disk stands still in the test below.
const STALL: Duration = Duration::from_secs(2);

#[test]
fn a_disk_that_stands_still_under_mixed_load_costs_refusals_and_nothing_else() {
    const WAITING_MAX: usize = 4;
    const CLIENTS: u64 = 24;
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), 1);
    let options = EngineOptions { queue_commands_max: WAITING_MAX, ..sizes(&disk) };
    let serving = Serving::start(crate::clinic::open(root.path(), &options).unwrap());
    let path = |client: u64| format!("/fhir/Observation/o{client}");
    for number in 0..CLIENTS {
        let body = observation(&format!("o{number}"), "p", 0);
        assert_eq!(serving.client().put(&path(number), &[], &body).unwrap().status, 201);
    }
    let (stalled, released) = (AtomicBool::new(true), AtomicBool::new(false));
    let (answer, answers) = channel::<(bool, Answer)>();
    disk.hold_syncs();
    let acknowledged = std::thread::scope(|scope| {
        let clients = (0..CLIENTS).map(|number| {
            let (client, answer) = (serving.client(), answer.clone());
            let (stalled, released) = (&stalled, &released);
            scope.spawn(move || {
                let mut range = (0, 0);
                // One more of each after the disk goes on.
                let mut value = 1;
                loop {
                    let is_last = released.load(Ordering::Acquire);
                    let was_stalled = stalled.load(Ordering::Acquire);
                    let told = match value % 3 {
                        1 => {
                            let body = observation(&format!("o{number}"), "p", value);
                            let told = client.put(&path(number), &[], &body).unwrap();
                            match told.status {
                                200 => range = (value, value),
                                _ => range.1 = value,
                            }
                            told
                        }
                        2 => client.get(&path(number)),
                        _ => client.get(&format!("/fhir/Observation?_id=o{number}")),
                    };
                    answer.send((was_stalled && stalled.load(Ordering::Acquire), told)).unwrap();
                    value += 1;
                    if is_last && value % 3 == 1 {
                        return range;
                    }
                }
            })
        });
        let clients: Vec<_> = clients.collect();
        let deadline = std::time::Instant::now() + STALL;
        let mut refused = 0;
        while let Some(left) = deadline.checked_duration_since(std::time::Instant::now()) {
            let Ok((_, told)) = answers.recv_timeout(left) else { break };
            // Nothing is durable meanwhile, so nothing is acknowledged and nothing is shown.
            assert_eq!(told.status, 503, "{told:?}");
            assert!(told.retry_after.is_some(), "{told:?}");
            refused += 1;
        }
        assert!(refused > 0, "a bounded queue refuses");
        stalled.store(false, Ordering::Release);
        disk.release_syncs();
        released.store(true, Ordering::Release);
        let ranges: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        drop(answer);
        for (was_stalled, told) in answers {
            assert!(matches!(told.status, 200 | 503), "{told:?}");
            assert!(!was_stalled || told.status == 503, "{told:?}");
        }
        ranges
    });
    // Each resource has the last value that was acknowledged, or one that was sent after it.
    let client = serving.client();
    for (number, (first, last)) in (0..CLIENTS).zip(acknowledged) {
        let found = client.get(&path(number));
        assert_eq!(found.status, 200, "{found:?}");
        let value = found.json()["valueInteger"].as_u64().unwrap();
        assert!((first..=last).contains(&value), "o{number}: {value} outside {first}..={last}");
    }
    // As many as the queue takes are all served.
    std::thread::scope(|scope| {
        for number in 0..WAITING_MAX as u64 {
            let client = serving.client();
            scope.spawn(move || {
                for value in 1_000..1_020 {
                    let body = observation(&format!("o{number}"), "p", value);
                    assert_eq!(client.put(&path(number), &[], &body).unwrap().status, 200);
                    assert_eq!(client.get(&path(number)).json()["valueInteger"], value);
                }
            });
        }
    });
}

#[test]
fn whoever_waits_for_a_moment_to_settle_holds_up_nobody() {
    let root = tempfile::tempdir().unwrap();
    let disk = SimulatedDisk::new(root.path(), 1);
    let serving = Serving::start(crate::clinic::open(root.path(), &sizes(&disk)).unwrap());
    let body = observation("o", "p", 1);
    assert_eq!(serving.client().put("/fhir/Observation/o", &[], &body).unwrap().status, 201);
    disk.hold_syncs();
    std::thread::scope(|scope| {
        let writer = serving.client();
        scope.spawn(move || {
            writer.put("/fhir/Observation/later", &[], &observation("later", "p", 1))
        });
        disk.await_held(1);
        // A group is open, so that now is not settled. More readers than worker threads.
        let (answer, answers) = channel::<Answer>();
        let moment = chartlog::clock::Instant::now();
        for _ in 0..4 {
            let (client, answer) = (serving.client(), answer.clone());
            scope.spawn(move || {
                let path = format!("/fhir/Observation/o?_asOf={moment}");
                answer.send(client.get(&path)).unwrap();
            });
        }
        for _ in 0..20 {
            assert_eq!(serving.client().get("/health/live").status, 200);
        }
        assert!(answers.try_recv().is_err(), "an answer before the moment was settled");
        disk.release_syncs();
        for _ in 0..4 {
            let told = answers.recv_timeout(PATIENCE).unwrap();
            assert_eq!(told.status, 200, "{told:?}");
        }
    });
}

/// Takes every command as one frame, and answers with the time of its group.
struct Frames;

impl Sequencer for Frames {
    type Command = SyncSender<i64>;
    type Sequenced = (SyncSender<i64>, i64);

    fn sequence(&mut self, reply: SyncSender<i64>, group: &mut OpenGroup) -> Self::Sequenced {
        group.add(Frame {
            kind: FrameKind::Access,
            last_of_commit: true,
            alias: StreamAlias::NONE,
            version: 1,
            content: Content::clear(vec![7; 40]),
        });
        (reply, group.recorded_at)
    }

    fn end_group(&mut self, _: &mut OpenGroup) {}
}

/// Answers what is written.
struct Answers;

impl Projector for Answers {
    type Sequenced = (SyncSender<i64>, i64);

    fn project(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        sequenced: Vec<Self::Sequenced>,
    ) {
        let written = written.unwrap().unwrap();
        for (reply, recorded_at) in sequenced {
            assert_eq!(recorded_at, written.recorded_at);
            reply.send(recorded_at).unwrap();
        }
    }
}

static CLOCK: AtomicI64 = AtomicI64::new(0);

fn start(disk: &SimulatedDisk, queue: usize) -> Committer<SyncSender<i64>> {
    let (_, directory) = place();
    let log = log::open(disk.handle(), &directory, LogKind::Access, 2_000, 0).unwrap();
    let limits = CommitterLimits { queue_commands_max: queue, group_bytes_max: 1 << 20 };
    let now = || CLOCK.load(Ordering::SeqCst);
    Committer::start("times", limits, now, log.writer, Frames, Answers, &Arc::default()).unwrap()
}

#[test]
fn a_clock_that_steps_back_never_makes_the_log_run_backwards() {
    let mut random = Random::new(seed());
    let (root, directory) = place();
    let disk = SimulatedDisk::new(&root, 1);
    let mut last = i64::MIN;
    // Also over restarts: the log remembers the time.
    for _ in 0..10 {
        let committer = start(&disk, 8);
        let (reply, answer) = sync_channel(1);
        for _ in 0..40 {
            let now = random.below(1_000_000) as i64 - 500_000;
            CLOCK.store(now, Ordering::SeqCst);
            committer.submit(reply.clone()).unwrap();
            let recorded_at = answer.recv_timeout(PATIENCE).unwrap();
            assert!(recorded_at >= last && recorded_at >= now, "{recorded_at} after {last}");
            last = recorded_at;
        }
    }
    let log = log::open(disk.handle(), &directory, LogKind::Access, 2_000, 400).unwrap();
    let times: Vec<i64> = log
        .reader
        .scan(Position::new(0), Position::new(400))
        .map(|group| group.unwrap().recorded_at)
        .collect();
    assert!(times.is_sorted(), "the log runs backwards");
}

#[test]
fn a_queue_is_full_when_it_is_full_and_takes_more_when_the_disk_goes_on() {
    const QUEUE: usize = 5;
    let (root, _) = place();
    let disk = SimulatedDisk::new(&root, 1);
    let committer = start(&disk, QUEUE);
    let (reply, answer) = sync_channel(1_000);
    disk.hold_syncs();
    committer.submit(reply.clone()).unwrap();
    disk.await_held(1);
    let taken = (0..1_000).take_while(|_| committer.submit(reply.clone()).is_ok()).count();
    assert_eq!(taken, QUEUE, "commands that wait while one group is synced");
    assert_eq!(committer.submit(reply.clone()), Err(Refused::Full));
    assert!(answer.try_recv().is_err(), "answered before the sync was done");
    disk.release_syncs();
    for _ in 0..=taken {
        answer.recv_timeout(PATIENCE).unwrap();
    }
    committer.submit(reply).unwrap();
    answer.recv_timeout(PATIENCE).unwrap();
}
