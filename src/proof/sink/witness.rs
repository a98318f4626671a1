//! A client of witnesses (C2SP tlog-witness, "add-checkpoint").

use std::fmt::Write;

use super::Address;
use super::post::{Answer, Poster};
use crate::proof::{ProofError, SignedCheckpoint, TileReader, Verifier};

/// Asks one witness to cosign the checkpoints of one log.
pub struct Witness {
    poster: Poster,
    verifier: Verifier,
    log: TileReader,
    /// Size of the last checkpoint that it cosigned, as far as known.
    cosigned: u64,
}

impl Witness {
    pub fn new(prefix: Address, verifier: Verifier, log: TileReader) -> Self {
        Self { poster: Poster::new(prefix), verifier, log, cosigned: 0 }
    }

    /// Returns the checkpoint with the cosignatures of the witness.
    pub fn cosign(&mut self, signed: &SignedCheckpoint) -> Result<SignedCheckpoint, ProofError> {
        let size = signed.checkpoint().size;
        let mut answer = self.submit(signed)?;
        if answer.status == 409 {
            // Its latest checkpoint is another than assumed here; the answer says which.
            let known = answer.body.strip_suffix('\n').and_then(|line| line.parse().ok());
            match known {
                Some(known) if known > size => {
                    return Err(self.failed(&format!(
                        "it has already seen {known} entries of this log, and now there are {size}"
                    )));
                }
                Some(known) if known != self.cosigned => {
                    self.cosigned = known;
                    answer = self.submit(signed)?;
                }
                _ => {}
            }
        }
        match answer.status {
            200 => {
                let mut cosigned = signed.clone();
                cosigned.add(&answer.body, &self.verifier)?;
                self.cosigned = size;
                Ok(cosigned)
            }
            403 => Err(self.failed("it does not trust the key of this log")),
            404 => Err(self.failed("it does not know this log")),
            409 | 422 => Err(self.failed(
                "it refuses the checkpoint as contradicting an earlier one: the log was rewritten",
            )),
            status => Err(self.failed(&format!("it answered {status}"))),
        }
    }

    fn submit(&self, signed: &SignedCheckpoint) -> Result<Answer, ProofError> {
        let size = signed.checkpoint().size;
        // Right after a restart that may be more than is known here; then it answers with its own.
        let old = self.cosigned.min(size);
        let proof = self.log.consistency(old, size)?;
        let mut body = format!("old {old}\n");
        for hash in &proof.hashes {
            let _ = writeln!(body, "{hash}");
        }
        let _ = write!(body, "\n{}", signed.note());
        self.poster.post("/add-checkpoint", &body)
    }

    fn failed(&self, what: &str) -> ProofError {
        ProofError::Delivery(format!("witness {}: {what}", self.poster.address()))
    }
}
