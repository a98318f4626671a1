//! Copying a value without white space, with some of its parts replaced.

use super::node::{Kind, Node};

/// Writes compact JSON by copying tokens from a parsed document, so that numbers and strings stay
/// exactly as they were sent.
#[allow(missing_debug_implementations)]
pub struct Compactor<'r> {
    out: Vec<u8>,
    /// Replacement for a string value: given the name of the member that holds it (or that holds
    /// the array it stands in) and its characters.
    replace: &'r dyn Fn(&str, &str) -> Option<String>,
}

impl<'r> Compactor<'r> {
    /// A writer that asks `replace(member name, text)` for each string value.
    #[must_use]
    pub fn new(capacity: usize, replace: &'r dyn Fn(&str, &str) -> Option<String>) -> Self {
        Self { out: Vec::with_capacity(capacity), replace }
    }

    /// Appends text as it is.
    pub fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Appends a string in quotes.
    pub fn string(&mut self, text: &str) {
        self.raw(&quote(text));
    }

    /// Number of bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// True while nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The bytes written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Appends a whole value; `name` is the member that holds it.
    pub fn value(&mut self, name: &str, node: Node<'_>) {
        let mut open: Vec<(usize, u8)> = Vec::new();
        let mut last_name = std::borrow::Cow::Borrowed(name);
        let mut separate = false;
        for part in node.descend() {
            while let Some((end, closing)) = open.last()
                && part.start() >= *end
            {
                self.out.push(*closing);
                open.pop();
                separate = true;
            }
            if separate {
                self.out.push(b',');
            }
            separate = true;
            if let Some(name) = part.as_name() {
                self.raw(part.text());
                self.out.push(b':');
                last_name = name;
                separate = false;
                continue;
            }
            match part.kind() {
                Kind::Object => {
                    self.out.push(b'{');
                    open.push((part.end(), b'}'));
                    separate = false;
                }
                Kind::Array => {
                    self.out.push(b'[');
                    open.push((part.end(), b']'));
                    separate = false;
                }
                Kind::String => self.string_value(&last_name, part),
                _ => self.raw(part.text()),
            }
        }
        while let Some((_, closing)) = open.pop() {
            self.out.push(closing);
        }
    }

    fn string_value(&mut self, name: &str, node: Node<'_>) {
        match node.as_str().and_then(|text| (self.replace)(name, &text)) {
            Some(text) => self.string(&text),
            None => self.raw(node.text()),
        }
    }
}

/// A string as JSON text, quotes included.
#[must_use]
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::Compactor;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn compact(text: &str) -> String {
        let document = Document::parse(text).unwrap();
        let mut out = Compactor::new(0, &|_, _| None);
        out.value("", document.root());
        String::from_utf8(out.finish()).unwrap()
    }

    #[test]
    fn keeps_numbers_and_strings_as_sent() {
        let text = r#" { "a" : [ 72.50 , -0.0e+10, [ ], { } ], "\u00e9" : "x\/\n😀" , "t":true } "#;
        assert_eq!(compact(text), r#"{"a":[72.50,-0.0e+10,[],{}],"\u00e9":"x\/\n😀","t":true}"#);
    }

    #[test]
    fn replaces_string_values_by_the_member_that_holds_them() {
        let document =
            Document::parse(r#"{"reference":"urn:x","a":{"reference":"y"},"b":"urn:x"}"#);
        let replace = |name: &str, text: &str| {
            (name == "reference" && text == "urn:x").then(|| "Patient/1".to_owned())
        };
        let document = document.unwrap();
        let mut out = Compactor::new(0, &replace);
        out.value("", document.root());
        let written = String::from_utf8(out.finish()).unwrap();
        assert_eq!(written, r#"{"reference":"Patient/1","a":{"reference":"y"},"b":"urn:x"}"#);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let cases = [
            ("", "the text ends where a value was expected (line 1, column 1)"),
            ("{\n \"a\": }", "expected a JSON value (line 2, column 7)"),
            ("[1 2]", "expected ',' or ']' (line 1, column 4)"),
            ("[1,]", "expected a JSON value (line 1, column 4)"),
            ("{\"a\":1,}", "expected a member name in double quotes (line 1, column 8)"),
            ("[01]", "expected ',' or ']' (line 1, column 3)"),
            ("[1.]", "expected a digit (line 1, column 4)"),
            ("\"a\nb\"", "a control character in a string must be escaped (line 1, column 3)"),
            (r#""\ud800""#, "a lone surrogate escape is not a character (line 1, column 8)"),
            (r#""\u00g0""#, "expected \\u and four hexadecimal digits (line 1, column 2)"),
            (r#""\x""#, "unknown escape in a string (line 1, column 2)"),
            ("nul", "expected a JSON value (line 1, column 1)"),
            ("{} {}", "text after the end of the document (line 1, column 4)"),
            ("{\"a\":1,\"\\u0061\":2}", "the member \"a\" occurs twice (line 1, column 17)"),
            ("[", "the text ends inside an array or object (line 1, column 2)"),
        ];
        for (text, expected) in cases {
            assert_eq!(Document::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
        let invalid = Document::parse(b"{\"a\":\"\xff\"}".to_vec()).unwrap_err();
        assert_eq!(invalid.to_string(), "the text is not valid UTF-8 (line 1, column 7)");
    }

    #[test]
    fn refuses_depth_bombs_without_recursion() {
        let bomb = "[".repeat(1_000_000);
        assert!(Document::parse(bomb).unwrap_err().problem.contains("nested deeper"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
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

    proptest! {
        #[test]
        fn compaction_keeps_every_value(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let back: Value = serde_json::from_str(&compact(&pretty)).unwrap();
            // Compare through the same reader: both read the same digits.
            prop_assert_eq!(back, serde_json::from_str::<Value>(&pretty).unwrap());
        }

        #[test]
        fn accepts_nothing_that_the_reference_parser_refuses(text in ".{0,40}") {
            if Document::parse(text.as_str()).is_ok()
                && let Err(error) = serde_json::from_str::<Value>(&text)
            {
                prop_assert!(error.to_string().contains("out of range"));
            }
        }

        #[test]
        fn never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Document::parse(bytes);
        }

        #[test]
        fn mutated_json_is_judged_as_the_reference_parser_does(
            value in any_json(), at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f,
        ) {
            let mut text = serde_json::to_vec(&value).unwrap();
            let at = at.index(text.len());
            text[at] = byte;
            let reference = serde_json::from_slice::<Value>(&text);
            match (Document::parse(text), reference) {
                // Kept as text, so numbers may be beyond f64, where the reference gives up.
                (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range")),
                // Stricter on purpose.
                (Err(error), Ok(_)) => prop_assert!(error.problem.contains("occurs twice")),
                (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            }
        }
    }
}
