//! Readers of the feed beside each other: those with the same rights and wishes are sent what one of them has read, and
//! nobody anything else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::feed::{clinic, lines, positions};
use crate::harness::{Actor, Line, Server, Stream, observation, unique};

const QUERY: &str = "type=Observation&include=resource";

/// A live reader of lines.
struct Reader {
    stream: Stream,
    events: Vec<Value>,
}

impl Reader {
    fn open(actor: &Actor, query: &str, id: &str) -> Self {
        let target = format!("/v1/events?{query}&live=true");
        let request = actor.request("GET", &target).header("accept", "application/x-ndjson");
        let stream = Stream::open(request.header("x-request-id", id)).unwrap();
        assert_eq!(stream.status, 200);
        Self { stream, events: Vec::new() }
    }

    /// Reads on until it has so many events.
    fn until(&mut self, count: usize) -> &[Value] {
        while self.events.len() < count {
            let Line::Text(line) = self.stream.line() else { panic!("{:?}", self.events) };
            let line: Value = serde_json::from_str(&line).unwrap();
            if line.get("position").is_some() {
                self.events.push(line);
            }
        }
        &self.events
    }
}

/// What a reader alone is told, to the end of the log.
fn alone(actor: &Actor) -> Vec<Value> {
    let mut events = lines(actor, QUERY);
    events.pop();
    events
}

/// Two of each kind, with their subjects.
fn actors(server: &Server) -> Vec<(String, Actor)> {
    let kinds = [
        ("user/*.rs", None),
        ("user/Observation.rs", None),
        ("patient/*.rs", Some("p")),
        ("patient/*.rs", Some("q")),
    ];
    let actor = |(at, (scopes, patient)): (usize, &(&str, Option<&str>))| {
        let subject = format!("peer-{at}");
        let token = server.token(&subject, scopes, *patient);
        (subject, server.with_token(token))
    };
    kinds.iter().chain(&kinds).enumerate().map(actor).collect()
}

#[test]
fn beside_others_each_reader_gets_what_it_would_get_alone() {
    let server = clinic();
    let actors = actors(&server);
    let mut readers: Vec<Reader> =
        actors.iter().map(|(subject, actor)| Reader::open(actor, QUERY, subject)).collect();
    for number in 0..15 {
        let owner = if number % 3 == 0 { "q" } else { "p" };
        server.clinician().put(&observation(&format!("n{number}"), owner)).expect(201);
    }
    for ((_, actor), reader) in actors.iter().zip(&mut readers) {
        let expected = alone(actor);
        assert!(expected.len() > 5);
        assert_eq!(reader.until(expected.len()), expected);
    }
    // What each was shown stands in entries of its own.
    for ((subject, _), reader) in actors.iter().zip(&readers) {
        let entries = told(&server, subject, positions(&reader.events));
        let patients = entries.iter().flat_map(|entry| entry["patients"].as_array().unwrap());
        let patients: BTreeSet<&str> = patients.map(|id| id.as_str().unwrap()).collect();
        let expected = reader.events.iter().map(|event| event["patient"].as_str().unwrap());
        assert_eq!(patients, expected.collect());
    }
}

/// The entries of the reader's request, which together name these versions and no others.
fn told(server: &Server, subject: &str, expected: Vec<u64>) -> Vec<Value> {
    let target = format!("/v1/accesses?actor={subject}&count=100");
    let page = server.auditor().get(&target).expect(200).json();
    let all = page["accesses"].as_array().unwrap().iter();
    let mut found: Vec<Value> =
        all.filter(|one| one["clientRequest"] == subject).cloned().collect();
    found.reverse();
    let shown = found.iter().flat_map(|entry| entry["resources"].as_array().unwrap());
    let shown: Vec<u64> = shown.map(|one| one["position"].as_u64().unwrap()).collect();
    assert_eq!(shown, expected, "{found:#?}");
    found
}

#[test]
fn what_was_erased_comes_to_nobody_from_what_others_have_read() {
    let server = clinic();
    let kinds = ["user/*.rs", "user/Observation.rs"];
    let open = |scopes: &str, query: &str| {
        let actor = server.actor("reader", scopes);
        Reader::open(&actor, &format!("{QUERY}&{query}"), &unique("peer"))
    };
    // They follow, three of each kind, and one of them has read what comes for the others.
    let mut before: Vec<Reader> =
        kinds.iter().cycle().take(6).map(|kind| open(kind, "from=0")).collect();
    let old = alone(&server.clinician()).len();
    before.iter_mut().for_each(|reader| assert_eq!(reader.until(old).len(), old));
    let tip = server.log_length();
    server.clinician().put(&observation("secret", "q")).expect(201);
    for reader in &mut before {
        assert_eq!(reader.until(old + 1)[old]["body"]["id"], "secret");
    }
    let body = json!({ "reason": "asked for", "basis": "GDPR Art. 17" });
    server.entitled().post("/v1/patients/q/erasure", &body).expect(200);
    // Those who come now, to the same place, are told what is so now.
    server.clinician().put(&observation("after", "p")).expect(201);
    for kind in kinds {
        let expected: &[&str] = match kind.contains('*') {
            true => &["chart.erased", "chart.erased", "Observation.recorded"],
            false => &["Observation.recorded"],
        };
        let mut reader = open(kind, &format!("from={tip}"));
        let types: Vec<&Value> =
            reader.until(expected.len()).iter().map(|event| &event["type"]).collect();
        assert_eq!(types, expected);
        assert_eq!(reader.events.last().unwrap()["body"]["id"], "after");
    }
    // And those who have it already go on.
    for (reader, kind) in before.iter_mut().zip(kinds.iter().cycle()) {
        let count = old + if kind.contains('*') { 3 } else { 2 };
        assert_eq!(reader.until(count)[count - 1]["body"]["id"], "after");
    }
}
