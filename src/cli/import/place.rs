//! Where in the files something was found.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::source::Source;

/// A place in a file. Places are ordered as in the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    line: Option<usize>,
    entry: Option<usize>,
}

impl Place {
    /// The whole file.
    pub fn of(source: &Source) -> Self {
        Self { file: Arc::clone(&source.path), line: None, entry: None }
    }

    /// A line of it, from 1.
    pub fn line(&self, line: usize) -> Self {
        Self { line: Some(line), ..self.clone() }
    }

    /// An entry of the Bundle there, from 0.
    pub fn entry(&self, entry: usize) -> Self {
        Self { entry: Some(entry), ..self.clone() }
    }

    /// Something that is in no file.
    pub fn named(name: &str) -> Self {
        Self { file: Arc::from(Path::new(name)), line: None, entry: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map(|line| format!("line {line}"));
        let entry = self.entry.map(|entry| format!("Bundle.entry[{entry}]"));
        let parts: Vec<String> = line.into_iter().chain(entry).collect();
        formatter.write_str(&parts.join(", "))
    }
}
