//! What entries of Bundles ask for besides writes: every operation that a request of its own can ask for, at addresses
//! in every form, and what becomes of a transaction of which one fails (FHIR R4 §2.36, §3.1.0.11).

use serde_json::{Value, json};

use crate::harness::{
    Actor, bundle, entry, observation, only_access_of_request, patient, practitioner, shared,
    unique, with_reference,
};

fn get(url: &str) -> Value {
    entry("GET", url, Value::Null)
}

fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn send(actor: &Actor, bundle_type: &str, entries: &[Value]) -> Vec<Value> {
    let response = actor.post("/fhir", &bundle(bundle_type, entries)).expect(200).json();
    response["entry"].as_array().cloned().unwrap_or_default()
}

fn statuses(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|one| one["response"]["status"].as_str().unwrap()).collect()
}

fn stored_patient() -> String {
    let id = unique("p");
    shared().clinician().put(&patient(&id)).expect(201);
    id
}

#[test]
fn operations_are_entries_too() {
    let clinician = shared().clinician();
    let id = stored_patient();
    let invalid = json!({ "resourceType": "Patient", "gender": "nonsense" });
    let cases = [
        (get("metadata"), "CapabilityStatement"),
        (get(&format!("Patient/{id}/$meta")), "Parameters"),
        (get(&format!("Patient/{id}/%24meta")), "Parameters"),
        (get(&format!("Patient/{id}/$everything?_count=1")), "Bundle"),
        (get("Subscription/$status?status=off"), "Bundle"),
        (entry("POST", "Subscription/$status?status=off", Value::Null), "Bundle"),
        (entry("POST", &format!("Patient/_search?_id={id}"), Value::Null), "Bundle"),
        (entry("POST", &format!("_search?_type=Patient&_id={id}"), Value::Null), "Bundle"),
        (entry("POST", &format!("Patient/{id}/Observation/_search"), Value::Null), "Bundle"),
        (get("_history?_count=1"), "Bundle"),
        (get(&format!("?_type=Patient&_id={id}")), "Bundle"),
        (entry("POST", "Patient/$validate", patient("x")), "OperationOutcome"),
        (entry("POST", "Patient/$validate", invalid), "OperationOutcome"),
        (entry("POST", &format!("Patient/{id}/$validate"), patient(&id)), "OperationOutcome"),
    ];
    let entries: Vec<Value> = cases.iter().map(|(entry, _)| entry.clone()).collect();
    for bundle_type in ["transaction", "batch"] {
        let request = unique("looks");
        let sent = clinician.request("POST", "/fhir").header("x-request-id", &request);
        let answer = sent.json(&bundle(bundle_type, &entries)).send().expect(200).json();
        let answer = answer["entry"].as_array().unwrap();
        for ((entry, kind), answer) in cases.iter().zip(answer) {
            assert_eq!(answer["response"]["status"], "200", "{entry} {answer}");
            assert_eq!(answer["resource"]["resourceType"], *kind, "{entry} {answer}");
        }
        let severity = |at: usize| answer[at]["resource"]["issue"][0]["severity"].as_str().unwrap();
        assert_eq!(
            [severity(11), severity(12), severity(13)],
            ["information", "error", "information"]
        );
        assert_eq!(answer[1]["resource"]["parameter"][0]["valueMeta"]["versionId"], "1");
        only_access_of_request(shared(), &request);
    }
}

#[test]
fn what_is_no_operation_is_named() {
    let clinician = shared().clinician();
    let cases = [
        (get("Patient/1/x/y/z"), "Bundle.entry[0].request.url"),
        (entry("POST", "Patient/$nothing", patient("x")), "Bundle.entry[0].request.url"),
        (entry("POST", "", patient("x")), "Bundle.entry[0].request.url"),
        (entry("PUT", "Patient/$validate", patient("x")), "Bundle.entry[0]"),
        (entry("POST", "Patient/_search", patient("x")), "Bundle.entry[0].resource"),
    ];
    for (entry, place) in cases {
        clinician.post("/fhir", &bundle("transaction", &[entry])).refused(400, &[place]);
    }
}

/// Each form of an address means the same (RFC 3986 §4.2), whatever is asked for.
#[test]
fn addresses_may_be_absolute_or_begin_with_a_slash() {
    let clinician = shared().clinician();
    for before in ["/".to_owned(), "/fhir/".to_owned(), format!("{}/fhir/", shared().base)] {
        for bundle_type in ["transaction", "batch"] {
            let (id, gone) = (unique("p"), stored_patient());
            let at = |url: &str| format!("{before}{url}");
            let entries = [
                entry("PUT", &at(&format!("Patient/{id}")), patient(&id)),
                entry("POST", &at("Observation"), observation("x", &id)),
                entry("DELETE", &at(&format!("Patient/{gone}")), Value::Null),
                get(&at(&format!("Patient/{id}"))),
                get(&at(&format!("Observation?patient={id}"))),
                get(&at("metadata")),
            ];
            let answer = send(&clinician, bundle_type, &entries);
            assert_eq!(statuses(&answer), ["201", "201", "204", "200", "200", "200"], "{before}");
            assert_eq!(answer[3]["resource"]["id"], id.as_str());
            assert_eq!(answer[4]["resource"]["total"], 1);
        }
    }
}

#[test]
fn a_read_may_depend_on_when_it_was_changed() {
    let clinician = shared().clinician();
    let id = stored_patient();
    let recorded = clinician.get(&format!("/fhir/Patient/{id}")).json();
    let recorded = recorded["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let cases = [
        (json!(recorded), "304"),
        (json!("2999-01-01T00:00:00Z"), "304"),
        (json!("2000-01-01T00:00:00+01:00"), "200"),
        (json!("yesterday"), "400"),
        (json!(7), "400"),
    ];
    for (since, status) in cases {
        for url in [format!("Patient/{id}"), format!("Patient/{id}/_history/1")] {
            let mut read = get(&url);
            read["request"]["ifModifiedSince"] = since.clone();
            let answer = send(&clinician, "batch", &[read.clone()]);
            assert_eq!(statuses(&answer), [status], "{since}");
            let whole = clinician.post("/fhir", &bundle("transaction", &[read]));
            match status {
                "400" => drop(whole.refused(400, &["ifModifiedSince"])),
                _ => assert_eq!(whole.json()["entry"][0]["response"]["status"], status),
            }
        }
    }
}

/// R4 §3.1.0.11.2: the transaction fails as a whole if an entry does.
#[test]
fn a_transaction_with_a_read_that_fails_stores_nothing() {
    let clinician = shared().clinician();
    let (gone, kept) = (stored_patient(), stored_patient());
    clinician.delete(&format!("/fhir/Patient/{gone}")).expect(204);
    let never = unique("never");
    let deletion = || entry("DELETE", &format!("Patient/{kept}"), Value::Null);
    let cases = [
        (vec![get(&format!("Patient/{never}"))], 404),
        (vec![get(&format!("Patient/{never}/$meta"))], 404),
        (vec![get(&format!("Patient/{never}/_history"))], 404),
        (vec![get(&format!("Patient/{kept}/_history/2"))], 404),
        (vec![get(&format!("Patient/{never}/$everything"))], 404),
        (vec![get(&format!("Patient/{kept}?_asOf=2000-01-01T00:00:00Z"))], 404),
        (vec![get(&format!("Patient/{gone}"))], 410),
        (vec![get(&format!("Patient/{gone}/_history/2"))], 410),
        // Behind the deletion it is not there, wherever it stands.
        (vec![get(&format!("Patient/{kept}")), deletion()], 410),
        (vec![deletion(), get(&format!("Patient/{kept}/$meta"))], 410),
        (vec![deletion(), get(&format!("Patient/{kept}/_history/2"))], 410),
    ];
    for (mut entries, status) in cases {
        let new = unique("new");
        entries.push(entry("PUT", &format!("Patient/{new}"), patient(&new)));
        let request = unique("whole");
        let sent = clinician.request("POST", "/fhir").header("x-request-id", &request);
        let refused = sent.json(&bundle("transaction", &entries)).send();
        assert_eq!(refused.status, status, "{entries:?} {}", refused.text());
        refused.refused(status, &["Bundle.entry["]);
        clinician.get(&format!("/fhir/Patient/{new}")).refused(404, &[]);
        clinician.get(&format!("/fhir/Patient/{kept}")).expect(200);
        only_access_of_request(shared(), &request);
        // In a batch, each stands by itself.
        let others = entries.len() - 1;
        let reads = entries.drain(..others).filter(|one| one["request"]["method"] == "GET");
        let is_deleted_first = status == 410 && others == 2;
        for read in reads.filter(|_| !is_deleted_first) {
            let answer = send(&clinician, "batch", &[read]);
            assert_eq!(statuses(&answer), [status.to_string()]);
        }
    }
}

#[test]
fn a_read_may_be_of_what_its_transaction_makes() {
    let clinician = shared().clinician();
    let (id, old) = (unique("p"), stored_patient());
    let mut changed = patient(&old);
    changed["active"] = json!(false);
    let answer = send(
        &clinician,
        "transaction",
        &[
            get(&format!("Patient/{id}")),
            get(&format!("Patient/{id}/$meta")),
            get(&format!("Patient/{id}/_history/1")),
            get(&format!("Patient/{id}/_history")),
            get(&format!("Patient/{id}/$everything")),
            get(&format!("Patient/{old}/_history/2")),
            entry("PUT", &format!("Patient/{id}"), patient(&id)),
            entry("PUT", &format!("Patient/{old}"), changed),
        ],
    );
    assert_eq!(statuses(&answer), ["200", "200", "200", "200", "200", "200", "201", "200"]);
}

/// R4 §3.1.0.11.2, and the rule of this server that a name leads somewhere.
#[test]
fn a_uuid_names_an_entry_or_is_refused() {
    let clinician = shared().clinician();
    let uuid = "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    let owner = || named(&format!("urn:uuid:{uuid}"), entry("POST", "Patient", patient("x")));
    let referring =
        |to: &str| entry("POST", "Observation", with_reference(observation("o", "x"), to));
    for name in [
        format!("urn:uuid:{uuid}"),
        format!("urn:uuid:{}", uuid.to_uppercase()),
        format!("URN:UUID:{uuid}"),
    ] {
        let answer = send(&clinician, "transaction", &[referring(&name), owner()]);
        let id = answer[0]["response"]["location"].as_str().unwrap().split('/').nth(5).unwrap();
        let stored = clinician.get(&format!("/fhir/Observation/{id}")).expect(200).json();
        let subject = stored["subject"]["reference"].as_str().unwrap();
        assert!(answer[1]["response"]["location"].as_str().unwrap().contains(subject), "{subject}");
        // Two names that differ by case are one.
        let twice = [owner(), named(&name, entry("POST", "Patient", patient("y")))];
        clinician.post("/fhir", &bundle("transaction", &twice)).refused(400, &["entry[1].fullUrl"]);
    }
    let other = "urn:uuid:ffffffff-1cbf-4d64-b04d-cd9187a4c6e0";
    let lost = bundle("transaction", &[owner(), referring(other)]);
    clinician.post("/fhir", &lost).refused(400, &["Bundle.entry[1]", other]);
    let change =
        json!([{ "op": "add", "path": "/generalPractitioner", "value": [{ "reference": other }] }]);
    let data =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, change.to_string());
    let binary = json!({ "resourceType": "Binary", "contentType": "application/json-patch+json", "data": data });
    let patch = entry("PATCH", &format!("Patient/{}", stored_patient()), binary);
    clinician
        .post("/fhir", &bundle("transaction", &[patch]))
        .refused(400, &["Bundle.entry[0]", other]);
    // The entries of a batch do not refer to each other.
    let name = format!("urn:uuid:{uuid}");
    let answer = send(&clinician, "batch", &[owner(), referring(&name)]);
    assert_eq!(statuses(&answer), ["201", "400"]);
    // A Bundle that is stored has entries of its own.
    let document = json!({ "resourceType": "Bundle", "type": "collection", "entry": [
        { "fullUrl": name, "resource": patient("x") },
        { "fullUrl": other, "resource": with_reference(observation("o", "x"), &name) },
    ] });
    let answer = send(&clinician, "transaction", &[entry("POST", "Bundle", document)]);
    assert_eq!(statuses(&answer), ["201"]);
}

#[test]
fn an_absolute_url_names_an_entry() {
    let clinician = shared().clinician();
    let elsewhere = format!("https://elsewhere.example/fhir/Patient/{}", unique("p"));
    let here = format!("{}/fhir/Patient/{}", shared().base, unique("p"));
    for (full_url, reference) in [
        (&elsewhere, elsewhere.as_str()),
        (&here, here.as_str()),
        (&here, here.rsplit_once("/fhir/").unwrap().1),
    ] {
        let mut value = with_reference(observation("o", "x"), reference);
        value["performer"] =
            json!([{ "reference": "https://elsewhere.example/fhir/Practitioner/1" }]);
        let base = full_url.rsplit_once("/Patient/").unwrap().0;
        let doctor = entry("POST", "Practitioner", practitioner("x"));
        let entries = [
            named(&format!("{base}/Observation/1"), entry("POST", "Observation", value)),
            named(full_url, entry("POST", "Patient", patient("x"))),
            named("https://elsewhere.example/fhir/Practitioner/1", doctor),
        ];
        let answer = send(&clinician, "transaction", &entries);
        let place = |at: usize| {
            let location = answer[at]["response"]["location"].as_str().unwrap();
            let relative = location.strip_prefix(&format!("{}/fhir/", shared().base)).unwrap();
            relative.split_once("/_history").unwrap().0.to_owned()
        };
        let stored = clinician.get(&format!("/fhir/{}", place(0))).expect(200).json();
        assert_eq!(stored["subject"]["reference"], place(1), "{reference}");
        assert_eq!(stored["performer"][0]["reference"], place(2), "{reference}");
    }
}
