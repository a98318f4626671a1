//! Ids of what the audit shows.

use std::fmt;
use std::str::FromStr;

use super::Sort;
use crate::numbers::Position;

/// Where it stands that somebody looked, or wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessId {
    /// In an entry of the access log.
    Entry {
        /// Position of the frame.
        position: Position,
        /// Number of the entry in the frame, from 0.
        index: u32,
    },
    /// In the events of a commit: position of the first in the event log.
    Commit(Position),
}

impl AccessId {
    /// The first entry of a frame, in that order.
    pub(super) fn start(position: Position, sort: Sort) -> Self {
        let index = match sort {
            Sort::Newest => u32::MAX,
            Sort::Oldest => 0,
        };
        Self::Entry { position, index }
    }
}

impl fmt::Display for AccessId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { position, index } => write!(formatter, "{position}-{index}"),
            Self::Commit(first) => write!(formatter, "e{first}"),
        }
    }
}

impl FromStr for AccessId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(first) = text.strip_prefix('e') {
            return Ok(Self::Commit(first.parse()?));
        }
        let (position, index) = text.split_once('-').unwrap_or((text, ""));
        Ok(Self::Entry { position: position.parse()?, index: index.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back() {
        for text in ["12-3", "0-0", "e0", "e123"] {
            assert_eq!(text.parse::<AccessId>().unwrap().to_string(), text);
        }
        for text in ["", "e", "12", "12-", "-3", "x1", "e1-2", "12-4294967296"] {
            assert!(text.parse::<AccessId>().is_err(), "{text}");
        }
    }
}
