//! The text of the specification, function by function and operator by operator.

mod elements;
mod functions;
mod limits;
mod operators;
mod search;

use super::{Context, Element, Expression, Value};
use crate::clock::Instant;
use crate::json::Document;

/// A resource with a bit of everything.
const PATIENT: &str = r##"{
    "resourceType": "Patient", "id": "p", "active": true, "gender": "female",
    "_birthDate": {"extension": [{"url": "http://e/reason", "valueCode": "unknown"}]},
    "name": [
        {"use": "official", "family": "Müller", "given": ["Ana", null, "Eva"],
         "_given": [null, {"extension": [{"url": "http://e/secret", "valueBoolean": true}]}, {"id": "g"}]},
        {"use": "old", "given": ["Ana"]}
    ],
    "multipleBirthInteger": 2,
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Clinic"}],
    "managingOrganization": {"reference": "#o"},
    "generalPractitioner": [{"reference": "Practitioner/1"}],
    "contact": [{"name": {"text": "a"}}],
    "extension": [
        {"url": "http://e/weight", "valueQuantity": {"value": 70.50, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}},
        {"url": "http://e/since", "valueDateTime": "2026-03-01T10:00:00+01:00"},
        {"url": "http://e/dose", "valueQuantity": {"value": 3, "comparator": "<", "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}}
    ]
}"##;

/// What an expression leads to in [`PATIENT`], written down, with commas between.
fn outcome(text: &str) -> String {
    let document = Document::parse(PATIENT).unwrap();
    let resource = Element::resource(document.root());
    let now = Instant::parse("2026-03-01T12:30:15.250Z").unwrap();
    let context = Context::of_resource(resource).at(now).with_steps(100_000);
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => return format!("not parsed: {}", error.problem),
    };
    match expression.items(&context, Some(&Value::Element(resource))) {
        Ok(items) => items.iter().map(written).collect::<Vec<_>>().join(", "),
        Err(error) => format!("error: {error}"),
    }
}

fn written(item: &Value<'_>) -> String {
    match item {
        Value::Element(element) if !element.has_value() => "no value".to_owned(),
        Value::Element(element) => element.node().text().to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::Text(text) => format!("'{}'", &**text),
        Value::Moment(moment) => format!("@{moment}"),
        Value::Quantity(quantity) => quantity.to_string(),
        Value::Type(info) => format!("{}.{}", info.namespace, info.name),
    }
}

#[track_caller]
fn leads(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(outcome(text), *expected, "{text}");
    }
}

/// The expressions fail, and say so in these words.
#[track_caller]
fn fails(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let outcome = outcome(text);
        let is_error = outcome.starts_with("error: ") || outcome.starts_with("not parsed: ");
        assert!(is_error && outcome.contains(expected), "{text}: {outcome}");
    }
}
