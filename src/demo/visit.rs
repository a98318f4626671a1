//! One visit: who sees whom, when, why and where, and the Encounter that says so.
//!
//! Every other writer takes a [`Visit`] for what all entries of a visit have in common.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, moment, named_reference, reference, set, status};
use super::pen::Pen;
use super::person::Person;
use super::schedule::{Appointment, Reason};
use super::tables::staff::{Clinician, EMERGENCY_DOCTORS};
use super::tables::{Coding, coding, snomed, system};

pub struct Visit<'a> {
    pub person: &'a Person,
    pub date: NaiveDate,
    pub reason: Reason,
    pub is_first: bool,
    pub clinician: Clinician,
    /// Id of the Encounter.
    encounter: String,
    start_minute: i64,
    length_minutes: i64,
}

impl<'a> Visit<'a> {
    pub fn begin(
        person: &'a Person,
        appointment: &Appointment,
        is_first: bool,
        pen: &mut Pen,
    ) -> Self {
        let emergency = appointment.reason.is_emergency();
        let (clinician, start_minute) = match emergency {
            true => (pen.random.pick(&EMERGENCY_DOCTORS), pen.random.between(30, 21 * 60)),
            false => (person.doctor, pen.random.between(16, 32) * 30),
        };
        Self {
            person,
            date: appointment.date,
            reason: appointment.reason,
            is_first,
            clinician,
            encounter: pen.next_id("Encounter"),
            start_minute,
            length_minutes: pen.random.between(3, 9) * 5,
        }
    }

    /// The Encounter, which names the problems (by id of their Conditions) that it was about.
    pub fn write(&self, diagnoses: &[String], pen: &mut Pen) {
        let (class, kind) = self.class_and_kind();
        let performer = status(system::PARTICIPATION, "PPRF");
        let organization = self.clinician.location.organization;
        let mut body = json!({
            "status": "finished",
            "class": {"system": class.system, "code": class.code, "display": class.display},
            "type": [concept(kind)],
            "subject": self.subject(),
            "participant": [{"type": [performer], "individual": self.author()}],
            "period": {"start": self.start(), "end": self.end()},
            "location": [{"location": named_reference(
                "Location",
                self.clinician.location.id,
                self.clinician.location.name,
            )}],
            "serviceProvider":
                named_reference("Organization", organization.id, organization.name),
        });
        if let Reason::Acute(problem) = self.reason {
            set(&mut body, "reasonCode", json!([concept(problem.code)]));
        }
        if !diagnoses.is_empty() {
            let diagnoses: Vec<Value> = diagnoses
                .iter()
                .map(|id| {
                    json!({
                        "condition": reference("Condition", id),
                        "use": status(system::DIAGNOSIS_ROLE, "AD"),
                    })
                })
                .collect();
            set(&mut body, "diagnosis", json!(diagnoses));
        }
        pen.commit.put("Encounter", &self.encounter, body);
    }

    /// Reference to the Patient.
    pub fn subject(&self) -> Value {
        reference("Patient", &self.person.id)
    }

    /// Reference to the Encounter.
    pub fn encounter(&self) -> Value {
        reference("Encounter", &self.encounter)
    }

    /// Reference to the clinician.
    pub fn author(&self) -> Value {
        named_reference("Practitioner", self.clinician.id, &self.clinician.full_name())
    }

    pub fn start(&self) -> String {
        moment(self.date, self.start_minute)
    }

    /// When the notes are written; also the time of the commit.
    pub fn end(&self) -> String {
        moment(self.date, self.start_minute + self.length_minutes)
    }

    pub fn age_years(&self) -> i64 {
        self.person.age_years(self.date)
    }

    fn class_and_kind(&self) -> (Coding, Coding) {
        match self.reason {
            Reason::CheckUp if self.age_years() < 18 => (AMBULATORY, WELL_CHILD),
            Reason::CheckUp => (AMBULATORY, CHECK_UP),
            Reason::FollowUp => (AMBULATORY, FOLLOW_UP),
            reason if reason.is_emergency() => (EMERGENCY, EMERGENCY_VISIT),
            Reason::Acute(_) => (AMBULATORY, SYMPTOM),
        }
    }
}

const AMBULATORY: Coding = coding(system::ACT_CODE, "AMB", "ambulatory");
const EMERGENCY: Coding = coding(system::ACT_CODE, "EMER", "emergency");
const WELL_CHILD: Coding = snomed("410620009", "Well child visit");
const CHECK_UP: Coding = snomed("162673000", "General examination of patient");
const FOLLOW_UP: Coding = snomed("390906007", "Follow-up encounter");
const SYMPTOM: Coding = snomed("185345009", "Encounter for symptom");
const EMERGENCY_VISIT: Coding = snomed("50849002", "Emergency room admission");
