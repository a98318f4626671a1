//! What is written for people: styles, and text that cannot command a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Longest value on a line, in characters.
const VALUE_LENGTH_MAX: usize = 120;

/// Of what stands around the answer: positions, times.
pub const FAINT: Style = Style::new().dimmed();
/// Of names.
pub const NAME: Style = Style::new().bold();
/// Of what came.
pub const CAME: Style = AnsiColor::Green.on_default();
/// Of what changed.
pub const CHANGED: Style = AnsiColor::Yellow.on_default();
/// Of what went.
pub const WENT: Style = AnsiColor::Red.on_default();

/// A text in a style, as [`plain`].
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{}{style:#}", plain(&text.to_string()))
}

/// A text without control characters, which could command a terminal.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() {
            true => out.extend(letter.escape_unicode()),
            false => out.push(letter),
        }
    }
    out
}

/// A value as it is told on a line: not longer than that.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(VALUE_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", plain(value.get(..end).unwrap_or_default())),
        None => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_told_commands_a_terminal() {
        assert_eq!(plain("Quist\u{1b}[2J\u{9b}1m\n"), "Quist\\u{1b}[2J\\u{9b}1m\\u{a}");
        let line = styled(WENT, "a\u{1b}b");
        assert_eq!(line, "\u{1b}[31ma\\u{1b}b\u{1b}[0m");
        assert_eq!(anstream::adapter::strip_str(&line).to_string(), "a\\u{1b}b");
    }

    #[test]
    fn a_long_value_is_cut_between_letters() {
        let long = "ä".repeat(VALUE_LENGTH_MAX + 1);
        assert_eq!(shown(&long), format!("{}…", "ä".repeat(VALUE_LENGTH_MAX)));
        assert_eq!(shown("72.50"), "72.50");
    }
}
