//! What one request may take: memory, work, and a place among those that take much.

use crate::harness::shared;

#[test]
fn a_body_of_very_many_values_is_refused() {
    let clinician = shared().clinician();
    let many = format!("[0{}]", ",0".repeat(3_000_000));
    for target in ["/fhir", "/fhir/Observation"] {
        let request = clinician.request("POST", target).text(many.clone());
        request.send().refused(400, &["more than 3000000 values"]);
    }
}
