//! Which types of resource an access showed or changed, chart by chart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::access::{AccessEntry, RequestId};
use crate::auth::Grant;
use crate::fhir::ResourceType;
use crate::log::StreamAlias;
use crate::numbers::Position;
use crate::records::{Records, RecordsError};
use crate::view::{Order, View};

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

/// Looks up what stands behind the positions of events, each once.
pub struct Kinds<'a> {
    grant: &'a Grant,
    view: View,
    known: HashMap<Position, Option<(ResourceType, Vec<StreamAlias>)>>,
}

impl<'a> Kinds<'a> {
    /// On the present state of the views.
    pub fn new(records: &Records, grant: &'a Grant) -> Self {
        Self { grant, view: records.view(), known: HashMap::new() }
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
        let shown = entry.looks().flat_map(|look| look.shown.positions());
        let shown = shown.filter(|position| !written.contains(position));
        let mut touch = Touch::default();
        self.count(shown, chart, &mut touch.shown)?;
        self.count(written.iter().copied(), chart, &mut touch.written)?;
        Ok(touch)
    }

    fn count(
        &mut self,
        positions: impl Iterator<Item = Position>,
        chart: StreamAlias,
        counts: &mut Counts,
    ) -> Result<(), RecordsError> {
        for position in positions {
            if let Some((kind, charts)) = self.at(position)?
                && charts.contains(&chart)
            {
                *counts.entry(kind.name()).or_default() += 1;
            }
        }
        Ok(())
    }

    /// The type of the resource whose version the event at a position brought, and its charts; `None`: it
    /// was erased since.
    fn at(
        &mut self,
        position: Position,
    ) -> Result<Option<&(ResourceType, Vec<StreamAlias>)>, RecordsError> {
        if !self.known.contains_key(&position) {
            self.grant.budget().read(1)?;
            let found = self.look_up(position)?;
            self.known.insert(position, found);
        }
        Ok(self.known.get(&position).and_then(Option::as_ref))
    }

    fn look_up(
        &self,
        position: Position,
    ) -> Result<Option<(ResourceType, Vec<StreamAlias>)>, RecordsError> {
        let mut changes = self.view.changes(position..position.next(), Order::Ascending);
        let changed = changes.next().transpose()?;
        let Some(change) = changed.and_then(|(_, changes)| changes.into_iter().next()) else {
            return Ok(None);
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
