//! Checking a bundle.

use std::collections::BTreeMap;

use serde::Serialize;

use super::frame::{FRAME_HEADER, Header};
use super::{BUNDLE_FORMAT, Bundle, BundleLog, Disclosed, Entry, commitment, leaf};
use crate::proof::{Checkpoint, Hash, InclusionProof, ProofError, Verifier};

/// Bytes of the salt of a commitment.
const SALT_BYTES: usize = 16;

/// What a bundle was found to prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which log.
    pub log: BundleLog,
    /// The origin that signed.
    pub origin: String,
    /// Entries that the log had when it was signed.
    pub size: u64,
    /// The root that was signed.
    pub root: Hash,
    /// Entries in the bundle, each in the log at its position.
    pub entries: u64,
    /// Those of them whose payload is disclosed, and matches its commitment.
    pub disclosed: u64,
    /// The charts that they are of, by alias.
    pub charts: Vec<StreamSpan>,
}

/// The entries of one chart. Some are missing between the first and the last if they are fewer than
/// `last - first + 1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamSpan {
    /// The random number that stands for the chart, in hexadecimal.
    pub alias: String,
    /// Chart version of the first entry here.
    pub first: u32,
    /// Chart version of the last one.
    pub last: u32,
    /// How many there are.
    pub entries: u64,
}

/// Checks an evidence bundle with the verifier key of its log, and nothing else.
///
/// # Errors
///
/// [`ProofError::Key`] for the key; otherwise [`ProofError::Bundle`], which says which entry is
/// wrong, if it is in one, and why.
pub fn verify_bundle(bundle: &str, verifier_key: &str) -> Result<Report, ProofError> {
    let verifier: Verifier = verifier_key.parse()?;
    let bundle: Bundle = serde_json::from_str(bundle)
        .map_err(|error| flaw(None, format!("not an evidence bundle: {error}")))?;
    if bundle.format != BUNDLE_FORMAT {
        let format = &bundle.format;
        return Err(flaw(None, format!("its format is {format:?}, not {BUNDLE_FORMAT:?}")));
    }
    let signed = Checkpoint::open(&bundle.checkpoint, &verifier)
        .map_err(|error| flaw(None, format!("checkpoint: {error}")))?;
    let checkpoint = signed.checkpoint();
    let suffix = bundle.log.origin_suffix();
    if !checkpoint.origin.ends_with(suffix) {
        let origin = &checkpoint.origin;
        return Err(flaw(
            None,
            format!("checkpoint: the origin {origin} does not end in {suffix}"),
        ));
    }
    if bundle.entries.is_empty() {
        return Err(flaw(None, "it has no entries".to_owned()));
    }
    let mut check = Check { log: bundle.log, checkpoint, before: None, charts: BTreeMap::new() };
    for entry in &bundle.entries {
        check.entry(entry).map_err(|problem| flaw(Some(entry.position), problem))?;
    }
    Ok(Report {
        log: bundle.log,
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root,
        entries: bundle.entries.len() as u64,
        disclosed: bundle.entries.iter().filter(|entry| entry.disclosed.is_some()).count() as u64,
        charts: check.charts.into_values().collect(),
    })
}

fn flaw(position: Option<u64>, problem: String) -> ProofError {
    ProofError::Bundle { position, problem }
}

/// The check of the entries, one after the other.
struct Check<'a> {
    log: BundleLog,
    checkpoint: &'a Checkpoint,
    before: Option<&'a Entry>,
    charts: BTreeMap<u64, StreamSpan>,
}

impl<'a> Check<'a> {
    fn entry(&mut self, entry: &'a Entry) -> Result<(), String> {
        self.order(entry)?;
        let header = Header::parse(&entry.frame.0)?;
        if !header.belongs_to(self.log) {
            let log = self.log.origin_suffix();
            return Err(format!("a frame of kind {} does not belong to {log}", header.kind));
        }
        let proof = InclusionProof {
            position: entry.position,
            size: self.checkpoint.size,
            hashes: entry.proof.clone(),
        };
        let leaf = leaf(entry.position, entry.recorded_at, &entry.frame.0);
        proof.verify(leaf, self.checkpoint.root).map_err(|_| {
            "the signed tree does not hold this entry: position, recordedAt, frame or proof is wrong"
                .to_owned()
        })?;
        check_disclosed(entry.disclosed.as_ref(), &header)?;
        if header.is_of_a_chart() {
            self.stream(&header)?;
        }
        self.before = Some(entry);
        Ok(())
    }

    fn order(&self, entry: &Entry) -> Result<(), String> {
        let size = self.checkpoint.size;
        if entry.position >= size {
            return Err(format!("the signed log has only {size} entries"));
        }
        let Some(before) = self.before else { return Ok(()) };
        if entry.position <= before.position {
            return Err(format!("it stands after position {}", before.position));
        }
        if entry.recorded_at < before.recorded_at {
            return Err(format!("it was recorded before position {}", before.position));
        }
        Ok(())
    }

    fn stream(&mut self, header: &Header) -> Result<(), String> {
        let Header { version, alias, .. } = *header;
        if version == 0 {
            return Err("its chart version is 0; they count from 1".to_owned());
        }
        let span = self.charts.entry(alias).or_insert_with(|| StreamSpan {
            alias: format!("{alias:016x}"),
            first: version,
            last: 0,
            entries: 0,
        });
        if version <= span.last {
            let (alias, last) = (&span.alias, span.last);
            return Err(format!("version {version} of chart {alias} stands after version {last}"));
        }
        span.last = version;
        span.entries += 1;
        Ok(())
    }
}

/// Checks that a payload, if one is disclosed, is the one that the header commits to.
pub fn check_disclosed(disclosed: Option<&Disclosed>, header: &Header) -> Result<(), String> {
    let Some(disclosed) = disclosed else { return Ok(()) };
    if !header.is_sealed() {
        return Err(format!(
            "a payload is disclosed, but the frame is not sealed: it is in clear after {FRAME_HEADER} \
             bytes"
        ));
    }
    if disclosed.salt.0.len() != SALT_BYTES {
        return Err(format!("the salt has {} bytes, not {SALT_BYTES}", disclosed.salt.0.len()));
    }
    if commitment(&disclosed.salt.0, disclosed.payload.as_bytes()).0 == header.commitment {
        Ok(())
    } else {
        Err("the disclosed payload is not the one that the frame commits to".to_owned())
    }
}
