//! Finding resources by their terms.

use fjall::{Iter, Readable};

use super::postings::{Postings, chunk_of};
use super::{View, ViewError, keys};
use crate::fhir::ResourceType;
use crate::fhir::terms::Term;
use crate::log::StreamAlias;

/// Several terms, of which one is enough; each as the beginning of its keys.
type Clause = Vec<Vec<u8>>;

impl View {
    /// Numbers above `after` of the resources of a type that have a term of every clause and lie
    /// in the given chart, ascending. Without clauses: none.
    pub fn matches<'a>(
        &'a self,
        kind: ResourceType,
        clauses: &[Vec<Term>],
        chart: Option<StreamAlias>,
        after: Option<u64>,
    ) -> impl Iterator<Item = Result<u64, ViewError>> + use<'a> {
        let mut clauses = wanted(kind, clauses, chart);
        let first = after.map_or(0, |after| after.saturating_add(1));
        let mut driver = match clauses.is_empty() {
            true => Union::default(),
            false => Union::of(self, &clauses.remove(0), chunk_of(first)),
        };
        let chunks = std::iter::from_fn(move || {
            let next = driver.next().transpose()?;
            Some(next.and_then(|(chunk, found)| Ok((chunk, self.narrow(&clauses, chunk, found)?))))
        });
        chunks
            .flat_map(|found| {
                let (numbers, error) = match found {
                    Ok((chunk, found)) => (Some(found.numbers(chunk)), None),
                    Err(error) => (None, Some(Err(error))),
                };
                numbers.into_iter().flatten().map(Ok).chain(error)
            })
            .filter(move |number| number.as_ref().map_or(true, |number| *number >= first))
    }

    /// Whether one resource has a term of every clause and lies in the given chart.
    ///
    /// # Errors
    ///
    /// The view store's.
    pub fn is_match(
        &self,
        kind: ResourceType,
        clauses: &[Vec<Term>],
        chart: Option<StreamAlias>,
        number: u64,
    ) -> Result<bool, ViewError> {
        let mut only = Postings::default();
        only.insert(number);
        Ok(!self.narrow(&wanted(kind, clauses, chart), chunk_of(number), only)?.is_empty())
    }

    /// The resources with a term, within one chunk of numbers.
    pub(super) fn postings(&self, term_in_chunk: &[u8]) -> Result<Postings, ViewError> {
        let bytes = self.snapshot.get(&self.spaces().terms, term_in_chunk)?;
        Ok(bytes.map(|bytes| Postings::decode(&bytes)).unwrap_or_default())
    }

    /// What of a chunk has a term of every clause.
    fn narrow(
        &self,
        clauses: &[Clause],
        chunk: u64,
        mut found: Postings,
    ) -> Result<Postings, ViewError> {
        for clause in clauses {
            let mut any = Postings::default();
            for prefix in clause {
                any = any.union(self.postings(&keys::with_chunk(prefix.clone(), chunk))?);
            }
            found = found.intersection(any);
            if found.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

fn wanted(kind: ResourceType, clauses: &[Vec<Term>], chart: Option<StreamAlias>) -> Vec<Clause> {
    let in_chart = chart.map(|alias| vec![keys::compartment(kind, alias)]);
    let clauses = clauses.iter().map(|any| any.iter().map(|term| keys::term(kind, term)).collect());
    in_chart.into_iter().chain(clauses).collect()
}

/// The chunks under any of several terms, ascending, each once.
#[derive(Default)]
struct Union {
    branches: Vec<Branch>,
}

/// The chunks under one term.
struct Branch {
    chunks: Iter,
    prefix: usize,
    waiting: Option<(u64, Postings)>,
}

impl Union {
    fn of(view: &View, prefixes: &[Vec<u8>], first: u64) -> Self {
        let branch = |prefix: &Vec<u8>| {
            let range = keys::with_chunk(prefix.clone(), first)
                ..=keys::with_chunk(prefix.clone(), keys::LAST_CHUNK);
            let chunks = view.snapshot.range(&view.spaces().terms, range);
            Branch { chunks, prefix: prefix.len(), waiting: None }
        };
        Self { branches: prefixes.iter().map(branch).collect() }
    }

    fn next(&mut self) -> Result<Option<(u64, Postings)>, ViewError> {
        let mut lowest: Option<u64> = None;
        for branch in &mut self.branches {
            if branch.waiting.is_none() {
                branch.waiting = branch.read()?;
            }
            if let Some((chunk, _)) = branch.waiting {
                lowest = Some(lowest.map_or(chunk, |lowest| lowest.min(chunk)));
            }
        }
        let Some(lowest) = lowest else { return Ok(None) };
        let mut found = Postings::default();
        for branch in &mut self.branches {
            if let Some((_, postings)) = branch.waiting.take_if(|(chunk, _)| *chunk == lowest) {
                found = found.union(postings);
            }
        }
        Ok(Some((lowest, found)))
    }
}

impl Branch {
    fn read(&mut self) -> Result<Option<(u64, Postings)>, ViewError> {
        let Some(entry) = self.chunks.next() else { return Ok(None) };
        let (key, value) = entry.into_inner()?;
        let chunk = keys::read_chunk(&key, self.prefix).ok_or(ViewError::Record("terms"))?;
        Ok(Some((chunk, Postings::decode(&value))))
    }
}
