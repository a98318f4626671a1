//! Reading entries, and the names behind their numbers.

use std::sync::Arc;

use super::AccessId;
use super::commits::Commit;
use super::known::{Known, NamedLook, Names, ShownVersion};
use super::named::{joint_key, open_words};
use crate::access::{self, AccessEntry, Look, Source, Words};
use crate::clock::Instant;
use crate::fhir::ResourceId;
use crate::log::{Frame, FrameKind, Group, StreamAlias};
use crate::numbers::{EventId, Position};
use crate::records::{Records, RecordsError};
use crate::view::View;

/// Versions for which there is room from the beginning.
const ROOM_MAX: usize = 1_000;

fn unreadable(position: Position) -> RecordsError {
    RecordsError::unreadable(format!("frame {position} of the access log does not read back"))
}

/// An access entry, or a commit as its own trace.
pub(super) struct Found {
    pub id: AccessId,
    pub recorded_at: Instant,
    pub entry: AccessEntry,
}

/// Reads entries, and keeps the group that the last one was in.
pub(super) struct EntryReader<'a> {
    pub records: &'a Records,
    pub view: &'a View,
    names: Arc<Known>,
    group: Option<Group>,
}

impl<'a> EntryReader<'a> {
    pub(super) fn new(records: &'a Records, view: &'a View) -> Self {
        Self { records, view, names: Arc::default(), group: None }
    }

    /// The same with names that others look up too.
    pub(super) fn with_names(
        records: &'a Records,
        view: &'a View,
        names: &Names,
    ) -> Result<Self, RecordsError> {
        let names = names.of(records.engine().keys().vault().epoch()?);
        Ok(Self { records, view, names, group: None })
    }

    /// Another one that looks up the same names.
    pub(super) fn beside(&self) -> Self {
        let Self { records, view, names, .. } = self;
        Self { records, view, names: Arc::clone(names), group: None }
    }

    /// A frame of the access log, and when it was recorded.
    pub(super) fn frame(&mut self, position: Position) -> Result<(Frame, i64), RecordsError> {
        let holds = |group: &Group| {
            let end = group.first_position + group.frames.len() as u64;
            (group.first_position..end).contains(&position)
        };
        let unreadable = || unreadable(position);
        if !self.group.as_ref().is_some_and(holds) {
            let location = self.view.access_group(position)?.ok_or_else(unreadable)?;
            self.group = Some(self.records.engine().access_reader().group(location)?);
        }
        let group = self.group.as_ref().filter(|group| holds(group)).ok_or_else(unreadable)?;
        let at = usize::try_from(position - group.first_position).unwrap_or(usize::MAX);
        let (frame, _) = group.frames.get(at).cloned().ok_or_else(unreadable)?;
        Ok((frame, group.recorded_at))
    }

    /// The entries of a frame, and when they were recorded.
    pub(super) fn entries(
        &mut self,
        position: Position,
    ) -> Result<(Vec<AccessEntry>, Instant), RecordsError> {
        let (frame, recorded_at) = self.frame(position)?;
        let kind = frame.kind;
        let payload = self.records.engine().access_frames().open(position, frame)?;
        if kind == FrameKind::Sources {
            return Ok((Vec::new(), Instant::from_micros(recorded_at)));
        }
        let entries = access::unpack(&payload, recorded_at, &self.names.sources);
        let entries = entries.ok_or_else(|| unreadable(position))?;
        Ok((entries, Instant::from_micros(recorded_at)))
    }

    /// The entry with that id, if there is one.
    pub(super) fn found(&mut self, id: AccessId) -> Result<Option<Found>, RecordsError> {
        Ok(match id {
            AccessId::Entry { position, index } => {
                if position >= self.view.applied_access()? {
                    return Ok(None);
                }
                let (entries, recorded_at) = self.entries(position)?;
                let entry = entries.into_iter().nth(usize::try_from(index).unwrap_or(usize::MAX));
                entry.map(|entry| Found { id, recorded_at, entry })
            }
            AccessId::Commit(first) => {
                let commit = Commit::of(self.records, self.view, first)?;
                commit.filter(|commit| commit.events.start == first).and_then(|commit| {
                    let recorded_at = commit.recorded_at;
                    Some(Found { id, recorded_at, entry: commit.entry? })
                })
            }
        })
    }

    /// The names of a look, as a patient may see them if it is for one.
    pub(super) fn named_for(
        &self,
        look: &Look,
        own: Option<&ResourceId>,
        resources_max: usize,
    ) -> Result<NamedLook, RecordsError> {
        let named = self.named(look, resources_max)?;
        Ok(match own {
            Some(own) => named.for_patient(own),
            None => named,
        })
    }

    fn named(&self, look: &Look, resources_max: usize) -> Result<NamedLook, RecordsError> {
        let (patients, erased) = self.patients(&look.charts)?;
        let words = match &look.words {
            None => None,
            Some(Words::Plain(words)) => Some(words.clone()),
            Some(Words::Sealed(sealed)) => self.open(&look.charts, sealed),
        };
        let about = match look.about {
            Some(first) => match self.view.head_named(first)? {
                Some(head) => Some(self.records.key_of(self.view, &head)?),
                None => None,
            },
            None => None,
        };
        let shown_count = look.shown.count();
        let room = usize::try_from(shown_count).unwrap_or(usize::MAX).min(resources_max);
        let mut shown = Vec::with_capacity(room.min(ROOM_MAX));
        for event in look.shown.events().take(resources_max) {
            shown.push(self.shown(event)?);
        }
        Ok(NamedLook { patients, erased, words, about, shown, shown_count })
    }

    /// Words that are sealed; `None`: one of the charts was erased since.
    fn open(&self, charts: &[StreamAlias], sealed: &[u8]) -> Option<String> {
        let keys = &self.names.keys;
        let key = match keys.get(charts) {
            Some(known) => known,
            None => {
                let key = joint_key(self.records, self.view, charts).map(Arc::new);
                keys.insert(charts.to_vec(), key.clone());
                key
            }
        };
        open_words(&*key?, sealed)
    }

    fn patients(&self, charts: &[StreamAlias]) -> Result<(Vec<ResourceId>, usize), RecordsError> {
        let mut patients = Vec::with_capacity(charts.len());
        for alias in charts {
            let patient = match self.names.patients.get(alias) {
                Some(known) => known,
                None => {
                    let patient = self.view.patient(*alias)?;
                    self.names.patients.insert(*alias, patient.clone());
                    patient
                }
            };
            patients.extend(patient);
        }
        let erased = charts.len() - patients.len();
        Ok((patients, erased))
    }

    /// A source as members of a JSON object.
    pub(super) fn source(&self, source: &Arc<Source>) -> Arc<str> {
        self.names.source(source)
    }

    /// Which version an event brought.
    fn shown(&self, event: EventId) -> Result<Arc<ShownVersion>, RecordsError> {
        if let Some(known) = self.names.shown.get(&event) {
            return Ok(known);
        }
        let found = Arc::new(self.look_up(event)?);
        self.names.shown.insert(event, Arc::clone(&found));
        Ok(found)
    }

    fn look_up(&self, event: EventId) -> Result<ShownVersion, RecordsError> {
        let position = event.position();
        let nothing = || Ok(ShownVersion::new(position, None, Vec::new()));
        let keys = self.records.engine().keys();
        let Some(logged) = self.view.logged_at(event)? else { return nothing() };
        let Some(change) = logged.change else {
            // What upcasters drop today was shown once, as it was written.
            let written = keys.written(self.view, logged.place.location);
            let Some((envelope, _)) = written.ok().filter(|_| logged.is_readable) else {
                return nothing();
            };
            let (patients, _) = self.patients(&Vec::from_iter(logged.chart))?;
            let resource = envelope.key().map(|key| (key, envelope.version));
            return Ok(ShownVersion::new(position, resource, patients));
        };
        let Ok((envelope, _)) = keys.read_event(self.view, change.place) else { return nothing() };
        let mut charts = Vec::from_iter(change.chart);
        if change.is_in_several
            && let Some(head) = self.view.head_of(change.number)?
            && let Some(past) = self.view.version(&head, change.version)?
        {
            charts = past.aliases().collect();
        }
        let (patients, _) = self.patients(&charts)?;
        let resource = envelope.key().map(|key| (key, change.version));
        Ok(ShownVersion::new(position, resource, patients))
    }
}
