//! Writes in a form that is older than R4 as it is told here, or of another version of FHIR.

use serde_json::{Value, json};

use crate::harness::{Setup, bundle, entry};

/// Leads plans from the element of R4B to that of R4.
const UPCASTER: &str = r#"
type = "PlanDefinition"
from = 1
where = "PlanDefinition.subjectCanonical.exists()"
[[json-patch]]
op = "move"
from = "/subjectCanonical"
path = "/purpose"
[[example]]
before = '{"resourceType":"PlanDefinition","id":"1","status":"draft","subjectCanonical":"http://example.org/group"}'
after = '{"resourceType":"PlanDefinition","id":"1","status":"draft","purpose":"http://example.org/group"}'
"#;

#[test]
fn a_refusal_says_what_is_of_r4b_and_which_upcaster_would_take_it() {
    let setup = Setup::default().file("plans.toml", UPCASTER);
    let server = setup.set("store.upcasters=.").start();
    let clinician = server.clinician();
    let plan = |member: &str| json!({ "resourceType": "PlanDefinition", "id": "p1", "status": "draft", member: "http://example.org/group" });
    let words = ["PlanDefinition.subjectCanonical", "R4B", "older form", "(plans.toml)"];
    let known = plan("subjectCanonical");
    let plain = ["not an element"];
    clinician.put(&known).refused(400, &words);
    clinician.post("/fhir/PlanDefinition", &known).refused(400, &words);
    let target = "/fhir/PlanDefinition?url=http://example.org/plan";
    clinician.request("PUT", target).json(&known).send().refused(400, &words);
    let entries = [
        entry("PUT", "PlanDefinition/p1", known.clone()),
        entry("POST", "PlanDefinition", known.clone()),
    ];
    let refused = clinician.post("/fhir", &bundle("transaction", &entries)).expect(400).json();
    let issues = refused["issue"].as_array().unwrap();
    assert_eq!(issues.len(), 2, "{refused}");
    for issue in issues {
        let told = issue["diagnostics"].as_str().unwrap();
        assert!(words[1..].iter().all(|word| told.contains(word)), "{told}");
    }
    let event = |resource: &Value| json!({ "events": [{ "type": "PlanDefinition.recorded", "resource": resource }] });
    clinician.post("/v1/patients/x/events", &event(&known)).problem(400, &words[1..]);
    let validated =
        clinician.post("/fhir/PlanDefinition/$validate", &known).expect(200).text().to_owned();
    assert!(validated.contains("plans.toml"), "{validated}");

    // No upcaster knows what to do with this one.
    let response = clinician.put(&plan("other")).refused(400, &plain);
    assert!(!response.text().contains("plans.toml"), "{}", response.text());
    let product = json!({ "resourceType": "NutritionProduct", "status": "active" });
    let refused =
        clinician.post("/fhir", &bundle("transaction", &[entry("POST", "Basic", product)]));
    refused.refused(400, &["not a resource type of FHIR R4", "R4B (4.3)"]);
    // In the form of today it is taken.
    clinician.put(&plan("purpose")).expect(201);
}
