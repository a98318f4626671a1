//! Public keys of signed notes (C2SP signed-note, "Signatures" and "Verifier keys").

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::encoding;
use super::{Hash, ProofError};

const PUBLIC_KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const TIMESTAMP_BYTES: usize = 8;

/// What a key signs; the numbers are signature types of C2SP signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 over the text of the note.
    Note = 1,
    /// Ed25519 over the text and the time at which a witness saw it (C2SP tlog-cosignature).
    Cosignature = 4,
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
    pub(super) fn new(
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

    /// The same key under another name.
    ///
    /// # Errors
    ///
    /// [`ProofError::Key`]: not a name.
    pub(super) fn named(&self, name: &str) -> Result<Self, ProofError> {
        Self::new(name, self.algorithm, self.public)
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
