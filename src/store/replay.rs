//! From the logs to the views: at every start from where they are, and from nothing when they are
//! lost.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::keys::{Keys, envelope_of};
use super::trail::Entry;
use crate::chart::Envelope;
use crate::clock::Instant;
use crate::fhir::terms::{Term, terms_of};
use crate::fhir::{ResourceKey, status};
use crate::json::Document;
use crate::log::{Frame, Group, Location, Reader, Recovered, StreamAlias, Written};
use crate::seal::SealingKey;
use crate::vault::Wrap;
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
pub fn catch_up(
    views: &Views,
    keys: &Keys,
    events: &Recovered,
    access: &Recovered,
) -> Result<(), StoreError> {
    let wraps = keys.vault().wraps()?.into_iter().collect();
    EventReplay { views, keys, reader: &events.reader, wraps }
        .run(events.writer.next_position())?;
    replay_access(views, keys, access)
}

struct EventReplay<'a> {
    views: &'a Views,
    keys: &'a Keys,
    reader: &'a Reader,
    /// Wraps of the current epoch that the views may not hold.
    wraps: HashMap<StreamAlias, Wrap>,
}

impl EventReplay<'_> {
    fn run(&mut self, end: u64) -> Result<(), StoreError> {
        let from = self.views.view().applied_events()?;
        for group in self.reader.scan(from, end) {
            let group = group?;
            let view = self.views.view();
            let mut facts = Vec::with_capacity(group.frames.len());
            for (frame, location) in group.frames {
                facts.push(self.fact(&view, frame, location)?);
            }
            let recorded_at = Instant::from_micros(group.recorded_at);
            self.views.apply(group.first_position, recorded_at, &facts)?;
        }
        Ok(())
    }

    fn fact(&mut self, view: &View, frame: Frame, location: Location) -> Result<Fact, StoreError> {
        let (alias, stream_version) = (frame.alias, u64::from(frame.version));
        let wrap = frame.content.wrap().map(|wrap| Wrap::from_bytes(*wrap));
        if let Some(wrap) = &wrap {
            self.wraps.entry(alias).or_insert_with(|| wrap.clone());
        }
        let key = self.key(view, alias)?;
        let payload = key
            .open(frame.kind, alias, frame.content)
            .map_err(|error| self.reader.damage(location, &error.to_string()))?;
        let (envelope, start) = envelope_of(&payload)?;
        let mut fact = Fact {
            location,
            alias,
            stream_version,
            patient: key.owner().parse().ok().filter(|_| alias != StreamAlias::NONE),
            wrap: wrap.and_then(|_| self.wraps.get(&alias).cloned()),
            holds_body: holds_body(&envelope),
            envelope,
            retracted: false,
            terms: TermChange::default(),
        };
        let resource = fact.envelope.key().filter(|_| fact.envelope.home.is_none());
        if let Some(resource) = resource {
            let after = match payload.get(start..) {
                None | Some([]) => Vec::new(),
                Some(body) => {
                    let document = Document::parse(body).map_err(|_| unreadable(location))?;
                    fact.retracted = status::is_entered_in_error(document.root());
                    terms_of(resource.kind, document.root(), None)
                }
            };
            let before = self.terms_before(view, &resource)?;
            fact.terms = TermChange::between(&before, &after);
        }
        Ok(fact)
    }

    fn key(&self, view: &View, alias: StreamAlias) -> Result<Arc<SealingKey>, StoreError> {
        match self.wraps.get(&alias) {
            Some(wrap) if self.keys.vault().opened_key(alias).is_none() => {
                Ok(self.keys.vault().key(alias, wrap)?)
            }
            _ => self.keys.of(view, alias),
        }
    }

    /// The index terms of a resource's current version.
    fn terms_before(&self, view: &View, key: &ResourceKey) -> Result<Vec<Term>, StoreError> {
        let Some(head) = view.head(key)?.filter(|head| head.live) else { return Ok(Vec::new()) };
        let (_, body) = self.keys.read_event(view, head.location)?;
        let document = Document::parse(body).map_err(|_| unreadable(head.location))?;
        Ok(terms_of(key.kind, document.root(), None))
    }
}

/// Whether the resource has a body in the chart after that event.
fn holds_body(envelope: &Envelope) -> bool {
    use crate::chart::Happening::{Answered, MovedOut, Opened, Removed};
    !matches!(envelope.event_type.happening, Removed | MovedOut | Opened | Answered)
}

fn unreadable(at: Location) -> StoreError {
    StoreError::Unreadable(format!(
        "the event in segment {:08} at byte {} is not one that this program reads",
        at.segment, at.offset
    ))
}

fn replay_access(views: &Views, keys: &Keys, log: &Recovered) -> Result<(), StoreError> {
    let from = views.view().applied_access()?;
    for group in log.reader.scan(from, log.writer.next_position()) {
        let group = group?;
        let charts = group.frames.iter().map(|(frame, _)| charts_of_entry(keys, frame));
        let charts: Vec<Vec<StreamAlias>> = charts.collect::<Result<_, _>>()?;
        views.apply_access(&written(&group), charts.iter().map(Vec::as_slice))?;
    }
    Ok(())
}

fn charts_of_entry(keys: &Keys, frame: &Frame) -> Result<Vec<StreamAlias>, StoreError> {
    let payload = keys.access().open(frame.kind, frame.alias, frame.content.clone())?;
    Ok(Entry::decode(&payload).map(|entry| entry.aliases()).unwrap_or_default())
}

fn written(group: &Group) -> Written {
    Written {
        first_position: group.first_position,
        recorded_at: group.recorded_at,
        group: group.location,
        frames: group.frames.iter().map(|(_, location)| *location).collect(),
        bytes: Vec::new(),
    }
}
