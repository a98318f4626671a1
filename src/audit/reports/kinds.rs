//! Which types of resource an access showed or changed, chart by chart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::{AccessEntry, RequestId};
use crate::auth::Grant;
use crate::fhir::ResourceType;
use crate::log::StreamAlias;
use crate::numbers::EventId;
use crate::records::{Records, RecordsError};
use crate::view::View;

/// Types of resources, each with how many versions there were.
pub type Counts = BTreeMap<&'static str, u64>;

/// What an access had to do with a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touch {
    /// What left of it.
    pub shown: Counts,
    /// What was written into it.
    pub written: Counts,
}

/// Looks up what events are about, each once.
pub struct Kinds<'a> {
    records: &'a Records,
    grant: &'a Grant,
    view: View,
    known: HashMap<EventId, Option<(ResourceType, Vec<StreamAlias>)>>,
}

impl<'a> Kinds<'a> {
    /// On the present state of the views.
    pub fn new(records: &'a Records, grant: &'a Grant) -> Self {
        Self { records, grant, view: records.view(), known: HashMap::new() }
    }

    /// The state of the views that it looks at.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What an access showed of a chart and wrote into it, in all its parts. That an answer repeats what was
    /// written with the request shows nothing.
    ///
    /// # Errors
    ///
    /// The view store's; the budget's.
    pub fn touch(
        &mut self,
        entry: &AccessEntry,
        chart: StreamAlias,
    ) -> Result<Touch, RecordsError> {
        let written: BTreeSet<_> =
            entry.looks().flat_map(|look| look.written.positions()).collect();
        let shown = entry.looks().flat_map(|look| look.shown.events());
        let shown = shown.filter(|event| !written.contains(&event.position()));
        let mut touch = Touch::default();
        self.count(shown, chart, &mut touch.shown)?;
        let written = written.iter().map(|position| EventId::of(*position, 0));
        self.count(written, chart, &mut touch.written)?;
        Ok(touch)
    }

    fn count(
        &mut self,
        events: impl Iterator<Item = EventId>,
        chart: StreamAlias,
        counts: &mut Counts,
    ) -> Result<(), RecordsError> {
        for event in events {
            if let Some((kind, charts)) = self.at(event)?
                && charts.contains(&chart)
            {
                *counts.entry(kind.name()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// The type of the resource whose version an event brought, and its charts; `None`: it
    /// was erased since.
    fn at(
        &mut self,
        event: EventId,
    ) -> Result<Option<&(ResourceType, Vec<StreamAlias>)>, RecordsError> {
        if !self.known.contains_key(&event) {
            self.grant.budget().read(1)?;
            let found = self.look_up(event)?;
            self.known.insert(event, found);
        }
        Ok(self.known.get(&event).and_then(Option::as_ref))
    }

    fn look_up(
        &self,
        event: EventId,
    ) -> Result<Option<(ResourceType, Vec<StreamAlias>)>, RecordsError> {
        let logged = self.view.logged_at(event)?.filter(|logged| logged.is_readable);
        let Some(logged) = logged else { return Ok(None) };
        let Some(change) = logged.change else {
            // What upcasters drop today was shown once, as it was written.
            let keys = self.records.engine().keys();
            let written = keys.written(&self.view, logged.place.location).ok();
            let key = written
                .and_then(|(envelope, _)| envelope.key().filter(|_| envelope.home.is_none()));
            return Ok(key.map(|key| (key.kind, logged.chart.into_iter().collect())));
        };
        if !change.is_in_several {
            return Ok(Some((change.kind, change.chart.into_iter().collect())));
        }
        let Some(head) = self.view.head_of(change.number)? else { return Ok(None) };
        let version = self.view.version(&head, change.version)?;
        let charts = version.map(|version| version.aliases().collect()).unwrap_or_default();
        Ok(Some((change.kind, charts)))
    }
}

/// Whether an entry is of format 1, which did not say what left.
pub fn is_old(entry: &AccessEntry) -> bool {
    entry.request == RequestId::new(0, 0)
}

/// Types with their numbers: `Observation (12)`.
pub fn counted(counts: &Counts) -> Vec<String> {
    counts.iter().map(|(kind, count)| format!("{kind} ({count})")).collect()
}
