//! `Prefer`: what a client would rather have (RFC 7240). A server is free to go by it or not, so whatever is not known,
//! a name or a value, is as if it had not been said.

/// The value of a preference in the text of the header, which lists some: the first one of that name counts.
///
/// A semicolon begins a parameter of a preference. Clients separate preferences by it as well, and none that is known here
/// has parameters: so what stands behind one is read as a preference too.
#[must_use]
pub fn preferred(header: &str, name: &str) -> Option<String> {
    parts(header).into_iter().find_map(|part| {
        let (found, value) = part.split_once('=').unwrap_or((part, ""));
        found.trim().eq_ignore_ascii_case(name).then(|| unquoted(value.trim()))
    })
}

/// What stands between commas and semicolons, unless those are quoted.
fn parts(header: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    header
        .split(|letter| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match letter {
                '"' if !was_escaped => is_quoted = !is_quoted,
                '\\' if is_quoted && !was_escaped => is_escaped = true,
                _ => {}
            }
            matches!(letter, ',' | ';') && !is_quoted
        })
        .collect()
}

/// The text of a word, which may be a quoted string (RFC 9110 §5.6.4).
fn unquoted(word: &str) -> String {
    let Some(quoted) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) else {
        return word.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        text.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_however_it_is_written() {
        for (header, expected) in [
            ("", None),
            ("respond-async", None),
            ("returns=minimal", None),
            ("return", Some("")),
            ("return=minimal", Some("minimal")),
            (" RETURN = minimal ", Some("minimal")),
            ("return=\"minimal\"", Some("minimal")),
            ("return=\"mini\\mal\"", Some("minimal")),
            ("return=minimal, return=representation", Some("minimal")),
            ("return=presentation, return=minimal", Some("presentation")),
            ("respond-async, wait=10, return=minimal", Some("minimal")),
            ("handling=strict; return=minimal", Some("minimal")),
            ("return=minimal; a=\"b, return=c\"", Some("minimal")),
            ("a=\"b, return=c; \\\", return=d\", return=minimal", Some("minimal")),
            ("a=\"return=minimal", None),
            (",;=,\"", None),
        ] {
            assert_eq!(preferred(header, "return").as_deref(), expected, "{header}");
        }
    }
}
