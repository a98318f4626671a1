//! Under which patients an entry is filed when nothing of them left: what was refused, empty or only counted.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::audit_matrix::{clinic, patients, sent};
use crate::harness::{bundle, entry, only_access_of_request, patient};

#[test]
fn what_was_refused_or_empty_is_filed_under_the_patient_it_was_about() {
    let server = clinic();
    let clinician = server.clinician();
    let narrow = server.actor("lab", "user/Observation.rs");
    let other = server.patient_app("q");
    let long = "x".repeat(9_000);
    let padded = format!("/fhir/Observation?patient=p&code={long}");
    let behind = format!("/fhir/Observation?code={long}&patient=p");
    for (actor, target, status) in [
        (&narrow, "/fhir/Patient/p", 403),
        (&narrow, "/fhir/Patient?_id=p", 403),
        (&narrow, "/fhir/Patient/p/$everything", 200),
        (&other, "/fhir/Patient/p", 404),
        (&other, "/v1/patients/p/chart", 403),
        (&clinician, "/fhir/Patient?_id=p&gender=male&_summary=count", 200),
        (&clinician, "/fhir/Patient?_id=p&_count=0", 200),
        (&clinician, "/fhir/Patient?_id=p&gender=male", 200),
        (&clinician, "/fhir/Condition?patient=p", 200),
        (&clinician, "/fhir/Condition?subject=Patient/p", 200),
        (&clinician, "/fhir/Condition?patient._id=p", 200),
        (&clinician, "/fhir/Condition?subject:Patient.gender=male&patient=p", 200),
        (&clinician, "/fhir/Observation?patient=p&nonsense=1", 400),
        (&clinician, "/fhir/Patient/p/nonsense", 404),
        (&clinician, "/fhir/Patient/p?nonsense=1", 400),
        (&clinician, &padded, 200),
        (&clinician, &behind, 200),
    ] {
        let (id, response) = sent(actor.request("GET", target));
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{target}: {body}");
        let access = only_access_of_request(&server, &id);
        assert!(patients(&access).contains("p"), "{target}: {access}");
        let list =
            server.patient_app("p").get("/v1/patients/p/accesses?count=5").expect(200).json();
        let list = list["accesses"].as_array().unwrap().clone();
        assert!(list.iter().any(|entry| entry["clientRequest"] == id.as_str()), "{target}");
    }
}

#[test]
fn counts_and_chains_that_narrow_to_few_are_filed_under_each() {
    let server = clinic();
    let clinician = server.clinician();
    for (target, about) in [
        ("/fhir/Observation?_summary=count", &["p", "q"] as &[&str]),
        ("/fhir/Observation?_total=accurate&_count=1", &["p", "q"]),
        ("/fhir/Patient?family=quist&_count=0", &["p", "q"]),
        ("/fhir/Patient?general-practitioner=Practitioner/w&_summary=count", &["p"]),
        ("/fhir/Condition?patient.family=Quist", &["p", "q"]),
        ("/fhir/Condition?patient.general-practitioner=Practitioner/w", &["p"]),
        ("/fhir/Condition?encounter.identifier=77", &["p"]),
        ("/fhir/Condition?patient.family=Nobody", &[]),
        (
            "/fhir/Practitioner?_has:Patient:general-practitioner:family=Quist&_summary=count",
            &["p", "q"],
        ),
    ] {
        let (id, response) = sent(clinician.request("GET", target));
        response.expect(200);
        let access = only_access_of_request(&server, &id);
        let about: BTreeSet<String> = about.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(patients(&access), about, "{target}: {access}");
    }
    // Of very many it says how many they were, as any figure of the clinic.
    let many: Vec<Value> = (0..101)
        .map(|at| entry("PUT", &format!("Patient/m{at}"), patient(&format!("m{at}"))))
        .collect();
    clinician.post("/fhir", &bundle("transaction", &many)).expect(200);
    let (id, response) = sent(clinician.request("GET", "/fhir/Patient?_summary=count"));
    assert_eq!(response.expect(200).json()["total"], 103);
    assert_eq!(patients(&only_access_of_request(&server, &id)), BTreeSet::new());
}

#[test]
fn words_that_are_too_long_are_marked_as_cut() {
    let server = clinic();
    let target = format!("/fhir/Observation?code={}&patient=p", "x".repeat(20_000));
    let (id, response) = sent(server.clinician().request("GET", &target));
    response.expect(200);
    let access = only_access_of_request(&server, &id);
    let query = access["query"].as_str().unwrap();
    let mark = format!("[cut: {} bytes in all, SHA-256 ", target.len());
    assert!(query.len() < 9_000 && query.contains(&mark), "{}", &query[query.len() - 200..]);
}
