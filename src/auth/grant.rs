//! The grant: what a request may see, how much work it may cause, and what it has seen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::{Caller, Permission, Reach};
use crate::budget::Budget;
use crate::chart::Actor;
use crate::fhir::{ResourceId, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::ResourceNumber;

/// The right of one request to reach the store, and the duty to record that it did.
///
/// Every function of the store asks for one, and notes in it which charts it showed. Only the gate
/// in front of the HTTP handlers makes one, and it answers no request before the grant has become
/// a durable access entry (or the commit that it allowed is its own trace).
#[derive(Debug)]
pub struct Grant {
    caller: Arc<Caller>,
    own_chart: Option<ResourceId>,
    actor: Actor,
    budget: Budget,
    seen: Mutex<Seen>,
}

/// What a request has seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The charts whose content it was shown or denied.
    pub charts: BTreeSet<StreamAlias>,
    /// Number of the one resource it was about, if it was about one.
    pub resource: Option<ResourceNumber>,
    /// True when it committed events: these are its trace.
    pub committed: bool,
    /// True when the events alone do not tell all that it saw or was refused.
    pub owes_entry: bool,
    /// True when a part of it was refused, though the whole was answered.
    pub was_refused: bool,
}

/// The token does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token does not grant '{letter}' on {subject}", letter = .permission.letter())]
pub struct Denied {
    /// What was to be done.
    pub permission: Permission,
    /// A resource type, or what else was to be reached.
    pub subject: String,
}

impl Grant {
    /// Only for the gate: whoever makes a grant owes its access entry.
    #[must_use]
    pub fn new(caller: Arc<Caller>, actor: Actor, budget: Budget) -> Self {
        let own_chart = caller.patient.as_deref().and_then(|id| id.parse().ok());
        Self { caller, own_chart, actor, budget, seen: Mutex::default() }
    }

    /// Who is asking, as the token says it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who is asking, as events and access entries say it.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The work that the request may still cause, in all its parts together.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Decides, before anything is looked up, how far the request reaches with a permission on a
    /// type: `None` everywhere, `Some` only in that patient's chart.
    ///
    /// # Errors
    ///
    /// [`Denied`] when no scope grants it.
    pub fn reach(
        &self,
        kind: ResourceType,
        permission: Permission,
    ) -> Result<Option<&ResourceId>, Denied> {
        match self.caller.reach(kind.name(), permission) {
            Reach::Everything => Ok(None),
            Reach::OwnChart if self.own_chart.is_some() => Ok(self.own_chart.as_ref()),
            Reach::OwnChart | Reach::Nothing => {
                Err(Denied { permission, subject: kind.name().to_owned() })
            }
        }
    }

    /// Decides, before anything is looked up, whether the request may look into a patient's chart
    /// at all: some type must be within its reach there.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub fn reach_chart(&self, patient: &ResourceId, permission: Permission) -> Result<(), Denied> {
        if ResourceType::all().any(|kind| self.reaches_in(kind, permission, patient)) {
            Ok(())
        } else {
            Err(self.denied(permission, "this chart"))
        }
    }

    /// Decides whether a scope grants a permission on a subject by its name, such as `Backup`, which
    /// is no resource type: what `*` grants is not enough.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub fn may(&self, subject: &str, permission: Permission) -> Result<(), Denied> {
        if self.caller.is_entitled(subject, permission) {
            Ok(())
        } else {
            Err(self.denied(permission, subject))
        }
    }

    /// The refusal of something that is not a resource type.
    #[must_use]
    pub fn denied(&self, permission: Permission, subject: &str) -> Denied {
        Denied { permission, subject: subject.to_owned() }
    }

    /// Whether the request may do that to resources of a type in a patient's chart.
    #[must_use]
    pub fn reaches_in(
        &self,
        kind: ResourceType,
        permission: Permission,
        patient: &ResourceId,
    ) -> bool {
        matches!(self.reach(kind, permission), Ok(None))
            || self.reach(kind, permission).is_ok_and(|own| own == Some(patient))
    }

    /// Notes that the request was about a chart.
    pub fn saw_chart(&self, alias: StreamAlias) {
        if alias != StreamAlias::NONE {
            self.seen(|seen| seen.charts.insert(alias));
        }
    }

    /// Notes that the request was about one resource.
    pub fn saw_resource(&self, number: ResourceNumber) {
        self.seen(|seen| *seen.resource.get_or_insert(number));
    }

    /// Notes that events of this request are in the log.
    pub fn committed(&self) {
        self.seen(|seen| seen.committed = true);
    }

    /// Notes that a writing request saw, or was refused, something besides what it wrote: its
    /// events are then not trace enough.
    pub fn owes_entry(&self) {
        self.seen(|seen| seen.owes_entry = true);
    }

    /// Notes that the token granted too little for a part of the request.
    pub fn was_refused(&self) {
        self.seen(|seen| seen.was_refused = true);
    }

    /// What the request has seen so far.
    #[must_use]
    pub fn summary(&self) -> Seen {
        self.seen(|seen| seen.clone())
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
