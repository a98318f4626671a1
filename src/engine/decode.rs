//! From frames of the event log to facts, on several threads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::EngineError;
use super::keys::{Keys, envelope_of};
use crate::chart::{Envelope, Erasure, EventKind, Told, Upcast};
use crate::clock::Instant;
use crate::fhir::status;
use crate::fhir::terms_of;
use crate::json::Document;
use crate::log::{Frame, Group, Location, LogError, StreamAlias};
use crate::numbers::{ChartVersion, Position};
use crate::seal::SealingKey;
use crate::vault::{VaultError, Wrap};
use crate::view::{Event, EventPlace, Fact, FactGroup, Generation, TermChange};

/// Events that a thread decodes at a time, and the groups they are in.
const PART_EVENTS_MIN: usize = 256;
/// Parts that may wait for a thread.
const PARTS_WAITING_MAX: usize = 8;

/// A part of the log with its number in the order of the log.
type Numbered<T, E> = (u64, Result<Vec<T>, E>);

/// Calls `take` with every group of the log from position `from` to `end`, in order, decoded. The
/// facts have the terms that their resource has after them as `added`.
pub fn decoded_groups(
    opener: &Opener<'_>,
    from: Position,
    end: Position,
    mut take: impl FnMut(FactGroup) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let (parts, waiting) = sync_channel::<Numbered<Group, LogError>>(PARTS_WAITING_MAX);
        let (decoded, done) = sync_channel::<Numbered<FactGroup, EngineError>>(threads);
        let waiting = Arc::new(Mutex::new(waiting));
        scope.spawn(move || scan(opener, from, end, &parts));
        for _ in 0..threads {
            let (waiting, decoded) = (Arc::clone(&waiting), decoded.clone());
            scope.spawn(move || decode_parts(opener, &waiting, &decoded));
        }
        // The threads hold the others: when they end, so does the channel; and if this ends early,
        // so do they.
        drop((decoded, waiting));
        in_order(done, &mut take)
    })
}

/// Reads groups, several at a time.
fn scan(
    opener: &Opener<'_>,
    from: Position,
    end: Position,
    parts: &SyncSender<Numbered<Group, LogError>>,
) {
    let mut groups = opener.keys.reader().scan(from, end);
    for number in 0.. {
        let mut part = Vec::new();
        let mut events = 0;
        let mut failure = None;
        while events < PART_EVENTS_MIN {
            match groups.next() {
                Some(Ok(group)) => {
                    opener.note(&group);
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
    opener: &Opener<'_>,
    waiting: &Mutex<Receiver<Numbered<Group, LogError>>>,
    decoded: &SyncSender<Numbered<FactGroup, EngineError>>,
) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, part)) = next else { return };
        let facts = part.map_err(EngineError::from);
        let facts =
            facts.and_then(|part| part.into_iter().map(|group| opener.group(group)).collect());
        if decoded.send((number, facts)).is_err() {
            return;
        }
    }
}

fn in_order(
    done: Receiver<Numbered<FactGroup, EngineError>>,
    take: &mut impl FnMut(FactGroup) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
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

/// Opens the frames of events in a replay.
pub struct Opener<'a> {
    pub keys: &'a Keys,
    generation: &'a Arc<Generation>,
    /// Wrapped data keys that the generation may not hold yet: those that were wrapped again when
    /// the epoch began, and those in the frames that were read.
    wraps: RwLock<HashMap<StreamAlias, Wrap>>,
    /// Charts of which something could not be opened.
    closed: Mutex<BTreeSet<StreamAlias>>,
}

impl<'a> Opener<'a> {
    pub fn new(keys: &'a Keys, generation: &'a Arc<Generation>) -> Result<Self, EngineError> {
        let wraps = keys.vault().wraps()?.into_iter().collect();
        Ok(Self { keys, generation, wraps: RwLock::new(wraps), closed: Mutex::default() })
    }

    /// Keeps the wrapped keys in a group, before any of its events is opened.
    fn note(&self, group: &Group) {
        for (frame, _) in &group.frames {
            if let Some(wrap) = frame.content.wrap() {
                let mut wraps = self.wraps.write().unwrap_or_else(PoisonError::into_inner);
                wraps.entry(frame.alias).or_insert_with(|| Wrap::from_bytes(*wrap));
            }
        }
    }

    fn wrap(&self, alias: StreamAlias) -> Option<Wrap> {
        self.wraps.read().unwrap_or_else(PoisonError::into_inner).get(&alias).cloned()
    }

    /// The keys of a chart; `None` when they were destroyed.
    fn key(&self, alias: StreamAlias) -> Result<Option<Arc<SealingKey>>, EngineError> {
        if alias == StreamAlias::NONE {
            return Ok(Some(self.keys.directory()));
        }
        if let Some(key) = self.keys.vault().opened_key(alias) {
            return Ok(Some(key));
        }
        let wrap = match self.wrap(alias) {
            Some(wrap) => Some(wrap),
            None => self.generation.view().wrap(alias)?,
        };
        let Some(wrap) = wrap else { return Ok(None) };
        match self.keys.vault().key(alias, &wrap) {
            Err(VaultError::Destroyed(_)) => Ok(None),
            key => Ok(Some(key?)),
        }
    }

    /// Warns of charts that cannot be opened and that the log does not call erased.
    pub fn warn_of_missing_keys(&self) -> Result<(), EngineError> {
        let mut missing =
            std::mem::take(&mut *self.closed.lock().unwrap_or_else(PoisonError::into_inner));
        for erased in self.generation.view().erased() {
            missing.remove(&erased?.0);
        }
        if !missing.is_empty() {
            let some: Vec<String> = missing.iter().take(10).map(ToString::to_string).collect();
            tracing::warn!(
                charts = missing.len(),
                some = some.join(" "),
                "the keys of charts are missing: they were erased after this log was copied, or the vault \
                 is older than the log"
            );
        }
        Ok(())
    }

    fn group(&self, group: Group) -> Result<FactGroup, EngineError> {
        let mut events = Vec::with_capacity(group.frames.len());
        let mut block = Block::default();
        for (at, (frame, location)) in (0u64..).zip(group.frames) {
            let ends_commit = frame.last_of_commit;
            let told = self.tell(frame, location);
            let told = told.map_err(|error| error.at(group.first_position + at))?;
            let Some((fact, parts)) = told else {
                block.close(&mut events);
                events.push(Event::Unreadable { location, ends_commit });
                continue;
            };
            if fact.envelope.home.is_none() {
                block.close(&mut events);
                block = Block { home: at, start: events.len(), parts, ..Block::default() };
            }
            block.take(at, &fact);
            events.push(Event::Fact(Box::new(fact)));
        }
        block.close(&mut events);
        Ok(FactGroup {
            first_position: group.first_position,
            recorded_at: Instant::from_micros(group.recorded_at),
            events,
        })
    }

    /// What an event means for the views, but for the terms that its resource had before, and the same of its
    /// parts. `None` when its chart was erased.
    fn tell(
        &self,
        frame: Frame,
        location: Location,
    ) -> Result<Option<(Fact, Vec<Fact>)>, EngineError> {
        let alias = frame.alias;
        let Some(key) = self.key(alias)? else {
            self.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(alias);
            return Ok(None);
        };
        let is_first = frame.content.wrap().is_some();
        let ends_commit = frame.last_of_commit;
        let stream_version = match alias {
            StreamAlias::NONE => ChartVersion::default(),
            _ => ChartVersion::new(frame.version.into()),
        };
        let mut payload = self.keys.unseal(&key, frame, location)?;
        let (envelope, start) = envelope_of(&payload)?;
        payload.drain(..start);
        let patient = key.owner().parse().ok().filter(|_| alias != StreamAlias::NONE);
        let fact = |envelope: Envelope, body: &[u8], part: u8| {
            let mut fact = Fact {
                place: EventPlace { location, part },
                alias,
                stream_version,
                patient: patient.clone(),
                wrap: (is_first && part == 0).then(|| self.wrap(alias)).flatten(),
                holds_body: holds_body(&envelope) && (part == 0 || !body.is_empty()),
                envelope,
                is_dropped: false,
                retracted: false,
                terms: Arc::default(),
                erasure: None,
                ends_commit: ends_commit && part == 0,
            };
            self.complete(&mut fact, body)?;
            Ok::<_, EngineError>(fact)
        };
        let upcasters = self.generation.upcasters();
        if envelope.home.is_some() || !upcasters.concern(&envelope) {
            return Ok(Some((fact(envelope, &payload, 0)?, Vec::new())));
        }
        let Upcast { main, parts } = upcasters
            .upcast(envelope, payload)
            .map_err(|error| EngineError::Upcast(Box::new(error)))?;
        let told = |told: Told, part: u8| {
            let fact = fact(told.envelope, &told.body, part)?;
            Ok::<_, EngineError>(Fact { is_dropped: told.is_dropped, ..fact })
        };
        let parts = (1u8..).zip(parts).map(|(part, of_part)| told(of_part, part));
        Ok(Some((told(main, 0)?, parts.collect::<Result<_, _>>()?)))
    }

    /// Fills in what the body of an event tells.
    fn complete(&self, fact: &mut Fact, body: &[u8]) -> Result<(), EngineError> {
        let unreadable = || unreadable(fact.place.location);
        if fact.envelope.event_type.event_kind == EventKind::Erased {
            fact.erasure = Some(Erasure::decode(body).ok_or_else(unreadable)?);
            return Ok(());
        }
        let key = fact.envelope.key().filter(|_| fact.envelope.home.is_none());
        if let Some(key) = key.filter(|_| !body.is_empty()) {
            let document = Document::parse(body).map_err(|_| unreadable())?;
            fact.retracted = status::is_entered_in_error(document.root());
            let parameters = self.generation.parameters();
            let added = terms_of(parameters, key.kind, document.root(), None);
            fact.terms = Arc::new(TermChange { added, removed: Vec::new() });
        }
        Ok(())
    }

    /// What an event, or a part of it, means for the views. `None` when its chart was erased.
    pub fn fact(&self, at: EventPlace) -> Result<Option<Fact>, EngineError> {
        let frame = self.keys.reader().frame(at.location)?;
        let Some((main, parts)) = self.tell(frame, at.location)? else { return Ok(None) };
        let told = std::iter::once(main).chain(parts).nth(at.part.into());
        told.map(Some).ok_or_else(|| unreadable(at.location))
    }
}

/// The events of one resource in a commit, while they are read: its home event, and those in further charts.
#[derive(Default)]
struct Block {
    /// Which frame of the group the home event is in.
    home: u64,
    /// Which event of the group that is.
    start: usize,
    /// Whether the home event says nothing today.
    is_dropped: bool,
    /// Whether the resource moves between charts.
    moves: bool,
    /// The parts of the home event.
    parts: Vec<Fact>,
    /// The events in further charts, each with its frame, if there are parts.
    elsewhere: Vec<(u64, Fact)>,
}

impl Block {
    /// Takes in an event of a frame.
    fn take(&mut self, at: u64, fact: &Fact) {
        let event_kind = fact.envelope.event_type.event_kind;
        self.moves |= matches!(event_kind, EventKind::MovedIn | EventKind::MovedOut);
        self.is_dropped |= fact.is_dropped;
        if fact.envelope.home.is_some() && !self.parts.is_empty() {
            self.elsewhere.push((at, fact.clone()));
        }
    }

    /// Says of all events which say nothing today, and tells of the parts, each in all charts of the resource.
    fn close(&mut self, events: &mut Vec<Event>) {
        let block = std::mem::take(self);
        // An event that moves the resource is told: it would be in the wrong chart.
        let is_dropped = block.is_dropped && !block.moves;
        if block.is_dropped {
            for event in events.iter_mut().skip(block.start) {
                if let Event::Fact(fact) = event {
                    fact.is_dropped = is_dropped;
                }
            }
        }
        for mut part in block.parts {
            part.is_dropped &= !block.moves;
            let in_further = (1u32..).zip(&block.elsewhere).map(|(steps, (at, fact))| {
                let mut envelope = part.envelope.clone();
                envelope.home = Some(steps);
                envelope.event_type.event_kind = fact.envelope.event_type.event_kind;
                let fact = Fact {
                    place: part.place,
                    envelope,
                    wrap: None,
                    is_dropped: part.is_dropped,
                    holds_body: fact.holds_body && part.holds_body,
                    ends_commit: false,
                    ..fact.clone()
                };
                Event::Part { fact: Box::new(fact), of: *at }
            });
            let in_further: Vec<Event> = in_further.collect();
            events.push(Event::Part { fact: Box::new(part), of: block.home });
            events.extend(in_further);
        }
    }
}

/// Whether the resource has a body in the chart after that event.
fn holds_body(envelope: &Envelope) -> bool {
    envelope.resource.is_some()
        && !matches!(envelope.event_type.event_kind, EventKind::Removed | EventKind::MovedOut)
}

pub fn unreadable(at: Location) -> EngineError {
    EngineError::Unreadable(format!(
        "the event in segment {:08} at byte {} is not one that this program reads",
        at.segment, at.offset
    ))
}
