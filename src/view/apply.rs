//! Applying events to the views: the same function for a fresh commit and for a replay.

use std::collections::HashMap;

use fjall::OwnedWriteBatch as Batch;

use super::keyspaces::Views;
use super::records::{
    BodyPlace, ChartRecord, Head, IdempotentCommit, PastVersion, StreamEntry, StreamPlace, encode,
    is_first,
};
use super::{View, ViewError, keys};
use crate::chart::{Envelope, Happening};
use crate::clock::Instant;
use crate::fhir::terms::Term;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::{Location, StreamAlias};
use crate::vault::Wrap;

/// How a resource's index terms change with an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermChange {
    /// Terms it did not have before.
    pub added: Vec<Term>,
    /// Terms it has no more.
    pub removed: Vec<Term>,
}

impl TermChange {
    /// The difference between two sorted lists of terms.
    #[must_use]
    pub fn between(before: &[Term], after: &[Term]) -> Self {
        let without = |these: &[Term], those: &[Term]| {
            these.iter().filter(|term| those.binary_search(term).is_err()).cloned().collect()
        };
        Self { added: without(after, before), removed: without(before, after) }
    }
}

/// One event of a group, with what the views need to know of it.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Where its frame lies.
    pub location: Location,
    /// The stream it belongs to; [`StreamAlias::NONE`]: the directory.
    pub alias: StreamAlias,
    /// Its number in a chart's stream.
    pub stream_version: u64,
    /// The patient whose chart that is.
    pub patient: Option<ResourceId>,
    /// The wrapped key of the chart, in the event that opens it.
    pub wrap: Option<Wrap>,
    /// What it says.
    pub envelope: Envelope,
    /// Whether the resource has a body after it.
    pub holds_body: bool,
    /// Whether that body says `entered-in-error`.
    pub retracted: bool,
    /// Index terms of the resource; only at home.
    pub terms: TermChange,
}

impl Views {
    /// Applies one group of events, all or nothing.
    ///
    /// # Errors
    ///
    /// The view store's, or [`ViewError::Apply`] when the facts do not follow from the state.
    pub fn apply(
        &self,
        first_position: u64,
        recorded_at: Instant,
        facts: &[Fact],
    ) -> Result<(), ViewError> {
        let view = self.view();
        let mut application = Application {
            views: self,
            view: &view,
            batch: self.database.batch(),
            recorded_at,
            charts: HashMap::new(),
            streams: HashMap::new(),
            open: None,
        };
        for (fact, position) in facts.iter().zip(first_position..) {
            application.take(position, fact)?;
        }
        application.finish(first_position + facts.len() as u64)
    }
}

/// A resource whose home event was seen; events in further charts may follow.
struct OpenResource {
    key: ResourceKey,
    before: Option<Head>,
    head: Head,
    happening: Happening,
    terms: TermChange,
}

/// One step of a chart's stream: version, what it supersedes, whether it brings a body.
type Step = (u64, u64, bool);

struct Application<'a> {
    views: &'a Views,
    view: &'a View,
    batch: Batch,
    recorded_at: Instant,
    charts: HashMap<StreamAlias, (ResourceId, ChartRecord)>,
    streams: HashMap<StreamAlias, Vec<Step>>,
    open: Option<OpenResource>,
}

impl Application<'_> {
    fn take(&mut self, position: u64, fact: &Fact) -> Result<(), ViewError> {
        if let Some(mark) = &fact.envelope.idempotency {
            let commit = IdempotentCommit {
                request: mark.request.clone(),
                first_position: position,
                first: fact.location,
                recorded_at: self.recorded_at,
            };
            self.batch.insert(&self.views.spaces.idempotency, mark.key.as_str(), encode(&commit)?);
        }
        if fact.envelope.home.is_none() {
            self.close_resource()?;
            if let Some(key) = fact.envelope.key() {
                self.open_resource(position, fact, key)?;
            }
        }
        if let Some(wrap) = &fact.wrap {
            let alias = fact.alias.0.to_be_bytes();
            self.batch.insert(&self.views.spaces.keys, alias, wrap.bytes().as_slice());
        }
        if fact.alias != StreamAlias::NONE {
            self.step_stream(position, fact)?;
        }
        Ok(())
    }

    fn open_resource(
        &mut self,
        position: u64,
        fact: &Fact,
        key: ResourceKey,
    ) -> Result<(), ViewError> {
        let before = self.view.head(&key)?;
        let places = match &before {
            // A deletion leaves the record of where the resource lay.
            Some(before) if !fact.holds_body => before.places.clone(),
            _ => Vec::new(),
        };
        let head = Head {
            number: before.as_ref().map_or(position, |before| before.number),
            version: before.as_ref().map_or(0, |before| before.version) + 1,
            live: fact.holds_body,
            retracted: fact.retracted,
            position,
            location: fact.location,
            recorded_at: self.recorded_at,
            places,
        };
        let happening = fact.envelope.event_type.happening;
        self.open = Some(OpenResource { key, before, head, happening, terms: fact.terms.clone() });
        Ok(())
    }

    fn step_stream(&mut self, position: u64, fact: &Fact) -> Result<(), ViewError> {
        let mut entry = StreamEntry {
            position,
            location: fact.location,
            recorded_at: self.recorded_at,
            supersedes: 0,
            resource_version: 0,
            body: None,
        };
        if fact.envelope.resource.is_some() {
            let open = self.open.as_mut().ok_or_else(|| {
                ViewError::Apply(format!("event {position} has no home event before it"))
            })?;
            let before = open.before.as_ref().filter(|before| before.live);
            let place = before
                .and_then(|before| before.places.iter().find(|place| place.alias() == fact.alias));
            entry.supersedes = place.map_or(0, |place| place.version);
            entry.resource_version = open.head.version;
            if fact.holds_body {
                entry.body = Some(BodyPlace(open.head.location));
                open.head.places.push(StreamPlace::new(fact.alias, fact.stream_version));
            }
        }
        self.advance_chart(fact)?;
        let step = (fact.stream_version, entry.supersedes, entry.body.is_some());
        self.streams.entry(fact.alias).or_default().push(step);
        let key = keys::pair(fact.alias.0, fact.stream_version);
        self.batch.insert(&self.views.spaces.streams, key, encode(&entry)?);
        Ok(())
    }

    fn advance_chart(&mut self, fact: &Fact) -> Result<(), ViewError> {
        let (_, record) = match self.charts.entry(fact.alias) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let patient = fact.patient.clone();
                let patient =
                    patient.ok_or(ViewError::Apply("a chart without a patient".into()))?;
                let record = self.view.chart(&patient)?.unwrap_or(ChartRecord {
                    alias: fact.alias.0,
                    version: 0,
                    recorded_at: self.recorded_at,
                });
                place.insert((patient, record))
            }
        };
        if record.alias != fact.alias.0 || record.version + 1 != fact.stream_version {
            return Err(ViewError::Apply(format!(
                "chart {} is at version {}, the event says {}",
                fact.alias, record.version, fact.stream_version
            )));
        }
        record.version = fact.stream_version;
        record.recorded_at = self.recorded_at;
        Ok(())
    }

    fn close_resource(&mut self) -> Result<(), ViewError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let OpenResource { key, before, head, happening, terms } = open;
        let spaces = &self.views.spaces;
        let key_bytes = keys::resource(&key);
        if before.is_none() {
            self.batch.insert(&spaces.numbers, head.number.to_be_bytes(), key_bytes.as_slice());
        }
        let past = PastVersion {
            position: head.position,
            location: head.location,
            recorded_at: head.recorded_at,
            live: head.live,
            first: is_first(happening),
            aliases: head.places.iter().map(|place| place.alias().0).collect(),
        };
        self.batch.insert(&spaces.history, keys::pair(head.number, head.version), encode(&past)?);
        self.batch.insert(&spaces.resources, key_bytes, encode(&head)?);
        for term in &terms.removed {
            let key = keys::with_number(keys::term(key.kind, term), head.number);
            self.batch.remove(&spaces.terms, key);
        }
        for term in &terms.added {
            let key = keys::with_number(keys::term(key.kind, term), head.number);
            self.batch.insert(&spaces.terms, key, []);
        }
        let aliases = |head: &Head| -> Vec<StreamAlias> {
            let places = head.places.iter().filter(|_| head.live);
            places.map(StreamPlace::alias).collect()
        };
        let (was, is) = (before.as_ref().map(aliases).unwrap_or_default(), aliases(&head));
        for alias in was.iter().filter(|alias| !is.contains(alias)) {
            let key = keys::with_number(keys::compartment(key.kind, *alias), head.number);
            self.batch.remove(&spaces.terms, key);
        }
        for alias in is.iter().filter(|alias| !was.contains(alias)) {
            let key = keys::with_number(keys::compartment(key.kind, *alias), head.number);
            self.batch.insert(&spaces.terms, key, []);
        }
        Ok(())
    }

    fn finish(mut self, applied: u64) -> Result<(), ViewError> {
        self.close_resource()?;
        let spaces = &self.views.spaces;
        for (alias, (patient, record)) in &self.charts {
            if self.view.chart(patient)?.is_none() {
                self.batch.insert(&spaces.aliases, alias.0.to_be_bytes(), patient.as_str());
            }
            self.batch.insert(&spaces.charts, patient.as_str(), encode(record)?);
        }
        for (alias, steps) in std::mem::take(&mut self.streams) {
            self.take_snapshots(alias, &steps)?;
        }
        self.batch.insert(&spaces.state, "events", encode(&applied)?);
        Ok(self.batch.commit()?)
    }

    /// Stores the manifest at each version of the group where one is due.
    fn take_snapshots(&mut self, alias: StreamAlias, steps: &[Step]) -> Result<(), ViewError> {
        let least = self.views.snapshot_events_min;
        let is_due = |version: u64| version.is_multiple_of(interval(least, version));
        let Some(last_due) = steps.iter().rposition(|(version, _, _)| is_due(*version)) else {
            return Ok(());
        };
        let first = steps.first().map_or(1, |(version, _, _)| *version);
        let mut manifest = self.view.manifest(alias, first - 1)?;
        for (version, supersedes, holds_body) in steps.iter().take(last_due + 1) {
            manifest.apply(*version, *supersedes, *holds_body);
            if is_due(*version) {
                let key = keys::pair(alias.0, *version);
                self.batch.insert(&self.views.spaces.snapshots, key, manifest.encode());
            }
        }
        Ok(())
    }
}

/// Events between snapshots: grows with the chart, so that all its snapshots together stay in
/// proportion to its events (a snapshot takes one bit per event before it).
fn interval(least: u64, version: u64) -> u64 {
    let sixteenth = version.checked_ilog2().map_or(1, |bits| (1u64 << bits) / 16);
    least.max(sixteenth)
}
