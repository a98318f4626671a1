//! The state that a search looks at, and how much of it one search may look at.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};

use crate::auth::{Grant, Permission};
use crate::budget::Budget;
use crate::clock::Instant;
use crate::engine::{EngineError, Keys};
use crate::fhir::search::Parameters;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position, ResourceNumber, ResourceVersion};
use crate::records::ground::Ground;
use crate::records::reach::Reach;
use crate::records::resource::Resource;
use crate::records::{RecordsError, error::unreadable};
use crate::view::{Allowance, EventPlace, Head, Neighbours, Order, PastVersion, View, ViewError};

/// How much one search may look at, within what is left of the budget of its request.
#[derive(Debug, Clone, Copy)]
pub(in crate::records) struct Limits<'a> {
    /// What the request has left, in all its parts together.
    pub budget: &'a Budget,
    /// Records of the index.
    pub records: u64,
    /// Resources that are opened.
    pub opened: u64,
    /// Events behind the moment of the search that are looked through for what has changed.
    pub changes: u64,
}

impl<'a> Limits<'a> {
    /// Of any search: what the budget has left.
    pub fn whole(budget: &'a Budget) -> Self {
        Self { budget, records: u64::MAX, opened: u64::MAX, changes: 4_000_000 }
    }

    /// Of one that takes no longer than a few reads.
    pub fn brief(budget: &'a Budget) -> Self {
        Self { budget, records: 300, opened: 64, changes: 2_000 }
    }
}

/// What a search looks at: one state of the views, or an earlier one behind it.
pub(super) struct SearchContext<'a> {
    pub keys: &'a Keys,
    pub view: &'a View,
    /// Whose rights decide; `None` for the store's own questions.
    pub grant: Option<&'a Grant>,
    pub parameters: &'a Parameters,
    pub base_url: Option<&'a str>,
    /// Position behind the last event that counts.
    pub end: Position,
    pub records: Allowance<'a>,
    limits: Limits<'a>,
    /// Matches are looked up in the order of their numbers.
    near: RefCell<Neighbours>,
    opened: Cell<u64>,
    /// By type, the resources that were changed at or behind `end`.
    changed: OnceCell<HashMap<ResourceType, BTreeSet<ResourceNumber>>>,
    /// Below it are the numbers of the resources whose first event counts.
    behind: OnceCell<ResourceNumber>,
}

/// The version of a resource that counts.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Number of the resource in the index.
    pub number: ResourceNumber,
    /// FHIR's `versionId`.
    pub version: ResourceVersion,
    /// Position of the event that brought this version.
    pub position: Position,
    /// Where that event is read.
    pub place: EventPlace,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The charts it lies in, home first; none: the directory.
    pub charts: Vec<StreamAlias>,
}

/// A resource with its content.
#[derive(Debug)]
pub(super) struct Opened {
    pub held: Held,
    pub key: ResourceKey,
    pub document: Document,
}

impl<'a> SearchContext<'a> {
    /// The state in which `end` events had happened; with `view` showing at least those.
    pub fn new(
        keys: &'a Keys,
        view: &'a View,
        grant: Option<&'a Grant>,
        parameters: &'a Parameters,
        base_url: Option<&'a str>,
        end: Position,
        limits: Limits<'a>,
    ) -> Self {
        Self {
            keys,
            view,
            grant,
            parameters,
            base_url,
            end,
            records: Allowance::of(limits.budget, limits.records),
            limits,
            near: RefCell::default(),
            opened: Cell::new(0),
            changed: OnceCell::new(),
            behind: OnceCell::new(),
        }
    }

    /// What the caller may search of a type.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`].
    pub fn reach(&self, kind: ResourceType) -> Result<Reach<'a>, RecordsError> {
        self.reach_with(kind, Permission::Search)
    }

    /// What a permission of the caller reaches of a type.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`].
    pub fn reach_with(
        &self,
        kind: ResourceType,
        permission: Permission,
    ) -> Result<Reach<'a>, RecordsError> {
        let Some(grant) = self.grant else { return Ok(Reach::EVERYTHING) };
        Reach::of(self.view, &grant.rights(kind, permission)?)
    }

    /// Where the rules find what they rest on.
    pub fn ground(&self) -> Ground<'a> {
        Ground { keys: self.keys, view: self.view, base_url: self.base_url }
    }

    /// Below it are the numbers of the resources whose first event counts.
    pub fn behind(&self) -> Result<ResourceNumber, RecordsError> {
        match self.behind.get() {
            Some(behind) => Ok(*behind),
            None => {
                let behind = self.view.number_behind(self.end)?;
                Ok(*self.behind.get_or_init(|| behind))
            }
        }
    }

    /// The version that counts of the resource with that number; `None`: there is none, or it is
    /// deleted.
    pub fn held(&self, number: ResourceNumber) -> Result<Option<Held>, RecordsError> {
        if number >= self.behind()? {
            return Ok(None);
        }
        self.records.take(1)?;
        match self.view.head_near(number, &mut self.near.borrow_mut())? {
            Some(head) => self.held_by(&head),
            None => Ok(None),
        }
    }

    /// The same by its name.
    pub fn held_as(&self, key: &ResourceKey) -> Result<Option<Held>, RecordsError> {
        match self.view.head(key)? {
            Some(head) => self.held_by(&head),
            None => Ok(None),
        }
    }

    fn held_by(&self, head: &Head) -> Result<Option<Held>, RecordsError> {
        if head.position < self.end {
            let Head { number, version, position, place, recorded_at, .. } = *head;
            let charts = head.places.iter().map(|place| place.alias()).collect();
            let held = Held { number, version, position, place, recorded_at, charts };
            return Ok(head.live.then_some(held));
        }
        self.held_before(head, head.version)
    }

    /// The newest version below `before` that counts.
    fn held_before(
        &self,
        head: &Head,
        before: ResourceVersion,
    ) -> Result<Option<Held>, RecordsError> {
        for past in self.view.versions(head, before) {
            self.records.take(1)?;
            let (version, past) = past?;
            if past.position < self.end {
                let charts = past.aliases().collect();
                let PastVersion { position, place, recorded_at, .. } = past;
                let number = head.number;
                let held = Held { number, version, position, place, recorded_at, charts };
                return Ok(past.live.then_some(held));
            }
        }
        Ok(None)
    }

    /// A past version, for a reference that names it.
    pub fn held_version(
        &self,
        key: &ResourceKey,
        version: ResourceVersion,
    ) -> Result<Option<Held>, RecordsError> {
        let Some(head) = self.view.head(key)? else { return Ok(None) };
        let held = self.held_before(&head, version.next())?;
        Ok(held.filter(|held| held.version == version))
    }

    /// Opens a version.
    ///
    /// # Errors
    ///
    /// [`ViewError::Costly`] when the search or the request has opened very much; the log's.
    pub fn open(&self, held: Held) -> Result<Option<Opened>, RecordsError> {
        let Some((key, body)) = self.read(&held)? else { return Ok(None) };
        let document = Document::parse(body).map_err(|_| unreadable())?;
        Ok(Some(Opened { held, key, document }))
    }

    /// A version as it is served.
    ///
    /// # Errors
    ///
    /// As [`SearchContext::open`].
    pub fn resource(&self, held: &Held) -> Result<Option<Resource>, RecordsError> {
        let (version, recorded_at, event) = (held.version, held.recorded_at, Some(held.event()));
        let read = self.read(held)?;
        Ok(read.map(|(key, body)| Resource { key, version, recorded_at, event, body }))
    }

    /// Name and content of a version; `None`: erased since the view was taken.
    fn read(&self, held: &Held) -> Result<Option<(ResourceKey, Vec<u8>)>, RecordsError> {
        self.opened.set(self.opened.get() + 1);
        if self.opened.get() > self.limits.opened {
            return Err(ViewError::Costly.into());
        }
        let (envelope, body) = match self.keys.read_event(self.view, held.place) {
            Err(EngineError::Erased(_)) => return Ok(None),
            read => read?,
        };
        self.limits.budget.open(body.len())?;
        Ok(Some((envelope.key().ok_or_else(unreadable)?, body)))
    }

    /// The resources of a type that existed, and were changed at or behind the end.
    pub fn changed(
        &self,
        kind: ResourceType,
    ) -> Result<Option<&BTreeSet<ResourceNumber>>, RecordsError> {
        if let Some(changed) = self.changed.get() {
            return Ok(changed.get(&kind));
        }
        let applied = self.view.applied_events()?;
        if applied <= self.end {
            return Ok(None);
        }
        if applied - self.end > self.limits.changes {
            return Err(ViewError::Costly.into());
        }
        let mut changed: HashMap<ResourceType, BTreeSet<ResourceNumber>> = HashMap::new();
        let behind = self.behind()?;
        for record in self.view.changes(self.end..applied, Order::Ascending)? {
            self.records.take(1)?;
            let (_, changes) = record?;
            for change in changes.iter().filter(|change| change.number < behind) {
                changed.entry(change.kind).or_default().insert(change.number);
            }
        }
        Ok(self.changed.get_or_init(|| changed).get(&kind))
    }
}

impl Held {
    /// The event that brought it.
    fn event(&self) -> EventId {
        EventId::of(self.position, self.place.part)
    }
}

impl Opened {
    /// As it is served.
    pub fn resource(&self) -> Resource {
        Resource {
            key: self.key.clone(),
            version: self.held.version,
            recorded_at: self.held.recorded_at,
            event: Some(self.held.event()),
            body: self.document.root().text().as_bytes().to_vec(),
        }
    }
}
