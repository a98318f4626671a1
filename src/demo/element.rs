//! The FHIR data types that the resources of this clinic are made of.
//!
//! In: plain values. Out: JSON elements. Never: resources, chance, decisions.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::tables::{Coding, Unit, system};

/// The clinic's clocks stand at one offset from UTC all year.
const OFFSET: &str = "-05:00";

/// A `CodeableConcept` with one coding.
pub fn concept(coding: Coding) -> Value {
    json!({"coding": [code_only(coding)], "text": coding.display})
}

/// A `Coding`.
pub fn code_only(coding: Coding) -> Value {
    json!({"system": coding.system, "code": coding.code, "display": coding.display})
}

/// A `CodeableConcept` from a code system of HL7 whose codes need no display, such as
/// `condition-clinical`.
pub fn status(code_system: &'static str, code: &'static str) -> Value {
    json!({"coding": [{"system": code_system, "code": code}]})
}

/// A literal `Reference`.
pub fn reference(kind: &str, id: &str) -> Value {
    json!({"reference": format!("{kind}/{id}")})
}

/// A literal `Reference` with a name for human readers.
pub fn named_reference(kind: &str, id: &str, display: &str) -> Value {
    json!({"reference": format!("{kind}/{id}"), "display": display})
}

/// A UCUM `Quantity`.
pub fn quantity(value: f64, digits: u32, unit: Unit) -> Value {
    json!({
        "value": decimal(value, digits),
        "unit": unit.text,
        "system": system::UCUM,
        "code": unit.code,
    })
}

/// A JSON number with at most `digits` decimals, and none at all for whole measures.
pub fn decimal(value: f64, digits: u32) -> Value {
    match digits {
        0 => json!(value.round() as i64),
        _ => json!(rounded(value, digits)),
    }
}

pub fn rounded(value: f64, digits: u32) -> f64 {
    let scale = f64::from(10_u32.pow(digits));
    (value * scale).round() / scale
}

/// A FHIR `date`.
pub fn day(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// A FHIR `dateTime` or `instant`: `minute` counts from midnight and must be below 1440.
pub fn moment(date: NaiveDate, minute: i64) -> String {
    let (hour, minute) = (minute / 60, minute % 60);
    format!("{}T{hour:02}:{minute:02}:00{OFFSET}", day(date))
}

/// An `Annotation`.
pub fn note(text: &str, time: &str) -> Value {
    json!({"time": time, "text": text})
}

/// An `Attachment` of plain text.
pub fn text_attachment(title: &str, text: &str, creation: &str) -> Value {
    json!({
        "contentType": "text/plain; charset=utf-8",
        "language": "en-US",
        "data": STANDARD.encode(text),
        "size": text.len(),
        "title": title,
        "creation": creation,
    })
}

/// Puts one member into an object; anything else stays as it is.
pub fn set(object: &mut Value, member: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

/// Takes one member out of an object.
pub fn unset(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

/// The text of one member, or nothing.
pub fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}
