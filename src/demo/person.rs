//! Who a patient is: everything about patient `number` that can be told without writing the chart.
//!
//! In: seed, number, today. Out: a [`Person`]. A person can be drawn again at any time at little
//! cost, which is how a misfiled result finds the earlier patient it belongs to. Never: FHIR.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::DemoOptions;
use super::gender::Gender;
use super::random::{Random, Stream};
use super::tables::names::{self, Town};
use super::tables::problems::{CHRONIC, Chronic, Effect};
use super::tables::staff::{CHILDRENS_DOCTORS, Clinician, FAMILY_DOCTORS};

/// The last visits and corrections stay this far from today, so that nothing is ever in the future,
/// whatever the reader's time zone.
pub const MARGIN_DAYS: u64 = 21;

const DAYS_PER_YEAR: i64 = 365;

#[derive(Clone)]
pub struct Address {
    pub house: i64,
    pub street: &'static str,
    pub town: Town,
}

pub struct Person {
    seed: u64,
    pub number: usize,
    /// Id of the Patient resource.
    pub id: String,
    pub gender: Gender,
    pub given: &'static str,
    pub second: &'static str,
    pub family: &'static str,
    pub birth: NaiveDate,
    /// Opening of the chart, the day of the first visit.
    pub registered: NaiveDate,
    pub death: Option<NaiveDate>,
    /// Code in `v3-MaritalStatus`: S, M or W.
    pub marital: &'static str,
    pub spanish_speaking: bool,
    pub address: Address,
    pub phone: i64,
    pub doctor: Clinician,
    pub smoker: bool,
    /// Chronic problems with the day they begin, some of them before the chart does.
    pub chronic: Vec<(&'static Chronic, NaiveDate)>,
}

impl Person {
    pub fn draw(options: &DemoOptions, number: usize) -> Self {
        let last = last_day(options.today);
        let random = &mut Random::new(options.seed, number as u64, Stream::Person);
        let gender = random.pick(&[Gender::Female, Gender::Male]);
        let age_days = age_today_days(random);
        let birth = earlier(last, age_days);
        let age_years = age_days / DAYS_PER_YEAR;
        let chart_days = random.between(2 * DAYS_PER_YEAR, 9 * DAYS_PER_YEAR);
        let registered = weekday(earlier(last, chart_days.min(age_days - 10)));
        let death = (age_years > 68 && random.chance(30)).then(|| {
            let left = (last - registered).num_days();
            earlier(last, random.between(0, left / 2))
        });
        Self {
            seed: options.seed,
            number,
            id: super::patient_id(number),
            gender,
            given: random.pick(given_names(gender)),
            second: random.pick(given_names(gender)),
            family: random.pick(&names::FAMILY),
            birth,
            registered,
            death,
            marital: match age_years {
                0..=24 => "S",
                25..=69 => random.pick(&["S", "M", "M"]),
                _ => random.pick(&["M", "M", "W"]),
            },
            spanish_speaking: random.chance(9),
            address: Address::draw(random),
            phone: draw_phone(random),
            doctor: match age_years {
                0..=17 => random.pick(&CHILDRENS_DOCTORS),
                _ => random.pick(&FAMILY_DOCTORS),
            },
            smoker: age_years > 17 && random.chance(17),
            chronic: draw_chronic(random, birth, last),
        }
    }

    pub fn age_months(&self, date: NaiveDate) -> i64 {
        let months = i64::from(date.year() - self.birth.year()) * 12 + i64::from(date.month())
            - i64::from(self.birth.month());
        months - i64::from(date.day() < self.birth.day())
    }

    pub fn age_years(&self, date: NaiveDate) -> i64 {
        self.age_months(date) / 12
    }

    pub fn is_alive(&self, date: NaiveDate) -> bool {
        self.death.is_none_or(|death| date < death)
    }

    /// How long a chronic problem with this effect has lasted, in years; nothing when there is none.
    pub fn years_with(&self, effect: Effect, date: NaiveDate) -> Option<f64> {
        self.chronic
            .iter()
            .find(|(problem, onset)| problem.effect == effect && *onset <= date)
            .map(|(_, onset)| (date - *onset).num_days() as f64 / 365.25)
    }

    /// A lasting trait of this person in `[0, 1)`, by name: where in the normal range a test lies,
    /// how tall someone is among peers.
    pub fn trait_of(&self, name: &str) -> f64 {
        let name = name
            .bytes()
            .fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let seed = self.seed ^ name.rotate_left(32);
        Random::new(seed, self.number as u64, Stream::Trait).unit()
    }

    pub fn full_name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

impl Address {
    pub fn draw(random: &mut Random) -> Self {
        Self {
            house: random.between(1, 240),
            street: random.pick(&names::STREETS),
            town: random.pick(&names::TOWNS),
        }
    }
}

/// The last four digits of a number in the block 555-01xx that is kept for fiction.
fn draw_phone(random: &mut Random) -> i64 {
    random.between(100, 199)
}

/// The last day on which anything happens.
pub fn last_day(today: NaiveDate) -> NaiveDate {
    today.checked_sub_days(Days::new(MARGIN_DAYS)).unwrap_or(today)
}

/// `days` before `date`; the date itself where the calendar ends.
pub fn earlier(date: NaiveDate, days: i64) -> NaiveDate {
    let days = Days::new(days.max(0).unsigned_abs());
    date.checked_sub_days(days).unwrap_or(date)
}

/// `days` after `date`; the date itself where the calendar ends.
pub fn later(date: NaiveDate, days: i64) -> NaiveDate {
    let days = Days::new(days.max(0).unsigned_abs());
    date.checked_add_days(days).unwrap_or(date)
}

/// The date itself, or the Monday after a weekend.
pub fn weekday(date: NaiveDate) -> NaiveDate {
    match date.weekday() {
        Weekday::Sat => later(date, 2),
        Weekday::Sun => later(date, 1),
        _ => date,
    }
}

fn age_today_days(random: &mut Random) -> i64 {
    let (youngest, oldest) =
        random.pick(&[(0, 4), (5, 17), (18, 44), (30, 64), (50, 75), (60, 92)]);
    let day_of_year = random.between(40, DAYS_PER_YEAR);
    random.between(youngest, oldest) * DAYS_PER_YEAR + day_of_year
}

fn given_names(gender: Gender) -> &'static [&'static str] {
    match gender {
        Gender::Female => &names::FEMALE,
        Gender::Male => &names::MALE,
    }
}

fn draw_chronic(
    random: &mut Random,
    birth: NaiveDate,
    last: NaiveDate,
) -> Vec<(&'static Chronic, NaiveDate)> {
    CHRONIC
        .iter()
        .filter_map(|problem| {
            let has_it = random.chance(problem.prevalence_percent);
            let (youngest, oldest) = problem.onset_age;
            let onset_days = random.between(youngest * DAYS_PER_YEAR, oldest * DAYS_PER_YEAR);
            let onset = later(birth, onset_days);
            (has_it && onset < last).then_some((problem, onset))
        })
        .collect()
}
