//! Reading single resources: now, at a version, and all versions.

use std::cell::OnceCell;

use memchr::memmem;

use super::error::unreadable;
use super::ground::{Ground, Stand};
use super::reach::Reach;
use super::{Records, RecordsError};
use crate::auth::{Grant, Permission, Rights};
use crate::chart::Payload;
use crate::clock::Instant;
use crate::engine::Settled;
use crate::fhir::{ResourceKey, ResourceType, stored};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceVersion};
use crate::view::{EventPlace, Head, PastVersion, View};

/// A version of a resource, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Which resource.
    pub key: ResourceKey,
    /// FHIR's `versionId`.
    pub version: ResourceVersion,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The event that brought this version; `None`: it is not committed yet.
    pub(super) event: Option<EventId>,
    /// Stored form: everything but `meta.versionId` and `meta.lastUpdated`.
    pub(super) body: Vec<u8>,
}

/// Bytes of resources after which a page takes no further one, so that the memory for an answer is bounded.
pub const PAGE_BYTES_MAX: usize = 32 << 20;

impl Resource {
    /// Position of the event that brought this version; `None`: it is not committed yet.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.event.map(EventId::position)
    }

    /// The resource as it is served: the stored bytes, with version and time set in. Notes in the grant that
    /// this version leaves.
    #[must_use]
    pub fn bytes(&self, grant: &Grant) -> Vec<u8> {
        if let Some(event) = self.event {
            grant.showed(event);
        }
        let splice = stored::splice_of(&self.body).unwrap_or_default();
        stored::serve(&self.body, splice, self.version, &self.recorded_at.to_string())
    }
}

impl Records {
    /// The current version of a resource.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`], [`RecordsError::NotFound`], [`RecordsError::Gone`].
    pub fn read(&self, grant: &Grant, key: &ResourceKey) -> Result<Resource, RecordsError> {
        let rights = grant.rights(key.kind, Permission::Read)?;
        let view = self.views.view();
        let (head, facts) = self.visible_head(&view, grant, &rights, key)?;
        if !head.live {
            return Err(RecordsError::Gone { what: key.to_string(), version: head.version });
        }
        self.current(&view, grant, key, &head, facts)
    }

    /// The version of a resource that a reader had at a moment.
    ///
    /// # Errors
    ///
    /// As [`Records::read`], of that moment.
    pub fn read_as_of(
        &self,
        grant: &Grant,
        key: &ResourceKey,
        moment: Settled,
    ) -> Result<Resource, RecordsError> {
        let rights = grant.rights(key.kind, Permission::Read)?;
        let moment = moment.moment();
        let what = || format!("{key} as of {moment}");
        let view = self.views.view();
        let head = view
            .head(key)?
            .ok_or_else(|| self.absent(&view, may_know(&rights, key), key, what()))?;
        let mut versions = view.versions(&head, head.version.next());
        let current = loop {
            match versions.next().transpose()? {
                Some((_, past)) if past.recorded_at > moment => {}
                current => break current,
            }
        };
        let (version, past) = current.ok_or_else(|| {
            note_head(grant, &head);
            RecordsError::NotFound(what())
        })?;
        note(grant, head.id, past.aliases());
        let facts = Facts::from(&past);
        if !self.admits(&view, grant, &rights, key, &facts)? {
            return Err(RecordsError::NotFound(what()));
        }
        if !past.live {
            return Err(RecordsError::Gone { what: what(), version });
        }
        self.past(&view, grant, key, version, &past, facts)
    }

    /// One version of a resource.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`], [`RecordsError::NotFound`], [`RecordsError::Gone`] for a deletion.
    pub fn read_version(
        &self,
        grant: &Grant,
        key: &ResourceKey,
        version: ResourceVersion,
    ) -> Result<Resource, RecordsError> {
        let rights = grant.rights(key.kind, Permission::Read)?;
        let what = || format!("version {version} of {key}");
        let missing = || RecordsError::NotFound(what());
        let view = self.views.view();
        let head = view
            .head(key)?
            .ok_or_else(|| self.absent(&view, may_know(&rights, key), key, what()))?;
        let past = view.version(&head, version)?.ok_or_else(|| {
            note_head(grant, &head);
            missing()
        })?;
        note(grant, head.id, past.aliases());
        let facts = Facts::from(&past);
        if !self.admits(&view, grant, &rights, key, &facts)? {
            return Err(missing());
        }
        if !past.live {
            return Err(RecordsError::Gone { what: key.to_string(), version });
        }
        self.past(&view, grant, key, version, &past, facts)
    }

    /// The head of a resource that the caller may know of; notes that it was looked at.
    pub(super) fn visible_head(
        &self,
        view: &View,
        grant: &Grant,
        rights: &Rights<'_>,
        key: &ResourceKey,
    ) -> Result<(Head, Facts), RecordsError> {
        let absent = || self.absent(view, may_know(rights, key), key, key.to_string());
        let head = view.head(key)?.ok_or_else(absent)?;
        note_head(grant, &head);
        let facts = Facts::from(&head);
        match self.admits(view, grant, rights, key, &facts)? {
            true => Ok((head, facts)),
            false => Err(RecordsError::NotFound(key.to_string())),
        }
    }

    /// The one decision: whether a caller with these rights may know of a version of a resource. Rights on
    /// what a resource says are none on a deletion, which says nothing.
    pub(super) fn admits(
        &self,
        view: &View,
        grant: &Grant,
        rights: &Rights<'_>,
        key: &ResourceKey,
        facts: &Facts,
    ) -> Result<bool, RecordsError> {
        let reach = Reach::of(view, rights)?;
        let any_of = reach.within(&facts.charts);
        if any_of.is_empty() {
            return Ok(false);
        }
        let is_granted = any_of.iter().any(|criteria| criteria.is_empty());
        let stand = self.stand(view, &reach, key.kind, &facts.charts)?;
        let decided = stand.as_ref().map_or(Some(true), Stand::decided);
        match decided {
            Some(true) if is_granted => return Ok(true),
            Some(false) => return Ok(false),
            _ if !facts.live => return Ok(false),
            _ => {}
        }
        let body = self.content(view, grant, key.kind, facts)?;
        if is_granted
            && !may_have_labels(body)
            && let Some(unlabelled) = stand.as_ref().and_then(Stand::decided_unlabelled)
        {
            return Ok(unlabelled);
        }
        let document = Document::parse(body);
        let document = document.map_err(|_| unreadable())?;
        let (root, base_url) = (document.root(), self.base_url());
        let is_granted = any_of.iter().any(|criteria| {
            let mut criteria = criteria.iter();
            criteria.all(|one| one.holds_of(key, facts.recorded_at, root, base_url) == Some(true))
        });
        let permits = |stand: &Stand<'_>| stand.permits(key, root);
        Ok(is_granted && (decided == Some(true) || stand.as_ref().is_none_or(permits)))
    }

    /// What the rules rest on, where they are to be asked.
    pub(super) fn stand<'a>(
        &'a self,
        view: &'a View,
        reach: &Reach<'a>,
        kind: ResourceType,
        charts: &[StreamAlias],
    ) -> Result<Option<Stand<'a>>, RecordsError> {
        let Some(inquiry) = reach.rules else { return Ok(None) };
        self.ground(view).stand(inquiry, kind, charts).map(Some)
    }

    /// Where the rules find what they rest on.
    pub(super) fn ground<'a>(&'a self, view: &'a View) -> Ground<'a> {
        Ground { keys: &self.keys, view, base_url: self.base_url() }
    }

    /// The body that is decided on. It is read once, for the decision and for the answer.
    fn content<'f>(
        &self,
        view: &View,
        grant: &Grant,
        kind: ResourceType,
        facts: &'f Facts,
    ) -> Result<&'f [u8], RecordsError> {
        if let Some(body) = facts.body.get() {
            return Ok(body);
        }
        let body = self.body(view, kind, facts.place)?;
        grant.budget().open(body.len())?;
        Ok(facts.body.get_or_init(|| body))
    }

    /// The same, when the decision is taken.
    fn taken(
        &self,
        view: &View,
        grant: &Grant,
        kind: ResourceType,
        mut facts: Facts,
    ) -> Result<Vec<u8>, RecordsError> {
        self.content(view, grant, kind, &facts)?;
        Ok(facts.body.take().unwrap_or_default())
    }

    pub(super) fn current(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
        head: &Head,
        facts: Facts,
    ) -> Result<Resource, RecordsError> {
        let body = self.taken(view, grant, key.kind, facts)?;
        let event = Some(head.event());
        let (version, recorded_at) = (head.version, head.recorded_at);
        Ok(Resource { key: key.clone(), version, recorded_at, event, body })
    }

    /// Which resource a head is of.
    pub(crate) fn key_of(&self, view: &View, head: &Head) -> Result<ResourceKey, RecordsError> {
        let (envelope, _) = self.keys.read_event(view, head.place)?;
        envelope.key().ok_or_else(unreadable)
    }

    /// A version that is not a deletion.
    pub(super) fn past(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
        version: ResourceVersion,
        past: &PastVersion,
        facts: Facts,
    ) -> Result<Resource, RecordsError> {
        let body = self.taken(view, grant, key.kind, facts)?;
        let event = Some(past.event());
        let recorded_at = past.recorded_at;
        Ok(Resource { key: key.clone(), version, recorded_at, event, body })
    }

    /// Stored form of the body that an event brings of a resource of a type.
    pub(super) fn body(
        &self,
        view: &View,
        kind: ResourceType,
        at: EventPlace,
    ) -> Result<Vec<u8>, RecordsError> {
        if at.part > 0 || view.upcasters().are_about(kind) {
            return Ok(self.keys.read_event(view, at)?.1);
        }
        let mut payload = self.keys.read(view, at.location)?;
        let start = payload.len() - Payload::decode(&payload).body.len();
        payload.drain(..start);
        Ok(payload)
    }
}

/// What the decision on a version of a resource rests on.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The charts it lies in; none: the directory.
    pub charts: Vec<StreamAlias>,
    /// Where its content is.
    pub place: EventPlace,
    /// False for a deletion.
    pub live: bool,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Stored form of its content, once it is read.
    pub body: OnceCell<Vec<u8>>,
}

impl From<&Head> for Facts {
    fn from(head: &Head) -> Self {
        let Head { place, live, recorded_at, .. } = *head;
        let charts = head.aliases().collect();
        Self { charts, place, live, recorded_at, body: OnceCell::new() }
    }
}

impl From<&PastVersion> for Facts {
    fn from(past: &PastVersion) -> Self {
        let PastVersion { place, live, recorded_at, .. } = *past;
        let charts = past.aliases().collect();
        Self { charts, place, live, recorded_at, body: OnceCell::new() }
    }
}

/// Whether a body may have security labels: its text has their name, or an escape that may stand for a letter of it.
fn may_have_labels(body: &[u8]) -> bool {
    [b"\"security\"".as_slice(), b"\\u"].iter().any(|name| memmem::find(body, name).is_some())
}

/// Whether a caller may know that a resource was erased, of which nothing is left to decide on.
pub(super) fn may_know(rights: &Rights<'_>, key: &ResourceKey) -> bool {
    let is_own = || key.kind == ResourceType::PATIENT && rights.own_chart() == Some(&key.id);
    rights.are_everything() || is_own()
}

/// Notes that a resource was looked at, in the charts it lies in now.
fn note_head(grant: &Grant, head: &Head) {
    note(grant, head.id, head.aliases());
}

/// Also what is refused leaves its trace in the charts concerned.
pub(super) fn note(grant: &Grant, first: EventId, charts: impl Iterator<Item = StreamAlias>) {
    grant.saw_resource(first);
    charts.for_each(|alias| grant.saw_chart(alias));
}
