//! Reading entries, and the names behind their numbers.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;

use super::AccessId;
use super::commits::Commit;
use super::named::{joint_key, open_words};
use super::rendered::{ResourceJson, SourceJson};
use crate::access::{self, AccessEntry, KnownSources, Look, Source, Words};
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::{Frame, FrameKind, Group, StreamAlias};
use crate::numbers::{EventId, Position, ResourceVersion};
use crate::records::{Records, RecordsError};
use crate::seal::CursorKey;
use crate::view::View;

/// The names behind the numbers of a look.
#[derive(Debug, Clone, Default)]
pub struct NamedLook {
    /// The patients whose charts it was about.
    pub patients: Vec<ResourceId>,
    /// How many of these charts were erased since.
    pub erased: usize,
    /// The words of the request.
    pub words: Option<String>,
    /// The resource it was about.
    pub about: Option<ResourceKey>,
    /// What left with the answer: the first of them, on a page.
    pub shown: Vec<Arc<ShownVersion>>,
    /// How many versions left.
    pub shown_count: u64,
}

/// A version that left with an answer.
#[derive(Debug, Clone)]
pub struct ShownVersion {
    /// Position of the event that brought it.
    pub position: Position,
    /// Which resource and version; `None`: it was erased since.
    pub resource: Option<(ResourceKey, ResourceVersion)>,
    /// The patients in whose charts it lies.
    pub patients: Vec<ResourceId>,
    /// All of this as JSON: the same version leaves with many answers.
    pub(super) json: Arc<RawValue>,
}

impl ShownVersion {
    fn new(
        position: Position,
        resource: Option<(ResourceKey, ResourceVersion)>,
        patients: Vec<ResourceId>,
    ) -> Self {
        let json = ResourceJson::render(position, resource.as_ref(), &patients);
        Self { position, resource, patients, json }
    }
}

/// Patients, versions, and keys that are kept in mind at a time.
const NAMES_MAX: usize = 100_000;
/// Sources that are kept as JSON.
const RENDERED_MAX: usize = 8_192;

/// Names that were looked up, for who names the same again and again.
#[derive(Debug, Default)]
pub struct Names {
    /// Epoch of the keys in which they were looked up: an erasure begins another.
    epoch: u32,
    patients: FxHashMap<StreamAlias, Option<ResourceId>>,
    shown: FxHashMap<EventId, Arc<ShownVersion>>,
    /// Keys of sealed words, by the charts that these are about.
    keys: FxHashMap<Vec<StreamAlias>, Option<CursorKey>>,
    sources: KnownSources,
    /// Sources as JSON, by their addresses; each is held, so that no other can have its address.
    rendered: FxHashMap<usize, (Arc<Source>, Arc<SourceJson>)>,
}

impl Names {
    /// Without what may not be so any more, and what would be too much.
    fn renewed(self, epoch: u32) -> Self {
        let most = self.patients.len().max(self.shown.len()).max(self.keys.len());
        match self.epoch != epoch || most > NAMES_MAX {
            true => Self { epoch, ..Self::default() },
            false => self,
        }
    }
}

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
    names: Rc<RefCell<Names>>,
    group: Option<Group>,
}

impl<'a> EntryReader<'a> {
    pub(super) fn new(records: &'a Records, view: &'a View) -> Self {
        Self { records, view, names: Rc::default(), group: None }
    }

    /// The same with names that an earlier reader has looked up.
    pub(super) fn with_names(
        records: &'a Records,
        view: &'a View,
        names: Names,
    ) -> Result<Self, RecordsError> {
        let epoch = records.engine().keys().vault().epoch()?;
        let names = Rc::new(RefCell::new(names.renewed(epoch)));
        Ok(Self { records, view, names, group: None })
    }

    /// Another one that looks up the same names.
    pub(super) fn beside(&self) -> Self {
        let Self { records, view, names, .. } = self;
        Self { records, view, names: Rc::clone(names), group: None }
    }

    /// The names that it has looked up, unless there is another one beside it.
    pub(super) fn into_names(self) -> Names {
        Rc::into_inner(self.names).map(RefCell::into_inner).unwrap_or_default()
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
        let sources = &mut self.names.borrow_mut().sources;
        let entries = access::unpack(&payload, recorded_at, sources);
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
        let shown = look.shown.events().take(resources_max).map(|at| self.shown(at));
        let shown = shown.collect::<Result<_, _>>()?;
        let shown_count = look.shown.count();
        Ok(NamedLook { patients, erased, words, about, shown, shown_count })
    }

    /// Words that are sealed; `None`: one of the charts was erased since.
    fn open(&self, charts: &[StreamAlias], sealed: &[u8]) -> Option<String> {
        let keys = &mut self.names.borrow_mut().keys;
        if let Some(known) = keys.get(charts) {
            return open_words(known.as_ref()?, sealed);
        }
        let key = joint_key(self.records, self.view, charts);
        let words = key.as_ref().and_then(|key| open_words(key, sealed));
        keys.insert(charts.to_vec(), key);
        words
    }

    fn patients(&self, charts: &[StreamAlias]) -> Result<(Vec<ResourceId>, usize), RecordsError> {
        let mut patients = Vec::with_capacity(charts.len());
        let mut names = self.names.borrow_mut();
        for alias in charts {
            let patient = match names.patients.entry(*alias) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.view.patient(*alias)?),
            };
            patients.extend(patient.clone());
        }
        let erased = charts.len() - patients.len();
        Ok((patients, erased))
    }

    /// A source as JSON.
    pub(super) fn source(&self, source: &Arc<Source>) -> Arc<SourceJson> {
        let rendered = &mut self.names.borrow_mut().rendered;
        if rendered.len() == RENDERED_MAX {
            rendered.clear();
        }
        let known = rendered.entry(Arc::as_ptr(source).addr());
        let known = known.or_insert_with(|| (Arc::clone(source), Arc::new(SourceJson::of(source))));
        Arc::clone(&known.1)
    }

    /// Which version an event brought.
    fn shown(&self, event: EventId) -> Result<Arc<ShownVersion>, RecordsError> {
        if let Some(known) = self.names.borrow().shown.get(&event) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(self.look_up(event)?);
        self.names.borrow_mut().shown.insert(event, Arc::clone(&found));
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

impl NamedLook {
    /// Method, path and query: as sent, or as far as they follow from what is known; empty for a commit, of which
    /// nothing is.
    #[must_use]
    pub fn query(&self, look: &Look) -> String {
        let (method, pattern) = look.route.split_once(' ').unwrap_or((&look.route, ""));
        if let Some(words) = &self.words {
            // Entries of format 1 repeat the method.
            return match pattern.is_empty() {
                true => words.clone(),
                false => format!("{method} {words}"),
            };
        }
        let shown = match self.shown.as_slice() {
            [one] => one.resource.as_ref(),
            _ => None,
        };
        let mut query = look.route.to_string();
        if let Some(key) = self.about.as_ref().or(shown.map(|(key, _)| key)) {
            query = query.replace("{type}", key.kind.name()).replace("{id}", key.id.as_str());
        } else if let [patient] = self.patients.as_slice() {
            query = query.replace("{id}", patient.as_str());
        }
        match shown {
            Some((_, version)) => query.replace("{version}", &version.to_string()),
            None => query,
        }
    }

    /// What a patient may see of it: no other patient, and nothing that could name one.
    fn for_patient(mut self, own: &ResourceId) -> Self {
        let is_alone = self.erased == 0 && self.patients.iter().all(|patient| patient == own);
        if !is_alone {
            self.about = None;
            self.words = None;
        }
        self.shown.retain(|shown| {
            shown.patients.contains(own) || (is_alone && shown.patients.is_empty())
        });
        self.shown_count = if is_alone { self.shown_count } else { self.shown.len() as u64 };
        for shown in &mut self.shown {
            if shown.patients.iter().any(|patient| patient != own) {
                let (position, resource) = (shown.position, shown.resource.clone());
                *shown = Arc::new(ShownVersion::new(position, resource, vec![own.clone()]));
            }
        }
        self.patients.retain(|patient| patient == own);
        self
    }
}
