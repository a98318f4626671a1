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

mod certificate;
mod purge;
mod survey;

pub use certificate::Certificates;
pub(super) use purge::start;
pub use purge::{PurgeWindow, Purger};

use std::sync::Arc;

use tokio::sync::oneshot;

use super::commit::{Command, CommitError, Committed, Expectation, Prepared};
use super::write::Unsealed;
use super::{Store, StoreError};
use crate::auth::{Grant, Permission};
use crate::chart::{Envelope, Erasure, EventType, Happening};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::{ResourceId, ResourceKey, ResourceType};
use crate::log::StreamAlias;
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
    pub done: Option<Done>,
}

/// An erasure that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Position of `chart.erased` in the event log.
    pub position: u64,
    /// Its time.
    pub recorded_at: Instant,
    /// The signed statement.
    pub certificate: String,
}

impl Store {
    /// Erases a chart. When this returns, nobody can read it any more, here or in a backup; its
    /// index terms go with the purge that follows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Denied`], [`StoreError::NotFound`], [`StoreError::Erased`],
    /// [`StoreError::Conflict`] under a legal hold, [`StoreError::Invalid`] without reason or
    /// basis; [`StoreError::Busy`] while the views are rebuilt.
    pub async fn erase(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        request: ErasureRequest,
    ) -> Result<Erased, StoreError> {
        let (store, grant) = (Arc::clone(self), Arc::clone(grant));
        let erase = tokio::task::spawn_blocking(move || store.erase_blocking(&grant, &request));
        erase.await.map_err(|_| StoreError::Unreadable("a worker thread panicked".to_owned()))?
    }

    fn erase_blocking(
        &self,
        grant: &Grant,
        request: &ErasureRequest,
    ) -> Result<Erased, StoreError> {
        grant.may(ERASURE, Permission::Create)?;
        check_words(&[("reason", &request.reason), ("basis", &request.basis)])?;
        if request.dry_run {
            return Ok(erased(&self.survey(&self.views.view(), grant, request)?, None));
        }
        let view = self.views.view();
        if view.chart(&request.patient)?.is_none() {
            return Err(self.absent_chart(&view, None, &request.patient));
        }
        drop(view);
        let result = match self.rebuilding.try_lock() {
            Ok(_only) => self.erase_alone(grant, request),
            Err(_) => return Err(StoreError::Busy),
        };
        // Only now can it begin; also what failed half-way is its to finish.
        self.purger.wake();
        result
    }

    /// Erases while no other erasure and no rebuild runs.
    fn erase_alone(&self, grant: &Grant, request: &ErasureRequest) -> Result<Erased, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let view = self.views.view();
            let erasure = self.survey(&view, grant, request)?;
            let epoch = match self.keys.vault().is_between_epochs() {
                true => self.keys.vault().epoch()?,
                false => self.keys.vault().begin_epoch()?,
            };
            let event = self.erasure_event(grant, erasure.clone())?;
            let expectations = vec![
                Expectation::ChartVersion(request.patient.clone(), erasure.events),
                Expectation::Epoch(epoch),
            ];
            match self.commit_blocking(event, expectations) {
                Ok(committed) => {
                    grant.committed();
                    self.complete_epoch()?;
                    return Ok(erased(&erasure, Some(self.certify(&erasure, committed)?)));
                }
                Err(CommitError::Stale) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    fn certify(&self, erasure: &Erasure, committed: Committed) -> Result<Done, StoreError> {
        let (position, recorded_at) = (committed.first_position, committed.recorded_at);
        let certificate = self.certificates.erasure(erasure, position, recorded_at)?;
        Ok(Done { position, recorded_at, certificate })
    }

    fn erasure_event(&self, grant: &Grant, erasure: Erasure) -> Result<Prepared, StoreError> {
        let event_type = EventType { subject: "chart".to_owned(), happening: Happening::Erased };
        let envelope = Envelope::new(event_type, grant.actor().clone());
        let mut event = Unsealed::without_body(StreamAlias::NONE, None, envelope);
        event.body = erasure.encode();
        Ok(Prepared { erasure: Some(erasure), ..event.seal(&self.keys.directory())? })
    }

    fn commit_blocking(
        &self,
        event: Prepared,
        expectations: Vec<Expectation>,
    ) -> Result<Committed, CommitError> {
        let (reply, answer) = oneshot::channel();
        let generation = self.views.view().generation();
        match self.events.submit(Command { events: vec![event], expectations, generation, reply }) {
            Ok(()) => answer.blocking_recv().unwrap_or(Err(CommitError::Unknown)),
            Err(crate::log::committer::Refused::Full) => Err(CommitError::Full),
            Err(crate::log::committer::Refused::Stopped) => Err(CommitError::Failed),
        }
    }

    /// Wraps all keys that are still needed again, and destroys the older epoch keys.
    fn complete_epoch(&self) -> Result<(), StoreError> {
        let vault = self.keys.vault();
        // The views hold every chart that was opened under an older epoch: the event that ends
        // the epoch is behind them in the log.
        let view = self.views.view();
        let system = vault.wraps()?.into_iter().filter(|(alias, _)| !alias.is_of_chart());
        let mut survivors: Vec<_> = system.collect();
        for wrap in view.wraps() {
            survivors.push(wrap?);
        }
        self.views.rewrap(&vault.rewrap(survivors)?, vault.epoch()?)?;
        Ok(vault.destroy_older_epochs()?)
    }

    /// Finishes what an erasure left undone that was interrupted, or met a failing disk.
    pub(super) fn resume_erasure(&self) -> Result<(), StoreError> {
        let Ok(_only) = self.rebuilding.try_lock() else { return Err(StoreError::Busy) };
        let vault = self.keys.vault();
        if vault.is_between_epochs() {
            self.complete_epoch()?;
            self.complete_certificates()?;
        } else if self.views.view().epoch()? != vault.epoch()? {
            // The views are not synced: they may have lost what was wrapped again.
            self.views.rewrap(&vault.wraps()?, vault.epoch()?)?;
        }
        Ok(vault.destroy_condemned()?)
    }

    /// What to answer for something of a resource that the views do not have: that it was erased,
    /// or that it does not exist. `own` is the one chart that the caller reaches, if it is one.
    pub(super) fn absent(
        &self,
        view: &View,
        own: Option<&ResourceId>,
        key: &ResourceKey,
        what: String,
    ) -> StoreError {
        let may_know = own.is_none_or(|own| key.kind == ResourceType::PATIENT && key.id == *own);
        match self.was_erased(view, key) {
            Ok(true) if may_know => StoreError::Erased(what),
            Ok(_) => StoreError::NotFound(what),
            Err(error) => error,
        }
    }

    /// The same for a chart.
    pub(super) fn absent_chart(
        &self,
        view: &View,
        own: Option<&ResourceId>,
        patient: &ResourceId,
    ) -> StoreError {
        let what = format!("the chart of patient {patient}");
        self.absent(view, own, &ResourceKey::new(ResourceType::PATIENT, patient.clone()), what)
    }

    /// Whether a resource was erased with its chart. Its id is not used again.
    pub(super) fn was_erased(&self, view: &View, key: &ResourceKey) -> Result<bool, StoreError> {
        if !view.has_erased()? {
            return Ok(false);
        }
        Ok(view.is_erased(&self.keys.directory().tombstone(&key.to_string()))?)
    }
}

fn erased(erasure: &Erasure, done: Option<Done>) -> Erased {
    Erased {
        chart: erasure.chart,
        events: erasure.events,
        resources: erasure.resources,
        shared: erasure.shared,
        done,
    }
}

/// Texts that end up in signed statements: there, short, and on one line.
pub(super) fn check_words(words: &[(&str, &str)]) -> Result<(), StoreError> {
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
    if problems.is_empty() { Ok(()) } else { Err(StoreError::Invalid(problems)) }
}
