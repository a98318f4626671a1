//! Following the whole log: its events in order, as far as the caller may see them.
//!
//! A [`Sight`] is what the grant has answered, once, about what one request may see and wants of the log. A
//! batch is read with it from one state of the views: the index says which events come into question,
//! their frames are opened on several threads, and each is decided on again by what it says itself. What the
//! caller may not see is passed over as if it were not there; only the position behind the batch moves.
//! A batch has whole commits: one is never cut in two, unless the reader began in its middle.

mod open;
mod outline;
mod peers;
mod sight;
mod trigger;

pub(super) use outline::Outlines;
pub(super) use peers::AllPeers;
pub use peers::{Next, Peers, SharedBatch, Turn};
pub use sight::{KindFilter, LogFilter, Sight};
pub use trigger::Trigger;

use std::num::NonZero;

use tokio::sync::watch;

use self::open::{Candidate, Opened, Pass};
use super::{Records, RecordsError, Resource};
use crate::auth::Grant;
use crate::chart::{Actor, EventType};
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::log::StreamAlias;
use crate::numbers::{ChartVersion, EventId, Position, ResourceVersion};

/// Events of the index that are passed for one batch.
const PASSED_MAX: usize = 200_000;
/// Fewer events are opened on the thread that asks for them.
const PARALLEL_EVENTS_MIN: usize = 256;
/// What an event takes besides its body, roughly, in bytes.
const EVENT_BYTES: usize = 512;

/// How much one batch may have, beyond the rest of the commit that it ends with.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Events that are opened.
    pub events: usize,
    /// Bytes of memory for them, on each thread that opens some.
    pub bytes: usize,
}

/// Some events of the log, in order.
#[derive(Debug, Default)]
pub struct LogBatch {
    /// Those that the caller wants and may see.
    pub events: Vec<LogEvent>,
    /// Behind the last event that was looked at, shown or not: where the next batch begins.
    pub next: Position,
    /// Behind the last event of the log, when this was read.
    pub head: Position,
}

/// One event of the log, as far as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// Its number in the log.
    pub position: Position,
    /// Which part of what is told of it; 0: what it says of its own resource.
    pub part: u8,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// What happened. Of an event that was erased with its chart: `chart.erased`.
    pub event_type: EventType,
    /// The chart that it is in, or that was erased; `None`: the directory.
    pub chart: Option<StreamAlias>,
    /// Whose chart that is, unless it was erased.
    pub patient: Option<ResourceId>,
    /// Its number in the chart.
    pub chart_version: Option<ChartVersion>,
    /// The resource that it is about: Type/id.
    pub resource: Option<String>,
    /// Version of the resource from this event on; 0: it is about none.
    pub version: ResourceVersion,
    /// Why: in events about a chart itself.
    pub reason: Option<String>,
    /// Under whose rights what it brings is carried out: of a Subscription.
    pub rights: Option<String>,
    /// The resource matched the criteria before this event, and no longer does.
    pub leaves: bool,
    /// The caller sees no later event of the same commit.
    pub ends_commit: bool,
    /// A part of the same event follows.
    pub goes_on: bool,
    /// Who caused it, if that is wanted.
    pub actor: Option<Box<Actor>>,
    /// What the chart holds of the resource from this event on, if that is wanted.
    pub body: Option<Resource>,
    /// What the frame of the event commits to, if that is wanted: the envelope, and behind a line feed the resource as it
    /// is stored.
    pub payload: Option<Vec<u8>>,
}

impl LogEvent {
    /// What tells it from all others: its position; of a part, with its number behind a full stop.
    #[must_use]
    pub fn id(&self) -> String {
        match self.part {
            0 => self.position.to_string(),
            part => format!("{}.{part}", self.position),
        }
    }
}

impl Records {
    /// Position behind the last event that can be followed, as it moves.
    #[must_use]
    pub fn visible(&self) -> watch::Receiver<Position> {
        self.engine.events().visible()
    }

    /// When the event at a position was recorded; `None`: there is none yet. That tells of nobody.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn recorded_at(&self, position: Position) -> Result<Option<Instant>, RecordsError> {
        let view = self.views.view();
        let event = view.logged_at(EventId::of(position, 0))?;
        Ok(event.map(|event| event.recorded_at))
    }

    /// The events from a position on that the caller wants and may see. The events that leave are
    /// noted in the grant.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn follow(
        &self,
        grant: &Grant,
        sight: &Sight,
        from: Position,
        limits: BatchLimits,
    ) -> Result<LogBatch, RecordsError> {
        self.follow_until(grant, sight, from, None, limits)
    }

    /// The same, of events before a position that ends a commit.
    fn follow_until(
        &self,
        grant: &Grant,
        sight: &Sight,
        from: Position,
        until: Option<Position>,
        limits: BatchLimits,
    ) -> Result<LogBatch, RecordsError> {
        let view = self.views.view();
        let pass = Pass::new(self, &view, sight)?;
        let head = pass.head;
        let until = until.map_or(head, |until| until.min(head));
        let (candidates, next) = pass.candidates(from, until, limits)?;
        let opened = open_all(&pass, candidates, limits.bytes)?;
        let mut events = opened.events;
        let last = events.len().saturating_sub(1);
        let places: Vec<_> =
            events.iter().map(|(commit, event)| (*commit, event.position)).collect();
        for (at, (commit, event)) in events.iter_mut().enumerate() {
            let next = places.get(at + 1);
            event.ends_commit = at == last || next.is_none_or(|(next, _)| next != commit);
            event.goes_on = next.is_some_and(|(_, next)| *next == event.position);
        }
        let events: Vec<LogEvent> = events.into_iter().map(|(_, event)| event).collect();
        for event in &events {
            note(grant, event);
        }
        Ok(LogBatch { events, next: opened.stopped.unwrap_or(next), head })
    }

    /// The event at a position, if the caller wants it and may see it; as the last of its commit. It is noted in the
    /// grant.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn follow_one(
        &self,
        grant: &Grant,
        sight: &Sight,
        position: Position,
    ) -> Result<Option<LogEvent>, RecordsError> {
        let view = self.views.view();
        let pass = Pass::new(self, &view, sight)?;
        let end = position.next().min(pass.head);
        let limits = BatchLimits { events: 1, bytes: usize::MAX };
        let (candidates, _) = pass.candidates(position, end, limits)?;
        let opened = pass.open(candidates, limits.bytes)?;
        let event = opened.events.into_iter().next().map(|(_, event)| event);
        let event = event.map(|event| LogEvent { ends_commit: true, ..event });
        event.iter().for_each(|event| note(grant, event));
        Ok(event)
    }

    /// The event at a position, as [`Records::follow_one`]; but of the end of its commit it is told what is so.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn event_at(
        &self,
        grant: &Grant,
        sight: &Sight,
        position: Position,
    ) -> Result<Option<LogEvent>, RecordsError> {
        let Some(mut event) = self.follow_one(grant, sight, position)? else { return Ok(None) };
        let view = self.views.view();
        let limits = BatchLimits { events: 1, bytes: usize::MAX };
        let pass = Pass::new(self, &view, sight)?;
        let (rest, _) = pass.candidates(position, pass.head, limits)?;
        event.ends_commit = rest.len() <= 1;
        Ok(Some(event))
    }

    /// Position of the first event that was recorded at a moment or later; behind the last if there is none.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn position_at(&self, moment: Instant) -> Result<Position, RecordsError> {
        Ok(self.view().position_at(moment)?)
    }
}

/// What was erased tells of nobody.
fn note(grant: &Grant, event: &LogEvent) {
    let is_of_erased = event.chart.is_some() && event.patient.is_none();
    if is_of_erased {
        return;
    }
    grant.showed(EventId::of(event.position, event.part));
    if let Some(chart) = event.chart {
        grant.saw_chart(chart);
    }
}

/// Opens candidates, on several threads if they are many.
fn open_all(
    pass: &Pass<'_>,
    candidates: Vec<Candidate>,
    bytes: usize,
) -> Result<Opened, RecordsError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    if candidates.len() < PARALLEL_EVENTS_MIN || threads == 1 {
        return pass.open(candidates, bytes);
    }
    let size = candidates.len().div_ceil(threads);
    let mut parts = Vec::with_capacity(threads);
    let mut rest = candidates.into_iter();
    loop {
        let part: Vec<Candidate> = rest.by_ref().take(size).collect();
        if part.is_empty() {
            break;
        }
        parts.push(part);
    }
    std::thread::scope(|scope| {
        let open = |part| scope.spawn(move || pass.open(part, bytes));
        let threads: Vec<_> = parts.into_iter().map(open).collect();
        let mut all = Opened::default();
        for thread in threads {
            let failed = |_| RecordsError::unreadable("a thread that opened events panicked");
            let opened = thread.join().map_err(failed)??;
            // What comes behind a part that was too large is read again with the next batch.
            if all.stopped.is_none() {
                all.events.extend(opened.events);
                all.stopped = opened.stopped;
            }
        }
        Ok(all)
    })
}

/// Bytes of memory that an event takes.
fn size_of(event: &LogEvent) -> usize {
    let payload = event.payload.as_ref().map_or(0, Vec::len);
    EVENT_BYTES + event.body.as_ref().map_or(0, |body| body.body.len()) + payload
}
