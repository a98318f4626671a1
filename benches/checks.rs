//! Microseconds per resource of the check that every write makes, invariants and all, on one thread,
//! beside parsing the same bytes; and of evaluating some expressions of FHIRPath.
//!
//! The work is the synthetic clinic (`CHARTLOG_BENCH_PATIENTS` patients, default 100), or the files
//! of the folder that `CHARTLOG_SYNTHEA` names (`.json.gz`). Everything is in memory before the clock
//! starts.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use chartlog::fhir::check::{check, warnings};
use chartlog::fhir::path::{Context, Element, Expression, Value};
use chartlog::json::{Document, Node};
use harness::{clinic, median};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Types that are listed: those that take longest in all.
const TYPES_SHOWN: usize = 12;

/// Expressions that are evaluated on each resource of a type.
const EXPRESSIONS: [(&str, &str); 6] = [
    ("Observation", "Observation.value.ofType(Quantity).value"),
    ("Observation", "code.coding.where(system = 'http://loinc.org').code.first()"),
    ("Observation", "value.ofType(Quantity) > 100 'mg/dL'"),
    ("Observation", "effective.exists() implies effective.toString().matches('^[0-9]{4}')"),
    ("Patient", "name.where(use = 'official').select(given.first() & ' ' & family).first()"),
    ("Patient", "birthDate + 18 years <= @2024-01-01"),
];

fn main() {
    let texts = match std::env::var_os("CHARTLOG_SYNTHEA") {
        Some(folder) => synthea(Path::new(&folder)),
        None => {
            let patients = harness::setting("CHARTLOG_BENCH_PATIENTS", 100);
            clinic::bundles(patients).map(|bundle| bundle.to_string()).collect()
        }
    };
    let parse = |text: &String| Document::parse(text.as_str()).expect("JSON");
    let documents: Vec<Document> = texts.iter().map(parse).collect();
    let resources: Vec<Node<'_>> = documents.iter().flat_map(resources).collect();
    let bytes: usize = resources.iter().map(|resource| resource.text().len()).sum();
    println!("{} resources of {} bytes on average", resources.len(), bytes / resources.len());
    let mut rounds = Vec::new();
    for round in 1..=harness::setting("CHARTLOG_BENCH_ROUNDS", 5) | 1 {
        let parsing =
            timed(|| texts.iter().for_each(|text| drop(std::hint::black_box(parse(text)))));
        let checking = timed(|| {
            for resource in &resources {
                let checked = std::hint::black_box(check(None, *resource, ""));
                assert!(checked.is_ok(), "{:?}: {}", checked.err(), resource.text());
            }
        });
        let warning = timed(|| {
            for resource in &resources {
                std::hint::black_box(warnings(*resource, ""));
            }
        });
        let each = |all: Duration| all.as_secs_f64() * 1e6 / resources.len() as f64;
        println!(
            "round {round}: parse {:.2} µs, check {:.2} µs, with warnings {:.2} µs per resource",
            each(parsing),
            each(checking),
            each(warning)
        );
        rounds.push(each(checking));
    }
    println!("median check {:.2} µs", median(rounds));
    by_type(&resources);
    for (kind, text) in EXPRESSIONS {
        evaluate(&resources, kind, text);
    }
}

fn evaluate(resources: &[Node<'_>], kind: &str, text: &str) {
    let expression = Expression::parse(text).expect("an expression");
    let is_it = |resource: &&Node<'_>| resource.get_str("resourceType").as_deref() == Some(kind);
    let resources: Vec<_> = resources.iter().filter(is_it).collect();
    let all = timed(|| {
        for resource in &resources {
            let resource = Element::resource(**resource);
            let context = Context::of_resource(resource);
            let found = expression.items(&context, Some(&Value::Element(resource)));
            drop(std::hint::black_box(found.expect("an answer")));
        }
    });
    println!("{:>8.2} µs  {kind}: {text}", all.as_secs_f64() * 1e6 / resources.len() as f64);
}

/// What the types take that take most.
fn by_type(resources: &[Node<'_>]) {
    let mut types: BTreeMap<String, (Duration, usize)> = BTreeMap::new();
    for resource in resources {
        let name = resource.get_str("resourceType").expect("a type").into_owned();
        let (all, count) = types.entry(name).or_default();
        *all += timed(|| drop(std::hint::black_box(check(None, *resource, ""))));
        *count += 1;
    }
    let mut types: Vec<_> = types.into_iter().collect();
    types.sort_by_key(|(_, (all, _))| std::cmp::Reverse(*all));
    for (name, (all, count)) in types.into_iter().take(TYPES_SHOWN) {
        println!("{name:>28} {count:>7}  {:>7.2} µs", all.as_secs_f64() * 1e6 / count as f64);
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn resources(bundle: &Document) -> Vec<Node<'_>> {
    let entries = bundle.root().get("entry").expect("a Bundle").items();
    entries.filter_map(|entry| entry.get("resource")).collect()
}

fn synthea(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("the folder of CHARTLOG_SYNTHEA");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".json.gz"));
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let mut json = String::new();
        let file = std::fs::File::open(path).expect("a file");
        flate2::read::GzDecoder::new(file).read_to_string(&mut json).expect("gzip");
        json
    };
    files.iter().map(read).collect()
}
