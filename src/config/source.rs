//! Where the value of a setting came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value, or a problem, came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// It is set nowhere.
    #[default]
    Default,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Line in it, counted from 1; without it, the file as a whole.
        line: Option<usize>,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The option of the command line of this name, with its dashes.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "default"),
            Self::File { path, line: None } => write!(formatter, "file {}", path.display()),
            Self::File { path, line: Some(line) } => {
                write!(formatter, "file {}, line {line}", path.display())
            }
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Flag(name) => write!(formatter, "flag {name}"),
        }
    }
}

/// The source of each setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<&'static str, Source>);

impl Sources {
    /// Where the value of the setting with this key came from.
    #[must_use]
    pub fn of(&self, key: &str) -> Source {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// Notes that a setting was given by `source`, which overrides any noted before.
    pub(super) fn note(&mut self, key: &'static str, source: Source) {
        self.0.insert(key, source);
    }
}
