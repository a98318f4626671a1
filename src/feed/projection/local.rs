//! Following in the process of the store, under a grant: for programs that open the store, or serve it, themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{Batch, Event, Feed, FeedError};
use crate::access::{AccessEntry, Outcome, Runs, Source};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::feed::Follower;
use crate::numbers::Position;
use crate::records::{BatchLimits, LogFilter, Records, RecordsError};

/// What is read at a time.
const BATCH: BatchLimits = BatchLimits { events: 1_000, bytes: 2 << 20 };
/// How long is waited for more.
const WAIT: Duration = Duration::from_secs(1);

/// A log that is followed in the process of its store. What leaves stands in the access log before it does, in an entry
/// for each batch, as of a request.
#[derive(Debug)]
pub struct LocalFeed {
    records: Arc<Records>,
    grant: Arc<Grant>,
    follower: Follower,
    is_live: bool,
    runtime: Runtime,
}

impl LocalFeed {
    /// The log of a store, as far as a grant reaches and a filter wants.
    ///
    /// # Errors
    ///
    /// [`RecordsError`]: the grant does not reach what the filter wants, or it cannot be recorded that it was asked for.
    pub fn new(
        records: Arc<Records>,
        grant: Arc<Grant>,
        filter: LogFilter,
    ) -> Result<Self, RecordsError> {
        let begun_at = Instant::now();
        let sight = records.sight(&grant, filter);
        let (outcome, reason) = match &sight {
            Ok(_) => (Outcome::Granted, None),
            Err(RecordsError::Denied(denied)) => (Outcome::Refused, Some(denied.to_string())),
            // What it says may name a patient.
            Err(_) => (Outcome::Failed, None),
        };
        record(&records, &grant, begun_at, outcome, reason)?;
        let sight = sight?;
        let follower = Follower::new(&records, sight, Position::default());
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| RecordsError::unreadable(error.to_string()))?;
        Ok(Self { records, grant, follower, is_live: true, runtime })
    }

    /// Up to the end of the log, and no further.
    #[must_use]
    pub fn to_the_end(mut self) -> Self {
        self.is_live = false;
        self
    }
}

impl Feed for LocalFeed {
    fn next(&mut self, from: Position) -> Result<Option<Batch>, FeedError> {
        let now = Instant::now();
        if now.seconds() >= self.grant.caller().expires_at {
            return Err(FeedError::Expired);
        }
        self.follower.next = from;
        if self.follower.head() <= from {
            if !self.is_live {
                return Ok(None);
            }
            let moved = self.follower.moved();
            if self.runtime.block_on(async { timeout(WAIT, moved).await }).is_err() {
                return Ok(Some(Batch { events: Vec::new(), next: from, head: from }));
            }
        }
        self.grant.begin_anew();
        self.grant.budget().renew();
        let batch = self.records.follow(&self.grant, &self.follower.sight, from, BATCH)?;
        let events = batch.events.into_iter().map(|event| Event::of(event, &self.grant));
        let events: Result<_, _> = events.collect();
        let events: Vec<Event> =
            events.map_err(|_| RecordsError::unreadable("a stored resource"))?;
        if !events.is_empty() {
            record(&self.records, &self.grant, now, Outcome::Granted, None)?;
        }
        Ok(Some(Batch { events, next: batch.next, head: batch.head }))
    }
}

/// Writes down what a grant has noted since the last time, durably.
fn record(
    records: &Records,
    grant: &Grant,
    begun_at: Instant,
    outcome: Outcome,
    reason: Option<String>,
) -> Result<(), RecordsError> {
    let (engine, actor) = (records.engine(), grant.actor());
    let source = Source {
        identity: Some(Arc::clone(&grant.caller().identity)),
        address: actor.address.clone(),
        proxy: None,
        user_agent: actor.user_agent.clone(),
        purpose: actor.purpose.clone(),
    };
    let request = engine.next_request();
    let mut entry = AccessEntry::of(source, request, "followEvents", begun_at.micros());
    let seen = grant.take_seen();
    entry.look.shown = Runs::from(&seen.shown);
    (entry.look.outcome, entry.look.reason) = (outcome, reason.map(Into::into));
    entry.look.charts = seen.charts.into_iter().collect();
    match engine.submit_access(entry)?.blocking_recv() {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(EngineError::ReadOnly.into()),
    }
}
