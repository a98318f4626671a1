//! Evidence: frames of a log with the proofs that a checkpoint covers them.

use super::{Records, RecordsError};
use crate::auth::Grant;
use crate::engine::EngineError;
use crate::engine::proofs::LogProof;
use crate::fhir::ResourceId;
use crate::log::Frame;
use crate::numbers::{ChartVersion, Position};
use crate::proof::{BUNDLE_FORMAT, Base64, Bundle, BundleLog, Disclosed, Entry, ProofError};
use crate::seal;

/// A page of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What an outsider can check; it has at least one entry.
    pub bundle: Bundle,
    /// Where the next page starts, if there may be one: the `after` to ask for.
    pub next: Option<u64>,
}

/// A frame on its way into a bundle.
#[derive(Debug)]
pub struct Exhibit {
    /// Its position in its log.
    pub position: Position,
    /// When it was recorded, microseconds since 1970.
    pub recorded_at: i64,
    /// The frame.
    pub frame: Frame,
    /// Its payload, if that is shown.
    pub disclosed: Option<Disclosed>,
}

impl Records {
    /// Evidence of the events of a chart that the caller may read, from above version `after`;
    /// with their payloads if `disclose`.
    ///
    /// # Errors
    ///
    /// As [`Records::events`]; [`RecordsError::NotFound`] if there are none.
    pub fn event_evidence(
        &self,
        grant: &Grant,
        patient: &ResourceId,
        after: ChartVersion,
        limit: usize,
        disclose: bool,
    ) -> Result<Evidence, RecordsError> {
        let proof = self.engine.proof(BundleLog::Events)?;
        let (exhibits, next) = self.chart_exhibits(grant, patient, after, limit, disclose)?;
        let none =
            || RecordsError::NotFound(format!("an event of this chart above version {after}"));
        bundle(proof, BundleLog::Events, exhibits, next.map(ChartVersion::get), none)
    }
}

/// The payload of a frame, with the salt of its commitment, as `open` has them; `None` for what was never sealed.
///
/// # Errors
///
/// The frame does not open under that key.
pub fn disclosed(
    frame: &Frame,
    open: impl FnOnce(Frame) -> Result<seal::Disclosed, EngineError>,
) -> Result<Option<Disclosed>, RecordsError> {
    if !frame.content.is_sealed() {
        return Ok(None);
    }
    let shown = open(frame.clone())?;
    let payload = String::from_utf8(shown.payload)
        .map_err(|_| RecordsError::unreadable("a payload is not UTF-8".to_owned()))?;
    Ok(Some(Disclosed { salt: Base64(shown.salt.to_vec()), payload }))
}

/// The bundle of some frames, with their proofs.
///
/// # Errors
///
/// What `none` says when there are none; the proofs'.
pub fn bundle(
    proof: &LogProof,
    log: BundleLog,
    exhibits: Vec<Exhibit>,
    next: Option<u64>,
    none: impl FnOnce() -> RecordsError,
) -> Result<Evidence, RecordsError> {
    let last = exhibits.last().ok_or_else(none)?.position;
    let signed = proof.checkpoint_over(last.next().get())?;
    let size = signed.checkpoint().size;
    let entry = |exhibit: Exhibit| -> Result<Entry, ProofError> {
        let mut frame = Vec::with_capacity(exhibit.frame.length());
        exhibit.frame.put(&mut frame);
        Ok(Entry {
            position: exhibit.position.get(),
            recorded_at: exhibit.recorded_at,
            frame: Base64(frame),
            proof: proof.tiles().inclusion(exhibit.position.get(), size)?.hashes,
            disclosed: exhibit.disclosed,
        })
    };
    let entries = exhibits.into_iter().map(entry).collect::<Result<_, _>>()?;
    let checkpoint = signed.note().to_string();
    let bundle = Bundle { format: BUNDLE_FORMAT.to_owned(), log, checkpoint, entries };
    Ok(Evidence { bundle, next })
}
