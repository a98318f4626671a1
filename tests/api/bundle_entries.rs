//! What the entries of a Bundle may be: reads, patches, and writes by criteria, in the order of
//! the standard (FHIR R4 §3.1.0.11.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{
    Actor, bundle, entry, observation, only_access_of_request, patient, practitioner, shared,
    unique,
};

#[track_caller]
fn send(actor: &Actor, bundle_type: &str, entries: &[Value]) -> Vec<Value> {
    let response = actor.post("/fhir", &bundle(bundle_type, entries)).expect(200).json();
    assert_eq!(response["type"], format!("{bundle_type}-response"));
    response["entry"].as_array().cloned().unwrap_or_default()
}

fn statuses(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|one| one["response"]["status"].as_str().unwrap()).collect()
}

fn get(url: &str) -> Value {
    entry("GET", url, Value::Null)
}

fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn identified(mut resource: Value, value: &str) -> Value {
    resource["identifier"] = json!([{ "system": "urn:test", "value": value }]);
    resource
}

/// A JSON Patch as the resource of an entry.
fn patch(url: &str, operations: &Value) -> Value {
    let data = STANDARD.encode(operations.to_string());
    let content_type = "application/json-patch+json";
    let binary = json!({ "resourceType": "Binary", "contentType": content_type, "data": data });
    entry("PATCH", url, binary)
}

fn stored_patient() -> String {
    let id = unique("p");
    shared().clinician().put(&patient(&id)).expect(201);
    id
}

#[test]
fn reads_in_a_transaction_see_what_it_writes_and_keep_their_places() {
    let clinician = shared().clinician();
    let (old, new, value) = (stored_patient(), unique("p"), unique("o"));
    let answer = send(
        &clinician,
        "transaction",
        &[
            get(&format!("Patient/{new}")),
            get(&format!("Observation?_id={value}")),
            entry("PUT", &format!("Observation/{value}"), observation(&value, &new)),
            get(&format!("Patient?_id={old}")),
            entry("DELETE", &format!("Patient/{old}"), Value::Null),
            get(&format!("Patient/{old}/_history/1")),
            get(&format!("Patient/{new}/_history")),
            entry("PUT", &format!("Patient/{new}"), patient(&new)),
            entry("HEAD", &format!("Patient/{new}"), Value::Null),
            get(&format!("{}/fhir/Patient/{new}", shared().base)),
            get(&format!("Patient/{new}/_history/1")),
            get(&format!("Patient/{new}/$everything")),
        ],
    );
    assert_eq!(
        statuses(&answer),
        ["200", "200", "201", "200", "204", "200", "200", "201", "200", "200", "200", "200"]
    );
    assert_eq!(answer[0]["resource"]["id"], new.as_str());
    assert_eq!(answer[0]["response"]["etag"], r#"W/"1""#);
    assert_eq!(answer[0]["response"]["lastModified"], answer[0]["resource"]["meta"]["lastUpdated"]);
    assert_eq!(answer[1]["resource"]["entry"][0]["resource"]["id"], value.as_str());
    assert_eq!(answer[5]["resource"]["meta"]["versionId"], "1");
    assert_eq!(answer[6]["resource"]["type"], "history");
    assert_eq!(
        (&answer[8]["resource"], &answer[8]["response"]["etag"]),
        (&Value::Null, &json!(r#"W/"1""#))
    );
    assert_eq!(answer[9]["resource"], answer[0]["resource"]);
    assert_eq!(answer[3]["resource"]["total"], 0);
    assert_eq!(answer[10]["resource"], answer[0]["resource"]);
    assert_eq!(answer[11]["resource"]["total"], 2);
}

#[test]
fn a_transaction_with_a_read_that_is_not_understood_stores_nothing() {
    let clinician = shared().clinician();
    let id = unique("p");
    for (url, words) in [
        ("Patient?nonsense=1", ["Bundle.entry[1]", "nonsense"]),
        ("Patient/a_b", ["Bundle.entry[1]", "a_b"]),
        ("Nothing/1", ["Bundle.entry[1]", "Nothing"]),
        ("Patient/1/x/y/z", ["Bundle.entry[1].request.url", "Patient/1/x/y/z"]),
    ] {
        let entries = [entry("PUT", &format!("Patient/{id}"), patient(&id)), get(url)];
        let response = clinician.post("/fhir", &bundle("transaction", &entries));
        assert!([400, 404].contains(&response.status), "{}", response.text());
        let status = response.status;
        response.refused(status, &words);
        clinician.get(&format!("/fhir/Patient/{id}")).refused(404, &[]);
    }
}

#[test]
fn reads_in_a_bundle_need_the_rights_for_their_own_type() {
    let id = unique("p");
    let writer = shared().actor("writer", "user/Patient.cruds");
    let entries = [
        entry("PUT", &format!("Patient/{id}"), patient(&id)),
        get("Observation?_id=x"),
        get(&format!("Patient/{id}")),
    ];
    let refused = writer.post("/fhir", &bundle("transaction", &entries));
    refused.refused(403, &["Bundle.entry[1]", "Observation"]);
    writer.get(&format!("/fhir/Patient/{id}")).refused(404, &[]);
    let request = unique("batch");
    let answer = writer.request("POST", "/fhir").header("x-request-id", &request);
    let answer = answer.json(&bundle("batch", &entries)).send().expect(200).json();
    assert_eq!(statuses(answer["entry"].as_array().unwrap()), ["201", "403", "200"]);
    // The access entry says that a part was refused.
    let access = only_access_of_request(shared(), &request);
    assert_eq!((&access["outcome"], &access["status"]), (&json!("refused"), &json!(200)));
}

#[test]
fn a_bundle_that_only_reads_leaves_one_trace() {
    let id = stored_patient();
    let request = unique("bundle");
    let entries = [get(&format!("Patient/{id}")), get(&format!("Patient?_id={id}"))];
    let answer = shared().clinician().request("POST", "/fhir").header("x-request-id", &request);
    answer.json(&bundle("transaction", &entries)).send().expect(200);
    let access = only_access_of_request(shared(), &request);
    assert_eq!(
        (&access["outcome"], &access["operation"]),
        (&json!("granted"), &json!("transaction"))
    );
}

#[test]
fn a_read_in_a_bundle_may_be_conditional() {
    let id = stored_patient();
    let mut known = get(&format!("Patient/{id}"));
    known["request"]["ifNoneMatch"] = json!(r#"W/"1""#);
    for bundle_type in ["transaction", "batch"] {
        let answer = send(&shared().clinician(), bundle_type, &[known.clone()]);
        assert_eq!(statuses(&answer), ["304"]);
        assert_eq!(answer[0]["resource"], Value::Null);
    }
}

/// The conditions of an entry mean what those of a request do: R4 §2.36 (Bundle.entry.request).
#[test]
fn conditions_of_entries_may_name_several_versions_or_any() {
    let clinician = shared().clinician();
    let cases = [
        ("ifMatch", json!("*"), "200"),
        ("ifMatch", json!(r#"W/"7", W/"1""#), "200"),
        ("ifMatch", json!(r#"W/"7", W/"01""#), "412"),
        ("ifMatch", json!("one"), "400"),
        ("ifMatch", json!(1), "400"),
        ("ifNoneMatch", json!("*"), "412"),
        ("ifNoneMatch", json!(r#"W/"7", W/"1""#), "412"),
        ("ifNoneMatch", json!(r#"W/"7", W/"01""#), "200"),
        ("ifNoneMatch", json!(["*"]), "400"),
    ];
    for (member, condition, status) in cases {
        for bundle_type in ["transaction", "batch"] {
            let id = stored_patient();
            let mut resource = patient(&id);
            resource["active"] = json!(false);
            let mut put = entry("PUT", &format!("Patient/{id}"), resource);
            put["request"][member] = condition.clone();
            let sent = clinician.post("/fhir", &bundle(bundle_type, &[put]));
            let is_refused_whole = bundle_type == "transaction" && status != "200";
            let known = match is_refused_whole {
                true => {
                    sent.refused(status.parse().unwrap(), &["Bundle.entry[0]"]).status.to_string()
                }
                false => sent.expect(200).json()["entry"][0]["response"]["status"]
                    .as_str()
                    .unwrap()
                    .into(),
            };
            assert_eq!(known, status, "{bundle_type} {member} {condition}");
            let version = if status == "200" { "W/\"2\"" } else { "W/\"1\"" };
            let stored = clinician.get(&format!("/fhir/Patient/{id}"));
            assert_eq!(stored.header("etag"), Some(version), "{bundle_type} {member} {condition}");
        }
    }
}

#[test]
fn entries_are_carried_out_in_the_order_of_the_standard() {
    let clinician = shared().clinician();
    let (old, value) = (unique("p"), unique("value"));
    clinician.put(&identified(patient(&old), &value)).expect(201);
    let mut creation = entry("POST", "Patient", identified(patient("x"), &value));
    creation["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{value}"));
    // The deletion stands last, and yet the creation does not find what it deletes.
    let answer = send(
        &clinician,
        "transaction",
        &[creation, entry("DELETE", &format!("Patient/{old}"), Value::Null)],
    );
    assert_eq!(statuses(&answer), ["201", "204"]);
    let found = clinician.get(&format!("/fhir/Patient?identifier=urn:test|{value}")).expect(200);
    assert_eq!(found.json()["entry"].as_array().unwrap().len(), 1);
}

#[test]
fn a_bundle_patches() {
    let clinician = shared().clinician();
    for bundle_type in ["transaction", "batch"] {
        let id = stored_patient();
        let url = format!("Patient/{id}");
        let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
        let answer = send(&clinician, bundle_type, &[patch(&url, &change), get(&url)]);
        assert_eq!(statuses(&answer), ["200", "200"]);
        assert_eq!(answer[1]["resource"]["active"], false);
        assert_eq!(answer[0]["response"]["etag"], r#"W/"2""#);
        let mut stale = patch(&url, &json!([]));
        stale["request"]["ifMatch"] = json!(r#"W/"1""#);
        let wrong = json!([{ "op": "remove", "path": "/photo" }]);
        let refusals = [
            (patch(&url, &wrong), 422, "/photo"),
            (stale, 412, "version 2"),
            (patch("Patient/never-there", &change), 404, "never-there"),
            (patch(&url, &json!({})), 400, "patch"),
            (entry("PATCH", &url, patient(&id)), 400, "patch"),
            (
                entry(
                    "PATCH",
                    &url,
                    json!({ "resourceType": "Binary", "contentType": "text/plain", "data": "eA==" }),
                ),
                400,
                "contentType",
            ),
        ];
        for (one, status, word) in refusals {
            let entries = [entry("POST", "Patient", patient("x")), one];
            if bundle_type == "transaction" {
                let refused = clinician.post("/fhir", &bundle(bundle_type, &entries));
                refused.refused(status, &["Bundle.entry[1]", word]);
            } else {
                let answer = send(&clinician, bundle_type, &entries);
                assert_eq!(statuses(&answer), ["201", &status.to_string()]);
                assert!(answer[1]["response"]["outcome"].to_string().contains(word), "{answer:?}");
            }
        }
    }
}

#[test]
fn a_patch_in_a_transaction_may_refer_to_its_entries() {
    let clinician = shared().clinician();
    let id = stored_patient();
    let name = "urn:uuid:33333333-3333-4333-8333-333333333333";
    let change =
        json!([{ "op": "add", "path": "/generalPractitioner", "value": [{ "reference": name }] }]);
    let entries = [
        patch(&format!("Patient/{id}"), &change),
        named(name, entry("POST", "Practitioner", practitioner("x"))),
    ];
    let answer = send(&clinician, "transaction", &entries);
    let reference = clinician.get(&format!("/fhir/Patient/{id}")).expect(200).json();
    let reference = reference["generalPractitioner"][0]["reference"].as_str().unwrap().to_owned();
    assert!(answer[1]["response"]["location"].as_str().unwrap().contains(&reference), "{answer:?}");
}

#[test]
fn a_bundle_writes_by_criteria() {
    let clinician = shared().clinician();
    for bundle_type in ["transaction", "batch"] {
        let values = [unique("value"), unique("value")];
        let url = |value: &str| format!("Patient?identifier=urn:test|{value}");
        let body = |value: &str| {
            let mut body = identified(patient("x"), value);
            body.as_object_mut().unwrap().remove("id");
            body
        };
        let create = || values.iter().map(|value| entry("PUT", &url(value), body(value)));
        let answer = send(&clinician, bundle_type, &create().collect::<Vec<_>>());
        assert_eq!(statuses(&answer), ["201", "201"]);
        let answer = send(&clinician, bundle_type, &create().collect::<Vec<_>>());
        assert_eq!(statuses(&answer), ["200", "200"]);
        let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
        let entries = [
            patch(&url(&values[0]), &change),
            entry("DELETE", &url(&values[1]), Value::Null),
            entry("DELETE", &url("nothing-has-this"), Value::Null),
            get(&url(&values[0])),
            get(&url(&values[1])),
        ];
        let answer = send(&clinician, bundle_type, &entries);
        assert_eq!(statuses(&answer), ["200", "204", "204", "200", "200"]);
        assert_eq!(answer[3]["resource"]["entry"][0]["resource"]["active"], false);
        assert_eq!(answer[4]["resource"]["total"], 0);
        assert_eq!(answer[2]["response"], json!({ "status": "204" }));
    }
}

#[test]
fn a_transaction_does_not_touch_a_resource_twice() {
    let clinician = shared().clinician();
    let (id, value) = (unique("p"), unique("value"));
    clinician.put(&identified(patient(&id), &value)).expect(201);
    let url = format!("Patient/{id}");
    let by_criteria = format!("Patient?identifier=urn:test|{value}");
    let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
    let pairs = [
        [entry("PUT", &url, patient(&id)), entry("DELETE", &url, Value::Null)],
        [entry("PUT", &url, patient(&id)), patch(&url, &change)],
        [patch(&url, &change), entry("DELETE", &by_criteria, Value::Null)],
        [patch(&by_criteria, &change), entry("PUT", &url, identified(patient(&id), &value))],
        [patch(&by_criteria, &change), patch(&by_criteria, &change)],
    ];
    for pair in pairs {
        let refused = clinician.post("/fhir", &bundle("transaction", &pair));
        refused.refused(400, &["Bundle.entry[", "changed twice"]);
    }
    let now = clinician.get(&format!("/fhir/{url}")).expect(200);
    assert_eq!(now.header("etag"), Some(r#"W/"1""#));
}

#[test]
fn a_transaction_makes_no_twins_of_what_its_criteria_ask_for() {
    let clinician = shared().clinician();
    let (one, other) = (unique("value"), unique("value"));
    let both = || {
        let mut both = patient("x");
        both["identifier"] = json!([
            { "system": "urn:test", "value": one }, { "system": "urn:test", "value": other },
        ]);
        both
    };
    let creation = |value: &str| {
        let mut creation = entry("POST", "Patient", both());
        creation["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{value}"));
        creation
    };
    let refused =
        clinician.post("/fhir", &bundle("transaction", &[creation(&one), creation(&other)]));
    refused.refused(412, &["Bundle.entry["]);
    let same = clinician.post("/fhir", &bundle("transaction", &[creation(&one), creation(&one)]));
    same.refused(400, &["Bundle.entry[1]", "Bundle.entry[0]"]);
    let named = entry("PUT", &format!("Patient/{}", unique("p")), Value::Null);
    let mut named = named;
    let id = named["request"]["url"].as_str().unwrap()["Patient/".len()..].to_owned();
    named["resource"] = both();
    named["resource"]["id"] = json!(id);
    clinician
        .post("/fhir", &bundle("transaction", &[creation(&one), named]))
        .refused(412, &["Bundle.entry[0]"]);
    for value in [&one, &other] {
        let found =
            clinician.get(&format!("/fhir/Patient?identifier=urn:test|{value}")).expect(200);
        assert_eq!(found.json()["total"], 0);
    }
}

#[test]
fn names_of_entries_are_whole_and_given_once() {
    let clinician = shared().clinician();
    let create = || entry("POST", "Patient", patient("x"));
    let name = "urn:uuid:44444444-4444-4444-8444-444444444444";
    let twice = [named(name, create()), create(), named(name, create())];
    clinician
        .post("/fhir", &bundle("transaction", &twice))
        .refused(400, &["Bundle.entry[2].fullUrl", "Bundle.entry[0]"]);
    clinician
        .post("/fhir", &bundle("transaction", &[named("Patient/1", create())]))
        .refused(400, &["Bundle.entry[0].fullUrl", "absolute"]);
}

#[test]
fn references_are_followed_beside_their_entry_and_in_narratives() {
    let clinician = shared().clinician();
    let base = "https://elsewhere.example/fhir";
    let mut value = observation("x", "1");
    value["text"] = json!({ "status": "additional", "div":
        format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{base}/Patient/1\">p</a></div>") });
    let mut apart = observation("y", "1");
    apart["focus"] = json!([{ "reference": "Patient/1/_history/2" }]);
    let entries = [
        named(&format!("{base}/Observation/2"), entry("POST", "Observation", value)),
        named(&format!("{base}/Patient/1"), entry("POST", "Patient", patient("1"))),
        // Not beside the patient: it means that of this server.
        named("https://other.example/fhir/Observation/3", entry("POST", "Observation", apart)),
    ];
    let answer = send(&clinician, "transaction", &entries);
    let location = |at: usize| {
        let location = answer[at]["response"]["location"].as_str().unwrap();
        let relative = location.strip_prefix(&format!("{}/fhir/", shared().base)).unwrap();
        relative.split_once("/_history").unwrap().0.to_owned()
    };
    let stored = clinician.get(&format!("/fhir/{}", location(0))).expect(200).json();
    assert_eq!(stored["subject"]["reference"], location(1));
    assert!(stored["text"]["div"].as_str().unwrap().contains(&format!("href=\"{}\"", location(1))));
    let apart = clinician.get(&format!("/fhir/{}", location(2))).expect(200).json();
    assert_eq!(apart["subject"]["reference"], "Patient/1");
    assert_eq!(apart["focus"][0]["reference"], "Patient/1/_history/2");
}
