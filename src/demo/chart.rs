//! One patient's chart, commit by commit: the visits in order of time, and the corrections between
//! them.
//!
//! In: the options and the patient's number. Out: transaction Bundles. Never: anything about
//! patients with a higher number.

use chrono::NaiveDate;
use serde_json::Value;

use super::DemoOptions;
use super::care::Care;
use super::correction::{self, Correction, Repair};
use super::element::moment;
use super::immunization::Immunizations;
use super::pen::Pen;
use super::person::{Address, Person, last_day, later, weekday};
use super::prescription::Prescriptions;
use super::problem::Problems;
use super::procedure::Screenings;
use super::random::{Random, Stream};
use super::schedule::{self, Reason};
use super::tables::names;
use super::visit::Visit;
use super::{allergy, document, laboratory, patient, prescription, procedure, vitals};

/// Office work, such as corrections, is done at three in the afternoon.
const OFFICE_MINUTE: i64 = 15 * 60;
/// A deleted document is missed after so many days; well before the next visit.
const DAYS_TO_RESTORE: i64 = 3;

/// All commits of patient `number`, oldest first.
pub fn commits(options: &DemoOptions, number: usize) -> Vec<Value> {
    let mut random = Random::new(options.seed, number as u64, Stream::Chart);
    let mut person = Person::draw(options, number);
    let last = last_day(options.today);
    let appointments = schedule::appointments(&person, last, &mut random);
    let mut wanted = correction::plan(number, &mut random);
    let mut pen = Pen::new(&person.id, random);
    let mut ongoing = Ongoing::default();
    let mut commits = Vec::new();
    for (index, appointment) in appointments.iter().enumerate() {
        let visit = Visit::begin(&person, appointment, index == 0, &mut pen);
        ongoing.write(&visit, &mut pen);
        let left = appointments.len() - index;
        let repair_date = weekday(later(visit.date, pen.random.between(1, 5)));
        let repaired_at = moment(repair_date, OFFICE_MINUTE);
        let repair = next_correction(&mut wanted, left, &mut pen.random).and_then(|correction| {
            let repair = correction.prepare(options, &visit, &repaired_at, &mut pen);
            if repair.is_none() {
                wanted.push(correction);
            }
            repair
        });
        commits.push(pen.finish(&visit.end()));
        if let Some(repair) = repair {
            commits.extend(repair.commits(&mut person, repair_date, &mut pen));
        }
    }
    if let Some(death) = person.death {
        patient::write_deceased(&person, death, &mut pen.commit);
        commits.push(pen.finish(&moment(later(death, 1), OFFICE_MINUTE)));
    }
    commits
}

/// What a chart carries from one visit to the next.
#[derive(Default)]
struct Ongoing {
    problems: Problems,
    prescriptions: Prescriptions,
    immunizations: Immunizations,
    screenings: Screenings,
    care: Care,
}

impl Ongoing {
    /// Everything that is written at one visit.
    fn write(&mut self, visit: &Visit, pen: &mut Pen) {
        if visit.is_first {
            self.open_chart(visit, pen);
        }
        self.problems.resolve(visit, pen);
        self.prescriptions.review(visit, pen);
        self.care.review(visit, pen);
        let mut diagnoses = Vec::new();
        if let Reason::Acute(acute) = visit.reason {
            let condition = self.problems.meet(visit, acute, pen);
            if let Some(medicine) = &acute.medicine {
                let days = acute.lasts_days;
                self.prescriptions.treat(visit, medicine, &condition, days, pen);
            }
            if let Some(code) = acute.procedure {
                procedure::write(visit, code, Some(&condition), pen);
            }
            diagnoses.push(condition);
        }
        for known in self.problems.diagnose(visit, pen) {
            self.prescriptions.start(visit, &known, pen);
            if let Some(code) = known.chronic.check {
                procedure::write(visit, code, Some(&known.condition), pen);
            }
            if let Some(plan) = &known.chronic.plan {
                self.care.plan(visit, &known, plan, pen);
            }
            diagnoses.push(known.condition);
        }
        visit.write(&diagnoses, pen);
        vitals::write(visit, pen);
        for panel in laboratory::panels(visit, pen) {
            laboratory::write(visit, panel, pen);
        }
        self.immunizations.write(visit, pen);
        self.screenings.write(visit, pen);
        document::write_note(visit, self.problems.known(), pen);
    }

    fn open_chart(&mut self, visit: &Visit, pen: &mut Pen) {
        patient::write(visit.person, &mut pen.commit);
        patient::write_coverage(visit.person, &mut pen.commit);
        self.prescriptions.allergic_to_penicillin = allergy::write(visit, pen);
        self.immunizations.take_history(visit, pen);
        if visit.age_years() >= 18 && pen.random.chance(12) {
            prescription::write_reported(visit, pen);
        }
    }
}

/// Spreads the wanted corrections evenly over the visits that are left.
fn next_correction(
    wanted: &mut Vec<Correction>,
    visits_left: usize,
    random: &mut Random,
) -> Option<Correction> {
    let is_time = random.unit() * (visits_left as f64) < wanted.len() as f64;
    (is_time && !wanted.is_empty()).then(|| wanted.remove(0))
}

impl Repair {
    fn commits(self, person: &mut Person, date: NaiveDate, pen: &mut Pen) -> Vec<Value> {
        let now = moment(date, OFFICE_MINUTE);
        match self {
            Self::Put(resources) => {
                for resource in resources {
                    pen.commit.put_again(resource);
                }
                vec![pen.finish(&now)]
            }
            Self::Demographics => {
                change_demographics(person, date, &mut pen.random);
                patient::write(person, &mut pen.commit);
                vec![pen.finish(&now)]
            }
            Self::Delete(document) => {
                pen.commit.delete(&document);
                vec![pen.finish(&now)]
            }
            Self::DeleteAndRestore(document) => {
                pen.commit.delete(&document);
                let deleted = pen.finish(&now);
                pen.commit.put_again(document);
                let restored_on = weekday(later(date, DAYS_TO_RESTORE));
                let restored_at = moment(restored_on, OFFICE_MINUTE);
                vec![deleted, pen.finish(&restored_at)]
            }
        }
    }
}

fn change_demographics(person: &mut Person, date: NaiveDate, random: &mut Random) {
    let may_marry = person.marital == "S" && (20..60).contains(&person.age_years(date));
    match random.between(0, 2) {
        0 if may_marry => {
            person.marital = "M";
            person.family = random.pick(&names::FAMILY);
        }
        1 => person.phone = another_phone(person.phone),
        _ => person.address = Address::draw(random),
    }
}

/// The next number in the block from 100 to 199, so that it differs from the present one.
fn another_phone(present: i64) -> i64 {
    100 + (present + 1) % 100
}
