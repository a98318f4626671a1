//! Notes and letters: DocumentReferences (R4 DocumentReference) with the text inside.

use serde_json::{Value, json};

use super::element::{concept, reference, text_attachment};
use super::pen::Pen;
use super::problem::Known;
use super::schedule::Reason;
use super::tables::{Coding, loinc, staff};
use super::visit::Visit;

const PROGRESS_NOTE: Coding = loinc("11506-3", "Progress note");
const HISTORY_AND_PHYSICAL: Coding = loinc("34117-2", "History and physical note");
const CONSULTATION_NOTE: Coding = loinc("11488-4", "Consult note");

/// The clinician's note on a visit.
pub fn write_note(visit: &Visit, known: &[Known], pen: &mut Pen) {
    let code = match visit.is_first {
        true => HISTORY_AND_PHYSICAL,
        false => PROGRESS_NOTE,
    };
    let text = note_text(visit, known);
    pen.put("DocumentReference", body(visit, code, &text));
}

/// A letter about somebody else, scanned into the wrong chart.
pub fn write_misfiled_letter(visit: &Visit, pen: &mut Pen) -> String {
    let text = "Consultation letter, cardiology.\n\n\
        Thank you for referring this patient with palpitations. Resting and 24 hour \
        electrocardiogram are normal. No treatment needed.\n";
    pen.put("DocumentReference", body(visit, CONSULTATION_NOTE, text))
}

fn note_text(visit: &Visit, known: &[Known]) -> String {
    let person = visit.person;
    let story = match visit.reason {
        Reason::CheckUp if visit.is_first => "First visit. Chart opened, history taken.",
        Reason::CheckUp => "Here for a check-up. Feels well.",
        Reason::FollowUp => "Here for control of chronic problems. Takes medicines as agreed.",
        Reason::Acute(problem) => problem.story,
    };
    let problems = match known {
        [] => "none".to_owned(),
        known => {
            let names: Vec<&str> = known.iter().map(|known| known.chronic.code.display).collect();
            names.join(", ")
        }
    };
    let plan = match visit.reason {
        Reason::CheckUp => "Next check-up as scheduled.",
        Reason::FollowUp => "Continue, laboratory before the next visit.",
        Reason::Acute(_) => "Explained the course. Return if worse.",
    };
    format!(
        "{}, {} years, {}\n\nSubjective: {story}\nProblems: {problems}\nPlan: {plan}\n\n{}\n",
        person.full_name(),
        visit.age_years(),
        visit.start(),
        visit.clinician.full_name(),
    )
}

fn body(visit: &Visit, code: Coding, text: &str) -> Value {
    json!({
        "status": "current",
        "docStatus": "final",
        "type": concept(code),
        "subject": visit.subject(),
        "date": visit.end(),
        "author": [visit.author()],
        "custodian": reference("Organization", staff::CLINIC.id),
        "content": [{"attachment": text_attachment(code.display, text, &visit.end())}],
        "context": {
            "encounter": [visit.encounter()],
            "period": {"start": visit.start(), "end": visit.end()},
        },
    })
}
