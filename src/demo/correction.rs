//! Corrections: what the clinic got wrong, and how it puts it right in a later commit.
//!
//! In: a visit whose commit is still open. There the mistake is made, or found among what was
//! written. Out: a [`Repair`], which becomes one commit some days later, or two. Never: a correction
//! in the same commit as the mistake.

use serde_json::{Value, json};

use super::DemoOptions;
use super::element::{note, reference, set, status, text, unset};
use super::pen::Pen;
use super::person::Person;
use super::random::Random;
use super::tables::system;
use super::visit::Visit;
use super::{allergy, document, laboratory, prescription, problem, vitals};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// A result of somebody else is moved to the chart of the person it belongs to.
    MovedResult,
    /// The laboratory sends another value.
    AmendedResult,
    /// An entry should never have been made.
    EnteredInError,
    /// The patient moves house, changes the telephone number or marries.
    Demographics,
    /// A letter in the wrong chart is deleted.
    RemovedDocument,
    /// A note is deleted by accident and restored.
    RestoredDocument,
}

const ALL: [Correction; 6] = [
    Correction::MovedResult,
    Correction::AmendedResult,
    Correction::EnteredInError,
    Correction::Demographics,
    Correction::RemovedDocument,
    Correction::RestoredDocument,
];

/// Of a hundred patients, how many get one particular kind beyond the kind that is their turn.
const EXTRA_PERCENT: u32 = 10;

/// How far back an owner of a misfiled result is looked for, in patients.
const NEIGHBOURS: usize = 32;

/// Results that nothing else in their panel is computed from, by LOINC code, with their decimals.
const AMENDABLE: [(&str, u32); 6] =
    [("2823-3", 1), ("4548-4", 1), ("2345-7", 0), ("2160-0", 2), ("777-3", 0), ("3016-3", 2)];

/// What is to be put right after a visit.
pub enum Repair {
    Put(Vec<Value>),
    Demographics,
    Delete(Value),
    DeleteAndRestore(Value),
}

/// The corrections that a chart will contain, if its visits allow. Every kind takes its turn, so
/// that a small clinic has them all.
pub fn plan(number: usize, random: &mut Random) -> Vec<Correction> {
    let turn = number % ALL.len();
    let chosen = ALL.into_iter().enumerate().filter(|(place, _)| {
        let is_extra = random.chance(EXTRA_PERCENT);
        *place == turn || is_extra
    });
    chosen.map(|(_, correction)| correction).collect()
}

impl Correction {
    /// Makes the mistake in the open commit of this visit. Nothing when the visit offers no
    /// opportunity. `repaired_at` is the FHIR instant at which the mistake will be put right.
    pub fn prepare(
        self,
        options: &DemoOptions,
        visit: &Visit,
        repaired_at: &str,
        pen: &mut Pen,
    ) -> Option<Repair> {
        match self {
            Self::MovedResult => misfile(options, visit, repaired_at, pen),
            Self::AmendedResult => amend(repaired_at, pen),
            Self::EnteredInError => enter_in_error(visit, repaired_at, pen),
            Self::Demographics => Some(Repair::Demographics),
            Self::RemovedDocument => {
                let id = document::write_misfiled_letter(visit, pen);
                written(&id, pen).map(Repair::Delete)
            }
            Self::RestoredDocument => {
                let is_note = |resource: &&Value| is_a(resource, "DocumentReference");
                let found = pen.commit.resources().find(is_note).cloned();
                found.map(Repair::DeleteAndRestore)
            }
        }
    }
}

fn misfile(
    options: &DemoOptions,
    visit: &Visit,
    repaired_at: &str,
    pen: &mut Pen,
) -> Option<Repair> {
    let owner = (1..visit.person.number)
        .rev()
        .take(NEIGHBOURS)
        .map(|number| Person::draw(options, number))
        .find(|other| other.registered <= visit.date && other.is_alive(visit.date))?;
    let id = laboratory::write_strangers_glucose(visit, &owner, pen);
    let mut result = written(&id, pen)?;
    set(&mut result, "subject", reference("Patient", &owner.id));
    set(&mut result, "status", json!("corrected"));
    set(&mut result, "issued", json!(repaired_at));
    add_note(&mut result, "Filed under the wrong patient, moved.", repaired_at);
    // The encounter was the other patient's.
    unset(&mut result, "encounter");
    Some(Repair::Put(vec![result]))
}

fn amend(repaired_at: &str, pen: &mut Pen) -> Option<Repair> {
    let candidates: Vec<(&Value, u32)> = pen
        .commit
        .resources()
        .filter_map(|resource| {
            let code = resource.pointer("/code/coding/0/code")?.as_str()?;
            let (_, digits) = AMENDABLE.iter().find(|(known, _)| *known == code)?;
            is_a(resource, "Observation").then_some((resource, *digits))
        })
        .collect();
    let place = pen.random.between(0, candidates.len() as i64 - 1);
    let (found, digits) = candidates.into_iter().nth(usize::try_from(place).ok()?)?;
    let mut result = found.clone();
    let mut report = report_of(&result, pen)?;
    let factor = pen.random.pick(&[0.78, 0.85, 1.18, 1.3]);
    let value = result.pointer("/valueQuantity/value")?.as_f64()?;
    let (status, why) = pen.random.pick(&[
        ("amended", "Value changed after the measurement was repeated."),
        ("corrected", "Samples had been mixed up; this is the right value."),
    ]);
    laboratory::restate(&mut result, value * factor, digits);
    add_note(&mut result, why, repaired_at);
    for changed in [&mut result, &mut report] {
        set(changed, "status", json!(status));
        set(changed, "issued", json!(repaired_at));
    }
    Some(Repair::Put(vec![result, report]))
}

fn enter_in_error(visit: &Visit, repaired_at: &str, pen: &mut Pen) -> Option<Repair> {
    let id = match pen.random.between(0, 3) {
        0 => problem::write_wrong(visit, pen),
        1 => allergy::write_wrong(visit, pen),
        2 => prescription::write_wrong(visit, pen),
        _ => vitals::write_weight_in_pounds(visit, pen),
    };
    let mut entry = written(&id, pen)?;
    let verification = match text(&entry, "resourceType") {
        "Condition" => Some(system::CONDITION_VERIFICATION),
        "AllergyIntolerance" => Some(system::ALLERGY_VERIFICATION),
        _ => None,
    };
    match verification {
        Some(code_system) => {
            let in_error = status(code_system, "entered-in-error");
            set(&mut entry, "verificationStatus", in_error);
            // Invariants con-5 and ait-2: what was never true has no clinical status.
            unset(&mut entry, "clinicalStatus");
        }
        None => set(&mut entry, "status", json!("entered-in-error")),
    }
    add_note(&mut entry, "Entered in error.", repaired_at);
    Some(Repair::Put(vec![entry]))
}

fn written(id: &str, pen: &Pen) -> Option<Value> {
    let mut resources = pen.commit.resources();
    resources.find(|resource| text(resource, "id") == id).cloned()
}

/// The report that groups a result.
fn report_of(result: &Value, pen: &Pen) -> Option<Value> {
    let wanted = reference("Observation", text(result, "id"));
    let mut resources = pen.commit.resources();
    let report = resources.find(|resource| {
        let results = resource.get("result").and_then(Value::as_array);
        results.is_some_and(|results| results.contains(&wanted))
    });
    report.cloned()
}

fn is_a(resource: &Value, kind: &str) -> bool {
    text(resource, "resourceType") == kind
}

fn add_note(resource: &mut Value, words: &str, time: &str) {
    set(resource, "note", json!([note(words, time)]));
}
