//! The names behind numbers, and those that are kept in mind for who names the same again and again.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use super::members::plain;
use super::rendered;
use crate::access::{KnownSources, Look, Source};
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceVersion};
use crate::seal::CursorKey;

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
    pub(super) json: Box<str>,
}

impl ShownVersion {
    pub(super) fn new(
        position: Position,
        resource: Option<(ResourceKey, ResourceVersion)>,
        patients: Vec<ResourceId>,
    ) -> Self {
        let json = rendered::version(position, resource.as_ref(), &patients);
        Self { position, resource, patients, json }
    }
}

/// Patients, versions, and keys that are kept in mind at a time: of each.
const NAMES_MAX: usize = 1 << 16;
/// Sources that are kept as JSON.
const RENDERED_MAX: usize = 8_192;

/// Names that were looked up, for all who read for one answer, side by side.
#[derive(Debug, Default)]
pub struct Names(Mutex<Arc<Known>>);

/// Names in one epoch of the keys: an erasure begins another.
#[derive(Debug)]
pub(super) struct Known {
    epoch: u32,
    pub patients: Cache<StreamAlias, Option<ResourceId>>,
    pub shown: Cache<EventId, Arc<ShownVersion>>,
    /// Keys of sealed words, by the charts that these are about.
    pub keys: Cache<Vec<StreamAlias>, Option<Arc<CursorKey>>>,
    pub sources: KnownSources,
    /// Sources as JSON, by their addresses; each is held, so that no other can have its address.
    rendered: Cache<usize, (Arc<Source>, Arc<str>)>,
}

impl Names {
    /// Those of an epoch; of one that is over, nothing is kept.
    pub(super) fn of(&self, epoch: u32) -> Arc<Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch < epoch {
            *known = Known::of(epoch).into();
        }
        match known.epoch == epoch {
            true => Arc::clone(&known),
            false => Known::of(epoch).into(),
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Known {
    fn of(epoch: u32) -> Self {
        Self {
            epoch,
            patients: Cache::new(NAMES_MAX),
            shown: Cache::new(NAMES_MAX),
            keys: Cache::new(NAMES_MAX),
            sources: KnownSources::default(),
            rendered: Cache::new(RENDERED_MAX),
        }
    }

    /// A source as members of a JSON object.
    pub(super) fn source(&self, source: &Arc<Source>) -> Arc<str> {
        let address = Arc::as_ptr(source).addr();
        if let Some((_, known)) = self.rendered.get(&address) {
            return known;
        }
        let members: Arc<str> = rendered::source_members(source).into();
        self.rendered.insert(address, (Arc::clone(source), Arc::clone(&members)));
        members
    }
}

impl NamedLook {
    /// Method, path and query: as sent, or as far as they follow from what is known; empty for a commit, of which
    /// nothing is.
    #[must_use]
    pub fn query(&self, look: &Look) -> String {
        let mut query = String::new();
        self.write_query(look, &mut query);
        query
    }

    /// Whether there is nothing of method, path and query.
    pub(super) fn query_is_empty(&self, look: &Look) -> bool {
        match &self.words {
            Some(words) => words.is_empty() && !look.route.contains(' '),
            None => look.route.is_empty(),
        }
    }

    /// Writes [`NamedLook::query`].
    pub(super) fn write_query(&self, look: &Look, out: &mut String) {
        if let Some(words) = &self.words {
            let (method, pattern) = look.route.split_once(' ').unwrap_or((&look.route, ""));
            // Entries of format 1 repeat the method.
            if !pattern.is_empty() {
                out.push_str(method);
                out.push(' ');
            }
            out.push_str(words);
            return;
        }
        let shown = match self.shown.as_slice() {
            [one] => one.resource.as_ref(),
            _ => None,
        };
        let key = self.about.as_ref().or(shown.map(|(key, _)| key));
        let patient = match self.patients.as_slice() {
            [patient] => Some(patient),
            _ => None,
        };
        let mut rest = &*look.route;
        while let Some((before, behind)) = rest.split_once('{')
            && let Some((place, behind)) = behind.split_once('}')
        {
            out.push_str(before);
            match (place, key, patient, shown) {
                ("type", Some(key), ..) => out.push_str(key.kind.name()),
                ("id", Some(key), ..) => out.push_str(key.id.as_str()),
                ("id", None, Some(patient), _) => out.push_str(patient.as_str()),
                ("version", .., Some((_, version))) => plain(out, version),
                _ => {
                    out.push('{');
                    out.push_str(place);
                    out.push('}');
                }
            }
            rest = behind;
        }
        out.push_str(rest);
    }

    /// What a patient may see of it: no other patient, and nothing that could name one.
    pub(super) fn for_patient(mut self, own: &ResourceId) -> Self {
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
