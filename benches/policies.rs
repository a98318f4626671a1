//! What policies and Consents cost.
//!
//! First, reads per second over HTTP in two stores with the same charts, by the same 64 connections in turn: one where
//! the scopes alone decide, one with 21 policies and with Consents in force, of which each chart has one.
//!
//! Then, searches in a store of 1,000,000 resources (`CHARTLOG_BENCH_RESOURCES`) under these policies: by a user who treats
//! one patient of a hundred, beside the same searches by one who may see all. One connection asks, one request at a time.

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
use chartlog::policies::RuleBook;
use chartlog::records::{Action, Change, Target, Write};
use harness::{load, median, server, shown, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 64;
/// Resources of one chart, besides the Patient, the CareTeam and the Consent.
const OF_PATIENT: usize = 100;
/// Charts that are read in the first part.
const READ_CHARTS: usize = 200;
/// Of so many charts, the user treats one.
const TREATED_OF: usize = 100;
/// Requests of each kind in one turn.
const REQUESTS: usize = 60;
/// Resources on a page.
const PAGE: usize = 20;

const KINDS: [&str; 5] = [
    "/fhir/Observation?code=c3&_count=20",
    "/fhir/Observation?_count=20",
    "/fhir/Observation?date=ge2024-02-01&_count=20",
    "/fhir/Patient?_count=20",
    "/fhir/Observation?code=c3&_sort=-date&_count=20",
];

fn main() {
    reads();
    searches();
}

/// The example of a hospital, and a policy for each of some departments.
fn rules(root: &Path) -> Arc<RuleBook> {
    let mut text = include_str!("../config/policies/hospital/care.cedar").to_owned();
    for department in 1..=12 {
        write!(
            text,
            "@id(\"department-{department}\")\n\
             permit (principal in Chartlog::Role::\"department-{department}\", action in Chartlog::Action::\"view\", resource)\n\
             when {{ [\"Observation\", \"DiagnosticReport\"].contains(resource.type) && resource.relation.encounter }};\n"
        )
        .expect("text");
    }
    text.push_str(
        "@id(\"director\")\n\
         permit (principal in Chartlog::Role::\"director\", action in Chartlog::Action::\"view\", resource);\n",
    );
    let folder = root.join("policies");
    std::fs::create_dir_all(&folder).expect("a directory");
    std::fs::write(folder.join("bench.cedar"), text).expect("a file");
    Arc::new(RuleBook::open(Some(folder), true, None).expect("policies"))
}

fn reads() {
    let (with, without) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    for directory in [&with, &without] {
        fill(directory.path(), READ_CHARTS, 1);
    }
    let ruled = store::open_under(with.path(), rules(with.path()));
    let (ruled, _) = server::over(ruled);
    let (plain, _) = server::chartlog(without.path());
    let token = server::token_as("Practitioner/bench", None);
    let request = |at: usize| {
        let (patient, number) = (at % READ_CHARTS, at / READ_CHARTS % OF_PATIENT);
        load::get(&format!("/fhir/Observation/o{patient}-{number}"), &token)
    };
    let requests = Arc::new((0..READ_CHARTS * OF_PATIENT).map(request).collect());
    let mut rounds = Vec::new();
    println!("round  with rules/s  scopes alone/s  ratio   µs of processor: rules  scopes  ratio");
    // One turn to warm up.
    for round in 0..=harness::rounds() {
        let answers = |address| {
            let before = harness::processor_time();
            let (answers, took) = load::for_time(address, CONNECTIONS, &requests, harness::turn());
            let work = harness::processor_time() - before;
            (harness::per_second(answers, took), work.as_secs_f64() * 1e6 / answers as f64)
        };
        let (ours, our_work) = answers(ruled.address);
        let (reference, reference_work) = answers(plain.address);
        if round == 0 {
            continue;
        }
        let (ratio, work_ratio) = (ours / reference, reference_work / our_work);
        println!(
            "{round:>5}  {:>12}  {:>14}  {ratio:>5.2}   {our_work:>22.1}  {reference_work:>6.1}  {work_ratio:>5.2}",
            shown(ours),
            shown(reference)
        );
        rounds.push((ratio, work_ratio));
    }
    println!(
        "median ratio {:.2}, of processor time {:.2}",
        median(rounds.iter().map(|round| round.0).collect()),
        median(rounds.iter().map(|round| round.1).collect())
    );
}

fn searches() {
    let resources = harness::setting("CHARTLOG_BENCH_RESOURCES", 1_000_000);
    let patients = resources / OF_PATIENT;
    let directory = tempfile::tempdir().expect("a directory");
    fill(directory.path(), patients, TREATED_OF);
    let store = store::open_under(directory.path(), rules(directory.path()));
    let (serving, _) = server::over(store);
    let some = server::token_as("Practitioner/bench", None);
    let all = server::token_as("Practitioner/chief", Some("director"));
    let address = serving.address;
    println!(
        "{resources} resources in {patients} charts, of which the user treats one of {TREATED_OF}"
    );
    println!("search                                              ms: 1 %    all  ratio");
    let client = ureq::Agent::new_with_defaults();
    for path in KINDS {
        let page = client.get(format!("http://{address}{path}"));
        let page = page.header("authorization", format!("Bearer {some}")).call();
        let page = page.and_then(|mut page| page.body_mut().read_to_string()).expect("a page");
        let found = page.matches("\"match\"").count();
        assert_eq!(found, PAGE, "the page of {path} is full");
        let mut rounds = Vec::new();
        for round in 0..=harness::rounds() {
            let time = |token: &str| {
                let requests = (0..REQUESTS).map(|_| load::get(path, token)).collect();
                median(load::one_by_one(address, requests))
            };
            let (of_some, of_all) = (time(&some), time(&all));
            if round > 0 {
                rounds.push((of_some, of_all, of_some / of_all));
            }
        }
        println!(
            "{path:<50}  {:>7.3}  {:>5.3}  {:>5.2}",
            median(rounds.iter().map(|round| round.0).collect()) * 1e3,
            median(rounds.iter().map(|round| round.1).collect()) * 1e3,
            median(rounds.iter().map(|round| round.2).collect())
        );
    }
}

/// Stores some charts, one commit each; of so many of them, the user treats one.
fn fill(root: &Path, patients: usize, treated_of: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (store, caller) = (store::open(root), store::caller());
    let numbers: Vec<usize> = (0..patients).collect();
    for part in numbers.chunks(8) {
        let writes = part.iter().map(|patient| {
            let write = chart(*patient, patient % treated_of == 0);
            let (store, grant) = (Arc::clone(&store), store::grant(&caller));
            async move { store.write(&grant, write).await.expect("a commit") }
        });
        runtime.block_on(futures_util::future::join_all(writes));
    }
}

fn chart(patient: usize, is_treated: bool) -> Arc<Write> {
    let member = if is_treated { "bench" } else { "other" };
    let mut texts = vec![
        format!(
            r#"{{"resourceType":"Patient","id":"p{patient}","name":[{{"family":"Name{patient}","given":["Ada"]}}],"gender":"female"}}"#
        ),
        format!(
            r#"{{"resourceType":"CareTeam","id":"t{patient}","status":"active","subject":{{"reference":"Patient/p{patient}"}},"participant":[{{"member":{{"reference":"Practitioner/{member}"}}}}]}}"#
        ),
        format!(
            r#"{{"resourceType":"Consent","id":"k{patient}","status":"active","scope":{{"coding":[{{"code":"patient-privacy"}}]}},"category":[{{"coding":[{{"code":"INFA"}}]}}],"policyRule":{{"coding":[{{"code":"OPTIN"}}]}},"patient":{{"reference":"Patient/p{patient}"}},"provision":{{"type":"deny","actor":[{{"role":{{"coding":[{{"code":"PRCP"}}]}},"reference":{{"reference":"Practitioner/uncle"}}}}]}}}}"#
        ),
    ];
    for number in 0..OF_PATIENT {
        texts.push(format!(
            r#"{{"resourceType":"Observation","id":"o{patient}-{number}","meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}}]}},"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"urn:c","code":"c{0}","display":"Code {0}"}}]}},"subject":{{"reference":"Patient/p{patient}"}},"effectiveDateTime":"2024-{1:02}-{2:02}T08:00:00Z","valueQuantity":{{"value":{number}.5,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}}}"#,
            (number + patient) % 25,
            1 + number % 12,
            1 + number % 28,
        ));
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
