//! Problems: Conditions as they are found, carried along and resolved.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, day, set, status, text};
use super::pen::Pen;
use super::person::later;
use super::tables::problems::{Acute, Chronic};
use super::tables::{Coding, snomed, system};
use super::visit::Visit;

/// The problems of one chart so far.
#[derive(Default)]
pub struct Problems {
    known: Vec<Known>,
    open: Vec<Open>,
}

/// A chronic problem that has been diagnosed.
#[derive(Clone)]
pub struct Known {
    pub chronic: &'static Chronic,
    /// Id of the Condition.
    pub condition: String,
}

/// An acute problem that has not been resolved yet.
struct Open {
    condition: Value,
    ends: NaiveDate,
}

impl Problems {
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// Finds the chronic problems that have begun since the last visit.
    pub fn diagnose(&mut self, visit: &Visit, pen: &mut Pen) -> Vec<Known> {
        let mut found = Vec::new();
        for (chronic, onset) in &visit.person.chronic {
            let is_known = |known: &Known| known.chronic.code == chronic.code;
            if *onset > visit.date || self.known.iter().any(is_known) {
                continue;
            }
            let condition = pen.put("Condition", active(visit, chronic.code, *onset));
            found.push(Known { chronic, condition });
        }
        self.known.extend(found.iter().cloned());
        found
    }

    /// Notes the acute problem that led to this visit and returns the id of its Condition.
    pub fn meet(&mut self, visit: &Visit, problem: &Acute, pen: &mut Pen) -> String {
        let condition = pen.put_and_keep("Condition", active(visit, problem.code, visit.date));
        let id = text(&condition, "id").to_owned();
        self.open.push(Open { condition, ends: later(visit.date, problem.lasts_days) });
        id
    }

    /// Resolves the acute problems that are over by now.
    pub fn resolve(&mut self, visit: &Visit, pen: &mut Pen) {
        let (over, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|problem| problem.ends <= visit.date);
        self.open = open;
        for Open { mut condition, ends } in over {
            let resolved = status(system::CONDITION_CLINICAL, "resolved");
            set(&mut condition, "clinicalStatus", resolved);
            set(&mut condition, "abatementDateTime", json!(day(ends)));
            pen.commit.put_again(condition);
        }
    }
}

/// A problem that is not this patient's: clicked in the wrong chart.
pub fn write_wrong(visit: &Visit, pen: &mut Pen) -> String {
    pen.put("Condition", active(visit, WRONGLY_CLICKED, visit.date))
}

const WRONGLY_CLICKED: Coding = snomed("38822007", "Cystitis");

fn active(visit: &Visit, code: Coding, onset: NaiveDate) -> Value {
    json!({
        "clinicalStatus": status(system::CONDITION_CLINICAL, "active"),
        "verificationStatus": status(system::CONDITION_VERIFICATION, "confirmed"),
        "category": [status(system::CONDITION_CATEGORY, "problem-list-item")],
        "code": concept(code),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "onsetDateTime": day(onset),
        "recordedDate": visit.end(),
        "recorder": visit.author(),
        "asserter": visit.author(),
    })
}
