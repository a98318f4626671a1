//! Erasing a chart: its key is destroyed, and with it everything that was ever said under it.
//!
//! ```text
//!  new epoch key ─► chart.erased in the log: hidden from here on ─► all other keys wrapped again
//!     ─► old epoch key destroyed: unreadable ─► certificate ─► new views without a trace ─► second one
//! ```
//!
//! Whatever is interrupted is taken up at the next start: two epoch keys mean that the rotation was
//! not finished, a hidden chart in the views that the purge was not.
//!
//! Never: what an erasure is lawful for; that is said by who asks for it, and kept.

mod survey;

use std::sync::Arc;

use super::write::Unsealed;
use super::{Records, RecordsError};
use crate::auth::{Grant, Permission};
use crate::chart::{Envelope, Erasure, EventKind, EventType};
use crate::clock::Instant;
use crate::engine::{Alone, Command, CommitError, EngineError, Expectation, Prepared};
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::Position;
use crate::view::View;

/// The scope that erasing takes, by name.
pub const ERASURE: &str = "ChartErasure";
/// Longest reason or basis, in characters.
const WORDS_MAX: usize = 500;
/// How often an erasure is prepared again when the chart changes meanwhile.
const ATTEMPTS_MAX: usize = 100;

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct ErasureRequest {
    /// Whose chart.
    pub patient: ResourceId,
    /// Why.
    pub reason: String,
    /// On what legal basis.
    pub basis: String,
    /// Only tell what would be erased.
    pub dry_run: bool,
}

/// What an erasure takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The chart.
    pub chart: StreamAlias,
    /// Number of its events.
    pub events: u64,
    /// Number of resources that were at home in it.
    pub resources: u64,
    /// Number of resources that also lay in it, but are at home in other charts and stay there.
    pub shared: u64,
    /// Position and time of `chart.erased`, and the certificate; `None` after a dry run.
    pub done: Option<ErasureDone>,
}

/// An erasure that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureDone {
    /// Position of `chart.erased` in the event log.
    pub position: Position,
    /// Its time.
    pub recorded_at: Instant,
    /// The signed statement.
    pub certificate: String,
}

impl Records {
    /// Erases a chart. When this returns, nobody can read it any more, here or in a backup; its
    /// index terms go with the purge that follows.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`], [`RecordsError::NotFound`], [`EngineError::Erased`],
    /// [`RecordsError::Conflict`] under a legal hold, [`RecordsError::Invalid`] without reason or
    /// basis; [`EngineError::Busy`] while the views are rebuilt.
    pub async fn erase(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        request: ErasureRequest,
    ) -> Result<Erased, RecordsError> {
        let (records, grant) = (Arc::clone(self), Arc::clone(grant));
        let erase = tokio::task::spawn_blocking(move || records.erase_blocking(&grant, &request));
        erase.await.map_err(|_| RecordsError::unreadable("a worker thread panicked".to_owned()))?
    }

    fn erase_blocking(
        &self,
        grant: &Grant,
        request: &ErasureRequest,
    ) -> Result<Erased, RecordsError> {
        grant.may(ERASURE, Permission::Create)?;
        check_words(&[("reason", &request.reason), ("basis", &request.basis)])?;
        if request.dry_run {
            return Ok(erased(&self.survey(&self.views.view(), grant, request)?, None));
        }
        let view = self.views.view();
        if view.chart(&request.patient)?.is_none() {
            return Err(self.absent_chart(&view, &request.patient));
        }
        drop(view);
        let alone = self.engine.alone()?;
        let result = self.erase_alone(&alone, grant, request);
        drop(alone);
        // Only now can the purge begin, which also finishes what failed half-way.
        self.engine.purge_soon();
        result
    }

    /// Erases while no other erasure and no rebuild runs.
    fn erase_alone(
        &self,
        alone: &Alone<'_>,
        grant: &Grant,
        request: &ErasureRequest,
    ) -> Result<Erased, RecordsError> {
        for _ in 0..ATTEMPTS_MAX {
            let view = self.views.view();
            let erasure = self.survey(&view, grant, request)?;
            let epoch = self.engine.erasing_epoch(alone)?;
            let event = self.erasure_event(grant, erasure.clone())?;
            let expectations = vec![
                Expectation::ChartVersion(request.patient.clone(), erasure.events),
                Expectation::Epoch(epoch),
            ];
            let generation = view.generation();
            let command = Command { events: vec![event], expectations, generation };
            match self.engine.commit_blocking(command) {
                Ok(committed) => {
                    grant.committed();
                    self.outlines.clear();
                    self.peers.forget();
                    let (position, recorded_at) = (committed.first_position, committed.recorded_at);
                    let certificate =
                        self.engine.finish_erasure(alone, &erasure, position, recorded_at)?;
                    let done = ErasureDone { position, recorded_at, certificate };
                    return Ok(erased(&erasure, Some(done)));
                }
                Err(CommitError::Stale) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Busy.into())
    }

    fn erasure_event(&self, grant: &Grant, erasure: Erasure) -> Result<Prepared, RecordsError> {
        let event_type = EventType { subject: "chart".to_owned(), event_kind: EventKind::Erased };
        let envelope = Envelope::new(event_type, grant.actor().clone());
        let mut event = Unsealed::without_body(StreamAlias::NONE, None, envelope);
        event.body = erasure.encode();
        Ok(Prepared { erasure: Some(erasure), ..event.seal(&self.keys.directory())? })
    }

    /// What to answer for something of a resource that the views do not have: that it was erased,
    /// or that it does not exist. `may_know`: whether the caller may know the first.
    pub(super) fn absent(
        &self,
        view: &View,
        may_know: bool,
        key: &ResourceKey,
        what: String,
    ) -> RecordsError {
        match self.engine.was_erased(view, key) {
            Ok(true) if may_know => RecordsError::erased(what),
            Ok(_) => RecordsError::NotFound(what),
            Err(error) => error.into(),
        }
    }

    /// The same for a chart.
    pub(crate) fn absent_chart(&self, view: &View, patient: &ResourceId) -> RecordsError {
        let what = format!("the chart of patient {patient}");
        self.absent(view, true, &ResourceKey::new(ResourceType::PATIENT, patient.clone()), what)
    }
}

fn erased(erasure: &Erasure, done: Option<ErasureDone>) -> Erased {
    Erased {
        chart: erasure.chart,
        events: erasure.events.get(),
        resources: erasure.resources,
        shared: erasure.shared,
        done,
    }
}

/// Texts that end up in signed statements: there, short, and on one line.
pub(super) fn check_words(words: &[(&str, &str)]) -> Result<(), RecordsError> {
    let problem = |(name, text): &(&str, &str)| {
        let length = text.trim().chars().count();
        let diagnostics = if length == 0 {
            "say it in words".to_owned()
        } else if length > WORDS_MAX || text.chars().any(char::is_control) {
            format!("must be one line of at most {WORDS_MAX} characters")
        } else {
            return None;
        };
        Some(Problem { code: IssueCode::Value, expression: (*name).to_owned(), diagnostics })
    };
    let problems: Vec<Problem> = words.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(RecordsError::Invalid(problems)) }
}
