//! The grant: what a request may see, how much work it may cause, and what it has seen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::rights::Granted;
use super::{Caller, Level, Permission, Reach, Right, Rights};
use crate::access::{Part, Runs};
use crate::budget::Budget;
use crate::chart::Actor;
use crate::clock::Instant;
use crate::fhir::{ResourceId, ResourceType};
use crate::log::StreamAlias;
use crate::numbers::{EventId, Position};
use crate::policies::{Act, Asking, Inquiry, Rules};

/// The right of one request to reach the store, and the duty to record that it did.
///
/// Every function of the store asks for one, and notes in it which charts it showed. Only the gate
/// in front of the HTTP handlers makes one, and it answers no request before the grant has become
/// a durable access entry (or the commit that it allowed is its own trace).
#[derive(Debug)]
pub struct Grant {
    caller: Arc<Caller>,
    own_chart: Option<ResourceId>,
    asking: Option<Asking>,
    is_of_server: bool,
    actor: Actor,
    budget: Arc<Budget>,
    notes: Mutex<Notes>,
}

/// What a grant has noted.
#[derive(Debug, Default)]
struct Notes {
    seen: Seen,
    /// Positions of the versions that an entry has told of already.
    told: BTreeSet<EventId>,
}

/// What a request has seen so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The charts whose content it was shown or denied.
    pub charts: BTreeSet<StreamAlias>,
    /// Number of the one resource it was about, if it was about one.
    pub resource: Option<EventId>,
    /// Positions of the events that brought the versions that leave with the answer.
    pub shown: BTreeSet<EventId>,
    /// What leaves besides, with the answers of others too.
    pub together: Option<Arc<Shown>>,
    /// The entries of a Bundle.
    pub parts: Vec<Part>,
    /// Positions of the events that it committed, if the entry is to say so.
    pub written: BTreeSet<Position>,
    /// True when it committed events: these are its trace.
    pub committed: bool,
    /// True when the events alone do not tell all that it saw or was refused.
    pub owes_entry: bool,
    /// True when a part of it was refused, though the whole was answered.
    pub was_refused: bool,
}

/// What is shown to several requests alike, as each of their entries says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The charts whose content it is, ascending.
    pub charts: Vec<StreamAlias>,
    /// Positions of the events that brought the versions.
    pub versions: Runs,
}

impl Seen {
    /// The charts that it was about and the versions that left, as an entry says them.
    #[must_use]
    pub fn together(self) -> Shown {
        let Self { mut charts, mut shown, together, .. } = self;
        let Some(together) = together else {
            return Shown { charts: charts.into_iter().collect(), versions: Runs::from(&shown) };
        };
        if charts.is_empty() && shown.is_empty() {
            return Shown::clone(&together);
        }
        charts.extend(&together.charts);
        shown.extend(together.versions.events());
        Shown { charts: charts.into_iter().collect(), versions: Runs::from(&shown) }
    }
}

/// The token, or a policy, does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token does not grant '{letter}' on {subject}", letter = .permission.letter())]
pub struct Denied {
    /// What was to be done.
    pub permission: Permission,
    /// A resource type, or what else was to be reached.
    pub subject: String,
}

impl Grant {
    /// Only for the gate: whoever makes a grant owes its access entry. The rules narrow what the scopes grant.
    #[must_use]
    pub fn new(caller: Arc<Caller>, actor: Actor, budget: Budget, rules: &Arc<Rules>) -> Self {
        let own_chart = caller.patient.as_deref().and_then(|id| id.parse().ok());
        let budget = Arc::new(budget);
        let asking = Asking::of(rules, caller.asker(), Instant::now());
        Self {
            caller,
            own_chart,
            asking,
            is_of_server: false,
            actor,
            budget,
            notes: Mutex::default(),
        }
    }

    /// The server's own right, to do in the name of this caller what the server alone may: nothing narrows it, and nothing
    /// of what it reads leaves but by the right of the caller.
    #[must_use]
    pub fn of_server(&self) -> Self {
        Self {
            caller: Arc::new(Caller::server()),
            own_chart: None,
            asking: None,
            is_of_server: true,
            actor: self.actor.clone(),
            budget: Arc::clone(&self.budget),
            notes: Mutex::default(),
        }
    }

    /// Whether it is the server's own.
    #[must_use]
    pub fn is_of_server(&self) -> bool {
        self.is_of_server
    }

    /// The same right, for what is told apart: an entry of a Bundle, in a part of the access entry, or what several
    /// requests are shown. Whoever asks for it owes [`Grant::had_part`], or [`Grant::showed_together`] of each of them.
    #[must_use]
    pub fn for_part(&self) -> Self {
        Self {
            caller: Arc::clone(&self.caller),
            own_chart: self.own_chart.clone(),
            asking: self.asking.clone(),
            is_of_server: self.is_of_server,
            actor: self.actor.clone(),
            budget: Arc::clone(&self.budget),
            notes: Mutex::default(),
        }
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

    /// All rights of the request with a permission on a type: what they reach is decided on each resource.
    ///
    /// # Errors
    ///
    /// [`Denied`] when no scope grants any, or the policies deny all of it, before anything is looked up.
    pub fn rights(&self, kind: ResourceType, permission: Permission) -> Result<Rights<'_>, Denied> {
        let granted = self.granted(kind, permission)?;
        Ok(Rights { granted, rules: self.rules(kind, permission)? })
    }

    /// What the scopes grant.
    fn granted(&self, kind: ResourceType, permission: Permission) -> Result<Granted<'_>, Denied> {
        let unrestricted = self.unrestricted(kind, permission);
        let mut rights = match unrestricted {
            Ok(None) => return Ok(Granted::Everything),
            Ok(within) => vec![Right { within, criteria: &[] }],
            Err(_) => Vec::new(),
        };
        let of_level = |level| self.caller.scopes.restrictions(level, kind, permission);
        for level in [Level::User, Level::System] {
            rights.extend(of_level(level).map(|criteria| Right { within: None, criteria }));
        }
        // In its chart, a right on all resources of the type says no less.
        if let (Err(_), Some(own)) = (&unrestricted, &self.own_chart) {
            let within = Some(own);
            rights.extend(of_level(Level::Patient).map(|criteria| Right { within, criteria }));
        }
        match rights.is_empty() {
            true => Err(self.denied(permission, kind.name())),
            false => Ok(Granted::AnyOf(rights)),
        }
    }

    /// What the rules are to be asked about each resource.
    fn rules(
        &self,
        kind: ResourceType,
        permission: Permission,
    ) -> Result<Option<Inquiry<'_>>, Denied> {
        // Access entries are no part of a chart: who may see those of others is said by name.
        let asking = self.asking.as_ref().filter(|_| kind != ResourceType::AUDIT_EVENT);
        let Some(asking) = asking else { return Ok(None) };
        let act = match permission {
            Permission::Create => Act::Create,
            Permission::Read => Act::Read,
            Permission::Update => Act::Update,
            Permission::Delete => Act::Delete,
            Permission::Search => Act::Search,
        };
        asking.about(act, kind).map_err(|_| self.denied(permission, kind.name()))
    }

    /// Policies and Consents, where any are in force.
    #[must_use]
    pub fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    /// Whether any of the charts that it was about is one of which the caller has broken the glass.
    #[must_use]
    pub fn breaks_glass(&self, seen: &Seen) -> bool {
        let broken = self.asking.as_ref().map_or(&[][..], Asking::broken);
        let together = seen.together.iter().flat_map(|shown| &shown.charts);
        seen.charts.iter().chain(together).any(|chart| broken.contains(chart))
    }

    /// Decides, before anything is looked up, how far the request reaches with a permission on a
    /// type whatever a resource says: `None` everywhere, `Some` only in that patient's chart. For what
    /// is not decided resource by resource.
    ///
    /// # Errors
    ///
    /// [`Denied`] when no scope grants it, or when the rules may deny some of it.
    pub fn reach(
        &self,
        kind: ResourceType,
        permission: Permission,
    ) -> Result<Option<&ResourceId>, Denied> {
        let reach = self.unrestricted(kind, permission)?;
        match self.rules(kind, permission)? {
            None => Ok(reach),
            Some(_) => Err(self.denied(permission, kind.name())),
        }
    }

    /// The same by the scopes alone.
    fn unrestricted(
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
        if ResourceType::all().any(|kind| self.reaches_some_in(kind, permission, patient)) {
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

    /// The patient whom the token names, if it names one.
    #[must_use]
    pub fn own_patient(&self) -> Option<&ResourceId> {
        self.own_chart.as_ref()
    }

    /// Whether some of its rights depend on what a resource says.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.caller.scopes.are_restricted() || self.asking.is_some()
    }

    /// Whether the request may do that to some resources at least of a type in a patient's chart.
    #[must_use]
    pub fn reaches_some_in(
        &self,
        kind: ResourceType,
        permission: Permission,
        patient: &ResourceId,
    ) -> bool {
        self.rights(kind, permission).is_ok_and(|rights| match rights.granted {
            Granted::Everything => true,
            Granted::AnyOf(rights) => {
                rights.iter().any(|right| right.within.is_none_or(|own| own == patient))
            }
        })
    }

    /// Notes that the request was about a chart.
    pub fn saw_chart(&self, alias: StreamAlias) {
        if alias != StreamAlias::NONE {
            self.seen(|seen| seen.charts.insert(alias));
        }
    }

    /// Notes that the request was about one resource, by its first event.
    pub fn saw_resource(&self, first: EventId) {
        self.seen(|seen| *seen.resource.get_or_insert(first));
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

    /// Whether its events are not trace enough, as far as is known.
    #[must_use]
    pub fn does_owe_entry(&self) -> bool {
        self.seen(|seen| seen.owes_entry)
    }

    /// Notes that the token granted too little for a part of the request.
    pub fn was_refused(&self) {
        self.seen(|seen| seen.was_refused = true);
    }

    /// Notes that a version leaves with the answer: that which an event brought.
    pub fn showed(&self, event: EventId) {
        self.notes(|Notes { seen, told }| {
            if !told.contains(&event) {
                seen.shown.insert(event);
            }
        });
    }

    /// Notes what leaves with this answer and with those of others.
    pub fn showed_together(&self, shown: &Arc<Shown>) {
        self.seen(|seen| seen.together = Some(Arc::clone(shown)));
    }

    /// Notes so many events of this request, from a position on, for an entry that is written anyway.
    pub fn wrote(&self, first: Position, count: u64) {
        self.seen(|seen| seen.written.extend((0..count).map(|event| first + event)));
    }

    /// Notes what an entry of a Bundle asked for, and how that ended.
    pub fn had_part(&self, part: Part) {
        self.seen(|seen| seen.parts.push(part));
    }

    /// How many versions leave that were not told of before.
    #[must_use]
    pub fn shown_count(&self) -> usize {
        self.seen(|seen| {
            let together = seen.together.as_ref().map_or(0, |shown| shown.versions.count());
            seen.shown.len() + usize::try_from(together).unwrap_or(usize::MAX)
        })
    }

    /// Begins anew, when an entry has told of all: for answers without end, no part of which shows a version
    /// that another has shown.
    pub fn begin_anew(&self) {
        self.notes(|notes| *notes = Notes::default());
    }

    /// What the request has seen so far, and which versions leave that were not told of before.
    #[must_use]
    pub fn take_seen(&self) -> Seen {
        self.notes(|Notes { seen, told }| {
            let shown = std::mem::take(&mut seen.shown);
            told.extend(&shown);
            let (charts, together) = (seen.charts.clone(), seen.together.take());
            let (parts, written) =
                (std::mem::take(&mut seen.parts), std::mem::take(&mut seen.written));
            Seen { charts, shown, together, parts, written, ..*seen }
        })
    }

    /// All that a part of a request has seen, at its end.
    #[must_use]
    pub fn into_seen(self) -> Seen {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner).seen
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        self.notes(|notes| look(&mut notes.seen))
    }

    fn notes<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
