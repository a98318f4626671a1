//! One entry as it is forwarded: JSON of bounded size.

use std::fmt::Write;

use serde_json::Value;

use crate::access::Outcome;
use crate::audit::Forwarded;
use crate::clock::Instant;

/// Longest text of a message. With the header of a syslog message it is less than the 8,192 octets that receivers
/// should take (RFC 5425 section 4.3.1).
const JSON_BYTES_MAX: usize = 7_680;
/// How a message is made shorter, each time more: members of each list, and bytes of each text.
const LIMITS: [(usize, usize); 4] = [(64, 1_024), (16, 256), (4, 64), (0, 40)];

/// How important it is that somebody looks at it (RFC 5424 section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The server failed.
    Error = 3,
    /// It was refused.
    Warning = 4,
    /// All else.
    Informational = 6,
}

/// One entry as it is forwarded.
#[derive(Debug)]
pub struct Message {
    /// What was done.
    pub operation: String,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// By how it ended.
    pub severity: Severity,
    /// The entry as JSON, in ASCII alone and on one line.
    pub json: String,
}

impl Message {
    /// The message of an entry.
    pub fn of(forwarded: &Forwarded) -> Self {
        Self {
            operation: forwarded.operation.to_string(),
            recorded_at: forwarded.recorded_at,
            severity: match forwarded.worst {
                Outcome::Failed => Severity::Error,
                Outcome::Refused => Severity::Warning,
                Outcome::Granted => Severity::Informational,
            },
            json: bounded(&forwarded.json()),
        }
    }
}

/// A value as JSON that is short enough. One that had to be made shorter says so.
fn bounded(value: &Value) -> String {
    let mut text = ascii(value);
    for (members, characters) in LIMITS {
        if text.len() <= JSON_BYTES_MAX {
            break;
        }
        let mut shorter = value.clone();
        shorten(&mut shorter, members, characters);
        if let Value::Object(entry) = &mut shorter {
            entry.insert("shortened".to_owned(), Value::Bool(true));
        }
        text = ascii(&shorter);
    }
    text
}

fn shorten(value: &mut Value, members: usize, bytes: usize) {
    match value {
        Value::String(text) => {
            let mut written = 0;
            let mut is_too_much = |letter: char| {
                written += written_bytes(letter);
                written > bytes
            };
            let end = text.char_indices().find(|(_, letter)| is_too_much(*letter));
            if let Some((end, _)) = end {
                text.truncate(end);
            }
        }
        Value::Array(list) => {
            list.truncate(members);
            list.iter_mut().for_each(|member| shorten(member, members, bytes));
        }
        Value::Object(entry) => {
            entry.values_mut().for_each(|member| shorten(member, members, bytes));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Bytes that a letter takes in a text of JSON, at most.
fn written_bytes(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        _ => 6 * letter.len_utf16(),
    }
}

/// JSON with everything beyond ASCII as `\u` (RFC 8259 section 7): a syslog message of UTF-8 would have to begin with a byte
/// order mark (RFC 5424 section 6.4), and JSON must not (RFC 8259 section 8.1). DEL is no printable character either.
fn ascii(value: &Value) -> String {
    let text = value.to_string();
    let is_plain = |letter: char| letter.is_ascii() && letter != '\u{7F}';
    if text.chars().all(is_plain) {
        return text;
    }
    let mut out = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        if is_plain(letter) {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_letter_comes_back() {
        let value = json!({ "a": "Größe \u{1F600} \u{7F}\u{0} \"\\\n" });
        let text = ascii(&value);
        assert!(text.bytes().all(|byte| (0x20..0x7F).contains(&byte)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(bounded(&value), text);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// As large as an entry can be made by who sends requests.
        #[test]
        fn a_message_is_short_and_says_when_it_was_shortened(
            letter in any::<char>(),
            length in 0usize..2_000,
            count in 0usize..40,
        ) {
            let text = letter.to_string().repeat(length);
            let look = json!({ "reason": text, "query": text, "patients": vec!["p"; count] });
            let mut entry = json!({ "id": "12-3", "parts": vec![look.clone(); count], "events": vec![1; count] });
            for name in ["subject", "name", "role", "organization", "fhirUser", "acting", "client", "issuer", "tokenId",
                "scopes", "address", "proxy", "userAgent", "purpose", "clientRequest", "trace", "reason", "query"] {
                entry[name] = json!(text);
            }
            entry["request"] = json!("01234567-89ab-8def-8123-456789abcdef");
            let whole = ascii(&entry).len();
            let message = bounded(&entry);
            prop_assert!(message.len() <= JSON_BYTES_MAX, "{} bytes", message.len());
            let read: Value = serde_json::from_str(&message).unwrap();
            prop_assert_eq!(read["shortened"] == true, whole > JSON_BYTES_MAX);
            prop_assert_eq!((&read["id"], &read["request"]), (&entry["id"], &entry["request"]));
        }
    }
}
