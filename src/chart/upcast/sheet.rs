//! The text of a file with an upcaster, read key by key; collects all that is wrong with it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::UpcastError;
use crate::json::{Document, quote};

/// A file that is being read.
pub(super) struct Sheet<'t> {
    file: &'t str,
    text: &'t str,
    /// Which events it is about, as far as that was read.
    pub(super) event: String,
    /// What is wrong.
    pub(super) errors: Vec<UpcastError>,
}

/// A value with the place where it begins, as a byte offset.
pub(super) type Placed<T> = (T, usize);

impl<'t> Sheet<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, event: "*".to_owned(), errors: Vec::new() }
    }

    /// The table that the file is; `None` if it is no TOML.
    pub(super) fn table(&mut self) -> Option<DeTable<'t>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.refuse(at, format!("this is no TOML: {}", error.message()));
        }
        errors.is_empty().then(|| table.into_inner())
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        before.split(|byte| *byte == b'\n').count()
    }

    /// Notes that something is wrong.
    pub(super) fn refuse(&mut self, at: usize, problem: impl Into<String>) {
        self.refuse_line(self.line(at), problem);
    }

    /// The same, where the line is known.
    pub(super) fn refuse_line(&mut self, line: usize, problem: impl Into<String>) {
        let (file, event) = (self.file.to_owned(), self.event.clone());
        self.errors.push(UpcastError { file, line, event, problem: problem.into() });
    }

    /// Refuses what a table has beside these keys; `place` names the table.
    pub(super) fn only(&mut self, table: &DeTable<'_>, place: &str, keys: &[&str]) {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                let keys = keys.join(", ");
                self.refuse(key.span().start, format!("unknown key {name}; {place} has {keys}"));
            }
        }
    }

    /// A text; nothing, and an error, if it is something else.
    pub(super) fn text<'a>(
        &mut self,
        table: &'a DeTable<'_>,
        key: &str,
    ) -> Option<Placed<&'a str>> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.refuse(value.span().start, format!("{key} must be a text"));
        }
        Some((text?, value.span().start))
    }

    /// A text that must be there; `at` is where the table is.
    pub(super) fn required<'a>(
        &mut self,
        table: &'a DeTable<'_>,
        key: &str,
        at: usize,
    ) -> Option<Placed<&'a str>> {
        if table.get(key).is_none() {
            self.refuse(at, format!("{key} is missing"));
        }
        self.text(table, key)
    }

    /// A whole number from `least`.
    pub(super) fn number(
        &mut self,
        table: &DeTable<'_>,
        key: &str,
        least: u16,
    ) -> Option<Placed<u16>> {
        let value = table.get(key)?;
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse::<u16>().ok());
        // One below the largest: what leads on from a version is the next one.
        let number = number.filter(|number| (least..u16::MAX).contains(number));
        if number.is_none() {
            let last = u16::MAX - 1;
            let problem = format!("{key} must be a whole number from {least} to {last}");
            self.refuse(value.span().start, problem);
        }
        Some((number?, value.span().start))
    }

    /// A list of texts; nothing if it is not there.
    pub(super) fn texts<'a>(
        &mut self,
        table: &'a DeTable<'_>,
        key: &str,
    ) -> Option<Vec<Placed<&'a str>>> {
        let value = table.get(key)?;
        let list = value.get_ref().as_array();
        if list.is_none() {
            self.refuse(value.span().start, format!("{key} must be a list of texts"));
        }
        let mut texts = Vec::new();
        for item in list? {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text, item.span().start)),
                None => self.refuse(item.span().start, format!("{key} must be a list of texts")),
            }
        }
        Some(texts)
    }

    /// A list of tables; empty if it is not there.
    pub(super) fn tables<'a, 'd>(
        &mut self,
        table: &'a DeTable<'d>,
        key: &str,
    ) -> Vec<Placed<&'a DeTable<'d>>> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let tables = value.get_ref().as_array().map(|list| {
            let table = |item: &'a Spanned<DeValue<'d>>| {
                Some((item.get_ref().as_table()?, item.span().start))
            };
            list.iter().map(table).collect::<Option<Vec<_>>>()
        });
        let Some(Some(tables)) = tables else {
            let problem = format!("{key} must be tables, each written [[{key}]]");
            self.refuse(value.span().start, problem);
            return Vec::new();
        };
        tables
    }

    /// A value as JSON; numbers with the digits they are written with.
    pub(super) fn json(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let json = json(value.get_ref());
        if json.is_none() {
            self.refuse(value.span().start, "this value has no equal in JSON");
        }
        json
    }

    /// JSON that stands in a text, and the line of its beginning.
    pub(super) fn document(
        &mut self,
        text: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<(Document, usize)> {
        let (start, end) = (value.span().start, value.span().end);
        let written = self.text.get(start..end).unwrap_or_default();
        // Behind the quotes, unless letters in it are escaped.
        let first = self.line(start + written.find(text).unwrap_or_default());
        match Document::parse(text) {
            Ok(document) => Some((document, first)),
            Err(error) => {
                let problem =
                    format!("this is no JSON: {} (column {})", error.problem, error.column);
                self.refuse_line(first + error.line - 1, problem);
                None
            }
        }
    }
}

fn json(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => quote(text),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => unsigned(number.as_str()),
        DeValue::Integer(_) => return None,
        DeValue::Float(number) if number.as_str().contains(['i', 'n']) => return None,
        DeValue::Float(number) => unsigned(number.as_str()),
        DeValue::Datetime(time) => quote(&time.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| json(item.get_ref())).collect();
            format!("[{}]", items?.join(","))
        }
        DeValue::Table(members) => {
            let member = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                Some(format!("{}:{}", quote(name), json(value.get_ref())?))
            };
            let members: Option<Vec<_>> = members.iter().map(member).collect();
            format!("{{{}}}", members?.join(","))
        }
    })
}

/// JSON has no plus sign before a number.
fn unsigned(number: &str) -> String {
    number.trim_start_matches('+').to_owned()
}
