//! What one request may see, and wants to see, of the log.

use super::trigger::Trigger;
use crate::auth::{Grant, Permission};
use crate::chart::{Actor, EventKind, EventType};
use crate::fhir::search::Criteria;
use crate::fhir::{ResourceId, ResourceType};
use crate::log::StreamAlias;
use crate::records::{Records, RecordsError};

/// Some types of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindFilter {
    /// `chart`, `request`, or a type of resources; `None`: of any.
    pub subject: Option<String>,
    /// What happened.
    pub event_kind: EventKind,
}

/// Which events are wanted. Of what is empty, all are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of one of these types.
    pub kinds: Vec<KindFilter>,
    /// About a resource of one of these types.
    pub types: Vec<ResourceType>,
    /// In the chart of this patient.
    pub patient: Option<ResourceId>,
    /// About a resource that matches one of these, with this event or until this event.
    pub criteria: Vec<Criteria>,
    /// About a resource whose change pulls one of these. Then each change is told of once, whatever charts it is in, and
    /// not that charts were erased.
    pub triggers: Vec<Trigger>,
    /// Caused by this subject.
    pub actor: Option<String>,
    /// Whether what the chart holds from an event on is wanted too.
    pub with_bodies: bool,
    /// Whether it is wanted too who caused an event.
    pub with_actors: bool,
    /// Whether the payload of the event's frame is wanted too.
    pub with_payloads: bool,
}

impl LogFilter {
    /// Whether it can be decided only with what resources say, or that is to leave.
    pub(super) fn needs_body(&self) -> bool {
        self.with_bodies || !self.criteria.is_empty() || !self.triggers.is_empty()
    }

    /// Whether it takes more than the outline of an event.
    pub(super) fn needs_payload(&self) -> bool {
        self.needs_body() || self.needs_actor() || self.with_payloads
    }

    pub(super) fn admits_type(&self, event_type: &EventType) -> bool {
        let is_of = |kind: &KindFilter| {
            kind.event_kind == event_type.event_kind
                && kind.subject.as_ref().is_none_or(|subject| *subject == event_type.subject)
        };
        self.kinds.is_empty() || self.kinds.iter().any(is_of)
    }

    pub(super) fn needs_actor(&self) -> bool {
        self.with_actors || self.actor.is_some()
    }

    pub(super) fn admits_actor(&self, actor: Option<&Actor>) -> bool {
        let is_of = |wanted: &String| actor.is_some_and(|actor| actor.subject == *wanted);
        self.actor.as_ref().is_none_or(is_of)
    }

    pub(super) fn admits_kind(&self, kind: Option<ResourceType>) -> bool {
        let Some(kind) = kind else {
            return self.types.is_empty() && self.criteria.is_empty() && self.triggers.is_empty();
        };
        (self.types.is_empty() || self.types.contains(&kind))
            && (self.criteria.is_empty() || self.criteria.iter().any(|one| one.kind == kind))
            && (self.triggers.is_empty() || self.triggers.iter().any(|one| one.kind == kind))
    }
}

/// How far a caller sees the events about one type of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Far {
    Nowhere,
    OwnChart,
    Everywhere,
}

/// What one request may see, and wants to see, of the log: decided once, before anything is looked up. Nothing else
/// decides on an event, so requests of which this is equal are shown the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Sight {
    pub(super) filter: LogFilter,
    /// By code of the type.
    far: Vec<Far>,
    /// The one patient whose chart the caller may look into.
    pub(super) own: Option<ResourceId>,
    /// The one chart that is wanted.
    pub(super) chart: Option<StreamAlias>,
}

impl Records {
    /// Decides what a caller may see of the log. A chart that is asked for by its patient is noted in the grant.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`] when that is nothing, or when a type or a chart that is asked for is out of reach;
    /// [`RecordsError::NotFound`] of a chart.
    pub fn sight(&self, grant: &Grant, filter: LogFilter) -> Result<Sight, RecordsError> {
        let named = filter.types.iter().copied().chain(filter.criteria.iter().map(|one| one.kind));
        for kind in named.chain(filter.triggers.iter().map(|one| one.kind)) {
            grant.reach(kind, Permission::Read)?;
            grant.reach(kind, Permission::Search)?;
        }
        let mut far = Vec::new();
        let mut own = None;
        for kind in ResourceType::all() {
            let at = usize::from(kind.code());
            far.resize(far.len().max(at + 1), Far::Nowhere);
            let reach = |permission| grant.reach(kind, permission);
            let reaches = match (reach(Permission::Read), reach(Permission::Search)) {
                (Ok(None), Ok(None)) => Far::Everywhere,
                (Ok(read), Ok(search)) => {
                    own = own.or_else(|| read.or(search).cloned());
                    Far::OwnChart
                }
                _ => Far::Nowhere,
            };
            if let Some(place) = far.get_mut(at) {
                *place = reaches;
            }
        }
        if far.iter().all(|far| *far == Far::Nowhere) {
            return Err(grant.denied(Permission::Search, "any type").into());
        }
        let chart = match &filter.patient {
            Some(patient) => Some(self.open_chart(grant, patient)?.1.alias()),
            None => None,
        };
        Ok(Sight { filter, far, own, chart })
    }
}

impl Sight {
    /// Whether an event in a chart (`None`: in the directory), about a resource of a type or about the chart
    /// alone, is within reach: the latter if the Patient is.
    pub(super) fn reaches(
        &self,
        kind: Option<ResourceType>,
        chart: Option<StreamAlias>,
        own: Option<StreamAlias>,
    ) -> bool {
        match self.far_of(kind.unwrap_or(ResourceType::PATIENT)) {
            Far::Everywhere => true,
            Far::OwnChart => own.is_some() && chart == own,
            Far::Nowhere => false,
        }
    }

    /// Whether resources of a type are within reach only in the caller's own chart.
    pub(super) fn is_confined(&self, kind: ResourceType) -> bool {
        self.far_of(kind) != Far::Everywhere
    }

    /// Whether it is to be told that charts were erased: who sees all patients. Types and criteria do not matter: what was
    /// kept of such a chart has to go, whatever it was. Of who caused what is left of it, nothing is known.
    pub(super) fn sees_erasures(&self) -> bool {
        let erased = EventType { subject: "chart".to_owned(), event_kind: EventKind::Erased };
        self.filter.triggers.is_empty()
            && self.far_of(ResourceType::PATIENT) == Far::Everywhere
            && self.filter.admits_type(&erased)
            && self.filter.actor.is_none()
    }

    fn far_of(&self, kind: ResourceType) -> Far {
        self.far.get(usize::from(kind.code())).copied().unwrap_or(Far::Nowhere)
    }
}
