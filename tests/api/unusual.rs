//! The report on unusual accesses: each rule, and what it passes over.

use serde_json::{Value, json};

use crate::harness::{Server, Setup, patient, practitioner};
use crate::reports::{columns, rows, with_claims};
use crate::tokens::seconds_from_now;

/// Rule, patient and number of what is unusual about a user, with the reasons.
#[track_caller]
fn unusual(server: &Server, subject: &str) -> (Vec<[Value; 3]>, Vec<String>) {
    let found = rows(&server.auditor(), &format!("unusual?actor={subject}"));
    let why = found.iter().map(|row| row["why"].as_str().unwrap().to_owned()).collect();
    (columns(&found, ["rule", "patient", "count"]), why)
}

/// A server where it is never night.
fn by_day() -> Setup {
    Setup::default().set("audit.night_begins_hour=0").set("audit.night_ends_hour=0")
}

#[test]
fn an_access_without_a_relation_is_unusual_and_one_with_is_not() {
    let server = by_day().start();
    let clinician = server.clinician();
    let role = json!({ "resourceType": "PractitionerRole", "id": "r1",
        "practitioner": { "reference": "Practitioner/dr-role" } });
    clinician.put(&practitioner("dr-visit")).expect(201);
    clinician.put(&practitioner("dr-role")).expect(201);
    clinician.put(&role).expect(201);
    let mut family = patient("p1");
    family["generalPractitioner"] = json!([{ "display": "Dr. Gudrun Hausärztin" }]);
    family["generalPractitioner"][0]["reference"] = json!("Practitioner/dr-house");
    clinician.put(&practitioner("dr-house")).expect(201);
    clinician.put(&family).expect(201);
    let encounter = json!({ "resourceType": "Encounter", "id": "e1", "status": "finished",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
        "subject": { "reference": "Patient/p1" },
        "participant": [{ "individual": { "reference": "Practitioner/dr-visit" } }] });
    clinician.put(&encounter).expect(201);
    let team = json!({ "resourceType": "CareTeam", "id": "t1", "subject": { "reference": "Patient/p1" },
        "participant": [{ "member": { "reference": "PractitionerRole/r1" } }] });
    clinician.put(&team).expect(201);
    let read = |claims: Value| {
        let actor = with_claims(&server, &claims);
        actor.get("/fhir/Encounter/e1").expect(200);
        actor.get("/fhir/Patient/p1").expect(200);
    };
    for claims in [
        json!({ "sub": "dr-visit" }),
        json!({ "sub": "https://clinic.example/fhir/Practitioner/dr-visit" }),
        json!({ "sub": "dr-role" }),
        json!({ "sub": "u17", "fhirUser": "https://clinic.example/fhir/Practitioner/dr-visit" }),
        json!({ "sub": "gh", "name": "Hausarztin, Gudrun" }),
        // A program, and the patient.
        json!({ "sub": "loader", "scope": "system/*.rs" }),
        json!({ "sub": "own", "scope": "patient/*.rs", "patient": "p1" }),
    ] {
        read(claims.clone());
        let subject = claims["sub"].as_str().unwrap();
        assert_eq!(unusual(&server, subject).0, Vec::<[Value; 3]>::new(), "{claims}");
    }
    read(json!({ "sub": "dr-stranger", "name": "Dr Stranger" }));
    let (found, why) = unusual(&server, "dr-stranger");
    assert_eq!(found, [[json!("no-relation"), json!("p1"), json!(2)]]);
    assert_eq!(why, ["no visit, care team, order or plan in the chart names the user"]);
    // Who was shown nothing has seen nothing.
    let refused = server.actor("dr-curious", "user/Observation.r");
    refused.get("/fhir/Patient/p1").expect(403);
    server.auditor().get("/v1/patients/p1/accesses").expect(200);
    for subject in ["dr-curious", "auditor"] {
        assert_eq!(unusual(&server, subject).0, Vec::<[Value; 3]>::new(), "{subject}");
    }
    // The patient sees that this was looked at.
    let page = server.auditor().get("/v1/accesses?patient=p1&operation=readReport").expect(200);
    assert!(!page.json()["accesses"].as_array().unwrap().is_empty());
}

#[test]
fn own_charts_surnames_labels_and_the_night_are_unusual() {
    let hour = u64::try_from(seconds_from_now(0) / 3_600 % 24).unwrap();
    let server = Setup::default()
        .set("audit.unusual_no_relation=false")
        .set(&format!("audit.night_begins_hour={}", (hour + 23) % 24))
        .set(&format!("audit.night_ends_hour={}", (hour + 2) % 24))
        .set("audit.vip_codes=http://x.example/labels|famous,VIP")
        .start();
    let clinician = server.clinician();
    let mut named = patient("p1");
    named["name"] = json!([{ "family": "de la Cruz", "given": ["María", "Eva"] }]);
    named["identifier"] = json!([{ "system": "http://x.example/staff", "value": "staff-17" }]);
    clinician.put(&named).expect(201);
    let label = json!({ "system": "http://x.example/labels", "code": "famous" });
    for (id, list, label) in [
        ("p2", "security", label.clone()),
        ("p3", "tag", json!({ "system": "http://y.example", "code": "VIP" })),
        ("p4", "tag", json!({ "system": "http://y.example", "code": "famous" })),
    ] {
        let mut labelled = patient(id);
        labelled["meta"] = json!({ list: [label] });
        clinician.put(&labelled).expect(201);
    }
    let found = |claims: Value, patient: &str| {
        let actor = with_claims(&server, &claims);
        actor.get(&format!("/fhir/Patient/{patient}")).expect(200);
        let (found, why) = unusual(&server, claims["sub"].as_str().unwrap());
        let rules: Vec<String> =
            found.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
        (rules, why)
    };
    let (rules, why) = found(json!({ "sub": "a", "name": "Dr. Juan De La Cruz" }), "p1");
    assert_eq!(rules, ["night", "same-surname"]);
    assert!(why[0].starts_with("begun at ") && why[0].ends_with(" (UTC)"), "{why:?}");
    assert_eq!(why[1], "user and patient have the same surname");
    for (claims, reason) in [
        (json!({ "sub": "b", "name": "Maria de la Cruz, MD" }), "name"),
        (json!({ "sub": "c", "name": "Maria de la Cruz" }), "user and patient have the same name"),
        (json!({ "sub": "staff-17" }), "the user is an identifier of the patient"),
        (json!({ "sub": "p1" }), "the user is the patient"),
        (
            json!({ "sub": "g", "fhirUser": "https://x.example/fhir/Patient/p1" }),
            "the user is the patient",
        ),
    ] {
        // Behind a comma stand given names, unless it is a title.
        let (rules, why) = found(claims.clone(), "p1");
        assert_eq!(rules, ["night", "own-chart"], "{claims}");
        assert!(why[1].contains(reason), "{claims} {why:?}");
    }
    for (subject, patient, label) in [
        ("d", "p2", Some("the Patient is labelled http://x.example/labels|famous")),
        ("e", "p3", Some("the Patient is labelled VIP")),
        ("f", "p4", None),
    ] {
        let (rules, why) = found(json!({ "sub": subject, "name": "Dr Adams" }), patient);
        let expected: &[&str] = if label.is_some() { &["night", "vip"] } else { &["night"] };
        assert_eq!(rules, expected, "{patient}");
        assert_eq!(why.get(1).map(String::as_str), label);
    }
}

#[test]
fn a_rule_that_is_off_finds_nothing() {
    let mut setup = by_day();
    for rule in ["own_chart", "same_surname", "vip", "no_relation", "night"] {
        setup = setup.set(&format!("audit.unusual_{rule}=false"));
    }
    let server = setup.start();
    let mut labelled = patient("p1");
    labelled["meta"] = json!({ "tag": [{ "code": "VIP" }] });
    server.clinician().put(&labelled).expect(201);
    with_claims(&server, &json!({ "sub": "p1", "name": "A Quist" }))
        .get("/fhir/Patient/p1")
        .expect(200);
    assert_eq!(rows(&server.auditor(), "unusual"), Vec::<Value>::new());
}
