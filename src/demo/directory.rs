//! The directory of the clinic: what belongs to no patient, in one commit before all charts.

use serde_json::{Value, json};

use super::element::{concept, named_reference, reference, status};
use super::tables::medicines::{self, Medicine};
use super::tables::staff::{self, Clinician, Location, Organization};
use super::tables::{names, system};
use super::transaction::Transaction;

/// Everything in the directory, as one transaction Bundle. `timestamp` is a FHIR instant.
pub fn bundle(timestamp: &str) -> Value {
    let mut commit = Transaction::default();
    for entry in staff::ORGANIZATIONS {
        commit.put("Organization", entry.id, organization(entry));
    }
    for entry in staff::LOCATIONS {
        commit.put("Location", entry.id, location(entry));
    }
    for clinician in staff::clinicians() {
        commit.put("Practitioner", clinician.id, practitioner(&clinician));
        let role_id = format!("{}-role", clinician.id);
        commit.put("PractitionerRole", &role_id, role(&clinician));
    }
    for medicine in medicines::STOCKED {
        if let Some(id) = medicine.stocked_as {
            commit.put("Medication", id, medication(&medicine));
        }
    }
    commit.finish(timestamp)
}

fn organization(entry: &Organization) -> Value {
    json!({
        "active": true,
        "type": [status(system::ORGANIZATION_TYPE, entry.kind)],
        "name": entry.name,
        "telecom": [{"system": "phone", "value": entry.phone, "use": "work"}],
        "address": [{
            "city": "Lancaster",
            "state": names::STATE,
            "postalCode": "01523",
            "country": names::COUNTRY,
        }],
    })
}

fn location(entry: &Location) -> Value {
    json!({
        "status": "active",
        "name": entry.name,
        "mode": "instance",
        "physicalType": status(system::LOCATION_KIND, entry.kind),
        "managingOrganization": organization_reference(entry.organization),
    })
}

fn practitioner(clinician: &Clinician) -> Value {
    json!({
        "active": true,
        "identifier": [{"system": system::STAFF_NUMBER, "value": clinician.id}],
        "name": [{
            "use": "official",
            "family": clinician.family,
            "given": [clinician.given],
        }],
        "gender": clinician.gender,
    })
}

fn role(clinician: &Clinician) -> Value {
    json!({
        "active": true,
        "practitioner": named_reference("Practitioner", clinician.id, &clinician.full_name()),
        "organization": organization_reference(clinician.location.organization),
        "code": [concept(clinician.role)],
        "specialty": [concept(clinician.specialty)],
        "location": [reference("Location", clinician.location.id)],
    })
}

fn medication(medicine: &Medicine) -> Value {
    json!({"status": "active", "code": concept(medicine.code)})
}

fn organization_reference(entry: &Organization) -> Value {
    named_reference("Organization", entry.id, entry.name)
}
