//! Reads through upcasters: of what they are about, and of what they are not, beside a store without any.
//!
//! Two stores with the same resources: half are Observations, half Conditions (`CHARTLOG_BENCH_EVENTS` in all). In one, an upcaster
//! of Observations is in force, which all of them go through. Resources are read by their ids at random, bodies and all, without HTTP, in turn from both. The
//! ratio is time in the store with the upcaster over time in the other.

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

use chartlog::chart::{UpcasterFile, Upcasters};
use chartlog::fhir::ResourceKey;
use chartlog::records::{Records, Write};
use harness::{median, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const UPCASTER: &str = r#"
type = "Observation"
from = 1
[[mapping]]
path = "Observation.code.coding"
from = { system = "urn:example:old" }
to = { system = "urn:example:new" }
[[example]]
before = '{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"system":"urn:example:old","code":"x"}]}}'
after = '{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"system":"urn:example:new","code":"x"}]}}'
"#;

const KINDS: [&str; 2] = ["Condition", "Observation"];
/// Resources in one commit.
const TOGETHER: usize = 500;

fn main() {
    let count = harness::setting("CHARTLOG_BENCH_EVENTS", 20_000) / KINDS.len();
    let directory = tempfile::tempdir().expect("a directory");
    let (plain, upcast) = (directory.path().join("plain"), directory.path().join("upcast"));
    for root in [&plain, &upcast] {
        fill(&store::open(root), count);
    }
    let file = UpcasterFile { name: "codes.toml".to_owned(), text: UPCASTER.to_owned() };
    let upcasters = Arc::new(Upcasters::read(vec![file]).expect("an upcaster"));
    let (plain, upcast) = (store::open(&plain), store::open_with(&upcast, upcasters));
    while upcast.engine().views().serving().upcasters().is_empty() {
        std::thread::yield_now();
    }
    // The views of both are as a rebuild leaves them.
    plain.engine().rebuild(|_, _| {}).expect("the views");
    println!("            plain µs  upcast µs  ratio");
    for kind in KINDS {
        let (mut ratios, mut last) = (Vec::new(), (0.0, 0.0));
        for _ in 0..harness::rounds() {
            let without = time(&plain, kind, count);
            let with = time(&upcast, kind, count);
            ratios.push(with / without);
            last = (without, with);
        }
        let (without, with) = (last.0 * 1e6, last.1 * 1e6);
        println!("{kind:<12}{without:>8.2}  {with:>9.2}  {:>5.2}", median(ratios));
    }
}

fn fill(records: &Arc<Records>, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let grant = store::grant(&store::caller());
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(TOGETHER) {
        let changes = some.iter().flat_map(|number| KINDS.map(|kind| change(kind, *number)));
        let write = Write { changes: changes.collect(), ..Write::default() };
        runtime.block_on(records.write(&grant, Arc::new(write))).expect("a commit");
    }
}

fn change(kind: &str, number: usize) -> chartlog::records::Change {
    let status = match kind {
        "Observation" => r#""status":"final","#,
        _ => "",
    };
    let json = format!(
        r#"{{"resourceType":"{kind}","id":"r{number}",{status}"code":{{"coding":[{{"system":"urn:example:old","code":"c{}","display":"something that was seen"}}]}},"subject":{{"reference":"Patient/p{}"}},"note":[{{"text":"as told by the patient, number {number}"}}]}}"#,
        number % 50,
        number % 100
    );
    store::put(&key(kind, number), json.as_bytes())
}

fn key(kind: &str, number: usize) -> ResourceKey {
    format!("{kind}/r{number}").parse().expect("a key")
}

/// Seconds that one read takes, on average.
fn time(records: &Records, kind: &str, count: usize) -> f64 {
    let caller = store::caller();
    let (turn, mut random) = (harness::turn(), 0x9e37_79b9_7f4a_7c15_u64);
    let (started, mut reads) = (Instant::now(), 0u32);
    while started.elapsed() < turn {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = key(kind, (random >> 33) as usize % count);
        let grant = store::grant(&caller);
        let bytes = records.read(&grant, &key).expect("a resource").bytes(&grant);
        assert!(!bytes.is_empty());
        reads += 1;
    }
    let took: Duration = started.elapsed();
    took.as_secs_f64() / f64::from(reads)
}
