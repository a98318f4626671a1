//! Conditions on versions: `If-Match` and `If-None-Match` (FHIR R4 §3.1.0.5, RFC 9110 §13.1).

use serde_json::json;

use crate::harness::{patient, shared, unique};

/// RFC 9110 §13.1.1 and §13.1.2, for every interaction that writes; FHIR R4 §3.1.0.5.
#[test]
fn a_condition_may_name_several_versions_or_any() {
    let clinician = shared().clinician();
    let (if_match, if_none_match) = ("if-match", "if-none-match");
    let cases: [(&[(&str, &str)], bool); 15] = [
        (&[(if_match, "*")], true),
        (&[(if_match, "W/\"7\", W/\"2\"")], true),
        (&[(if_match, ",\"2\" ,")], true),
        (&[(if_match, "W/\"7\""), (if_match, "W/\"2\"")], true),
        (&[(if_match, "W/\"2\""), (if_match, "W/\"7\"")], true),
        (&[(if_match, "W/\"1\", W/\"3\"")], false),
        (&[(if_match, "W/\"1\""), (if_match, "W/\"02\"")], false),
        (&[(if_none_match, "*")], false),
        (&[(if_none_match, "W/\"2\"")], false),
        (&[(if_none_match, "W/\"1\", W/\"2\"")], false),
        (&[(if_none_match, "W/\"1\""), (if_none_match, "W/\"2\"")], false),
        (&[(if_none_match, "W/\"1\", W/\"02\"")], true),
        (&[(if_match, "*"), (if_none_match, "W/\"1\"")], true),
        (&[(if_match, "*"), (if_none_match, "W/\"2\"")], false),
        (&[(if_match, "W/\"1\""), (if_none_match, "W/\"1\"")], false),
    ];
    let change = json!([{ "op": "add", "path": "/active", "value": true }]);
    for (conditions, holds) in cases {
        for (method, by_criteria) in [
            ("PUT", false),
            ("PATCH", false),
            ("DELETE", false),
            ("PUT", true),
            ("PATCH", true),
            ("DELETE", true),
        ] {
            let id = unique("c");
            let mut resource = patient(&id);
            resource["identifier"] = json!([{ "system": "urn:test", "value": id }]);
            clinician.put(&resource).expect(201);
            resource["active"] = json!(false);
            clinician.put(&resource).expect(200);
            resource["multipleBirthInteger"] = json!(2);
            let target = match by_criteria {
                true => format!("/fhir/Patient?identifier=urn:test|{id}"),
                false => format!("/fhir/Patient/{id}"),
            };
            let mut request = clinician.request(method, &target);
            for (name, value) in conditions {
                request = request.header(name, *value);
            }
            let request = match method {
                "PUT" => request.json(&resource),
                "PATCH" => request.json(&change),
                _ => request,
            };
            let answer = request.send();
            let context = format!("{method} {target} {conditions:?}");
            assert_eq!(answer.status / 100 == 2, holds, "{context}: {}", answer.text());
            let current = clinician.get(&format!("/fhir/Patient/{id}"));
            match holds {
                true => assert_ne!(current.header("etag"), Some("W/\"2\""), "{context}"),
                false => {
                    answer.refused(
                        412,
                        &[if conditions[0].0 == if_match { "If-" } else { "exists" }],
                    );
                    assert_eq!(current.header("etag"), Some("W/\"2\""), "{context}");
                }
            }
        }
    }
}

#[test]
fn if_match_does_not_hold_of_what_does_not_exist() {
    let clinician = shared().clinician();
    let id = unique("never");
    for tag in ["*", "W/\"1\", W/\"2\""] {
        for (method, target) in [
            ("PUT", format!("/fhir/Patient/{id}")),
            ("DELETE", format!("/fhir/Patient/{id}")),
            ("PUT", format!("/fhir/Patient?identifier=urn:test|{id}")),
            ("DELETE", format!("/fhir/Patient?identifier=urn:test|{id}")),
        ] {
            let request = clinician.request(method, &target).header("if-match", tag);
            let request = if method == "PUT" { request.json(&patient(&id)) } else { request };
            request.send().refused(412, &["If-Match"]);
        }
    }
    clinician.get(&format!("/fhir/Patient/{id}")).refused(404, &[]);
}

#[test]
fn ids_of_versions_are_texts() {
    let clinician = shared().clinician();
    let id = unique("v");
    clinician.put(&patient(&id)).expect(201);
    let target = format!("/fhir/Patient/{id}");
    clinician.get(&format!("{target}/_history/1")).expect(200);
    for other in ["01", "+1", "1.0", "2", "0"] {
        clinician.get(&format!("{target}/_history/{other}")).refused(404, &[]);
    }
    // The lines of If-None-Match are one list, and no other text is the version's.
    let get = |tags: &[&str]| {
        let request = clinician.request("GET", &target);
        tags.iter().fold(request, |request, tag| request.header("if-none-match", *tag)).send()
    };
    get(&["W/\"7\"", "W/\"1\""]).expect(304);
    get(&["W/\"01\"", "\"7\""]).expect(200);
}
