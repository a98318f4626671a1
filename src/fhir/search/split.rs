//! Cutting the text of a parameter into values: FHIR R4 §3.1.1.4.2 (Escaping).

use super::problem::{Refusal, invalid, too_costly};

/// Most values in one list.
pub const VALUES_MAX: usize = 1_000;

/// The values between commas, of which any may match; none of them may be empty.
pub(super) fn alternatives(text: &str) -> Result<Vec<&str>, Refusal> {
    let values = split_unescaped(text, ',')?;
    if values.contains(&"") {
        return Err(invalid("the value is empty, or empty before or behind a comma"));
    }
    if values.len() > VALUES_MAX {
        return Err(too_costly(format!(
            "there are {} values in the list; at most {VALUES_MAX} are allowed",
            values.len()
        )));
    }
    Ok(values)
}

/// Splits at a separator that has no backslash before it.
pub(super) fn split_unescaped(text: &str, separator: char) -> Result<Vec<&str>, Refusal> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && !matches!(characters.next(), Some((_, ',' | '|' | '$' | '\\'))) {
            return Err(invalid(
                "a backslash stands only before ',', '|', '$' and another backslash",
            ));
        }
        if character == separator {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + separator.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

/// The characters that an escaped value stands for.
pub(super) fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    out
}

/// A value as it stands in a query: FHIR R4 §3.1.1.4.2.
#[must_use]
pub fn escaped(text: &str) -> String {
    let special = |character| matches!(character, '\\' | ',' | '|' | '$');
    text.chars().flat_map(|one| special(one).then_some('\\').into_iter().chain([one])).collect()
}
