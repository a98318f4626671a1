//! Ids of AuditEvents.

use std::fmt;
use std::str::FromStr;

use crate::audit::AccessId;

/// Which AuditEvent: an access entry or commit, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditEventId {
    /// The entry or commit.
    pub access: AccessId,
    /// Number of the part, from 0; `None`: the whole.
    pub part: Option<u32>,
}

impl fmt::Display for AuditEventId {
    /// `12-3`, `12-3.0`, `e123`, `e123.0`: each a FHIR id.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            None => self.access.fmt(formatter),
            Some(part) => write!(formatter, "{}.{part}", self.access),
        }
    }
}

impl FromStr for AuditEventId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('.') {
            None => Self { access: text.parse()?, part: None },
            Some((access, part)) => Self { access: access.parse()?, part: Some(part.parse()?) },
        })
    }
}
