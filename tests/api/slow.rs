//! Clients that are slow, or say nothing: others are served meanwhile, and in the end they are cut off.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::harness::{Server, Setup, accesses_of_request, observation, patient};

/// Longest wait for the end of a connection; only a server that never cuts off lets a test run into it.
const PATIENCE: Duration = Duration::from_secs(60);

fn connected(address: SocketAddr, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(said).unwrap();
    stream
}

/// Connections that say nothing, a part of a head, or a part of a body.
fn slow(server: &Server, count: usize) -> Vec<TcpStream> {
    let token = server.token("slow", "user/*.cruds", None);
    let body = format!(
        "POST /fhir/Patient HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nx-request-id: slow\r\ncontent-length: 1000\r\n\r\n{{\"resource"
    );
    let said: [&[u8]; 3] =
        [b"", b"GET /fhir/Patient HTTP/1.1\r\nhost: a\r\nauthori", body.as_bytes()];
    said.iter().cycle().take(count).map(|said| connected(server.address, said)).collect()
}

#[test]
fn others_are_served_while_hundreds_wait_or_are_slow() {
    let server = Setup::default()
        .set("server.workers=1")
        .set("limits.client_request_timeout_ms=3600000")
        .set("limits.request_timeout_seconds=3600")
        .start();
    let slow = slow(&server, 600);
    let clinician = server.clinician();
    for number in 0..100 {
        clinician.put(&patient(&format!("p{number}"))).expect(201);
        clinician.get(&format!("/fhir/Patient/p{number}")).expect(200);
    }
    // Had the server cut them off, the answer would be there.
    for stream in &slow {
        stream.set_nonblocking(true).unwrap();
        let error = (&*stream).read(&mut [0; 1]).expect_err("they are still open");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn who_is_too_slow_is_cut_off_and_makes_room() {
    let server = Setup::default()
        .set("server.workers=1")
        .set("limits.connections_per_worker_max=30")
        .set("limits.client_request_timeout_ms=1000")
        .set("limits.request_timeout_seconds=1")
        .set("limits.keep_alive_seconds=1")
        .start();
    // More than there is room for: the others wait to be accepted.
    let slow = slow(&server, 90);
    server.clinician().put(&patient("p")).expect(201);
    let ends: Vec<String> = slow
        .into_iter()
        .map(|mut stream| {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("it is closed");
            String::from_utf8(answer).unwrap()
        })
        .collect();
    let late = |answer: &&String| answer.starts_with("HTTP/1.1 408 ");
    // Whose head was there is told what was wrong, and recorded.
    let bodies = ends.iter().skip(2).step_by(3);
    assert_eq!(bodies.clone().filter(late).count(), 30, "{:?}", bodies.collect::<Vec<_>>());
    assert!(ends.iter().all(|answer| answer.is_empty() || late(&answer)), "{ends:?}");
    let entries = accesses_of_request(&server, "slow");
    assert_eq!(entries.len(), 30);
    assert!(entries.iter().all(|entry| entry["status"] == json!(408)), "{entries:?}");
}

#[test]
fn who_takes_nothing_of_an_answer_is_cut_off() {
    let server = Setup::default()
        .set("server.workers=1")
        .set("limits.connections_per_worker_max=1")
        .set("limits.answer_timeout_seconds=1")
        .start();
    let clinician = server.clinician();
    // More than the system keeps for a client that does not read.
    let mut large = observation("large", "p");
    large["note"] = json!(vec![json!({ "text": "x".repeat(1 << 20) }); 16]);
    clinician.put(&patient("p")).expect(201);
    clinician.put(&large).expect(201);
    let request = clinician.request("GET", "/fhir/Observation/large").written().1;
    let mut idle = connected(server.address, &request);
    // Nothing else is accepted as long as that connection is there.
    clinician.get("/health/live").expect(200);
    let mut taken = Vec::new();
    let _ = idle.read_to_end(&mut taken);
    assert!(taken.starts_with(b"HTTP/1.1 200 ") && taken.len() < 16 << 20, "{}", taken.len());
}
