//! Immunizations: by the schedule, caught up when late, and known from elsewhere.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use serde_json::{Value, json};

use super::element::{concept, day, reference, set, status, unset};
use super::pen::Pen;
use super::person::later;
use super::schedule::Reason;
use super::tables::immunizations::{
    INFLUENZA, INFLUENZA_FROM_MONTHS, INFLUENZA_SEASON, INFLUENZA_UPTAKE_PERCENT, SCHEDULE, Vaccine,
};
use super::tables::{Coding, coding, staff, system};
use super::visit::Visit;

const ADULT_MONTHS: i64 = 18 * 12;
/// What was due so long before an adult's first visit counts as given, but nobody can say when.
const FORGOTTEN_MONTHS: i64 = 120;
const DAYS_PER_MONTH: i64 = 30;
const REFUSED: Coding =
    coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "PATOBJ", "patient objection");

/// What one patient has received.
#[derive(Default)]
pub struct Immunizations {
    /// Doses by CVX code.
    doses: BTreeMap<&'static str, usize>,
    influenza_year: Option<i32>,
}

impl Immunizations {
    /// At the first visit: copies a child's vaccination card, or assumes what an adult must have had.
    pub fn take_history(&mut self, visit: &Visit, pen: &mut Pen) {
        let months = visit.person.age_months(visit.date);
        for vaccine in &SCHEDULE {
            let mut count = 0;
            for due in vaccine.due_months {
                let date = later(visit.person.birth, due * DAYS_PER_MONTH + 1);
                if date >= visit.date || date.year() < vaccine.since_year {
                    continue;
                }
                if months < ADULT_MONTHS && accepts(visit, vaccine) {
                    pen.put("Immunization", historical(visit, vaccine.code, date));
                    count += 1;
                } else if due + FORGOTTEN_MONTHS < months {
                    count += 1;
                }
            }
            self.doses.insert(vaccine.code.code, count);
        }
    }

    /// Gives what is due.
    pub fn write(&mut self, visit: &Visit, pen: &mut Pen) {
        if matches!(visit.reason, Reason::Acute(_)) {
            return;
        }
        let months = visit.person.age_months(visit.date);
        for vaccine in &SCHEDULE {
            let given = self.doses.entry(vaccine.code.code).or_default();
            let due = vaccine.due_months.iter().filter(|due| **due <= months);
            let in_time = months < vaccine.until_months && visit.date.year() >= vaccine.since_year;
            if *given < due.count() && in_time && accepts(visit, vaccine) {
                *given += 1;
                let series = vaccine.due_months.len();
                pen.put("Immunization", dose(visit, vaccine.code, *given, series));
            }
        }
        self.write_influenza(visit, pen);
    }

    fn write_influenza(&mut self, visit: &Visit, pen: &mut Pen) {
        let in_season = INFLUENZA_SEASON.contains(&visit.date.month());
        let old_enough = visit.person.age_months(visit.date) >= INFLUENZA_FROM_MONTHS;
        // January belongs to the season of the year before.
        let season = visit.date.year() - i32::from(visit.date.month() == 1);
        if !in_season || !old_enough || self.influenza_year == Some(season) {
            return;
        }
        self.influenza_year = Some(season);
        if pen.random.chance(INFLUENZA_UPTAKE_PERCENT) {
            pen.put("Immunization", dose(visit, INFLUENZA, 1, 1));
        } else if pen.random.chance(25) {
            let mut body = dose(visit, INFLUENZA, 1, 1);
            set(&mut body, "status", json!("not-done"));
            set(&mut body, "statusReason", concept(REFUSED));
            for member in ["site", "route", "protocolApplied", "lotNumber"] {
                unset(&mut body, member);
            }
            pen.put("Immunization", body);
        }
    }
}

fn accepts(visit: &Visit, vaccine: &Vaccine) -> bool {
    let percent = f64::from(vaccine.uptake_percent);
    visit.person.trait_of(vaccine.code.code) * 100.0 < percent
}

fn dose(visit: &Visit, code: Coding, number: usize, series: usize) -> Value {
    json!({
        "status": "completed",
        "vaccineCode": concept(code),
        "patient": visit.subject(),
        "encounter": visit.encounter(),
        "occurrenceDateTime": visit.start(),
        "recorded": visit.end(),
        "primarySource": true,
        "location": reference("Location", staff::TREATMENT_ROOM.id),
        "lotNumber": format!("L{:04}{}", visit.date.year(), code.code),
        "site": status(system::ACT_SITE, "LA"),
        "route": status(system::ROUTE, "IM"),
        "performer": [{"actor": reference("Practitioner", staff::NURSE.id)}],
        "protocolApplied": [{
            "doseNumberPositiveInt": number,
            "seriesDosesPositiveInt": series,
        }],
    })
}

fn historical(visit: &Visit, code: Coding, date: NaiveDate) -> Value {
    json!({
        "status": "completed",
        "vaccineCode": concept(code),
        "patient": visit.subject(),
        "occurrenceDateTime": day(date),
        "recorded": visit.end(),
        "primarySource": false,
        "reportOrigin": status(system::IMMUNIZATION_ORIGIN, "record"),
    })
}
