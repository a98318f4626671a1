//! Deciding a write against one view.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::search::find;
use super::links::Links;
use super::recall::{mark, repeatable_id};
use super::{
    Action, Change, Done, Effect, Expectation, Plan, Prepared, Resource, Store, StoreError, Target,
    Write,
};
use crate::auth::{Grant, Permission};
use crate::chart::event::SCHEMA;
use crate::chart::{
    Current, Drafted, Envelope, EventType, Happening, IdempotencyMark, Payload, Wish, decide,
};
use crate::clock::Instant;
use crate::fhir::check::{IssueCode, Problem};
use crate::fhir::criteria::Criteria;
use crate::fhir::stored::StoredForm;
use crate::fhir::terms::terms_of;
use crate::fhir::{ResourceId, ResourceKey, ResourceType, compartment, status};
use crate::json::{Document, Node};
use crate::log::StreamAlias;
use crate::view::{Head, TermChange, View};

/// Most charts in which one resource may lie.
const CHARTS_PER_RESOURCE_MAX: usize = 1_000;

/// What a caller with one chart is denied.
const OUTSIDE: &str = "resources outside the own chart";

impl Store {
    pub(super) fn plan(&self, grant: &Grant, write: &Write) -> Result<Plan, StoreError> {
        let view = self.views.view();
        let mark = write.idempotency.as_ref().map(|key| mark(grant.actor(), key));
        let mut planner = Planner {
            store: self,
            view: &view,
            grant,
            mark: mark.as_ref(),
            expectations: Vec::new(),
            charts: BTreeMap::new(),
            opened: Vec::new(),
            events: Vec::new(),
        };
        planner.plan(write)
    }
}

/// What a change is aimed at, once it is known.
enum Aim {
    /// A resource to be created or changed.
    Resource(ResourceKey),
    /// A resource that the criteria found: nothing to do.
    Existing(ResourceKey),
}

struct Planner<'a> {
    store: &'a Store,
    view: &'a View,
    grant: &'a Grant,
    mark: Option<&'a IdempotencyMark>,
    expectations: Vec<Expectation>,
    /// Alias of each chart that this write touches.
    charts: BTreeMap<ResourceId, StreamAlias>,
    /// Events that open charts; they come before all others.
    opened: Vec<Prepared>,
    events: Vec<Prepared>,
}

/// New content, ready to be stored.
struct Content {
    stored: StoredForm,
    document: Document,
    patients: Vec<ResourceId>,
    retracted: bool,
}

impl Content {
    fn lies_only_in(&self, own: &ResourceId) -> bool {
        self.patients.as_slice() == std::slice::from_ref(own)
    }
}

/// What a resource is when a change meets it.
struct Before {
    head: Head,
    patients: Vec<ResourceId>,
    /// Stored form and document of the current body, if it has one.
    body: Option<(Vec<u8>, Document)>,
}

impl Planner<'_> {
    fn plan(&mut self, write: &Write) -> Result<Plan, StoreError> {
        for change in &write.changes {
            self.refuse_by_type(change)?;
        }
        if let Some(mark) = self.mark {
            if let Some(commit) = self.view.idempotent(&mark.key)? {
                if commit.request != mark.request {
                    return Err(StoreError::KeyReused);
                }
                let written =
                    self.store.recall(self.view, self.grant, &commit, mark, &write.changes)?;
                return Ok(Plan::Nothing(written));
            }
            self.expectations.push(Expectation::Unused(mark.key.clone()));
        }
        let aims = self.aims(write)?;
        let key = |aim: &Aim| match aim {
            Aim::Resource(key) | Aim::Existing(key) => key.clone(),
        };
        let keys: Vec<ResourceKey> = aims.iter().map(key).collect();
        refuse_repeated(&write.changes, &keys)?;
        refuse_ambiguous(&write.changes, &aims)?;
        if let Some((patient, expected)) = &write.expected_version {
            self.expect_version(patient, *expected)?;
        }
        let links = self.store.links(self.view, self.grant, &write.changes, &keys)?;
        let mut done = Vec::with_capacity(aims.len());
        for (change, aim) in write.changes.iter().zip(&aims) {
            done.push(match aim {
                Aim::Existing(key) => {
                    self.grant.owes_entry();
                    self.store.done_nothing(self.view, self.grant, key)?
                }
                Aim::Resource(key) => self.change(change, key, &links)?,
            });
        }
        self.finish(done)
    }

    fn finish(&mut self, done: Vec<Done>) -> Result<Plan, StoreError> {
        if self.events.is_empty() {
            return Ok(Plan::Nothing(super::Written { done, events: None }));
        }
        let mut events = std::mem::take(&mut self.opened);
        events.append(&mut self.events);
        if let (Some(first), Some(mark)) = (events.first_mut(), self.mark) {
            first.envelope.idempotency = Some(mark.clone());
            let payload = Payload::decode(&first.payload);
            let (splice, body) =
                payload.map_or((0, Vec::new()), |old| (old.splice, old.body.to_vec()));
            first.payload = Payload::encode(&first.envelope, splice, &body);
        }
        let expectations = std::mem::take(&mut self.expectations);
        Ok(Plan::Commit { events, expectations, done })
    }

    /// Refuses, before anything is looked up, what no scope of the token can allow.
    fn refuse_by_type(&self, change: &Change) -> Result<(), StoreError> {
        match (&change.target, &change.action) {
            (Target::New(kind, criteria), _) => {
                self.grant.reach(*kind, Permission::Create)?;
                if criteria.is_some() && self.grant.reach(*kind, Permission::Search)?.is_some() {
                    return Err(self.grant.denied(Permission::Search, OUTSIDE).into());
                }
            }
            (Target::Key(key), Action::Remove) => {
                self.grant.reach(key.kind, Permission::Delete)?;
            }
            (Target::Key(key), Action::Put(..)) => {
                let create = self.grant.reach(key.kind, Permission::Create);
                if create.is_err() {
                    self.grant.reach(key.kind, Permission::Update)?;
                }
            }
        }
        Ok(())
    }

    fn aims(&mut self, write: &Write) -> Result<Vec<Aim>, StoreError> {
        let mut aims = Vec::with_capacity(write.changes.len());
        for (at, change) in write.changes.iter().enumerate() {
            let (kind, criteria) = match &change.target {
                Target::Key(key) => {
                    aims.push(Aim::Resource(key.clone()));
                    continue;
                }
                Target::New(kind, criteria) => (*kind, criteria),
            };
            let fresh = || ResourceKey::new(kind, self.fresh_id(at));
            let Some(criteria) = criteria else {
                aims.push(Aim::Resource(fresh()));
                continue;
            };
            let found = find(self.view, kind, criteria)?;
            let aim = match found.as_slice() {
                [] => Aim::Resource(fresh()),
                [(key, head)] => {
                    self.grant.saw_resource(head.number);
                    Aim::Existing(key.clone())
                }
                _ => {
                    let reason = "If-None-Exist finds several resources".to_owned();
                    return Err(StoreError::Precondition { place: change.place.clone(), reason });
                }
            };
            self.expectations.push(Expectation::Match {
                kind,
                criteria: criteria.clone(),
                found: found.first().map(|(_, head)| head.number),
            });
            aims.push(aim);
        }
        Ok(aims)
    }

    fn fresh_id(&self, change: usize) -> ResourceId {
        let random = || uuid::Uuid::now_v7().to_string().parse();
        let repeatable = self.mark.and_then(|mark| repeatable_id(mark, change));
        match repeatable.map_or_else(random, Ok) {
            Ok(id) => id,
            Err(error) => unreachable!("a UUID is a FHIR id: {error}"),
        }
    }

    fn expect_version(&mut self, patient: &ResourceId, expected: u64) -> Result<(), StoreError> {
        let actual = self.view.chart(patient)?.map_or(0, |chart| chart.version);
        if actual != expected {
            let reason = format!(
                "expectedVersion is {expected}, the chart of patient {patient} is at version {actual}"
            );
            return Err(StoreError::Conflict { place: "expectedVersion".to_owned(), reason });
        }
        self.expectations.push(Expectation::ChartVersion(patient.clone(), expected));
        Ok(())
    }

    fn change(
        &mut self,
        change: &Change,
        key: &ResourceKey,
        links: &Links,
    ) -> Result<Done, StoreError> {
        let before = self.before(key)?;
        let content = match change.action.content() {
            Some(node) => Some(self.content(change, key, node, links)?),
            None => None,
        };
        // Charts first: a version is nobody's business who may not see the resource.
        self.refuse_by_chart(change, key, before.as_ref(), content.as_ref())?;
        self.refuse_by_version(change, key, before.as_ref())?;
        let unchanged = match (&before, &content) {
            (Some(Before { body: Some((bytes, _)), .. }), Some(content)) => {
                *bytes == content.stored.bytes
            }
            _ => false,
        };
        let current = before.as_ref().map(|before| Current {
            live: before.head.live,
            retracted: before.head.retracted,
            patients: before.patients.clone(),
        });
        let wish = match &content {
            Some(content) => Wish::Put {
                patients: content.patients.clone(),
                retracted: content.retracted,
                unchanged,
            },
            None => Wish::Remove,
        };
        let drafted = decide(current.as_ref(), &wish);
        refuse_undeclared(change, key, &drafted)?;
        self.expectations.push(Expectation::Head(
            key.clone(),
            before.as_ref().map(|before| before.head.position),
        ));
        let Some(home) = drafted.first() else {
            return self.store.done_nothing(self.view, self.grant, key);
        };
        let effect = match home.happening {
            Happening::Recorded | Happening::Restored => Effect::Created,
            Happening::Removed => Effect::Removed,
            _ => Effect::Updated,
        };
        let version = before.as_ref().map_or(0, |before| before.head.version) + 1;
        self.draft(key, version, before.as_ref(), content.as_ref(), &drafted)?;
        // The time is filled in when the commit has one.
        let recorded_at = Instant::default();
        let resource = content.map(|content| Resource {
            key: key.clone(),
            version,
            recorded_at,
            body: content.stored.bytes,
            splice: content.stored.splice,
        });
        Ok(Done { key: key.clone(), effect, version, recorded_at: None, resource, repeated: false })
    }

    fn before(&self, key: &ResourceKey) -> Result<Option<Before>, StoreError> {
        let Some(head) = self.view.head(key)? else { return Ok(None) };
        self.grant.saw_resource(head.number);
        let mut patients = Vec::with_capacity(head.places.len());
        for place in &head.places {
            self.grant.saw_chart(place.alias());
            patients.extend(self.view.patient(place.alias())?);
        }
        let body = if head.live {
            let (bytes, _) = self.store.body(head.location)?;
            let document = Document::parse(bytes.as_slice())
                .map_err(|_| StoreError::Unreadable(format!("{key} does not read back")))?;
            Some((bytes, document))
        } else {
            None
        };
        Ok(Some(Before { head, patients, body }))
    }

    fn content(
        &self,
        change: &Change,
        key: &ResourceKey,
        node: Node<'_>,
        links: &Links,
    ) -> Result<Content, StoreError> {
        let stored = StoredForm::of(node, &key.id, &|text| links.resolve(text));
        let document = Document::parse(stored.bytes.as_slice())
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let root = document.root();
        let patients = compartment::patients_of(key.kind, root, &key.id, None);
        if patients.len() > CHARTS_PER_RESOURCE_MAX {
            return Err(StoreError::Invalid(vec![Problem {
                code: IssueCode::TooLong,
                expression: change.place.clone(),
                diagnostics: format!(
                    "the resource refers to {} patients; {CHARTS_PER_RESOURCE_MAX} are allowed",
                    patients.len()
                ),
            }]));
        }
        let retracted = status::is_entered_in_error(root);
        Ok(Content { stored, document, patients, retracted })
    }

    fn refuse_by_version(
        &self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
    ) -> Result<(), StoreError> {
        let place = || change.place.clone();
        let live = before.filter(|before| before.head.live);
        if change.if_none_match
            && let Some(live) = live
        {
            let reason = format!("If-None-Match: {key} exists, at version {}", live.head.version);
            return Err(StoreError::Precondition { place: place(), reason });
        }
        let Some(expected) = change.if_match else { return Ok(()) };
        let reason = match live {
            Some(live) if live.head.version == expected => return Ok(()),
            Some(live) => {
                format!(
                    "If-Match says version {expected}, {key} is at version {}",
                    live.head.version
                )
            }
            None => format!("If-Match says version {expected}, {key} does not exist"),
        };
        Err(StoreError::Precondition { place: place(), reason })
    }

    /// Refuses what lies, or would then lie, outside the charts that the caller reaches.
    fn refuse_by_chart(
        &self,
        change: &Change,
        key: &ResourceKey,
        before: Option<&Before>,
        content: Option<&Content>,
    ) -> Result<(), StoreError> {
        if let Some(content) = content {
            self.refuse_content_elsewhere(key, content)?;
        }
        let live = before.filter(|before| before.head.live);
        let permission = match (&change.action, live) {
            (Action::Remove, _) => Permission::Delete,
            (Action::Put(..), Some(_)) => Permission::Update,
            (Action::Put(..), None) => Permission::Create,
        };
        let own = self.grant.reach(key.kind, permission)?;
        // A foreign resource is answered as one that does not exist.
        let foreign = match (own, before) {
            (Some(own), Some(before)) => !before.patients.contains(own),
            (Some(_), None) => content.is_none(),
            (None, _) => false,
        };
        if foreign {
            return Err(StoreError::NotFound(key.to_string()));
        }
        let Some(content) = content else {
            return live.map_or(Ok(()), |live| refuse_elsewhere(change, key, &live.patients));
        };
        if let Some(own) = own
            && !content.lies_only_in(own)
        {
            return Err(self.grant.denied(permission, OUTSIDE).into());
        }
        refuse_elsewhere(change, key, &content.patients)
    }

    /// Refuses content that would lie outside the only chart that the caller may write into, with
    /// the same words whether the resource exists or not.
    fn refuse_content_elsewhere(
        &self,
        key: &ResourceKey,
        content: &Content,
    ) -> Result<(), StoreError> {
        let reaches = [Permission::Create, Permission::Update]
            .map(|permission| self.grant.reach(key.kind, permission));
        if reaches.iter().any(|reach| matches!(reach, Ok(None))) {
            return Ok(());
        }
        match reaches.into_iter().flatten().flatten().next() {
            Some(own) if !content.lies_only_in(own) => {
                Err(self.grant.denied(Permission::Update, OUTSIDE).into())
            }
            _ => Ok(()),
        }
    }

    fn draft(
        &mut self,
        key: &ResourceKey,
        version: u64,
        before: Option<&Before>,
        content: Option<&Content>,
        drafted: &[Drafted],
    ) -> Result<(), StoreError> {
        let terms = |document: Option<&Document>| {
            document.map(|document| terms_of(key.kind, document.root(), None)).unwrap_or_default()
        };
        let old = before.and_then(|before| before.body.as_ref()).map(|(_, document)| document);
        let mut change =
            TermChange::between(&terms(old), &terms(content.map(|content| &content.document)));
        for (steps, draft) in (0u32..).zip(drafted) {
            let alias = match &draft.patient {
                Some(patient) => self.chart(patient)?,
                None => StreamAlias::NONE,
            };
            self.grant.saw_chart(alias);
            let envelope = Envelope {
                schema: SCHEMA,
                event_type: EventType::of(key, draft.happening),
                patient: draft.patient.as_ref().map(ToString::to_string),
                resource: Some(key.to_string()),
                home: (!draft.home).then_some(steps),
                actor: self.grant.actor().clone(),
                idempotency: None,
            };
            let stored = content.filter(|_| draft.home).map(|content| &content.stored);
            let (splice, body) =
                stored.map_or((0, [].as_slice()), |stored| (stored.splice, &stored.bytes));
            self.events.push(Prepared {
                alias,
                resource_version: version,
                payload: Payload::encode(&envelope, splice, body),
                envelope,
                holds_body: content.is_some() && draft.happening != Happening::MovedOut,
                retracted: content.is_some_and(|content| content.retracted),
                terms: if draft.home { std::mem::take(&mut change) } else { TermChange::default() },
            });
        }
        Ok(())
    }

    /// The alias of a patient's chart; drafts the event that opens it if it does not exist.
    fn chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, StoreError> {
        if let Some(alias) = self.charts.get(patient) {
            return Ok(*alias);
        }
        let existing = self.view.chart(patient)?.map(|chart| chart.alias());
        self.expectations.push(Expectation::Chart(patient.clone(), existing));
        let alias = match existing {
            Some(alias) => alias,
            None => self.open_chart(patient)?,
        };
        self.charts.insert(patient.clone(), alias);
        Ok(alias)
    }

    fn open_chart(&mut self, patient: &ResourceId) -> Result<StreamAlias, StoreError> {
        let alias = self.fresh_alias()?;
        let envelope = Envelope {
            schema: SCHEMA,
            event_type: EventType { subject: "chart".to_owned(), happening: Happening::Opened },
            patient: Some(patient.to_string()),
            resource: None,
            home: None,
            actor: self.grant.actor().clone(),
            idempotency: None,
        };
        self.opened.push(Prepared {
            alias,
            resource_version: 0,
            payload: Payload::encode(&envelope, 0, &[]),
            envelope,
            holds_body: false,
            retracted: false,
            terms: TermChange::default(),
        });
        Ok(alias)
    }

    /// A random alias that no chart has.
    fn fresh_alias(&self) -> Result<StreamAlias, StoreError> {
        loop {
            let mut bytes = [0; 8];
            aws_lc_rs::rand::fill(&mut bytes)
                .map_err(|_| StoreError::System(std::io::Error::other("no randomness")))?;
            let alias = StreamAlias(u64::from_le_bytes(bytes));
            if alias != StreamAlias::NONE && self.view.patient(alias)?.is_none() {
                return Ok(alias);
            }
        }
    }
}

/// Refuses a request that says two things about one resource.
fn refuse_repeated(changes: &[Change], keys: &[ResourceKey]) -> Result<(), StoreError> {
    let mut seen = HashSet::with_capacity(keys.len());
    let repeated = changes.iter().zip(keys).filter(|(change, key)| {
        // Two conditional creations may find the same resource; neither changes it.
        matches!(change.target, Target::Key(_)) && !seen.insert((*key).clone())
    });
    let problem = |(change, key): (&Change, &ResourceKey)| Problem {
        code: IssueCode::Invariant,
        expression: change.place.clone(),
        diagnostics: format!("{key} is changed twice in one request"),
    };
    let problems: Vec<Problem> = repeated.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(StoreError::Invalid(problems)) }
}

/// Refuses two creations under one condition that found nothing: each would make the other's
/// condition untrue.
fn refuse_ambiguous(changes: &[Change], aims: &[Aim]) -> Result<(), StoreError> {
    let mut seen: HashMap<(ResourceType, &Criteria), &str> = HashMap::new();
    let mut problems = Vec::new();
    for (change, aim) in changes.iter().zip(aims) {
        let (Target::New(kind, Some(criteria)), Aim::Resource(_)) = (&change.target, aim) else {
            continue;
        };
        if let Some(first) = seen.insert((*kind, criteria), &change.place) {
            problems.push(Problem {
                code: IssueCode::Invariant,
                expression: change.place.clone(),
                diagnostics: format!("If-None-Exist asks for the same as that of {first}"),
            });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(StoreError::Invalid(problems)) }
}

/// Refuses a change to what lies outside the one chart that the request is about.
fn refuse_elsewhere(
    change: &Change,
    key: &ResourceKey,
    patients: &[ResourceId],
) -> Result<(), StoreError> {
    match &change.within {
        Some(within) if !patients.contains(within) => Err(StoreError::Invalid(vec![Problem {
            code: IssueCode::Invariant,
            expression: change.place.clone(),
            diagnostics: format!("{key} does not belong to the chart of patient {within}"),
        }])),
        _ => Ok(()),
    }
}

/// Refuses a change that is something else than the request said.
fn refuse_undeclared(
    change: &Change,
    key: &ResourceKey,
    drafted: &[Drafted],
) -> Result<(), StoreError> {
    let Some(declared) = change.declared else { return Ok(()) };
    let actual = drafted.first().map(|draft| draft.happening);
    if actual.is_none() || actual == Some(declared) {
        return Ok(());
    }
    let reason = format!(
        "the event says that {key} is {}, but it would be {}",
        declared.word(),
        actual.map_or("unchanged", Happening::word)
    );
    Err(StoreError::Conflict { place: change.place.clone(), reason })
}
