//! What leaves an entry although no handler answered it, or nobody heard the answer: unknown
//! addresses and methods, clients that go away, and callers without a token by the hundred.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{
    Server, Setup, accesses_of_request, observation, only_access_of_request, patient, shared,
    unique,
};

/// What an entry says about a request that no handler answered.
fn told(entry: &Value) -> [&Value; 5] {
    ["operation", "query", "outcome", "status", "subject"].map(|name| &entry[name])
}

#[test]
fn what_has_no_handler_leaves_an_entry() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    for (method, target, operation, outcome, status) in [
        ("GET", "/v1/nothing?name=Quist", "noRoute", "failed", 404),
        ("DELETE", "/fhir/Patient", "conditionalDelete", "failed", 400),
        ("PUT", "/fhir", "noMethod", "failed", 405),
        ("BREW", "/fhir/Patient", "noMethod", "failed", 405),
        ("POST", "/v1/accesses", "noMethod", "failed", 405),
        ("OPTIONS", "/fhir/Patient", "options", "granted", 204),
        ("OPTIONS", "/v1/accesses", "noMethod", "failed", 405),
    ] {
        let response = server.clinician().request(method, target).send().expect(status);
        let entry = only_access_of_request(server, response.header("x-request-id").unwrap());
        let expected = [
            &json!(operation),
            &json!(format!("{method} {target}")),
            &json!(outcome),
            &json!(status),
            &json!("dr-weiss"),
        ];
        assert_eq!(told(&entry), expected);
    }
    // A patient who is named there, is named in the entry.
    let target = format!("/v1/patients/{owner}/notes");
    let response = server.clinician().get(&target).problem(404, &["no-route"]);
    let entry = only_access_of_request(server, response.header("x-request-id").unwrap());
    assert_eq!((&entry["patients"], &entry["reason"]), (&json!([owner]), &json!("no-route")));
    assert_eq!(entry["query"], format!("GET {target}"));
}

#[test]
fn what_has_no_handler_is_answered_without_a_token_and_recorded_without_a_name() {
    let server = shared();
    for actor in [server.anonymous(), server.with_token("no token at all")] {
        let response = actor.get("/nothing").problem(404, &[]);
        let id = response.header("x-request-id").unwrap();
        assert_eq!(response.json()["instance"], format!("urn:chartlog:request:{id}"));
        let entry = only_access_of_request(server, id);
        assert_eq!((&entry["operation"], &entry["subject"]), (&json!("noRoute"), &Value::Null));
        assert_eq!(entry["address"], "127.0.0.1");
    }
}

#[test]
fn open_addresses_leave_no_entry() {
    let server = shared();
    for target in ["/health/live", "/metrics", "/openapi.json", "/fhir/metadata"] {
        let id = unique("request");
        let request = server.anonymous().request("GET", target).header("x-request-id", &id);
        request.send().expect(200);
        assert_eq!(accesses_of_request(server, &id), Vec::<Value>::new(), "{target}");
    }
}

/// Sends the head of a request, whose id is given, and what more is given.
fn begin(address: SocketAddr, token: &str, request: &str, id: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         x-request-id: {id}\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Closes a connection on which something waits to be read, which resets it.
fn go_away(stream: TcpStream) {
    assert!(stream.peek(&mut [0]).unwrap() > 0, "the server has begun to answer");
    drop(stream);
}

/// The entries of a request that ends some time soon.
#[track_caller]
fn entries_in_the_end(server: &Server, id: &str, is_end: impl Fn(&Value) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let entries = accesses_of_request(server, id);
        if entries.iter().any(&is_end) {
            return entries;
        }
        assert!(Instant::now() < deadline, "no end of request {id}: {entries:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_goes_away_before_the_answer_leaves_an_entry() {
    let server = shared();
    let (owner, id) = (unique("p"), unique("request"));
    let token = server.token("dr-weiss", "user/*.cruds", None);
    // The server asks for the body when it has begun with the request.
    let more =
        "expect: 100-continue\r\ncontent-type: application/fhir+json\r\ncontent-length: 9\r\n";
    let request = format!("PUT /fhir/Patient/{owner}");
    go_away(begin(server.address, &token, &request, &id, more));
    let entries = entries_in_the_end(server, &id, |_| true);
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(
        told(entry),
        [
            &json!("updateResource"),
            &json!(format!("PUT /fhir/Patient/{owner}")),
            &json!("failed"),
            &json!(0),
            &json!("dr-weiss"),
        ]
    );
    assert!(entry["reason"].as_str().unwrap().contains("went away"), "{entry}");
}

#[test]
fn an_answer_that_is_not_read_to_its_end_is_recorded_as_broken_off() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    // More than the buffers between the two hold.
    for number in 0..20 {
        let mut resource = observation(&format!("o{number}"), "p");
        resource["note"] = json!([{ "text": "x".repeat(1 << 20) }]);
        clinician.put(&resource).expect(201);
    }
    let everything = "GET /fhir/Patient/p/$everything";
    let token = server.token("dr-weiss", "user/*.cruds", None);
    let is_broken = |entry: &Value| entry["status"] == 0;
    let mut stream = begin(server.address, &token, everything, "broken", "");
    stream.read_exact(&mut [0; 1000]).unwrap();
    go_away(stream);
    let entries = entries_in_the_end(&server, "broken", is_broken);
    let broken: Vec<_> = entries.iter().filter(|entry| is_broken(entry)).collect();
    assert_eq!((broken.len(), &broken[0]["outcome"]), (1, &json!("failed")), "{entries:?}");
    assert!(entries.iter().any(|entry| entry["outcome"] == "granted"), "what left: {entries:?}");
    // One that is read to its end is not.
    let request = clinician.request("GET", "/fhir/Patient/p/$everything");
    request.header("x-request-id", "whole").send().expect(200);
    let entries = accesses_of_request(&server, "whole");
    assert!(entries.iter().all(|entry| entry["outcome"] == "granted"), "{entries:?}");
}

#[test]
fn what_a_stopping_server_leaves_unanswered_is_recorded() {
    let mut server = Setup::default().set("limits.shutdown_timeout_seconds=0").start();
    let token = server.token("dr-weiss", "user/*.cruds", None);
    let more =
        "expect: 100-continue\r\ncontent-type: application/fhir+json\r\ncontent-length: 9\r\n";
    let stream = begin(server.address, &token, "PUT /fhir/Patient/p", "cut", more);
    assert!(stream.peek(&mut [0]).unwrap() > 0);
    server.terminate();
    assert!(server.ended().success());
    let server = server.restart();
    let entry = only_access_of_request(&server, "cut");
    assert_eq!((&entry["status"], &entry["outcome"]), (&json!(0), &json!("failed")));
}

#[test]
fn callers_without_a_token_are_summed_beyond_a_rate() {
    let mut server = Setup::default().set("limits.stranger_entries_max=5").start();
    let sent = 40;
    for number in 0..sent {
        let target = if number % 2 == 0 { "/fhir/Patient" } else { "/nothing" };
        assert!(server.anonymous().get(target).status >= 401);
        // Who has a token is recorded one by one.
        server.clinician().get("/fhir/Patient?_count=1").expect(200);
    }
    server.terminate();
    assert!(server.ended().success());
    let server = server.restart();
    let entries = server.auditor().get("/v1/accesses?count=300").expect(200).json();
    let entries = entries["accesses"].as_array().unwrap();
    let singles = entries.iter().filter(|entry| {
        ["searchResources", "noRoute"].iter().any(|operation| entry["operation"] == *operation)
            && entry["subject"].is_null()
    });
    let singles = singles.count();
    let sums: Vec<_> =
        entries.iter().filter(|entry| entry["operation"] == "refusalsSummed").collect();
    let summed = sums.iter().map(|entry| {
        assert_eq!(
            (&entry["address"], &entry["outcome"]),
            (&json!("127.0.0.1"), &json!("refused"))
        );
        let reason = entry["reason"].as_str().unwrap();
        reason.split(' ').next().unwrap().parse::<usize>().unwrap()
    });
    let summed: usize = summed.sum();
    assert!((5..=15).contains(&singles), "five in each minute: {singles}");
    assert_eq!(singles + summed, sent, "{sums:?}");
    assert_eq!(entries.iter().filter(|entry| entry["subject"] == "dr-weiss").count(), sent);
}

#[test]
fn a_trusted_proxy_names_the_client_and_nobody_else_does() {
    let behind = Setup::default().set("server.trusted_proxies=127.0.0.0/8,10.0.0.7").start();
    let standard = Setup::default()
        .set("server.trusted_proxies=127.0.0.1")
        .set("server.proxy_header=forwarded")
        .start();
    let alone = shared();
    let chain = "198.51.100.1, 203.0.113.9, 10.0.0.7";
    let forwarded = "for=198.51.100.1, for=\"[2001:db8::9]:443\";proto=https";
    for (server, address, proxy) in [
        (&behind, "203.0.113.9", json!("127.0.0.1")),
        (&standard, "2001:db8::9", json!("127.0.0.1")),
        (alone, "127.0.0.1", Value::Null),
    ] {
        let (owner, request) = (unique("p"), unique("request"));
        let sent = |method: &str| {
            let request = server.clinician().request(method, &format!("/fhir/Patient/{owner}"));
            request.header("x-forwarded-for", chain).header("forwarded", forwarded)
        };
        sent("PUT").json(&patient(&owner)).send().expect(201);
        let events = server.clinician().events(&owner);
        assert_eq!(events[0]["actor"]["address"], address, "{events:?}");
        sent("GET").header("x-request-id", &request).send().expect(200);
        let entry = only_access_of_request(server, &request);
        assert_eq!((&entry["address"], &entry["proxy"]), (&json!(address), &proxy));
    }
}
