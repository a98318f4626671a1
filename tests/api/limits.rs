//! What one request may take: memory, work, and a place among those that take much.

use serde_json::{Value, json};

use crate::harness::{Setup, bundle, entry, observation, patient, practitioner, shared};

#[test]
fn a_body_of_very_many_values_is_refused() {
    let clinician = shared().clinician();
    let many = format!("[0{}]", ",0".repeat(3_000_000));
    for target in ["/fhir", "/fhir/Observation"] {
        let request = clinician.request("POST", target).text(many.clone());
        request.send().refused(400, &["more than 3000000 values"]);
    }
}

/// The status of each entry of a batch's answer, and the code of its outcome.
fn outcomes(answer: &Value) -> Vec<(String, Option<String>)> {
    let entries = answer["entry"].as_array().unwrap().iter();
    let outcome = |entry: &Value| {
        let response = &entry["response"];
        let code = response["outcome"]["issue"][0]["code"].as_str();
        (response["status"].as_str().unwrap().to_owned(), code.map(str::to_owned))
    };
    entries.map(outcome).collect()
}

#[test]
fn a_batch_has_one_budget_for_all_its_entries() {
    let limited = Setup::default().set("limits.request_records_max=20000").start();
    let clinician = limited.clinician();
    clinician.put(&patient("p")).expect(201);
    clinician.put(&practitioner("w")).expect(201);
    for number in 0..10 {
        let mut value = observation(&format!("o{number}"), "p");
        value["performer"] = json!([{ "reference": "Practitioner/w" }]);
        clinician.put(&value).expect(201);
    }
    let target = "Observation?patient=p&_include=*";
    let alone = clinician.get(&format!("/fhir/{target}")).expect(200).json();
    assert_eq!(alone["entry"].as_array().unwrap().len(), 12);
    let searches = vec![entry("GET", target, Value::Null); 200];
    let answer = clinician.post("/fhir", &bundle("batch", &searches)).expect(200).json();
    let outcomes = outcomes(&answer);
    let done = outcomes.iter().take_while(|(status, _)| status == "200").count();
    assert!((1..200).contains(&done), "{done} of 200 are answered");
    let costly = ("400".to_owned(), Some("too-costly".to_owned()));
    assert_eq!(outcomes[done..], vec![costly; 200 - done]);
    for entry in &answer["entry"].as_array().unwrap()[..done] {
        assert_eq!(entry["resource"]["entry"], alone["entry"]);
    }
    // Nothing is left behind: the next request has a budget of its own.
    clinician.get(&format!("/fhir/{target}")).expect(200);
}

#[test]
fn a_batch_does_not_read_more_bytes_than_one_request_may() {
    let limited = Setup::default().set("limits.request_bytes_max=100000").start();
    let clinician = limited.clinician();
    let mut large = patient("p");
    large["name"][0]["family"] = json!("x".repeat(10_000));
    clinician.put(&large).expect(201);
    for target in [
        "Patient/p",
        "Patient/p/_history/1",
        "Patient/p/_history",
        "Patient/_history",
        "Patient/p/$everything",
        "Patient?_id=p",
    ] {
        clinician.get(&format!("/fhir/{target}")).expect(200);
        let reads = vec![entry("GET", target, Value::Null); 20];
        let answer = clinician.post("/fhir", &bundle("batch", &reads)).expect(200).json();
        let done = outcomes(&answer).iter().filter(|(status, _)| status == "200").count();
        assert_eq!(done, 9, "{target}");
    }
}
