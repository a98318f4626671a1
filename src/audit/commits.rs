//! Commits as traces: what was written, told by the events themselves.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::access::{AccessEntry, Look, Part, RequestId, Runs, Source};
use crate::chart::{Actor, EventKind, Stated};
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position};
use crate::records::{Records, RecordsError};
use crate::view::{Change, LoggedEvent, View};

/// Names of what a commit did, as those of operations that do nothing else.
const CREATED: &str = "createResource";
const UPDATED: &str = "updateResource";
const DELETED: &str = "deleteResource";
const SEVERAL: &str = "transaction";
const HELD: &str = "holdChart";
const RELEASED: &str = "releaseChart";
const ERASED: &str = "eraseChart";
/// A request that changed nothing; the log keeps its idempotency key.
const ANSWERED: &str = "answerRepeatable";

/// What a commit can be called.
pub(super) const OPERATIONS: [&str; 8] =
    [CREATED, UPDATED, DELETED, SEVERAL, HELD, RELEASED, ERASED, ANSWERED];

/// A commit, as an access entry would tell it.
pub(super) struct Commit {
    /// Positions of its events.
    pub events: Range<Position>,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// `None`: no event of it can be read any more.
    pub entry: Option<AccessEntry>,
}

impl Commit {
    /// The commit that the event at a position belongs to; `None`: there is no such event.
    pub(super) fn of(
        records: &Records,
        view: &View,
        at: Position,
    ) -> Result<Option<Self>, RecordsError> {
        if at >= view.applied_events()? {
            return Ok(None);
        }
        let keys = records.engine().keys();
        let mut first = at;
        while first > Position::default() {
            let before = logged(view, first.previous())?;
            if keys.reader().frame(before.place.location)?.last_of_commit {
                break;
            }
            first = first.previous();
        }
        let frames = keys.reader().commit(logged(view, first)?.place.location)?.len() as u64;
        let events = first..first + frames;
        let logged: Vec<_> = view.logged(events.clone())?.collect::<Result<_, _>>()?;
        let recorded_at = logged.first().map_or(Instant::from_micros(0), |one| one.recorded_at);
        let stated = match stated(records, view, &logged)? {
            Some(stated) => stated,
            None => return Ok(Some(Self { events, recorded_at, entry: None })),
        };
        let entry = Some(entry(stated, recorded_at, &logged));
        Ok(Some(Self { events, recorded_at, entry }))
    }
}

/// The event at a position.
pub(super) fn logged(view: &View, at: Position) -> Result<LoggedEvent, RecordsError> {
    let event = view.logged_at(EventId::of(at, 0))?;
    event.ok_or_else(|| RecordsError::unreadable(format!("event {at} is not in the index")))
}

/// Who made a commit, and what its first event that says so is about.
fn stated(
    records: &Records,
    view: &View,
    events: &[LoggedEvent],
) -> Result<Option<(Actor, EventKind)>, RecordsError> {
    for event in events.iter().filter(|event| event.is_readable) {
        match records.engine().keys().written(view, event.place.location) {
            Ok((envelope, _)) => {
                if let Stated::Here(actor) = envelope.actor {
                    return Ok(Some((*actor, envelope.event_type.event_kind)));
                }
            }
            Err(EngineError::Erased(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn entry(
    (actor, kind): (Actor, EventKind),
    recorded_at: Instant,
    events: &[LoggedEvent],
) -> AccessEntry {
    let mut parts: Vec<Part> = Vec::new();
    let starts = events.iter().enumerate().filter_map(|(at, event)| Some((at, event.change?)));
    let starts: Vec<(usize, Change)> = starts.collect();
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([events.len()]);
    for (number, ((at, change), end)) in (0..).zip(starts.iter().zip(ends)) {
        let of_change = events.get(*at..end).unwrap_or_default();
        let look = look(operation_of(change), of_change);
        parts.push(Part { at: number, look });
    }
    let mut operations = parts.iter().map(|part| Arc::clone(&part.look.operation));
    let operation: Arc<str> = match operations.next() {
        None => operation_without_change(kind).into(),
        Some(first) if operations.all(|other| other == first) => first,
        Some(_) => SEVERAL.into(),
    };
    let look = look(&operation, events);
    if parts.len() == 1 {
        parts.clear();
    }
    let Actor { request, client_request, trace, .. } = &actor;
    AccessEntry {
        request: request.parse().unwrap_or(RequestId::new(0, 0)),
        begun_at: recorded_at.micros(),
        client_request: client_request.clone(),
        trace: trace.clone(),
        source: Arc::new(Source::of(actor)),
        look,
        parts,
        bytes: 0,
    }
}

fn operation_of(change: &Change) -> &'static str {
    match (change.live, change.first) {
        (true, true) => CREATED,
        (true, false) => UPDATED,
        (false, _) => DELETED,
    }
}

fn operation_without_change(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Held => HELD,
        EventKind::Released => RELEASED,
        EventKind::Erased => ERASED,
        EventKind::Answered => ANSWERED,
        // Of a commit whose changes can not be read any more.
        _ => SEVERAL,
    }
}

fn look(operation: &str, events: &[LoggedEvent]) -> Look {
    let charts: BTreeSet<StreamAlias> = events.iter().filter_map(|event| event.chart).collect();
    let changes = events.iter().filter(|event| event.change.is_some());
    let shown: BTreeSet<EventId> = changes.map(LoggedEvent::id).collect();
    let written: BTreeSet<Position> = events.iter().map(|event| event.position).collect();
    // How it was asked for, and answered, is not told by events.
    let made = AccessEntry::of(Source::default(), RequestId::new(0, 0), operation, 0).look;
    Look {
        charts: charts.into_iter().collect(),
        shown: Runs::from(&shown),
        written: Runs::from(&written),
        ..made
    }
}
