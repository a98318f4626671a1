//! The feed as a stream: what the access log says of it, how it ends, slow readers, and kills.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::feed::{clinic, positions};
use crate::harness::{
    Line, Server, Setup, Sse, Stream, accesses_of_request, bundle, entry, observation, patient,
    unique,
};

/// The entries of a request of the clinician, oldest first.
pub fn entries(server: &Server, id: &str, expected: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        // Asked for by subject: who waits leaves entries too, which are of another.
        let page = server.auditor().get("/v1/accesses?actor=dr-weiss&count=300").expect(200).json();
        let all = page["accesses"].as_array().unwrap().iter();
        let mut found: Vec<Value> = all.filter(|one| one["clientRequest"] == id).cloned().collect();
        found.reverse();
        // The last is written when the connection has ended, for which nobody waits.
        if found.len() >= expected {
            assert_eq!(found.len(), expected, "{found:?}");
            return found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_feed_is_told_of_at_its_start_in_batches_and_at_its_end() {
    let server = clinic();
    let clinician = server.clinician();
    let id = unique("feed");
    let target = "/v1/events?patient=p&kind=recorded,amended,removed";
    let request = clinician.request("GET", target).header("x-request-id", &id);
    let mut sse = Sse::open(request).unwrap();
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..6 {
        seen.push(sse.event().unwrap().id.parse().unwrap());
    }
    clinician.put(&observation("o8", "p")).expect(201);
    seen.push(sse.event().unwrap().id.parse().unwrap());
    drop(sse);
    let entries = entries(&server, &id, 4);
    for entry in &entries {
        assert_eq!(
            (&entry["operation"], &entry["action"], &entry["outcome"]),
            (&json!("followEvents"), &json!("R"), &json!("granted"))
        );
    }
    let shown = |entry: &Value| {
        let shown = entry["resources"].as_array().unwrap().iter();
        shown.map(|one| one["position"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(entries[0]["query"], format!("GET {target}"));
    assert_eq!((shown(&entries[0]), &entries[0]["patients"]), (vec![], &json!(["p"])));
    assert_eq!(shown(&entries[1]), seen[..6]);
    assert_eq!(entries[1]["patients"], json!(["p"]));
    assert_eq!(shown(&entries[2]), seen[6..]);
    let reason = entries[3]["reason"].as_str().unwrap();
    assert_eq!(reason, "ended after 7 events: the client went away, or the server stopped");
    // A page is told of once, exactly.
    let id = unique("feed");
    let request = clinician.request("GET", "/v1/events?limit=1000").header("x-request-id", &id);
    let page = request.send().expect(200).json();
    let [entry] = accesses_of_request(&server, &id).try_into().unwrap();
    let target = format!("/v1/accesses/{}", entry["id"].as_str().unwrap());
    let whole = server.auditor().get(&target).expect(200).json();
    assert_eq!(shown(&whole), positions(page["events"].as_array().unwrap()));
    let patients: BTreeSet<&str> =
        whole["patients"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(patients, ["p", "q"].into());
}

#[test]
fn a_stream_ends_with_its_token_and_with_the_server() {
    let mut server = Setup::default().set("limits.follower_heartbeat_seconds=1").start();
    server.clinician().put(&patient("p")).expect(201);
    let token = server.token_with("short", "user/*.rs", None, "chartlog", 3, 0);
    let mut short =
        Sse::open(server.with_token(token).request("GET", "/v1/events?from=head")).unwrap();
    assert_eq!(short.comment("head"), "head 2");
    short.comment("the token has expired");
    assert_eq!(short.event(), Err(Line::End));
    let request = || server.clinician().request("GET", "/v1/events?from=head&live=true");
    let mut sse = Sse::open(request()).unwrap();
    let mut lines = Stream::open(request().header("accept", "application/x-ndjson")).unwrap();
    server.terminate();
    sse.comment("the server is stopping");
    assert_eq!(sse.event(), Err(Line::End));
    let last = loop {
        match lines.line() {
            Line::Text(text) => {
                let line: Value = serde_json::from_str(&text).unwrap();
                if line["end"].is_string() {
                    break line;
                }
            }
            end => panic!("{end:?} without a reason"),
        }
    };
    assert_eq!(last, json!({ "next": 2, "head": 2, "end": "the server is stopping" }));
    assert!(server.ended().success());
}

#[test]
fn no_more_may_wait_than_is_configured() {
    let server = Setup::default().set("limits.followers_max=2").start();
    let request = || server.clinician().request("GET", "/v1/events?from=head");
    let (_one, _two) = (Sse::open(request()).unwrap(), Sse::open(request()).unwrap());
    let refused = request().header("accept", "text/event-stream").send();
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.problem(503, &["follow the log"]);
    // Pages and streams that end are not among them.
    server.clinician().get("/v1/events").expect(200);
}

#[test]
fn a_slow_reader_gets_everything_in_the_end() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let mut slow = Sse::open(clinician.request("GET", "/v1/events?include=resource")).unwrap();
    let text = "x".repeat(40_000);
    // More than the buffers on the way hold.
    for round in 0..4 {
        let resources: Vec<Value> = (0..100)
            .map(|at| {
                let id = format!("s{round}-{at}");
                let mut value = observation(&id, "p");
                value["note"] = json!([{ "text": text }]);
                entry("PUT", &format!("Observation/{id}"), value)
            })
            .collect();
        clinician.post("/fhir", &bundle("transaction", &resources)).expect(200);
    }
    for position in 0..402u64 {
        assert_eq!(slow.event().unwrap().id, position.to_string());
    }
}
