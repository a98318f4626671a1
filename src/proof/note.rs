//! Signed notes (C2SP signed-note, "Format"): a text, an empty line, and signature lines.

use std::fmt;

use super::encoding;
use super::key::is_key_name;
use super::{ProofError, Verifier};

/// Longest note that is read, in bytes.
const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signatures on it. The standard asks for 16 at least.
const SIGNATURES_MAX: usize = 100;
const KEY_ID_BYTES: usize = 4;

/// A text with signatures, of which none need be right before [`Note::verify`] said so. As text, it
/// is byte for byte what was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature line: `— <name> <base64 of key ID and signature>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Which key of that name.
    pub key_id: u32,
    /// The signature, in the form of the key's signature type.
    pub bytes: Vec<u8>,
}

impl Note {
    /// A note of a text and its signatures.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: the text does not end with a line end, or has control characters.
    pub fn new(text: &str, signatures: Vec<NoteSignature>) -> Result<Self, ProofError> {
        if !text.ends_with('\n') {
            return Err(ProofError::Note("the text does not end with a line end"));
        }
        if text.contains(|letter: char| letter < ' ' && letter != '\n') {
            return Err(ProofError::Note("the text has control characters"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Reads a note. Signatures are not checked here.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`].
    pub fn parse(note: &str) -> Result<Self, ProofError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(ProofError::Note("longer than a megabyte"));
        }
        let lines = "an empty line and signature lines, each ended, have to follow the text";
        let end = note.rfind("\n\n").ok_or(ProofError::Note(lines))?;
        let (text, rest) = note.split_at_checked(end + 1).ok_or(ProofError::Note(lines))?;
        let signatures = parse_signatures(rest.strip_prefix('\n').unwrap_or_default())?;
        Self::new(text, signatures)
    }

    /// The text that is signed, with the line end that closes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, unchecked.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks that a key signed this text. Signatures of other keys are left alone, as the standard
    /// wants it.
    ///
    /// # Errors
    ///
    /// [`ProofError::NotSigned`], [`ProofError::Signature`].
    pub fn verify(&self, verifier: &Verifier) -> Result<(), ProofError> {
        let mut own =
            self.signatures.iter().filter(|signature| signature.is_of(verifier)).peekable();
        if own.peek().is_none() {
            return Err(ProofError::NotSigned(key_label(verifier)));
        }
        if own.all(|signature| verifier.matches(&self.text, &signature.bytes)) {
            Ok(())
        } else {
            Err(ProofError::Signature(key_label(verifier)))
        }
    }

    /// Takes over, from signature lines, those of a key, once they are checked. Returns how many
    /// were added; what is there already is not added again.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: not signature lines; and as [`Note::verify`].
    pub fn add(&mut self, lines: &str, verifier: &Verifier) -> Result<usize, ProofError> {
        let mut signatures = parse_signatures(lines)?;
        signatures.retain(|signature| signature.is_of(verifier));
        let cosigned = Self { text: self.text.clone(), signatures };
        cosigned.verify(verifier)?;
        Ok(self.take_over(&cosigned))
    }

    /// Takes over all signatures of another copy of the same note, unchecked.
    pub(super) fn take_over(&mut self, other: &Self) -> usize {
        let before = self.signatures.len();
        for signature in &other.signatures {
            if !self.signatures.contains(signature) && self.signatures.len() < SIGNATURES_MAX {
                self.signatures.push(signature.clone());
            }
        }
        self.signatures.len() - before
    }
}

fn key_label(verifier: &Verifier) -> String {
    format!("{} ({:08x})", verifier.name(), verifier.key_id())
}

fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, ProofError> {
    let lines = lines.strip_suffix('\n').ok_or(ProofError::Note("the last line is not ended"))?;
    let signatures = lines.split('\n').map(|line| {
        NoteSignature::parse(line).ok_or(ProofError::Note("a line is not a signature line"))
    });
    let signatures = signatures.collect::<Result<Vec<_>, _>>()?;
    if signatures.len() > SIGNATURES_MAX {
        return Err(ProofError::Note("more than 100 signatures"));
    }
    Ok(signatures)
}

impl NoteSignature {
    /// Whether it claims to be of this key.
    #[must_use]
    pub fn is_of(&self, verifier: &Verifier) -> bool {
        self.name == verifier.name() && self.key_id == verifier.key_id()
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = encoding::decode(signature)?;
        let (key_id, bytes) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
        if !is_key_name(name) || bytes.is_empty() {
            return None;
        }
        let key_id = u32::from_be_bytes(*key_id);
        Some(Self { name: name.to_owned(), key_id, bytes: bytes.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.to_be_bytes().as_slice(), self.bytes.as_slice()].concat();
        writeln!(formatter, "— {} {}", self.name, encoding::encode(&bytes))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| fmt::Display::fmt(signature, formatter))
    }
}
