//! Writing the members of JSON objects one after the other, without a tree of values: exports have very many.

use std::fmt::{Display, Write as _};

/// The name of the next member of an object, whose brace was written before.
pub(super) fn name(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push('"');
    out.push_str(name);
    out.push_str("\":");
}

/// A member that is a text.
pub(super) fn text(out: &mut String, name: &str, text: &str) {
    self::name(out, name);
    value(out, |out| out.push_str(text));
}

/// The same, if there is one.
pub(super) fn some_text(out: &mut String, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        self::text(out, name, text);
    }
}

/// A member that is the text of something.
pub(super) fn shown(out: &mut String, name: &str, shown: &impl Display) {
    self::name(out, name);
    value(out, |out| plain(out, shown));
}

/// A member that is a number.
pub(super) fn number(out: &mut String, name: &str, number: u64) {
    self::name(out, name);
    plain(out, &number);
}

/// A member that is a list.
pub(super) fn list<T>(
    out: &mut String,
    name: &str,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    self::name(out, name);
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// A text as a value, given what writes its characters.
pub(super) fn value(out: &mut String, write: impl FnOnce(&mut String)) {
    let start = out.len();
    out.push('"');
    let begin = out.len();
    write(out);
    let is_plain = |byte: &u8| *byte >= b' ' && !matches!(byte, b'"' | b'\\');
    if out.as_bytes().get(begin..).unwrap_or_default().iter().all(is_plain) {
        out.push('"');
        return;
    }
    let text = out.split_off(begin);
    out.truncate(start);
    // A text always has a form in JSON.
    out.push_str(&serde_json::to_string(&text).unwrap_or_default());
}

/// Something as it shows itself.
pub(super) fn plain(out: &mut String, shown: &impl Display) {
    // Writing into memory cannot fail.
    let _ = write!(out, "{shown}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_written_as_json(written in any::<String>()) {
            let mut out = "{".to_owned();
            text(&mut out, "a", &written);
            some_text(&mut out, "b", Some(&written));
            some_text(&mut out, "c", None);
            out.push('}');
            let expected = serde_json::to_string(&written).unwrap();
            prop_assert_eq!(out, format!(r#"{{"a":{expected},"b":{expected}}}"#));
        }
    }
}
