//! Many at once: conditions hold at the moment of the commit, and nobody sees half of one.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::server::{Answer, Client, Server, located, observation};

/// Lets so many clients send at the same time; their answers in any order.
fn at_once(
    server: &Server,
    count: usize,
    send: impl Fn(&Client, usize) -> Option<Answer> + Sync,
) -> Vec<Answer> {
    let barrier = Barrier::new(count);
    std::thread::scope(|scope| {
        let work = |number| {
            let (barrier, send) = (&barrier, &send);
            scope.spawn(move || {
                let client = server.client();
                barrier.wait();
                send(&client, number).expect("an answer")
            })
        };
        let threads: Vec<_> = (0..count).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn counts(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

fn data() -> (tempfile::TempDir, std::path::PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    (root, data)
}

#[test]
fn of_many_writers_who_set_the_same_condition_one_wins() {
    let (_root, data) = data();
    let server = Server::start(&data, &[]);
    one_conditional_creation_creates(&server);
    one_update_of_a_version_wins(&server);
    one_append_to_a_version_wins(&server);
    one_idempotency_key_is_one_commit(&server);
    unconditional_updates_all_succeed(&server);
    conditional_creations_by_id_in_a_transaction_are_decided(&server);
}

fn one_conditional_creation_creates(server: &Server) {
    let answers = at_once(server, 64, |client, number| {
        let body = format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"urn:x","value":"1"}}],"multipleBirthInteger":{number}}}"#
        );
        client.post("/fhir/Patient", &[("if-none-exist", "identifier=urn:x|1")], &body)
    });
    assert_eq!(counts(&answers), [(200, 63), (201, 1)].into());
    let mut ids: Vec<_> =
        answers.iter().map(|one| located(one.location.as_ref().unwrap())).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "all are told of the same resource");
    let found = server.client().get("/fhir/Patient?identifier=urn:x|1").json();
    assert_eq!(found["entry"].as_array().unwrap().len(), 1);
}

fn one_update_of_a_version_wins(server: &Server) {
    let client = server.client();
    let first = client.put("/fhir/Observation/u", &[], &observation("u", "one", 0)).unwrap();
    assert_eq!(first.status, 201);
    let answers = at_once(server, 64, |client, number| {
        let body = observation("u", "one", number as u64 + 1);
        client.put("/fhir/Observation/u", &[("if-match", "W/\"1\"")], &body)
    });
    assert_eq!(counts(&answers), [(200, 1), (412, 63)].into());
    let won = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(client.get("/fhir/Observation/u").body, won.body);
}

fn one_append_to_a_version_wins(server: &Server) {
    let client = server.client();
    let version = client.get("/v1/patients/one/chart").json()["version"].as_u64().unwrap();
    let answers = at_once(server, 64, |client, number| {
        let resource = observation(&format!("e{number}"), "one", 1);
        let body = format!(
            r#"{{"expectedVersion":{version},"events":[{{"type":"Observation.recorded","resource":{resource}}}]}}"#
        );
        client.post("/v1/patients/one/events", &[], &body)
    });
    assert_eq!(counts(&answers), [(201, 1), (409, 63)].into());
    let after = client.get("/v1/patients/one/chart").json()["version"].as_u64().unwrap();
    assert_eq!(after, version + 1);
}

fn one_idempotency_key_is_one_commit(server: &Server) {
    let client = server.client();
    let version = client.get("/v1/patients/one/chart").json()["version"].as_u64().unwrap();
    let resource = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/one"}}"#;
    let body = format!(r#"{{"events":[{{"type":"Observation.recorded","resource":{resource}}}]}}"#);
    let key = [("idempotency-key", "k1")];
    let answers =
        at_once(server, 16, |client, _| client.post("/v1/patients/one/events", &key, &body));
    assert_eq!(counts(&answers), [(201, 16)].into());
    assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{answers:?}");
    let after = client.get("/v1/patients/one/chart").json()["version"].as_u64().unwrap();
    assert_eq!(after, version + 1);
    let other =
        client.post("/v1/patients/one/events", &key, &body.replace("\"x\"", "\"y\"")).unwrap();
    assert_eq!(other.status, 422);
}

fn unconditional_updates_all_succeed(server: &Server) {
    let answers = at_once(server, 32, |client, number| {
        client.put("/fhir/Observation/n", &[], &observation("n", "one", number as u64))
    });
    assert_eq!(counts(&answers), [(200, 31), (201, 1)].into());
    let mut versions: Vec<_> =
        answers.iter().map(|one| located(one.location.as_ref().unwrap()).1).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=32).collect::<Vec<_>>());
    for answer in &answers {
        let (id, version) = located(answer.location.as_ref().unwrap());
        let read = server.client().get(&format!("/fhir/Observation/{id}/_history/{version}"));
        assert_eq!(read.body, answer.body);
    }
}

/// A condition on `_id` or `_lastUpdated` beside another change of the same transaction.
fn conditional_creations_by_id_in_a_transaction_are_decided(server: &Server) {
    let client = server.client();
    for (number, query) in
        ["_id=n", "_id=n,absent", "_lastUpdated=gt2020-01-01&_id=n", "_id=absent"]
            .into_iter()
            .enumerate()
    {
        let id = format!("beside{number}");
        let beside = observation(&id, "one", 1);
        let conditional = observation("n", "one", 5);
        let bundle = format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[
            {{"resource":{conditional},"request":{{"method":"POST","url":"Observation","ifNoneExist":"{query}"}}}},
            {{"resource":{beside},"request":{{"method":"PUT","url":"Observation/{id}"}}}}]}}"#
        );
        let answer = client.post("/fhir", &[], &bundle).unwrap();
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let expected = if query == "_id=absent" { "201" } else { "200" };
        assert_eq!(answer.json()["entry"][0]["response"]["status"], expected, "{query}");
    }
}

#[test]
fn readers_never_see_half_of_a_transaction() {
    const RESOURCES: usize = 100;
    const TRANSACTIONS: u64 = 12;
    let (_root, data) = data();
    let server = Server::start(&data, &["store.snapshot_events_min=8"]);
    let bundle = |value: u64| {
        let entry = |number| {
            let resource = observation(&format!("b{number}"), "big", value);
            format!(
                r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Observation/b{number}"}}}}"#
            )
        };
        let entries = (0..RESOURCES).map(entry).collect::<Vec<_>>().join(",");
        format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
    };
    let patient = r#"{"resourceType":"Patient","id":"big"}"#;
    assert_eq!(server.client().put("/fhir/Patient/big", &[], patient).unwrap().status, 201);
    assert_eq!(server.client().post("/fhir", &[], &bundle(0)).unwrap().status, 200);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for path in [
            "/fhir/Observation?patient=big&_count=1000",
            "/fhir/Patient/big/$everything",
            "/v1/patients/big/chart",
        ] {
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                let client = server.client();
                let mut last = 0;
                while !done.load(Ordering::Acquire) {
                    let body = client.get(path).json();
                    let list = if path.starts_with("/v1") { "resources" } else { "entry" };
                    let resources = body[list].as_array().unwrap().iter();
                    let resources = resources.map(|one| one.get("resource").unwrap_or(one));
                    let values: Vec<u64> =
                        resources.filter_map(|one| one["valueInteger"].as_u64()).collect();
                    assert_eq!(values.len(), RESOURCES, "{path}");
                    assert!(values.iter().all(|value| *value == values[0]), "{path}: {values:?}");
                    assert!(values[0] >= last, "{path} went back");
                    last = values[0];
                    if let Some(version) = body["version"].as_u64() {
                        assert_eq!(version, 2 + (last + 1) * RESOURCES as u64);
                    }
                }
            });
        }
        let client = server.client();
        for value in 1..=TRANSACTIONS {
            let answer = client.post("/fhir", &[], &bundle(value)).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.body);
            // Read your writes.
            let read = client.get("/fhir/Observation/b99").json();
            assert_eq!(read["valueInteger"], value);
        }
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_full_queue_is_answered_503_and_what_is_answered_201_is_there() {
    let (_root, data) = data();
    let server = Server::start(&data, &["store.queue_commands_max=1"]);
    let client = server.client();
    let mut busy = 0;
    for round in 0..20 {
        let answers = at_once(&server, 48, |client, number| {
            let id = format!("q{round}-{number}");
            client.put(&format!("/fhir/Observation/{id}"), &[], &observation(&id, "q", 1))
        });
        for (number, answer) in answers.iter().enumerate() {
            let path = format!("/fhir/Observation/q{round}-{number}");
            match answer.status {
                201 => assert_eq!(client.get(&path).body, answer.body),
                503 => {
                    busy += 1;
                    assert!(answer.retry_after.is_some(), "{answer:?}");
                    let is_stored = client.get(&path).status != 404;
                    // The refusal is of the access entry, not of the commit, if it is there.
                    assert!(!is_stored, "a write answered 503 was stored: {answer:?}");
                }
                other => panic!("{other}: {}", answer.body),
            }
        }
        if busy > 10 {
            return;
        }
    }
    panic!("the queue was never full");
}
