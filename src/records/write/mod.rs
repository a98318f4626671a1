//! Writing: from a request's changes to one commit, or to the reason why not.
//!
//! A write is decided against one view ([`plan`]), handed to the committer with everything that
//! the decision rested on, and decided again when any of that has changed meanwhile. So all
//! preconditions hold at the moment of the commit, and no lock is held while JSON is parsed.

mod aim;
mod behind;
mod define;
mod draft;
mod duplicates;
mod idempotency;
mod integrity;
mod patch;
mod plan;
mod planner;
mod references;
mod refuse;
mod seal;
mod subscribe;
mod watch;
mod weigh;

pub use behind::{ReadBehind, ReadPart};
pub(super) use seal::Unsealed;

use std::sync::Arc;

use tracing::Instrument;

use super::search::Limits;
use super::{Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::chart::EventKind;
use crate::clock::Instant;
use crate::engine::{Command, CommitError, Committed, EngineError, Expectation, Prepared};
use crate::fhir::{Criteria, Patch, ResourceId, ResourceKey, ResourceType};
use crate::json::{Document, Node};
use crate::numbers::{ChartVersion, Position, ResourceVersion};
use crate::telemetry::TRACE;
use crate::view::ViewError;

/// How often a write is decided again before the caller is asked to come back later.
const ATTEMPTS_MAX: usize = 200;
/// Documents larger than this are processed on the blocking pool, not on the threads that serve small requests.
pub const INLINE_BYTES_MAX: usize = 64 << 10;

/// Versions that a refusal repeats, beside the first.
const VERSIONS_SHOWN_MAX: usize = 7;

/// Writes with more conditional changes than this are planned on the blocking pool.
const INLINE_CONDITIONS_MAX: usize = 8;

/// One request for a commit.
#[derive(Debug, Clone, Default)]
pub struct Write {
    /// What is to change; no resource twice.
    pub changes: Vec<Change>,
    /// What is read behind the changes, and must be there then.
    pub reads: Vec<ReadBehind>,
    /// The version that a chart must have (0: none yet).
    pub expected_version: Option<(ResourceId, ChartVersion)>,
    /// Makes repeating the request harmless, forever.
    pub idempotency: Option<IdempotencyKey>,
    /// Bytes of the request: decides where it is worked on.
    pub size: usize,
}

/// A client's `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, as sent.
    pub key: String,
    /// SHA-256 over everything that makes the request this request, hexadecimal.
    pub request: String,
}

/// One change to one resource.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where the request says it: `Bundle.entry[3]`, or empty.
    pub place: String,
    /// Which resource.
    pub target: Target,
    /// What is to become of it.
    pub action: Action,
    /// `If-Match`: the versions of which it must have one.
    pub if_match: Option<Versions>,
    /// `If-None-Match`: the versions of which it must have none.
    pub if_none_match: Option<Versions>,
    /// The name under which other entries of the request refer to it.
    pub full_url: Option<String>,
    /// What the request says that this change is; refused if it is not.
    pub declared: Option<EventKind>,
    /// The chart it must lie in, if the request is about one chart.
    pub within: Option<ResourceId>,
}

/// The versions that a condition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// Whichever there is.
    Any,
    /// One of these.
    OneOf(Vec<ResourceVersion>),
}

/// As it is said in a refusal.
impl std::fmt::Display for Versions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::OneOf(versions) = self else { return formatter.write_str("any version") };
        match versions.as_slice() {
            [] => formatter.write_str("what is no version"),
            [first, rest @ ..] => {
                write!(formatter, "version {first}")?;
                let shown = rest.iter().take(VERSIONS_SHOWN_MAX);
                shown.clone().try_for_each(|version| write!(formatter, " or {version}"))?;
                formatter.write_str(if rest.len() > shown.len() { " or another" } else { "" })
            }
        }
    }
}

impl Versions {
    fn name(&self, version: ResourceVersion) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// Which resource a change is about.
#[derive(Debug, Clone)]
pub enum Target {
    /// That one.
    Key(ResourceKey),
    /// A new one, under an id that the store chooses; unless the criteria find one.
    New(ResourceType, Option<Criteria>),
    /// The one that the criteria find. If they find none, new content makes a new one: under that
    /// id, or under one that the store chooses.
    Found(ResourceType, Criteria, Option<ResourceId>),
}

impl Target {
    fn kind(&self) -> ResourceType {
        match self {
            Self::Key(key) => key.kind,
            Self::New(kind, _) | Self::Found(kind, ..) => *kind,
        }
    }
}

/// What is to become of a resource.
#[derive(Debug, Clone)]
pub enum Action {
    /// It gets this content: a value of a document.
    Put(Arc<Document>, usize),
    /// It is changed where the patch says; it must exist.
    Patch(Arc<Patch>),
    /// It is deleted.
    Remove,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Stored as a new resource, or again after a deletion.
    Created,
    /// Replaced.
    Updated,
    /// Nothing to do: the content is the current one, or the criteria found this resource.
    Unchanged,
    /// Deleted.
    Removed,
    /// Nothing to delete.
    Absent,
}

/// The result of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeResult {
    /// Which resource; `None` when criteria found nothing to delete.
    pub key: Option<ResourceKey>,
    /// What became of it.
    pub effect: Effect,
    /// Its version and time now; version 0 when it never existed.
    pub version: ResourceVersion,
    /// When that version was recorded.
    pub recorded_at: Option<Instant>,
    /// Its content now, if it has one.
    pub resource: Option<Resource>,
    /// Whether this was done by an earlier request with the same idempotency key.
    pub repeated: bool,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteResult {
    /// One result per change, in their order.
    pub done: Vec<ChangeResult>,
    /// Position and number of the events that were committed for it, now or earlier.
    pub events: Option<(Position, u64)>,
}

impl Effect {
    /// What an event's happening at home means for its resource.
    fn of(event_kind: EventKind) -> Self {
        match event_kind {
            EventKind::Recorded | EventKind::Restored => Self::Created,
            EventKind::Removed => Self::Removed,
            _ => Self::Updated,
        }
    }
}

impl Write {
    /// How many of its changes are aimed by criteria.
    fn conditions(&self) -> usize {
        let is_conditional =
            |change: &&Change| matches!(change.target, Target::New(_, Some(_)) | Target::Found(..));
        self.changes.iter().filter(is_conditional).count()
    }
}

impl Change {
    /// A change without conditions.
    #[must_use]
    pub fn new(target: Target, action: Action) -> Self {
        Self {
            place: String::new(),
            target,
            action,
            if_match: None,
            if_none_match: None,
            full_url: None,
            declared: None,
            within: None,
        }
    }
}

impl ChangeResult {
    /// Criteria found nothing to delete.
    fn nothing() -> Self {
        let (key, recorded_at, resource) = (None, None, None);
        let version = ResourceVersion::new(0);
        Self { key, effect: Effect::Absent, version, recorded_at, resource, repeated: false }
    }
}

impl Action {
    /// The content, if it is said as a whole.
    #[must_use]
    pub fn content(&self) -> Option<Node<'_>> {
        match self {
            Self::Put(document, index) => Some(document.node(*index)),
            Self::Patch(_) | Self::Remove => None,
        }
    }
}

/// A decision, before it is committed.
enum Plan {
    /// Nothing changes: the answer is known.
    Nothing(WriteResult),
    /// Events, what they rest on, and what to answer once they have a time.
    Commit {
        events: Vec<Prepared>,
        expectations: Vec<Expectation>,
        done: Vec<ChangeResult>,
        /// The generation of the views whose terms the events have.
        generation: u64,
    },
}

impl Records {
    /// Commits all changes of a request, or none.
    ///
    /// # Errors
    ///
    /// [`RecordsError`]; nothing was stored, except with [`EngineError::Unknown`].
    pub async fn write(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        write: Arc<Write>,
    ) -> Result<WriteResult, RecordsError> {
        // One after the other, so that each is decided on those before: names are not taken twice, and
        // the limit holds.
        let defines = write.changes.iter().any(|change| is_definition(&change.target));
        let _only = if defines { Some(self.defining.lock().await) } else { None };
        let _watching = (write.conditions() > 0).then(|| self.engine.watching());
        for attempt in 0..ATTEMPTS_MAX {
            let plan = match self.decide(grant, &write).await {
                // Each attempt takes from the budget of the request: with costly criteria, few fit.
                Err(error) if attempt > 0 && is_costly(&error) => {
                    return Err(EngineError::Busy.into());
                }
                plan => plan?,
            };
            match plan {
                Plan::Nothing(written) => return Ok(written),
                Plan::Commit { events, expectations, done, generation } => {
                    let count = events.len() as u64;
                    let span =
                        tracing::info_span!(target: TRACE, "commit", events = count.cast_signed());
                    let command = Command { events, expectations, generation };
                    match self.engine.commit(command).instrument(span).await {
                        Ok(committed) => {
                            grant.committed();
                            if grant.does_owe_entry() {
                                grant.wrote(committed.first_position, count);
                            }
                            if defines {
                                self.engine.redefine();
                            }
                            return Ok(stamped(done, committed, count));
                        }
                        Err(CommitError::Stale) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Err(EngineError::Busy.into())
    }

    async fn decide(
        self: &Arc<Self>,
        grant: &Arc<Grant>,
        write: &Arc<Write>,
    ) -> Result<Plan, RecordsError> {
        if write.size <= INLINE_BYTES_MAX && write.conditions() <= INLINE_CONDITIONS_MAX {
            match self.plan(grant, write, Limits::brief(grant.budget())) {
                // Planned again on the blocking pool, with the limits of a whole search.
                Err(error) if is_costly(&error) => {}
                plan => return plan,
            }
        }
        // Held while the write is planned, not while it is committed. Never closed.
        let _turn = self.planning.acquire().await;
        let (records, grant, write) = (Arc::clone(self), Arc::clone(grant), Arc::clone(write));
        let plan = tokio::task::spawn_blocking(move || {
            records.plan(&grant, &write, Limits::whole(grant.budget()))
        });
        plan.await.map_err(|_| RecordsError::unreadable("a worker thread panicked".to_owned()))?
    }
}

fn is_costly(error: &RecordsError) -> bool {
    matches!(error, RecordsError::Engine(EngineError::View(ViewError::Costly)))
}

/// Whether a change may be one of what can be searched for.
fn is_definition(target: &Target) -> bool {
    target.kind() == ResourceType::SEARCH_PARAMETER
}

/// Fills in the time of the commit.
fn stamped(mut done: Vec<ChangeResult>, committed: Committed, events: u64) -> WriteResult {
    for one in &mut done {
        if matches!(one.effect, Effect::Created | Effect::Updated | Effect::Removed) {
            one.recorded_at = Some(committed.recorded_at);
            if let Some(resource) = &mut one.resource {
                resource.recorded_at = committed.recorded_at;
            }
        }
    }
    WriteResult { done, events: Some((committed.first_position, events)) }
}
