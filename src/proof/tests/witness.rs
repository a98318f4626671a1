//! An HTTP server of a few lines, and a witness on it (C2SP tlog-witness).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::super::{Checkpoint, ConsistencyProof, Hash, Verifier};
use super::notes::{cosignature, cosigner};

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub body: String,
}

/// Serves on a port of this machine as long as the test runs; returns the address.
pub fn serve(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = read(&stream);
            let (status, body) = answer(&request);
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} .\r\ncontent-length: {length}\r\nconnection: close");
            let _ = write!(stream, "{head}\r\n\r\n{body}");
        }
    });
    address
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut words = first.split(' ');
    assert_eq!(words.next(), Some("POST"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = words.next().unwrap().to_owned();
    Request { path, body: String::from_utf8(body).unwrap() }
}

/// What a witness has seen: size and root of the log, and what it answered.
#[derive(Debug, Default)]
pub struct Seen {
    pub size: u64,
    pub root: Option<Hash>,
    pub answers: VecDeque<u16>,
}

/// Runs a witness of one log that follows the standard to the letter.
pub fn witness(log: Verifier) -> (String, Verifier, Arc<Mutex<Seen>>) {
    let (pair, verifier) = cosigner("witness.example/w1");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (own, state) = (verifier.clone(), seen.clone());
    let address = serve(move |request| {
        let mut seen = state.lock().unwrap();
        let (status, body) = match judge(request, &log, &mut seen) {
            Ok(text) => (200, cosignature(&pair, &own, &text, 1_700_000_000)),
            Err((status, body)) => (status, body),
        };
        seen.answers.push_back(status);
        (status, body)
    });
    (address, verifier, seen)
}

fn judge(request: &Request, log: &Verifier, seen: &mut Seen) -> Result<String, (u16, String)> {
    assert_eq!(request.path, "/prefix/add-checkpoint");
    let (head, note) = request.body.split_once("\n\n").unwrap();
    let mut lines = head.split('\n');
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let hashes: Vec<Hash> = lines.map(|line| Hash::parse(line).unwrap()).collect();
    let signed = Checkpoint::open(note, log).map_err(|error| (403, error.to_string()))?;
    let checkpoint = signed.checkpoint();
    if old != seen.size {
        return Err((409, format!("{}\n", seen.size)));
    }
    let proof = ConsistencyProof { old_size: old, new_size: checkpoint.size, hashes };
    let old_root = seen.root.unwrap_or_else(Hash::empty);
    proof.verify(old_root, checkpoint.root).map_err(|error| (422, error.to_string()))?;
    (seen.size, seen.root) = (checkpoint.size, Some(checkpoint.root));
    Ok(signed.note().text().to_owned())
}
