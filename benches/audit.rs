//! Access entries: bytes on disk for each, and the queries of a compliance officer among very many.
//!
//! A clinic of 2,000 patients is looked at by 500 users, who belong to 20 organisations and use 10 applications: for the
//! most part single reads, some searches with 20 results, some refusals, rarely a broken glass. The entries
//! are those of requests, without the requests (`CHARTLOG_BENCH_ENTRIES`, default 1,000,000). Then each kind of query is
//! asked for a page of 50, and a page behind it, of values that were drawn at random. In the end all entries
//! are exported over HTTP, in each form.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use chartlog::access::{AccessEntry, Identity, Outcome, RequestId, Runs, Source};
use chartlog::audit::{self, AccessFilter, Sort};
use chartlog::clock::Instant;
use chartlog::fhir::ResourceType;
use chartlog::log::StreamAlias;
use chartlog::numbers::Position;
use chartlog::records::Records;
use harness::{per_second, setting, shown, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENTS: usize = 2_000;
const RESOURCES: usize = 25;
const USERS: u64 = 500;
const ORGANIZATIONS: u64 = 20;
const CLIENTS: u64 = 10;
/// Entries that are durable together: as of so many clients.
const TOGETHER: usize = 64;
const SAMPLES: usize = 200;

/// A chart, and the positions of its resources.
struct Chart {
    patient: String,
    alias: StreamAlias,
    positions: Vec<Position>,
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("store");
    let entries = setting("CHARTLOG_BENCH_ENTRIES", 1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let records = store::open(&root);
    let charts = open_charts(&runtime, &records);
    drop(records);
    let before = harness::bytes(&root);
    let records = store::open(&root);
    let started = Stopwatch::now();
    runtime.block_on(fill(&records, &charts, entries));
    let took = started.elapsed();
    drop(records);
    println!(
        "{entries} entries, {TOGETHER} at a time: {}/s",
        shown(per_second(entries as u64, took))
    );
    harness::print_growth(before, harness::bytes(&root), entries as u64);
    let records = store::open(&root);
    queries(&records, &charts);
    export(records);
}

/// All entries in one answer, as over the network.
fn export(records: Arc<Records>) {
    let (serving, token) = harness::server::over(records);
    for format in ["ndjson", "csv", "fhir", "proof"] {
        let before = harness::resident_bytes();
        let (mut most, mut lines, mut bytes) = (before, 0, 0);
        let started = Stopwatch::now();
        let answer =
            ureq::get(format!("http://{}/v1/accesses/export?format={format}", serving.address))
                .header("authorization", &format!("Bearer {token}"))
                .call();
        let mut body = answer.expect("an export").into_body().into_reader();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = body.read(&mut buffer).expect("the rest of the export");
            if read == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', &buffer[..read]).count();
            // The client shares the processors: it does little besides reading.
            if (bytes + read) >> 20 > bytes >> 20 {
                most = most.max(harness::resident_bytes());
            }
            bytes += read;
        }
        println!(
            "export as {format}: {} lines of {} bytes, {}/s, {} MB more memory",
            lines,
            bytes / lines,
            shown(per_second(lines as u64, started.elapsed())),
            (most - before) >> 20
        );
    }
}

/// Patients with resources, written as a clinic writes them.
fn open_charts(runtime: &tokio::runtime::Runtime, records: &Arc<Records>) -> Vec<Chart> {
    let caller = store::caller();
    let observation: ResourceType = "Observation".parse().expect("a type");
    let mut charts = Vec::with_capacity(PATIENTS);
    for number in 0..PATIENTS {
        let grant = store::grant(&caller);
        let json = format!(
            r#"{{"resourceType":"Patient","active":true,"birthDate":"19{:02}"}}"#,
            number % 100
        );
        let write = store::creation(ResourceType::PATIENT, json.as_bytes());
        let written = runtime.block_on(records.write(&grant, write)).expect("a patient");
        let patient = written.done[0].key.clone().expect("a key").id.to_string();
        let mut positions = Vec::with_capacity(RESOURCES);
        for value in 0..RESOURCES {
            let json = format!(
                r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{patient}"}},"valueInteger":{value}}}"#
            );
            let write = store::creation(observation, json.as_bytes());
            let written = runtime.block_on(records.write(&grant, write)).expect("an observation");
            positions.push(written.events.expect("events").0);
        }
        let id = patient.parse().expect("an id");
        let alias =
            records.engine().views().view().chart(&id).expect("a view").expect("a chart").alias();
        charts.push(Chart { patient, alias, positions });
    }
    charts
}

async fn fill(records: &Arc<Records>, charts: &[Chart], entries: usize) {
    let mut numbers = Numbers(1);
    let mut done = 0;
    while done < entries {
        let some = TOGETHER.min(entries - done);
        let all: Vec<_> = (0..some).map(|_| entry(&mut numbers, charts, done as u64)).collect();
        let answers = all.into_iter().map(|entry| records.engine().record_access(entry));
        for answer in futures_util::future::join_all(answers).await {
            answer.expect("an entry");
        }
        done += some;
    }
}

fn entry(numbers: &mut Numbers, charts: &[Chart], number: u64) -> AccessEntry {
    let user = numbers.below(USERS);
    let identity = Identity {
        subject: format!("user-{user}"),
        issuer: "https://login.example.org".to_owned(),
        name: Some(format!("Doctor {user}")),
        role: Some("physician".to_owned()),
        organization: Some(format!("clinic-{}", user % ORGANIZATIONS)),
        client: Some(format!("app-{}", user % CLIENTS)),
        scopes: Some("user/*.rs".to_owned()),
        ..Identity::default()
    };
    let purpose = match numbers.below(1_000) {
        0 => "BTG",
        1..=50 => "HPAYMT",
        _ => "TREAT",
    };
    let source = Source {
        identity: Some(identity.into()),
        address: Some(format!("10.0.0.{}", user % 250)),
        user_agent: Some("bench/1".to_owned()),
        purpose: Some(purpose.to_owned()),
        ..Source::default()
    };
    let chart = &charts[numbers.below(charts.len() as u64) as usize];
    let kind = numbers.below(100);
    let operation = if kind < 80 { "readResource" } else { "searchResources" };
    let begun_at = Instant::now().micros() - 700;
    let mut entry =
        AccessEntry::of(source, RequestId::new(7, number + numbers.below(3)), operation, begun_at);
    entry.bytes = 1_100 + numbers.below(900);
    entry.look.route =
        if kind < 80 { "GET /fhir/{type}/{id}".into() } else { "GET /fhir/{type}".into() };
    entry.look.charts = vec![chart.alias];
    entry.look.status = 200;
    match kind {
        0..80 => {
            let at = numbers.below(RESOURCES as u64) as usize;
            entry.look.shown = Runs::from(&BTreeSet::from([chart.positions[at]]));
        }
        80..97 => {
            let shown: BTreeSet<Position> = chart.positions.iter().take(20).copied().collect();
            entry.look.shown = Runs::from(&shown);
        }
        _ => {
            entry.look.outcome = Outcome::Refused;
            entry.look.status = 403;
            entry.look.reason =
                Some("forbidden: the token does not grant 's' on Observation".into());
        }
    }
    entry
}

fn queries(records: &Arc<Records>, charts: &[Chart]) {
    let mut numbers = Numbers(2);
    let (start, end) = period(records);
    println!("query (a page of 50)               median ms   p99 ms   entries");
    type Draw = Box<dyn Fn(&mut Numbers) -> AccessFilter>;
    let patients: Vec<String> = charts.iter().map(|chart| chart.patient.clone()).collect();
    let (one, two, three) = (patients.clone(), patients.clone(), patients);
    let patient = move |numbers: &mut Numbers, of: &[String]| {
        of[numbers.below(of.len() as u64) as usize].parse().ok()
    };
    let user = |numbers: &mut Numbers| Some(format!("user-{}", numbers.below(USERS)));
    let all = AccessFilter::default;
    let kinds: Vec<(&str, Draw)> = vec![
        ("everything", Box::new(move |_| all())),
        ("patient", Box::new(move |n| AccessFilter { patient: patient(n, &one), ..all() })),
        ("user", Box::new(move |n| AccessFilter { subject: user(n), ..all() })),
        (
            "client",
            Box::new(move |n| AccessFilter {
                client: Some(format!("app-{}", n.below(CLIENTS))),
                ..all()
            }),
        ),
        (
            "organisation",
            Box::new(move |n| AccessFilter {
                organization: Some(format!("clinic-{}", n.below(ORGANIZATIONS))),
                ..all()
            }),
        ),
        ("refused", Box::new(move |_| AccessFilter { outcome: Some(Outcome::Refused), ..all() })),
        ("break-glass", Box::new(move |_| AccessFilter { break_glass: Some(true), ..all() })),
        (
            "purpose",
            Box::new(move |_| AccessFilter { purpose: Some("HPAYMT".to_owned()), ..all() }),
        ),
        (
            "action (executions)",
            Box::new(move |_| AccessFilter {
                action: Some(chartlog::access::Action::Execute),
                ..all()
            }),
        ),
        (
            "patient and user",
            Box::new(move |n| AccessFilter {
                patient: patient(n, &two),
                subject: user(n),
                ..all()
            }),
        ),
        (
            "user, refused",
            Box::new(move |n| AccessFilter {
                subject: user(n),
                outcome: Some(Outcome::Refused),
                ..all()
            }),
        ),
        (
            "user, in a tenth of the time",
            Box::new(move |n| {
                let width = (end - start) / 10;
                let since = start + n.below((end - start - width) as u64) as i64;
                AccessFilter {
                    subject: user(n),
                    since: Some(Instant::from_micros(since)),
                    until: Some(Instant::from_micros(since + width)),
                    ..all()
                }
            }),
        ),
        (
            "patient, in a tenth of the time",
            Box::new(move |n| {
                let width = (end - start) / 10;
                let since = start + n.below((end - start - width) as u64) as i64;
                AccessFilter {
                    patient: patient(n, &three),
                    since: Some(Instant::from_micros(since)),
                    until: Some(Instant::from_micros(since + width)),
                    ..all()
                }
            }),
        ),
    ];
    for (name, draw) in &kinds {
        let (mut times, mut found) = (Vec::with_capacity(2 * SAMPLES), 0);
        for sample in 0..SAMPLES {
            let filter = draw(&mut numbers);
            let sort = if sample % 2 == 0 { Sort::Newest } else { Sort::Oldest };
            let mut from = None;
            for _ in 0..2 {
                let grant = store::grant(&store::caller());
                let started = Stopwatch::now();
                let (page, next) =
                    audit::accesses(records, &grant, &filter, sort, from, 50).expect("a page");
                times.push(started.elapsed());
                found += page.len();
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name:<35} {:>9.2} {:>8.2} {:>9.1}",
            ms(times[times.len() / 2]),
            ms(times[times.len() * 99 / 100]),
            found as f64 / times.len() as f64
        );
    }
}

/// From the first entry to the last, microseconds since 1970.
fn period(records: &Arc<Records>) -> (i64, i64) {
    let edge = |sort| {
        let grant = store::grant(&store::caller());
        let (page, _) = audit::accesses(records, &grant, &AccessFilter::default(), sort, None, 1)
            .expect("a page");
        page[0].recorded_at.micros()
    };
    (edge(Sort::Oldest), edge(Sort::Newest))
}
