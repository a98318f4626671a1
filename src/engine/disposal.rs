//! Disposal of closed segments of the access log.
//!
//! What goes is named in a signed statement that takes its place, with the hash of every leaf
//! ([`crate::log::dispose`]). Before that, the segment is held against the tree: nobody gets rid of what was
//! altered by disposing of it.

use super::replay::access_group;
use super::{Alone, Engine, EngineError, proofs};
use crate::clock::Instant;
use crate::log::{self, ClosedSegment, LogKind, Remains};
use crate::proof::{BundleLog, Disposal, Hash, HashSource, ProofError, root_of};
use crate::view::{AccessGroup, Generation, ViewError};

/// Groups that leave the index in one batch.
const GROUPS_AT_ONCE: usize = 512;

/// A segment of the access log that nothing is written to any more.
#[derive(Debug, Clone)]
pub struct AccessSegment {
    /// Its number, its positions, and whether it was disposed of.
    pub segment: ClosedSegment,
    /// When its first frame was recorded.
    pub since: Instant,
    /// When its last frame was.
    pub until: Instant,
}

impl Engine {
    /// The segments of the access log that are closed and indexed, in order.
    ///
    /// # Errors
    ///
    /// Those of the log and the views.
    pub fn access_segments(&self) -> Result<Vec<AccessSegment>, EngineError> {
        let view = self.views.view();
        let applied = view.applied_access()?;
        let mut segments = self.access_reader().closed()?;
        segments.retain(|segment| segment.positions.end <= applied);
        let described = segments.into_iter().map(|segment| {
            let (since, until) = match self.access_reader().statement(segment.number)? {
                Some(statement) => {
                    let disposal = Disposal::unverified(&statement)?;
                    (Instant::from_micros(disposal.since), Instant::from_micros(disposal.until))
                }
                None => {
                    let at = |position| view.access_recorded_at(position);
                    (at(segment.positions.start)?, at(segment.positions.end.previous())?)
                }
            };
            Ok(AccessSegment { segment, since, until })
        });
        described.collect()
    }

    /// The signed statements of what was disposed of, in order.
    ///
    /// # Errors
    ///
    /// Those of the log.
    pub fn disposals(&self) -> Result<Vec<String>, EngineError> {
        let mut statements = Vec::new();
        for segment in self.access_reader().closed()? {
            statements.extend(self.access_reader().statement(segment.number)?);
        }
        Ok(statements)
    }

    /// Reads a closed segment of the access log, holds it against the tree, and signs that it is disposed of, as
    /// entries are kept for so many years. Nothing has gone yet.
    ///
    /// # Errors
    ///
    /// [`EngineError::Busy`] while the views are rebuilt; [`ProofError::WrongLeaf`] if the segment is not what
    /// was written; those of the log and the views.
    pub fn access_disposal(
        &self,
        number: u32,
        years: u64,
    ) -> Result<AccessDisposal<'_>, EngineError> {
        let alone = self.alone()?;
        let segments = self.access_segments()?;
        let segment = segments.into_iter().find(|one| one.segment.number == number);
        let none = || EngineError::NotFound(format!("a closed segment {number} of the access log"));
        let AccessSegment { segment, since, until } = segment.ok_or_else(none)?;
        let leaves = self.leaves_of(&segment)?;
        let proof = self.proof(BundleLog::Access)?;
        proof.checkpoint_over(segment.positions.end.get())?;
        let disposal = Disposal {
            origin: proof.verifier().name().to_owned(),
            segment: number,
            first: segment.positions.start.get(),
            end: segment.positions.end.get(),
            since: since.micros(),
            until: until.micros(),
            root: root_of(leaves.iter().copied()),
            disposed_at: Instant::now().micros(),
            years,
        };
        let statement = proof.sign(&disposal)?;
        let leaves = leaves.into_iter().map(|Hash(leaf)| leaf).collect();
        let remains = Remains { statement, leaves };
        Ok(AccessDisposal { engine: self, segment, until, remains, _alone: alone })
    }

    /// The leaves of a segment, which the tree has too.
    fn leaves_of(&self, segment: &ClosedSegment) -> Result<Vec<Hash>, EngineError> {
        let mut leaves = Vec::new();
        for group in self.access_reader().scan(segment.positions.start, segment.positions.end) {
            leaves.extend(proofs::leaves_of(&group?));
        }
        let first = segment.positions.start.get();
        let signed = self.proof(BundleLog::Access)?.tiles().hashes(0, first, leaves.len())?;
        let wrong = leaves.iter().zip(&signed).position(|(leaf, signed)| leaf != signed);
        match wrong {
            Some(at) => Err(ProofError::WrongLeaf(first + at as u64).into()),
            None => Ok(leaves),
        }
    }

    /// Whether the index was not told of a disposal, because the process ended in the middle of it.
    pub(super) fn is_unaware_of_disposal(&self) -> Result<bool, EngineError> {
        let view = self.views.view();
        for segment in self.access_reader().closed()? {
            if let Some(remains) = segment.remains()
                && view.access_group(segment.positions.start)? != Some(remains)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn note(
    generation: &Generation,
    left: &ClosedSegment,
    recorded_at: Instant,
) -> Result<(), ViewError> {
    let first = left.positions.start;
    let Some(place) = left.remains() else { return Ok(()) };
    generation.note_disposal(&AccessGroup::new(first, place, recorded_at.micros()))
}

/// A disposal that is ready, while no other is.
#[derive(Debug)]
pub struct AccessDisposal<'a> {
    engine: &'a Engine,
    segment: ClosedSegment,
    until: Instant,
    remains: Remains,
    _alone: Alone<'a>,
}

impl AccessDisposal<'_> {
    /// Disposes of the segment. Returns the signed statement, when only that is left.
    ///
    /// # Errors
    ///
    /// Those of the log, the views and the disk.
    pub fn carry_out(self) -> Result<String, EngineError> {
        let Self { engine, segment, until, remains, .. } = self;
        // The frames can still be read here when they have no name any more.
        let before = engine.access_frames.read_by(engine.access_reader().fixed());
        let left = log::dispose(
            &*engine.disk,
            &engine.directory.log(LogKind::Access.name()),
            LogKind::Access,
            engine.access_reader(),
            segment.number,
            until.micros(),
            &remains,
        )?;
        let generation = engine.views.serving();
        let mut groups = Vec::with_capacity(GROUPS_AT_ONCE);
        for group in before.reader().scan(segment.positions.start, segment.positions.end) {
            groups.push(access_group(&before, group?)?);
            if groups.len() == GROUPS_AT_ONCE {
                generation.forget_access(&groups)?;
                groups.clear();
            }
        }
        generation.forget_access(&groups)?;
        note(&generation, &left, until)?;
        Ok(remains.statement)
    }
}
