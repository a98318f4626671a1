//! Patches: FHIR R4 §3.1.0.6.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Request, Response, accesses_of_request, observation, patient, practitioner, shared,
    unique,
};

fn request(actor: &Actor, target: &str, patch: &Value) -> Request {
    actor
        .request("PATCH", &format!("/fhir/{target}"))
        .header("content-type", "application/json-patch+json")
        .bytes(patch.to_string())
}

#[track_caller]
fn patch(actor: &Actor, target: &str, patch: &Value) -> Response {
    request(actor, target, patch).send()
}

/// A stored patient, as `Patient/{id}`.
fn stored() -> (String, String) {
    let id = unique("p");
    shared().clinician().put(&patient(&id)).expect(201);
    (format!("Patient/{id}"), id)
}

#[test]
fn a_patch_makes_a_new_version_and_leaves_the_rest_to_the_digit() {
    let clinician = shared().clinician();
    let (owner, id) = (stored().1, unique("o"));
    let text = format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"weight"}},
        "subject":{{"reference":"Patient/{owner}"}},"valueQuantity":{{"unit":"kg","value":72.50}}}}"#
    );
    let target = format!("Observation/{id}");
    clinician.request("PUT", &format!("/fhir/{target}")).text(text).send().expect(201);
    let change = json!([
        { "op": "test", "path": "/valueQuantity/value", "value": 72.5 },
        { "op": "replace", "path": "/status", "value": "amended" },
        { "op": "add", "path": "/note", "value": [{ "text": "weighed twice" }] },
    ]);
    let response = patch(&clinician, &target, &change).expect(200);
    assert_eq!(response.header("etag"), Some(r#"W/"2""#));
    let base = &shared().base;
    let location = format!("{base}/fhir/{target}/_history/2");
    assert_eq!(response.header("location"), Some(location.as_str()));
    assert!(response.header("chartlog-position").is_some());
    assert!(response.text().contains(r#""valueQuantity":{"unit":"kg","value":72.50}"#));
    assert!(response.text().ends_with(r#""note":[{"text":"weighed twice"}]}"#));
    let read = clinician.get(&format!("/fhir/{target}")).expect(200);
    assert_eq!(read.text(), response.text());
    assert_eq!(read.json()["status"], "amended");
    let events = clinician.events(&owner);
    assert_eq!(events.last().unwrap()["type"], "Observation.amended");
}

#[test]
fn a_patch_that_changes_nothing_creates_no_version() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    for change in [
        json!([]),
        json!([{ "op": "replace", "path": "/active", "value": true }]),
        json!([{ "op": "replace", "path": "/meta/versionId", "value": "9" }]),
        json!([{ "op": "test", "path": "/meta/versionId", "value": "1" }]),
    ] {
        let response = patch(&clinician, &target, &change).expect(200);
        assert_eq!(response.header("etag"), Some(r#"W/"1""#), "{change}");
        assert_eq!(response.json()["meta"]["versionId"], "1");
    }
}

#[test]
fn a_patch_that_cannot_be_carried_out_stores_nothing_and_says_where() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    let cases: [(Value, u16, &[&str]); 9] = [
        (
            json!([{ "op": "add", "path": "/gender", "value": "male" },
                { "op": "replace", "path": "/name/1/family", "value": "x" }]),
            422,
            &["patch[1]", "/name/1/family", "there is nothing"],
        ),
        (json!([{ "op": "test", "path": "/active", "value": false }]), 422, &["patch[0]", "test"]),
        (json!([{ "op": "replace", "path": "/id", "value": "other" }]), 422, &["Patient.id"]),
        (json!([{ "op": "remove", "path": "/id" }]), 422, &["Patient.id"]),
        (
            json!([{ "op": "replace", "path": "/resourceType", "value": "Group" }]),
            422,
            &["Group.resourceType"],
        ),
        (json!([{ "op": "remove", "path": "/name/0" }]), 422, &["Patient.name", "empty array"]),
        (json!([{ "op": "replace", "path": "", "value": 7 }]), 422, &["a JSON object"]),
        (json!([{ "op": "add", "path": "name" }, {}]), 400, &["patch[0]", "patch[1]"]),
        (json!({ "active": false }), 400, &["patch"]),
    ];
    for (change, status, words) in cases {
        patch(&clinician, &target, &change).refused(status, words);
        let now = clinician.get(&format!("/fhir/{target}")).expect(200);
        assert_eq!(now.header("etag"), Some(r#"W/"1""#), "{change}");
    }
}

#[test]
fn a_patch_needs_something_to_change() {
    let clinician = shared().clinician();
    let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
    patch(&clinician, "Patient/never-there", &change).refused(404, &["Patient/never-there"]);
    let (target, _) = stored();
    clinician.delete(&format!("/fhir/{target}")).expect(204);
    patch(&clinician, &target, &change).refused(410, &[&target]);
}

#[test]
fn a_patch_may_name_the_version_that_it_is_for() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
    let of = |version: &str| request(&clinician, &target, &change).header("if-match", version);
    of("W/\"2\"").send().refused(412, &["version 2", "version 1"]);
    of("W/\"1\"").send().expect(200);
    of("W/\"1\"").send().refused(412, &["version 1", "version 2"]);
}

/// RFC 6902 §4.1: what a value is added to must exist. docs/decisions/0030.
#[test]
fn a_json_patch_makes_no_list_and_says_what_would_be_right() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    let phone = json!({ "system": "phone", "value": "1" });
    let append = json!([{ "op": "add", "path": "/telecom/-", "value": phone }]);
    patch(&clinician, &target, &append).refused(422, &["/telecom", "add the list itself"]);
    let whole = json!([{ "op": "add", "path": "/telecom", "value": [phone] }]);
    patch(&clinician, &target, &whole).expect(200);
    let patched = patch(&clinician, &target, &append).expect(200).json();
    assert_eq!(patched["telecom"], json!([phone, phone]));
}

#[test]
fn a_repeated_patch_is_harmless() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    let change = json!([{ "op": "add", "path": "/name/-", "value": { "text": "once" } }]);
    let key = unique("key");
    let send = || request(&clinician, &target, &change).header("idempotency-key", &key).send();
    let first = send().expect(200);
    let second = send().expect(200);
    assert_eq!((first.text(), second.header("etag")), (second.text(), Some(r#"W/"2""#)));
    let other = json!([{ "op": "remove", "path": "/name" }]);
    request(&clinician, &target, &other)
        .header("idempotency-key", &key)
        .send()
        .refused(422, &["Idempotency-Key"]);
}

#[test]
fn a_patch_answers_in_the_form_that_is_preferred() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    for (wanted, at) in [("minimal", 0), ("OperationOutcome", 1), ("representation", 2)] {
        let change = json!([{ "op": "replace", "path": "/name/0/family", "value": wanted }]);
        let prefer = format!("return={wanted}");
        let response = request(&clinician, &target, &change).header("prefer", prefer).send();
        let response = response.expect(200);
        let kind = match at {
            0 => String::new(),
            _ => response.json()["resourceType"].as_str().unwrap().to_owned(),
        };
        assert_eq!(kind, ["", "OperationOutcome", "Patient"][at]);
    }
}

#[test]
fn only_who_may_update_patches_and_only_who_may_read_is_shown_the_whole() {
    let (target, id) = stored();
    let change = json!([{ "op": "replace", "path": "/active", "value": false }]);
    let reader = shared().actor("reader", "user/*.rs");
    patch(&reader, &target, &change).refused(403, &["Patient"]);
    let creator = shared().actor("creator", "user/*.c");
    patch(&creator, &target, &change).refused(403, &["Patient"]);
    let writer = shared().actor("writer", "user/*.u");
    let response = patch(&writer, &target, &change).expect(200);
    assert_eq!(response.body, b"");
    assert_eq!(response.header("etag"), Some(r#"W/"2""#));
    // A test that fails does not say what is there instead.
    let probe = json!([{ "op": "test", "path": "/name/0/family", "value": "x" }]);
    let probed = patch(&writer, &target, &probe).refused(422, &["test /name/0/family"]);
    assert!(!probed.text().contains("Quist"));
    // Who reaches another chart only is told what is told of a resource that does not exist.
    let app = |id: &str| shared().with_token(shared().token("app", "patient/*.cruds", Some(id)));
    let other = app(&unique("p"));
    for change in [&change, &probe] {
        patch(&other, &target, change).refused(404, &["does not exist"]);
        patch(&other, "Patient/never-there", change).refused(404, &["does not exist"]);
    }
    let own = app(&id);
    let moved = json!([{ "op": "replace", "path": "/active", "value": true }]);
    patch(&own, &target, &moved).expect(200);
}

#[test]
fn a_patch_moves_a_resource_to_the_chart_that_it_then_names() {
    let clinician = shared().clinician();
    let ((_, from), (_, to)) = (stored(), stored());
    let id = unique("o");
    clinician.put(&observation(&id, &from)).expect(201);
    let change = json!([{ "op": "replace", "path": "/subject/reference",
        "value": format!("{}/fhir/Patient/{to}", shared().base) }]);
    let response = patch(&clinician, &format!("Observation/{id}"), &change).expect(200).json();
    assert_eq!(response["subject"]["reference"], format!("Patient/{to}"));
    let last = |id: &str| clinician.events(id).last().unwrap()["type"].clone();
    assert_eq!((last(&from), last(&to)), (json!("chart.moved-out"), json!("chart.moved-in")));
}

#[test]
fn a_patch_may_find_its_reference_by_criteria() {
    let clinician = shared().clinician();
    let (target, _) = stored();
    let (doctor, value) = (unique("d"), unique("value"));
    let mut resource = practitioner(&doctor);
    resource["identifier"] = json!([{ "system": "urn:test", "value": value }]);
    clinician.put(&resource).expect(201);
    let of = |reference: String| json!([{ "op": "add", "path": "/generalPractitioner", "value": [{ "reference": reference }] }]);
    let change = of(format!("Practitioner?identifier=urn:test|{value}"));
    let response = patch(&clinician, &target, &change).expect(200).json();
    assert_eq!(response["generalPractitioner"][0]["reference"], format!("Practitioner/{doctor}"));
    patch(&clinician, &target, &of("Practitioner?identifier=urn:test|none".to_owned()))
        .refused(400, &["finds nothing"]);
}

/// An operation of a FHIRPath Patch.
fn operation(kind: &str, path: &str, parts: &[Value]) -> Value {
    let mut all = vec![
        json!({ "name": "type", "valueCode": kind }),
        json!({ "name": "path", "valueString": path }),
    ];
    all.extend_from_slice(parts);
    json!({ "name": "operation", "part": all })
}

#[track_caller]
fn path_patch(target: &str, operations: &[Value]) -> Response {
    let parameters = json!({ "resourceType": "Parameters", "parameter": operations });
    let request = shared().clinician().request("PATCH", &format!("/fhir/{target}"));
    let request = request.header("content-type", "application/fhir+json");
    request.bytes(parameters.to_string()).send()
}

#[test]
fn a_fhirpath_patch_makes_a_new_version() {
    let (target, _) = stored();
    let name = json!({ "name": "name", "valueString": "contact" });
    let value = json!({ "name": "value", "part": [
        { "name": "name", "valueHumanName": { "text": "a friend" } },
        { "name": "gender", "valueCode": "other" },
    ] });
    let operations = [
        operation(
            "replace",
            "Patient.name[0].family",
            &[json!({ "name": "value", "valueString": "Moor" })],
        ),
        operation("add", "Patient", &[name, value]),
        operation("delete", "Patient.active", &[]),
        operation("delete", "Patient.birthDate", &[]),
    ];
    let response = path_patch(&target, &operations).expect(200);
    assert_eq!(response.header("etag"), Some(r#"W/"2""#));
    let patched = response.json();
    assert_eq!(patched["name"], json!([{ "family": "Moor" }]));
    assert_eq!(patched["contact"], json!([{ "name": { "text": "a friend" }, "gender": "other" }]));
    assert_eq!(patched.get("active"), None);
    let nothing = path_patch(&target, &[]).expect(200);
    assert_eq!(nothing.header("etag"), Some(r#"W/"2""#));
}

#[test]
fn a_fhirpath_patch_that_cannot_be_carried_out_stores_nothing_and_says_where() {
    let (target, _) = stored();
    let value = |member: &str| json!({ "name": "value", member: "x" });
    let cases = [
        (
            operation("replace", "Patient.gender", &[value("valueCode")]),
            422,
            ["parameter[1]", "Patient.gender"],
        ),
        (
            operation("replace", "Patient.name[0].family", &[value("valueCode")]),
            422,
            ["parameter[1]", "valueString"],
        ),
        (
            operation("replace", "Patient.id", &[value("valueString")]),
            422,
            ["parameter[1]", "Patient.id"],
        ),
        (
            operation("replace", "Patient.id", &[value("valueId")]),
            422,
            ["Patient.id", "cannot change"],
        ),
        (
            operation("replace", "Patient.(", &[value("valueCode")]),
            400,
            ["parameter[1]", "Patient.("],
        ),
        (operation("set", "Patient.active", &[]), 400, ["parameter[1]", "set"]),
    ];
    for (bad, status, words) in cases {
        path_patch(&target, &[operation("delete", "Patient.active", &[]), bad])
            .refused(status, &words);
    }
    let now = shared().clinician().get(&format!("/fhir/{target}")).expect(200);
    assert_eq!(now.header("etag"), Some(r#"W/"1""#));
}

#[test]
fn a_patch_that_is_refused_leaves_a_trace() {
    let (target, _) = stored();
    let id = unique("patch");
    let change = json!([{ "op": "remove", "path": "/photo" }]);
    let clinician = shared().clinician();
    request(&clinician, &target, &change).header("x-request-id", &id).send().expect(422);
    let accesses = accesses_of_request(shared(), &id);
    assert_eq!(accesses.len(), 1);
    assert_eq!(
        (&accesses[0]["operation"], &accesses[0]["outcome"]),
        (&json!("patchResource"), &json!("failed"))
    );
}
