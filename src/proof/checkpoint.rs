//! Checkpoints (C2SP tlog-checkpoint): the size and root of a log at a moment, signed.

use std::fmt;

use super::{Hash, Note, ProofError, Signer, Verifier};

/// The text of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log; the name of its key.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them (RFC 6962 §2.1).
    pub root: Hash,
    /// Further lines, which mean nothing here. None are written.
    pub extensions: Vec<String>,
}

/// A checkpoint whose signature was made or checked here, with its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl Checkpoint {
    /// Reads the text of a note as a checkpoint.
    ///
    /// # Errors
    ///
    /// [`ProofError::Checkpoint`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let text = text.strip_suffix('\n').ok_or(ProofError::Checkpoint("cut off"))?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or(ProofError::Checkpoint("it has no origin line"))?;
        let size = line().ok_or(ProofError::Checkpoint("it has no size line"))?;
        let root = line().ok_or(ProofError::Checkpoint("it has no root line"))?;
        let known = size.parse::<u64>().ok().filter(|number| number.to_string() == size);
        let size = known.ok_or(ProofError::Checkpoint("the size is not a plain number"))?;
        let root = Hash::parse(root);
        let root = root.ok_or(ProofError::Checkpoint("the root is not 32 bytes in base64"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(ProofError::Checkpoint("it has an empty line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// Reads a signed checkpoint and checks its signature. The origin has to be the key's name.
    ///
    /// # Errors
    ///
    /// [`ProofError`]: what is wrong with note, signature, origin or text.
    pub fn open(note: &str, verifier: &Verifier) -> Result<SignedCheckpoint, ProofError> {
        let note = Note::parse(note)?;
        note.verify(verifier)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != verifier.name() {
            let (found, expected) = (checkpoint.origin, verifier.name().to_owned());
            return Err(ProofError::Origin { found, expected });
        }
        Ok(SignedCheckpoint { checkpoint, note })
    }

    /// Signs the size and root of a log, whose origin is the signer's name.
    ///
    /// Earlier checkpoints are not compared here; [`super::Issuer`] ensures that none contradicts
    /// another.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: never for the name of a key.
    pub fn sign(signer: &Signer, size: u64, root: Hash) -> Result<SignedCheckpoint, ProofError> {
        let origin = signer.verifier().name().to_owned();
        let checkpoint = Self { origin, size, root, extensions: Vec::new() };
        let note = signer.sign(&checkpoint.to_string())?;
        Ok(SignedCheckpoint { checkpoint, note })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl SignedCheckpoint {
    /// What was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, with all its signatures. Its text form is what is served and stored.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds signature lines of another key, once they are checked; see [`Note::add`].
    ///
    /// # Errors
    ///
    /// As [`Note::add`].
    pub fn add(&mut self, lines: &str, verifier: &Verifier) -> Result<usize, ProofError> {
        self.note.add(lines, verifier)
    }

    /// Adds the signatures of another copy of the same checkpoint. False if it is another one.
    pub(super) fn take_over(&mut self, other: &Self) -> bool {
        let same = self.note.text() == other.note.text();
        if same {
            self.note.take_over(&other.note);
        }
        same
    }
}
