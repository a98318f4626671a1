//! Finding resources by their terms: sets of resource numbers, read chunk by chunk.

use std::cell::Cell;
use std::collections::BTreeMap;

use fjall::{Iter, Readable};

use super::changes::Order;
use super::postings::{Postings, chunk_of};
use super::{View, ViewError, keys};
use crate::budget::Budget;
use crate::fhir::ResourceType;
use crate::fhir::search::{Term, Verdict};
use crate::log::StreamAlias;

/// Records passed one by one before a set looks up where it should go on.
const STEPS_MAX: usize = 4;
/// Most places where the values of a range may occur for all of them to be known from the start.
const PLACES_MAX: usize = 256;
/// Most values that one beginning may stand for.
const VALUES_MAX: usize = 4_096;

/// How many records of the index a search may still read.
#[derive(Debug)]
pub struct Allowance<'a> {
    budget: &'a Budget,
    own: Cell<u64>,
    /// Taken from the budget and not used yet.
    credit: Cell<u64>,
}

/// Records that are taken from a budget at once: it has a lock and looks at the clock.
const CREDIT: u64 = 128;

impl<'a> Allowance<'a> {
    /// Of a request's budget so many.
    #[must_use]
    pub fn of(budget: &'a Budget, records: u64) -> Self {
        Self { budget, own: Cell::new(records), credit: Cell::new(0) }
    }

    /// Takes some of it.
    ///
    /// # Errors
    ///
    /// [`ViewError::Costly`] when nothing is left.
    pub fn take(&self, records: u64) -> Result<(), ViewError> {
        let left = self.own.get().checked_sub(records).ok_or(ViewError::Costly)?;
        self.own.set(left);
        if self.credit.get() < records {
            self.budget.read(records.max(CREDIT))?;
            self.credit.set(self.credit.get() + records.max(CREDIT));
        }
        self.credit.set(self.credit.get() - records);
        Ok(())
    }
}

/// The members of a set within a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Members {
    /// All that may be in the set.
    pub all: Postings,
    /// Those that are in it for certain.
    pub sure: Postings,
}

impl Members {
    /// All of them for certain.
    #[must_use]
    pub fn sure(all: Postings) -> Self {
        Self { all, sure: all }
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { all: self.all.union(other.all), sure: self.sure.union(other.sure) }
    }
}

/// The resources that have one of several terms.
pub struct TermNumbers<'a> {
    view: &'a View,
    branches: Vec<Branch>,
}

/// The chunks under one term.
struct Branch {
    prefix: Vec<u8>,
    /// From the chunk that was looked up on; none before the first look.
    chunks: Option<Iter>,
    waiting: Option<(u64, Postings)>,
}

impl<'a> TermNumbers<'a> {
    /// Of the resources of a type that have one of the values of a parameter.
    #[must_use]
    pub fn of(view: &'a View, kind: ResourceType, parameter: u16, values: &[Vec<u8>]) -> Self {
        let prefixes = values.iter().map(|value| keys::term(kind, parameter, value));
        Self::under(view, prefixes.collect())
    }

    /// Of the resources of a type that lie in a chart; in [`StreamAlias::NONE`], the directory.
    #[must_use]
    pub fn in_chart(view: &'a View, kind: ResourceType, chart: StreamAlias) -> Self {
        Self::in_charts(view, kind, &[chart])
    }

    /// Of the resources of a type that lie in any of some charts.
    #[must_use]
    pub fn in_charts(view: &'a View, kind: ResourceType, charts: &[StreamAlias]) -> Self {
        let prefixes = charts.iter().map(|chart| keys::compartment(kind, *chart));
        Self::under(view, prefixes.collect())
    }

    fn under(view: &'a View, prefixes: Vec<Vec<u8>>) -> Self {
        let branch = |prefix| Branch { prefix, chunks: None, waiting: None };
        Self { view, branches: prefixes.into_iter().map(branch).collect() }
    }

    /// The first chunk from `from` on that has members.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn seek(&mut self, from: u64) -> Result<Option<u64>, ViewError> {
        let mut lowest: Option<u64> = None;
        for branch in &mut self.branches {
            if let Some(chunk) = branch.seek(self.view, from)? {
                lowest = Some(lowest.map_or(chunk, |lowest| lowest.min(chunk)));
            }
        }
        Ok(lowest)
    }

    /// The members in a chunk. Chunks are asked for in ascending order.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn members(&mut self, chunk: u64) -> Result<Postings, ViewError> {
        let mut found = Postings::default();
        for branch in &mut self.branches {
            // Looking up one record is cheaper than beginning to walk.
            if branch.chunks.is_none() {
                found = found.union(self.view.tables().postings(&branch.key(chunk))?);
            } else if branch.seek(self.view, chunk)? == Some(chunk)
                && let Some((_, postings)) = branch.waiting
            {
                found = found.union(postings);
            }
        }
        Ok(found)
    }
}

impl Branch {
    fn key(&self, chunk: u64) -> Vec<u8> {
        keys::with_chunk(self.prefix.clone(), chunk)
    }

    fn seek(&mut self, view: &View, from: u64) -> Result<Option<u64>, ViewError> {
        for _ in 0..STEPS_MAX {
            let Some(chunks) = &mut self.chunks else { break };
            match self.waiting {
                Some((chunk, _)) if chunk >= from => return Ok(Some(chunk)),
                Some(_) => self.waiting = read(chunks, self.prefix.len())?,
                None => return Ok(None),
            }
        }
        let range = self.key(from)..=self.key(keys::LAST_CHUNK);
        let mut chunks = view.snapshot.range(&view.spaces().terms, range);
        self.waiting = read(&mut chunks, self.prefix.len())?;
        self.chunks = Some(chunks);
        Ok(self.waiting.map(|(chunk, _)| chunk))
    }
}

fn read(chunks: &mut Iter, prefix: usize) -> Result<Option<(u64, Postings)>, ViewError> {
    let Some(entry) = chunks.next() else { return Ok(None) };
    let (key, value) = entry.into_inner()?;
    let chunk = keys::read_chunk(&key, prefix).ok_or(ViewError::Record("terms"))?;
    Ok(Some((chunk, Postings::decode(&value))))
}

/// The resources that have a value within one of several ranges of a parameter.
pub struct ValueNumbers<'a> {
    view: &'a View,
    kind: ResourceType,
    parameter: u16,
    ranges: Vec<(Vec<u8>, Vec<u8>)>,
    accept: Box<dyn Fn(&Term) -> Verdict + 'a>,
    allowance: &'a Allowance<'a>,
    /// The blocks with a value in a range, if they are few.
    blocks: Option<Vec<u64>>,
    /// The block that was read last.
    block: Option<(u64, BTreeMap<u64, Members>)>,
}

impl<'a> ValueNumbers<'a> {
    /// Of the resources of a type. A range is from a value to the last value that begins with
    /// another; both have the same tag.
    ///
    /// # Errors
    ///
    /// The view store's; [`ViewError::Costly`].
    pub fn of(
        view: &'a View,
        kind: ResourceType,
        parameter: u16,
        ranges: Vec<(Vec<u8>, Vec<u8>)>,
        accept: impl Fn(&Term) -> Verdict + 'a,
        allowance: &'a Allowance<'a>,
    ) -> Result<Self, ViewError> {
        let accept = Box::new(accept);
        let (blocks, block) = (None, None);
        let mut numbers = Self { view, kind, parameter, ranges, accept, allowance, blocks, block };
        numbers.blocks = numbers.few_blocks()?;
        Ok(numbers)
    }

    /// The blocks with a value in a range, in order; `None` if the values occur in many places.
    fn few_blocks(&self) -> Result<Option<Vec<u64>>, ViewError> {
        let mut blocks = Vec::new();
        for (first, last) in &self.ranges {
            let start = keys::term(self.kind, self.parameter, first);
            let last = keys::term(self.kind, self.parameter, last);
            for entry in self.view.snapshot.range(&self.view.spaces().blocks, start..) {
                let key = entry.key()?;
                if !is_within(&key, &last) {
                    break;
                }
                if blocks.len() == PLACES_MAX {
                    return Ok(None);
                }
                self.allowance.take(1)?;
                let term = keys::read_term(&key).ok_or(ViewError::Record("blocks"))?;
                let block = keys::read_chunk(&key, term.len());
                blocks.push(block.ok_or(ViewError::Record("blocks"))?);
            }
        }
        blocks.sort_unstable();
        blocks.dedup();
        Ok(Some(blocks))
    }

    /// Whether all blocks with members are known, and few.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.blocks.is_some()
    }

    /// The first chunk from `from` on that has members.
    ///
    /// # Errors
    ///
    /// The view store's; [`ViewError::Costly`].
    pub fn seek(&mut self, from: u64) -> Result<Option<u64>, ViewError> {
        let mut next = self.next_block(keys::block_of_chunk(from))?;
        while let Some(block) = next {
            let start = from.max(keys::first_chunk(block));
            if let Some((chunk, _)) = self.read_block(block)?.range(start..).next() {
                return Ok(Some(*chunk));
            }
            next = self.next_block(block + 1)?;
        }
        Ok(None)
    }

    /// The members in a chunk.
    ///
    /// # Errors
    ///
    /// The view store's; [`ViewError::Costly`].
    pub fn members(&mut self, chunk: u64) -> Result<Members, ViewError> {
        let block = keys::block_of_chunk(chunk);
        if self.blocks.as_ref().is_some_and(|blocks| blocks.binary_search(&block).is_err()) {
            return Ok(Members::default());
        }
        let found = self.read_block(block)?;
        Ok(found.get(&chunk).copied().unwrap_or_default())
    }

    /// Whether the values around a chunk were read already.
    #[must_use]
    pub fn has_read(&self, chunk: u64) -> bool {
        self.block.as_ref().is_some_and(|(block, _)| *block == keys::block_of_chunk(chunk))
    }

    /// The first block from `from` on in which there is a value within a range.
    fn next_block(&self, from: u64) -> Result<Option<u64>, ViewError> {
        if let Some(blocks) = &self.blocks {
            return Ok(blocks.get(blocks.partition_point(|block| *block < from)).copied());
        }
        if self.block.as_ref().is_some_and(|(block, _)| *block == from) {
            return Ok(Some(from));
        }
        let mut lowest: Option<u64> = None;
        for (first, last) in &self.ranges {
            if let Some(block) = self.next_block_of(from, lowest, first, last)? {
                lowest = Some(block);
            }
        }
        Ok(lowest)
    }

    /// The same of one range, if it is before block `until`. One look at each block with any value.
    fn next_block_of(
        &self,
        mut block: u64,
        until: Option<u64>,
        first: &[u8],
        last: &[u8],
    ) -> Result<Option<u64>, ViewError> {
        let Some((tag, rest)) = first.split_first() else { return Ok(None) };
        let end = keys::behind_term(keys::term(self.kind, self.parameter, &[*tag]));
        while until.is_none_or(|until| block < until) {
            let prefix = keys::block(self.kind, self.parameter, *tag, block);
            let start = [prefix.as_slice(), rest].concat();
            self.allowance.take(1)?;
            let range = start.as_slice()..end.as_slice();
            let Some(entry) = self.view.snapshot.range(&self.view.spaces().values, range).next()
            else {
                return Ok(None);
            };
            let key = entry.key()?;
            if is_within(&key, &behind(&prefix, last)) {
                return Ok(Some(block));
            }
            let found = keys::read_block(&key).ok_or(ViewError::Record("values"))?;
            block = found.max(block + 1);
        }
        Ok(None)
    }

    fn read_block(&mut self, block: u64) -> Result<&BTreeMap<u64, Members>, ViewError> {
        if self.block.as_ref().is_none_or(|(known, _)| *known != block) {
            let mut found = BTreeMap::new();
            for (first, last) in &self.ranges {
                self.read_range(block, first, last, &mut found)?;
            }
            self.block = Some((block, found));
        }
        match &self.block {
            Some((_, found)) => Ok(found),
            None => Err(ViewError::Record("values")),
        }
    }

    fn read_range(
        &self,
        block: u64,
        first: &[u8],
        last: &[u8],
        found: &mut BTreeMap<u64, Members>,
    ) -> Result<(), ViewError> {
        let Some((tag, rest)) = first.split_first() else { return Ok(()) };
        let prefix = keys::block(self.kind, self.parameter, *tag, block);
        let start = [prefix.as_slice(), rest].concat();
        let last = behind(&prefix, last);
        let scanned = self.view.snapshot.range(&self.view.spaces().values, start..);
        let mut term = Term { parameter: self.parameter, value: Vec::new() };
        for entry in scanned {
            let key = entry.key()?;
            if !is_within(&key, &last) {
                break;
            }
            self.allowance.take(1)?;
            let (value, number) =
                keys::read_value(&key, prefix.len(), block).ok_or(ViewError::Record("values"))?;
            term.value.clear();
            term.value.push(*tag);
            term.value.extend_from_slice(value);
            let acceptance = (self.accept)(&term);
            if acceptance != Verdict::No {
                let members = found.entry(chunk_of(number)).or_default();
                members.all.insert(number);
                if acceptance == Verdict::Yes {
                    members.sure.insert(number);
                }
            }
        }
        Ok(())
    }
}

/// A value behind the beginning of a block, which names its tag.
fn behind(prefix: &[u8], value: &[u8]) -> Vec<u8> {
    [prefix, value.get(1..).unwrap_or_default()].concat()
}

/// Whether a key is not behind the last one of a range; what begins with the last one belongs to it.
fn is_within(key: &[u8], last: &[u8]) -> bool {
    key <= last || key.starts_with(last)
}

impl View {
    /// The value of a parameter that is so many places away from another in the order of a tag; `None`
    /// if there are not so many. Each block in which a value occurs is a place.
    ///
    /// # Errors
    ///
    /// The view store's; [`ViewError::Costly`].
    pub fn value_away(
        &self,
        kind: ResourceType,
        parameter: u16,
        from: &[u8],
        order: Order,
        places: usize,
        allowance: &Allowance<'_>,
    ) -> Result<Option<Vec<u8>>, ViewError> {
        let Some((tag, _)) = from.split_first() else { return Ok(None) };
        let start = keys::term(kind, parameter, from);
        let of_tag = |tag: u8| keys::term(kind, parameter, &[tag]);
        let space = &self.spaces().blocks;
        let mut walked = match order {
            Order::Ascending => self.snapshot.range(space, start..of_tag(tag + 1)),
            Order::Descending if from.len() == 1 => {
                self.snapshot.range(space, start..of_tag(tag + 1))
            }
            Order::Descending => self.snapshot.range(space, of_tag(*tag)..start),
        };
        let mut last = None;
        for _ in 0..places {
            allowance.take(1)?;
            let next = match order {
                Order::Ascending => walked.next(),
                Order::Descending => walked.next_back(),
            };
            let Some(entry) = next else { return Ok(None) };
            last = Some(entry.key()?);
        }
        let Some(key) = last else { return Ok(None) };
        let term = keys::read_term(&key).ok_or(ViewError::Record("blocks"))?;
        Ok(Some(term.get(keys::PARAMETER_BYTES..).unwrap_or_default().to_vec()))
    }

    /// The values of a parameter that begin so.
    ///
    /// # Errors
    ///
    /// The view store's; [`ViewError::Costly`] when there are very many.
    pub fn values_beginning(
        &self,
        kind: ResourceType,
        parameter: u16,
        beginning: &[u8],
        allowance: &Allowance<'_>,
    ) -> Result<Vec<Vec<u8>>, ViewError> {
        let wanted = keys::term(kind, parameter, beginning);
        let end = keys::behind_term(keys::term(kind, parameter, &[]));
        let mut values = Vec::new();
        let mut from = wanted.clone();
        loop {
            allowance.take(1)?;
            let range = from.as_slice()..end.as_slice();
            let Some(entry) = self.snapshot.range(&self.spaces().terms, range).next() else {
                break;
            };
            let key = entry.key()?;
            let term = keys::read_term(&key).ok_or(ViewError::Record("terms"))?;
            if !term.starts_with(&wanted) {
                break;
            }
            if values.len() == VALUES_MAX {
                return Err(ViewError::Costly);
            }
            values.push(term.get(keys::PARAMETER_BYTES..).unwrap_or_default().to_vec());
            from = keys::behind_term(term.to_vec());
        }
        Ok(values)
    }
}
