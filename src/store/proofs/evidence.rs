//! Evidence: frames of a log with the proofs that a checkpoint covers them.

use super::super::{Store, StoreError};
use super::LogProof;
use crate::auth::Grant;
use crate::fhir::ResourceId;
use crate::log::{Content, Frame};
use crate::proof::{BUNDLE_FORMAT, Base64, Bundle, BundleLog, Disclosed, Entry, ProofError};
use crate::seal::SealingKey;

/// A page of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What an outsider can check; it has at least one entry.
    pub bundle: Bundle,
    /// Where the next page starts, if there may be one: the `after` to ask for.
    pub next: Option<u64>,
}

/// A frame on its way into a bundle.
pub struct Exhibit {
    pub position: u64,
    pub recorded_at: i64,
    pub frame: Frame,
    pub disclosed: Option<Disclosed>,
}

impl Store {
    /// Evidence of the events of a chart that the caller may read, from above version `after`;
    /// with their payloads if `disclose`.
    ///
    /// # Errors
    ///
    /// As [`Store::events`]; [`StoreError::NotFound`] if there are none.
    pub fn event_evidence(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        after: u64,
        limit: usize,
        disclose: bool,
    ) -> Result<Evidence, StoreError> {
        let proof = self.proof(BundleLog::Events)?;
        let (exhibits, next) = self.chart_exhibits(grant, patient, after, limit, disclose)?;
        let none = || StoreError::NotFound(format!("an event of this chart above version {after}"));
        bundle(proof, BundleLog::Events, exhibits, next, none)
    }

    /// Evidence of access entries, from behind position `after`, or from the first; with what they
    /// say if `disclose`.
    ///
    /// # Errors
    ///
    /// As [`Store::accesses`] for all of them; [`StoreError::NotFound`] if there are none.
    pub fn access_evidence(
        &self,
        grant: &Grant,
        after: Option<u64>,
        limit: usize,
        disclose: bool,
    ) -> Result<Evidence, StoreError> {
        let proof = self.proof(BundleLog::Access)?;
        let first = after.map_or(0, |after| after.saturating_add(1));
        let (exhibits, next) = self.access_exhibits(grant, first, limit, disclose)?;
        let none = || StoreError::NotFound(format!("an access entry from position {first} on"));
        bundle(proof, BundleLog::Access, exhibits, next, none)
    }
}

/// What a frame says, with the salt of its commitment; `None` for what was never sealed.
pub fn disclosed(key: &SealingKey, frame: &Frame) -> Result<Option<Disclosed>, StoreError> {
    let content: &Content = &frame.content;
    if !content.is_sealed() {
        return Ok(None);
    }
    let shown = key.disclose(frame.kind, frame.alias, content.clone())?;
    let payload = String::from_utf8(shown.payload)
        .map_err(|_| StoreError::Unreadable("a payload is not UTF-8".to_owned()))?;
    Ok(Some(Disclosed { salt: Base64(shown.salt.to_vec()), payload }))
}

fn bundle(
    proof: &LogProof,
    log: BundleLog,
    exhibits: Vec<Exhibit>,
    next: Option<u64>,
    none: impl FnOnce() -> StoreError,
) -> Result<Evidence, StoreError> {
    let last = exhibits.last().ok_or_else(none)?.position;
    let signed = proof.checkpoint_over(last + 1)?;
    let size = signed.checkpoint().size;
    let entry = |exhibit: Exhibit| -> Result<Entry, ProofError> {
        let mut frame = Vec::with_capacity(exhibit.frame.length());
        exhibit.frame.put(&mut frame);
        Ok(Entry {
            position: exhibit.position,
            recorded_at: exhibit.recorded_at,
            frame: Base64(frame),
            proof: proof.tiles().inclusion(exhibit.position, size)?.hashes,
            disclosed: exhibit.disclosed,
        })
    };
    let entries = exhibits.into_iter().map(entry).collect::<Result<_, _>>()?;
    let checkpoint = signed.note().to_string();
    let bundle = Bundle { format: BUNDLE_FORMAT.to_owned(), log, checkpoint, entries };
    Ok(Evidence { bundle, next })
}
