//! The Patient resource and the Coverage that pays for the visits.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{day, moment, named_reference, reference, set};
use super::gender::Gender;
use super::person::Person;
use super::tables::{names, staff, system};
use super::transaction::Transaction;

/// The Patient as the clinic knows the person now.
pub fn write(person: &Person, commit: &mut Transaction) {
    commit.put("Patient", &person.id, body(person));
}

/// The Patient after death, whose hour is noon for want of a better one.
pub fn write_deceased(person: &Person, death: NaiveDate, commit: &mut Transaction) {
    let mut body = body(person);
    set(&mut body, "deceasedDateTime", json!(moment(death, 12 * 60)));
    set(&mut body, "active", json!(false));
    commit.put("Patient", &person.id, body);
}

pub fn write_coverage(person: &Person, commit: &mut Transaction) {
    let patient = reference("Patient", &person.id);
    let insurer = named_reference("Organization", staff::INSURER.id, staff::INSURER.name);
    let body = json!({
        "status": "active",
        "subscriberId": format!("CM{:07}", person.number * 37 + 1_000_003),
        "identifier": [{
            "system": system::MEMBER_NUMBER,
            "value": format!("{:09}", person.number * 101 + 500_000_009),
        }],
        "beneficiary": patient,
        "relationship": {
            "coding": [{"system": system::COVERAGE_RELATIONSHIP, "code": "self"}],
        },
        "period": {"start": day(person.registered)},
        "payor": [insurer],
    });
    commit.put("Coverage", &format!("{}-cov-01", person.id), body);
}

fn body(person: &Person) -> Value {
    let address = &person.address;
    let marital = json!({
        "coding": [{"system": system::MARITAL_STATUS, "code": person.marital}],
    });
    let (language, language_name) = match person.spanish_speaking {
        true => ("es", "Spanish"),
        false => ("en", "English"),
    };
    let prefix = match (person.gender, person.marital) {
        (Gender::Male, _) => "Mr.",
        (Gender::Female, "M" | "W") => "Mrs.",
        (Gender::Female, _) => "Ms.",
    };
    json!({
        "active": true,
        "identifier": [{
            "use": "usual",
            "type": {"coding": [{"system": system::IDENTIFIER_TYPE, "code": "MR"}]},
            "system": system::RECORD_NUMBER,
            "value": format!("MRN-{:06}", person.number),
        }],
        "name": [{
            "use": "official",
            "family": person.family,
            "given": [person.given, person.second],
            "prefix": [prefix],
        }],
        "telecom": [
            {
                "system": "phone",
                "value": format!("+1-978-555-{:04}", person.phone),
                "use": "mobile",
            },
            {
                "system": "email",
                "value": format!("patient{:04}@mail.example", person.number),
                "use": "home",
            },
        ],
        "gender": person.gender.code(),
        "birthDate": day(person.birth),
        "address": [{
            "use": "home",
            "line": [format!("{} {}", address.house, address.street)],
            "city": address.town.name,
            "state": names::STATE,
            "postalCode": address.town.postal_code,
            "country": names::COUNTRY,
        }],
        "maritalStatus": marital,
        "communication": [{
            "language": {"coding": [{
                "system": system::LANGUAGE,
                "code": language,
                "display": language_name,
            }]},
            "preferred": true,
        }],
        "generalPractitioner": [named_reference(
            "Practitioner",
            person.doctor.id,
            &person.doctor.full_name(),
        )],
        "managingOrganization": reference("Organization", staff::CLINIC.id),
    })
}
