//! The configuration file: from its text to the settings it gives.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{Given, Setting};
use super::settings::{SECTIONS, settings};

/// The content of a file, in the order of its lines.
#[derive(Default)]
pub struct Contents<'text> {
    /// The settings it gives, each with its line.
    pub given: Vec<(&'static Setting, Given<'text>, usize)>,
    /// What in it is no setting.
    pub strange: Vec<Stranger>,
}

/// Something in a file that is no setting.
pub struct Stranger {
    /// Its line, counted from 1.
    pub line: usize,
    /// The key it was given under, unless the text is no TOML.
    pub key: Option<String>,
    /// What it is, and what would be right.
    pub message: String,
}

/// Reads the text of a file.
///
/// A text that is no TOML gives no settings at all: what follows a mistake cannot be trusted.
pub fn read(text: &str) -> Contents<'_> {
    let mut contents = Contents::default();
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = line_at(text, error.span().map_or(0, |span| span.start));
        let message = format!("this is no TOML: {}", error.message());
        contents.strange.push(Stranger { line, key: None, message });
    }
    if errors.is_empty() {
        for (name, value) in document.into_inner() {
            contents.section(text, &name, value);
        }
    }
    contents.given.sort_by_key(|(_, _, line)| *line);
    contents.strange.sort_by_key(|stranger| stranger.line);
    contents
}

/// The line, counted from 1, of a byte offset in a text.
pub fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.split(|byte| *byte == b'\n').count()
}

impl<'text> Contents<'text> {
    fn section(
        &mut self,
        text: &'text str,
        name: &Spanned<Cow<'text, str>>,
        value: Spanned<DeValue<'text>>,
    ) {
        let line = line_at(text, name.span().start);
        let section: &str = name.get_ref();
        if !SECTIONS.iter().any(|(known, _)| *known == section) {
            let known: Vec<_> = SECTIONS.iter().map(|(known, _)| *known).collect();
            let message = format!("unknown section {section}; there are {}", known.join(", "));
            return self.stranger(line, section.to_owned(), message);
        }
        let DeValue::Table(entries) = value.into_inner() else {
            let message = format!("{section} must be a section, written [{section}]");
            return self.stranger(line, section.to_owned(), message);
        };
        for (name, value) in entries {
            let line = line_at(text, name.span().start);
            let key = format!("{section}.{}", name.get_ref());
            if let Some(setting) = settings().find(|setting| setting.key == key) {
                let written = text.get(value.span()).unwrap_or_default();
                self.given.push((setting, Given { value, written }, line));
            } else {
                let message = format!("unknown key {key}; {}", names_in(section));
                self.stranger(line, key, message);
            }
        }
    }

    fn stranger(&mut self, line: usize, key: String, message: String) {
        let key = Some(key);
        self.strange.push(Stranger { line, key, message });
    }
}

fn names_in(section: &str) -> String {
    let names: Vec<_> = settings()
        .map(Setting::section_and_name)
        .filter(|(its_section, _)| *its_section == section)
        .map(|(_, name)| name)
        .collect();
    format!("[{section}] has {}", names.join(", "))
}
