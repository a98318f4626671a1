//! From the logs to the views: at every start from where they are, and from nothing when a new
//! generation is built.
//!
//! ```text
//!  scan ─► decode (several threads: open, parse, terms) ─► in order ─► terms before ─► apply
//! ```
//!
//! Only events that replace something need the terms that their resource had; they are taken from
//! the body before, which the log still has. Many groups are applied in one batch.

use std::collections::HashMap;
use std::sync::Arc;

use super::EngineError;
use super::access_frames::AccessFrames;
use super::decode::{Opener, decoded_groups, unreadable};
use super::keys::Keys;
use crate::access;
use crate::fhir::{ResourceKey, Term};
use crate::log::{FrameKind, Group};
use crate::numbers::Position;
use crate::view::{AccessGroup, Event, EventPlace, Fact, FactGroup, Generation, TermChange, View};

/// Events after which a batch takes no further group.
const BATCH_EVENTS_MIN: usize = 4_096;

/// Applies to a generation the events of the log that it does not have, below `end`; tells
/// `progress` after each batch how far it is.
pub fn replay_events(
    generation: &Arc<Generation>,
    keys: &Keys,
    end: Position,
    progress: &dyn Fn(Position),
) -> Result<(), EngineError> {
    let from = generation.view().applied_events()?;
    if from >= end {
        return Ok(());
    }
    let opener = Opener::new(keys, generation)?;
    let mut batch = Batch { opener: &opener, view: generation.view(), bodies: HashMap::new() };
    let mut groups = Vec::new();
    let mut events = 0;
    let flush = |groups: &mut Vec<FactGroup>, batch: &mut Batch<'_>| {
        generation.apply(groups)?;
        groups.clear();
        batch.view = generation.view();
        batch.bodies.clear();
        progress(batch.view.applied_events()?);
        Ok::<_, EngineError>(())
    };
    decoded_groups(&opener, from, end, |mut group| {
        // What was said of an erased chart is applied before it is hidden.
        if group.events.iter().any(is_erasure) {
            flush(&mut groups, &mut batch)?;
        }
        for at in 0..group.events.len() {
            let is_orphan = is_orphan(&group.events, at);
            if let Some(Event::Fact(fact) | Event::Part { fact, .. }) = group.events.get_mut(at) {
                batch.complete(fact, is_orphan)?;
            }
        }
        events += group.events.len();
        groups.push(group);
        if events >= BATCH_EVENTS_MIN {
            events = 0;
            flush(&mut groups, &mut batch)?;
        }
        Ok(())
    })?;
    flush(&mut groups, &mut batch)?;
    opener.warn_of_missing_keys()
}

fn is_erasure(event: &Event) -> bool {
    matches!(event, Event::Fact(fact) if fact.erasure.is_some())
}

/// Whether the home event of an event's resource is of an erased chart.
fn is_orphan(events: &[Event], at: usize) -> bool {
    let Some(Event::Fact(fact)) = events.get(at) else { return false };
    let home = fact.envelope.home.and_then(|steps| at.checked_sub(steps as usize));
    home.is_some_and(|home| matches!(events.get(home), Some(Event::Unreadable { .. })))
}

/// Groups that are not applied yet.
struct Batch<'a> {
    opener: &'a Opener<'a>,
    /// The state before them.
    view: View,
    /// Where the resources that they change have their bodies now, if they have one.
    bodies: HashMap<ResourceKey, Option<EventPlace>>,
}

impl Batch<'_> {
    /// Turns the terms that a resource has after an event into the change of its terms. An event
    /// is an orphan when the home event of its resource is of an erased chart.
    fn complete(&mut self, fact: &mut Fact, is_orphan: bool) -> Result<(), EngineError> {
        let is_home = |_: &ResourceKey| is_orphan || fact.envelope.home.is_none();
        let Some(key) = fact.envelope.key().filter(is_home) else { return Ok(()) };
        if is_orphan {
            fact.terms = Arc::new(TermChange::between(&self.terms_before(&key)?, &[]));
            self.bodies.insert(key, None);
            return Ok(());
        }
        if fact.is_dropped {
            return Ok(());
        }
        if !fact.is_creation() || fact.place.part > 0 {
            let before = self.terms_before(&key)?;
            fact.terms = Arc::new(TermChange::between(&before, &fact.terms.added));
        }
        self.bodies.insert(key, fact.holds_body.then_some(fact.place));
        Ok(())
    }

    /// The index terms of a resource's version before.
    fn terms_before(&self, key: &ResourceKey) -> Result<Vec<Term>, EngineError> {
        let body = match self.bodies.get(key) {
            Some(body) => *body,
            None => self.view.head(key)?.filter(|head| head.live).map(|head| head.place),
        };
        let Some(at) = body else { return Ok(Vec::new()) };
        // The terms of an erased chart went with its names.
        let Some(before) = self.opener.fact(at)? else { return Ok(Vec::new()) };
        if before.envelope.key().as_ref() == Some(key) {
            Ok(before.terms.added.clone())
        } else {
            Err(unreadable(at.location))
        }
    }
}

/// The same for the access log.
pub fn replay_access(
    generation: &Arc<Generation>,
    log: &AccessFrames,
    end: Position,
) -> Result<(), EngineError> {
    let from = generation.view().applied_access()?;
    let mut groups = Vec::new();
    let mut frames = 0;
    for group in log.reader().scan(from, end) {
        let group = access_group(log, group?)?;
        frames += group.frames();
        groups.push(group);
        if frames >= BATCH_EVENTS_MIN {
            frames = 0;
            generation.apply_access(&groups)?;
            groups.clear();
        }
    }
    Ok(generation.apply_access(&groups)?)
}

/// What the entries of a group of the access log can be found by.
pub fn access_group(log: &AccessFrames, group: Group) -> Result<AccessGroup, EngineError> {
    let recorded_at = group.recorded_at;
    let mut indexed = AccessGroup::new(group.first_position, group.location, recorded_at);
    indexed.skip(group.remains.map_or(0, |remains| remains.leaves.len()));
    let sources = access::KnownSources::default();
    for (position, (frame, _)) in (group.first_position.get()..).zip(group.frames) {
        let kind = frame.kind;
        let payload = log.open(Position::new(position), frame)?;
        if kind == FrameKind::Sources {
            indexed.skip(1);
            continue;
        }
        let entries = access::unpack(&payload, recorded_at, &sources);
        indexed.add(&entries.ok_or_else(|| unreadable(group.location))?);
    }
    Ok(indexed)
}
