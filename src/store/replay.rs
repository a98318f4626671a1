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

use super::StoreError;
use super::decode::{self, decoded_groups, unreadable};
use super::trail::Entry;
use crate::fhir::ResourceKey;
use crate::fhir::terms::Term;
use crate::log::{Frame, Group, Location, Reader};
use crate::view::{AccessGroup, Fact, FactGroup, Generation, TermChange, View};

/// Events after which a batch takes no further group.
const BATCH_EVENTS_MIN: usize = 4_096;

/// Applies to a generation the events of the log that it does not have, below `end`; tells
/// `progress` after each batch how far it is.
pub fn replay_events(
    generation: &Arc<Generation>,
    reader: &Reader,
    end: u64,
    progress: &dyn Fn(u64),
) -> Result<(), StoreError> {
    let from = generation.view().applied_events()?;
    if from >= end {
        return Ok(());
    }
    let mut batch = Batch { reader, view: generation.view(), bodies: HashMap::new() };
    let mut groups = Vec::new();
    let mut events = 0;
    let flush = |groups: &mut Vec<FactGroup>, batch: &mut Batch<'_>| {
        generation.apply(groups)?;
        groups.clear();
        batch.view = generation.view();
        batch.bodies.clear();
        progress(batch.view.applied_events()?);
        Ok::<_, StoreError>(())
    };
    decoded_groups(reader, from, end, |mut group| {
        for fact in &mut group.facts {
            batch.complete(fact)?;
        }
        events += group.facts.len();
        groups.push(group);
        if events >= BATCH_EVENTS_MIN {
            events = 0;
            flush(&mut groups, &mut batch)?;
        }
        Ok(())
    })?;
    flush(&mut groups, &mut batch)
}

/// Groups that are not applied yet.
struct Batch<'a> {
    reader: &'a Reader,
    /// The state before them.
    view: View,
    /// Where the resources that they change have their bodies now, if they have one.
    bodies: HashMap<ResourceKey, Option<Location>>,
}

impl Batch<'_> {
    /// Turns the terms that a resource has after an event into the change of its terms.
    fn complete(&mut self, fact: &mut Fact) -> Result<(), StoreError> {
        let Some(key) = fact.envelope.key().filter(|_| fact.envelope.home.is_none()) else {
            return Ok(());
        };
        if !decode::is_first(fact) {
            let before = self.terms_before(&key)?;
            fact.terms = TermChange::between(&before, &fact.terms.added);
        }
        self.bodies.insert(key, fact.holds_body.then_some(fact.location));
        Ok(())
    }

    /// The index terms of a resource's version before.
    fn terms_before(&self, key: &ResourceKey) -> Result<Vec<Term>, StoreError> {
        let body = match self.bodies.get(key) {
            Some(body) => *body,
            None => self.view.head(key)?.filter(|head| head.live).map(|head| head.location),
        };
        let Some(at) = body else { return Ok(Vec::new()) };
        let before = decode::fact(&self.reader.frame(at)?, at)?;
        if before.envelope.key().as_ref() == Some(key) {
            Ok(before.terms.added)
        } else {
            Err(unreadable(at))
        }
    }
}

/// The same for the access log.
pub fn replay_access(
    generation: &Arc<Generation>,
    reader: &Reader,
    end: u64,
) -> Result<(), StoreError> {
    let from = generation.view().applied_access()?;
    let mut groups = Vec::new();
    let mut entries = 0;
    for group in reader.scan(from, end) {
        let group = access_group(&group?);
        entries += group.charts.len();
        groups.push(group);
        if entries >= BATCH_EVENTS_MIN {
            entries = 0;
            generation.apply_access(&groups)?;
            groups.clear();
        }
    }
    Ok(generation.apply_access(&groups)?)
}

fn access_group(group: &Group) -> AccessGroup {
    let charts = |(frame, _): &(Frame, Location)| {
        Entry::decode(&frame.payload).map(|entry| entry.aliases()).unwrap_or_default()
    };
    AccessGroup {
        first_position: group.first_position,
        location: group.location,
        charts: group.frames.iter().map(charts).collect(),
    }
}
