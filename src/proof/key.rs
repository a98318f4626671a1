//! Keys of signed notes (C2SP signed-note, "Signatures" and "Verifier keys").

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::encoding;
use super::note::{Note, NoteSignature};
use super::{Hash, ProofError};

/// Bytes of a private Ed25519 key as RFC 8032 §5.1.5 has it: the seed.
pub const SEED_BYTES: usize = 32;
const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const TIMESTAMP_BYTES: usize = 8;

/// What a key signs; the numbers are signature types of C2SP signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// Ed25519 over the text of the note.
    Note = 1,
    /// Ed25519 over the text and the time at which a witness saw it (C2SP tlog-cosignature).
    Cosignature = 4,
}

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
        let bytes = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        let Verifier { name, key_id, .. } = &self.verifier;
        let signature = NoteSignature { name: name.clone(), key_id: *key_id, bytes };
        Note::new(text, vec![signature])
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signer({})", self.verifier)
    }
}

/// A public key with its name. As text, the *verifier key* or vkey:
/// `<name>+<key ID in hexadecimal>+<base64 of signature type and public key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key_id: u32,
    algorithm: Algorithm,
    public: [u8; PUBLIC_KEY_BYTES],
}

impl Verifier {
    fn new(
        name: &str,
        algorithm: Algorithm,
        public: [u8; PUBLIC_KEY_BYTES],
    ) -> Result<Self, ProofError> {
        if !is_key_name(name) {
            return Err(ProofError::Key("a name is not empty and has neither spaces nor +"));
        }
        let hashed = [name.as_bytes(), b"\n", &[algorithm as u8], &public].concat();
        let [first, second, third, fourth, ..] = Hash::of(&hashed).0;
        let key_id = u32::from_be_bytes([first, second, third, fourth]);
        Ok(Self { name: name.to_owned(), key_id, algorithm, public })
    }

    /// The name that the key signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of the hash of name, signature type and key: says which key signed.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// Whether a signature claims to be of this key.
    #[must_use]
    pub fn made(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.key_id
    }

    /// Whether bytes are this key's signature of a text.
    pub(super) fn matches(&self, text: &str, signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Note => self.signed(text.as_bytes(), signature),
            Algorithm::Cosignature => {
                let Some((timestamp, signature)) = signature.split_first_chunk::<TIMESTAMP_BYTES>()
                else {
                    return false;
                };
                let time = u64::from_be_bytes(*timestamp);
                self.signed(format!("cosignature/v1\ntime {time}\n{text}").as_bytes(), signature)
            }
        }
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        signature.len() == SIGNATURE_BYTES && key.verify(message, signature).is_ok()
    }
}

impl FromStr for Verifier {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(key_id), Some(key)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(ProofError::Key("a verifier key is <name>+<key ID>+<key>"));
        };
        let key = encoding::decode(key).ok_or(ProofError::Key("the key is not base64"))?;
        let (algorithm, public) = match key.split_first() {
            Some((1, public)) => (Algorithm::Note, public),
            Some((4, public)) => (Algorithm::Cosignature, public),
            _ => return Err(ProofError::Key("the signature type is not Ed25519")),
        };
        let public = public.try_into().map_err(|_| ProofError::Key("Ed25519 has 32 bytes"))?;
        let verifier = Self::new(name, algorithm, public)?;
        if format!("{:08x}", verifier.key_id) != key_id {
            return Err(ProofError::Key("the key ID is not that of name and key"));
        }
        Ok(verifier)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm as u8], self.public.as_slice()].concat();
        write!(formatter, "{}+{:08x}+{}", self.name, self.key_id, encoding::encode(&key))
    }
}

/// Whether a text may be the name of a key: not empty, without Unicode spaces and `+`.
pub fn is_key_name(name: &str) -> bool {
    let refused = |letter: char| letter.is_whitespace() || letter == '+' || letter < ' ';
    !name.is_empty() && !name.contains(refused)
}
