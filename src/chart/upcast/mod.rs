//! Upcasters: old events, told as today's, on the way out of the log and never in it.
//!
//! In: an event's envelope and body, as they were written. Out: what the event says today: the same, changed, nothing any more,
//! or that and events about further resources, its *parts*.

//!
//! Each resource type has a chain of upcasters, one file each: from version 1 of its content to 2, from 2 to 3, and so on. An
//! event says in which version its content was written, so every upcaster is carried out on an event at most once.
//!
//! Never: reading files, another event, or what a chart holds.

mod chains;
mod change;
mod example;
mod mapping;
mod read;
mod run;
mod sheet;
mod step;
mod trial;

use std::sync::Arc;

use super::Envelope;
use crate::fhir::ResourceType;
use chains::Chains;
pub use trial::{Sample, Trial, Tried};

/// Most files.
const FILES_MAX: usize = 256;
/// Most parts of one event.
pub const PARTS_MAX: usize = 15;

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
    chains: Arc<Chains>,
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
        let mut errors = Vec::new();
        if let Some(file) = files.get(FILES_MAX) {
            let problem = format!("there may be {FILES_MAX} files with upcasters");
            let (file, event) = (file.name.clone(), "*".to_owned());
            return Err(vec![UpcastError { file, line: 1, event, problem }]);
        }
        let (mut steps, mut examples) = (Vec::new(), Vec::new());
        for file in &files {
            match read::file(file) {
                Ok((step, of_step)) => {
                    examples.push((step.kind, step.from, of_step));
                    steps.push(step);
                }
                Err(of_file) => errors.extend(of_file),
            }
        }
        // Where a file does not read, its place in a chain is not known.
        if !errors.is_empty() {
            return Err(errors);
        }
        let chains = Chains::of(steps, &mut errors);
        if errors.is_empty() {
            for (kind, from, examples) in examples {
                let Some(step) = chains.from(kind, from).first() else { continue };
                let tried =
                    examples.iter().filter_map(|example| example.check(&chains, step).err());
                errors.extend(tried);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { files, chains: Arc::new(chains) })
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
    pub fn content_of(&self, kind: ResourceType) -> u16 {
        self.chains.content_of(kind)
    }

    /// Whether an event may say something else today.
    #[must_use]
    pub fn concern(&self, envelope: &Envelope) -> bool {
        if self.chains.is_empty() {
            return false;
        }
        let kind = envelope.resource.as_deref().and_then(|text| text.split_once('/'));
        let kind = kind.and_then(|(kind, _)| ResourceType::from_name(kind));
        kind.is_some_and(|kind| envelope.content < self.content_of(kind))
    }

    /// What an event says today.
    ///
    /// # Errors
    ///
    /// The first upcaster that cannot be carried out on it.
    pub fn upcast(&self, envelope: Envelope, body: Vec<u8>) -> Result<Upcast, UpcastError> {
        match envelope.key().filter(|_| self.concern(&envelope)) {
            Some(key) => run::run(&self.chains, envelope, key, body, &mut |_, _, _, _| {}),
            None => Ok(Upcast { main: Some((envelope, body)), parts: Vec::new() }),
        }
    }
}

#[cfg(test)]
mod tests;
