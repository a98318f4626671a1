//! Line breaks and indentation for people.

/// Spaces for each level.
const INDENT: &str = "  ";

/// Writes a valid JSON text, or one part of it after the other, with a line for each value; numbers and
/// strings stay as they are.
#[derive(Debug, Default)]
pub struct Pretty {
    depth: usize,
    is_begun: bool,
    is_text: bool,
    is_escaped: bool,
    /// An array or object has begun, and nothing in it yet.
    is_opened: bool,
}

impl Pretty {
    /// The next part of the text.
    pub fn continued(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2);
        self.is_begun |= !text.is_empty();
        for byte in text.iter().copied() {
            if self.is_text {
                self.text(byte, &mut out);
            } else if !byte.is_ascii_whitespace() {
                self.sign(byte, &mut out);
            }
        }
        out
    }

    /// What stands behind the last part.
    #[must_use]
    pub fn end(self) -> Vec<u8> {
        if self.is_begun { b"\n".to_vec() } else { Vec::new() }
    }

    fn text(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.push(byte);
        (self.is_text, self.is_escaped) = match byte {
            _ if self.is_escaped => (true, false),
            b'\\' => (true, true),
            b'"' => (false, false),
            _ => (true, false),
        };
    }

    fn sign(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_first = std::mem::take(&mut self.is_opened);
        if matches!(byte, b'}' | b']') {
            if !is_first {
                self.depth = self.depth.saturating_sub(1);
                line(out, self.depth);
            }
            out.push(byte);
            return;
        }
        if is_first {
            self.depth += 1;
            line(out, self.depth);
        }
        match byte {
            b':' => out.extend_from_slice(b": "),
            b',' => {
                out.push(byte);
                line(out, self.depth);
            }
            _ => {
                self.is_opened = matches!(byte, b'{' | b'[');
                self.is_text = byte == b'"';
                out.push(byte);
            }
        }
    }
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.extend_from_slice(INDENT.repeat(depth).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::Pretty;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// The text, in parts that end after each byte that is one of these.
    fn pretty(text: &[u8], ends: &[u8]) -> String {
        let mut pretty = Pretty::default();
        let parts = text.split_inclusive(|byte| ends.contains(byte));
        let mut out: Vec<u8> = parts.flat_map(|part| pretty.continued(part)).collect();
        out.extend(pretty.end());
        String::from_utf8(out).unwrap()
    }

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
        assert_eq!(pretty(text, b""), expected);
        assert_eq!(pretty(b"", b""), "", "nothing stays nothing");
    }

    proptest! {
        #[test]
        fn says_the_same_as_the_reference_writer(value in any_json()) {
            let value = json!([value]);
            let expected = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
            for ends in [b"".as_slice(), b"{[\\\"", b",:}] "] {
                prop_assert_eq!(&pretty(value.to_string().as_bytes(), ends), &expected);
            }
        }
    }
}
