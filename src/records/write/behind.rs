//! What a request reads behind its own changes. If it will not be there, the whole is refused: FHIR R4 §3.1.0.11.2.

use std::collections::HashMap;

use super::planner::Planner;
use super::{ChangeResult, Effect, RecordsError};
use crate::fhir::ResourceKey;
use crate::numbers::ResourceVersion;

/// A read of one resource that comes behind the changes of a request.
#[derive(Debug, Clone)]
pub struct ReadBehind {
    /// Where the request says it: `Bundle.entry[3]`.
    pub place: String,
    /// Which resource.
    pub key: ResourceKey,
    /// What of it.
    pub part: ReadPart,
    /// Whether it was found before the changes.
    pub is_there: bool,
}

/// What of a resource is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPart {
    /// The current version.
    Current,
    /// That version.
    Version(ResourceVersion),
    /// All versions.
    History,
}

impl Planner<'_> {
    /// Refuses what will not be there when the changes are made.
    pub(super) fn refuse_absent_reads(
        &mut self,
        reads: &[ReadBehind],
        done: &[ChangeResult],
    ) -> Result<(), RecordsError> {
        if reads.is_empty() {
            return Ok(());
        }
        let done: HashMap<&ResourceKey, &ChangeResult> =
            done.iter().filter_map(|one| Some((one.key.as_ref()?, one))).collect();
        for ReadBehind { place, key, part, is_there } in reads {
            let will_be_there = match (done.get(key), part) {
                (Some(done), ReadPart::Current) => is_live(done),
                (Some(done), ReadPart::Version(version)) => {
                    let is_new = *version == done.version && is_change(done);
                    if is_new { is_live(done) } else { *is_there }
                }
                (Some(done), ReadPart::History) => done.version.get() > 0,
                // Somebody else may have changed it since it was found.
                (None, ReadPart::Current) => *is_there && self.is_live(key, None)?,
                (None, _) => *is_there,
            };
            if !will_be_there {
                return Err(self.absent(key, *part, done.get(key).copied()).at(place));
            }
        }
        Ok(())
    }

    /// Why it will not be there, as a read of its own would say it.
    fn absent(
        &self,
        key: &ResourceKey,
        part: ReadPart,
        done: Option<&ChangeResult>,
    ) -> RecordsError {
        let (what, found) = match part {
            ReadPart::Version(version) => {
                let found = || self.records.read_version(self.grant, key, version);
                (format!("version {version} of {key}"), done.is_none().then(found))
            }
            ReadPart::Current => {
                let found = || self.records.read(self.grant, key);
                (key.to_string(), done.is_none().then(found))
            }
            ReadPart::History => (key.to_string(), None),
        };
        match (found, done) {
            (Some(Err(error)), _) => error,
            (_, Some(done)) if done.effect == Effect::Removed => {
                RecordsError::Gone { what, version: done.version }
            }
            _ => RecordsError::NotFound(what),
        }
    }
}

fn is_change(done: &ChangeResult) -> bool {
    matches!(done.effect, Effect::Created | Effect::Updated | Effect::Removed)
}

fn is_live(done: &ChangeResult) -> bool {
    matches!(done.effect, Effect::Created | Effect::Updated | Effect::Unchanged)
}
