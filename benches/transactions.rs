//! Small writes over HTTP beside transactions of 5,000 entries: how much later the slowest hundredth
//! of them is answered, as a ratio to the time that the commit of such a transaction takes by itself.
//!
//! Some connections store one Observation every few milliseconds; in every second turn another one sends
//! transactions without a pause. Log and views are written in one order, so a write that comes behind
//! a large commit waits for it: a ratio of 1.00 is that. What goes before the commit (reading, checking and
//! deciding 5,000 entries) must not hold up anybody.
//!
//! A commit takes from the moment when its bytes appear in the log to the moment when the views show it;
//! that is measured alone, and leaves out what the ordering thread checks before.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chartlog::records::Records;
use harness::{load, median, server, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENTS: usize = 100;
const ENTRIES: usize = 5_000;
/// Connections that send small writes, and the pause of each between two of them.
const CONNECTIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(5);
/// How long small writes are sent in one turn.
const TURN: Duration = Duration::from_secs(4);

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store::open(directory.path());
    let (serving, token) = server::over(Arc::clone(&store));
    let patients = (0..PATIENTS).map(|patient| {
        let (path, body) = (
            format!("/fhir/Patient/p{patient}"),
            format!(r#"{{"resourceType":"Patient","id":"p{patient}"}}"#),
        );
        load::put(&path, &token, body.as_bytes())
    });
    load::one_by_one(serving.address, patients.collect());
    let small: Vec<Vec<u8>> = (0..2_000)
        .map(|number| load::post("/fhir/Observation", &token, observation(number).as_bytes()))
        .collect();
    let small = Arc::new(small);
    let large = load::post("/fhir", &token, transaction().as_bytes());
    println!(
        "p50 alone  p99 alone  p50 beside  p99 beside  transaction  its commit   (ms)  raise of p99 beside a commit"
    );
    let mut rounds = Vec::new();
    for round in 0..=harness::rounds() {
        let commit = commit_time(&store, directory.path(), || {
            load::one_by_one(serving.address, vec![large.clone()]);
        });
        let alone = load::paced(serving.address, CONNECTIONS, &small, PAUSE, TURN);
        let is_over = Arc::new(AtomicBool::new(false));
        let sender = {
            let (is_over, large, address) = (Arc::clone(&is_over), large.clone(), serving.address);
            std::thread::spawn(move || {
                let mut times = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    times.extend(load::one_by_one(address, vec![large.clone()]));
                }
                times
            })
        };
        let beside = load::paced(serving.address, CONNECTIONS, &small, PAUSE, TURN);
        is_over.store(true, Ordering::Relaxed);
        let transactions = sender.join().expect("the sender");
        // One round to warm up.
        if round > 0 {
            let (before, after) = (part(&alone, 0.99), part(&beside, 0.99));
            rounds.push([
                part(&alone, 0.5),
                before,
                part(&beside, 0.5),
                after,
                median(transactions),
                commit,
                (after - before) / commit,
            ]);
        }
    }
    let of = |figure: usize| median(rounds.iter().map(|round| round[figure]).collect());
    println!(
        "{:>9.2}  {:>9.2}  {:>10.2}  {:>10.1}  {:>11.0}  {:>10.0}         {:>10.2}",
        of(0) * 1e3,
        of(1) * 1e3,
        of(2) * 1e3,
        of(3) * 1e3,
        of(4) * 1e3,
        of(5) * 1e3,
        of(6)
    );
}

/// The time that so large a part of them did not exceed.
fn part(times: &[f64], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * part) as usize]
}

/// How long the one commit takes that `work` makes: from its bytes in the log to its being visible.
fn commit_time(store: &Records, root: &Path, work: impl FnOnce() + Send) -> f64 {
    let log = root.join("log/events");
    let length = || -> u64 {
        let files = log.read_dir().expect("the log").map(|file| file.unwrap().metadata());
        files.map(|file| file.map_or(0, |file| file.len())).sum()
    };
    let (before, end) = (length(), store.engine().applied_position() + ENTRIES as u64);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let spin = || std::thread::sleep(Duration::from_micros(200));
            while length() == before {
                spin();
            }
            let started = Instant::now();
            while store.engine().applied_position() < end {
                spin();
            }
            started.elapsed().as_secs_f64()
        });
        work();
        watcher.join().expect("the watcher")
    })
}

fn observation(number: usize) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}}],"text":"Heart rate"}},"subject":{{"reference":"Patient/p{}"}},"effectiveDateTime":"2024-{:02}-{:02}T08:15:00Z","valueQuantity":{{"value":{},"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}}}"#,
        number % PATIENTS,
        1 + number % 12,
        1 + number % 28,
        50 + number % 77,
    )
}

fn transaction() -> String {
    let entry = |number| {
        format!(
            r#"{{"resource":{},"request":{{"method":"POST","url":"Observation"}}}}"#,
            observation(number)
        )
    };
    let entries: Vec<String> = (0..ENTRIES).map(entry).collect();
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
}
