//! Searches over HTTP beside a read by id, in a store of 100,000 resources and again when the same store
//! has 1,000,000 (`CHARTLOG_BENCH_RESOURCES`, the larger number).
//!
//! Each kind of search finds the same number of resources in both. One connection asks, one request
//! at a time, with token and durable access entry as for everything; the kinds take turns. Printed are
//! the median times, their ratio to the read by id of the same turn, and how much slower the same search
//! is in the larger store (as a ratio of those ratios): 1.00 is flat.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use chartlog::json::Document;
use chartlog::records::{Action, Change, Target, Write};
use harness::{load, median, server, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Resources of one patient: the Patient, and Observations.
const OF_PATIENT: usize = 500;
/// Codes of Observations; a patient has as many of each.
const CODES: usize = 25;
/// Requests of each kind in one turn.
const REQUESTS: usize = 60;
/// How much smaller the first store is.
const SMALLER: usize = 10;

/// A kind of search; `{p}` stands for the number of a patient.
const KINDS: [(&str, &str); 18] = [
    ("read by id", "/fhir/Observation/o{p}-7"),
    ("patient and code (20 found)", "/fhir/Observation?patient=p{p}&code=urn:c|c3&_count=20"),
    (
        "patient and period (4)",
        "/fhir/Observation?patient=p{p}&date=ge2024-02-03&date=le2024-02-04",
    ),
    ("patient, newest first (20)", "/fhir/Observation?patient=p{p}&code=c3&_sort=-date&_count=20"),
    (
        "patient with include (21)",
        "/fhir/Observation?patient=p{p}&code=c3&_include=Observation:patient&_count=20",
    ),
    (
        "patient and code, as of (20)",
        "/fhir/Patient/p{p}/Observation?code=c3&_count=20&_asOf={now}",
    ),
    ("identifier (1)", "/fhir/Patient?identifier=urn:mrn|m{p}"),
    ("family name (1)", "/fhir/Patient?family=name{p}x"),
    ("within a name (1)", "/fhir/Patient?family:contains=e{p}x"),
    ("date of birth (1)", "/fhir/Patient?birthdate={born}"),
    ("quantity (1)", "/fhir/Observation?value-quantity={value}|http://unitsofmeasure.org|mg"),
    ("chain (20)", "/fhir/Observation?patient.identifier=urn:mrn|m{p}&code=c3&_count=20"),
    ("reverse chain (1)", "/fhir/Patient?_has:Observation:patient:value-quantity={value}"),
    ("code of many, one page (20)", "/fhir/Observation?code=c3&_count=20"),
    ("period of many, one page (20)", "/fhir/Observation?date=ge2024-02-01&_count=20"),
    ("the newest of all (20)", "/fhir/Observation?_sort=-date&_count=20"),
    ("the newest of a code (20)", "/fhir/Observation?code=c3&_sort=-date&_count=20"),
    ("the last changed of all (20)", "/fhir/Observation?_sort=-_lastUpdated&_count=20"),
];

fn main() {
    let resources = harness::setting("CHARTLOG_BENCH_RESOURCES", 1_000_000);
    let patients = resources / OF_PATIENT;
    let directory = tempfile::tempdir().expect("a directory");
    let mut before: Option<Vec<f64>> = None;
    let mut from = 0;
    for patients in [patients / SMALLER, patients] {
        fill(directory.path(), from..patients);
        from = patients;
        let ratios = measure(directory.path(), patients, before.as_deref());
        before = Some(ratios);
    }
}

/// The median ratio of each kind to the read by id.
fn measure(root: &Path, patients: usize, before: Option<&[f64]>) -> Vec<f64> {
    let (serving, token) = server::chartlog(root);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let now = chartlog::clock::Instant::now();
    let mut times = vec![Vec::new(); KINDS.len()];
    let mut ratios = vec![Vec::new(); KINDS.len()];
    // One turn to warm up.
    for round in 0..=harness::rounds() {
        let mut read = 0.0;
        for (at, (_, path)) in KINDS.iter().enumerate() {
            let requests = (0..REQUESTS).map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let patient = (random >> 33) as usize % patients;
                let path = path
                    .replace("{p}", &patient.to_string())
                    .replace("{born}", &born(patient))
                    .replace("{value}", &value(patient, 7))
                    .replace("{now}", &now.to_string())
                    .replace('|', "%7C");
                load::get(&path, &token)
            });
            let median = median(load::one_by_one(serving.address, requests.collect()));
            if at == 0 {
                read = median;
            }
            if round > 0 {
                times[at].push(median);
                ratios[at].push(median / read);
            }
        }
    }
    println!("{} resources", patients * OF_PATIENT);
    println!(
        "kind                              median ms  beside a read  beside the smaller store"
    );
    let ratios: Vec<f64> = ratios.into_iter().map(median).collect();
    for (at, (name, _)) in KINDS.iter().enumerate() {
        let (time, ratio) = (median(times[at].clone()), ratios[at]);
        let grown = before.map(|before| format!("{:.2}", ratio / before[at])).unwrap_or_default();
        println!("{name:<32}  {:>9.3}  {ratio:>13.2}  {grown:>24}", time * 1e3);
    }
    ratios
}

/// Stores the charts of some patients, one commit each.
fn fill(root: &Path, patients: std::ops::Range<usize>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (store, caller) = (store::open(root), store::caller());
    let numbers: Vec<usize> = patients.collect();
    for part in numbers.chunks(8) {
        let writes = part.iter().map(|patient| {
            let write = chart(*patient);
            let (store, grant) = (Arc::clone(&store), store::grant(&caller));
            async move { store.write(&grant, write).await.expect("a commit") }
        });
        runtime.block_on(futures_util::future::join_all(writes));
    }
}

fn chart(patient: usize) -> Arc<Write> {
    let mut texts = vec![format!(
        r#"{{"resourceType":"Patient","id":"p{patient}","identifier":[{{"system":"urn:mrn","value":"m{patient}"}}],"name":[{{"family":"Name{patient}x","given":["Ada"]}}],"gender":"female","birthDate":"{}"}}"#,
        born(patient)
    )];
    for number in 1..OF_PATIENT {
        let mut text = String::new();
        write!(
            text,
            r#"{{"resourceType":"Observation","id":"o{patient}-{number}","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"urn:c","code":"c{}","display":"Code {}"}}]}},"subject":{{"reference":"Patient/p{patient}"}},"effectiveDateTime":"2024-{:02}-{:02}T08:{:02}:{:02}Z","valueQuantity":{{"value":{},"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}}}"#,
            (number + patient) % CODES,
            (number + patient) % CODES,
            1 + number % 12,
            1 + number / 12 % 28,
            number % 60,
            patient % 60,
            value(patient, number),
        )
        .expect("text");
        texts.push(text);
    }
    let changes = texts.iter().map(|text| {
        let document = Arc::new(Document::parse(text.as_str()).expect("JSON"));
        let root = document.root();
        let name = |name: &str| root.get_str(name).expect("a name").into_owned();
        let key = format!("{}/{}", name("resourceType"), name("id")).parse().expect("a key");
        let index = root.index();
        Change::new(Target::Key(key), Action::Put(document, index))
    });
    let size = texts.iter().map(String::len).sum();
    Arc::new(Write { changes: changes.collect(), size, ..Write::default() })
}

/// A value that no other Observation has.
fn value(patient: usize, number: usize) -> String {
    format!("{}.5", patient * OF_PATIENT + number)
}

/// A day that no other patient was born on.
fn born(patient: usize) -> String {
    let (year, rest) = (1000 + patient / 336, patient % 336);
    format!("{year}-{:02}-{:02}", 1 + rest / 28, 1 + rest % 28)
}
