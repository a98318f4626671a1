//! What the criteria of a write find: with lists and value sets, and for its caller alone.

use serde_json::{Value, json};

use crate::harness::{Actor, Response, Setup, bundle, entry, observation, patient, shared, unique};

/// An Observation without an id, found by that identifier.
fn identified(value: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{ "system": "urn:test", "value": value }],
        "code": { "coding": [{ "system": "urn:codes", "code": code }] },
    })
}

#[track_caller]
fn create_unless(actor: &Actor, criteria: &str, resource: &Value) -> Response {
    let request = actor.request("POST", "/fhir/Observation").header("if-none-exist", criteria);
    request.json(resource).send()
}

/// Stores a value set of one code, and says its id.
fn value_set(actor: &Actor, code: &str) -> String {
    let id = unique("vs");
    let include = json!({ "system": "urn:codes", "concept": [{ "code": code }] });
    let compose = json!({ "include": [include] });
    let url = format!("urn:vs:{id}");
    actor
        .put(&json!({ "resourceType": "ValueSet", "id": id, "url": url, "status": "active", "compose": compose }))
        .expect(201);
    id
}

#[test]
fn value_sets_count_in_the_criteria_of_every_write() {
    let clinician = shared().clinician();
    let (value, code) = (unique("value"), unique("code"));
    let set = value_set(&clinician, &code);
    let criteria = format!("identifier=urn:test|{value}&code:in=ValueSet/{set}");
    let target = format!("/fhir/Observation?{criteria}");
    let resource = identified(&value, &code);
    let created = create_unless(&clinician, &criteria, &resource).expect(201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    // Once more, and nothing is stored twice.
    create_unless(&clinician, &criteria, &resource).expect(200);
    let mut updated = resource.clone();
    updated["status"] = json!("amended");
    let updated = clinician.request("PUT", &target).json(&updated).send().expect(200);
    assert_eq!((&updated.json()["id"], updated.header("etag")), (&json!(id), Some(r#"W/"2""#)));
    let change = json!([{ "op": "replace", "path": "/status", "value": "corrected" }]);
    let patched = clinician.request("PATCH", &target);
    let patched = patched.header("content-type", "application/json-patch+json");
    patched.bytes(change.to_string()).send().expect(200);
    // A conditional reference finds it too.
    let reference = json!({ "reference": format!("Observation?{criteria}") });
    let mut derived = observation(&unique("o"), &unique("p"));
    derived["derivedFrom"] = json!([reference]);
    let url = format!("Observation/{}", derived["id"].as_str().unwrap());
    let sent = bundle("transaction", &[entry("PUT", &url, derived.clone())]);
    clinician.post("/fhir", &sent).expect(200);
    let stored = clinician.get(&format!("/fhir/{url}")).expect(200).json();
    assert_eq!(stored["derivedFrom"][0]["reference"], format!("Observation/{id}"));
    clinician.delete(&target).expect(204);
    clinician.get(&format!("/fhir/Observation/{id}")).expect(410);
}

#[test]
fn what_is_not_in_the_value_set_is_not_found() {
    let clinician = shared().clinician();
    let (value, code) = (unique("value"), unique("code"));
    let set = value_set(&clinician, &unique("other"));
    let without = identified(&value, &code);
    create_unless(&clinician, &format!("identifier=urn:test|{value}"), &without).expect(201);
    let criteria = format!("identifier=urn:test|{value}&code:in=ValueSet/{set}");
    create_unless(&clinician, &criteria, &without).expect(201);
    let nowhere = format!("identifier=urn:test|{value}&code:in=ValueSet/{}", unique("nowhere"));
    create_unless(&clinician, &nowhere, &without)
        .refused(400, &["value set", "not on this server"]);
}

#[test]
fn lists_count_in_the_criteria_of_a_write() {
    let clinician = shared().clinician();
    let (value, list) = (unique("value"), unique("list"));
    let resource = identified(&value, "c");
    let created = create_unless(&clinician, &format!("identifier=urn:test|{value}"), &resource);
    let id = created.expect(201).json()["id"].as_str().unwrap().to_owned();
    let item = json!({ "item": { "reference": format!("Observation/{id}") } });
    clinician
        .put(&json!({ "resourceType": "List", "id": list, "status": "current", "mode": "working", "entry": [item] }))
        .expect(201);
    let criteria = format!("_list={list}&identifier=urn:test|{value}");
    create_unless(&clinician, &criteria, &resource).expect(200);
    let elsewhere = format!("_list={}&identifier=urn:test|{value}", unique("list"));
    create_unless(&clinician, &elsewhere, &resource).expect(201);
}

#[test]
fn criteria_tell_nothing_of_what_their_caller_may_not_search() {
    let (clinician, blind) = (shared().clinician(), shared().actor("blind", "user/Observation.cs"));
    let (patient_id, id) = (unique("p"), unique("o"));
    let family = unique("Garcia");
    let mut named = patient(&patient_id);
    named["name"] = json!([{ "family": family }]);
    clinician.put(&named).expect(201);
    clinician.put(&observation(&id, &patient_id)).expect(201);
    for name in [family.as_str(), "Nobody"] {
        // The patients are out of reach, so no observation is found by their names: whatever they are.
        let criteria = format!("_id={id}&subject.name={name}");
        create_unless(&blind, &criteria, &observation("ignored", &patient_id)).expect(201);
        let criteria = format!("_id={id}&subject:Patient.name={name}");
        create_unless(&blind, &criteria, &observation("ignored", &patient_id)).expect(403);
    }
    let criteria = format!("_id={id}&subject.name={family}");
    create_unless(&clinician, &criteria, &observation("ignored", &patient_id)).expect(200);
}

#[test]
fn many_who_create_under_one_condition_make_one_resource() {
    let (value, code) = (unique("value"), unique("code"));
    let set = value_set(&shared().clinician(), &code);
    let criteria = format!("identifier=urn:test|{value}&code:in=ValueSet/{set}");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let create =
            || create_unless(&shared().clinician(), &criteria, &identified(&value, &code)).status;
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 15, "{statuses:?}");
}

#[test]
fn criteria_that_cost_too_much_are_refused_and_nobody_else_is() {
    const OBSERVATIONS: usize = 300;
    let server = Setup::default().set("limits.request_records_max=250").start();
    let clinician = server.clinician();
    let entries: Vec<Value> = (0..OBSERVATIONS)
        .map(|_| entry("POST", "Observation", observation("ignored", "p")))
        .collect();
    clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    // Each of them is a candidate, and none was changed so long ago.
    let criteria = "code=http://loinc.org|8867-4&_lastUpdated=lt2000-01-01";
    for _ in 0..3 {
        let refused = create_unless(&clinician, criteria, &observation("ignored", "p"));
        let outcome = refused.expect(400).json();
        assert_eq!(outcome["issue"][0]["code"], "too-costly", "{outcome}");
    }
    server.anonymous().get("/health/ready").expect(200);
    create_unless(&clinician, "identifier=urn:test|new", &identified("new", "c")).expect(201);
    clinician.put(&observation("o", "p")).expect(201);
}
