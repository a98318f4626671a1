//! The synthetic clinic: charts to try things with, in which people make mistakes and correct them.
//!
//! In: a seed, a number of patients and today's date ([`DemoOptions`]). Out: one FHIR R4 (4.0.1)
//! transaction `Bundle` per commit ([`clinic`]). The first holds the directory (organizations,
//! locations, practitioners, medications); then come the patients one after the other, each with one
//! commit per visit over up to nine years, and between the visits a commit for every correction: an
//! amended result, an entry made in error, a result moved to the patient it belongs to, a change of
//! address or name, a document deleted and restored. [`history`] has the same in the order of time over all patients, and
//! with it who looked at charts.
//!
//! What holds, and is tested:
//!
//! * The same options give the same bytes, on every machine.
//! * Patient 7 is the same patient whether ten are asked for or ten thousand.
//! * Entries are only `PUT Type/id` and `DELETE Type/id`; references are literal, and point to the
//!   same commit or an earlier one.
//! * Nothing happens after `today`; only a goal may be due later.
//!
//! The files read in this order: `tables` (codes and ranges), `random`, `person` and `schedule` (who
//! comes, and when), `visit`, then one file per kind of resource, `correction`, `chart`, which puts a chart together,
//! `look`, and `history`.
//!
//! Never: I/O, a clock, randomness from outside, real people. Codes are real; names, addresses and
//! identifiers are invented; values are plausible but follow no epidemiology.

mod allergy;
mod care;
mod chart;
mod correction;
mod directory;
mod document;
mod element;
mod gender;
mod history;
mod immunization;
mod laboratory;
mod look;
mod patient;
mod pen;
mod person;
mod prescription;
mod problem;
mod procedure;
mod random;
mod schedule;
mod tables;
mod transaction;
mod visit;
mod vitals;

#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use serde_json::Value;

pub use history::{Sights, Step, history, sights};
pub use look::{Asker, Look};

/// How the names begin under which logs are signed whose times are the demo's: they are in every checkpoint.
pub const ORIGIN: &str = "chartlog.demo/";

/// The day on which the clinic that the server loads ends: fixed, so that the same seed gives the
/// same clinic on every day.
pub const TODAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 6, 30) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Which clinic.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// Seed of its random generator: the same options give the same bytes.
    pub seed: u64,
    /// How many patients; their ids are `p0001` and so on.
    pub patients: usize,
    /// The day on which the generated history ends. Part of the seed: another day, another clinic.
    pub today: NaiveDate,
}

/// The id of a patient, by number from 1.
#[must_use]
pub fn patient_id(number: usize) -> String {
    format!("p{number:04}")
}

/// A family doctor of every clinic: the id of the Practitioner, and the name.
#[must_use]
pub fn family_doctor() -> (&'static str, String) {
    let [doctor, ..] = tables::staff::FAMILY_DOCTORS;
    (doctor.id, doctor.full_name())
}

/// The commits of a clinic, in the order in which they are to be sent: each a `Bundle` of type
/// `transaction`. One patient at a time is held in memory.
pub fn clinic(options: &DemoOptions) -> impl Iterator<Item = Value> + use<> {
    let options = *options;
    let directory = std::iter::once_with(move || directory::bundle(&opening(options.today)));
    let charts = (1..=options.patients).flat_map(move |number| chart::commits(&options, number));
    directory.chain(charts)
}

/// The instant at which the directory was entered: before any chart was opened.
fn opening(today: NaiveDate) -> String {
    const DAYS_BEFORE_TODAY: i64 = 10 * 365;
    element::moment(person::earlier(today, DAYS_BEFORE_TODAY), 8 * 60)
}
