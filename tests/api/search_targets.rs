//! Where references lead in a search: by an id alone, over versions and canonicals, into contained resources; and what
//! that tells to whom.

use serde_json::{Value, json};

use crate::harness::{Actor, observation, patient, shared, unique};
use crate::search::found;

#[test]
fn an_id_of_resources_of_two_types_is_refused_to_those_who_may_find_both() {
    let server = shared();
    let clinician = server.clinician();
    let id = unique("p");
    let group = json!({ "resourceType": "Group", "id": id, "type": "person", "actual": true });
    let of_patient = observation(&unique("o"), &id);
    clinician.put(&patient(&id)).expect(201);
    clinician.put(&of_patient).expect(201);
    let address = format!("Observation?subject={id}");
    let own = [of_patient["id"].as_str().unwrap().to_owned()];
    assert_eq!(found(&clinician, &address), own);
    clinician.put(&group).expect(201);
    let words = ["subject", &format!("Group/{id}"), &format!("Patient/{id}"), "type"];
    clinician.get(&format!("/fhir/{address}")).refused(400, &words);
    clinician.get(&format!("/fhir/Observation?has-member.subject={id}")).refused(400, &words);
    let referring = format!("/fhir/Patient?_has:Observation:patient:subject={id}");
    clinician.get(&referring).refused(400, &words);
    clinician.delete(&format!("/fhir/{address}")).refused(400, &words);
    assert_eq!(found(&clinician, &format!("Observation?subject=Patient/{id}")), own);
    assert_eq!(found(&clinician, &format!("Observation?subject:Patient={id}")), own);
    assert_eq!(found(&clinician, &format!("Observation?patient={id}")), own);
    // Who may not find the other is not told of it.
    let without = server.actor("nurse", "user/Patient.rs user/Observation.rs");
    assert_eq!(found(&without, &address), own);
    let app = server.patient_app(&id);
    assert_eq!(found(&app, &address), own);
}

#[test]
fn a_chain_over_a_reference_to_a_version_says_so() {
    let clinician = shared().clinician();
    let (id, one) = (unique("p"), unique("o"));
    clinician.put(&patient(&id)).expect(201);
    let mut versioned = observation(&one, &id);
    versioned["subject"]["reference"] = json!(format!("Patient/{id}/_history/1"));
    clinician.put(&versioned).expect(201);
    let search = |target: &str| clinician.get(&format!("/fhir/{target}")).expect(200).json();
    let bundle = search(&format!("Observation?patient._id={id}&_total=accurate"));
    assert_eq!(bundle["total"], 1);
    let modes: Vec<&Value> =
        bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["search"]["mode"]).collect();
    assert_eq!(modes, ["match", "outcome"]);
    let issue = &bundle["entry"][1]["resource"]["issue"][0];
    assert_eq!(issue["severity"], "warning");
    let text = issue["diagnostics"].as_str().unwrap();
    for word in [&format!("Patient/{id}/_history/1"), "current version"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(search(&format!("Observation?patient={id}"))["entry"].as_array().unwrap().len(), 1);
    clinician.put(&observation(&one, &id)).expect(200);
    let bundle = search(&format!("Observation?patient._id={id}"));
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1);
}

#[test]
fn what_lies_within_a_resource_is_searched_by_those_who_may_search_its_type() {
    let server = shared();
    let clinician = server.clinician();
    let (id, code) = (unique("m"), unique("code"));
    let within = json!({ "resourceType": "MedicationRequest", "id": id, "status": "active",
        "intent": "order", "subject": { "display": "x" },
        "contained": [{ "resourceType": "Medication", "id": "m",
            "code": { "coding": [{ "code": code }] } }],
        "medicationReference": { "reference": "#m" } });
    clinician.put(&within).expect(201);
    let address = format!("MedicationRequest?medication.code={code}");
    assert_eq!(found(&clinician, &address), [id.clone()]);
    let without = server.actor("nurse", "user/MedicationRequest.rs");
    without.get(&format!("/fhir/{address}")).refused(403, &["Medication"]);
    assert_eq!(found(&without, &format!("MedicationRequest?_id={id}")), [id]);
}

#[test]
fn a_canonical_leads_only_to_what_its_searcher_may_find() {
    let server = shared();
    let clinician = server.clinician();
    let (id, answer) = (unique("q"), unique("r"));
    let url = format!("http://acme.org/{id}");
    let title = unique("title");
    clinician
        .put(&json!({ "resourceType": "Questionnaire", "id": id, "status": "active", "url": url,
            "version": "1", "title": title }))
        .expect(201);
    clinician
        .put(&json!({ "resourceType": "QuestionnaireResponse", "id": answer,
            "status": "completed", "questionnaire": format!("{url}|1") }))
        .expect(201);
    let include = format!(
        "/fhir/QuestionnaireResponse?_id={answer}&_include=QuestionnaireResponse:questionnaire"
    );
    let entries = |actor: &Actor, target: &str| {
        let bundle = actor.get(target).expect(200).json();
        bundle["entry"].as_array().map_or(0, Vec::len)
    };
    let chain = format!("/fhir/QuestionnaireResponse?questionnaire.title={title}");
    let referring =
        format!("/fhir/Questionnaire?_id={id}&_revinclude=QuestionnaireResponse:questionnaire");
    assert_eq!(entries(&clinician, &include), 2);
    assert_eq!(entries(&clinician, &chain), 1);
    assert_eq!(entries(&clinician, &referring), 2);
    let without = server.actor("nurse", "user/QuestionnaireResponse.rs");
    assert_eq!(entries(&without, &include), 1);
    without.get(&chain).refused(403, &["Questionnaire"]);
    let finding = server.actor("nurse", "user/QuestionnaireResponse.rs user/Questionnaire.s");
    assert_eq!(entries(&finding, &include), 1);
    assert_eq!(entries(&finding, &chain), 1);
    let questions = server.actor("nurse", "user/Questionnaire.rs");
    assert_eq!(entries(&questions, &referring), 1);
    // A hierarchy is told by who may both read and find it.
    let system = format!("http://acme.org/systems/{id}");
    clinician
        .put(&json!({ "resourceType": "CodeSystem", "id": id, "status": "active", "url": system,
            "content": "complete", "concept": [{ "code": "a", "concept": [{ "code": "b" }] }] }))
        .expect(201);
    let mut value = observation(&unique("o"), &unique("p"));
    value["code"] = json!({ "coding": [{ "system": system, "code": "b" }] });
    clinician.put(&value).expect(201);
    let below = format!("/fhir/Observation?code:below={system}|a");
    assert_eq!(entries(&clinician, &below), 1);
    let missing = format!("/fhir/Observation?code:below={system}x|a");
    clinician.get(&missing).refused(400, &["code", "not on this server"]);
    for scopes in ["user/Observation.rs", "user/Observation.rs user/CodeSystem.s"] {
        server.actor("nurse", scopes).get(&below).refused(403, &["CodeSystem"]);
    }
}
