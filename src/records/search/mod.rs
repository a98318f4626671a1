//! Searching: FHIR R4 §3.1.1 over the index, over any past state, and over what other resources
//! refer to.
//!
//! In: a [`SearchRequest`] with parsed queries. Out: a [`Page`]. A page is of one moment, the position
//! behind the last event that counts; the pages that follow it keep that moment, so that walking all
//! of them gives each match of that moment once, whatever is written meanwhile. What a page needs to
//! know of the one before stands in its [`PageStart`], which the caller keeps.
//!
//! | file | what it does |
//! |---|---|
//! | `context` | the moment, the rights, and how much one request may look at |
//! | `set` | sets of resource numbers from the index |
//! | `candidates` | the intersection of sets, and what has changed since the moment |
//! | `evaluate` | criteria evaluated on a resource, chains |
//! | `resolve` | lists and value sets that a query names |
//! | `order` | sorted results |
//! | `include` | resources that go with the matches |
//! | `past` | the chart as it was |
//! | `warning` | what the caller should know of a page |
//! | `support` | what goes with a chart |
//! | `through` | the charts that it was about, although nothing of them left |

mod candidates;
mod context;
mod evaluate;
mod include;
mod order;
mod past;
mod resolve;
mod set;
mod support;
mod through;
mod warning;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::resource::PAGE_BYTES_MAX;
use super::{Records, RecordsError, Resource};
use crate::auth::{Grant, Permission};
use crate::budget::Budget;
use crate::clock::Instant;
use crate::engine::{EngineError, Keys, Settled};
use crate::fhir::search::{Criteria, Parameters, Query};
use crate::fhir::{ResourceId, ResourceKey, ResourceType, definitions};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::numbers::{Position, ResourceNumber};
use crate::view::{Head, View, ViewError};
use candidates::{Found, Matches};
pub(super) use context::Limits;
use context::{Held, Opened, SearchContext};
use order::Rank;
pub(super) use support::Support;
pub use support::is_supporting;
use through::Through;

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The types, and the query on each.
    pub queries: Vec<(ResourceType, Query)>,
    /// Only in this patient's chart.
    pub within: Option<ResourceId>,
    /// As it was at that moment; only within one chart.
    pub as_of: Option<Settled>,
    /// Where the page before ended.
    pub start: Option<PageStart>,
    /// Most matches on the page.
    pub limit: usize,
    /// Whether all matches are to be counted.
    pub with_total: bool,
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageStart {
    /// The moment of all pages: the position behind the last event that counts.
    end: Position,
    /// The last match of the page before.
    after: After,
    /// How many matches there are, if they were counted.
    total: Option<u64>,
}

/// The last match of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum After {
    /// In the order of types and resource numbers.
    Number { query: usize, number: ResourceNumber },
    /// In the order that was asked for.
    Rank(Rank),
}

/// One page of a search.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The matches.
    pub matches: Vec<Resource>,
    /// What goes with them.
    pub included: Vec<Resource>,
    /// What the caller should know of it.
    pub warnings: Vec<String>,
    /// How many matches there are on all pages, if that is known.
    pub total: Option<u64>,
    /// The next page, if there is one.
    pub next: Option<PageStart>,
}

/// How many events of the log can be looked through in place of opening one resource, with much to
/// spare.
const EVENTS_PER_RESOURCE: u64 = 4;

/// The candidates of each query when they do not come from the index.
type Candidates = HashMap<ResourceType, BTreeSet<ResourceNumber>>;

impl Records {
    /// One page of the resources that match.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`]; [`RecordsError::Invalid`] when the request cannot be answered as it is;
    /// [`EngineError::View`] when answering would take too much.
    pub fn search(&self, grant: &Grant, request: &SearchRequest) -> Result<Page, RecordsError> {
        self.search_within(grant, request, Limits::whole(grant.budget()))
    }

    /// The same if it takes no longer than a few reads: for threads that serve small requests. `None`:
    /// it takes longer.
    ///
    /// # Errors
    ///
    /// As [`Records::search`].
    pub fn search_briefly(
        &self,
        grant: &Grant,
        request: &SearchRequest,
    ) -> Result<Option<Page>, RecordsError> {
        match self.search_within(grant, request, Limits::brief(grant.budget())) {
            Err(RecordsError::Engine(EngineError::View(ViewError::Costly))) => Ok(None),
            answer => answer.map(Some),
        }
    }

    fn search_within(
        &self,
        grant: &Grant,
        request: &SearchRequest,
        limits: Limits<'_>,
    ) -> Result<Page, RecordsError> {
        let view = self.views.view();
        let parameters = view.parameters();
        let end = self.end_of(&view, request)?;
        let context = SearchContext::new(
            &self.keys,
            &view,
            Some(grant),
            parameters,
            self.base_url(),
            end,
            limits,
        );
        let resolved = resolve::request(&context, request)?;
        let request = resolved.as_ref().unwrap_or(request);
        let search = Search::new(&context, grant, request)?;
        let mut page = match request.queries.iter().any(|(_, query)| !query.sort.is_empty()) {
            true => search.sorted_page()?,
            false => search.page()?,
        };
        let known = request.start.as_ref().and_then(|start| start.total);
        page.total = match (known, page.total, request.with_total) {
            (Some(total), ..) | (None, Some(total), _) => Some(total),
            (None, None, true) => Some(search.count()?),
            (None, None, false) => None,
        };
        if let Some(next) = &mut page.next {
            next.total = page.total.filter(|_| request.with_total);
        }
        page.included = search.included(&page.matches)?;
        page.warnings = search.warnings(&page.matches)?;
        Ok(page)
    }

    /// How many current resources match.
    ///
    /// # Errors
    ///
    /// As [`Records::search`].
    pub fn count(&self, grant: &Grant, request: &SearchRequest) -> Result<u64, RecordsError> {
        let view = self.views.view();
        let end = self.end_of(&view, request)?;
        let context = SearchContext::new(
            &self.keys,
            &view,
            Some(grant),
            view.parameters(),
            self.base_url(),
            end,
            Limits::whole(grant.budget()),
        );
        let resolved = resolve::request(&context, request)?;
        Search::new(&context, grant, resolved.as_ref().unwrap_or(request))?.count()
    }

    /// The types that the caller may search, of those in a compartment if one is named.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`]: none.
    pub fn searchable(
        &self,
        grant: &Grant,
        compartment: Option<&ResourceKey>,
    ) -> Result<Vec<ResourceType>, RecordsError> {
        let is_member = |kind: &ResourceType| {
            let Some(owner) = compartment else { return true };
            let names = definitions::compartment(owner.kind, *kind).unwrap_or_default();
            *kind == owner.kind || !names.is_empty()
        };
        // None is stored.
        let is_stored = |kind: &ResourceType| *kind != ResourceType::AUDIT_EVENT;
        let may = |kind: &ResourceType| grant.rights(*kind, Permission::Search).is_ok();
        let kinds: Vec<_> =
            ResourceType::all().filter(is_stored).filter(is_member).filter(may).collect();
        match kinds.is_empty() {
            true => Err(grant.denied(Permission::Search, "any resource type").into()),
            false => Ok(kinds),
        }
    }

    /// The position behind the last event that counts.
    fn end_of(&self, view: &View, request: &SearchRequest) -> Result<Position, RecordsError> {
        match (&request.start, request.as_of) {
            (Some(start), _) => Ok(start.end),
            (None, None) => Ok(view.applied_events()?),
            (None, Some(moment)) => {
                let behind = Instant::from_micros(moment.moment().micros().saturating_add(1));
                Ok(view.position_at(behind)?)
            }
        }
    }
}

/// What the criteria of a write find.
#[derive(Debug)]
pub(super) struct FoundByCriteria {
    /// The resources, as many as were asked for.
    pub heads: Vec<Head>,
    /// The criteria, with lists and value sets resolved.
    pub resolved: Criteria,
    /// The position behind the last event that was seen.
    pub end: Position,
}

/// The resources that the criteria of a write find for its caller, so many at most: two are enough
/// to tell none, one and several apart.
pub(super) fn find(
    records: &Records,
    view: &View,
    grant: &Grant,
    criteria: &Criteria,
    most: usize,
    limits: Limits<'_>,
) -> Result<FoundByCriteria, RecordsError> {
    let end = view.applied_events()?;
    let (parameters, base_url) = (view.parameters(), records.base_url());
    let context =
        SearchContext::new(&records.keys, view, Some(grant), parameters, base_url, end, limits);
    let resolved = resolve::criteria(&context, criteria)?;
    let walk = Matches::new(&context, resolved.kind, &resolved.all, None, None)?;
    let mut heads = Vec::new();
    for found in walk.take(most) {
        heads.extend(view.head_of(found?.held().number)?);
    }
    Ok(FoundByCriteria { heads, resolved, end })
}

/// All current resources of a type that meet criteria of the standard, whoever asks; none if they
/// cannot be understood.
pub(super) fn every(
    keys: &Keys,
    view: &View,
    kind: ResourceType,
    criteria: &[(String, String)],
) -> Result<Vec<Document>, RecordsError> {
    let Ok(query) = Query::parse(&Parameters::standard(), kind, criteria, None) else {
        return Ok(Vec::new());
    };
    let end = view.applied_events()?;
    let budget = Budget::default();
    let limits = Limits::whole(&budget);
    let context = SearchContext::new(keys, view, None, view.parameters(), None, end, limits);
    let mut documents = Vec::new();
    for found in Matches::new(&context, kind, &query.criteria, None, None)? {
        documents.extend(found?.open(&context)?.map(|opened| opened.document));
    }
    Ok(documents)
}

/// A search that is being answered.
struct Search<'a> {
    context: &'a SearchContext<'a>,
    grant: &'a Grant,
    request: &'a SearchRequest,
    chart: Option<StreamAlias>,
    /// The candidates, if the chart is looked at as it was.
    past: Option<Candidates>,
    /// The chart that all matches lie in does not exist.
    is_nowhere: bool,
}

impl<'a> Search<'a> {
    fn new(
        context: &'a SearchContext<'a>,
        grant: &'a Grant,
        request: &'a SearchRequest,
    ) -> Result<Self, RecordsError> {
        for (kind, _) in &request.queries {
            context.reach(*kind)?;
        }
        let (mut chart, mut past, mut is_nowhere) = (None, None, false);
        let within = match request.as_of {
            Some(_) => Some(past::patient_of(grant, request)?),
            None => request.within.clone(),
        };
        if let Some(patient) = &within {
            match context.view.chart(patient)? {
                Some(record) => {
                    grant.saw_chart(record.alias());
                    chart = Some(record.alias());
                    if let Some(moment) = request.as_of {
                        let held = past::candidates(context.view, &record, moment.moment())?;
                        let count: usize = held.values().map(BTreeSet::len).sum();
                        let since =
                            context.view.applied_events()?.get().saturating_sub(context.end.get());
                        // What has changed since then is soon told, if it is not much more than what
                        // the chart held: then the index knows the rest.
                        past = (since > EVENTS_PER_RESOURCE * count as u64).then_some(held);
                    }
                }
                None => is_nowhere = true,
            }
        }
        Ok(Self { context, grant, request, chart, past, is_nowhere })
    }

    fn walk(
        &self,
        query: usize,
        after: Option<ResourceNumber>,
    ) -> Result<Option<Matches<'_>>, RecordsError> {
        let Some((kind, query)) = self.request.queries.get(query) else { return Ok(None) };
        if self.is_nowhere {
            return Ok(None);
        }
        let walk = match &self.past {
            None => Matches::new(self.context, *kind, &query.criteria, self.chart, after)?,
            Some(past) => match past.get(kind) {
                Some(numbers) => {
                    Matches::among(self.context, *kind, &query.criteria, numbers, after)?
                }
                None => return Ok(None),
            },
        };
        Ok(Some(walk))
    }

    /// All matches of all queries behind a place, with the query they are of.
    fn matches(
        &self,
        query: usize,
        after: Option<ResourceNumber>,
    ) -> impl Iterator<Item = Result<(usize, Found), RecordsError>> {
        let queries = query..self.request.queries.len();
        queries.flat_map(move |at| {
            let walk = self.walk(at, after.filter(|_| at == query)).transpose();
            let (walk, error) = match walk {
                Some(Ok(walk)) => (Some(walk), None),
                Some(Err(error)) => (None, Some(Err(error))),
                None => (None, None),
            };
            let found = walk.into_iter().flatten().map(move |found| Ok((at, found?)));
            found.chain(error)
        })
    }

    /// A page in the order of resource numbers.
    fn page(&self) -> Result<Page, RecordsError> {
        let (query, after) = match self.request.start.as_ref().map(|start| &start.after) {
            Some(After::Number { query, number }) => (*query, Some(*number)),
            _ => (0, None),
        };
        let mut page = Page::default();
        let (mut last, mut bytes) = (None, 0);
        for found in self.matches(query, after) {
            let (query, found) = found?;
            if page.matches.len() == self.request.limit || bytes >= PAGE_BYTES_MAX {
                page.next = last.map(|after| self.start(after));
                return Ok(page);
            }
            let number = found.held().number;
            if let Some(resource) = self.shown(found)? {
                last = Some(After::Number { query, number });
                bytes += resource.body.len();
                page.matches.push(resource);
            }
        }
        page.total = self.request.start.is_none().then_some(page.matches.len() as u64);
        Ok(page)
    }

    fn start(&self, after: After) -> PageStart {
        PageStart { end: self.context.end, after, total: None }
    }

    /// A match on its way out; `None` if it was erased meanwhile.
    fn shown(&self, found: Found) -> Result<Option<Resource>, RecordsError> {
        match found {
            Found::Opened(opened) => Ok(Some(self.show(&opened))),
            Found::Held(held) => {
                let resource = self.context.resource(&held)?;
                if resource.is_some() {
                    self.saw(&held);
                }
                Ok(resource)
            }
        }
    }

    fn show(&self, opened: &Opened) -> Resource {
        self.saw(&opened.held);
        opened.resource()
    }

    fn saw(&self, held: &Held) {
        held.charts.iter().for_each(|chart| self.grant.saw_chart(*chart));
    }

    fn count(&self) -> Result<u64, RecordsError> {
        let (mut count, mut through) = (0, Through::default());
        for found in self.matches(0, None) {
            through.add(found?.1.held());
            count += 1;
        }
        through.note(Some(self.grant));
        Ok(count)
    }
}
