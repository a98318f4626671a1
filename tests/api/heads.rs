//! Heads that two programs could read differently are refused, and the connection is closed: nothing that follows is taken
//! for a request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::shared;

/// A request that would be answered with 200, if the bytes before it left it standing.
const NEXT: &str = "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n";

/// The statuses of all that comes back until the server closes the connection.
#[track_caller]
fn statuses(sent: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(shared().address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // What the server has not read when it closes, resets the connection: no error here.
    let _ = stream.write_all(sent.as_bytes());
    let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{sent:?} leaves the connection open: {error}"),
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let statuses = answer.split("HTTP/1.1 ").skip(1);
    statuses.map(|answer| answer.chars().take(3).collect()).collect()
}

#[test]
fn a_head_that_can_be_read_in_two_ways_is_refused_with_all_that_follows() {
    let post = "POST /fhir HTTP/1.1\r\nhost: a\r\n";
    for (what, head) in [
        (
            "both lengths",
            format!("{post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "the other order",
            format!("{post}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
        ),
        ("two lengths", format!("{post}content-length: 5\r\ncontent-length: 6\r\n\r\n12345")),
        ("one length twice", format!("{post}content-length: 5\r\ncontent-length: 5\r\n\r\n12345")),
        ("a list of lengths", format!("{post}content-length: 5, 5\r\n\r\n12345")),
        ("a length with a sign", format!("{post}content-length: +5\r\n\r\n12345")),
        ("a length beyond numbers", format!("{post}content-length: 99999999999999999999\r\n\r\n")),
        ("a space before the colon", format!("{post}content-length : 5\r\n\r\n12345")),
        ("an unknown coding", format!("{post}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n")),
        (
            "identity",
            format!("{post}transfer-encoding: identity\r\ncontent-length: 5\r\n\r\n12345"),
        ),
        (
            "two codings",
            format!(
                "{post}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "chunks in HTTP/1.0",
            "POST /fhir HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
        ),
        ("a folded line", "GET /health/live HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n".to_owned()),
        ("a bare carriage return", "GET /health/live HTTP/1.1\r\nhost: a\rx: y\r\n\r\n".to_owned()),
        ("a zero byte", "GET /health/live HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n".to_owned()),
        ("two hosts", "GET /health/live HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned()),
        ("no host", "GET /health/live HTTP/1.1\r\n\r\n".to_owned()),
    ] {
        assert_eq!(statuses(&format!("{head}{NEXT}")), ["400"], "{what}");
    }
}

#[test]
fn a_chunk_that_can_be_read_in_two_ways_ends_the_connection() {
    let head = "POST /fhir HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunks in ["5\n12345\r\n", "-5\r\n12345\r\n", "5\r\n123456\r\n", "5;a\nb\r\n12345\r\n"] {
        let answered = statuses(&format!("{head}{chunks}0\r\n\r\n{NEXT}"));
        assert!(!answered.contains(&"200".to_owned()), "{chunks:?}: {answered:?}");
    }
}

#[test]
fn requests_that_follow_each_other_are_answered_one_by_one() {
    // What the other tests rely on: the next request is read, if nothing before it is wrong.
    let last = NEXT.replace("host: a", "host: a\r\nconnection: close");
    let body = "POST /fhir HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n12345";
    assert_eq!(statuses(&format!("{body}{last}")), ["401", "200"]);
}
