//! Searching the current state by terms.

use super::{Resource, Store, StoreError};
use crate::auth::{Grant, Permission};
use crate::fhir::criteria::Criteria;
use crate::fhir::terms::Term;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::view::{Head, View};

/// A search within one type.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The type.
    pub kind: ResourceType,
    /// What must match.
    pub criteria: Criteria,
    /// Resource number behind which the page starts.
    pub after: Option<u64>,
    /// Most matches on the page.
    pub limit: usize,
}

/// One page of matches, in the order in which the resources were first recorded.
#[derive(Debug, Clone)]
pub struct Hits {
    /// The matches.
    pub resources: Vec<Resource>,
    /// `after` of the next page, if there may be one.
    pub next: Option<u64>,
}

impl Store {
    /// The current resources of a type that match.
    ///
    /// # Errors
    ///
    /// [`StoreError::Denied`].
    pub fn search(&self, grant: &Grant, request: &SearchRequest) -> Result<Hits, StoreError> {
        let view = self.views.view();
        let Ok(chart) = searched(&view, grant, request.kind)? else {
            return Ok(Hits { resources: Vec::new(), next: None });
        };
        let mut resources = Vec::new();
        let mut last = 0;
        for found in Matches::of(&view, request, chart) {
            let head = found?;
            if resources.len() == request.limit {
                return Ok(Hits { resources, next: Some(last) });
            }
            for place in &head.places {
                grant.saw_chart(place.alias());
            }
            last = head.number;
            resources.push(self.current_of(&view, &head)?);
        }
        Ok(Hits { resources, next: None })
    }

    /// How many current resources of a type match.
    ///
    /// # Errors
    ///
    /// [`StoreError::Denied`].
    pub fn count(&self, grant: &Grant, request: &SearchRequest) -> Result<usize, StoreError> {
        let view = self.views.view();
        let Ok(chart) = searched(&view, grant, request.kind)? else { return Ok(0) };
        let mut count = 0;
        for found in Matches::of(&view, request, chart) {
            found?;
            count += 1;
        }
        Ok(count)
    }
}

/// The resources that the criteria of a write find, two at most: enough to tell none, one and
/// several apart.
pub(super) fn find(
    view: &View,
    kind: ResourceType,
    criteria: &Criteria,
) -> Result<Vec<Head>, StoreError> {
    let request = SearchRequest { kind, criteria: criteria.clone(), after: None, limit: 2 };
    Matches::of(view, &request, None).take(2).collect()
}

/// The one chart in which the caller may search, or `None` for all.
fn searched(
    view: &View,
    grant: &Grant,
    kind: ResourceType,
) -> Result<Result<Option<StreamAlias>, NoChart>, StoreError> {
    let own = grant.reach(kind, Permission::Search)?;
    Ok(match own.map(|own| view.chart(own)).transpose()? {
        None => Ok(None),
        Some(Some(chart)) => Ok(Some(chart.alias())),
        Some(None) => Err(NoChart),
    })
}

/// The caller's own chart does not exist yet: nothing can match.
struct NoChart;

/// Walks the matches of a request.
struct Matches;

impl Matches {
    fn of<'a>(
        view: &'a View,
        request: &'a SearchRequest,
        chart: Option<StreamAlias>,
    ) -> Box<dyn Iterator<Item = Result<Head, StoreError>> + 'a> {
        let SearchRequest { kind, criteria, after, .. } = request;
        let fits = move |head: &Head| {
            let recorded_at = head.recorded_at.micros();
            head.live
                && criteria
                    .last_updated
                    .iter()
                    .all(|any| any.iter().any(|range| range.contains(recorded_at)))
        };
        if let Some(ids) = &criteria.ids {
            let found = by_ids(view, request, ids, chart);
            return Box::new(found.filter(move |one| one.as_ref().map_or(true, fits)));
        }
        let every = [vec![Term::every()]];
        let clauses =
            if criteria.clauses.is_empty() { &every } else { criteria.clauses.as_slice() };
        let numbers = view.matches(*kind, clauses, chart, *after);
        let heads =
            numbers.map(move |number| -> Result<_, StoreError> { Ok(view.head_of(number?)?) });
        let heads = heads.filter_map(Result::transpose);
        Box::new(heads.filter(move |one| one.as_ref().map_or(true, fits)))
    }
}

fn by_ids<'a>(
    view: &'a View,
    request: &'a SearchRequest,
    ids: &[ResourceId],
    chart: Option<StreamAlias>,
) -> impl Iterator<Item = Result<Head, StoreError>> + use<'a> {
    let SearchRequest { kind, criteria, after, .. } = request;
    let look = |id: &ResourceId| -> Result<Option<Head>, StoreError> {
        let key = ResourceKey::new(*kind, id.clone());
        let Some(head) = view.head(&key)? else { return Ok(None) };
        let is_match = after.is_none_or(|after| head.number > after)
            && view.is_match(*kind, &criteria.clauses, chart, head.number)?;
        Ok(is_match.then_some(head))
    };
    let mut found: Vec<_> = ids.iter().map(look).filter_map(Result::transpose).collect();
    found.sort_by_key(|one| one.as_ref().map_or(0, |head| head.number));
    found.dedup_by_key(|one| one.as_ref().map_or(u64::MAX, |head| head.number));
    found.into_iter()
}
