//! The feed, over HTTP on loopback: how fast one reader catches up, with bodies and without, beside a bare handler
//! that sends the same bytes from memory; how soon an event arrives after the answer to its write; the memory of
//! followers for whom nothing comes; and writes with many live followers beside writes with none.
//!
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
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use chartlog::fhir::ResourceType;
use chartlog::records::Records;
use harness::load::{self, Requests};
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

fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let records = store::open(&directory.path().join("store"));
    let events = setting("CHARTLOG_BENCH_EVENTS", 200_000);
    fill(&records, events);
    let (serving, token) = server::over(records);
    let address = serving.address;
    catch_up(address, &token);
    delivery(address, &token);
    idle(address, &token);
    writes(address, &token);
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
    fn open(address: SocketAddr, token: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = format!(
            "GET /v1/events?from=head&live=true HTTP/1.1\r\nhost: localhost\r\n\
             authorization: Bearer {token}\r\naccept: application/x-ndjson\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the head of an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        stream
    }

    fn start(
        address: SocketAddr,
        token: &str,
        mut see: impl FnMut(&[u8]) + Send + 'static,
    ) -> Self {
        let stream = Self::open(address, token);
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
    let first: Vec<TcpStream> = (0..50).map(|_| Following::open(address, token)).collect();
    let before = harness::resident_bytes();
    let idle: Vec<TcpStream> = (0..count).map(|_| Following::open(address, token)).collect();
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
    let seen = Arc::new(AtomicU64::new(0));
    let (mut alone, mut followed, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds() {
        let (answers, took) = load::for_time(address, WRITERS, &requests, turn());
        let without = per_second(answers, took);
        let followers = Followers::start(address, token, count, Arc::clone(&seen));
        let before = seen.load(Ordering::Relaxed);
        let (answers, took) = load::for_time(address, WRITERS, &requests, turn());
        let with = per_second(answers, took);
        followers.reach(before + answers * count as u64);
        alone.push(without);
        followed.push(with);
        ratios.push(with / without);
    }
    println!(
        "writes at {WRITERS} connections: {}/s, with {count} live followers {}/s: {:.2}",
        shown(median(alone)),
        shown(median(followed)),
        median(ratios)
    );
}

/// Live followers that count the lines they get, all on one thread.
struct Followers {
    runtime: Option<tokio::runtime::Runtime>,
    seen: Arc<AtomicU64>,
}

impl Followers {
    fn start(address: SocketAddr, token: &str, count: usize, seen: Arc<AtomicU64>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        for _ in 0..count {
            let stream = Following::open(address, token);
            stream.set_nonblocking(true).expect("a stream that does not block");
            let seen = Arc::clone(&seen);
            runtime.spawn(async move {
                use tokio::io::AsyncReadExt;
                let mut stream = tokio::net::TcpStream::from_std(stream).expect("a stream");
                let mut buffer = vec![0; 32 << 10];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    // Each event has one, and nothing else on a line does.
                    let marks = memchr::memmem::find_iter(&buffer[..read], b"\"endsCommit\"");
                    seen.fetch_add(marks.count() as u64, Ordering::Relaxed);
                }
            });
        }
        Self { runtime: Some(runtime), seen }
    }

    /// Waits until about so many events were seen: marks that fall between two parts are missed.
    fn reach(&self, events: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.seen.load(Ordering::Relaxed) < events - events / 100 {
            assert!(Instant::now() < deadline, "the followers do not get all events");
            std::thread::yield_now();
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
