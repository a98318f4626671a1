//! Sets of resource numbers, from the index or from what was found before.

use std::sync::Arc;

use crate::fhir::search::{Condition, Criterion, Lookup, Plan, Probe, Term};
use crate::fhir::{ResourceId, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::ResourceNumber;
use crate::policies::{Outlook, Places, Standing};
use crate::records::reach::Reach;
use crate::view::{Members, Postings, TermNumbers, ValueNumbers, chunk_of};

use super::RecordsError;
use super::context::SearchContext;

/// A set of the numbers of one type's resources, read in ascending chunks.
pub(super) enum Set<'a> {
    /// Those that have one of some terms.
    Terms(TermNumbers<'a>),
    /// Those that have a value in a range.
    Values(ValueNumbers<'a>),
    /// These, sorted.
    Numbers(Vec<ResourceNumber>),
    /// Those in the charts that a caller has to do with.
    Places(Arc<Places>),
    /// What is in any of several.
    Union(Vec<Set<'a>>),
    /// What is in a set, none of it for sure.
    Unsure(Box<Set<'a>>),
    /// All of the type but those of a set.
    Without {
        /// All of the type.
        every: TermNumbers<'a>,
        /// Those that are left out.
        set: Box<Set<'a>>,
    },
}

/// Most candidates of a chunk that are opened rather than reading a block of values for them.
const OPENED_RATHER_MAX: usize = 8;

impl<'a> Set<'a> {
    /// The sets whose intersection holds all resources that meet a condition.
    pub fn of_condition(
        context: &'a SearchContext<'_>,
        kind: ResourceType,
        condition: &'a Condition,
    ) -> Result<Vec<Self>, RecordsError> {
        let Plan { all_of, complement, .. } = condition.plan();
        let mut sets = Vec::with_capacity(all_of.len());
        for probe in all_of {
            sets.push(Self::of_probe(context, kind, condition, probe)?);
        }
        if complement && let Some(set) = sets.pop() {
            let (every, set) = (Self::every_term(context, kind), Box::new(set));
            return Ok(vec![Self::Without { every, set }]);
        }
        Ok(sets)
    }

    /// A set that holds all that is within reach, and perhaps more; none if everything may be, or the index does not know.
    pub fn of_reach(
        context: &'a SearchContext<'_>,
        kind: ResourceType,
        reach: &Reach<'a>,
    ) -> Result<Option<Self>, RecordsError> {
        let Some(any_of) = &reach.granted else { return Ok(None) };
        let mut union = Vec::with_capacity(any_of.len());
        for (chart, criteria) in any_of {
            let mut conditions = criteria.iter().filter_map(|one| match one {
                Criterion::Condition(condition) => Some(condition),
                _ => None,
            });
            let set = match (chart, conditions.next()) {
                (Some(chart), _) => {
                    Some(Self::Terms(TermNumbers::in_chart(context.view, kind, *chart)))
                }
                // One of the sets whose intersection it would be.
                (None, Some(condition)) => Self::of_condition(context, kind, condition)?.pop(),
                (None, None) => None,
            };
            let Some(set) = set else { return Ok(None) };
            union.push(set);
        }
        Ok(match union.len() {
            1 => union.pop(),
            _ => Some(Self::Union(union)),
        })
    }

    /// A set that holds all that the rules may permit, where they permit nothing in the charts of strangers.
    pub fn of_rules(
        context: &'a SearchContext<'_>,
        kind: ResourceType,
        reach: &Reach<'a>,
    ) -> Result<Option<Self>, RecordsError> {
        let Some(inquiry) = reach.rules else { return Ok(None) };
        let stranger = Standing::default();
        if inquiry.outlook(stranger) != Outlook::Never {
            return Ok(None);
        }
        let asking = inquiry.asking();
        let Some(places) = context.ground().related(asking, kind)? else { return Ok(None) };
        let mut others = asking.broken().to_vec();
        if inquiry.outlook(Standing { directory: true, ..stranger }) != Outlook::Never {
            others.push(StreamAlias::NONE);
        }
        let others = Self::Terms(TermNumbers::in_charts(context.view, kind, &others));
        Ok(Some(Self::Union(vec![Self::Places(places), others])))
    }

    /// All current resources of a type.
    pub fn every(context: &'a SearchContext<'_>, kind: ResourceType) -> Self {
        Self::Terms(Self::every_term(context, kind))
    }

    /// All current resources of a type but those with some ids.
    pub fn without(
        context: &'a SearchContext<'_>,
        kind: ResourceType,
        ids: &[ResourceId],
    ) -> Result<Self, RecordsError> {
        let set = Box::new(Self::Numbers(context.numbers_of(kind, ids)?));
        Ok(Self::Without { every: Self::every_term(context, kind), set })
    }

    fn every_term(context: &'a SearchContext<'_>, kind: ResourceType) -> TermNumbers<'a> {
        let Term { parameter, value } = Term::every();
        TermNumbers::of(context.view, kind, parameter, &[value])
    }

    fn of_probe(
        context: &'a SearchContext<'_>,
        kind: ResourceType,
        condition: &'a Condition,
        probe: Probe,
    ) -> Result<Self, RecordsError> {
        let Probe { parameter, any_of } = probe;
        let (mut values, mut ranges) = (Vec::new(), Vec::new());
        for lookup in any_of {
            match lookup {
                Lookup::Exact(value) => values.push(value),
                Lookup::Prefix(beginning) => {
                    values.extend(context.view.values_beginning(
                        kind,
                        parameter,
                        &beginning,
                        &context.records,
                    )?);
                }
                Lookup::Range { from, to } => ranges.push((from, to)),
            }
        }
        let terms = TermNumbers::of(context.view, kind, parameter, &values);
        if ranges.is_empty() {
            return Ok(Self::Terms(terms));
        }
        let accept = |term: &Term| condition.accepts(term);
        let in_range =
            ValueNumbers::of(context.view, kind, parameter, ranges, accept, &context.records)?;
        let in_range = Self::Values(in_range);
        Ok(match values.is_empty() {
            true => in_range,
            false => Self::Union(vec![Self::Terms(terms), in_range]),
        })
    }

    /// Whether it is better asked about candidates than for them.
    pub fn is_wide(&self) -> bool {
        match self {
            Self::Values(values) => !values.is_sparse(),
            Self::Without { .. } => true,
            Self::Terms(_) | Self::Numbers(_) | Self::Places(_) => false,
            Self::Union(sets) => sets.iter().any(Self::is_wide),
            Self::Unsure(set) => set.is_wide(),
        }
    }

    /// The first chunk from `from` on that may have members.
    pub fn seek(&mut self, from: u64) -> Result<Option<u64>, RecordsError> {
        Ok(match self {
            Self::Terms(terms) => terms.seek(from)?,
            Self::Values(values) => values.seek(from)?,
            Self::Places(places) => {
                let next = places.chunks.partition_point(|(chunk, _)| *chunk < from);
                places.chunks.get(next).map(|(chunk, _)| *chunk)
            }
            Self::Numbers(numbers) => {
                let next = numbers.partition_point(|number| chunk_of(*number) < from);
                numbers.get(next).map(|number| chunk_of(*number))
            }
            Self::Union(sets) => {
                let mut lowest: Option<u64> = None;
                for set in sets {
                    if let Some(chunk) = set.seek(from)? {
                        lowest = Some(lowest.map_or(chunk, |lowest| lowest.min(chunk)));
                    }
                }
                lowest
            }
            Self::Unsure(set) => set.seek(from)?,
            Self::Without { every, .. } => every.seek(from)?,
        })
    }

    /// The members in a chunk.
    pub fn members(&mut self, chunk: u64) -> Result<Members, RecordsError> {
        Ok(match self {
            Self::Terms(terms) => Members::sure(terms.members(chunk)?),
            Self::Values(values) => values.members(chunk)?,
            Self::Places(places) => {
                let found = places.chunks.binary_search_by_key(&chunk, |(chunk, _)| *chunk);
                let found = found.ok().and_then(|at| places.chunks.get(at));
                Members::sure(found.map(|(_, postings)| *postings).unwrap_or_default())
            }
            Self::Numbers(numbers) => {
                let first = numbers.partition_point(|number| chunk_of(*number) < chunk);
                let mut found = Postings::default();
                let here = numbers.iter().skip(first);
                here.take_while(|number| chunk_of(**number) == chunk)
                    .for_each(|number| found.insert(*number));
                Members::sure(found)
            }
            Self::Union(sets) => {
                let mut found = Members::default();
                for set in sets {
                    found = found.union(set.members(chunk)?);
                }
                found
            }
            Self::Unsure(set) => {
                Members { all: set.members(chunk)?.all, sure: Postings::default() }
            }
            Self::Without { every, set } => {
                let all = every.members(chunk)?;
                let out = set.members(chunk)?;
                Members { all: all.without(out.sure), sure: all.without(out.all) }
            }
        })
    }

    /// What of some candidates of a chunk is in the set. Of few candidates all, none of them for
    /// sure, when opening them is cheaper than asking the index.
    pub fn narrow(&mut self, chunk: u64, candidates: Postings) -> Result<Members, RecordsError> {
        if let Self::Values(values) = self
            && !values.is_sparse()
            && candidates.count() <= OPENED_RATHER_MAX
            && !values.has_read(chunk)
        {
            return Ok(Members { all: candidates, sure: Postings::default() });
        }
        let found = self.members(chunk)?;
        let all = candidates.intersection(found.all);
        Ok(Members { all, sure: all.intersection(found.sure) })
    }
}
