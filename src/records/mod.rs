//! Records: resources, charts and events, read and written with a [`Grant`](crate::auth::Grant).
//!
//! In: requests for reading and writing, each with the grant of its caller. Out: resources as
//! their stored bytes, charts, events; or the one [`RecordsError`] that says why not. Reading takes
//! one state of the views and then bodies from the log, and notes in the grant which charts it
//! showed. Writing decides on a state of the views, hands a command to the engine, and decides again
//! if the state has changed meanwhile.
//!
//! **Invariant:** no function that returns clinical data works without a grant, and each asks the
//! grant first. Never: HTTP, tokens, the rendering of errors, where ordering happens.

mod chart;
mod definitions;
mod erasure;
mod error;
mod everything;
mod evidence;
mod follow;
mod glass;
mod ground;
mod history;
mod hold;
mod keeper;
mod reach;
mod reserved;
mod resource;
mod search;
mod showing;
mod write;

pub use chart::{At, Chart, ChartEvent, Difference, EventFilter};
pub use erasure::{ERASURE, Erased, ErasureDone, ErasureRequest};
pub use error::RecordsError;
pub use everything::{EverythingPage, EverythingRequest};
pub use evidence::{Evidence, Exhibit, bundle, disclosed};
use follow::{AllPeers, Outlines};
pub use follow::{
    BatchLimits, KindFilter, LogBatch, LogEvent, LogFilter, Next, Peers, SharedBatch, Sight,
    Trigger, Turn,
};
pub use glass::{BREAK_GLASS, GlassesRequest};
pub use history::{HistoryOf, HistoryPage, HistoryPlace, HistoryRequest, Version};
pub use hold::{HOLD, Hold};
pub use keeper::{Keeper, Subscribed};
pub use resource::{PAGE_BYTES_MAX, Resource};
pub use search::{Page, PageStart, SearchRequest, is_supporting};
pub use write::{
    Action, Change, ChangeResult, Effect, INLINE_BYTES_MAX, IdempotencyKey, ReadBehind, ReadPart,
    Target, Versions, Write, WriteResult,
};

use std::num::NonZero;
use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::Semaphore;

use crate::clock::Instant;
use crate::engine::{DataDirectory, Engine, EngineError, EngineOptions, Keys, Settled};
use crate::policies::{RuleBook, Rules};
use crate::view::{View, Views};

/// What the records are told about the server that they belong to.
#[derive(Debug, Clone, Default)]
pub struct RecordsOptions {
    /// Base URL of the FHIR API: absolute references under it are local.
    pub base_url: Option<String>,
    /// Refuse a write whose references to resources of this server lead nowhere.
    pub refuses_unresolved: bool,
    /// What is in force beside scopes.
    pub rules: Arc<RuleBook>,
}

/// The records, now or as they were when [`Records::at_this_moment`] was called.
#[derive(Debug)]
pub struct Records {
    engine: Arc<Engine>,
    views: Views,
    keys: Keys,
    options: RecordsOptions,
    /// Bounds the writes that are planned on the blocking pool at the same time.
    planning: Arc<Semaphore>,
    /// Held by the one write of search parameters that is decided and committed.
    defining: Arc<tokio::sync::Mutex<()>>,
    /// Who carries out the Subscriptions, once somebody does.
    keeper: Arc<OnceLock<Weak<dyn Keeper>>>,
    /// What the last events say, for the many who follow the log.
    outlines: Arc<Outlines>,
    /// Those of them who read it for each other.
    peers: Arc<AllPeers>,
    /// All events that were recorded at this time or before are visible in the one state shown.
    pinned_at: Option<Instant>,
}

impl Records {
    /// Opens an engine, and the records in it.
    ///
    /// # Errors
    ///
    /// As [`Engine::open`].
    pub fn open(
        directory: DataDirectory,
        engine: &EngineOptions,
        options: RecordsOptions,
    ) -> Result<Arc<Self>, EngineError> {
        let engine = Engine::open(directory, engine, definitions::defined)?;
        let (views, keys) = (engine.views().clone(), engine.keys().clone());
        let defining = Arc::default();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let planning = Arc::new(Semaphore::new(2 * cores));
        Ok(Arc::new(Self {
            engine,
            views,
            keys,
            options,
            planning,
            defining,
            keeper: Arc::default(),
            outlines: Arc::default(),
            peers: Arc::default(),
            pinned_at: None,
        }))
    }

    /// The records as they are at this moment, and stay however others write: for a request
    /// that reads several times and must see one state. Writing through this handle is decided on
    /// that state, and so succeeds only as long as nothing that matters has changed.
    ///
    /// # Errors
    ///
    /// As [`Engine::settled`].
    pub async fn at_this_moment(&self) -> Result<Arc<Self>, EngineError> {
        let now = self.engine.settled(self.engine.now()).await?.moment();
        Ok(Arc::new(Self {
            engine: Arc::clone(&self.engine),
            views: self.views.at_this_moment(),
            keys: self.keys.clone(),
            options: self.options.clone(),
            planning: Arc::clone(&self.planning),
            defining: Arc::clone(&self.defining),
            keeper: Arc::clone(&self.keeper),
            outlines: Arc::clone(&self.outlines),
            peers: Arc::clone(&self.peers),
            pinned_at: Some(now),
        }))
    }

    /// Waits until no event can be recorded any more at a moment, or before it.
    ///
    /// # Errors
    ///
    /// As [`Engine::settled`]; [`EngineError::Busy`] of a moment behind the one state shown.
    pub async fn settled(&self, moment: Instant) -> Result<Settled, EngineError> {
        if self.pinned_at.is_some_and(|pinned| pinned < moment) {
            return Err(EngineError::Busy);
        }
        self.engine.settled(moment).await
    }

    /// What is below the grant.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// One consistent state of the views.
    pub(crate) fn view(&self) -> View {
        self.views.view()
    }

    /// What is in force beside scopes, now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.options.rules.current()
    }

    /// Where that is read.
    #[must_use]
    pub fn rule_book(&self) -> &RuleBook {
        &self.options.rules
    }

    /// Base URL of the FHIR API, if one is known.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        self.options.base_url.as_deref()
    }
}
