//! What an earlier commit with the same idempotency key did.

use std::collections::HashMap;

use aws_lc_rs::digest;

use super::super::fingerprint;
use super::super::keys::envelope_of;
use super::super::resource::lies_in;
use super::super::search::find;
use super::{Change, Done, Effect, IdempotencyKey, Store, StoreError, Target, Written};
use crate::auth::{Grant, Permission};
use crate::chart::{Actor, Happening, IdempotencyMark};
use crate::fhir::{ResourceId, ResourceKey};
use crate::log::StreamAlias;
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

impl Store {
    /// The answer to a request that was committed before: for each resource that commit changed,
    /// what it did then; for the others, how they are now.
    pub(super) fn recall(
        &self,
        view: &View,
        grant: &Grant,
        commit: &IdempotentCommit,
        mark: &IdempotencyMark,
        changes: &[Change],
    ) -> Result<Written, StoreError> {
        let frames = self.events_reader.commit(commit.first)?;
        let count = frames.len() as u64;
        let mut then = HashMap::new();
        for ((frame, at), position) in frames.into_iter().zip(commit.first_position..) {
            grant.saw_chart(frame.alias);
            let (envelope, _) = envelope_of(&self.keys.open(view, frame, at)?)?;
            if let Some(key) = envelope.key().filter(|_| envelope.home.is_none()) {
                then.insert(key, (envelope.event_type.happening, position));
            }
        }
        let mut done = Vec::with_capacity(changes.len());
        for (at, change) in changes.iter().enumerate() {
            let key = self.recalled_key(view, mark, at, change, &then)?;
            done.push(match then.get(&key) {
                Some((happening, position)) => {
                    self.done_then(view, grant, &key, *happening, *position)?
                }
                None => self.done_nothing(view, grant, &key)?,
            });
        }
        Ok(Written { done, events: Some((commit.first_position, count)) })
    }

    /// The resource that a change was about when its commit was made.
    fn recalled_key(
        &self,
        view: &View,
        mark: &IdempotencyMark,
        at: usize,
        change: &Change,
        then: &HashMap<ResourceKey, (Happening, u64)>,
    ) -> Result<ResourceKey, StoreError> {
        let (kind, criteria) = match &change.target {
            Target::Key(key) => return Ok(key.clone()),
            Target::New(kind, criteria) => (*kind, criteria),
        };
        let unreadable = || StoreError::Unreadable("an idempotency key has no id".to_owned());
        let created = ResourceKey::new(kind, repeatable_id(mark, at).ok_or_else(unreadable)?);
        match criteria {
            // The criteria had found a resource then: most likely the one they find now.
            Some(criteria) if !then.contains_key(&created) => {
                let found = find(&self.keys, view, None, criteria)?;
                found.first().map_or(Ok(created), |head| self.key_of(view, head))
            }
            _ => Ok(created),
        }
    }

    fn done_then(
        &self,
        view: &View,
        grant: &Grant,
        key: &ResourceKey,
        happening: Happening,
        position: u64,
    ) -> Result<Done, StoreError> {
        let unreadable = || StoreError::Unreadable(format!("{key} has no version at {position}"));
        let head = view.head(key)?.ok_or_else(unreadable)?;
        let mut versions = view.versions(&head, u64::MAX);
        let (version, past) = loop {
            let (version, past) = versions.next().ok_or_else(unreadable)??;
            if past.position == position {
                break (version, past);
            }
        };
        let charts: Vec<_> = past.aliases().collect();
        let resource = if past.live && may_read(view, grant, key, &charts)? {
            Some(self.past(view, key, version, &past)?)
        } else {
            None
        };
        Ok(Done {
            key: key.clone(),
            effect: Effect::of(happening),
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
    ) -> Result<Done, StoreError> {
        let Some(head) = view.head(key)? else {
            let effect = Effect::Absent;
            return Ok(Done {
                key: key.clone(),
                effect,
                version: 0,
                recorded_at: None,
                resource: None,
                repeated: false,
            });
        };
        let effect = if head.live { Effect::Unchanged } else { Effect::Absent };
        let charts: Vec<_> = head.places.iter().map(|place| place.alias()).collect();
        let resource = if head.live && may_read(view, grant, key, &charts)? {
            grant.owes_entry();
            Some(self.current(view, key, &head)?)
        } else {
            None
        };
        let recorded_at = Some(head.recorded_at);
        Ok(Done {
            key: key.clone(),
            effect,
            version: head.version,
            recorded_at,
            resource,
            repeated: false,
        })
    }
}

/// Whether a writer may also be shown a resource that lies in those charts.
fn may_read(
    view: &View,
    grant: &Grant,
    key: &ResourceKey,
    charts: &[StreamAlias],
) -> Result<bool, StoreError> {
    match grant.reach(key.kind, Permission::Read) {
        Ok(own) => lies_in(view, own, charts),
        Err(_) => Ok(false),
    }
}
