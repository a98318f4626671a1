//! Statements of disposal: which entries of a log were deleted, and that the tree goes on without them.

use std::fmt;

use super::{Hash, Note, ProofError, Signer, Tree, Verifier};

/// First line of the text.
const TITLE: &str = "chartlog statement of disposal/1";

/// What was disposed of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    /// Which log.
    pub origin: String,
    /// Number of the segment that held the entries.
    pub segment: u32,
    /// Position of the first.
    pub first: u64,
    /// Behind the last.
    pub end: u64,
    /// When the first was recorded: microseconds since 1970.
    pub since: i64,
    /// When the last was.
    pub until: i64,
    /// Root over the leaves of these entries alone (RFC 6962 §2.1).
    pub root: Hash,
    /// When they were disposed of.
    pub disposed_at: i64,
    /// For how many years entries are kept.
    pub years: u64,
}

/// The root over some leaves alone.
#[must_use]
pub fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut tree = Tree::default();
    leaves.into_iter().for_each(|leaf| tree.append(leaf, |_, _| {}));
    tree.root()
}

/// The key of a log under the name that signs statements: no checkpoint is of a log of that name.
fn key(log: &Verifier) -> Result<Verifier, ProofError> {
    log.named(&format!("{}/disposals", log.name()))
}

impl Disposal {
    /// Signs the statement with the key of the log, under the name `<origin>/disposals`.
    ///
    /// # Errors
    ///
    /// [`ProofError::Note`]: never for the name of a key.
    pub fn sign(&self, log: &Signer) -> Result<Note, ProofError> {
        log.sign_as(&key(log.verifier())?, &self.to_string())
    }

    /// Reads a statement and checks that it is signed with the key of the log, and of that log.
    ///
    /// # Errors
    ///
    /// [`ProofError`]: what is wrong with note, signature, origin or text.
    pub fn open(note: &str, log: &Verifier) -> Result<Self, ProofError> {
        Note::parse(note)?.verify(&key(log)?)?;
        let disposal = Self::unverified(note)?;
        if disposal.origin != log.name() {
            let (found, expected) = (disposal.origin, log.name().to_owned());
            return Err(ProofError::Origin { found, expected });
        }
        Ok(disposal)
    }

    /// Reads a statement, whoever signed it.
    ///
    /// # Errors
    ///
    /// [`ProofError`]: what is wrong with note or text.
    pub fn unverified(note: &str) -> Result<Self, ProofError> {
        let note = Note::parse(note)?;
        let disposal = Self::parse(note.text());
        // There is one way to write it.
        disposal.filter(|one| one.to_string() == note.text()).ok_or(ProofError::Disposal)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        (lines.next()? == TITLE).then_some(())?;
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ");
        let origin = value("log")?.to_owned();
        let segment = value("segment")?.parse().ok()?;
        let (first, last) = value("positions")?.split_once(" to ")?;
        let (since, until) = value("recorded")?.split_once(" to ")?;
        let root = Hash::parse(value("root")?)?;
        let disposed_at = value("disposed")?.parse().ok()?;
        let years = value("kept for years")?.parse().ok()?;
        let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
        let (since, until) = (since.parse().ok()?, until.parse().ok()?);
        let end = last.checked_add(1)?;
        lines.next().is_none().then_some(())?;
        Some(Self { origin, segment, first, end, since, until, root, disposed_at, years })
    }
}

impl fmt::Display for Disposal {
    /// The text that is signed; times are microseconds since 1970.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, segment, first, end, since, until, root, disposed_at, years } = self;
        let last = end.saturating_sub(1);
        writeln!(formatter, "{TITLE}\nlog: {origin}\nsegment: {segment}")?;
        writeln!(formatter, "positions: {first} to {last}\nrecorded: {since} to {until}")?;
        writeln!(formatter, "root: {root}\ndisposed: {disposed_at}\nkept for years: {years}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposal() -> Disposal {
        Disposal {
            origin: "example.org/log/access".to_owned(),
            segment: 3,
            first: 1_000,
            end: 2_000,
            since: -5,
            until: 1_600_000_000_000_000,
            root: root_of([Hash::leaf(b"a"), Hash::leaf(b"b")]),
            disposed_at: 1_800_000_000_000_000,
            years: 6,
        }
    }

    #[test]
    fn a_statement_reads_back_and_no_other_key_or_text_passes() {
        let signer = Signer::from_seed("example.org/log/access", &[7; 32]).unwrap();
        let note = disposal().sign(&signer).unwrap().to_string();
        assert_eq!(Disposal::open(&note, signer.verifier()).unwrap(), disposal());
        let other = Signer::from_seed("example.org/log/access", &[8; 32]).unwrap();
        assert!(Disposal::open(&note, other.verifier()).is_err());
        for (from, to) in
            [("2000", "3000"), ("1999", "2999"), ("years: 6", "years: 1"), ("root: ", "root:  ")]
        {
            assert!(
                Disposal::open(&note.replacen(from, to, 1), signer.verifier()).is_err()
                    == note.contains(from)
            );
        }
        let elsewhere = Disposal { origin: "example.org/log/events".to_owned(), ..disposal() };
        let note = elsewhere.sign(&signer).unwrap().to_string();
        assert!(matches!(Disposal::open(&note, signer.verifier()), Err(ProofError::Origin { .. })));
        let loose = disposal().to_string().replace("segment: 3", "segment: 03");
        let key = key(signer.verifier()).unwrap();
        let note = signer.sign_as(&key, &loose).unwrap().to_string();
        assert!(matches!(Disposal::open(&note, signer.verifier()), Err(ProofError::Disposal)));
    }

    #[test]
    fn a_statement_is_no_checkpoint() {
        let signer = Signer::from_seed("example.org/log/access", &[7; 32]).unwrap();
        let note = disposal().sign(&signer).unwrap().to_string();
        assert!(super::super::Checkpoint::open(&note, signer.verifier()).is_err());
    }
}
