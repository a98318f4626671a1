//! What an earlier commit with the same idempotency key did.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;

use super::super::resource::Facts;
use super::super::search::{Limits, find};
use super::{
    Action, Change, ChangeResult, Effect, IdempotencyKey, Records, RecordsError, Target,
    WriteResult,
};
use crate::auth::{Grant, Permission};
use crate::chart::{Actor, EventKind, IdempotencyMark, fingerprint};
use crate::engine::envelope_of;
use crate::fhir::{ResourceId, ResourceKey};
use crate::numbers::Position;
use crate::view::{IdempotentCommit, View};

/// The durable form of a client's key: bound to who used it.
pub fn mark(actor: &Actor, key: &IdempotencyKey) -> IdempotencyMark {
    let text = format!("{}\n{}\n{}", actor.issuer, actor.subject, key.key);
    IdempotencyMark { key: fingerprint(&[text.as_bytes()]), request: key.request.clone() }
}

/// An id that a repeated request chooses again: a UUID (version 8, RFC 9562 §5.8) made of the
/// key's hash and the number of the change.
pub fn repeatable_id(mark: &IdempotencyMark, change: usize) -> Option<ResourceId> {
    let hash = digest::digest(&digest::SHA256, format!("{}/{change}", mark.key).as_bytes());
    let bytes = *hash.as_ref().first_chunk::<16>()?;
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string().parse().ok()
}

/// Finding out which resources a request was about when its commit was made.
struct CommittedBefore<'a> {
    records: &'a Records,
    view: &'a View,
    grant: &'a Grant,
    limits: Limits<'a>,
    mark: &'a IdempotencyMark,
    /// What the commit did to which resource, and where that stands in the log.
    then: HashMap<ResourceKey, (EventKind, Position)>,
    /// The resources that one of the changes is known to have been about.
    claimed: HashSet<ResourceKey>,
}

impl CommittedBefore<'_> {
    /// The resource of each change.
    fn keys(&mut self, changes: &[Change]) -> Result<Vec<Option<ResourceKey>>, RecordsError> {
        let mut keys = Vec::with_capacity(changes.len());
        for (at, change) in changes.iter().enumerate() {
            keys.push(self.by_name(at, change)?);
        }
        self.claimed = keys.iter().flatten().cloned().collect();
        for (change, key) in changes.iter().zip(&mut keys) {
            if key.is_none() {
                *key = self.by_criteria(change)?;
                self.claimed.extend(key.clone());
            }
        }
        Ok(keys)
    }

    /// The resource of a change that names it, or that made it.
    fn by_name(&self, at: usize, change: &Change) -> Result<Option<ResourceKey>, RecordsError> {
        let unreadable = || RecordsError::unreadable("an idempotency key has no id".to_owned());
        let (kind, id) = match &change.target {
            Target::Key(key) => return Ok(Some(key.clone())),
            Target::New(kind, _) => (*kind, None),
            Target::Found(kind, _, id) => (*kind, id.clone()),
        };
        let id = id.or_else(|| repeatable_id(self.mark, at)).ok_or_else(unreadable)?;
        let made = ResourceKey::new(kind, id);
        let is_sure =
            matches!(change.target, Target::New(_, None)) || self.then.contains_key(&made);
        Ok(is_sure.then_some(made))
    }

    /// The resource that the criteria of a change had found: the one that they find now, or else
    /// what else the commit did.
    fn by_criteria(&self, change: &Change) -> Result<Option<ResourceKey>, RecordsError> {
        let (Target::New(kind, Some(criteria)) | Target::Found(kind, criteria, _)) = &change.target
        else {
            return Ok(None);
        };
        let found = find(self.records, self.view, self.grant, criteria, 2, self.limits)?;
        let found =
            found.heads.first().map(|head| self.records.key_of(self.view, head)).transpose()?;
        let is_change = matches!(change.target, Target::Found(..));
        if !is_change || found.as_ref().is_some_and(|key| self.then.contains_key(key)) {
            return Ok(found);
        }
        let removes = matches!(change.action, Action::Remove);
        let fits = |(key, (event_kind, _)): &(&ResourceKey, &(EventKind, Position))| {
            key.kind == *kind
                && (*event_kind == EventKind::Removed) == removes
                && !self.claimed.contains(*key)
        };
        let rest = self.then.iter().filter(fits).min_by_key(|(_, (_, position))| *position);
        Ok(rest.map(|(key, _)| key.clone()).or(found))
    }
}

impl Records {
    /// The answer to a request that was committed before: for each resource that commit changed,
    /// what it did then; for the others, how they are now.
    pub(super) fn answer_again(
        &self,
        view: &View,
        grant: &Grant,
        commit: &IdempotentCommit,
        mark: &IdempotencyMark,
        changes: &[Change],
        limits: Limits<'_>,
    ) -> Result<WriteResult, RecordsError> {
        let frames = self.keys.reader().commit(commit.first)?;
        let count = frames.len() as u64;
        let mut then = HashMap::new();
        for ((frame, at), steps) in frames.into_iter().zip(0..) {
            let position = commit.first_position + steps;
            grant.saw_chart(frame.alias);
            let (envelope, _) = envelope_of(&self.keys.open(view, frame, at)?)?;
            if let Some(key) = envelope.key().filter(|_| envelope.home.is_none()) {
                then.insert(key, (envelope.event_type.event_kind, position));
            }
        }
        let mut done = Vec::with_capacity(changes.len());
        let mut committed_before = CommittedBefore {
            records: self,
            view,
            grant,
            limits,
            mark,
            then,
            claimed: HashSet::new(),
        };
        let keys = committed_before.keys(changes)?;
        for key in keys {
            done.push(match key {
                None => ChangeResult::nothing(),
                Some(key) => match committed_before.then.get(&key) {
                    Some((event_kind, position)) => {
                        self.done_then(view, grant, &key, *event_kind, *position)?
                    }
                    None => self.done_nothing(view, grant, &key)?,
                },
            });
        }
        Ok(WriteResult { done, events: Some((commit.first_position, count)) })
    }

    fn done_then(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
        event_kind: EventKind,
        position: Position,
    ) -> Result<ChangeResult, RecordsError> {
        let unreadable = || RecordsError::unreadable(format!("{key} has no version at {position}"));
        let head = view.head(key)?.ok_or_else(unreadable)?;
        let mut versions = view.versions(&head, head.version.next());
        let (version, past) = loop {
            let (version, past) = versions.next().ok_or_else(unreadable)??;
            if past.position == position {
                break (version, past);
            }
        };
        let facts = Facts::from(&past);
        let resource = if past.live && self.may_read(view, grant, key, &facts)? {
            Some(self.past(view, grant, key, version, &past, facts)?)
        } else {
            None
        };
        Ok(ChangeResult {
            key: Some(key.clone()),
            effect: Effect::of(event_kind),
            version,
            recorded_at: Some(past.recorded_at),
            resource,
            repeated: true,
        })
    }

    /// The result of a change that changes nothing.
    pub(super) fn done_nothing(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
    ) -> Result<ChangeResult, RecordsError> {
        let Some(head) = view.head(key)? else {
            return Ok(ChangeResult { key: Some(key.clone()), ..ChangeResult::nothing() });
        };
        let effect = if head.live { Effect::Unchanged } else { Effect::Absent };
        let facts = Facts::from(&head);
        let resource = if head.live && self.may_read(view, grant, key, &facts)? {
            grant.owes_entry();
            Some(self.current(view, grant, key, &head, facts)?)
        } else {
            None
        };
        let recorded_at = Some(head.recorded_at);
        Ok(ChangeResult {
            key: Some(key.clone()),
            effect,
            version: head.version,
            recorded_at,
            resource,
            repeated: false,
        })
    }

    /// Whether a writer may also be shown a version of a resource.
    fn may_read(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
        facts: &Facts,
    ) -> Result<bool, RecordsError> {
        match grant.rights(key.kind, Permission::Read) {
            Ok(rights) => self.admits(view, grant, &rights, key, facts),
            Err(_) => Ok(false),
        }
    }
}
