//! Which entries are wanted.

use std::collections::HashSet;
use std::ops::Range;

use super::Sort;
use super::commits;
use super::frames::{Candidates, Frames};
use crate::access::{AccessEntry, Action, Look, Outcome, action_of};
use crate::auth::{Grant, Permission};
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position};
use crate::records::{Records, RecordsError};
use crate::view::{AccessTerm, ChartRecord, Trace, View};

/// Which entries are wanted: those that meet all of what is said.
#[derive(Debug, Clone, Default)]
pub struct AccessFilter {
    /// About that patient's chart.
    pub patient: Option<ResourceId>,
    /// Of this subject, or of one who acts on its behalf.
    pub subject: Option<String>,
    /// Of this client application.
    pub client: Option<String>,
    /// Of a subject of this organisation.
    pub organization: Option<String>,
    /// With this purpose of use.
    pub purpose: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Of this kind of action.
    pub action: Option<Action>,
    /// Of this operation.
    pub operation: Option<String>,
    /// Of the request with this id, of the server or of the client.
    pub request: Option<String>,
    /// With the glass broken, or not.
    pub break_glass: Option<bool>,
    /// That showed this resource, or were about it.
    pub resource: Option<ResourceKey>,
    /// Not before this moment.
    pub since: Option<Instant>,
    /// Before this moment.
    pub until: Option<Instant>,
}

/// A filter with its names looked up.
pub(super) struct Wanted<'a> {
    pub(super) filter: &'a AccessFilter,
    chart: Option<ChartRecord>,
    /// Of the resource: all its versions, and its number.
    versions: Option<HashSet<EventId>>,
    /// The chart that the resource has always been in.
    within: Option<StreamAlias>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(
        records: &Records,
        view: &View,
        grant: &Grant,
        filter: &'a AccessFilter,
    ) -> Result<Self, RecordsError> {
        let chart = match &filter.patient {
            Some(patient) => Some(audited_chart(records, view, grant, patient)?),
            None => {
                allow_all(grant)?;
                None
            }
        };
        let (mut versions, mut within) = (None, None);
        if let Some(key) = &filter.resource {
            let missing = || RecordsError::NotFound(key.to_string());
            let head = view.head(key)?.ok_or_else(missing)?;
            let mut events = HashSet::from([head.id, head.event()]);
            let mut charts: HashSet<_> = head.places.iter().map(|place| place.alias()).collect();
            for past in view.versions(&head, head.version) {
                let (_, past) = past?;
                events.insert(past.event());
                charts.extend(past.aliases());
            }
            within = charts.iter().next().copied().filter(|_| charts.len() == 1);
            charts.into_iter().for_each(|alias| grant.saw_chart(alias));
            versions = Some(events);
        }
        Ok(Self { filter, chart, versions, within })
    }

    /// What the index finds the entries by, that which is rarest first.
    pub(super) fn terms(&self) -> Vec<AccessTerm<'a>> {
        let filter = self.filter;
        let chart = self.chart.as_ref().map(|chart| chart.alias()).or(self.within);
        let action = filter.action.or(filter.operation.as_deref().map(action_of));
        let breaks = filter.break_glass == Some(true);
        let terms = [
            breaks.then_some(AccessTerm::BreakGlass),
            chart.map(AccessTerm::Chart),
            filter.subject.as_deref().map(AccessTerm::Subject),
            filter.client.as_deref().map(AccessTerm::Client),
            filter.organization.as_deref().map(AccessTerm::Organization),
            filter.purpose.as_deref().map(AccessTerm::Purpose),
            filter.outcome.map(AccessTerm::Outcome),
            action.map(AccessTerm::Action),
        ];
        terms.into_iter().flatten().collect()
    }

    /// Where commits may be that are wanted, within a range of the event log, found in so many steps; `None`: none
    /// can be.
    pub(super) fn commits(
        &self,
        view: &'a View,
        within: Range<Position>,
        sort: Sort,
        steps: usize,
    ) -> Option<Candidates<'a>> {
        let filter = self.filter;
        let is_possible = |operation: &&str| {
            filter.operation.as_ref().is_none_or(|wanted| wanted == *operation)
                && filter.action.is_none_or(|wanted| action_of(operation) == wanted)
        };
        let fails = filter.outcome.is_some_and(|outcome| outcome != Outcome::Granted);
        if fails || !commits::OPERATIONS.iter().any(is_possible) {
            return None;
        }
        Some(match &self.versions {
            Some(versions) => {
                let versions = versions.iter().map(|event| event.position());
                let mut positions: Vec<_> = versions.filter(|one| within.contains(one)).collect();
                positions.sort_unstable();
                positions.dedup();
                if sort == Sort::Newest {
                    positions.reverse();
                }
                Candidates::These(positions.into())
            }
            None => {
                let mut terms = self.terms();
                // All of them are granted.
                terms.retain(|term| !matches!(term, AccessTerm::Outcome(_)));
                Candidates::Found(Frames::new(
                    view,
                    Trace::Commit,
                    &terms,
                    within,
                    sort,
                    steps,
                    Vec::new(),
                ))
            }
        })
    }

    pub(super) fn admits(&self, entry: &AccessEntry) -> bool {
        let filter = self.filter;
        let (source, identity) = (&entry.source, entry.source.identity.as_ref());
        filter.subject.as_ref().is_none_or(|subject| entry.is_of(subject))
            && filter.request.as_ref().is_none_or(|id| entry.has_id(id))
            && is(&filter.client, identity.and_then(|who| who.client.as_ref()))
            && is(&filter.organization, identity.and_then(|who| who.organization.as_ref()))
            && is(&filter.purpose, source.purpose.as_ref())
            && filter.break_glass.is_none_or(|wanted| source.breaks_glass() == wanted)
            && entry.looks().any(|look| self.admits_look(look))
    }

    fn admits_look(&self, look: &Look) -> bool {
        let filter = self.filter;
        let shows = |versions: &HashSet<EventId>| {
            let written = look.written.positions().map(|position| EventId::of(position, 0));
            let mut events = look.about.into_iter().chain(look.shown.events()).chain(written);
            events.any(|event| versions.contains(&event))
        };
        self.chart.as_ref().is_none_or(|chart| look.charts.binary_search(&chart.alias()).is_ok())
            && filter.outcome.is_none_or(|wanted| look.outcome == wanted)
            && filter.action.is_none_or(|wanted| look.action() == wanted)
            && filter.operation.as_ref().is_none_or(|wanted| **wanted == *look.operation)
            && self.versions.as_ref().is_none_or(shows)
    }
}

fn is(wanted: &Option<String>, text: Option<&String>) -> bool {
    wanted.as_ref().is_none_or(|wanted| text == Some(wanted))
}

/// Decides how far the request reaches among access entries: `None` all of them, `Some` those about that patient's chart.
pub(super) fn reach(
    grant: &Grant,
    permission: Permission,
) -> Result<Option<&ResourceId>, RecordsError> {
    let denied = |_| {
        let entries = "access entries, which user/*.rs does not open and user/AuditEvent.rs does";
        grant.denied(permission, entries).into()
    };
    grant.reach(ResourceType::AUDIT_EVENT, permission).map_err(denied)
}

pub(super) fn audited_chart(
    records: &Records,
    view: &View,
    grant: &Grant,
    patient: &ResourceId,
) -> Result<ChartRecord, RecordsError> {
    for permission in [Permission::Read, Permission::Search] {
        let own = reach(grant, permission)?;
        if own.is_some_and(|own| own != patient) {
            return Err(grant.denied(permission, "access entries of other patients").into());
        }
    }
    let chart = view.chart(patient)?;
    let chart = chart.ok_or_else(|| records.absent_chart(view, patient))?;
    grant.saw_chart(chart.alias());
    Ok(chart)
}

/// Only who may read and search all access entries.
pub(super) fn allow_all(grant: &Grant) -> Result<(), RecordsError> {
    for permission in [Permission::Read, Permission::Search] {
        if reach(grant, permission)?.is_some() {
            return Err(grant.denied(permission, "all access entries").into());
        }
    }
    Ok(())
}
