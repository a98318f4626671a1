//! A chart as of random moments of its past, beside the same chart now.
//!
//! One chart of 10,000 events (`CHARTLOG_BENCH_EVENTS`): a fifth stores resources, the others amend one
//! of them each, so that every later state holds as much as the current one. Both sides read through
//! the store, bodies and all; the moments lie in the part where everything is stored. The ratio is
//! time at a past moment over time now: 1.00 means that the past costs nothing, 2.00 is the most
//! that it may.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chartlog::fhir::ResourceId;
use chartlog::json::Document;
use chartlog::numbers::ChartVersion;
use chartlog::records::{Action, At, Change, EventFilter, Records, Target, Write};
use harness::{median, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writes sent at the same time.
const WRITERS: usize = 64;
const PATIENT: &str = "big";

fn main() {
    let events = harness::setting("CHARTLOG_BENCH_EVENTS", 10_000);
    let resources = events / 5;
    let directory = tempfile::tempdir().expect("a directory");
    let store = store::open(directory.path());
    fill(&store, events, resources);
    let patient: ResourceId = PATIENT.parse().expect("an id");
    let grant = store::grant(&store::caller());
    let filter = EventFilter::default();
    let (all, _) = store
        .events(&grant, &patient, &filter, ChartVersion::new(0), usize::MAX)
        .expect("the events");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let later = all.iter().skip(resources + 1);
    let settled = later.map(|event| runtime.block_on(store.settled(event.recorded_at)));
    let moments: Vec<_> = settled.collect::<Result<_, _>>().expect("settled moments");
    println!("a chart of {} events that holds {resources} resources", all.len());
    println!("round    now ms  as of ms  ratio");
    let turn = harness::turn();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut ratios = Vec::new();
    for round in 1..=harness::rounds() {
        let read = |at| {
            let chart = store.chart(&grant, &patient, at, None).expect("a chart");
            assert_eq!(chart.resources.len(), resources);
        };
        let now = time(turn, || read(At::Now));
        let past = time(turn, || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let moment = moments[(random >> 33) as usize % moments.len()];
            read(At::Moment(moment));
        });
        let ratio = past / now;
        println!("{round:>5}  {:>8.2}  {:>8.2}  {ratio:>5.2}", now * 1e3, past * 1e3);
        ratios.push(ratio);
    }
    println!("median ratio {:.2}", median(ratios));
}

/// Seconds that one run of something takes, on average.
fn time(turn: Duration, mut run: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < turn {
        run();
        runs += 1;
    }
    started.elapsed().as_secs_f64() / f64::from(runs)
}

/// Single writes, many at a time, as a clinic sends them.
fn fill(store: &Arc<Records>, events: usize, resources: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let caller = store::caller();
    let numbers: Vec<usize> = (0..events).collect();
    for part in numbers.chunks(WRITERS) {
        let writes = part.iter().map(|number| {
            let write = observation(number % resources, *number);
            let (store, grant) = (Arc::clone(store), store::grant(&caller));
            async move { store.write(&grant, write).await.expect("a commit") }
        });
        runtime.block_on(futures_util::future::join_all(writes));
    }
}

fn observation(id: usize, value: usize) -> Arc<Write> {
    let text = format!(
        r#"{{"resourceType":"Observation","id":"o{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}}],"text":"Heart rate"}},"subject":{{"reference":"Patient/{PATIENT}"}},"effectiveDateTime":"2024-03-05T08:15:00Z","valueQuantity":{{"value":{value},"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}}}"#
    );
    let document = Arc::new(Document::parse(text.as_str()).expect("JSON"));
    let root = document.root().index();
    let key = format!("Observation/o{id}").parse().expect("a key");
    let change = Change::new(Target::Key(key), Action::Put(document, root));
    Arc::new(Write { changes: vec![change], size: text.len(), ..Write::default() })
}
