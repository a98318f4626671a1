//! Laboratory results: Observations with reference ranges, grouped by a DiagnosticReport.
//!
//! Values lie around a person's own set point and follow disease and treatment over the years.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::element::{concept, decimal, quantity, reference, rounded, set, status};
use super::gender::Gender;
use super::pen::Pen;
use super::person::Person;
use super::random::Random;
use super::schedule::Reason;
use super::tables::laboratory::{self as table, Normal, Panel, Source, Test};
use super::tables::problems::Effect;
use super::tables::{staff, system};
use super::visit::Visit;

/// How long treatment takes to show its full effect, in years.
const TREATMENT_YEARS: f64 = 2.0;

/// What is ordered at this visit: by age, and by the chronic problems that are known.
pub fn panels(visit: &Visit, pen: &mut Pen) -> Vec<&'static Panel> {
    let age = visit.age_years();
    let mut panels: Vec<&'static Panel> = Vec::new();
    match visit.reason {
        Reason::CheckUp if age >= 40 => panels.extend([&table::LIPIDS, &table::METABOLIC]),
        Reason::CheckUp if age >= 18 && pen.random.chance(60) => panels.push(&table::LIPIDS),
        Reason::Acute(problem) if problem.emergency && problem.fever => {
            panels.extend([&table::BLOOD_COUNT, &table::METABOLIC]);
        }
        _ => {}
    }
    let infant = (12..24).contains(&visit.person.age_months(visit.date));
    if matches!(visit.reason, Reason::CheckUp)
        && (infant || age >= 18 && pen.random.chance(35) || age >= 4 && pen.random.chance(15))
    {
        panels.push(&table::BLOOD_COUNT);
    }
    if !matches!(visit.reason, Reason::Acute(_)) {
        for (problem, onset) in &visit.person.chronic {
            if *onset <= visit.date {
                panels.extend(problem.panels);
            }
        }
    }
    let mut seen = Vec::new();
    panels.retain(|panel| {
        let is_new = !seen.contains(&panel.code.code);
        seen.push(panel.code.code);
        is_new
    });
    panels
}

/// The results of one panel and the report that groups them.
pub fn write(visit: &Visit, panel: &Panel, pen: &mut Pen) {
    let mut values: Vec<(&str, f64)> = Vec::new();
    let mut results = Vec::new();
    for test in panel.tests {
        let known = |code: &str| {
            let found = values.iter().find(|(known, _)| *known == code);
            found.map_or(0.0, |(_, value)| *value)
        };
        let value = match test.source {
            Source::Measured { .. } => draw(test, visit.person, visit.date, &mut pen.random),
            Source::Computed(formula) => rounded(formula(&known), test.digits),
        };
        values.push((test.code.code, value));
        let id = pen.put("Observation", observation(visit, test, value));
        results.push(reference("Observation", &id));
    }
    let report = json!({
        "status": "final",
        "category": [status(system::DIAGNOSTIC_SECTION, "LAB")],
        "code": concept(panel.code),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "effectiveDateTime": visit.start(),
        "issued": visit.end(),
        "performer": [reference("Organization", staff::HOSPITAL.id)],
        "resultsInterpreter": [reference("Practitioner", staff::PATHOLOGIST.id)],
        "result": results,
    });
    pen.put("DiagnosticReport", report);
}

/// A glucose drawn from somebody else and filed, by mistake, under the patient of this visit.
pub fn write_strangers_glucose(visit: &Visit, stranger: &Person, pen: &mut Pen) -> String {
    let value = draw(&table::GLUCOSE, stranger, visit.date, &mut pen.random);
    pen.put("Observation", observation(visit, &table::GLUCOSE, value))
}

/// Gives a result another value, and the interpretation that follows from its reference range.
pub fn restate(observation: &mut Value, value: f64, digits: u32) {
    let bound = |name: &str| {
        let pointer = format!("/referenceRange/0/{name}/value");
        observation.pointer(&pointer).and_then(Value::as_f64)
    };
    let code = interpretation(bound("low"), bound("high"), value);
    set(observation, "interpretation", interpretations(code));
    if let Some(quantity) = observation.get_mut("valueQuantity") {
        set(quantity, "value", decimal(value, digits));
    }
}

fn observation(visit: &Visit, test: &Test, value: f64) -> Value {
    let normal = match (visit.person.gender, test.normal_women) {
        (Gender::Female, Some(normal)) => normal,
        _ => test.normal,
    };
    let (low, high) = match normal {
        Normal::Between(low, high) => (Some(low), Some(high)),
        Normal::Below(high) => (None, Some(high)),
        Normal::Above(low) => (Some(low), None),
    };
    let mut range = json!({});
    for (name, bound) in [("low", low), ("high", high)] {
        if let Some(bound) = bound {
            set(&mut range, name, quantity(bound, test.digits, test.unit));
        }
    }
    json!({
        "status": "final",
        "category": [status(system::OBSERVATION_CATEGORY, "laboratory")],
        "code": concept(test.code),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "effectiveDateTime": visit.start(),
        "issued": visit.end(),
        "performer": [reference("Organization", staff::HOSPITAL.id)],
        "valueQuantity": quantity(value, test.digits, test.unit),
        "interpretation": interpretations(interpretation(low, high, value)),
        "referenceRange": [range],
    })
}

fn interpretation(low: Option<f64>, high: Option<f64>, value: f64) -> &'static str {
    if low.is_some_and(|low| value < low) {
        "L"
    } else if high.is_some_and(|high| value > high) {
        "H"
    } else {
        "N"
    }
}

fn interpretations(code: &'static str) -> Value {
    json!([status(system::INTERPRETATION, code)])
}

fn draw(test: &Test, person: &Person, date: NaiveDate, random: &mut Random) -> f64 {
    let Source::Measured { low, high } = test.source else {
        return 0.0;
    };
    let own = low + (high - low) * person.trait_of(test.code.code);
    let (usual, spread) = match in_disease(test, person, date) {
        Some(usual) => (usual, usual * 0.03),
        None => (own, (high - low) * 0.2),
    };
    rounded(random.around(usual, spread), test.digits)
}

/// Where disease has moved a test, and treatment has moved it back; nothing when it has not.
fn in_disease(test: &Test, person: &Person, date: NaiveDate) -> Option<f64> {
    let (effect, untreated, treated) = match test.code.code {
        table::HBA1C_CODE => (Effect::Glucose, 8.6, 6.9),
        table::GLUCOSE_CODE => (Effect::Glucose, 198.0, 148.0),
        table::LDL_CODE => (Effect::Cholesterol, 172.0, 108.0),
        table::TSH_CODE => (Effect::Thyroid, 9.4, 2.3),
        _ => return None,
    };
    let years = person.years_with(effect, date)?;
    let under_treatment = (years / TREATMENT_YEARS).min(1.0);
    // Control slips a little with every further year.
    let slipping = 1.0 + 0.008 * (years - TREATMENT_YEARS).clamp(0.0, 15.0);
    Some((untreated + (treated - untreated) * under_treatment) * slipping)
}
