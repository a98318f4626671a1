//! Parts of resources, and other orders of their members: neither replaces the whole.

use serde_json::{Value, json};

use crate::harness::{bundle, entry, patient, shared, unique};

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

fn tagged(id: &str, tag: &Value) -> Value {
    let mut resource = patient(id);
    resource["meta"] = json!({ "tag": [{ "system": "urn:x", "code": "SUBSETTED" }, tag] });
    resource
}

/// R4 §3.1.1.5.9: the tag is there "to ensure that the incomplete resource is not accidentally used to overwrite a complete
/// resource".
#[test]
fn a_part_of_a_resource_is_not_stored() {
    let clinician = shared().clinician();
    let id = unique("p");
    clinician.put(&patient(&id)).expect(201);
    let target = format!("/fhir/Patient/{id}");
    let tag = json!({ "system": SYSTEM, "code": "SUBSETTED" });
    let words = ["SUBSETTED", "meta.tag[1]", "_summary"];
    for tag in [
        &tag,
        &json!({ "code": "SUBSETTED" }),
        &json!({ "system": "http://hl7.org/fhir/v3/ObservationValue", "code": "SUBSETTED" }),
    ] {
        let part = tagged(&id, tag);
        clinician.put(&part).refused(400, &words);
        clinician.post("/fhir/Patient", &part).refused(400, &words);
        clinician
            .request("PUT", &format!("/fhir/Patient?_id={id}"))
            .json(&part)
            .send()
            .refused(400, &words);
        clinician.post(&format!("{target}/$validate"), &part).refused(200, &words);
        for method in ["PUT", "POST"] {
            let url = if method == "PUT" { format!("Patient/{id}") } else { "Patient".to_owned() };
            let sent = bundle("transaction", &[entry(method, &url, part.clone())]);
            clinician.post("/fhir", &sent).refused(400, &["Bundle.entry[0].resource.meta.tag[1]"]);
        }
    }
    let event = json!({ "events": [{ "type": "Patient.amended", "resource": tagged(&id, &tag) }] });
    clinician.post(&format!("/v1/patients/{id}/events"), &event).problem(400, &["SUBSETTED"]);
    let patch = json!([{ "op": "add", "path": "/meta/tag", "value": [tag] }]);
    let patched = clinician.request("PATCH", &target).json(&patch).send();
    patched.refused(422, &["SUBSETTED", "meta.tag[0]"]);
    // As a client reads a part and means to write it back.
    let part = clinician.get(&format!("{target}?_elements=name")).expect(200).json();
    clinician.put(&part).refused(400, &["SUBSETTED"]);
    assert_eq!(clinician.get(&target).header("etag"), Some("W/\"1\""));
    // The same word of other systems, and parts within what is stored, mean nothing of it.
    let other = json!({ "system": "urn:y", "code": "SUBSETTED" });
    clinician.put(&tagged(&id, &other)).expect(200);
    let found = clinician.get(&format!("/fhir/Patient?_id={id}&_summary=true")).expect(200).json();
    let kept = json!({ "resourceType": "Bundle", "type": "collection", "entry": [{ "resource": found["entry"][0]["resource"] }] });
    clinician.post("/fhir/Bundle", &kept).expect(201);
}

/// FHIR R4 §2.6.2: the order of the members of a JSON object has no meaning.
#[test]
fn members_in_another_order_are_no_new_version() {
    let clinician = shared().clinician();
    let id = unique("p");
    let target = format!("/fhir/Patient/{id}");
    let put = |text: &str| clinician.request("PUT", &target).text(text.replace("ID", &id)).send();
    let first = r#"{"resourceType":"Patient","id":"ID","active":true,"name":[{"family":"Q","given":["A","B"]},{"text":"x"}],
        "extension":[{"url":"urn:x","valueDecimal":1.0}]}"#;
    put(first).expect(201);
    for same in [
        r#"{"extension":[{"valueDecimal":1.0,"url":"urn:x"}],"name":[{"given":["A","B"],"family":"Q"},{"text":"x"}],"active":true,
            "id":"ID","resourceType":"Patient"}"#,
        r#"{ "id": "ID", "active": true, "resourceType": "Patient", "name": [{ "family": "\u0051", "given": ["A", "B"] }, { "text": "x" }],
            "extension": [{ "url": "urn:x", "valueDecimal": 1.0 }], "meta": { "versionId": "9" } }"#,
    ] {
        let answer = put(same).expect(200);
        assert_eq!(answer.header("etag"), Some("W/\"1\""), "{same}");
        assert_eq!(answer.header("chartlog-position"), None, "{same}");
    }
    // The order of items has a meaning, and so have the digits of a decimal.
    for (other, version) in [
        (first.replace(r#""A","B""#, r#""B","A""#), "W/\"2\""),
        (first.replace("1.0", "1.00"), "W/\"3\""),
        (
            first.replace("1.0", "1.00").replace(r#","name""#, r#","gender":"other","name""#),
            "W/\"4\"",
        ),
    ] {
        assert_eq!(put(&other).expect(200).header("etag"), Some(version), "{other}");
    }
    // A patch that only reorders, neither.
    let same = json!([{ "op": "replace", "path": "/name/1", "value": { "text": "x" } }]);
    let patched = clinician.request("PATCH", &target).json(&same).send().expect(200);
    assert_eq!(patched.header("etag"), Some("W/\"4\""));
}
