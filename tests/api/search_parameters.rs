//! Search parameters that clients define, and searches of the past over HTTP.

use serde_json::{Value, json};

use crate::harness::{Actor, Response, Server, observation, patient, shared, unique};

fn marital(status: &str) -> Value {
    json!({
        "resourceType": "SearchParameter", "id": "marital", "url": "https://clinic.example/marital",
        "name": "Marital", "status": status, "description": "Marital status", "code": "marital",
        "base": ["Patient"], "type": "token", "expression": "Patient.maritalStatus",
    })
}

fn married(id: &str, code: &str) -> Value {
    let mut patient = patient(id);
    patient["maritalStatus"] = json!({ "coding": [{ "system": "urn:marital", "code": code }] });
    patient
}

/// Asks until the search is answered otherwise than by "is being built".
fn when_built(
    clinician: &Actor,
    target: &str,
    mut done: impl FnMut(&Response) -> bool,
) -> Response {
    loop {
        let response = clinician.get(target);
        if done(&response) {
            return response;
        }
        assert!([200, 400, 503].contains(&response.status), "{}", response.status);
        std::thread::yield_now();
    }
}

#[test]
fn a_parameter_that_a_client_defines_finds_what_was_stored_before_and_after() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&married("before", "M")).expect(201);
    clinician.put(&married("other", "S")).expect(201);
    clinician.get("/fhir/Patient?marital=M").refused(400, &["marital", "no search parameter"]);
    clinician.put(&marital("draft")).expect(201);
    clinician.get("/fhir/Patient?marital=M").refused(400, &["marital"]);
    clinician.put(&marital("active")).expect(200);
    // Until it is built, the answer says so.
    let mut asked = 0;
    let built = when_built(&clinician, "/fhir/Patient?marital=urn:marital|M", |response| {
        asked += 1;
        if response.status == 503 {
            assert!(response.text().contains("is being built"), "{}", response.text());
        }
        // Writes go on meanwhile, and are found as well.
        clinician.put(&married(&format!("meanwhile-{asked}"), "M")).expect(201);
        response.status == 200
    });
    assert!(built.json()["entry"].as_array().is_some_and(|entries| !entries.is_empty()));
    clinician.put(&married("after", "M")).expect(201);
    clinician.put(&married("before", "W")).expect(200);
    let page = clinician.get("/fhir/Patient?marital=M&_total=accurate").expect(200).json();
    assert_eq!(page["total"], asked + 1, "all of the time of building, and the one after");
    let widowed = clinician.get("/fhir/Patient?marital=W").expect(200).json();
    assert_eq!(widowed["entry"][0]["resource"]["id"], "before");
    let statement = server.anonymous().get("/fhir/metadata").expect(200).json();
    let patients = statement["rest"][0]["resource"].as_array().unwrap();
    let patients = patients.iter().find(|one| one["type"] == "Patient").unwrap();
    let named = |one: &Value| one["name"] == "marital";
    assert!(patients["searchParam"].as_array().unwrap().iter().any(named));
    // And away again.
    clinician.delete("/fhir/SearchParameter/marital").expect(204);
    when_built(&clinician, "/fhir/Patient?marital=M", |response| response.status == 400);
}

#[test]
fn the_past_is_read_and_searched_as_it_was() {
    let clinician = shared().clinician();
    let (owner, id, late) = (unique("past"), unique("o"), unique("late"));
    clinician.put(&patient(&owner)).expect(201);
    clinician.put(&observation(&id, &owner)).expect(201);
    let read = clinician.get(&format!("/fhir/Observation/{id}")).expect(200).json();
    let then = read["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let mut changed = observation(&id, &owner);
    changed["status"] = json!("amended");
    clinician.put(&changed).expect(200);
    clinician.put(&observation(&late, &owner)).expect(201);
    clinician.delete(&format!("/fhir/Observation/{id}")).expect(204);

    clinician.get(&format!("/fhir/Observation/{id}")).refused(410, &[]);
    let past = clinician.get(&format!("/fhir/Observation/{id}?_asOf={then}")).expect(200).json();
    assert_eq!(past, read);
    clinician.get(&format!("/fhir/Observation/{late}?_asOf={then}")).refused(404, &[&late]);
    for target in [
        format!("Observation?patient={owner}"),
        format!("Observation?patient={owner}&status=final"),
        format!("Patient/{owner}/Observation?_sort=-date"),
        format!("Observation?subject=Patient/{owner}&_count=1"),
    ] {
        let separator = if target.contains('?') { '&' } else { '?' };
        let bundle = clinician.get(&format!("/fhir/{target}{separator}_asOf={then}")).expect(200);
        let entries = bundle.json()["entry"].clone();
        assert_eq!(entries.as_array().map(Vec::len), Some(1), "{target}");
        assert_eq!(entries[0]["resource"], read, "{target}");
    }
    clinician
        .get(&format!("/fhir/Observation?code=x&_asOf={then}"))
        .refused(400, &["_asOf", "within one chart"]);
    clinician.get("/fhir/Patient?_id=x&_asOf=yesterday").refused(400, &["_asOf"]);
    clinician.get("/fhir/Patient?_id=x&_asOf=2999-01-01T00:00:00Z").refused(400, &["future"]);
}
