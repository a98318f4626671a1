//! Walking the matches of some criteria on one type, in the order of resource numbers.
//!
//! The index gives candidates: the intersection of the sets behind the criteria, chunk by chunk. What
//! it cannot tell is evaluated on the resource itself. What has changed since the moment that counts is
//! left out of the candidates and asked itself, as it was then.

use std::collections::{BTreeSet, VecDeque};

use super::RecordsError;
use super::context::{Held, Opened, SearchContext};
use super::set::Set;
use crate::fhir::ResourceType;
use crate::fhir::search::Criterion;
use crate::log::StreamAlias;
use crate::numbers::ResourceNumber;
use crate::records::reach::Reach;
use crate::view::{CHUNK_BITS, Postings, TermNumbers, chunk_of};

/// A match: the version that counts, opened if it had to be looked into.
pub(super) enum Found {
    /// Only the index was asked.
    Held(Held),
    /// It was opened.
    Opened(Box<Opened>),
}

impl Found {
    pub fn held(&self) -> &Held {
        match self {
            Self::Held(held) => held,
            Self::Opened(opened) => &opened.held,
        }
    }

    /// The match with its content; `None` if that was erased meanwhile.
    pub fn open(self, context: &SearchContext<'_>) -> Result<Option<Opened>, RecordsError> {
        match self {
            Self::Held(held) => context.open(held),
            Self::Opened(opened) => Ok(Some(*opened)),
        }
    }
}

/// One criterion, as far as the index knows it.
struct Clause<'a> {
    criterion: &'a Criterion,
    sets: Vec<Set<'a>>,
    /// Whether the sets hold nothing but matches.
    is_sure: bool,
}

/// A candidate, with the clauses that must still be asked about it.
struct Candidate {
    number: ResourceNumber,
    /// All of them, for what has changed.
    has_changed: bool,
    unsure: Vec<usize>,
}

/// Walks the matches.
pub(super) struct Matches<'a> {
    context: &'a SearchContext<'a>,
    kind: ResourceType,
    /// What the caller reaches.
    reach: Reach<'a>,
    /// The chart that a match must lie in.
    chart: Option<StreamAlias>,
    criteria: &'a [Criterion],
    /// Sets that hold all matches, whatever the criteria.
    base: Vec<Set<'a>>,
    clauses: Vec<Clause<'a>>,
    /// What the index does not show as it was.
    changed: Option<&'a BTreeSet<ResourceNumber>>,
    /// The next chunk to look at; `None`: there is nothing more.
    next_chunk: Option<u64>,
    first: ResourceNumber,
    waiting: VecDeque<Candidate>,
}

impl<'a> Matches<'a> {
    /// Over the resources of a type that meet the criteria, with numbers above `after`; of one chart
    /// if it is given.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`] before anything is looked up.
    pub fn new(
        context: &'a SearchContext<'a>,
        kind: ResourceType,
        criteria: &'a [Criterion],
        chart: Option<StreamAlias>,
        after: Option<ResourceNumber>,
    ) -> Result<Self, RecordsError> {
        let mut walk = Self::empty(context, kind, criteria, chart, after)?;
        if walk.next_chunk.is_none() {
            return Ok(walk);
        }
        walk.changed = context.changed(kind)?;
        for criterion in criteria {
            let clause = walk.clause(criterion)?;
            walk.clauses.push(clause);
        }
        if let Some(chart) = walk.chart {
            walk.base.push(Set::Terms(TermNumbers::in_chart(context.view, kind, chart)));
        }
        walk.base.extend(Set::of_reach(context, kind, &walk.reach)?);
        walk.base.extend(Set::of_rules(context, kind, &walk.reach)?);
        if walk.base.is_empty() && walk.clauses.iter().all(|clause| clause.sets.is_empty()) {
            walk.base.push(Set::every(context, kind));
        }
        Ok(walk)
    }

    /// Over those of some resources of a type, whatever the index says of them now.
    ///
    /// # Errors
    ///
    /// As [`Matches::new`].
    pub fn among(
        context: &'a SearchContext<'a>,
        kind: ResourceType,
        criteria: &'a [Criterion],
        numbers: &'a BTreeSet<ResourceNumber>,
        after: Option<ResourceNumber>,
    ) -> Result<Self, RecordsError> {
        let mut walk = Self::empty(context, kind, criteria, None, after)?;
        walk.changed = Some(numbers);
        walk.base.push(Set::Numbers(Vec::new()));
        Ok(walk)
    }

    fn empty(
        context: &'a SearchContext<'a>,
        kind: ResourceType,
        criteria: &'a [Criterion],
        chart: Option<StreamAlias>,
        after: Option<ResourceNumber>,
    ) -> Result<Self, RecordsError> {
        let reach = context.reach(kind)?;
        let first = after.map(ResourceNumber::next).unwrap_or_default();
        let is_nothing = reach.is_nothing();
        Ok(Self {
            context,
            kind,
            reach,
            chart,
            criteria,
            base: Vec::new(),
            clauses: Vec::new(),
            changed: None,
            next_chunk: (!is_nothing).then_some(chunk_of(first)),
            first,
            waiting: VecDeque::new(),
        })
    }

    fn clause(&self, criterion: &'a Criterion) -> Result<Clause<'a>, RecordsError> {
        let (context, kind) = (self.context, self.kind);
        let (sets, is_sure) = match criterion {
            Criterion::Condition(condition) => {
                (Set::of_condition(context, kind, condition)?, !condition.plan().needs_check)
            }
            Criterion::Ids(ids) => (vec![Set::Numbers(context.numbers_of(kind, ids)?)], true),
            Criterion::OtherIds(ids) => (vec![Set::without(context, kind, ids)?], true),
            Criterion::Chain(chain) => (Vec::from_iter(context.chain_set(kind, chain)?), true),
            Criterion::Has(has) => (Vec::from_iter(context.has_set(kind, has)?), true),
            Criterion::AnyOf(alternatives) => context.any_of(kind, alternatives)?,
            Criterion::LastUpdated(_)
            | Criterion::List(_)
            | Criterion::InHierarchy { .. }
            | Criterion::InValueSet { .. } => (Vec::new(), false),
        };
        let is_sure = is_sure && !sets.is_empty();
        Ok(Clause { criterion, sets, is_sure })
    }

    /// The sets that candidates come from, and those that are asked about them.
    fn fill(&mut self) -> Result<(), RecordsError> {
        while let Some(from) = self.next_chunk
            && self.waiting.is_empty()
        {
            let found = self.seek(from)?;
            let next_changed = self.changed.and_then(|changed| {
                let number =
                    changed.range(self.first.max(ResourceNumber::new(from << CHUNK_BITS))..).next();
                number.map(|number| chunk_of(*number))
            });
            let chunk = match (found, next_changed) {
                (Some(found), Some(changed)) => found.min(changed),
                (Some(chunk), None) | (None, Some(chunk)) => chunk,
                (None, None) => {
                    self.next_chunk = None;
                    return Ok(());
                }
            };
            let last = chunk_of(self.context.behind()?);
            self.next_chunk = chunk.checked_add(1).filter(|next| *next <= last);
            if chunk <= last {
                self.take_chunk(chunk, found == Some(chunk))?;
            }
        }
        Ok(())
    }

    /// The first chunk from `from` on that all narrow sets share.
    fn seek(&mut self, from: u64) -> Result<Option<u64>, RecordsError> {
        let sets = || self.base.iter().chain(self.clauses.iter().flat_map(|clause| &clause.sets));
        let has_narrow = sets().any(|set| !set.is_wide());
        let mut chunk = from;
        loop {
            let before = chunk;
            let of_clauses = self.clauses.iter_mut().flat_map(|clause| &mut clause.sets);
            let sets = self.base.iter_mut().chain(of_clauses);
            for set in sets.filter(|set| !has_narrow || !set.is_wide()) {
                self.context.records.take(1)?;
                match set.seek(chunk)? {
                    None => return Ok(None),
                    Some(next) => chunk = next,
                }
            }
            if chunk == before {
                return Ok(Some(chunk));
            }
        }
    }

    fn take_chunk(&mut self, chunk: u64, has_candidates: bool) -> Result<(), RecordsError> {
        let mut all: Option<Postings> = None;
        let mut sure = Vec::with_capacity(self.clauses.len());
        for wide in [false, true] {
            let of_base = self.base.iter_mut().map(|set| (None, set));
            let of_clauses = self.clauses.iter_mut().enumerate();
            let of_clauses = of_clauses
                .flat_map(|(at, clause)| clause.sets.iter_mut().map(move |set| (Some(at), set)));
            let sets = of_base.chain(of_clauses).filter(|(_, set)| set.is_wide() == wide);
            for (at, set) in sets.filter(|_| has_candidates) {
                let members = match all {
                    None => set.members(chunk)?,
                    Some(all) if all.is_empty() => break,
                    Some(all) => set.narrow(chunk, all)?,
                };
                all = Some(members.all);
                sure.extend(at.map(|at| (at, members.sure)));
            }
        }
        let changed = self.changed;
        let has_changed =
            |number: &ResourceNumber| changed.is_some_and(|changed| changed.contains(number));
        let unsure = |number: ResourceNumber| -> Vec<usize> {
            let told = |at: usize| {
                let mut of_clause = sure.iter().filter(|(clause, _)| *clause == at);
                of_clause.all(|(_, sure)| sure.contains(number))
            };
            let asked = self.clauses.iter().enumerate();
            asked.filter(|(at, clause)| !clause.is_sure || !told(*at)).map(|(at, _)| at).collect()
        };
        let (first, end) = (self.first, self.context.behind()?);
        let counts = |number: &ResourceNumber| *number >= first && *number < end;
        let numbers = all.unwrap_or_default().numbers(chunk);
        let mut candidates: Vec<Candidate> = numbers
            .filter(|number| counts(number) && !has_changed(number))
            .map(|number| Candidate { number, has_changed: false, unsure: unsure(number) })
            .collect();
        let start = ResourceNumber::new(chunk << CHUNK_BITS);
        let past = changed.into_iter().flat_map(|changed| changed.range(start..));
        let past =
            past.take_while(|number| chunk_of(**number) == chunk).filter(|number| counts(number));
        candidates.extend(past.map(|number| Candidate {
            number: *number,
            has_changed: true,
            unsure: Vec::new(),
        }));
        candidates.sort_unstable_by_key(|candidate| candidate.number);
        self.waiting.extend(candidates);
        Ok(())
    }

    fn decide(&self, candidate: &Candidate) -> Result<Option<Found>, RecordsError> {
        let Some(held) = self.context.held(candidate.number)? else { return Ok(None) };
        if self.chart.is_some_and(|chart| !held.charts.contains(&chart)) {
            return Ok(None);
        }
        let unsure: Vec<&Criterion> = match candidate.has_changed {
            true => self.criteria.iter().collect(),
            false => {
                let clauses = candidate.unsure.iter().filter_map(|at| self.clauses.get(*at));
                clauses.map(|clause| clause.criterion).collect()
            }
        };
        match self.context.matches_all(Found::Held(held), &unsure)? {
            Some(found) => self.context.admitted(self.kind, &self.reach, found),
            None => Ok(None),
        }
    }
}

impl Iterator for Matches<'_> {
    type Item = Result<Found, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.waiting.is_empty()
                && let Err(error) = self.fill()
            {
                self.next_chunk = None;
                return Some(Err(error));
            }
            let candidate = self.waiting.pop_front()?;
            match self.decide(&candidate) {
                Ok(None) => {}
                Ok(Some(found)) => return Some(Ok(found)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
