//! Line breaks and indentation for people.

/// Spaces for each level.
const INDENT: &str = "  ";

/// A valid JSON text with a line for each value; numbers and strings stay as they are.
#[must_use]
pub fn pretty(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0usize, false, false);
    let mut bytes =
        text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() || *byte == b' ').peekable();
    while let Some(byte) = bytes.next() {
        if is_text {
            out.push(byte);
            (is_text, is_escaped) = match byte {
                _ if is_escaped => (true, false),
                b'\\' => (true, true),
                b'"' => (false, false),
                _ => (true, false),
            };
            continue;
        }
        match byte {
            b' ' => {}
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if_eq(&b' ').is_some() {}
                if !matches!(bytes.peek(), Some(b'}' | b']')) {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                is_text = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    out
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.extend_from_slice(INDENT.repeat(depth).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::pretty;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn numbers_stay_and_what_is_empty_stays_on_its_line() {
        let text = br#"{"a":72.50,"b":[{},[ ],"x: {\"y\"}"]}"#;
        let expected =
            "{\n  \"a\": 72.50,\n  \"b\": [\n    {},\n    [],\n    \"x: {\\\"y\\\"}\"\n  ]\n}\n";
        assert_eq!(String::from_utf8(pretty(text)).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn says_the_same_as_the_reference_writer(value in any_json()) {
            let value = json!([value]);
            let expected = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
            prop_assert_eq!(String::from_utf8(pretty(value.to_string().as_bytes())).unwrap(), expected);
        }
    }
}
