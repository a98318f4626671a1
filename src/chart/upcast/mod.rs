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
mod takers;
mod trial;

use std::sync::Arc;

use super::Envelope;
use crate::fhir::ResourceType;
use crate::json::Node;
use chains::Chains;
pub use trial::{Sample, Trial, Tried};

/// Most files.
const FILES_MAX: usize = 256;
/// Most parts of one event.
const PARTS_MAX: usize = crate::numbers::PARTS_MAX as usize;

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
    /// About the resource that it was written about.
    pub main: Told,
    /// About further resources, each other than all before. Without a body: that they are there no more, if they ever were. Which there are
    /// follows from the event alone.
    pub parts: Vec<Told>,
}

/// What an event says today of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its envelope.
    pub envelope: Envelope,
    /// The resource in its stored form; empty for an event without a body.
    pub body: Vec<u8>,
    /// That nothing happened to the resource. Of an event that moves the resource from one chart to another this does not count: it would
    /// be in the wrong one.
    pub is_dropped: bool,
}

/// Why an upcaster cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
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
                    errors.extend(of_step.iter().filter_map(|example| example.check(&step).err()));
                    examples.push((step.from, of_step));
                    steps.push(step);
                }
                Err(of_file) => errors.extend(of_file),
            }
        }
        // Without a file that does not read, a chain has a gap, and examples have another end.
        if !errors.is_empty() {
            return Err(errors);
        }
        let chains = Chains::of(steps)?;
        let ends = examples.iter().flat_map(|(from, examples)| {
            examples.iter().filter_map(|example| example.check_end(&chains, *from).err())
        });
        errors.extend(ends);
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

    /// Whether there are some of a type: of others, every event says what it said.
    #[must_use]
    pub fn are_about(&self, kind: ResourceType) -> bool {
        !self.is_empty() && self.content_of(kind) > 1
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

    /// For content that is refused: which upcasters would make valid R4 of it, as a sentence fragment; `None` if none would.
    ///
    /// It is in a form that only older events have.
    #[must_use]
    pub fn hint(&self, kind: ResourceType, content: Node<'_>) -> Option<String> {
        let files = takers::of(&self.chains, kind, content);
        // Whoever writes need not know in which directory they are.
        let names = files.iter().map(|file| file.rsplit(['/', '\\']).next().unwrap_or_default());
        let names = names.collect::<Vec<_>>().join(", ");
        (!files.is_empty()).then(|| {
            format!("it is in an older form, which upcasters of this server lead to today's ({names}): send what they make of it")
        })
    }

    /// What an event says today.
    ///
    /// # Errors
    ///
    /// The first upcaster that cannot be carried out on it.
    pub fn upcast(&self, envelope: Envelope, body: Vec<u8>) -> Result<Upcast, UpcastError> {
        match envelope.key().filter(|_| self.concern(&envelope)) {
            Some(key) => run::run(&self.chains, envelope, key, body, &mut |_, _, _, _| {}),
            None => {
                Ok(Upcast { main: Told { envelope, body, is_dropped: false }, parts: Vec::new() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
