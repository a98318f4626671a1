//! FHIR reads per second over HTTP, each with a token check and a durable access entry, beside the
//! plainest actix-web handler that answers the same bytes from memory.
//!
//! Both servers have the same settings and as many workers; 64 connections without pipelining ask
//! both for the same resources of a clinic, round and round. The load generator takes its share of
//! the cores from both.
//!
//! Beside the rates stands the processor time that each server spent on an answer, the load generator
//! left out. Where other programs keep the cores busy, its ratio says more than that of the rates: a
//! read that waits for the disk gives its core away and has to wait until it gets one back.
//!
//! The requests are those of 500 users in turn, each with a token of their own. In the end: how many bytes on disk
//! the entry of a read takes, with everything that is kept for it.

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::Bytes;
use harness::{clinic, load, median, server, shown, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 64;
const PATIENTS: usize = 50;
const USERS: usize = 500;
/// The resources that are taken: the larger ones of the clinic. With its envelope, the event of one
/// takes about 1.4 KB in the log.
const SAMPLE_BYTES: std::ops::RangeInclusive<usize> = 1_000..=2_000;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let paths = fill(directory.path());
    let before = harness::bytes(directory.path());
    let (chartlog, token) = server::chartlog(directory.path());
    let client = ureq::Agent::new_with_defaults();
    let mut bodies = HashMap::new();
    for path in &paths {
        let body = client
            .get(format!("http://{}{path}", chartlog.address))
            .header("authorization", &format!("Bearer {token}"))
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_vec())
            .expect("a resource");
        bodies.insert(path.clone(), Bytes::from(body));
    }
    let bytes: usize = bodies.values().map(Bytes::len).sum();
    println!(
        "{} different resources of {} bytes on average, {CONNECTIONS} connections",
        bodies.len(),
        bytes / bodies.len()
    );
    let plain = server::plain(bodies);
    let tokens: Vec<_> = (0..USERS).map(|user| server::token_of(Some(user))).collect();
    let many = paths.len() * USERS.min(20);
    let request = |at: usize| load::get(&paths[at % paths.len()], &tokens[at * 7 % USERS]);
    let requests = Arc::new((0..many).map(request).collect());
    let turn = harness::turn();
    let (mut rounds, mut entries) = (Vec::new(), paths.len() as u64);
    println!("round  chartlog/s    plain/s  ratio   µs of processor: chartlog  plain  ratio");
    for round in 1..=harness::rounds() {
        let answers = |address| {
            let before = harness::processor_time();
            let (answers, took) = load::for_time(address, CONNECTIONS, &requests, turn);
            let work = harness::processor_time() - before;
            (answers, harness::per_second(answers, took), work.as_secs_f64() * 1e6 / answers as f64)
        };
        let (answered, ours, our_work) = answers(chartlog.address);
        let (_, reference, reference_work) = answers(plain.address);
        entries += answered;
        let (ratio, work_ratio) = (ours / reference, reference_work / our_work);
        println!(
            "{round:>5}  {:>10}  {:>9}  {ratio:>5.2}   {our_work:>25.1}  {reference_work:>5.1}  {work_ratio:>5.2}",
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
    drop(chartlog);
    let after = harness::bytes(directory.path());
    println!("{entries} reads by {USERS} users");
    harness::print_growth(before, after, entries);
}

/// Fills a store with resources of a clinic; the paths under which they are read.
fn fill(root: &std::path::Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let store = store::open(root);
    let caller = store::caller();
    let mut paths = Vec::new();
    for sample in clinic::samples(PATIENTS) {
        if SAMPLE_BYTES.contains(&sample.json.len()) {
            let write = store::creation(sample.kind, &sample.json);
            let written = runtime.block_on(store.write(&store::grant(&caller), write));
            paths.push(format!(
                "/fhir/{}",
                written.expect("a resource").done[0].key.as_ref().expect("a key")
            ));
        }
    }
    paths
}
