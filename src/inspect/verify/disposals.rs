//! What was disposed of: the statement in each such segment, held against its hashes and the key of the log.
//! That the hashes are those of the log, the walk shows.

use std::path::PathBuf;

use super::Finding;
use super::walk::Leaf;
use crate::clock::Instant;
use crate::log::Batch;
use crate::proof::{Disposal, Verifier, root_of};

/// The segments whose frames were disposed of.
pub struct Disposals<'a> {
    key: Option<&'a Verifier>,
    found: Vec<FoundDisposal>,
}

struct FoundDisposal {
    path: PathBuf,
    signed: Result<Disposal, String>,
}

impl<'a> Disposals<'a> {
    /// None so far; `key` is that of the log.
    pub fn new(key: Option<&'a Verifier>) -> Self {
        Self { key, found: Vec::new() }
    }

    /// Takes the next positions of the log.
    pub fn judge(&mut self, batch: &Batch<Leaf>) {
        let Some(statement) = &batch.statement else { return };
        let signed = match self.key {
            Some(key) => Disposal::open(statement, key).map_err(|error| error.to_string()),
            None => Err("there is no key to check its signature with".to_owned()),
        };
        let (first, end) = (batch.first_position, batch.first_position + batch.items.len() as u64);
        let signed = signed.and_then(|disposal| {
            let root = root_of(batch.items.iter().map(|leaf| leaf.hash));
            let is_of_these = (disposal.first, disposal.end, disposal.root) == (first, end, root);
            is_of_these.then_some(disposal).ok_or_else(|| {
                format!("it does not say that positions {first} to {} were", end.saturating_sub(1))
            })
        });
        self.found.push(FoundDisposal { path: batch.path.clone(), signed });
    }

    /// What was found in the log of that name.
    pub fn findings(self, name: &str) -> Vec<Finding> {
        self.found.into_iter().map(|found| found.finding(name)).collect()
    }
}

impl FoundDisposal {
    fn finding(self, name: &str) -> Finding {
        let (part, path) = (format!("{name} log"), self.path.display());
        match self.signed {
            Ok(Disposal { first, end, disposed_at, years, .. }) => {
                let at = Instant::from_micros(disposed_at);
                let last = end.saturating_sub(1);
                let detail = format!(
                    "positions {first} to {last} were disposed of at {at}, as entries are kept for \
                     {years} years: {path} has the signed statement"
                );
                Finding::note(part, detail)
            }
            Err(problem) => {
                let detail = format!(
                    "{path}: frames are missing, and the statement of their disposal does not hold: \
                     {problem}"
                );
                Finding::altered(part, detail)
            }
        }
    }
}
