//! Envelopes of older schemas, read as today's: one function from each schema to the next.
//!
//! What was written stays as it is; an envelope is led on when it is read, and one of today's is not touched by any of this.

use serde::de::{DeserializeOwned, Error};
use serde_json::{Map, Value};

/// Version of the envelope's fields; raised when their meaning changes, read forever.
pub const SCHEMA: u8 = 2;

/// From each schema to the next; the first one leads on from schema 1.
const STEPS: [fn(&mut Map<String, Value>); SCHEMA as usize - 1] = [to_2];

/// Schema 2 says in which version the content was written. What was written before is of the first.
fn to_2(envelope: &mut Map<String, Value>) {
    envelope.insert("content".to_owned(), Value::from(1));
}

/// Reads what an envelope says, of whatever schema it is.
pub(super) fn read<T: DeserializeOwned>(envelope: &[u8]) -> Result<T, serde_json::Error> {
    if is_of_today(envelope) {
        return serde_json::from_slice(envelope);
    }
    let mut members: Map<String, Value> = serde_json::from_slice(envelope)?;
    let schema = members.get("schema").and_then(Value::as_u64).filter(|schema| *schema > 0);
    let schema =
        schema.ok_or_else(|| Error::custom("an envelope says of which schema it is, from 1"))?;
    if schema > u64::from(SCHEMA) {
        return Err(Error::custom(format!(
            "the envelope is of schema {schema}, and this program reads schemas up to {SCHEMA}: a later one wrote it"
        )));
    }
    for (from, step) in (1..).zip(STEPS) {
        if from >= schema {
            step(&mut members);
        }
    }
    members.insert("schema".to_owned(), Value::from(SCHEMA));
    serde_json::from_value(Value::Object(members))
}

/// Whether an envelope begins as those that are written today. One that does not is read with care.
fn is_of_today(envelope: &[u8]) -> bool {
    let number = envelope.strip_prefix(br#"{"schema":"#);
    number.is_some_and(|rest| rest.starts_with(&[b'0' + SCHEMA, b',']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{Actor, Envelope, EventKind, EventType, Outline, Payload};
    use serde_json::json;

    /// Payloads as they were written under each schema, and what they say today.
    const GOLDEN: &str = include_str!("../../tests/vectors/events.json");

    fn golden() -> Vec<Value> {
        serde_json::from_str(GOLDEN).unwrap()
    }

    #[test]
    fn every_payload_that_was_ever_written_says_today_what_it_must() {
        for event in golden() {
            let written = event["payload"].as_str().unwrap();
            let payload = Payload::decode(written.as_bytes());
            let envelope = payload.envelope().unwrap_or_else(|error| panic!("{written}: {error}"));
            let today = serde_json::to_value(&envelope).unwrap();
            assert_eq!(today, event["today"], "{written}");
            assert_eq!(payload.body, event["body"].as_str().unwrap().as_bytes());
            let outline: Outline = payload.outline().unwrap();
            let said = (outline.event_type, outline.resource, outline.reason, outline.rights);
            assert_eq!(
                said,
                (envelope.event_type, envelope.resource, envelope.reason, envelope.rights)
            );
        }
    }

    #[test]
    fn there_is_a_payload_of_every_kind_in_every_schema() {
        let kinds = [
            "opened",
            "recorded",
            "amended",
            "retracted",
            "removed",
            "restored",
            "moved-in",
            "moved-out",
            "held",
            "released",
            "erased",
            "answered",
        ];
        for schema in 1..=SCHEMA {
            for kind in kinds {
                let is_it = |event: &Value| {
                    let written = event["payload"].as_str().unwrap();
                    written.starts_with(&format!(r#"{{"schema":{schema},"#))
                        && event["today"]["type"].as_str().unwrap().ends_with(&format!(".{kind}"))
                };
                assert!(
                    golden().iter().any(is_it),
                    "tests/vectors/events.json has no {kind} of schema {schema}"
                );
            }
        }
    }

    /// If this fails, the envelope has changed: raise [`SCHEMA`], lead older ones on, and add payloads of the new schema.
    #[test]
    fn todays_payloads_are_written_as_they_were() {
        for event in golden() {
            let written = event["payload"].as_str().unwrap();
            let payload = Payload::decode(written.as_bytes());
            if is_of_today(payload.envelope) {
                let again = Payload::encode(&payload.envelope().unwrap(), payload.body);
                assert_eq!(String::from_utf8(again).unwrap(), written);
            }
        }
        let event_type = EventType { subject: "chart".to_owned(), event_kind: EventKind::Opened };
        let envelope = Envelope::new(event_type, Actor::default());
        assert!(is_of_today(&Payload::encode(&envelope, b"")));
    }

    #[test]
    fn what_is_of_no_known_schema_is_refused() {
        let cases = [
            (
                json!({"schema": 3}),
                "the envelope is of schema 3, and this program reads schemas up to 2: a later one wrote it",
            ),
            (
                json!({"schema": 20}),
                "the envelope is of schema 20, and this program reads schemas up to 2: a later one wrote it",
            ),
            (json!({"schema": 0}), "an envelope says of which schema it is, from 1"),
            (json!({"type": "chart.opened"}), "an envelope says of which schema it is, from 1"),
        ];
        for (mut envelope, message) in cases {
            envelope["actor"] = json!(1);
            let bytes = envelope.to_string();
            let payload = Payload { envelope: bytes.as_bytes(), body: b"" };
            assert_eq!(payload.envelope().unwrap_err().to_string(), message);
            assert_eq!(payload.outline().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        for schema in [1, 2] {
            let text = format!(
                r#"{{"type":"Basic.removed","actor":1,"resource":"Basic/1", "schema":{schema}}}"#
            );
            let envelope: Envelope = read(text.as_bytes()).unwrap();
            assert_eq!((envelope.schema, envelope.content), (SCHEMA, 1));
        }
    }
}
