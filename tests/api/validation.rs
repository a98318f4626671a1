//! What a write must not contain, `$validate`, and references that lead nowhere.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, Server, Setup, bundle, entry, observation, patient, practitioner, shared,
    unique,
};

/// An Observation with one member set, or taken away with null.
fn with(member: &str, value: Value) -> Value {
    let mut resource = observation("v", "p");
    match value {
        Value::Null => resource.as_object_mut().unwrap().remove(member),
        value => resource.as_object_mut().unwrap().insert(member.to_owned(), value),
    };
    resource
}

/// Code, place and word of the only issue that each has: one of every kind of error.
fn wrong() -> Vec<(Value, &'static str, &'static str, &'static str)> {
    let narrative = |inner: &str| {
        let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
        json!({ "status": "generated", "div": div })
    };
    let contained = |mut resource: Value| {
        resource["id"] = json!("c");
        let mut container = with("contained", json!([resource]));
        container["subject"]["reference"] = json!("#c");
        container
    };
    let clinical = json!({ "resourceType": "Condition", "subject": { "display": "x" },
        "clinicalStatus": { "coding": [{ "system": "http://example.org", "code": "active" }] } });
    vec![
        (with("unit", json!("x")), "structure", "Observation.unit", "not an element"),
        (with("status", json!(7)), "structure", "Observation.status", "JSON string"),
        (with("code", json!([])), "structure", "Observation.code", "without an array"),
        (with("category", json!({})), "structure", "Observation.category", "array"),
        (with("status", Value::Null), "required", "Observation", "status is missing"),
        (with("valueString", json!("x")), "structure", "Observation.value", "Quantity and string"),
        (with("valueMoney", json!({})), "structure", "Observation.valueMoney", "valueQuantity"),
        (with("issued", json!("2024-01-01")), "value", "Observation.issued", "time zone"),
        (
            with("effectiveDateTime", json!("2023-02-29")),
            "value",
            "Observation.effectiveDateTime",
            "calendar",
        ),
        (with("language", json!(" de")), "value", "Observation.language", "single spaces"),
        (with("implicitRules", json!("a b")), "value", "Observation.implicitRules", "white space"),
        (with("status", json!("finished")), "code-invalid", "Observation.status", "preliminary"),
        (clinical, "code-invalid", "Condition.clinicalStatus.coding", "condition-clinical"),
        (
            with("subject", json!({ "reference": "p" })),
            "value",
            "Observation.subject.reference",
            "Type/id",
        ),
        (
            with("encounter", json!({ "reference": "Patient/p" })),
            "value",
            "Observation.encounter.reference",
            "Encounter",
        ),
        (
            with("subject", json!({ "reference": "#p" })),
            "invariant",
            "Observation.subject.reference",
            "contained",
        ),
        (
            with("subject", json!({ "type": "Device", "reference": "Patient/p" })),
            "value",
            "Observation.subject",
            "Device",
        ),
        (
            contained(
                json!({ "resourceType": "Patient", "contained": [{ "resourceType": "Patient" }] }),
            ),
            "invariant",
            "Observation.contained[0].contained",
            "dom-2",
        ),
        (
            contained(json!({ "resourceType": "Patient", "gender": "m" })),
            "code-invalid",
            "Observation.contained[0].gender",
            "female",
        ),
        (
            contained(json!({ "resourceType": "Other" })),
            "not-supported",
            "Observation.contained[0].resourceType",
            "Other",
        ),
        (
            with("extension", json!([{ "url": "x" }])),
            "invariant",
            "Observation.extension[0]",
            "ext-1",
        ),
        (
            with("extension", json!([{ "valueCode": "x" }])),
            "required",
            "Observation.extension[0]",
            "url",
        ),
        (with("_status", json!("x")), "structure", "Observation._status", "extensions"),
        (with("_code", json!({ "id": "x" })), "structure", "Observation._code", "primitive"),
        (
            with("text", narrative("<script>x</script>")),
            "value",
            "Observation.text.div",
            "<script>",
        ),
        (with("text", narrative("<p onload='x'>x</p>")), "value", "Observation.text.div", "onload"),
        (
            with("text", narrative("<a href='javascript:x'>x</a>")),
            "value",
            "Observation.text.div",
            "link",
        ),
        (with("text", narrative("<p>x")), "value", "Observation.text.div", "opening tag"),
    ]
}

#[track_caller]
fn assert_issue(response: &Response, code: &str, place: &str, word: &str) {
    let outcome = response.json();
    let mut issues = outcome["issue"].as_array().unwrap().clone();
    issues.retain(|issue| issue["severity"] == "error");
    assert_eq!(issues.len(), 1, "{outcome}");
    assert_eq!(issues[0]["code"], code, "{outcome}");
    assert_eq!(issues[0]["expression"], json!([place]), "{outcome}");
    assert!(issues[0]["diagnostics"].as_str().unwrap().contains(word), "{word}: {outcome}");
}

#[test]
fn every_kind_of_error_is_refused_at_its_place_and_nothing_is_stored() {
    let server = Server::start();
    let clinician = server.clinician();
    for (resource, code, place, word) in wrong() {
        let kind = resource["resourceType"].as_str().unwrap();
        let status = if code == "invariant" { 422 } else { 400 };
        let response = clinician.post(&format!("/fhir/{kind}"), &resource);
        assert_issue(&response.refused(status, &[]), code, place, word);
        let sent = bundle("transaction", &[entry("POST", kind, resource.clone())]);
        let within = place.replacen(kind, "Bundle.entry[0].resource", 1);
        let response = clinician.post("/fhir", &sent).refused(status, &[]);
        assert_issue(&response, code, &within, word);
    }
    assert_eq!(server.log_length(), 0);
}

#[test]
fn all_errors_are_said_at_once() {
    let resource = json!({ "resourceType": "Patient", "gender": "m", "birthDate": "yesterday",
        "name": [{ "family": "" }], "link": [{}], "nickname": "x" });
    let response = shared().clinician().post("/fhir/Patient", &resource);
    let outcome = response.refused(400, &[]).json();
    let issues = outcome["issue"].as_array().unwrap();
    let mut places: Vec<&str> =
        issues.iter().map(|issue| issue["expression"][0].as_str().unwrap()).collect();
    places.sort_unstable();
    let expected = [
        "Patient.birthDate",
        "Patient.gender",
        "Patient.link[0]",
        "Patient.name[0].family",
        "Patient.nickname",
    ];
    assert_eq!(places, expected);
}

#[test]
fn validation_says_what_a_write_would_and_stores_nothing() {
    let server = Server::start();
    let clinician = server.clinician();
    for (resource, code, place, word) in wrong() {
        let kind = resource["resourceType"].as_str().unwrap();
        let target = format!("/fhir/{kind}/$validate");
        assert_issue(&clinician.post(&target, &resource).expect(200), code, place, word);
        let wrapped = parameters(json!([{ "name": "resource", "resource": resource }]));
        assert_issue(&clinician.post(&target, &wrapped).expect(200), code, place, word);
    }
    let right = observation("v", "p");
    let target = "/fhir/Observation/$validate";
    valid(&clinician.post(target, &right));
    valid(&clinician.post("/fhir/Observation/v/$validate", &right));
    valid(&clinician.post("/fhir/Observation/w/$validate?mode=create", &right));
    let other = clinician.post("/fhir/Observation/w/$validate", &right).expect(200);
    assert_issue(&other, "value", "Observation.id", "w");
    let other = clinician.post("/fhir/Patient/$validate", &right).expect(200);
    assert_issue(
        &other,
        "value",
        "Observation.resourceType",
        "expected a resource of type Patient",
    );
    assert_eq!(server.log_length(), 0);
}

#[test]
fn validation_takes_the_parameters_of_its_definition() {
    let clinician = shared().clinician();
    let target = "/fhir/Observation/$validate";
    let resource = json!({ "name": "resource", "resource": observation("v", "p") });
    let mode = |mode: &str| json!({ "name": "mode", "valueCode": mode });
    let profile = |name: &str| json!({ "name": "profile", "valueUri": format!("http://hl7.org/fhir/StructureDefinition/{name}") });
    valid(
        &clinician
            .post(target, &parameters(json!([resource, mode("create"), profile("Observation")]))),
    );
    valid(&clinician.post("/fhir/Observation/v/$validate", &parameters(json!([mode("delete")]))));
    let other = clinician.post(target, &parameters(json!([resource, profile("bp")])));
    assert_issue(&other.expect(200), "not-supported", "Observation", "profile");
    clinician.post(target, &parameters(json!([mode("update")]))).refused(400, &["resource"]);
    let wrong = clinician.post(target, &parameters(json!([resource, mode("read")])));
    wrong.refused(400, &["Parameters.parameter[1].valueCode", "create"]);
    let wrong = clinician.post(target, &parameters(json!([resource, { "name": "x" }])));
    wrong.refused(400, &["Parameters.parameter[1].name"]);
    clinician.post(&format!("{target}?mode=read"), &observation("v", "p")).refused(400, &["mode"]);
    // A profile is judged by, whatever is meant to be done.
    let judged = [mode("profile"), resource.clone(), profile("Observation")];
    valid(&clinician.post("/fhir/Observation/w/$validate", &parameters(json!(judged))));
    let judged = clinician.post(target, &parameters(json!([mode("profile"), resource])));
    judged.refused(400, &["profile"]);
    // An update names the id.
    let mut nameless = observation("v", "p");
    nameless.as_object_mut().unwrap().remove("id");
    valid(&clinician.post(&format!("{target}?mode=create"), &nameless));
    let judged = clinician.post(&format!("{target}?mode=update"), &nameless);
    assert_issue(&judged.refused(200, &[]), "required", "Observation.id", "id");
    // Parameters are also a resource.
    let own = parameters(json!([{ "name": "a", "valueString": "x" }]));
    valid(&clinician.post("/fhir/Parameters/$validate", &own));
    let own = parameters(json!([{ "name": "a", "valueString": 7 }]));
    let wrong = clinician.post("/fhir/Parameters/$validate", &own).expect(200);
    assert_issue(&wrong, "structure", "Parameters.parameter[0].valueString", "string");
}

/// "Must be present unless the mode is 'delete'."
#[test]
fn what_is_to_be_deleted_need_not_be_sent() {
    let clinician = shared().clinician();
    let target = "/fhir/Observation/v/$validate";
    let ask =
        |actor: &Actor, query: &str| actor.request("POST", &format!("{target}{query}")).send();
    valid(&ask(&clinician, "?mode=delete"));
    for query in ["", "?mode=create", "?mode=update", "?mode=profile"] {
        ask(&clinician, query).refused(400, &["resource"]);
    }
    // Whoever may delete may ask, and nobody else.
    valid(&ask(&shared().actor("remover", "user/Observation.d"), "?mode=delete"));
    ask(&shared().actor("writer", "user/Observation.cu"), "?mode=delete")
        .refused(403, &["Observation"]);
    // What is sent with it is not judged.
    let wrong = json!({ "resourceType": "Observation" });
    valid(&clinician.post(&format!("{target}?mode=delete"), &wrong));
}

#[test]
fn who_may_not_write_a_type_may_not_have_it_validated() {
    let target = "/fhir/Observation/$validate";
    let resource = observation("v", "p");
    for scope in ["user/Observation.rs", "user/Patient.cruds", "user/Observation.d"] {
        shared().actor("reader", scope).post(target, &resource).refused(403, &[]);
    }
    for scope in ["user/Observation.c", "user/Observation.u", "user/*.cruds"] {
        valid(&shared().actor("writer", scope).post(target, &resource));
    }
}

fn parameters(list: Value) -> Value {
    json!({ "resourceType": "Parameters", "parameter": list })
}

#[track_caller]
fn valid(response: &Response) {
    assert_eq!(response.status, 200, "{}", response.text());
    let outcome = response.json();
    let issues = outcome["issue"].as_array().unwrap();
    assert_eq!(issues[0]["severity"], "information", "{outcome}");
    assert!(issues.iter().skip(1).all(|issue| issue["severity"] == "warning"), "{outcome}");
}

/// A server that refuses references which lead nowhere, and a patient on it.
fn strict() -> (Server, Actor) {
    let server = Setup::default().set("store.referential_integrity=refuse").start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    (server, clinician)
}

/// An Observation of the patient, performed by that.
fn performed(id: &str, reference: &str) -> Value {
    let mut resource = observation(id, "p");
    resource["performer"] = json!([{ "reference": "Patient/p" }, { "reference": reference }]);
    resource
}

#[test]
fn references_that_lead_nowhere_are_stored_unless_a_setting_says_otherwise() {
    let resource = observation(&unique("o"), "nobody");
    shared().clinician().put(&resource).expect(201);
}

#[test]
fn references_that_lead_nowhere_are_refused_by_setting() {
    let (server, clinician) = strict();
    let before = server.log_length();
    let resource = performed("o", "Practitioner/x");
    let refused = clinician.put(&resource).refused(422, &["Practitioner/x does not exist"]);
    assert_issue(&refused, "not-found", "Observation.performer[1].reference", "Practitioner/x");
    let sent = bundle("transaction", &[entry("PUT", "Observation/o", resource.clone())]);
    let refused = clinician.post("/fhir", &sent).refused(422, &[]);
    let place = "Bundle.entry[0].resource.performer[1].reference";
    assert_issue(&refused, "not-found", place, "Practitioner/x");
    let event = json!({ "events": [{ "type": "Observation.recorded", "resource": resource }] });
    clinician.post("/v1/patients/p/events", &event).problem(422, &["performer[1].reference"]);
    assert_eq!(server.log_length(), before);
    clinician.put(&practitioner("x")).expect(201);
    clinician.put(&performed("o", "Practitioner/x/_history/2")).refused(422, &[]);
    clinician.put(&performed("o", "Practitioner/x/_history/1")).expect(201);
    // Elsewhere, and nowhere in particular.
    clinician.put(&performed("o", "https://other.example/fhir/Practitioner/y")).expect(200);
    clinician.put(&performed("o", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0")).expect(200);
    // A deletion is not held up, and what it leaves behind is told at the next write.
    clinician.put(&performed("o", "Practitioner/x")).expect(200);
    clinician.delete("/fhir/Practitioner/x").expect(204);
    clinician.get("/fhir/Observation/o").expect(200);
    clinician.put(&performed("o2", "Practitioner/x")).refused(422, &["Practitioner/x"]);
}

#[test]
fn entries_of_one_transaction_may_lead_to_each_other() {
    let (_server, clinician) = strict();
    let mut with_url = entry("POST", "Practitioner", practitioner("ignored"));
    with_url["fullUrl"] = json!("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0");
    let resource = performed("o", "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0");
    let sent = [with_url, entry("PUT", "Observation/o", resource)];
    clinician.post("/fhir", &bundle("transaction", &sent)).expect(200);
    let sent = [
        entry("PUT", "Observation/o", performed("o", "Practitioner/y")),
        entry("PUT", "Practitioner/y", practitioner("y")),
    ];
    clinician.post("/fhir", &bundle("transaction", &sent)).expect(200);
    let sent = [
        entry("PUT", "Observation/o2", performed("o2", "Practitioner/y")),
        entry("DELETE", "Practitioner/y", Value::Null),
    ];
    clinician
        .post("/fhir", &bundle("transaction", &sent))
        .refused(422, &["entry[0].resource.performer[1]"]);
}

#[test]
fn what_a_token_may_not_read_does_not_exist_for_its_references() {
    let (server, clinician) = strict();
    clinician.put(&practitioner("x")).expect(201);
    clinician.put(&patient("q")).expect(201);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some("p")));
    clinician.put(&observation("of-q", "q")).expect(201);
    for reference in ["Practitioner/x", "Practitioner/none"] {
        app.put(&performed("o", reference)).refused(422, &["does not exist"]);
    }
    let member = |reference: &str| {
        let mut resource = observation("o", "p");
        resource["hasMember"] = json!([{ "reference": reference }]);
        resource
    };
    for reference in ["Observation/of-q", "Observation/none"] {
        app.put(&member(reference)).refused(422, &["does not exist"]);
    }
    app.put(&performed("o", "Patient/p")).expect(201);
    clinician.put(&member("Observation/of-q")).expect(200);
}

#[test]
fn no_reference_is_committed_behind_the_deletion_of_its_target() {
    let (_server, clinician) = strict();
    let position = |response: &Response| -> u64 {
        let header = response.header("chartlog-position").unwrap();
        header.split('-').next().unwrap().parse().unwrap()
    };
    let (mut stored, mut refused) = (0, 0);
    for round in 0..12 {
        let target = format!("Practitioner/d{round}");
        clinician.put(&practitioner(&format!("d{round}"))).expect(201);
        let (written, deleted) = std::thread::scope(|scope| {
            let write = |number: usize| {
                let (clinician, target) = (&clinician, &target);
                scope
                    .spawn(move || clinician.put(&performed(&format!("o{round}-{number}"), target)))
            };
            let mut writes: Vec<_> = (0..4).map(write).collect();
            let deletion = scope.spawn(|| clinician.delete(&format!("/fhir/{target}")).expect(204));
            writes.extend((4..8).map(write));
            let written: Vec<_> = writes.into_iter().map(|one| one.join().unwrap()).collect();
            (written, deletion.join().unwrap())
        });
        for response in written {
            if response.status == 201 {
                assert!(position(&response) < position(&deleted));
                stored += 1;
            } else {
                response.refused(422, &[&target]);
                refused += 1;
            }
        }
    }
    assert_eq!(stored + refused, 96);
}
