//! Writing the index of terms: what is read before it is changed, and what need not be read.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use fjall::{OwnedWriteBatch as Batch, Readable, Snapshot};

use super::keyspaces::Spaces;
use super::postings::{CHUNK_BITS, Postings, chunk_of};
use super::{ViewError, keys};
use crate::fhir::search::Layout;
use crate::fhir::{ResourceType, Term};
use crate::numbers::{ResourceNumber, Slot};

/// The state that a batch changes.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    pub snapshot: &'a Snapshot,
    pub spaces: &'a Spaces,
}

impl Tables<'_> {
    /// The resources with a term, within one chunk of numbers.
    pub fn postings(self, term_in_chunk: &[u8]) -> Result<Postings, ViewError> {
        let bytes = self.snapshot.get(&self.spaces.terms, term_in_chunk)?;
        Ok(bytes.map(|bytes| Postings::decode(&bytes)).unwrap_or_default())
    }
}

/// The postings that a batch changes; and, from batch to batch, those of the chunk in which the
/// next numbers will fall, so that a new resource costs no look-up.
#[derive(Debug, Default)]
pub struct TermLedger {
    /// By key, what the batch has changed, and its chunk.
    changed: HashMap<Vec<u8>, (u64, Postings)>,
    /// By key, whether the batch leaves a value that is found by ranges.
    values: BTreeMap<Vec<u8>, bool>,
    /// By key, the postings of all terms in the open chunk, if `open` names it.
    recent: HashMap<Vec<u8>, Postings>,
    /// The chunk that the last batch ended in, if all of it was written here.
    open: Option<u64>,
    /// Keys of `blocks` that are there, for the block that the last batch ended in.
    marked: HashSet<Vec<u8>>,
    open_block: u64,
    /// Slot of the first event of the batch.
    first: Slot,
}

impl TermLedger {
    /// Begins a batch.
    pub fn begin(&mut self, first: Slot) {
        self.first = first;
        if !self.changed.is_empty() || !self.values.is_empty() {
            // The batch before failed.
            *self = Self { first, ..Self::default() };
        }
    }

    /// A resource has a term from now on, or no more.
    pub fn set(
        &mut self,
        tables: Tables<'_>,
        kind: ResourceType,
        term: &Term,
        number: ResourceNumber,
        has: bool,
    ) -> Result<(), ViewError> {
        match term.layout() {
            Layout::Exact => {
                let term = keys::term(kind, term.parameter, &term.value);
                self.post(tables, term, number, has)
            }
            Layout::Ordered => {
                self.values.insert(keys::value(kind, term.parameter, &term.value, number), has);
                Ok(())
            }
        }
    }

    /// The same for a key of `terms`.
    pub fn post(
        &mut self,
        tables: Tables<'_>,
        term: Vec<u8>,
        number: ResourceNumber,
        has: bool,
    ) -> Result<(), ViewError> {
        let postings = self.postings(tables, term, number)?;
        if has {
            postings.insert(number);
        } else {
            postings.remove(number);
        }
        Ok(())
    }

    fn postings(
        &mut self,
        tables: Tables<'_>,
        term: Vec<u8>,
        number: ResourceNumber,
    ) -> Result<&mut Postings, ViewError> {
        let chunk = chunk_of(number);
        // No number of a later chunk is older than the batch.
        let is_known = chunk << CHUNK_BITS >= self.first.get() || self.open == Some(chunk);
        match self.changed.entry(keys::with_chunk(term, chunk)) {
            Entry::Occupied(known) => Ok(&mut known.into_mut().1),
            Entry::Vacant(place) => {
                let before = match self.recent.get(place.key()) {
                    Some(recent) => *recent,
                    None if is_known => Postings::default(),
                    None => tables.postings(place.key())?,
                };
                Ok(&mut place.insert((chunk, before)).1)
            }
        }
    }

    /// Puts what has changed into the batch, which ends below a slot.
    pub fn finish(
        &mut self,
        behind: Slot,
        tables: Tables<'_>,
        batch: &mut Batch,
    ) -> Result<(), ViewError> {
        let spaces = tables.spaces;
        let next = ResourceNumber::of(behind);
        let open = chunk_of(next);
        if self.open != Some(open) {
            self.recent.clear();
            let is_whole = open << CHUNK_BITS >= self.first.get();
            self.open = is_whole.then_some(open);
        }
        let mut changed: Vec<_> = self.changed.drain().collect();
        // Neighbours in the store are written one after the other.
        changed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (key, (chunk, postings)) in changed {
            if postings.is_empty() {
                batch.remove(&spaces.terms, key.as_slice());
            } else {
                batch.insert(&spaces.terms, key.as_slice(), postings.encode());
            }
            if self.open == Some(chunk) {
                self.recent.insert(key, postings);
            }
        }
        if self.open_block != keys::block_of(next) {
            self.marked.clear();
            self.open_block = keys::block_of(next);
        }
        let values: Vec<_> = std::mem::take(&mut self.values).into_iter().collect();
        for of_value in values.chunk_by(|(one, _), (other, _)| {
            keys::without_number(one) == keys::without_number(other)
        }) {
            for (key, has) in of_value {
                if *has {
                    batch.insert(&spaces.values, key.as_slice(), []);
                } else {
                    batch.remove(&spaces.values, key.as_slice());
                }
            }
            self.mark(of_value, tables, batch)?;
        }
        Ok(())
    }

    /// Says in `blocks` whether a block has a value, after these changes to it.
    fn mark(
        &mut self,
        changes: &[(Vec<u8>, bool)],
        tables: Tables<'_>,
        batch: &mut Batch,
    ) -> Result<(), ViewError> {
        let Some((key, _)) = changes.first() else { return Ok(()) };
        let shared = keys::without_number(key);
        let (marker, block) = keys::block_of_value(shared).ok_or(ViewError::Record("values"))?;
        if changes.iter().any(|(_, has)| *has) {
            if self.marked.contains(&marker) {
                return Ok(());
            }
            batch.insert(&tables.spaces.blocks, marker.as_slice(), []);
            if block == self.open_block {
                self.marked.insert(marker);
            }
            return Ok(());
        }
        for entry in tables.snapshot.range(&tables.spaces.values, keys::all_numbers(shared)) {
            let kept = entry.key()?;
            if changes.binary_search_by(|(gone, _)| gone.as_slice().cmp(&kept)).is_err() {
                return Ok(());
            }
        }
        batch.remove(&tables.spaces.blocks, marker.as_slice());
        self.marked.remove(&marker);
        Ok(())
    }
}
