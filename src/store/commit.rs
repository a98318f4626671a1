//! The committer's side of a write: checking what a command was decided on, numbering, applying.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::keys::Keys;
use super::search::find;
use super::{Health, StoreError};
use crate::auth::Budget;
use crate::chart::{Envelope, Erasure};
use crate::clock::Instant;
use crate::fhir::search::Criteria;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::committer::{Book, OpenGroup};
use crate::log::{Content, Frame, FrameKind, StreamAlias};
use crate::vault::Wrap;
use crate::view::{Head, TermChange, View, ViewError, Views};

/// One request for a commit: events that were decided on a view, and what they were decided on.
#[derive(Debug)]
pub struct Command {
    /// The events, in order; never empty.
    pub events: Vec<Prepared>,
    /// What must still be so.
    pub expectations: Vec<Expectation>,
    /// The generation of the views whose terms the events have.
    pub generation: u64,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Committed, CommitError>>,
}

/// An event, ready but for its numbers.
#[derive(Debug)]
pub struct Prepared {
    /// The stream it goes to; [`StreamAlias::NONE`]: the directory.
    pub alias: StreamAlias,
    /// The patient whose chart that is.
    pub patient: Option<ResourceId>,
    /// What it says.
    pub envelope: Envelope,
    /// The same with the body, sealed: taken when it goes into a group.
    pub content: Content,
    /// The wrapped key of the chart, in the event that opens it.
    pub wrap: Option<Wrap>,
    /// Whether the resource has a body after it.
    pub holds_body: bool,
    /// Whether that body says `entered-in-error`.
    pub retracted: bool,
    /// Change of index terms, at home.
    pub terms: Arc<TermChange>,
    /// The chart that this event erases, and its traces.
    pub erasure: Option<Erasure>,
}

/// Something a decision rested on.
#[derive(Debug)]
pub enum Expectation {
    /// The resource's current event is at that position, or it never existed.
    Head(ResourceKey, Option<u64>),
    /// The resource exists.
    Live(ResourceKey),
    /// The patient's chart has that alias, or does not exist.
    Chart(ResourceId, Option<StreamAlias>),
    /// The patient's chart is at that version (0: does not exist).
    ChartVersion(ResourceId, u64),
    /// The search finds just that resource, or nothing.
    Match {
        /// What it asks for.
        criteria: Criteria,
        /// What it found.
        found: Option<u64>,
    },
    /// No commit has this idempotency key.
    Unused(String),
    /// New data keys are still wrapped by the key of that epoch.
    Epoch(u32),
}

/// A command's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Position of its first event.
    pub first_position: u64,
    /// Its time.
    pub recorded_at: Instant,
}

/// Why a command was not committed.
#[derive(Debug)]
pub enum CommitError {
    /// An expectation does not hold any more: decide again. By now the change is visible.
    Stale,
    /// The queue is full.
    Full,
    /// The log or the views failed.
    Failed,
    /// The log failed after it may have taken the command.
    Unknown,
}

/// A command that was looked at.
#[derive(Debug)]
pub struct Admitted {
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Committed, CommitError>>,
    /// The generation of the views whose terms the events have.
    pub generation: u64,
    /// Its events with their stream versions, or why there are none.
    pub events: Result<Vec<(Prepared, u64)>, CommitError>,
}

/// Keys changed by commits that the views may not show yet, with the position behind them.
#[derive(Debug)]
struct Recent<K, V>(HashMap<K, (V, u64)>);

impl<K: Eq + Hash, V> Recent<K, V> {
    fn forget_below(&mut self, applied: u64) {
        self.0.retain(|_, (_, end)| *end > applied);
    }
}

/// Checks and numbers commands, on the ordering thread.
pub struct EventBook {
    views: Views,
    health: Arc<Health>,
    keys: Keys,
    /// The state that the open group is checked on.
    view: Option<View>,
    /// Whether there is a body.
    heads: Recent<ResourceKey, bool>,
    /// `None`: erased.
    charts: Recent<ResourceId, Option<(StreamAlias, u64)>>,
    /// By type, how the terms of its resources have changed.
    terms: Vec<(ResourceType, Arc<TermChange>, u64)>,
    idempotency: Recent<String, ()>,
}

impl EventBook {
    pub fn new(views: Views, keys: Keys, health: Arc<Health>) -> Self {
        Self {
            views,
            health,
            keys,
            view: None,
            heads: Recent(HashMap::new()),
            charts: Recent(HashMap::new()),
            terms: Vec::new(),
            idempotency: Recent(HashMap::new()),
        }
    }

    /// Takes a fresh view, and forgets what it shows by now.
    fn refresh(&mut self) {
        // Read before the view is taken: the view then shows at least as much.
        let applied = self.health.applied_events.load(Ordering::Acquire);
        self.view = Some(self.views.view());
        self.heads.forget_below(applied);
        self.charts.forget_below(applied);
        self.terms.retain(|(_, _, end)| *end > applied);
        self.idempotency.forget_below(applied);
    }

    fn view(&mut self) -> &View {
        self.view.get_or_insert_with(|| self.views.view())
    }

    fn chart(&mut self, patient: &ResourceId) -> Result<Option<(StreamAlias, u64)>, ViewError> {
        if let Some((chart, _)) = self.charts.0.get(patient) {
            return Ok(*chart);
        }
        Ok(self.view().chart(patient)?.map(|chart| (chart.alias(), chart.version)))
    }

    fn holds(&mut self, expectation: &Expectation) -> Result<bool, StoreError> {
        Ok(match expectation {
            Expectation::Head(key, position) => {
                !self.heads.0.contains_key(key)
                    && self.view().head(key)?.map(|head| head.position) == *position
            }
            Expectation::Live(key) => match self.heads.0.get(key) {
                Some((is_live, _)) => *is_live,
                None => self.view().head(key)?.is_some_and(|head| head.live),
            },
            Expectation::Chart(patient, alias) => {
                self.chart(patient)?.map(|(alias, _)| alias) == *alias
                    && (alias.is_some() || !self.was_erased(patient)?)
            }
            Expectation::ChartVersion(patient, version) => {
                self.chart(patient)?.map_or(0, |(_, version)| version) == *version
            }
            Expectation::Match { criteria, found } => {
                !self.is_recent(criteria)
                    && match self.found(criteria)?.as_slice() {
                        [] => found.is_none(),
                        [head] => *found == Some(head.number),
                        _ => false,
                    }
            }
            Expectation::Epoch(number) => self.keys.vault().epoch()? == *number,
            Expectation::Unused(key) => {
                !self.idempotency.0.contains_key(key) && self.view().idempotent(key)?.is_none()
            }
        })
    }

    /// The resources that criteria find, two at most. The request has paid for as much before.
    fn found(&mut self, criteria: &Criteria) -> Result<Vec<Head>, StoreError> {
        let keys = self.keys.clone();
        find(&keys, self.view(), None, &Budget::default(), criteria, 2)
    }

    /// Whether a commit that the view may not show yet could change what the criteria find.
    fn is_recent(&self, criteria: &Criteria) -> bool {
        let id = |id: &ResourceId| {
            self.heads.0.contains_key(&ResourceKey::new(criteria.kind, id.clone()))
        };
        match criteria.watched() {
            // What they find may depend on anything.
            None => !self.heads.0.is_empty(),
            Some(watched) => {
                let changes = self.terms.iter().filter(|(kind, ..)| *kind == criteria.kind);
                watched.ids().any(id)
                    || changes.into_iter().any(|(_, change, _)| {
                        watched.could_change(&change.added) || watched.could_change(&change.removed)
                    })
            }
        }
    }

    /// Whether a patient's chart was erased, also by a commit that the view may not show yet.
    fn was_erased(&mut self, patient: &ResourceId) -> Result<bool, StoreError> {
        if self.charts.0.contains_key(patient) {
            return Ok(true);
        }
        let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
        let tombstone = self.keys.directory().tombstone(&key.to_string());
        Ok(self.view().has_erased()? && self.view().is_erased(&tombstone)?)
    }

    fn check(&mut self, expectations: &[Expectation]) -> Result<(), CommitError> {
        for expectation in expectations {
            match self.holds(expectation) {
                Ok(true) => {}
                Ok(false) => return Err(CommitError::Stale),
                Err(error) => {
                    self.health.fail("a write could not be checked", None, &error);
                    return Err(CommitError::Failed);
                }
            }
        }
        Ok(())
    }

    /// The charts that were expected at a version are erased: nothing is added to them any more.
    fn forget_charts(&mut self, expectations: &[Expectation], end: u64) {
        for expectation in expectations {
            if let Expectation::ChartVersion(patient, _) = expectation {
                self.charts.0.insert(patient.clone(), (None, end));
            }
        }
    }

    /// Gives an event its number in its stream.
    fn number(&mut self, event: &Prepared, end: u64) -> Result<u64, CommitError> {
        let Some(patient) = &event.patient else { return Ok(event.envelope.version) };
        let before = self.chart(patient).map_err(|error| {
            self.health.fail_views("an event could not be numbered", &error.into());
            CommitError::Failed
        })?;
        let version = before.map_or(0, |(_, version)| version) + 1;
        self.charts.0.insert(patient.clone(), (Some((event.alias, version)), end));
        Ok(version)
    }

    fn remember(&mut self, event: &Prepared, end: u64) {
        if let Some(key) = event.envelope.key().filter(|_| event.envelope.home.is_none()) {
            self.terms.push((key.kind, Arc::clone(&event.terms), end));
            self.heads.0.insert(key, (event.holds_body, end));
        }
        if let Some(mark) = &event.envelope.idempotency {
            self.idempotency.0.insert(mark.key.clone(), ((), end));
        }
    }
}

impl Book for EventBook {
    type Command = Command;
    type Admitted = Admitted;

    fn admit(&mut self, command: Command, group: &mut OpenGroup) -> Admitted {
        let Command { events, expectations, generation, reply } = command;
        if self.health.has_failed() {
            return Admitted { reply, generation, events: Err(CommitError::Failed) };
        }
        if group.frames.is_empty() {
            self.refresh();
        }
        if let Err(error) = self.check(&expectations) {
            return Admitted { reply, generation, events: Err(error) };
        }
        let end = group.first_position + (group.frames.len() + events.len()) as u64;
        if events.iter().any(|event| event.erasure.is_some()) {
            self.forget_charts(&expectations, end);
        }
        let last = events.len().saturating_sub(1);
        let mut numbered = Vec::with_capacity(events.len());
        for (at, mut event) in events.into_iter().enumerate() {
            let version = match self.number(&event, end) {
                Ok(version) => version,
                Err(error) => return Admitted { reply, generation, events: Err(error) },
            };
            self.remember(&event, end);
            let is_chart = event.alias != StreamAlias::NONE;
            group.add(Frame {
                kind: if is_chart { FrameKind::Chart } else { FrameKind::Directory },
                last_of_commit: at == last,
                alias: event.alias,
                // A chart would need four thousand million events.
                version: u32::try_from(version).unwrap_or(u32::MAX),
                content: std::mem::replace(&mut event.content, Content::clear(Vec::new())),
            });
            numbered.push((event, version));
        }
        Admitted { reply, generation, events: Ok(numbered) }
    }

    fn rest(&mut self) {
        self.view = None;
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Stale | CommitError::Full => Self::Busy,
            CommitError::Failed => Self::ReadOnly,
            CommitError::Unknown => Self::Unknown,
        }
    }
}
