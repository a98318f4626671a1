//! Durable appends per second through the library, at 1, 16 and 128 clients, beside a plain file to
//! which the same groups of bytes are written and synced.
//!
//! A client reads a resource from its JSON, has it created in one of many charts, and waits until
//! it is durable and visible; then the next. The file gets what the store has just written to its
//! event log: the same groups, the same bytes, one `write` and one `fdatasync` for each group, by
//! a single thread that does nothing else. So the ratio is the price of everything between the
//! JSON and the disk: parsing, deciding, numbering, checksums, views, waking the client.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chartlog::disk::RealDisk;
use chartlog::log::{self, LogKind};
use chartlog::numbers::Position;
use chartlog::records::Records;
use harness::{clinic, median, per_second, shown, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: [usize; 3] = [1, 16, 128];
const PATIENTS: usize = 200;
/// The resources that are taken: the larger ones of the clinic. With its envelope, the event of one
/// takes about 1.4 KB in the log.
const SAMPLE_BYTES: std::ops::RangeInclusive<usize> = 1_000..=2_000;
/// No segment of the benchmark's stores is longer.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;

/// What one turn of each side gave.
struct Round {
    per_group: f64,
    bytes_each: f64,
    /// Appends per second.
    store: f64,
    /// The same appends per second, as plain bytes.
    file: f64,
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("store");
    let samples = clinic::samples(PATIENTS);
    let (patients, others): (Vec<_>, Vec<_>) =
        samples.into_iter().partition(|sample| sample.kind.name() == "Patient");
    let others: Vec<_> =
        others.into_iter().filter(|sample| SAMPLE_BYTES.contains(&sample.json.len())).collect();
    let bytes: usize = others.iter().map(|sample| sample.json.len()).sum();
    println!(
        "{} different resources of {} bytes on average, {} charts",
        others.len(),
        bytes / others.len(),
        PATIENTS
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
        .enable_all()
        .build()
        .expect("a runtime");
    open_charts(&runtime, &store::open(&root), &patients);
    let others = Arc::new(others);
    println!("clients  per group  bytes each  chartlog/s      file/s  ratio   (medians)");
    for clients in CLIENTS {
        let mut rounds = Vec::new();
        for _ in 0..harness::rounds() {
            let store = store::open(&root);
            let first = store.engine().applied_position().get();
            let (appends, took) = runtime.block_on(append(&store, clients, &others));
            drop(store);
            let groups = groups_since(&root, first);
            let file = replay(&directory.path().join("plain"), &groups);
            rounds.push(Round {
                per_group: appends as f64 / groups.len() as f64,
                bytes_each: groups.iter().sum::<usize>() as f64 / appends as f64,
                store: per_second(appends, took),
                file: per_second(appends, file),
            });
        }
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        println!(
            "{clients:>7}  {:>9.1}  {:>10.0}  {:>10}  {:>10}  {:>5.2}",
            of(|round| round.per_group),
            of(|round| round.bytes_each),
            shown(of(|round| round.store)),
            shown(of(|round| round.file)),
            of(|round| round.store / round.file),
        );
    }
    let bare = directory.path().join("bare");
    open_charts(&runtime, &store::open_as(&bare, false), &patients);
    compare(&runtime, &root, &bare, &others);
}

/// What sealing and proofs cost: the same appends with and without them, taking turns.
fn compare(
    runtime: &tokio::runtime::Runtime,
    ledger: &Path,
    bare: &Path,
    samples: &Arc<Vec<clinic::Sample>>,
) {
    let clients = CLIENTS[CLIENTS.len() - 1];
    let mut rounds = Vec::new();
    for _ in 0..harness::rounds() {
        let run = |root: &Path, is_ledger| {
            let store = store::open_as(root, is_ledger);
            let (appends, took) = runtime.block_on(append(&store, clients, samples));
            per_second(appends, took)
        };
        rounds.push((run(ledger, true), run(bare, false)));
    }
    let of = |figure: fn(&(f64, f64)) -> f64| median(rounds.iter().map(figure).collect());
    println!(
        "\n{clients} clients: {}/s sealed and proven, {}/s in the clear and unproven, ratio {:.2}",
        shown(of(|round| round.0)),
        shown(of(|round| round.1)),
        of(|round| round.0 / round.1),
    );
}

/// Puts the patients, so that no append has to open a chart.
fn open_charts(
    runtime: &tokio::runtime::Runtime,
    store: &Arc<Records>,
    patients: &[clinic::Sample],
) {
    use chartlog::fhir::ResourceKey;
    use chartlog::json::Document;
    use chartlog::records::{Action, Change, Target, Write};
    let caller = store::caller();
    for patient in patients {
        let document = Arc::new(Document::parse(patient.json.as_slice()).expect("JSON"));
        let key = ResourceKey::new(patient.kind, patient.id.parse().expect("an id"));
        let root = document.root().index();
        let change = Change::new(Target::Key(key), Action::Put(document, root));
        let write = Arc::new(Write { changes: vec![change], ..Write::default() });
        runtime.block_on(store.write(&store::grant(&caller), write)).expect("a patient");
    }
}

/// Appends for one turn; how many, and how long it took.
async fn append(
    store: &Arc<Records>,
    clients: usize,
    samples: &Arc<Vec<clinic::Sample>>,
) -> (u64, Duration) {
    let next = Arc::new(AtomicUsize::new(0));
    let turn = harness::turn();
    let caller = store::caller();
    let started = Instant::now();
    let client = || {
        let (store, samples) = (Arc::clone(store), Arc::clone(samples));
        let (caller, next) = (Arc::clone(&caller), Arc::clone(&next));
        tokio::spawn(async move {
            let mut appends = 0;
            while started.elapsed() < turn {
                // A stride, so that neighbours in time lie in different charts.
                let at = next.fetch_add(1, Ordering::Relaxed).wrapping_mul(7_919) % samples.len();
                let write = store::creation(samples[at].kind, &samples[at].json);
                store.write(&store::grant(&caller), write).await.expect("an append");
                appends += 1;
            }
            appends
        })
    };
    let tasks: Vec<_> = (0..clients).map(|_| client()).collect();
    let mut appends = 0;
    for task in tasks {
        appends += task.await.expect("a client");
    }
    (appends, started.elapsed())
}

/// Lengths in bytes of the groups in the event log from a position on.
fn groups_since(root: &Path, first: u64) -> Vec<usize> {
    let log = log::open(
        RealDisk::handle(),
        &root.join("log/events"),
        LogKind::Events,
        SEGMENT_BYTES_MAX,
        0,
    );
    let log = log.expect("the event log");
    let groups = log.reader.scan(Position::new(first), log.writer.next_position());
    groups.map(|group| group.expect("a group").location.length as usize).collect()
}

/// Writes and syncs groups of those lengths; how long it took.
fn replay(path: &Path, groups: &[usize]) -> Duration {
    let bytes = vec![b'x'; groups.iter().copied().max().unwrap_or(0)];
    let mut file =
        std::fs::OpenOptions::new().create_new(true).append(true).open(path).expect("a file");
    let started = Instant::now();
    for length in groups {
        file.write_all(&bytes[..*length]).expect("a write");
        file.sync_data().expect("a sync");
    }
    let took = started.elapsed();
    std::fs::remove_file(path).expect("the file");
    took
}
