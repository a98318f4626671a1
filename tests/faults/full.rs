//! The real program where files cannot grow any more: a write that does not fit is not answered
//! as if it did, reads go on, and with more room everything acknowledged is there.

use std::path::Path;
use std::process::Command;

use crate::random::Random;
use crate::server::{Client, Server};

/// The view store sets 64 MiB aside for its journal; the log hits the limit first behind that.
const FILE_BYTES_MAX: u64 = 65 << 20;
/// Large, so that few writes fill the log.
const NOTE_BYTES: usize = 6 << 20;

/// Starts the program where the kernel lets no file grow beyond so many bytes.
fn start_cramped(data: &Path, file_bytes_max: u64) -> Server {
    // Ignored, the signal becomes an error of the write. The unit is 512 bytes (POSIX).
    let script = r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &(file_bytes_max / 512).to_string()]);
    command.arg(env!("CARGO_BIN_EXE_chartlog"));
    Server::launch(command, data, &[])
}

/// An Observation that does not compress well.
fn large(number: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let bytes = Random::new(number).bytes(NOTE_BYTES);
    let note: String = bytes.iter().map(|byte| char::from(LETTERS[*byte as usize % 64])).collect();
    // A string of FHIR has no more than 1 MiB.
    let notes: Vec<String> = note
        .as_bytes()
        .chunks(1 << 20)
        .map(|part| format!(r#"{{"text":"{}"}}"#, str::from_utf8(part).unwrap()))
        .collect();
    let notes = notes.join(",");
    format!(
        r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/p"}},"note":[{notes}]}}"#
    )
}

fn path(number: u64) -> String {
    format!("/fhir/Observation/o{number}")
}

fn check_all(client: &Client, acknowledged: &[String]) {
    for (number, body) in (0..).zip(acknowledged) {
        assert!(client.get(&path(number)).body == *body, "o{number} is another");
    }
}

#[test]
fn a_full_disk_refuses_writes_says_why_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let server = start_cramped(&data, FILE_BYTES_MAX);
    let client = server.client();
    assert_eq!(client.get("/health/ready").status, 200);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let number = acknowledged.len() as u64;
        assert!(number < 40, "the disk is never full");
        let answer = client.put(&path(number), &[], &large(number)).unwrap();
        if answer.status != 201 {
            break answer;
        }
        acknowledged.push(answer.body);
    };
    let number = acknowledged.len() as u64;
    println!("full disk: {number} writes of {NOTE_BYTES} bytes acknowledged, the next refused");
    assert!(number > 3, "the disk was full too early: {refused:?}");
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(refused.body.contains("the outcome of the commit is unknown"), "{refused:?}");
    let again = client.put(&path(number), &[], &large(number)).unwrap();
    assert_eq!(again.status, 503, "{again:?}");
    let ready = client.get("/health/ready");
    assert_eq!(ready.status, 503);
    let reason = ready.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("the event log could not be written: file too large"), "{reason}");
    assert!(!reason.contains('/'), "a path in {reason}");
    check_all(&client, &acknowledged);
    server.kill();

    let server = Server::start(&data, &[]);
    let client = server.client();
    assert_eq!(client.get("/health/ready").status, 200);
    check_all(&client, &acknowledged);
    assert_eq!(client.get(&path(number)).status, 404, "half of a group was written");
    let answer = client.put(&path(number), &[], &large(number)).unwrap();
    assert_eq!(answer.status, 201);
    assert!(client.get(&path(number)).body == answer.body);
}
