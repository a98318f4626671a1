//! Private keys that sign notes (C2SP signed-note, "Signatures").

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use super::ProofError;
use super::key::{Algorithm, Verifier};
use super::note::{Note, NoteSignature};

/// Bytes of a private Ed25519 key as RFC 8032 §5.1.5 has it: the seed.
pub const SEED_BYTES: usize = 32;

/// A private key that signs notes, with the name that it signs under.
pub struct Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// From a seed. For checkpoints, the name is the log's origin.
    ///
    /// # Errors
    ///
    /// [`ProofError::Key`]: the name is empty, or has a space or a `+`.
    pub fn from_seed(name: &str, seed: &[u8; SEED_BYTES]) -> Result<Self, ProofError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| ProofError::Key("the seed is not usable"))?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| ProofError::Key("the seed is not usable"))?;
        let verifier = Verifier::new(name, Algorithm::Note, public)?;
        Ok(Self { verifier, pair })
    }

    /// What others need to check the signatures. Its text is the verifier key.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs a text of one or more lines.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: the text cannot be that of a note.
    pub fn sign(&self, text: &str) -> Result<Note, ProofError> {
        self.sign_as(&self.verifier, text)
    }

    /// The same under another name of the key.
    pub(super) fn sign_as(&self, verifier: &Verifier, text: &str) -> Result<Note, ProofError> {
        let bytes = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        let (name, key_id) = (verifier.name().to_owned(), verifier.key_id());
        let signature = NoteSignature { name, key_id, bytes };
        Note::new(text, vec![signature])
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signer({})", self.verifier)
    }
}
