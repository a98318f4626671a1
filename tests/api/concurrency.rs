//! Many clients at the same time: what one is told stays true whatever the others do.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::{Response, bundle, entry, patient, shared, unique};

/// Clients that send their request at the same moment.
const CLIENTS: usize = 64;

/// The answers to what each client sends, in the order of the clients.
fn at_once(send: impl Fn(usize) -> Response + Sync) -> Vec<Response> {
    let start = Barrier::new(CLIENTS);
    std::thread::scope(|scope| {
        let client = |number| {
            let (start, send) = (&start, &send);
            scope.spawn(move || {
                start.wait();
                send(number)
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// How many answers have which status; no others may occur.
#[track_caller]
fn count(answers: &[Response], expected: &[(u16, usize)]) {
    let told: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    for (status, times) in expected {
        let found = told.iter().filter(|told| *told == status).count();
        assert_eq!(found, *times, "{status}: {told:?}");
    }
    assert_eq!(expected.iter().map(|(_, times)| times).sum::<usize>(), answers.len(), "{told:?}");
}

fn identified(value: &str) -> Value {
    json!({ "resourceType": "Patient", "identifier": [{ "system": "urn:test", "value": value }] })
}

#[track_caller]
fn found(value: &str) -> Vec<Value> {
    let target = format!("/fhir/Patient?identifier=urn:test|{value}");
    let found = shared().clinician().get(&target).expect(200).json();
    let entries = found["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"].clone()).collect()
}

#[test]
fn conditional_creations_at_once_create_one_resource() {
    let clinician = shared().clinician();
    let value = unique("value");
    let answers = at_once(|_| {
        let request = clinician.request("POST", "/fhir/Patient");
        let request = request.header("if-none-exist", format!("identifier=urn:test|{value}"));
        request.json(&identified(&value)).send()
    });
    count(&answers, &[(201, 1), (200, CLIENTS - 1)]);
    let ids: HashSet<String> =
        answers.iter().map(|answer| answer.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(found(&value).len(), 1);
}

#[test]
fn conditional_updates_at_once_create_one_resource_and_then_change_it() {
    let clinician = shared().clinician();
    let value = unique("value");
    let answers = at_once(|client| {
        let mut body = identified(&value);
        body["name"] = json!([{ "family": format!("F{client}") }]);
        let target = format!("/fhir/Patient?identifier=urn:test|{value}");
        clinician.request("PUT", &target).json(&body).send()
    });
    count(&answers, &[(201, 1), (200, CLIENTS - 1)]);
    let versions: HashSet<&str> =
        answers.iter().map(|answer| answer.header("etag").unwrap()).collect();
    assert_eq!(versions.len(), CLIENTS, "each update is a version of its own");
    let found = found(&value);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["meta"]["versionId"], CLIENTS.to_string());
}

#[test]
fn of_updates_of_one_version_at_once_one_is_done() {
    let clinician = shared().clinician();
    let id = unique("p");
    let target = format!("/fhir/Patient/{id}");
    clinician.put(&patient(&id)).expect(201);
    let answers = at_once(|client| {
        let mut body = patient(&id);
        body["name"][0]["family"] = json!(format!("F{client}"));
        clinician.request("PUT", &target).header("if-match", "W/\"1\"").json(&body).send()
    });
    count(&answers, &[(200, 1), (412, CLIENTS - 1)]);
    let winner = answers.iter().position(|answer| answer.status == 200).unwrap();
    let now = clinician.get(&target).expect(200).json();
    assert_eq!(now["name"][0]["family"], format!("F{winner}"));
    assert_eq!(now["meta"]["versionId"], "2");
}

#[test]
fn patches_at_once_lose_none_of_their_additions() {
    let clinician = shared().clinician();
    let id = unique("p");
    let target = format!("/fhir/Patient/{id}");
    clinician.put(&patient(&id)).expect(201);
    let answers = at_once(|client| {
        let patch = match client % 2 {
            0 => {
                json!([{ "op": "add", "path": "/name/-", "value": { "text": format!("N{client}") } }])
            }
            _ => {
                json!({ "resourceType": "Parameters", "parameter": [{ "name": "operation", "part": [
                { "name": "type", "valueCode": "add" },
                { "name": "path", "valueString": "Patient" },
                { "name": "name", "valueString": "name" },
                { "name": "value", "valueHumanName": { "text": format!("N{client}") } },
            ] }] })
            }
        };
        clinician.request("PATCH", &target).json(&patch).send()
    });
    count(&answers, &[(200, CLIENTS)]);
    let now = clinician.get(&target).expect(200).json();
    let names: HashSet<&str> =
        now["name"].as_array().unwrap().iter().filter_map(|name| name["text"].as_str()).collect();
    assert_eq!(
        names,
        (0..CLIENTS)
            .map(|client| format!("N{client}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
    assert_eq!(now["meta"]["versionId"], (CLIENTS + 1).to_string());
}

#[test]
fn conditional_creations_in_transactions_at_once_create_one_resource() {
    let clinician = shared().clinician();
    let value = unique("value");
    let answers = at_once(|_| {
        let mut creation = entry("POST", "Patient", identified(&value));
        creation["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{value}"));
        let other = entry("POST", "Patient", patient("x"));
        clinician.post("/fhir", &bundle("transaction", &[other, creation]))
    });
    count(&answers, &[(200, CLIENTS)]);
    let created =
        answers.iter().filter(|answer| answer.json()["entry"][1]["response"]["status"] == "201");
    assert_eq!((created.count(), found(&value).len()), (1, 1));
}

/// The family names of two patients, read in one request.
#[track_caller]
fn families(read: &Value) -> Vec<String> {
    let entries = read["entry"].as_array().unwrap();
    entries.iter().map(|one| one["resource"]["name"][0]["family"].to_string()).collect()
}

#[test]
fn transactions_are_never_half_visible_and_never_wait_for_each_other() {
    let clinician = shared().clinician();
    let ids = [unique("p"), unique("p")];
    let named = |id: &str, family: &str| {
        let mut body = patient(id);
        body["name"][0]["family"] = json!(family);
        entry("PUT", &format!("Patient/{id}"), body)
    };
    let write = |family: &str, is_turned: bool| {
        let mut entries = vec![named(&ids[0], family), named(&ids[1], family)];
        if is_turned {
            entries.reverse();
        }
        clinician.post("/fhir", &bundle("transaction", &entries))
    };
    write("F", false).expect(200);
    let is_done = AtomicBool::new(false);
    let read_all = || {
        let search = clinician.get(&format!("/fhir/Patient?_id={},{}", ids[0], ids[1]));
        let gets = ids.each_ref().map(|id| entry("GET", &format!("Patient/{id}"), Value::Null));
        let transaction = clinician.post("/fhir", &bundle("transaction", &gets));
        for answer in [search, transaction] {
            let families = families(&answer.expect(200).json());
            assert_eq!(families.len(), 2);
            assert_eq!(families[0], families[1]);
        }
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    read_all();
                    while !is_done.load(Ordering::Acquire) {
                        read_all();
                    }
                })
            })
            .collect();
        // Half of them name the two in the other order.
        let answers = at_once(|client| write(&format!("F{client}"), client % 2 == 0));
        is_done.store(true, Ordering::Release);
        count(&answers, &[(200, CLIENTS)]);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    let now = clinician.get(&format!("/fhir/Patient/{}", ids[0])).expect(200).json();
    assert_eq!(now["meta"]["versionId"], (CLIENTS + 1).to_string());
}
