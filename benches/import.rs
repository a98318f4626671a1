//! Resources per second of importing transaction Bundles over HTTP into a fresh store, beside
//! parsing the same bytes as `serde_json::Value` on two threads.
//!
//! The work is the synthetic clinic (`CHARTLOG_BENCH_PATIENTS` patients, default 400), or the files
//! of the folder that `CHARTLOG_SYNTHEA` names (`.json.gz`; those that begin with `0-` first).
//! Everything is in memory before the clock starts. Four connections; the Bundles of one patient
//! stay in their order on one of them.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{clinic, load, median, per_second, server, shown};
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 4;
const PARSING_THREADS: usize = 2;

/// What is to be imported.
struct Work {
    /// Bundles that come before all others, one after the other.
    first: Vec<Vec<u8>>,
    /// Bundles in their order, one list per patient.
    charts: Vec<Vec<Vec<u8>>>,
    resources: u64,
}

impl Work {
    fn bundles(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.first.iter().chain(self.charts.iter().flatten())
    }
}

fn main() {
    let work = match std::env::var_os("CHARTLOG_SYNTHEA") {
        Some(folder) => synthea(Path::new(&folder)),
        None => synthetic(harness::setting("CHARTLOG_BENCH_PATIENTS", 400)),
    };
    let bytes: usize = work.bundles().map(Vec::len).sum();
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{} resources in {} Bundles, {megabytes:.0} MB of JSON",
        work.resources,
        work.bundles().count()
    );
    println!("round  chartlog: resources/s   MB/s   parse: resources/s   MB/s  ratio");
    let mut rounds = Vec::new();
    for round in 1..=harness::setting("CHARTLOG_BENCH_ROUNDS", 3) | 1 {
        let ours = import(&work);
        let reference = parse(&work);
        let ratio = reference.as_secs_f64() / ours.as_secs_f64();
        println!(
            "{round:>5}  {:>21}  {:>5.1}   {:>18}  {:>5.1}  {ratio:>5.2}",
            shown(per_second(work.resources, ours)),
            megabytes / ours.as_secs_f64(),
            shown(per_second(work.resources, reference)),
            megabytes / reference.as_secs_f64(),
        );
        rounds.push((per_second(work.resources, ours), ratio));
    }
    println!(
        "median {} resources/s, ratio {:.2}",
        shown(median(rounds.iter().map(|round| round.0).collect())),
        median(rounds.iter().map(|round| round.1).collect())
    );
}

/// Imports everything into a new store, on the disk that holds the temporary directory.
fn import(work: &Work) -> Duration {
    let directory = tempfile::tempdir().expect("a directory");
    let (server, token) = server::chartlog(directory.path());
    let request = |bundle: &Vec<u8>| load::post("/fhir", &token, bundle);
    let first = work.first.iter().map(request).collect();
    let mut queues = vec![Vec::new(); CONNECTIONS];
    for (at, chart) in work.charts.iter().enumerate() {
        queues[at % CONNECTIONS].extend(chart.iter().map(request));
    }
    load::to_the_end(server.address, vec![first]) + load::to_the_end(server.address, queues)
}

/// Parses everything, each thread every other Bundle.
fn parse(work: &Work) -> Duration {
    let bundles: Vec<&Vec<u8>> = work.bundles().collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..PARSING_THREADS {
            let mine = bundles.iter().skip(thread).step_by(PARSING_THREADS);
            scope.spawn(move || {
                for bundle in mine {
                    let value: Value = serde_json::from_slice(bundle).expect("JSON");
                    std::hint::black_box(value);
                }
            });
        }
    });
    started.elapsed()
}

fn synthetic(patients: usize) -> Work {
    let mut work = Work { first: Vec::new(), charts: Vec::new(), resources: 0 };
    let mut known = None;
    for bundle in clinic::bundles(patients) {
        work.resources += entries(&bundle);
        let json = bundle.to_string().into_bytes();
        let patient = patient(&bundle);
        if patient.is_some() && patient != known {
            known = patient;
            work.charts.push(Vec::new());
        }
        match work.charts.last_mut() {
            Some(chart) => chart.push(json),
            None => work.first.push(json),
        }
    }
    work
}

/// The patient who comes first in a Bundle, if one does.
fn patient(bundle: &Value) -> Option<String> {
    let resources = bundle["entry"].as_array()?.iter().map(|entry| &entry["resource"]);
    let mut patients = resources.filter(|resource| resource["resourceType"] == "Patient");
    Some(patients.next()?["id"].as_str()?.to_owned())
}

fn synthea(folder: &Path) -> Work {
    let files = std::fs::read_dir(folder).expect("the folder of CHARTLOG_SYNTHEA");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".json.gz"));
    files.sort();
    let mut work = Work { first: Vec::new(), charts: Vec::new(), resources: 0 };
    for path in files {
        let mut json = Vec::new();
        let file = std::fs::File::open(&path).expect("a file");
        flate2::read::GzDecoder::new(file).read_to_end(&mut json).expect("gzip");
        work.resources += entries(&serde_json::from_slice(&json).expect("JSON"));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with("0-")) {
            work.first.push(json);
        } else {
            work.charts.push(vec![json]);
        }
    }
    work
}

fn entries(bundle: &Value) -> u64 {
    bundle["entry"].as_array().map_or(0, Vec::len) as u64
}
