//! The sequencer of events: checks what each command was decided on, numbers its events, and adds
//! them to the open group.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::EngineError;
use super::command::{Command, CommitError, Expectation, Prepared, Reply};
use super::committer::{OpenGroup, Sequencer};
use super::health::Health;
use super::keys::Keys;
use super::recent::{Comparisons, RecentChanges, Watchers};
use super::watch::RecentChange;
use crate::chart::EventKind;
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::{Content, Frame, FrameKind, StreamAlias};
use crate::numbers::{ChartVersion, Position};
use crate::view::{View, ViewError, Views};

/// Comparisons of watches with recent changes that one command may cost the ordering thread: some 20
/// milliseconds at worst, for hundreds of conditions beside as many other changes of the same type.
/// A command that would take more is decided again, on a newer state.
const COMPARISONS_MAX: usize = 300_000;

/// A command after the check.
#[derive(Debug)]
pub struct Sequenced {
    /// Where the answer goes.
    pub reply: Reply,
    /// The generation of the views whose terms the events have.
    pub generation: u64,
    /// Its events with their numbers in their charts, or why there are none.
    pub events: Result<Vec<(Prepared, ChartVersion)>, CommitError>,
}

/// Keys changed by commits that the views may not show yet, with the position behind them.
#[derive(Debug)]
struct Recent<K, V>(HashMap<K, (V, Position)>);

impl<K: Eq + Hash, V> Recent<K, V> {
    fn forget_below(&mut self, applied: Position) {
        self.0.retain(|_, (_, end)| *end > applied);
    }
}

/// Checks and numbers commands, on the ordering thread.
pub struct EventSequencer {
    views: Views,
    health: Arc<Health>,
    keys: Keys,
    /// The state that the open group is checked on.
    view: Option<View>,
    /// Whether there is a body.
    heads: Recent<ResourceKey, bool>,
    /// `None`: erased.
    charts: Recent<ResourceId, Option<(StreamAlias, ChartVersion)>>,
    idempotency: Recent<String, ()>,
    changes: RecentChanges,
    watchers: Arc<Watchers>,
}

impl EventSequencer {
    pub fn new(views: Views, keys: Keys, health: Arc<Health>, watchers: Arc<Watchers>) -> Self {
        Self {
            views,
            health,
            keys,
            view: None,
            heads: Recent(HashMap::new()),
            charts: Recent(HashMap::new()),
            idempotency: Recent(HashMap::new()),
            changes: RecentChanges::default(),
            watchers,
        }
    }

    /// Takes a fresh snapshot of the views, and drops what that shows by now.
    fn refresh(&mut self) {
        // Read before the view is taken: the view then shows at least as much.
        let applied = self.health.applied_events();
        self.view = Some(self.views.view());
        self.heads.forget_below(applied);
        self.charts.forget_below(applied);
        self.idempotency.forget_below(applied);
    }

    fn view(&mut self) -> &View {
        self.view.get_or_insert_with(|| self.views.view())
    }

    fn chart(
        &mut self,
        patient: &ResourceId,
    ) -> Result<Option<(StreamAlias, ChartVersion)>, ViewError> {
        if let Some((chart, _)) = self.charts.0.get(patient) {
            return Ok(*chart);
        }
        Ok(self.view().chart(patient)?.map(|chart| (chart.alias(), chart.version)))
    }

    fn holds(
        &mut self,
        expectation: &Expectation,
        left: &mut Comparisons,
    ) -> Result<bool, EngineError> {
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
                self.chart(patient)?.map(|(_, version)| version).unwrap_or_default() == *version
            }
            Expectation::Unchanged { since, watch } => {
                self.changes.none_matters(*since, &**watch, left)
            }
            Expectation::Epoch(number) => self.keys.vault().epoch()? == *number,
            Expectation::Unused(key) => {
                !self.idempotency.0.contains_key(key) && self.view().idempotent(key)?.is_none()
            }
        })
    }

    /// Whether a patient's chart was erased, also by a commit that the view may not show yet.
    fn was_erased(&mut self, patient: &ResourceId) -> Result<bool, EngineError> {
        if self.charts.0.contains_key(patient) {
            return Ok(true);
        }
        let key = ResourceKey::new(ResourceType::PATIENT, patient.clone());
        let tombstone = self.keys.directory().tombstone(&key.to_string());
        Ok(self.view().has_erased()? && self.view().is_erased(&tombstone)?)
    }

    fn check(&mut self, expectations: &[Expectation]) -> Result<(), CommitError> {
        let mut left = Comparisons(COMPARISONS_MAX);
        for expectation in expectations {
            match self.holds(expectation, &mut left) {
                Ok(true) => {}
                Ok(false) => return Err(CommitError::Stale),
                Err(error) => {
                    self.health.fail_views("a write could not be checked", &error);
                    return Err(CommitError::Failed);
                }
            }
        }
        Ok(())
    }

    /// The charts that were expected at a version are erased: nothing is added to them any more,
    /// and nothing that was found before counts.
    fn forget_charts(&mut self, expectations: &[Expectation], end: Position) {
        for expectation in expectations {
            if let Expectation::ChartVersion(patient, _) = expectation {
                self.charts.0.insert(patient.clone(), (None, end));
            }
        }
        self.changes.forget_before(end);
    }

    /// The number of each event in its chart; 0 in the directory. Changes nothing: a command of which one event cannot
    /// be numbered leaves nothing behind.
    fn numbers(&mut self, events: &[Prepared]) -> Result<Vec<ChartVersion>, ViewError> {
        let mut charts: HashMap<&ResourceId, ChartVersion> = HashMap::new();
        let mut versions = Vec::with_capacity(events.len());
        for event in events {
            let Some(patient) = &event.patient else {
                versions.push(ChartVersion::default());
                continue;
            };
            let before = match charts.get(patient) {
                Some(version) => *version,
                None => self.chart(patient)?.map(|(_, version)| version).unwrap_or_default(),
            };
            charts.insert(patient, before.next());
            versions.push(before.next());
        }
        Ok(versions)
    }

    /// Keeps what a later command is checked against; `watched`: the generation whose terms the event has, if its
    /// change is to be kept.
    fn remember(
        &mut self,
        event: &Prepared,
        version: ChartVersion,
        watched: Option<u64>,
        end: Position,
    ) {
        if let Some(patient) = &event.patient {
            self.charts.0.insert(patient.clone(), (Some((event.alias, version)), end));
        }
        if let Some(key) = event.envelope.key().filter(|_| event.envelope.home.is_none()) {
            if let Some(generation) = watched {
                let event_kind = event.envelope.event_type.event_kind;
                let change = RecentChange {
                    key: key.clone(),
                    terms: Arc::clone(&event.terms),
                    is_new: matches!(event_kind, EventKind::Recorded | EventKind::Restored),
                    has_moved: matches!(event_kind, EventKind::MovedIn | EventKind::MovedOut),
                    generation,
                };
                self.changes.keep(end, change);
            }
            self.heads.0.insert(key, (event.holds_body, end));
        }
        if let Some(mark) = &event.envelope.idempotency {
            self.idempotency.0.insert(mark.key.clone(), ((), end));
        }
    }

    /// Checks a command and numbers its events.
    fn admit(
        &mut self,
        expectations: &[Expectation],
        events: &[Prepared],
    ) -> Result<Vec<ChartVersion>, CommitError> {
        if self.health.has_failed() {
            return Err(CommitError::Failed);
        }
        self.check(expectations)?;
        self.numbers(events).map_err(|error| {
            self.health.fail_views("an event could not be numbered", &error.into());
            CommitError::Failed
        })
    }
}

impl Sequencer for EventSequencer {
    type Command = (Command, Reply);
    type Sequenced = Sequenced;

    fn sequence(&mut self, (command, reply): Self::Command, group: &mut OpenGroup) -> Sequenced {
        let Command { events, expectations, generation } = command;
        if group.frames.is_empty() {
            self.refresh();
        }
        let versions = match self.admit(&expectations, &events) {
            Ok(versions) => versions,
            Err(error) => return Sequenced { reply, generation, events: Err(error) },
        };
        let end = group.first_position + (group.frames.len() + events.len()) as u64;
        if events.iter().any(|event| event.erasure.is_some()) {
            self.forget_charts(&expectations, end);
        }
        let is_watched = self.watchers.any();
        if !is_watched {
            self.changes.forget_before(end);
        }
        let last = events.len().saturating_sub(1);
        let mut numbered = Vec::with_capacity(events.len());
        for (at, (mut event, version)) in events.into_iter().zip(versions).enumerate() {
            self.remember(&event, version, is_watched.then_some(generation), end);
            let is_chart = event.alias != StreamAlias::NONE;
            let number = if is_chart { version.get() } else { event.envelope.version.get() };
            group.add(Frame {
                kind: if is_chart { FrameKind::Chart } else { FrameKind::Directory },
                last_of_commit: at == last,
                alias: event.alias,
                // A chart would need four thousand million events.
                version: u32::try_from(number).unwrap_or(u32::MAX),
                content: std::mem::replace(&mut event.content, Content::clear(Vec::new())),
            });
            numbered.push((event, version));
        }
        Sequenced { reply, generation, events: Ok(numbered) }
    }

    /// Drops the snapshot of the views on which the group was checked.
    fn end_group(&mut self, _: &mut OpenGroup) {
        self.view = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::clock::Clock;
    use crate::disk::RealDisk;
    use crate::engine::{
        Command, CommitError, DataDirectory, Engine, EngineOptions, Prepared, ProofOptions,
        PurgeWindow,
    };
    use crate::vault::MasterKeySource;

    fn open(root: &std::path::Path) -> Arc<Engine> {
        let options = EngineOptions {
            disk: RealDisk::handle(),
            master_key: MasterKeySource::File(root.join("master.key")),
            variable: |_| None,
            seals: true,
            proves: true,
            proof: ProofOptions::default(),
            purge: PurgeWindow::Never,
            segment_bytes_max: 1 << 20,
            queue_commands_max: 8,
            group_bytes_max: 1 << 20,
            views: crate::view::ViewOptions { cache_bytes: 1 << 20, snapshot_events_min: 8 },
            upcasters: Arc::default(),
            clock: Clock::default(),
        };
        Engine::open(DataDirectory::open(root).unwrap(), &options, |_, _| Ok(Vec::new())).unwrap()
    }

    #[test]
    fn a_commit_of_which_one_event_cannot_be_numbered_leaves_nothing_in_the_log() {
        let root = tempfile::tempdir().unwrap();
        let engine = open(root.path());
        engine.views().serving().garble_chart(&"b".parse().unwrap());
        let events = vec![Prepared::opening(1, "a"), Prepared::opening(2, "b")];
        let generation = engine.views().view().generation();
        let command = Command { events, expectations: Vec::new(), generation };
        assert_eq!(engine.commit_blocking(command), Err(CommitError::Failed));
        assert_eq!(engine.failure(), Some("an event could not be numbered"));
        drop(engine);
        let events = root.path().join("log/events");
        let log = crate::log::survey(&RealDisk, &events, crate::log::LogKind::Events).unwrap();
        assert_eq!(log.position, 0, "half a commit");
    }
}
