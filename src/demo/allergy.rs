//! Allergies.

use serde_json::{Value, json};

use super::element::{concept, status};
use super::pen::Pen;
use super::tables::allergies::{ALLERGIES, Allergy, PENICILLIN_ALLERGY};
use super::tables::system;
use super::visit::Visit;

/// Of a hundred patients, how many have one particular allergy.
const PREVALENCE_PERCENT: u32 = 7;

/// Asks for allergies, as is done at the first visit. Tells whether penicillin is among them.
pub fn write(visit: &Visit, pen: &mut Pen) -> bool {
    let mut to_penicillin = false;
    for allergy in &ALLERGIES {
        if pen.random.chance(PREVALENCE_PERCENT) {
            pen.put("AllergyIntolerance", body(visit, allergy));
            to_penicillin |= allergy.code == PENICILLIN_ALLERGY.code;
        }
    }
    to_penicillin
}

/// An allergy that the patient does not have.
pub fn write_wrong(visit: &Visit, pen: &mut Pen) -> String {
    pen.put("AllergyIntolerance", body(visit, &PENICILLIN_ALLERGY))
}

fn body(visit: &Visit, allergy: &Allergy) -> Value {
    json!({
        "clinicalStatus": status(system::ALLERGY_CLINICAL, "active"),
        "verificationStatus": status(system::ALLERGY_VERIFICATION, "confirmed"),
        "type": "allergy",
        "category": [allergy.category],
        "criticality": if allergy.severity == "severe" { "high" } else { "low" },
        "code": concept(allergy.code),
        "patient": visit.subject(),
        "encounter": visit.encounter(),
        "recordedDate": visit.end(),
        "recorder": visit.author(),
        "asserter": visit.subject(),
        "reaction": [{
            "manifestation": [concept(allergy.reaction)],
            "severity": allergy.severity,
        }],
    })
}
