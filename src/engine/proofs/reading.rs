//! What everybody may read of the proofs: hashes, and what was signed.

use std::sync::Arc;

use super::super::{Engine, EngineError};
use super::LogProof;
use crate::proof::{BundleLog, ConsistencyProof, InclusionProof, Tile};

impl Engine {
    /// The latest checkpoint of a log: a signed note (C2SP tlog-checkpoint).
    ///
    /// # Errors
    ///
    /// As all functions here: [`EngineError::NotFound`] if this store keeps no proofs.
    pub fn checkpoint(&self, log: BundleLog) -> Result<String, EngineError> {
        let latest = self.proof(log)?.latest();
        let none = || EngineError::NotFound("a checkpoint".to_owned());
        Ok(latest.ok_or_else(none)?.note().to_string())
    }

    /// The public key of a log, as others write it (C2SP signed-note, verifier key).
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`].
    pub fn verifier_key(&self, log: BundleLog) -> Result<String, EngineError> {
        Ok(self.proof(log)?.verifier().to_string())
    }

    /// The bytes of a tile of a log (C2SP tlog-tiles).
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`]: the log is not so long yet; the disk's.
    pub fn tile(&self, log: BundleLog, tile: Tile) -> Result<Vec<u8>, EngineError> {
        let bytes = self.proof(log)?.tiles().tile(tile)?;
        bytes.ok_or_else(|| EngineError::NotFound(tile.to_string()))
    }

    /// The proof that a log holds a position, in the tree of that size or of the latest checkpoint.
    ///
    /// # Errors
    ///
    /// [`crate::proof::ProofError::BeyondSize`]; the disk's.
    pub fn inclusion_proof(
        &self,
        log: BundleLog,
        position: u64,
        size: Option<u64>,
    ) -> Result<InclusionProof, EngineError> {
        let proof = self.proof(log)?;
        Ok(proof.tiles().inclusion(position, size.unwrap_or_else(|| signed_size(proof)))?)
    }

    /// The proof that a log of one size, or of the latest checkpoint's, begins with that of another.
    ///
    /// # Errors
    ///
    /// [`crate::proof::ProofError::BeyondSize`]; the disk's.
    pub fn consistency_proof(
        &self,
        log: BundleLog,
        from: u64,
        to: Option<u64>,
    ) -> Result<ConsistencyProof, EngineError> {
        let proof = self.proof(log)?;
        Ok(proof.tiles().consistency(from, to.unwrap_or_else(|| signed_size(proof)))?)
    }

    /// Tiles and checkpoints of a log.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] if this store keeps no proofs.
    pub fn proof(&self, log: BundleLog) -> Result<&Arc<LogProof>, EngineError> {
        let none = || EngineError::NotFound("a proof: this store keeps none".to_owned());
        Ok(self.proofs.as_ref().ok_or_else(none)?.of(log))
    }
}

fn signed_size(proof: &LogProof) -> u64 {
    proof.latest().map_or(0, |latest| latest.checkpoint().size)
}
