//! Who looked: requests of people at the clinic, of patients and of one app, as they were sent in the course of the years.
//!
//! In: the commits of a chart. Out: [`Look`]s, each with its moment, after the chart was opened. Only the first charts are
//! looked at, so that a large clinic takes no longer. Never: a look that changes what a chart says, but for the one glass
//! that is broken.

use serde_json::Value;

use super::person::Person;
use super::tables::staff::{self, Clinician};
use super::{DemoOptions, patient_id};
use crate::clock::Instant;

/// Charts that are looked at.
const CHARTS_MAX: usize = 12;
/// Of so many visits, one is prepared by reading the chart.
const VISITS_PER_ROUND: usize = 8;
const MINUTE_MICROS: i64 = 60_000_000;
/// Before a visit, that the chart is read.
const BEFORE_A_VISIT: i64 = -30;
/// After a visit, in minutes, that the laboratory looks at its results, the patient at them, and a device asks for too much.
const LABORATORY: i64 = 2 * 60;
const AT_HOME: i64 = 26 * 60;
const DEVICE: i64 = 5;
/// Emergencies come at night: so long after a visit.
const EMERGENCY: i64 = (19 * 24 + 9) * 60 + 17;

/// Who asks, as a token says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Claim `sub`.
    pub subject: String,
    /// Claim `fhirUser`.
    pub fhir_user: Option<String>,
    /// Claim `role`.
    pub role: Option<&'static str>,
    /// Claim `scope`.
    pub scope: &'static str,
    /// The patient whom `patient/` scopes are about.
    pub patient: Option<String>,
    /// Claim `purpose_of_use`.
    pub purpose: Option<&'static str>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Who sends it.
    pub asker: Asker,
    /// Path and query.
    pub target: String,
    /// Why the glass is broken for it.
    pub breaks_glass: Option<&'static str>,
    /// Whether it asks for more than the asker may see.
    pub is_refused: bool,
}

/// The looks at a patient's chart, of which these are the commits with their moments.
pub fn looks(
    options: &DemoOptions,
    number: usize,
    commits: &[(Instant, Value)],
) -> Vec<(Instant, Look)> {
    if number > CHARTS_MAX {
        return Vec::new();
    }
    let person = Person::draw(options, number);
    let id = &person.id;
    let visits: Vec<_> = commits.iter().filter(|(_, commit)| has(commit, "Encounter")).collect();
    let mut looks = Vec::new();
    // At the first visit the chart is opened.
    for (at, _) in visits.iter().skip(1).step_by(VISITS_PER_ROUND) {
        let look =
            granted(clinician(&person.doctor, "physician"), format!("/v1/patients/{id}/chart"));
        looks.push((moved(*at, BEFORE_A_VISIT), look));
    }
    if let Some((at, _)) = visits.iter().find(|(_, commit)| has(commit, "DiagnosticReport")) {
        let pathologist = Asker {
            scope: "user/Observation.rs user/DiagnosticReport.rs",
            ..clinician(&staff::PATHOLOGIST, "pathologist")
        };
        let target =
            format!("/fhir/DiagnosticReport?patient={id}&_include=DiagnosticReport:result");
        looks.push((moved(*at, LABORATORY), granted(pathologist, target)));
        if number.is_multiple_of(2) {
            let patient = Asker {
                subject: id.clone(),
                fhir_user: Some(format!("Patient/{id}")),
                role: None,
                scope: "patient/*.rs",
                patient: Some(id.clone()),
                purpose: Some("PATRQT"),
            };
            let target = format!("/fhir/Observation?patient={id}&category=laboratory");
            looks.push((moved(*at, AT_HOME), granted(patient, target)));
        }
    }
    let last = visits.last();
    if let Some((at, _)) = last.filter(|_| number % 4 == 2 || options.patients == 1) {
        let monitor = Asker {
            subject: "ward-monitor".to_owned(),
            fhir_user: None,
            role: Some("device"),
            scope: "system/Observation.rs",
            patient: None,
            purpose: None,
        };
        let look = granted(monitor, format!("/fhir/Condition?patient={id}"));
        looks.push((moved(*at, DEVICE), Look { is_refused: true, ..look }));
    }
    let middle = visits.get(visits.len() / 2);
    if let Some((at, _)) = middle.filter(|_| *id == shown_patient(options)) {
        let [doctor, _] = &staff::EMERGENCY_DOCTORS;
        let asker = Asker {
            scope: "user/*.rs user/BreakGlass.c",
            ..clinician(doctor, "emergency physician")
        };
        let look = granted(asker, format!("/v1/patients/{id}/chart"));
        let breaks_glass =
            Some("Unconscious in the emergency department: allergies and medicines are needed");
        looks.push((moved(*at, EMERGENCY), Look { breaks_glass, ..look }));
    }
    looks
}

/// The patient whose chart is shown to newcomers, and whose glass was broken.
pub fn shown_patient(options: &DemoOptions) -> String {
    const SHOWN: usize = 2;
    patient_id(options.patients.min(SHOWN))
}

/// Whether a commit has a resource of a type.
pub fn has(commit: &Value, kind: &str) -> bool {
    let entries = commit.get("entry").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .any(|entry| entry.pointer("/resource/resourceType").and_then(Value::as_str) == Some(kind))
}

fn granted(asker: Asker, target: String) -> Look {
    Look { asker, target, breaks_glass: None, is_refused: false }
}

fn clinician(clinician: &Clinician, role: &'static str) -> Asker {
    Asker {
        subject: clinician.id.to_owned(),
        fhir_user: Some(format!("Practitioner/{}", clinician.id)),
        role: Some(role),
        scope: "user/*.rs",
        patient: None,
        purpose: Some("TREAT"),
    }
}

fn moved(at: Instant, minutes: i64) -> Instant {
    Instant::from_micros(at.micros().saturating_add(minutes * MINUTE_MICROS))
}
