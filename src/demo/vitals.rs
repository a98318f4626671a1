//! Vital signs (R4 vitalsigns profiles): Observations that follow age, illness and treatment.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, quantity, reference, rounded, set, status};
use super::gender::Gender;
use super::pen::Pen;
use super::person::Person;
use super::random::Random;
use super::schedule::Reason;
use super::tables::problems::Effect;
use super::tables::vitals::{self as table, GROWTH, Growth};
use super::tables::{Coding, Unit, staff, system};
use super::visit::Visit;

/// From this age on a person no longer grows, in months.
const GROWN_MONTHS: i64 = 228;
/// Blood pressure is measured from this age on, in years.
const BLOOD_PRESSURE_FROM: i64 = 3;
/// How long treatment takes to show its full effect, in years.
const TREATMENT_YEARS: f64 = 1.5;

pub fn write(visit: &Visit, pen: &mut Pen) {
    let (person, date) = (visit.person, visit.date);
    let fever = matches!(visit.reason, Reason::Acute(problem) if problem.fever);
    if !matches!(visit.reason, Reason::Acute(_)) {
        write_body(visit, pen);
    }
    if visit.age_years() >= BLOOD_PRESSURE_FROM {
        write_blood_pressure(visit, pen);
    }
    let rate = heart_rate(person.age_years(date), fever, &mut pen.random);
    measure(visit, table::HEART_RATE, rate, 0, table::PER_MINUTE, pen);
    if fever || visit.age_years() < 12 || pen.random.chance(30) {
        let degrees = pen.random.around(if fever { 38.4 } else { 36.8 }, 0.4);
        measure(visit, table::TEMPERATURE, degrees, 1, table::CELSIUS, pen);
    }
    if fever || person.years_with(Effect::Airways, date).is_some() || pen.random.chance(30) {
        let percent = pen.random.around(if fever { 95.5 } else { 98.0 }, 1.0);
        measure(visit, table::OXYGEN_SATURATION, percent, 0, table::PERCENT, pen);
    }
    if visit.age_years() >= 18 && matches!(visit.reason, Reason::CheckUp) {
        write_smoking(visit, pen);
    }
}

fn write_body(visit: &Visit, pen: &mut Pen) {
    let (person, date) = (visit.person, visit.date);
    let height_cm = rounded(height_cm(person, date), 1);
    let usual_kg = weight_kg(person, date, height_cm);
    let weight_kg = rounded(pen.random.around(usual_kg, usual_kg * 0.008), 1);
    measure(visit, table::HEIGHT, height_cm, 1, table::CENTIMETRE, pen);
    measure(visit, table::WEIGHT, weight_kg, 1, table::KILOGRAM, pen);
    if visit.age_years() >= 2 {
        let index = weight_kg / (height_cm * height_cm / 10_000.0);
        let unit = table::KILOGRAM_PER_SQUARE_METRE;
        measure(visit, table::BODY_MASS_INDEX, index, 1, unit, pen);
    }
}

fn height_cm(person: &Person, date: NaiveDate) -> f64 {
    let (median, _) = median_growth(person.age_months(date));
    let share_grown = (median / 170.0).min(1.0);
    let by_gender = match person.gender {
        Gender::Female => -6.5 * share_grown,
        Gender::Male => 6.5 * share_grown,
    };
    median * (0.95 + 0.10 * person.trait_of("height")) + by_gender
}

fn weight_kg(person: &Person, date: NaiveDate, height_cm: f64) -> f64 {
    let months = person.age_months(date);
    if months < GROWN_MONTHS {
        let (_, median) = median_growth(months);
        return median * (0.88 + 0.28 * person.trait_of("weight"));
    }
    let heavier = person.years_with(Effect::Glucose, date).map_or(0.0, |_| 4.0);
    let years_grown = (months - GROWN_MONTHS) as f64 / 12.0;
    let gain = years_grown.min(40.0) * 0.08;
    let index = 20.5 + 8.0 * person.trait_of("weight") + heavier + gain;
    index * height_cm * height_cm / 10_000.0
}

/// Median height and weight at an age, between the lines of the growth table.
fn median_growth(age_months: i64) -> (f64, f64) {
    let before = GROWTH.iter().rev().find(|row| row.age_months <= age_months);
    let after = GROWTH.iter().find(|row| row.age_months > age_months);
    match (before, after) {
        (Some(before), Some(after)) => between_rows(before, after, age_months),
        (Some(row), None) | (None, Some(row)) => (row.height_cm, row.weight_kg),
        (None, None) => (170.0, 64.0),
    }
}

fn between_rows(before: &Growth, after: &Growth, age_months: i64) -> (f64, f64) {
    let span = (after.age_months - before.age_months) as f64;
    let share = (age_months - before.age_months) as f64 / span;
    (
        before.height_cm + share * (after.height_cm - before.height_cm),
        before.weight_kg + share * (after.weight_kg - before.weight_kg),
    )
}

fn write_blood_pressure(visit: &Visit, pen: &mut Pen) {
    let (systolic, diastolic) = blood_pressure(visit.person, visit.date, &mut pen.random);
    let component = |code: Coding, value: f64| {
        json!({
            "code": concept(code),
            "valueQuantity": quantity(value, 0, table::MILLIMETRE_OF_MERCURY),
        })
    };
    let mut body = vital_sign(visit, table::BLOOD_PRESSURE);
    let components = [component(table::SYSTOLIC, systolic), component(table::DIASTOLIC, diastolic)];
    set(&mut body, "component", json!(components));
    pen.put("Observation", body);
}

/// Systolic and diastolic pressure: rising with age, high at the diagnosis of hypertension, and
/// lowered over time by treatment.
fn blood_pressure(person: &Person, date: NaiveDate, random: &mut Random) -> (f64, f64) {
    let age = person.age_years(date).min(80) as f64;
    let usual = match age < 18.0 {
        true => 92.0 + age * 1.5,
        false => 108.0 + (age - 18.0) * 0.28,
    };
    let own = usual + 12.0 * person.trait_of("pressure");
    let excess = person
        .years_with(Effect::BloodPressure, date)
        .map_or(0.0, |years| 26.0 - 19.0 * (years / TREATMENT_YEARS).min(1.0));
    let systolic = random.around(own + excess, 5.0);
    let diastolic = random.around(systolic * 0.48 + 19.0, 3.0);
    (systolic, diastolic)
}

fn heart_rate(age_years: i64, fever: bool, random: &mut Random) -> f64 {
    let resting = match age_years {
        0 => 132.0,
        1..=2 => 112.0,
        3..=5 => 98.0,
        6..=11 => 86.0,
        _ => 72.0,
    };
    random.around(resting + if fever { 16.0 } else { 0.0 }, 6.0)
}

fn write_smoking(visit: &Visit, pen: &mut Pen) {
    let answer = match (visit.person.smoker, visit.person.trait_of("smoking")) {
        (true, _) => table::SMOKES_DAILY,
        (false, past) if past < 0.25 => table::FORMER_SMOKER,
        (false, _) => table::NEVER_SMOKED,
    };
    let mut body = observation(visit, table::SMOKING, "social-history");
    set(&mut body, "valueCodeableConcept", concept(answer));
    pen.put("Observation", body);
}

fn measure(visit: &Visit, code: Coding, value: f64, digits: u32, unit: Unit, pen: &mut Pen) {
    let mut body = vital_sign(visit, code);
    set(&mut body, "valueQuantity", quantity(value, digits, unit));
    pen.put("Observation", body);
}

fn vital_sign(visit: &Visit, code: Coding) -> Value {
    observation(visit, code, "vital-signs")
}

fn observation(visit: &Visit, code: Coding, category: &'static str) -> Value {
    json!({
        "status": "final",
        "category": [status(system::OBSERVATION_CATEGORY, category)],
        "code": concept(code),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "effectiveDateTime": visit.start(),
        "issued": visit.end(),
        "performer": [reference("Practitioner", staff::NURSE.id)],
    })
}

/// A weight that was typed in pounds: plausible to a machine, wrong to a nurse.
pub fn write_weight_in_pounds(visit: &Visit, pen: &mut Pen) -> String {
    let kilograms = weight_kg(visit.person, visit.date, height_cm(visit.person, visit.date));
    let mut body = vital_sign(visit, table::WEIGHT);
    let pounds = quantity(kilograms * 2.204_62, 1, table::KILOGRAM);
    set(&mut body, "valueQuantity", pounds);
    pen.put("Observation", body)
}
