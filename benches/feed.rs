//! The feed, over HTTP on loopback: how fast one reader catches up, with bodies and without, beside a bare handler
//! that sends the same bytes from memory; how soon an event arrives after the answer to its write; the memory of
//! followers for whom nothing comes; and writes with many live followers beside writes with none, and beside writes
//! with as many readers of a bare handler that sends them as many bytes from memory: what only the sockets cost.
//!
//! `cargo bench --bench feed -- writes` measures that alone; so with `catch-up`, `delivery` and `idle`.
//! `CHARTLOG_BENCH_EVENTS` (default 200,000), `CHARTLOG_BENCH_IDLE` (1,000), `CHARTLOG_BENCH_FOLLOWERS` (100).

// A benchmark stops at the first surprise, and reads the environment for its options.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod harness;

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use chartlog::fhir::ResourceType;
use chartlog::records::Records;
use harness::load::{self, Requests};
use harness::readers::{self, Readers};
use harness::{median, per_second, rounds, server, setting, shown, store, turn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENTS: usize = 500;
/// Writes that are durable together, while the store is filled.
const TOGETHER: usize = 256;
/// Connections that write.
const WRITERS: usize = 64;
/// Writes in a second, where the delivery is measured.
const WRITES_PER_SECOND: usize = 2_000;
/// What live followers ask for.
const FOLLOWED: &str = "/v1/events?from=head&live=true";

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let records = store::open(&directory.path().join("store"));
    let events = setting("CHARTLOG_BENCH_EVENTS", 200_000);
    fill(&records, events);
    let (serving, token) = server::over(records);
    let address = serving.address;
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|one| !one.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    if is_wanted("catch-up") {
        catch_up(address, &token);
    }
    if is_wanted("delivery") {
        delivery(address, &token);
    }
    if is_wanted("idle") {
        idle(address, &token);
    }
    if is_wanted("writes") {
        writes(address, &token);
    }
}

/// Patients with Observations.
fn fill(records: &Arc<Records>, events: usize) {
    let caller = store::caller();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let create = |kind: ResourceType, json: String| {
        let (grant, write) = (store::grant(&caller), store::creation(kind, json.as_bytes()));
        async move { records.write(&grant, write).await.expect("a write") }
    };
    let observation: ResourceType = "Observation".parse().expect("a type");
    runtime.block_on(async {
        let patients = (0..PATIENTS).map(|_| {
            create(ResourceType::PATIENT, r#"{"resourceType":"Patient","active":true}"#.to_owned())
        });
        let patients = futures_util::future::join_all(patients).await;
        let patients: Vec<String> = patients
            .into_iter()
            .map(|one| one.done[0].key.clone().unwrap().id.to_string())
            .collect();
        let mut done = 0;
        while done < events {
            let some = (done..events.min(done + TOGETHER))
                .map(|at| create(observation, value_of(&patients[at % PATIENTS], None, at)));
            futures_util::future::join_all(some).await;
            done += TOGETHER;
        }
    });
}

fn value_of(patient: &str, id: Option<&str>, value: usize) -> String {
    let id = id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
    format!(
        r#"{{"resourceType":"Observation",{id}"status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}}]}},"subject":{{"reference":"Patient/{patient}"}},"effectiveDateTime":"2026-03-01T10:00:00Z","valueQuantity":{{"value":{value},"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}}}}"#
    )
}

/// Reads a whole answer; its lines, its bytes, and the time that it took.
fn read_all(url: &str, token: &str, keep: Option<&mut Vec<u8>>) -> (u64, u64, Duration) {
    let started = Instant::now();
    let answer = ureq::get(url)
        .header("authorization", &format!("Bearer {token}"))
        .header("accept", "application/x-ndjson, application/fhir+json;q=0.5")
        .call();
    let mut body = answer.expect("an answer").into_body().into_reader();
    let mut buffer = vec![0; 1 << 20];
    let (mut lines, mut bytes, mut kept) = (0, 0, Vec::new());
    loop {
        let read = body.read(&mut buffer).expect("the rest of the answer");
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes += read as u64;
        if keep.is_some() {
            kept.extend_from_slice(&buffer[..read]);
        }
    }
    if let Some(keep) = keep {
        *keep = kept;
    }
    (lines, bytes, started.elapsed())
}

fn catch_up(address: SocketAddr, token: &str) {
    for (name, include) in [("without bodies", ""), ("with bodies", "&include=resource")] {
        let url = format!("http://{address}/v1/events?live=false{include}");
        let mut whole = Vec::new();
        read_all(&url, token, Some(&mut whole));
        let path = "/fhir/feed/whole";
        let plain = server::plain(HashMap::from([(path.to_owned(), Bytes::from(whole))]));
        let plain_url = format!("http://{}{path}", plain.address);
        let (mut rates, mut ratios, mut size) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds() {
            let (_, _, bare) = read_all(&plain_url, token, None);
            let (lines, bytes, took) = read_all(&url, token, None);
            rates.push(per_second(lines, took));
            ratios.push(bare.as_secs_f64() / took.as_secs_f64());
            size = bytes / lines;
        }
        println!(
            "catch-up {name}: {} events/s of {size} bytes; {:.2} of a bare handler",
            shown(median(rates)),
            median(ratios)
        );
    }
}

/// A live follower, of which each part of the answer goes to `see`, until it is dropped.
struct Following {
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    fn start(
        address: SocketAddr,
        token: &str,
        mut see: impl FnMut(&[u8]) + Send + 'static,
    ) -> Self {
        let stream = readers::open(address, FOLLOWED, token);
        let mut reading = stream.try_clone().expect("the same stream");
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = reading.read(&mut buffer) {
                see(&buffer[..read]);
            }
        });
        Self { stream, thread: Some(thread) }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // The thread ends with the stream.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a follower");
        }
    }
}

/// How long after the answer to a write its event is with a follower.
fn delivery(address: SocketAddr, token: &str) {
    let patient = "bench-delivery";
    put_patient(address, token, patient);
    let (arrived, arrivals) = mpsc::channel();
    let mut rest: Vec<u8> = Vec::new();
    let following = Following::start(address, token, move |bytes| {
        let now = Instant::now();
        rest.extend_from_slice(bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            let mark = "\"resource\":\"Observation/d-";
            if let Some(at) = line.find(mark) {
                let id = line[at + mark.len()..].split('"').next().unwrap_or_default().to_owned();
                arrived.send((id, now)).expect("somebody waits");
            }
        }
    });
    let (token, patient) = (token.to_owned(), patient.to_owned());
    let requests = move |connection: usize, at: usize| {
        let id = format!("{connection}-{at}");
        let json = value_of(&patient, Some(&format!("d-{id}")), at);
        (id.clone(), load::put(&format!("/fhir/Observation/d-{id}"), &token, json.as_bytes()))
    };
    let pause = Duration::from_secs(1) * u32::try_from(WRITERS).unwrap()
        / u32::try_from(WRITES_PER_SECOND).unwrap();
    let answers: HashMap<String, Instant> =
        load::at_a_pace(address, WRITERS, requests, pause, turn() * 2).into_iter().collect();
    let mut times: Vec<f64> = Vec::new();
    while times.len() < answers.len() {
        let (id, at) = arrivals.recv_timeout(Duration::from_secs(30)).expect("every event arrives");
        if let Some(answered) = answers.get(&id) {
            times.push(at.saturating_duration_since(*answered).as_secs_f64() * 1e3);
        }
    }
    drop(following);
    times.sort_by(f64::total_cmp);
    let part = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let rate = answers.len() as f64 / (turn() * 2).as_secs_f64();
    println!(
        "delivery at {} writes/s, after the answer to the write: median {:.1} ms, p99 {:.1} ms",
        shown(rate),
        part(0.5),
        part(0.99)
    );
}

fn put_patient(address: SocketAddr, token: &str, id: &str) {
    let json = format!(r#"{{"resourceType":"Patient","id":"{id}","active":true}}"#);
    let put = load::put(&format!("/fhir/Patient/{id}"), token, json.as_bytes());
    load::to_the_end(address, vec![vec![put]]);
}

/// The memory of followers for whom nothing comes.
fn idle(address: SocketAddr, token: &str) {
    let count = setting("CHARTLOG_BENCH_IDLE", 1_000);
    // What the first ones make the server set up once is not theirs.
    let first: Vec<TcpStream> = (0..50).map(|_| readers::open(address, FOLLOWED, token)).collect();
    let before = harness::resident_bytes();
    let idle: Vec<TcpStream> =
        (0..count).map(|_| readers::open(address, FOLLOWED, token)).collect();
    let after = harness::resident_bytes();
    println!(
        "{count} idle followers: {:.1} KB each",
        after.saturating_sub(before) as f64 / 1_000.0 / count as f64
    );
    drop((first, idle));
}

/// Writes with live followers beside writes without.
fn writes(address: SocketAddr, token: &str) {
    let count = setting("CHARTLOG_BENCH_FOLLOWERS", 100);
    let requests: Vec<Vec<u8>> = (0..WRITERS)
        .flat_map(|patient| {
            let id = format!("bench-{patient}");
            put_patient(address, token, &id);
            let post = move |at| {
                load::post("/fhir/Observation", token, value_of(&id, None, at).as_bytes())
            };
            (0..50).map(post).collect::<Vec<_>>()
        })
        .collect();
    let requests: Requests = Arc::new(requests);
    let written = || load::for_time(address, WRITERS, &requests, turn());
    let (mut alone, mut followed, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut bare_ratios, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds() {
        let (answers, took) = written();
        let without = per_second(answers, took);
        let readers = Readers::start(address, FOLLOWED, token, count);
        let (answers, took) = written();
        let with = per_second(answers, took);
        let mut bytes = 0;
        for reader in readers.end(head(address, token) - 1) {
            let first = reader.first.expect("an event");
            assert_eq!(reader.count, reader.last - first + 1, "each event once");
            bytes += reader.bytes;
        }
        // As often, and as much at a time, as if it were the feed.
        let rate = bytes as f64 / took.as_secs_f64();
        let part = (rate / count as f64 * PART.as_secs_f64()) as usize;
        let line = format!("{{{}}}\n", " ".repeat(274));
        let bare = server::ticking(line.repeat(part / line.len()).into(), PART);
        let readers = Readers::start(bare.address, "/", token, count);
        let (answers, took) = written();
        let with_bare = per_second(answers, took);
        readers.end(0);
        alone.push(without);
        followed.push(with);
        ratios.push(with / without);
        beside.push(with_bare);
        bare_ratios.push(with_bare / without);
        rates.push(rate / 1e6);
    }
    println!(
        "writes at {WRITERS} connections: {}/s, with {count} live followers {}/s: {:.2}",
        shown(median(alone)),
        shown(median(followed)),
        median(ratios)
    );
    println!(
        "  with {count} readers of a bare handler that sends as much, {} MB/s, {}/s: {:.2}",
        shown(median(rates)),
        shown(median(beside)),
        median(bare_ratios)
    );
}

/// How often the bare handler sends something.
const PART: Duration = Duration::from_millis(30);

/// Number of events in the log.
fn head(address: SocketAddr, token: &str) -> u64 {
    let answer = ureq::get(format!("http://{address}/v1/events?from=head"))
        .header("authorization", &format!("Bearer {token}"))
        .call();
    let answer = answer.expect("an answer");
    let head = answer.headers()["chartlog-head"].to_str().expect("a text");
    head.parse().expect("a number")
}
