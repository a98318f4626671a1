//! Procedures, and the reports of those that see something.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, reference, set, status, text_attachment};
use super::pen::Pen;
use super::schedule::Reason;
use super::tables::procedures::{SCREENINGS, Screening};
use super::tables::{Coding, loinc, system};
use super::visit::Visit;

const IMAGING_REPORT: Coding = loinc("18748-4", "Diagnostic imaging study");
const DAYS_PER_YEAR: i64 = 365;

/// The screenings that one patient has had, by code.
#[derive(Default)]
pub struct Screenings {
    done: Vec<(Coding, NaiveDate)>,
}

impl Screenings {
    /// Does what is due at a check-up. At the first visit half of it was done elsewhere.
    pub fn write(&mut self, visit: &Visit, pen: &mut Pen) {
        if !matches!(visit.reason, Reason::CheckUp) {
            return;
        }
        for screening in SCREENINGS.iter().filter(|entry| concerns(entry, visit)) {
            let last = self.done.iter().rev().find(|(code, _)| *code == screening.code);
            let is_due = last.is_none_or(|(_, date)| {
                (visit.date - *date).num_days() > screening.every_years * DAYS_PER_YEAR - 60
            });
            if !is_due {
                continue;
            }
            self.done.push((screening.code, visit.date));
            if visit.is_first && pen.random.chance(50) {
                continue;
            }
            write(visit, screening.code, None, pen);
            if !screening.finding.is_empty() {
                write_report(visit, screening, pen);
            }
        }
    }
}

/// A procedure, for the Condition with the given id if there is one.
pub fn write(visit: &Visit, code: Coding, condition: Option<&str>, pen: &mut Pen) {
    let mut body = json!({
        "status": "completed",
        "code": concept(code),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "performedPeriod": {"start": visit.start(), "end": visit.end()},
        "performer": [{"actor": visit.author()}],
    });
    if let Some(condition) = condition {
        let reason = json!([reference("Condition", condition)]);
        set(&mut body, "reasonReference", reason);
    }
    pen.put("Procedure", body);
}

fn write_report(visit: &Visit, screening: &Screening, pen: &mut Pen) {
    let text = format!("{}\n\n{}\n", screening.code.display, screening.finding);
    let body: Value = json!({
        "status": "final",
        "category": [status(system::DIAGNOSTIC_SECTION, "IMG")],
        "code": concept(IMAGING_REPORT),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "effectiveDateTime": visit.start(),
        "issued": visit.end(),
        "performer": [visit.author()],
        "conclusion": screening.finding,
        "presentedForm": [text_attachment(screening.code.display, &text, &visit.end())],
    });
    pen.put("DiagnosticReport", body);
}

fn concerns(screening: &Screening, visit: &Visit) -> bool {
    let gender_fits = screening.gender.is_none_or(|gender| gender == visit.person.gender);
    gender_fits && (screening.from_age..screening.until_age).contains(&visit.age_years())
}
