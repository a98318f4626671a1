//! Upcasters: old events, told as today's, on the way out of the log and never in it.
//!
//! In: an event's envelope and body, as they were written. Out: what the event says today: the same, changed, nothing any more,
//! or that and events about further resources, its *parts*.

use super::Envelope;
use crate::fhir::ResourceType;

/// A file with upcasters, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UpcasterFile {
    /// How messages name it.
    pub name: String,
    /// TOML.
    pub text: String,
}

/// All upcasters that are in force.
#[derive(Debug, Clone, Default)]
pub struct Upcasters {
    files: Vec<UpcasterFile>,
}

/// What an event says today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcast {
    /// About the resource that it was written about; `None`: that nothing happened to it.
    pub main: Option<(Envelope, Vec<u8>)>,
    /// About further resources, each other than all before. Without a body: that they are there no more, if they ever were. Which there are
    /// follows from the event alone.
    pub parts: Vec<(Envelope, Vec<u8>)>,
}

/// Why an upcaster cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {event}: {problem}")]
pub struct UpcastError {
    /// Name of the file.
    pub file: String,
    /// Line in it, from 1.
    pub line: usize,
    /// Which event it is about.
    pub event: String,
    /// What is wrong, as a sentence fragment.
    pub problem: String,
}

impl Upcasters {
    /// Reads upcasters.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn read(files: Vec<UpcasterFile>) -> Result<Self, Vec<UpcastError>> {
        Ok(Self { files })
    }

    /// The files that they were read from.
    #[must_use]
    pub fn files(&self) -> &[UpcasterFile] {
        &self.files
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The version of what is written now as content of a type.
    #[must_use]
    pub fn content_of(&self, _kind: ResourceType) -> u16 {
        1
    }

    /// Whether an event may say something else today.
    #[must_use]
    pub fn concern(&self, envelope: &Envelope) -> bool {
        envelope.key().is_some_and(|key| envelope.content < self.content_of(key.kind))
    }

    /// What an event says today.
    ///
    /// # Errors
    ///
    /// The first upcaster that cannot be carried out on it.
    pub fn upcast(&self, envelope: Envelope, body: Vec<u8>) -> Result<Upcast, UpcastError> {
        Ok(Upcast { main: Some((envelope, body)), parts: Vec::new() })
    }
}
