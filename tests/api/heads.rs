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
    // What the server has not read when it closes, resets the connection: no error here.
    let _ = stream.write_all(sent.as_bytes());
    answers(stream)
}

#[track_caller]
fn answers(mut stream: TcpStream) -> Vec<String> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection stays open: {error}"),
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
        ("bare line feeds", "GET /health/live HTTP/1.1\nhost: a\n\n".to_owned()),
        ("one behind the request", "GET /health/live HTTP/1.1\nhost: a\r\n\r\n".to_owned()),
        ("one before the request", "\nGET /health/live HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("one in a value", "GET /health/live HTTP/1.1\r\nhost: a\r\nx: a\ny: b\r\n\r\n".to_owned()),
        ("one for the end", "GET /health/live HTTP/1.1\r\nhost: a\r\n\n".to_owned()),
        (
            "one behind a long line",
            format!("GET /health/live HTTP/1.1\r\nhost: a\r\nx: {}\n\r\n", "x".repeat(5_000)),
        ),
        ("one before a length", format!("{post}x: a\ncontent-length: 5\r\n\r\n12345")),
        (
            "a length far in its line",
            format!("{post}content-length: {}5\r\n\r\n12345", " ".repeat(2_000)),
        ),
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
    // A line feed in a body is one, wherever it stands.
    for body in ["1\n2\n\n", "\n\r\n\r\n"] {
        let whole = format!("POST /fhir HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n{body}");
        assert_eq!(statuses(&format!("{whole}{whole}\r\n{last}")), ["401", "401", "200"]);
    }
}

#[test]
fn what_comes_byte_by_byte_is_read_as_what_comes_at_once() {
    let close = "connection: close\r\n\r\n";
    let line_feeds = "{\"a\":\n\n1}\n";
    for (sent, expected) in [
        (format!("GET /health/live HTTP/1.1\r\nhost: a\r\n{close}"), "200"),
        (format!("GET /health/live HTTP/1.1\r\nhost: a\nx: y\r\n{close}"), "400"),
        // Who may not is told so before the body is read, and who may what is wrong with it.
        (chunked(&[line_feeds, "\n"], ""), "400"),
    ] {
        let mut stream = TcpStream::connect(shared().address).unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in sent.as_bytes().chunks(1) {
            if stream.write_all(byte).is_err() {
                break;
            }
        }
        assert_eq!(answers(stream), [expected], "{sent:?}");
    }
}

/// A Bundle in chunks, with lines behind the last, of somebody who may send it.
fn chunked(chunks: &[&str], trailers: &str) -> String {
    let token = shared().token("dr-weiss", "user/*.cruds", None);
    let mut sent = format!(
        "POST /fhir HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for chunk in chunks {
        sent += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    sent + "0\r\n" + trailers + "\r\n"
}

#[test]
fn lines_behind_the_last_chunk_end_as_all_lines_do() {
    let empty = "{\"resourceType\":\"Bundle\",\"type\":\"batch\"\n}";
    let (first, second) = empty.split_at(20);
    for (trailers, is_sound) in
        [("", true), ("x: y\r\nz: a\r\n", true), ("x: y\nz: a\r\n", false), ("x: y\n", false)]
    {
        // A body that breaks off is not answered: the connection ends.
        let answered = statuses(&chunked(&[first, second], trailers));
        assert_eq!(answered.contains(&"200".to_owned()), is_sound, "{trailers:?}: {answered:?}");
    }
}
