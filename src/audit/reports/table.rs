//! What every report is: a table, whatever is written of it.

use crate::clock::Instant;

/// A column of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in JSON and CSV.
    pub name: &'static str,
    /// Its heading for people.
    pub title: &'static str,
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing: it is not known, or does not apply.
    Nothing,
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// A moment.
    Moment(Instant),
    /// Several texts.
    Texts(Vec<String>),
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it says, and what it leaves out: sentences.
    pub notes: Vec<String>,
    /// Whose chart it is about, if it is about one.
    pub patient: Option<String>,
    /// From this moment on.
    pub since: Instant,
    /// Up to this moment.
    pub until: Instant,
    /// The columns.
    pub columns: &'static [Column],
    /// A cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column by its name and its heading.
pub(super) const fn column(name: &'static str, title: &'static str) -> Column {
    Column { name, title }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Instant> for Cell {
    fn from(moment: Instant) -> Self {
        Self::Moment(moment)
    }
}

impl From<Vec<String>> for Cell {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}
