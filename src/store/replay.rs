//! From the logs to the views: at every start from where they are, and from nothing when they are
//! lost.

use std::path::Path;

use super::StoreError;
use super::trail::Entry;
use crate::chart::{Envelope, Payload};
use crate::clock::Instant;
use crate::fhir::terms::{Term, terms_of};
use crate::fhir::{ResourceKey, status};
use crate::json::Document;
use crate::log::{Frame, Group, Location, Reader, Recovered, StreamAlias, Written};
use crate::view::{Fact, Options, TermChange, View, Views};

/// Opens the views. Views that do not open are discarded, to be rebuilt.
pub fn open_views(directory: &Path, options: Options) -> Result<Views, StoreError> {
    match Views::open(directory, options) {
        Ok(views) => Ok(views),
        Err(error) => {
            tracing::warn!(%error, "the views do not open; rebuilding them");
            Views::discard(directory)?;
            Ok(Views::open(directory, options)?)
        }
    }
}

/// Applies to the views what the logs hold beyond them.
pub fn catch_up(views: &Views, events: &Recovered, access: &Recovered) -> Result<(), StoreError> {
    replay_events(views, events)?;
    replay_access(views, access)
}

fn replay_events(views: &Views, log: &Recovered) -> Result<(), StoreError> {
    let from = views.view().applied_events()?;
    let end = log.writer.next_position();
    for group in log.reader.scan(from, end) {
        let group = group?;
        let view = views.view();
        let mut facts = Vec::with_capacity(group.frames.len());
        for (frame, location) in &group.frames {
            facts.push(fact(&view, &log.reader, frame, *location)?);
        }
        views.apply(group.first_position, Instant::from_micros(group.recorded_at), &facts)?;
    }
    Ok(())
}

fn fact(
    view: &View,
    reader: &Reader,
    frame: &Frame,
    location: Location,
) -> Result<Fact, StoreError> {
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
    if let Some(key) = key {
        let after = if payload.body.is_empty() {
            Vec::new()
        } else {
            let document = Document::parse(payload.body).map_err(|_| unreadable(location))?;
            fact.retracted = status::is_entered_in_error(document.root());
            terms_of(key.kind, document.root(), None)
        };
        let before = terms_before(view, reader, &key)?;
        fact.terms = TermChange::between(&before, &after);
    }
    Ok(fact)
}

/// Whether the resource has a body in the chart after that event.
fn holds_body(envelope: &Envelope) -> bool {
    use crate::chart::Happening::{Answered, MovedOut, Opened, Removed};
    !matches!(envelope.event_type.happening, Removed | MovedOut | Opened | Answered)
}

/// The index terms of a resource's current version.
fn terms_before(view: &View, reader: &Reader, key: &ResourceKey) -> Result<Vec<Term>, StoreError> {
    let Some(head) = view.head(key)?.filter(|head| head.live) else { return Ok(Vec::new()) };
    let frame = reader.frame(head.location)?;
    let payload = Payload::decode(&frame.payload).ok_or_else(|| unreadable(head.location))?;
    let document = Document::parse(payload.body).map_err(|_| unreadable(head.location))?;
    Ok(terms_of(key.kind, document.root(), None))
}

fn unreadable(at: Location) -> StoreError {
    StoreError::Unreadable(format!(
        "the event in segment {:08} at byte {} is not one that this program reads",
        at.segment, at.offset
    ))
}

fn replay_access(views: &Views, log: &Recovered) -> Result<(), StoreError> {
    let from = views.view().applied_access()?;
    for group in log.reader.scan(from, log.writer.next_position()) {
        let group = group?;
        let charts: Vec<Vec<StreamAlias>> = group.frames.iter().map(charts_of_entry).collect();
        views.apply_access(&written(&group), charts.iter().map(Vec::as_slice))?;
    }
    Ok(())
}

fn charts_of_entry((frame, _): &(Frame, Location)) -> Vec<StreamAlias> {
    Entry::decode(&frame.payload).map(|entry| entry.aliases()).unwrap_or_default()
}

fn written(group: &Group) -> Written {
    Written {
        first_position: group.first_position,
        recorded_at: group.recorded_at,
        group: group.location,
        frames: group.frames.iter().map(|(_, location)| *location).collect(),
    }
}
