//! From frames of the event log to facts, on several threads.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::StoreError;
use crate::chart::{Envelope, Happening, Payload};
use crate::clock::Instant;
use crate::fhir::status;
use crate::fhir::terms::terms_of;
use crate::json::Document;
use crate::log::{Frame, Group, Location, LogError, Reader};
use crate::view::{Fact, FactGroup, TermChange};

/// Events that a thread decodes at a time, and the groups they are in.
const PART_EVENTS_MIN: usize = 256;
/// Parts that may wait for a thread.
const PARTS_WAITING_MAX: usize = 8;

/// A part of the log with its number in the order of the log.
type Numbered<T, E> = (u64, Result<Vec<T>, E>);

/// Calls `take` with every group of the log from position `from` to `end`, in order, decoded. The
/// facts have the terms that their resource has after them as `added`.
pub fn decoded_groups(
    reader: &Reader,
    from: u64,
    end: u64,
    mut take: impl FnMut(FactGroup) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let (parts, waiting) = sync_channel::<Numbered<Group, LogError>>(PARTS_WAITING_MAX);
        let (decoded, done) = sync_channel::<Numbered<FactGroup, StoreError>>(threads);
        let waiting = std::sync::Arc::new(Mutex::new(waiting));
        scope.spawn(move || scan(reader, from, end, &parts));
        for _ in 0..threads {
            let (waiting, decoded) = (std::sync::Arc::clone(&waiting), decoded.clone());
            scope.spawn(move || decode_parts(&waiting, &decoded));
        }
        // The threads hold the others: when they end, so does the channel; and if this ends early,
        // so do they.
        drop((decoded, waiting));
        in_order(done, &mut take)
    })
}

/// Reads groups, several at a time.
fn scan(reader: &Reader, from: u64, end: u64, parts: &SyncSender<Numbered<Group, LogError>>) {
    let mut groups = reader.scan(from, end);
    for number in 0.. {
        let mut part = Vec::new();
        let mut events = 0;
        let mut failure = None;
        while events < PART_EVENTS_MIN {
            match groups.next() {
                Some(Ok(group)) => {
                    events += group.frames.len();
                    part.push(group);
                }
                Some(Err(error)) => {
                    failure = Some(error);
                    break;
                }
                None => break,
            }
        }
        let is_last = events < PART_EVENTS_MIN;
        // Nobody waits for them any more when something before has failed.
        if parts.send((number, failure.map_or(Ok(part), Err))).is_err() || is_last {
            return;
        }
    }
}

fn decode_parts(
    waiting: &Mutex<Receiver<Numbered<Group, LogError>>>,
    decoded: &SyncSender<Numbered<FactGroup, StoreError>>,
) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, part)) = next else { return };
        let facts =
            part.map_err(StoreError::from).and_then(|part| part.iter().map(fact_group).collect());
        if decoded.send((number, facts)).is_err() {
            return;
        }
    }
}

fn in_order(
    done: Receiver<Numbered<FactGroup, StoreError>>,
    take: &mut impl FnMut(FactGroup) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, part) in done {
        early.insert(number, part);
        while let Some(part) = early.remove(&next) {
            part?.into_iter().try_for_each(&mut *take)?;
            next += 1;
        }
    }
    Ok(())
}

fn fact_group(group: &Group) -> Result<FactGroup, StoreError> {
    let facts = group.frames.iter().map(|(frame, location)| fact(frame, *location));
    Ok(FactGroup {
        first_position: group.first_position,
        recorded_at: Instant::from_micros(group.recorded_at),
        facts: facts.collect::<Result<_, _>>()?,
    })
}

/// What an event means for the views, but for the terms that its resource had before.
pub fn fact(frame: &Frame, location: Location) -> Result<Fact, StoreError> {
    let payload = Payload::decode(&frame.payload).ok_or_else(|| unreadable(location))?;
    let envelope = payload.envelope().map_err(|_| unreadable(location))?;
    let mut fact = Fact {
        location,
        alias: frame.alias,
        stream_version: frame.version,
        holds_body: holds_body(&envelope),
        envelope,
        retracted: false,
        terms: TermChange::default(),
    };
    let key = fact.envelope.key().filter(|_| fact.envelope.home.is_none());
    if let Some(key) = key.filter(|_| !payload.body.is_empty()) {
        let document = Document::parse(payload.body).map_err(|_| unreadable(location))?;
        fact.retracted = status::is_entered_in_error(document.root());
        fact.terms.added = terms_of(key.kind, document.root(), None);
    }
    Ok(fact)
}

/// Whether an event's resource had no terms before it.
pub fn is_first(fact: &Fact) -> bool {
    matches!(fact.envelope.event_type.happening, Happening::Recorded | Happening::Restored)
}

/// Whether the resource has a body in the chart after that event.
fn holds_body(envelope: &Envelope) -> bool {
    use Happening::{Answered, MovedOut, Opened, Removed};
    !matches!(envelope.event_type.happening, Removed | MovedOut | Opened | Answered)
}

pub fn unreadable(at: Location) -> StoreError {
    StoreError::Unreadable(format!(
        "the event in segment {:08} at byte {} is not one that this program reads",
        at.segment, at.offset
    ))
}
