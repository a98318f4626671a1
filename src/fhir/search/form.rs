//! Query strings: `application/x-www-form-urlencoded`, in a URL or as the body of `_search`
//! (FHIR R4 §3.1.1.1).

/// Most names with values in one query.
pub const PAIRS_MAX: usize = 256;

/// Decodes a query into names and values, in its order.
///
/// # Errors
///
/// An escape that is not `%` and two hexadecimal digits, text that is not UTF-8, or too many pairs.
pub fn parse_query(query: &str) -> Result<Vec<(String, String)>, QueryError> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == PAIRS_MAX {
            return Err(QueryError::TooManyPairs);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

/// Why a query cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query is longer than anyone needs.
    #[error("the query has more than {PAIRS_MAX} parameters")]
    TooManyPairs,
    /// A `%` without two hexadecimal digits behind it.
    #[error("in \"{0}\", '%' must be followed by two hexadecimal digits")]
    InvalidEscape(String),
    /// The decoded bytes are not text.
    #[error("\"{0}\" does not decode to UTF-8")]
    InvalidUtf8(String),
}

fn decode(text: &str) -> Result<String, QueryError> {
    let quotable = || crate::fhir::types::quotable(text);
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) =
                    (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit));
                let byte = high.zip(low).map(|(high, low)| high << 4 | low);
                byte.ok_or_else(|| QueryError::InvalidEscape(quotable()))?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| QueryError::InvalidUtf8(quotable()))
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn decodes_names_and_values_in_their_order() {
        let cases = [
            ("", vec![]),
            ("a=1&b=2&a=3", vec![pair("a", "1"), pair("b", "2"), pair("a", "3")]),
            ("a=b=c", vec![pair("a", "b=c")]),
            ("a&&=b", vec![pair("a", ""), pair("", "b")]),
            ("a+b=%2B%c3%A4%20", vec![pair("a b", "+ä ")]),
            ("patient%3APatient=x|y", vec![pair("patient:Patient", "x|y")]),
        ];
        for (query, pairs) in cases {
            assert_eq!(parse_query(query), Ok(pairs), "{query}");
        }
    }

    #[test]
    fn refuses_what_does_not_decode() {
        for text in ["%", "%4", "%zz", "%+1", "a%C3"] {
            assert!(parse_query(&format!("a={text}")).is_err(), "{text}");
        }
        let error = parse_query("a=%ff").unwrap_err().to_string();
        assert_eq!(error, "\"%ff\" does not decode to UTF-8");
        assert_eq!(parse_query(&"a=1&".repeat(256)).unwrap().len(), 256);
        assert_eq!(parse_query(&"a=1&".repeat(257)), Err(QueryError::TooManyPairs));
    }

    proptest! {
        #[test]
        fn never_panics(query in ".{0,100}") {
            let _ = parse_query(&query);
        }

        #[test]
        fn decodes_what_was_encoded(name in ".{1,20}", value in ".{0,20}") {
            let encode = |text: &str| {
                let bytes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
                bytes.concat()
            };
            let query = format!("{}={}", encode(&name), encode(&value));
            prop_assert_eq!(parse_query(&query), Ok(vec![(name, value)]));
        }
    }
}
