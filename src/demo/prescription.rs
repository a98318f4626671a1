//! Prescriptions: MedicationRequests as they are started, changed and ended, and what
//! patients say they take besides.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, decimal, named_reference, reference, set, text, unset};
use super::pen::Pen;
use super::person::later;
use super::problem::Known;
use super::schedule::Reason;
use super::tables::medicines::{AZITHROMYCIN, Medicine, REPORTED};
use super::tables::system;
use super::visit::Visit;

const DAYS_PER_REFILL: i64 = 90;
/// Of a hundred follow-ups, how many end with another medicine for a problem.
const CHANGE_PERCENT: u32 = 12;

/// What one patient takes.
#[derive(Default)]
pub struct Prescriptions {
    pub allergic_to_penicillin: bool,
    lasting: Vec<Lasting>,
    courses: Vec<Course>,
}

/// The first medicine for a chronic problem.
struct Lasting {
    known: Known,
    request: Value,
}

struct Course {
    request: Value,
    ends: NaiveDate,
}

impl Prescriptions {
    pub fn start(&mut self, visit: &Visit, known: &Known, pen: &mut Pen) {
        let medicine = &known.chronic.first_medicine;
        let body = request(visit, medicine, &known.condition, None);
        let request = pen.put_and_keep("MedicationRequest", body);
        let known = known.clone();
        self.lasting.push(Lasting { known, request });
    }

    /// A course against an acute problem.
    pub fn treat(
        &mut self,
        visit: &Visit,
        medicine: &Medicine,
        condition: &str,
        lasts_days: i64,
        pen: &mut Pen,
    ) {
        let medicine = match medicine.penicillin && self.allergic_to_penicillin {
            true => &AZITHROMYCIN,
            false => medicine,
        };
        let days = lasts_days.min(10);
        let body = request(visit, medicine, condition, Some(days));
        self.courses.push(Course {
            request: pen.put_and_keep("MedicationRequest", body),
            ends: later(visit.date, days),
        });
    }

    /// Ends the courses that are over, and at a follow-up sometimes replaces a lasting medicine.
    pub fn review(&mut self, visit: &Visit, pen: &mut Pen) {
        let (over, running) = std::mem::take(&mut self.courses)
            .into_iter()
            .partition(|course| course.ends <= visit.date);
        self.courses = running;
        for Course { mut request, .. } in over {
            set(&mut request, "status", json!("completed"));
            pen.commit.put_again(request);
        }
        if !matches!(visit.reason, Reason::FollowUp) {
            return;
        }
        let (changed, kept) = std::mem::take(&mut self.lasting).into_iter().partition(|lasting| {
            let has_second = lasting.known.chronic.second_medicine.is_some();
            has_second && pen.random.chance(CHANGE_PERCENT)
        });
        self.lasting = kept;
        for lasting in changed {
            replace(visit, lasting, pen);
        }
    }
}

fn replace(visit: &Visit, mut lasting: Lasting, pen: &mut Pen) {
    let Some(second) = &lasting.known.chronic.second_medicine else {
        return;
    };
    let mut body = request(visit, second, &lasting.known.condition, None);
    let former = text(&lasting.request, "id");
    set(&mut body, "priorPrescription", reference("MedicationRequest", former));
    pen.put("MedicationRequest", body);
    set(&mut lasting.request, "status", json!("stopped"));
    set(&mut lasting.request, "statusReason", json!({"text": "Not sufficient, replaced"}));
    pen.commit.put_again(lasting.request);
}

/// A prescription that was meant for the next patient in the waiting room.
pub fn write_wrong(visit: &Visit, pen: &mut Pen) -> String {
    let mut body = request(visit, &AZITHROMYCIN, "", Some(5));
    unset(&mut body, "reasonReference");
    pen.put("MedicationRequest", body)
}

/// A medicine that the patient bought without a prescription.
pub fn write_reported(visit: &Visit, pen: &mut Pen) {
    let medicine = pen.random.pick(&REPORTED);
    let body = json!({
        "status": "active",
        "medicationCodeableConcept": concept(medicine),
        "subject": visit.subject(),
        "context": visit.encounter(),
        "effectiveDateTime": visit.start(),
        "dateAsserted": visit.end(),
        "informationSource": visit.subject(),
        "dosage": [{"text": "As needed, not every day", "asNeededBoolean": true}],
    });
    pen.put("MedicationStatement", body);
}

fn request(visit: &Visit, medicine: &Medicine, condition: &str, days: Option<i64>) -> Value {
    let mut repeat = json!({
        "frequency": medicine.times_a_day,
        "period": 1,
        "periodUnit": "d",
    });
    if let Some(days) = days {
        let bounds = json!({
            "value": days,
            "unit": "d",
            "system": system::UCUM,
            "code": "d",
        });
        set(&mut repeat, "boundsDuration", bounds);
    }
    let supply_days = days.unwrap_or(DAYS_PER_REFILL);
    let mut body = json!({
        "status": "active",
        "intent": "order",
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "authoredOn": visit.end(),
        "requester": visit.author(),
        "reasonReference": [reference("Condition", condition)],
        "dosageInstruction": [{
            "sequence": 1,
            "text": directions(medicine),
            "timing": {"repeat": repeat},
            "asNeededBoolean": medicine.as_needed,
            "doseAndRate": [{
                "doseQuantity": {"value": decimal(medicine.dose, 0), "unit": medicine.form},
            }],
        }],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": if days.is_some() { 0 } else { 3 },
            "expectedSupplyDuration": {
                "value": supply_days,
                "unit": "d",
                "system": system::UCUM,
                "code": "d",
            },
        },
    });
    match medicine.stocked_as {
        Some(id) => set(
            &mut body,
            "medicationReference",
            named_reference("Medication", id, medicine.code.display),
        ),
        None => set(&mut body, "medicationCodeableConcept", concept(medicine.code)),
    }
    body
}

fn directions(medicine: &Medicine) -> String {
    let times = match medicine.times_a_day {
        1 => "once a day".to_owned(),
        2 => "twice a day".to_owned(),
        times => format!("{times} times a day"),
    };
    let plural = if medicine.dose > 1.0 { "s" } else { "" };
    let need = if medicine.as_needed { ", as needed" } else { "" };
    format!("{} {}{plural} {times}{need}", medicine.dose, medicine.form)
}
