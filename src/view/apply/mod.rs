//! Applying events to the views: the same function for a fresh commit and for a replay.

mod parts;

use std::collections::HashMap;
use std::sync::Arc;

use fjall::OwnedWriteBatch as Batch;

use super::commits::OpenCommit;
use super::generation::Generation;
use super::group::OpenGroup;
use super::records::{
    ChartRecord, ErasedChart, Head, StoredCommit, StoredHead, StreamPlace, encode,
};
use super::stretch::{Flag, NewEvent, Note, StreamPoint, Subject};
use super::terms::TermLedger;
use super::{Event, Fact, FactGroup, TermChange, View, ViewError, keys};
use crate::chart::{Erasure, EventKind};
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::{Location, StreamAlias};
use crate::numbers::{ChartVersion, EventId, Position, ResourceNumber, Slot, Step};

impl Generation {
    /// Applies groups of events, in order, all or nothing. A resource is changed once per group.
    ///
    /// # Errors
    ///
    /// The view store's, or [`ViewError::Apply`] when the facts do not follow from the state.
    pub fn apply(self: &Arc<Self>, groups: &[FactGroup]) -> Result<(), ViewError> {
        let Some(first) = groups.first() else { return Ok(()) };
        let view = self.view();
        let mut ledger = self.terms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = view.slot(first.first_position)?;
        ledger.begin(start);
        let parts = start.get() - first.first_position.get();
        let mut application = Application {
            view: &view,
            batch: self.database.batch(),
            terms: &mut ledger,
            changed: HashMap::new(),
            charts: HashMap::new(),
            steps: HashMap::new(),
            group: OpenGroup::of(first, parts),
            position: first.first_position,
            parts,
            open: None,
            commit: OpenCommit::default(),
        };
        let mut applied = first.first_position;
        for group in groups {
            application.group = OpenGroup::of(group, application.parts);
            let mut next = group.first_position;
            for event in &group.events {
                application.position = next;
                application.commit.begin(next);
                let ends_commit = match event {
                    Event::Part { fact, of } => {
                        application.position = group.first_position + *of;
                        application.take_part(fact, next.previous())?;
                        continue;
                    }
                    Event::Fact(fact) => {
                        application.note_traces(fact);
                        application.take(fact)?;
                        fact.ends_commit
                    }
                    Event::Unreadable { location, ends_commit } => {
                        application.skip(*location);
                        *ends_commit
                    }
                };
                next = next.next();
                if ends_commit {
                    application.commit = OpenCommit::default();
                }
            }
            application.close_group()?;
            applied = next;
        }
        application.finish(applied)
    }
}

/// A resource whose home event was seen; events in further charts may follow.
struct OpenResource<'a> {
    key: ResourceKey,
    before: Option<Head>,
    head: Head,
    /// Index of the home event in its group.
    home: usize,
    terms: &'a TermChange,
    /// The home event cannot be read any more.
    is_orphan: bool,
}

impl OpenResource<'_> {
    /// What the index stores about the resource in its home event.
    fn subject(&self) -> Subject {
        let since_first = self.head.current.slot() - self.head.first.slot();
        Subject { kind: Some(self.key.kind), since_first }
    }
}

/// What one step of a chart does: its number, which one it supersedes, whether it brings a body.
type TakenStep = (Step, Step, bool);

struct Application<'a> {
    view: &'a View,
    batch: Batch,
    terms: &'a mut TermLedger,
    /// What the groups before this one in the same batch have made of a resource.
    changed: HashMap<ResourceKey, Head>,
    charts: HashMap<StreamAlias, (ResourceId, ChartRecord)>,
    steps: HashMap<StreamAlias, Vec<TakenStep>>,
    group: OpenGroup,
    /// Of the event that is taken, or of which a part is.
    position: Position,
    /// Parts in the index up to here.
    parts: u64,
    open: Option<OpenResource<'a>>,
    /// The commit that is being taken.
    commit: OpenCommit,
}

impl<'a> Application<'a> {
    fn take(&mut self, fact: &'a Fact) -> Result<(), ViewError> {
        if let Some(mark) = &fact.envelope.idempotency {
            let commit =
                StoredCommit { request: keys::mark(&mark.request), first: self.group.pointer() };
            let key = keys::mark(&mark.key);
            self.batch.insert(&self.view.spaces().idempotency, key, encode(&commit)?);
        }
        let step = self.advance(fact)?;
        if fact.is_dropped {
            self.close_resource()?;
            self.keep_wrap(fact);
            let note = Note::default().with(Flag::Dropped, true);
            self.push(fact, step, note, Subject::default());
            return Ok(());
        }
        let mut note = Note::default().with(Flag::Body, fact.holds_body);
        match fact.envelope.home {
            None => {
                self.close_resource()?;
                if let Some(key) = fact.envelope.key() {
                    self.open_resource(fact, key)?;
                }
            }
            Some(steps) if self.is_orphan(steps) => return self.take_orphan(fact, step),
            Some(_) => note = note.with(Flag::Elsewhere, true),
        }
        if let Some(erasure) = &fact.erasure {
            self.erase(erasure)?;
        }
        self.keep_wrap(fact);
        let mut subject = Subject::default();
        if fact.envelope.resource.is_some() {
            (note, subject) = self.note_resource(fact, step, note)?;
        }
        self.push(fact, step, note, subject);
        Ok(())
    }

    fn keep_wrap(&mut self, fact: &Fact) {
        if let Some(wrap) = &fact.wrap {
            let alias = fact.alias.0.to_be_bytes();
            self.batch.insert(&self.view.spaces().keys, alias, wrap.bytes().as_slice());
        }
    }

    /// Notes what the commit of an event can be found by.
    fn note_traces(&mut self, fact: &Fact) {
        let (batch, spaces) = (&mut self.batch, self.view.spaces());
        self.commit.take(fact, |key| batch.insert(&spaces.access_terms, key, []));
    }

    /// Adds an event, or part of one, to the group, as a step of its chart.
    fn push(&mut self, fact: &Fact, step: Option<Step>, note: Note, subject: Subject) {
        let stream = step.map(|step| {
            let taken = (step, note.supersedes, note.has(Flag::Body));
            self.steps.entry(fact.alias).or_default().push(taken);
            StreamPoint { alias: fact.alias, step, version: fact.stream_version }
        });
        let part_of = (fact.place.part > 0).then_some(self.position);
        self.group.events.push(NewEvent { place: fact.place, part_of, stream, note, subject });
    }

    /// Takes an event of an erased chart: only that it is there.
    fn skip(&mut self, location: Location) {
        let note = Note::default().with(Flag::Unreadable, true);
        self.group.events.push(NewEvent { place: location.into(), note, ..NewEvent::default() });
    }

    /// Whether the home event, so many steps back in the group, is of an erased chart.
    fn is_orphan(&self, steps: u32) -> bool {
        let home = self.group.events.len().checked_sub(steps as usize);
        let home = home.and_then(|home| self.group.events.get(home));
        home.is_some_and(|home| home.note.has(Flag::Unreadable))
    }

    /// Takes an event about a resource whose home since then is an erased chart: from here on, the
    /// resource is deleted.
    fn take_orphan(&mut self, fact: &'a Fact, step: Option<Step>) -> Result<(), ViewError> {
        let key = fact.envelope.key().ok_or(ViewError::Apply("an event about nothing".into()))?;
        let mut subject = Subject::default();
        if !self.open.as_ref().is_some_and(|open| open.is_orphan && open.key == key) {
            self.close_resource()?;
            self.open_resource(fact, key)?;
            if let Some(open) = &mut self.open {
                open.is_orphan = true;
                open.head.live = false;
                open.head.places =
                    open.before.as_ref().map(|before| before.places.clone()).unwrap_or_default();
                if open.before.is_some() {
                    // It takes the place of the home event: from here on the resource is deleted.
                    subject = open.subject();
                }
            }
        }
        let before = self.open.as_ref().and_then(|open| open.before.as_ref());
        let place = before
            .filter(|before| before.live)
            .and_then(|before| before.places.iter().find(|place| place.alias() == fact.alias));
        let supersedes = place.map(|place| place.step).unwrap_or_default();
        let mut note = Note::default();
        (note.supersedes, note.version) = (supersedes, fact.envelope.version);
        self.push(fact, step, note, subject);
        Ok(())
    }

    /// Hides an erased chart at once; its traces are removed with this generation.
    fn erase(&mut self, erasure: &Erasure) -> Result<(), ViewError> {
        let alias = erasure.chart;
        let spaces = self.view.spaces();
        let patient = self.view.patient(alias)?;
        if let Some(patient) = &patient {
            self.batch.remove(&spaces.charts, keys::patient(patient));
            self.batch.remove(&spaces.aliases, alias.0.to_be_bytes());
            self.view.generation.hide(alias);
        }
        self.batch.remove(&spaces.keys, alias.0.to_be_bytes());
        let record = ErasedChart { event: self.group.pointer(), traces: patient.is_some() };
        self.batch.insert(&spaces.erased, alias.0.to_be_bytes(), encode(&record)?);
        for tombstone in &erasure.tombstones {
            self.batch.insert(&spaces.tombstones, tombstone.as_slice(), []);
        }
        Ok(())
    }

    fn open_resource(&mut self, fact: &'a Fact, key: ResourceKey) -> Result<(), ViewError> {
        let before = match self.changed.remove(&key) {
            Some(head) => Some(head),
            // It says itself that there was nothing before it.
            None if fact.envelope.event_type.event_kind == EventKind::Recorded
                && self.parts == 0 =>
            {
                None
            }
            None => self.view.head(&key)?,
        };
        if self.parts > 0 {
            self.refuse_double(fact, &key, before.as_ref().is_some_and(|before| before.live))?;
        }
        let places = match &before {
            // A deletion leaves the record of where the resource lay.
            Some(before) if !fact.holds_body => before.places.clone(),
            _ => Vec::new(),
        };
        let current = self.group.pointer();
        let first = before.as_ref().map_or(current, |before| before.first);
        let head = Head {
            number: ResourceNumber::of(first.slot()),
            id: before
                .as_ref()
                .map_or(EventId::of(self.position, fact.place.part), |before| before.id),
            version: fact.envelope.version,
            live: fact.holds_body,
            retracted: fact.retracted,
            position: self.position,
            place: fact.place,
            recorded_at: self.group.recorded_at,
            places,
            first,
            current,
        };
        let home = self.group.events.len();
        let terms = &fact.terms;
        self.open = Some(OpenResource { key, before, head, home, terms, is_orphan: false });
        Ok(())
    }

    /// What the index stores about an event of a resource.
    fn note_resource(
        &mut self,
        fact: &Fact,
        step: Option<Step>,
        mut note: Note,
    ) -> Result<(Note, Subject), ViewError> {
        let at = self.group.events.len();
        let open = self.open.as_mut().ok_or_else(|| {
            let slot = self.group.first + at as u64;
            ViewError::Apply(format!("the event in slot {slot} has no home event before it"))
        })?;
        note.version = open.head.version;
        let mut subject = Subject { kind: Some(open.key.kind), since_first: 0 };
        if at == open.home {
            subject = open.subject();
            let is_new = open.before.as_ref().is_none_or(|before| !before.live);
            let first = fact.is_creation() || fact.place.part > 0 && fact.holds_body && is_new;
            note = note.with(Flag::Retracted, fact.retracted).with(Flag::First, first);
        } else {
            note.related = u32::try_from(at - open.home).unwrap_or(u32::MAX);
            if let Some(home) = self.group.events.get_mut(open.home) {
                home.note.related = note.related;
            }
        }
        if let Some(step) = step {
            let before = open.before.as_ref().filter(|before| before.live);
            let place = before
                .and_then(|before| before.places.iter().find(|place| place.alias() == fact.alias));
            note.supersedes = place.map(|place| place.step).unwrap_or_default();
            if fact.holds_body {
                open.head.places.push(StreamPlace::new(fact.alias, step));
            }
        }
        Ok((note, subject))
    }

    /// Takes an event of a chart, or a part of one; returns which step of the chart that is.
    fn advance(&mut self, fact: &Fact) -> Result<Option<Step>, ViewError> {
        if fact.alias == StreamAlias::NONE {
            return Ok(None);
        }
        let (_, record) = match self.charts.entry(fact.alias) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let patient = fact.patient.clone();
                let patient =
                    patient.ok_or(ViewError::Apply("a chart without a patient".into()))?;
                let record = match self.view.chart(&patient)? {
                    Some(record) => record,
                    None => {
                        let aliases = &self.view.spaces().aliases;
                        self.batch.insert(aliases, fact.alias.0.to_be_bytes(), patient.as_str());
                        let recorded_at = self.group.recorded_at;
                        ChartRecord {
                            alias: fact.alias.0,
                            version: ChartVersion::new(0),
                            recorded_at,
                            held: false,
                            parts: 0,
                        }
                    }
                };
                place.insert((patient, record))
            }
        };
        if fact.place.part > 0 {
            record.parts += 1;
            let of_chart = super::parts::count(fact.alias, record.version.get(), record.parts)?;
            self.batch.insert(&self.view.spaces().parts, of_chart.0, of_chart.1);
            return Ok(Some(record.step()));
        }
        if record.alias != fact.alias.0 || record.version.next() != fact.stream_version {
            return Err(ViewError::Apply(format!(
                "chart {} is at version {}, the event says {}",
                fact.alias, record.version, fact.stream_version
            )));
        }
        record.version = fact.stream_version;
        record.recorded_at = self.group.recorded_at;
        match fact.envelope.event_type.event_kind {
            EventKind::Held => record.held = true,
            EventKind::Released => record.held = false,
            _ => {}
        }
        Ok(Some(record.step()))
    }

    fn close_resource(&mut self) -> Result<(), ViewError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let OpenResource { key, before, head, terms, is_orphan, .. } = open;
        if is_orphan && before.is_none() {
            // All that could be read of it went with the chart.
            return Ok(());
        }
        let spaces = self.view.spaces();
        match &before {
            None => self.batch.insert(&spaces.names, keys::resource(&key), encode(&head.first)?),
            Some(before) => {
                let stored = StoredHead { version: head.version, event: head.current };
                self.batch.insert(&spaces.heads, head.number.get().to_be_bytes(), encode(&stored)?);
                if before.current != before.first {
                    let key = keys::pair(head.number.get(), before.version.get());
                    self.batch.insert(&spaces.history, key, encode(&before.current)?);
                }
            }
        }
        for term in &terms.removed {
            self.terms.set(self.view.tables(), key.kind, term, head.number, false)?;
        }
        for term in &terms.added {
            self.terms.set(self.view.tables(), key.kind, term, head.number, true)?;
        }
        let aliases = |head: &Head| -> Vec<StreamAlias> {
            match head.live {
                true if head.places.is_empty() => vec![StreamAlias::NONE],
                true => head.places.iter().map(StreamPlace::alias).collect(),
                false => Vec::new(),
            }
        };
        let (was, is) = (before.as_ref().map(aliases).unwrap_or_default(), aliases(&head));
        for alias in was.iter().filter(|alias| !is.contains(alias)) {
            let term = keys::compartment(key.kind, *alias);
            self.terms.post(self.view.tables(), term, head.number, false)?;
        }
        for alias in is.iter().filter(|alias| !was.contains(alias)) {
            let term = keys::compartment(key.kind, *alias);
            self.terms.post(self.view.tables(), term, head.number, true)?;
        }
        self.changed.insert(key, head);
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), ViewError> {
        self.close_resource()?;
        self.group.write(&mut self.batch, self.view.spaces())
    }

    fn finish(mut self, applied: Position) -> Result<(), ViewError> {
        let spaces = self.view.spaces();
        for (patient, record) in self.charts.values() {
            self.batch.insert(&spaces.charts, keys::patient(patient), encode(record)?);
        }
        for (alias, steps) in std::mem::take(&mut self.steps) {
            self.take_snapshots(alias, &steps)?;
        }
        let behind = Slot::new(applied.get() + self.parts);
        self.terms.finish(behind, self.view.tables(), &mut self.batch)?;
        self.batch.insert(&spaces.state, "events", encode(&applied)?);
        Ok(self.batch.commit()?)
    }

    /// Stores the manifest at each version of the groups where one is due.
    fn take_snapshots(&mut self, alias: StreamAlias, steps: &[TakenStep]) -> Result<(), ViewError> {
        let least = self.view.generation.snapshot_events_min;
        let is_due = |step: Step| step.get().is_multiple_of(interval(least, step));
        let Some(last_due) = steps.iter().rposition(|(step, _, _)| is_due(*step)) else {
            return Ok(());
        };
        let before = steps.first().map(|(step, _, _)| step.previous()).unwrap_or_default();
        let mut manifest = self.view.manifest_at(alias, before)?;
        for (step, supersedes, holds_body) in steps.iter().take(last_due + 1) {
            manifest.apply(*step, *supersedes, *holds_body);
            if is_due(*step) {
                let key = keys::pair(alias.0, step.get());
                self.batch.insert(&self.view.spaces().snapshots, key, manifest.encode());
            }
        }
        Ok(())
    }
}

/// Events between snapshots: grows with the chart, so that all its snapshots together stay in
/// proportion to its events (a snapshot takes one bit per event before it).
fn interval(least: u64, step: Step) -> u64 {
    let sixteenth = step.get().checked_ilog2().map_or(1, |bits| (1u64 << bits) / 16);
    least.max(sixteenth)
}
