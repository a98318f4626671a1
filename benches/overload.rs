//! More than the server can do: what is turned away, how long the rest takes, and what memory it costs; and what connections
//! that do nothing, or little, cost others.
//!
//! The work is a page of the history of a chart, which takes a place among the requests that take much. *Capacity* is the rate
//! at which it is answered to 64 connections, each of which asks when it is answered. Ten times as many a second are then offered,
//! whatever is answered, to a server with the default of `limits.heavy_waiting_max`, and to one that lets many more wait.
//!
//! Then reads by id, at 64 connections, with 2,000 connections that are open and 500 that have sent a part of a body, and
//! without, in turns.

// A benchmark stops at the first surprise.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::disallowed_methods)]

mod harness;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use chartlog::config::LimitsConfig;
use chartlog::fhir::ResourceKey;
use chartlog::records::Write as Stored;
use harness::{load, median, server, shown, store};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENTS: usize = 40;
const OF_PATIENT: usize = 60;
/// Connections that ask at capacity.
const CONNECTIONS: usize = 64;
/// Many more requests than should wait.
const MANY: usize = 1_024;
const IDLE: usize = 2_000;
const SLOW: usize = 500;

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    fill(directory.path());
    let places = LimitsConfig::default().heavy_request_count();
    for waiting_max in [LimitsConfig::default().heavy_waiting_max, MANY] {
        overload(directory.path(), places, waiting_max);
    }
    beside(directory.path());
}

fn fill(root: &std::path::Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (store, caller) = (store::open(root), store::caller());
    let put = |key: String, json: String| {
        let key: ResourceKey = key.parse().expect("a key");
        store::put(&key, json.as_bytes())
    };
    for patient in 0..PATIENTS {
        let id = format!("p{patient}");
        let json = format!(r#"{{"resourceType":"Patient","id":"{id}","active":true}}"#);
        let mut changes = vec![put(format!("Patient/{id}"), json)];
        for number in 1..OF_PATIENT {
            let json = format!(
                r#"{{"resourceType":"Observation","id":"{id}-{number}","status":"final","code":{{"text":"heart rate, measured by hand over a minute"}},"subject":{{"reference":"Patient/{id}"}},"valueQuantity":{{"value":{number},"unit":"/min"}}}}"#
            );
            changes.push(put(format!("Observation/{id}-{number}"), json));
        }
        let write = Arc::new(Stored { changes, size: 20_000, ..Stored::default() });
        runtime.block_on(store.write(&store::grant(&caller), write)).expect("a commit");
    }
}

fn overload(root: &std::path::Path, places: usize, waiting_max: usize) {
    let limits = LimitsConfig { heavy_waiting_max: waiting_max, ..LimitsConfig::default() };
    let (chartlog, token) = server::limited(store::open(root), limits);
    let page = |patient| format!("/v1/patients/p{patient}/events?count={OF_PATIENT}");
    let requests = Arc::new((0..PATIENTS).map(|at| load::get(&page(at), &token)).collect());
    let (address, turn) = (chartlog.address, harness::turn());
    println!("{places} places, {waiting_max} may wait");
    println!(
        "round  capacity/s  p99 ms   offered/s  accepted/s  refused/s  p99 ms  ratio  memory MB"
    );
    let mut ratios = Vec::new();
    for round in 1..=harness::rounds() {
        let none = std::time::Duration::ZERO;
        let at_capacity = load::paced(address, CONNECTIONS, &requests, none, turn);
        let capacity = at_capacity.len() as f64 / turn.as_secs_f64();
        let usual = p99(at_capacity);
        let before = harness::resident_bytes();
        // More connections than may wait: there is always one that can offer the next.
        let connections = 2_000;
        let outcomes = load::offered(address, connections, &requests, 10.0 * capacity, turn);
        let memory = harness::resident_bytes().saturating_sub(before) >> 20;
        let a_second = |count: usize| count as f64 / turn.as_secs_f64();
        let (mut accepted, mut refused) = (Vec::new(), 0);
        for outcome in &outcomes {
            match outcome.status {
                200 => accepted.push(outcome.seconds),
                503 if outcome.says_when => refused += 1,
                status => panic!("{status}"),
            }
        }
        let taken = accepted.len();
        let loaded = p99(accepted);
        println!(
            "{round:>5}  {:>10}  {:>6.1}  {:>10}  {:>10}  {:>9}  {:>6.1}  {:>5.2}  {memory:>9}",
            shown(capacity),
            usual * 1e3,
            shown(a_second(outcomes.len())),
            shown(a_second(taken)),
            shown(a_second(refused)),
            loaded * 1e3,
            loaded / usual
        );
        ratios.push(loaded / usual);
    }
    println!("median ratio {:.2}", median(ratios));
}

/// The time in which 99 of 100 are answered.
fn p99(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() * 99 / 100]
}

fn beside(root: &std::path::Path) {
    let (chartlog, token) = server::chartlog(root);
    let address = chartlog.address;
    let read = |at: usize| load::get(&format!("/fhir/Observation/p{at}-1"), &token);
    let requests = Arc::new((0..PATIENTS).map(read).collect());
    println!("{IDLE} idle connections and {SLOW} slow ones beside reads at 64 connections");
    println!("round  without/s  p99 ms   with/s  p99 ms  ratio of rates");
    let mut ratios = Vec::new();
    for round in 1..=harness::rounds() {
        let ask = || {
            let none = std::time::Duration::ZERO;
            let seconds = load::paced(address, CONNECTIONS, &requests, none, harness::turn());
            (seconds.len() as f64 / harness::turn().as_secs_f64(), p99(seconds))
        };
        let (alone, usual) = ask();
        let others = others(address, &token);
        let (rate, slowed) = ask();
        drop(others);
        println!(
            "{round:>5}  {:>9}  {:>6.1}  {:>7}  {:>6.1}  {:>14.2}",
            shown(alone),
            usual * 1e3,
            shown(rate),
            slowed * 1e3,
            rate / alone
        );
        ratios.push(rate / alone);
    }
    println!("median ratio {:.2}", median(ratios));
}

/// Connections that have been answered and stay open, and some whose request does not come to its end.
fn others(address: SocketAddr, token: &str) -> Vec<TcpStream> {
    let live = b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    let mut half = load::post("/fhir/Patient", token, &[b' '; 1_000]);
    half.truncate(half.len() - 900);
    let connect = |said: &[u8], is_answered: bool| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(said).expect("it goes out");
        if is_answered {
            let read = stream.read(&mut [0; 4_096]).expect("an answer");
            assert!(read > 0, "the server closed the connection");
        }
        stream
    };
    let idle = (0..IDLE).map(|_| connect(&live, true));
    idle.chain((0..SLOW).map(|_| connect(&half, false))).collect()
}
