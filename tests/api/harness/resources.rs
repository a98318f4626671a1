//! Small resources, and ids that no other test uses.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// An id that nobody has used before.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How large a test is to be: what a variable of the environment says, or else so large.
pub fn sized(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "active": true, "name": [{ "family": "Quist" }] })
}

pub fn practitioner(id: &str) -> Value {
    json!({ "resourceType": "Practitioner", "id": id, "name": [{ "family": "Weiss" }] })
}

/// A heart rate of a patient.
pub fn observation(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "valueQuantity": { "value": 72, "unit": "/min" },
    })
}

/// An appointment that several patients have together.
pub fn appointment(id: &str, patients: &[&str]) -> Value {
    let participant = |patient: &&str| json!({ "actor": { "reference": format!("Patient/{patient}") }, "status": "accepted" });
    let participants: Vec<Value> = patients.iter().map(participant).collect();
    json!({ "resourceType": "Appointment", "id": id, "status": "proposed", "participant": participants })
}

/// A visit of a patient.
pub fn encounter(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter",
        "id": id,
        "status": "finished",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
        "subject": { "reference": format!("Patient/{patient}") },
    })
}

/// The resource with its subject replaced.
pub fn with_reference(mut resource: Value, reference: &str) -> Value {
    resource["subject"] = json!({ "reference": reference });
    resource
}

pub fn bundle(bundle_type: &str, entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": bundle_type, "entry": entries })
}

/// An entry of a Bundle; a null resource is left out.
pub fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({ "request": { "method": method, "url": url } });
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}
