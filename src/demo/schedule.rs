//! When a person comes to the clinic, and why: the plan of a chart before it is written.
//!
//! In: a [`Person`] and the last day. Out: appointments in order of time, at least a week apart,
//! none after death. Never: what is found on the day.

use chrono::NaiveDate;

use super::person::{Person, earlier, later, weekday};
use super::random::Random;
use super::tables::problems::{ACUTE, Acute};

#[derive(Clone, Copy)]
pub enum Reason {
    /// A check-up, well-child visit or the first visit of all.
    CheckUp,
    /// Control of chronic problems.
    FollowUp,
    Acute(&'static Acute),
}

impl Reason {
    /// Seen in the emergency department, which knows no weekend.
    pub fn is_emergency(self) -> bool {
        matches!(self, Self::Acute(problem) if problem.emergency)
    }
}

pub struct Appointment {
    pub date: NaiveDate,
    pub reason: Reason,
}

/// Ages in months at which infants are seen; from two years on, once a year.
const INFANT_MONTHS: [i64; 7] = [2, 4, 6, 9, 12, 15, 18];
const DAYS_PER_MONTH: i64 = 30;
/// Room for the corrections that follow a visit.
pub const DAYS_BETWEEN_VISITS: i64 = 14;
/// A routine visit so soon after another visit is left out.
const DAYS_BETWEEN_ROUTINES: i64 = 50;

pub fn appointments(person: &Person, last: NaiveDate, random: &mut Random) -> Vec<Appointment> {
    let mut wanted = check_ups(person, last, random);
    wanted.extend(follow_ups(person, last, random));
    wanted.extend(acute_visits(person, last, random));
    for appointment in &mut wanted {
        if !appointment.reason.is_emergency() {
            appointment.date = weekday(appointment.date);
        }
    }
    // A stable sort, so that equal days keep the order above.
    wanted.sort_by_key(|appointment| appointment.date);
    thin_out(person, wanted)
}

fn check_ups(person: &Person, last: NaiveDate, random: &mut Random) -> Vec<Appointment> {
    let mut days = vec![person.registered];
    let infancy = INFANT_MONTHS.map(|months| later(person.birth, months * DAYS_PER_MONTH + 3));
    days.extend(infancy.into_iter().filter(|day| *day > person.registered));
    let mut next = days.last().copied().unwrap_or(person.registered);
    loop {
        let months = match person.age_years(next) {
            0..=1 => 6,
            2..=17 => 12,
            18..=39 => 20,
            _ => 13,
        };
        next = later(next, months * DAYS_PER_MONTH + random.between(0, 25));
        if next > last {
            break;
        }
        days.push(next);
    }
    days.into_iter()
        .filter(|date| *date <= last)
        .map(|date| Appointment { date, reason: Reason::CheckUp })
        .collect()
}

fn follow_ups(person: &Person, last: NaiveDate, random: &mut Random) -> Vec<Appointment> {
    let Some(onset) = person.chronic.iter().map(|(_, onset)| *onset).min() else {
        return Vec::new();
    };
    let mut days = Vec::new();
    let mut next = later(onset.max(person.registered), random.between(60, 120));
    while next <= last {
        days.push(Appointment { date: next, reason: Reason::FollowUp });
        next = later(next, random.between(150, 240));
    }
    days
}

fn acute_visits(person: &Person, last: NaiveDate, random: &mut Random) -> Vec<Appointment> {
    let days = (last - person.registered).num_days();
    let visits = (0..days / 365 + 1).filter_map(|year| {
        let day = earlier(last, random.between(0, 364) + year * 365);
        let age = person.age_years(day);
        let problem = random.pick(&fitting(age))?;
        (random.chance(60) && day > person.registered)
            .then_some(Appointment { date: day, reason: Reason::Acute(problem) })
    });
    visits.collect()
}

fn fitting(age: i64) -> Vec<Option<&'static Acute>> {
    ACUTE
        .iter()
        .filter(|problem| (problem.age.0..=problem.age.1).contains(&age))
        .map(Some)
        .collect()
}

fn thin_out(person: &Person, wanted: Vec<Appointment>) -> Vec<Appointment> {
    let mut kept: Vec<Appointment> = Vec::with_capacity(wanted.len());
    for appointment in wanted {
        let gap = match appointment.reason {
            Reason::Acute(_) => DAYS_BETWEEN_VISITS,
            Reason::CheckUp | Reason::FollowUp => DAYS_BETWEEN_ROUTINES,
        };
        let far_enough =
            kept.last().is_none_or(|previous| (appointment.date - previous.date).num_days() >= gap);
        // The margin leaves room for the corrections that follow the last visit.
        if far_enough && person.is_alive(later(appointment.date, DAYS_BETWEEN_VISITS)) {
            kept.push(appointment);
        }
    }
    kept
}
