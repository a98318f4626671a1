//! The formats of primitive types: FHIR R4 §2.24.0.1.

use std::borrow::Cow;

use super::markup::is_white;
use super::{IssueCode, date, narrative};
use crate::fhir::ResourceId;
use crate::fhir::definitions::Primitive;
use crate::fhir::types::quotable;
use crate::json::{Kind, Node};

/// Longest text of a string, in bytes.
const STRING_BYTES_MAX: usize = 1 << 20;
/// Value of the largest integer.
const INTEGER_MAX: i64 = (1 << 31) - 1;

/// What is wrong with a value of a primitive type.
pub(super) fn wrong(primitive: Primitive, value: Node<'_>) -> Option<(IssueCode, String)> {
    let is_right = match (form(primitive), value.kind()) {
        (Form::Boolean, Kind::True | Kind::False) => true,
        (Form::Number, Kind::Number) => is_number(primitive, value.text()),
        (Form::Text, Kind::String) => {
            let text = value.as_str().unwrap_or_default();
            if primitive == Primitive::Xhtml {
                return narrative::wrong(&text).map(|wrong| (IssueCode::Value, wrong));
            }
            // The parser lets control characters pass only where they were written as escapes.
            let has_control = matches!(&text, Cow::Owned(text) if text.bytes().any(is_control));
            !has_control && is_text(primitive, &text)
        }
        (form, _) => {
            let diagnostics = format!("a value of type {} is {}", primitive.name(), form.name());
            return Some((IssueCode::Structure, diagnostics));
        }
    };
    let name = primitive.name();
    let wrong = || format!("{} is not of type {name}: {}", quotable(value.text()), rule(primitive));
    (!is_right).then(|| (IssueCode::Value, wrong()))
}

/// How values of a type stand in JSON.
#[derive(Clone, Copy)]
enum Form {
    Boolean,
    Number,
    Text,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "true or false, without quotes",
            Self::Number => "a JSON number, without quotes",
            Self::Text => "a JSON string",
        }
    }
}

fn form(primitive: Primitive) -> Form {
    match primitive {
        Primitive::Boolean => Form::Boolean,
        Primitive::Decimal
        | Primitive::Integer
        | Primitive::PositiveInt
        | Primitive::UnsignedInt => Form::Number,
        _ => Form::Text,
    }
}

fn is_number(primitive: Primitive, text: &str) -> bool {
    let from = match primitive {
        // Every number of JSON is one; its digits are kept as they are.
        Primitive::Decimal => return true,
        Primitive::PositiveInt => 1,
        Primitive::UnsignedInt => 0,
        _ => -INTEGER_MAX - 1,
    };
    let number = text.parse().ok().filter(|_| text != "-0");
    number.is_some_and(|number: i64| (from..=INTEGER_MAX).contains(&number))
}

fn is_text(primitive: Primitive, text: &str) -> bool {
    match primitive {
        Primitive::Base64Binary => is_base64(text),
        Primitive::Code => is_code(text),
        Primitive::Date => date::is_date(text),
        Primitive::DateTime => date::is_date_time(text),
        Primitive::Id => ResourceId::is_valid(text),
        Primitive::Instant => date::is_instant(text),
        Primitive::Oid => text.strip_prefix("urn:oid:").is_some_and(is_oid),
        Primitive::Time => date::is_time(text),
        Primitive::Uuid => text.strip_prefix("urn:uuid:").is_some_and(is_uuid),
        Primitive::Canonical | Primitive::Uri | Primitive::Url => !text.contains(is_white),
        _ => text.len() <= STRING_BYTES_MAX,
    }
}

/// True for control characters other than tab and the ends of lines.
fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Words with single spaces between them. As in XML Schema, a space that does not break a line is a
/// letter like any other.
fn is_code(text: &str) -> bool {
    text.split(is_white).all(|word| !word.is_empty())
}

/// Numbers with dots between them, the first of which is 0, 1 or 2.
pub(super) fn is_oid(text: &str) -> bool {
    let is_number = |part: &str| {
        part == "0"
            || !part.is_empty()
                && !part.starts_with('0')
                && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text.split('.');
    matches!(parts.next(), Some("0" | "1" | "2")) && text.contains('.') && parts.all(is_number)
}

/// The 36 characters of a UUID, in lower case.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Groups of four characters, in which white space is passed over.
fn is_base64(text: &str) -> bool {
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'=' => padding += 1,
            _ if padding > 0 => return false,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {}
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count % 4 == 0 && padding <= 2
}

/// What values of the type look like.
fn rule(primitive: Primitive) -> &'static str {
    match primitive {
        Primitive::Base64Binary => {
            "groups of four characters out of A-Z, a-z, 0-9, '+', '/' and '='"
        }
        Primitive::Boolean => "true or false",
        Primitive::Canonical | Primitive::Uri | Primitive::Url => "a URI has no white space",
        Primitive::Code => "words with single spaces between them and none around",
        Primitive::Date => "a day of the calendar, YYYY-MM-DD, or YYYY-MM or YYYY",
        Primitive::DateTime => {
            "a day of the calendar, YYYY-MM-DD, or YYYY-MM or YYYY; or YYYY-MM-DDThh:mm:ss with an \
             optional fraction and the time zone, Z or ±hh:mm"
        }
        Primitive::Decimal => "a number",
        Primitive::Id => "1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'",
        Primitive::Instant => {
            "YYYY-MM-DDThh:mm:ss with an optional fraction and the time zone, Z or ±hh:mm"
        }
        Primitive::Integer => "a whole number from -2147483648 to 2147483647",
        Primitive::PositiveInt => "a whole number from 1 to 2147483647",
        Primitive::UnsignedInt => "a whole number from 0 to 2147483647",
        Primitive::Oid => "urn:oid: and numbers with dots between them",
        Primitive::Time => "hh:mm:ss with an optional fraction",
        Primitive::Uuid => "urn:uuid: and a UUID in lower case",
        Primitive::Markdown | Primitive::String | Primitive::Xhtml => {
            "at most 1048576 bytes, without control characters other than tab and line break"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    fn is_right(primitive: &str, text: &str) -> bool {
        let document = Document::parse(text).unwrap();
        wrong(Primitive::from_name(primitive).unwrap(), document.root()).is_none()
    }

    #[test]
    fn knows_the_formats() {
        let uuid = r#""urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0""#;
        let cases: [(&str, &[&str], &[&str]); 16] = [
            ("boolean", &["true", "false"], &[r#""true""#, "1", "[]", "{}"]),
            (
                "integer",
                &["0", "-1", "2147483647", "-2147483648"],
                &[
                    "2147483648",
                    "-2147483649",
                    "1.0",
                    "1e3",
                    "-0",
                    r#""1""#,
                    "99999999999999999999",
                ],
            ),
            ("positiveInt", &["1", "2147483647"], &["0", "-1", "2147483648"]),
            ("unsignedInt", &["0", "2147483647"], &["-1", "0.5"]),
            ("decimal", &["0", "-0", "72.50", "1e-9", "1.0E+400"], &[r#""1""#, "true"]),
            ("string", &[r#"" a\t\n\r""#, r#""é\u00a0""#], &["1", r#""a\u0000""#, r#""\u001f""#]),
            (
                "code",
                &[r#""a""#, r#""a b""#, r#""a\u00a0""#],
                &[r#"" a""#, r#""a ""#, r#""a  b""#, r#""\t""#],
            ),
            ("id", &[r#""a-1.B""#], &[r#""a_b""#, r#""a b""#]),
            ("uri", &[r#""http://x/?a=b""#, r#""x""#], &[r#""http://x y""#, r#""a\n""#, "1"]),
            ("canonical", &[r#""http://x|1""#], &[r#""x |1""#]),
            (
                "oid",
                &[r#""urn:oid:1.2.840.0""#],
                &[
                    r#""1.2""#,
                    r#""urn:oid:1""#,
                    r#""urn:oid:3.1""#,
                    r#""urn:oid:1.02""#,
                    r#""urn:oid:1.""#,
                ],
            ),
            (
                "uuid",
                &[uuid],
                &[r#""0c3151bd""#, r#""urn:uuid:0C3151BD-1CBF-4D64-B04D-CD9187A4C6E0""#],
            ),
            (
                "base64Binary",
                &[r#""AAAA""#, r#""AAA=\r\n""#, r#""AA==""#, r#""AA AA""#],
                &[r#""AAA""#, r#""A===""#, r#""A=AA""#, r#""AA-_""#, r#"" ""#],
            ),
            ("markdown", &[r##""# a\n""##], &[r#""\u0007""#]),
            ("time", &[r#""23:59:60.5""#], &[r#""24:00:00""#, r#""10:00""#]),
            ("xhtml", &[r#""<div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>""#], &[r#""a""#]),
        ];
        for (primitive, right, not) in cases {
            for text in right {
                assert!(is_right(primitive, text), "{primitive}: {text}");
            }
            for text in not {
                assert!(!is_right(primitive, text), "{primitive}: {text}");
            }
        }
        let long = |length: usize| format!("\"{}\"", "x".repeat(length));
        assert!(is_right("string", &long(STRING_BYTES_MAX)));
        assert!(!is_right("string", &long(STRING_BYTES_MAX + 1)));
    }

    #[test]
    fn says_what_would_be_right() {
        let cases = [
            (
                "positiveInt",
                "0",
                "0 is not of type positiveInt: a whole number from 1 to 2147483647",
            ),
            ("boolean", "\"true\"", "a value of type boolean is true or false, without quotes"),
            (
                "date",
                "\"2023-02-29\"",
                "\"2023-02-29\" is not of type date: a day of the calendar, YYYY-MM-DD, or YYYY-MM or YYYY",
            ),
        ];
        for (primitive, text, message) in cases {
            let document = Document::parse(text).unwrap();
            let (_, found) =
                wrong(Primitive::from_name(primitive).unwrap(), document.root()).unwrap();
            assert_eq!(found, message);
        }
    }
}
