//! `Prefer`: what clients would rather have, known here or not.

use serde_json::{Value, json};

use crate::harness::{patient, shared, unique};

#[test]
fn prefer_chooses_what_a_write_answers() {
    let clinician = shared().clinician();
    let prefer = |method: &str, target: &str, body: Option<&Value>, prefer: &str| {
        let request = clinician.request(method, target).header("prefer", prefer);
        body.map_or(request.clone(), |body| request.json(body)).send()
    };
    let id = unique("prefer");
    let target = format!("/fhir/Patient/{id}");
    let mut resource = patient(&id);
    let minimal = prefer("PUT", &target, Some(&resource), "return=minimal").expect(201);
    assert!(minimal.body.is_empty());
    assert_eq!(minimal.header("etag"), Some("W/\"1\""));
    assert!(minimal.header("location").is_some() && minimal.header("last-modified").is_some());

    resource["active"] = json!(false);
    let whole = prefer("PUT", &target, Some(&resource), "return=representation").expect(200);
    let mut whole = whole.json();
    whole.as_object_mut().unwrap().remove("meta");
    assert_eq!(whole, resource);

    resource["active"] = json!(true);
    let outcome = prefer("PUT", &target, Some(&resource), "return=OperationOutcome").expect(200);
    assert_eq!(outcome.json()["resourceType"], "OperationOutcome");
    assert_eq!(outcome.json()["issue"][0]["severity"], "information");

    let several = "handling=strict; return=minimal";
    assert!(prefer("PUT", &target, Some(&resource), several).expect(200).body.is_empty());

    let outcome = prefer("DELETE", &target, None, "return=OperationOutcome").expect(200);
    assert_eq!(outcome.json()["resourceType"], "OperationOutcome");
    clinician.get(&target).refused(410, &[]);
}

/// RFC 7240 §2: what is not known is as if it had not been said, and of several the first counts; §4.2 says what `return` means.
#[test]
fn preferences_that_nobody_knows_are_ignored() {
    let clinician = shared().clinician();
    let resource = patient(&unique("prefer"));
    let target = format!("/fhir/Patient/{}", resource["id"].as_str().unwrap());
    let send = |preferences: &[&str]| {
        let request = clinician.request("PUT", &target).json(&resource);
        let request =
            preferences.iter().fold(request, |request, one| request.header("prefer", *one));
        let answer = request.send();
        assert!([200, 201].contains(&answer.status), "{preferences:?}: {}", answer.status);
        match answer.body.is_empty() {
            true => "nothing".to_owned(),
            false => answer.json()["resourceType"].as_str().unwrap().to_owned(),
        }
    };
    for (preferences, expected) in [
        // A well-known client sends this.
        (&["return=presentation"][..], "Patient"),
        (&["return=everything"], "Patient"),
        (&["return"], "Patient"),
        (&["return="], "Patient"),
        (&["return=\"\""], "Patient"),
        (&["respond-async"], "Patient"),
        (&["respond-async, wait=10, return=minimal"], "nothing"),
        (&["safe", "depth-noroot", "return=minimal"], "nothing"),
        (&["odata.continue-on-error; x=y"], "Patient"),
        (&["handling=strict", "return=OperationOutcome"], "OperationOutcome"),
        (&["handling=loose, return=minimal"], "nothing"),
        (&["RETURN = Minimal"], "nothing"),
        (&["return=\"minimal\""], "nothing"),
        (&["return=minimal; unknown=\"a, return=representation\""], "nothing"),
        (&["return=minimal, return=representation"], "nothing"),
        (&["return=minimal", "return=representation"], "nothing"),
        (&["return=presentation", "return=minimal"], "Patient"),
        (&["unknown=\"return=minimal"], "Patient"),
        (&[",;=, ;"], "Patient"),
    ] {
        assert_eq!(send(preferences), expected, "{preferences:?}");
    }
    // A Bundle is answered in short unless something known is preferred.
    let entry =
        json!({ "request": { "method": "PUT", "url": &target[6..] }, "resource": resource });
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
    for (preference, is_whole) in [
        ("handling=strict", false),
        ("return=presentation", false),
        ("return=representation", true),
    ] {
        let request = clinician.request("POST", "/fhir").header("prefer", preference);
        let answer = request.json(&bundle).send().expect(200).json();
        assert_eq!(answer["entry"][0].get("resource").is_some(), is_whole, "{preference}");
    }
}
