//! A subscription as it is told to whoever may look.

use serde::Serialize;
use utoipa::ToSchema;

use super::entry::{Entry, State};
use crate::clock::Instant;
use crate::feed::fhir::Status;
use crate::numbers::Position;

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Subscription)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Where events are sent.
    pub url: String,
    /// Only these kinds of event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// Only about resources of these types.
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Only in the chart of this patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// Only about resources that one of these searches would find, with the event or until then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub criteria: Vec<String>,
    /// resource: with what the chart holds from the event on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<String>,
    /// json or cloudevents.
    pub form: &'static str,
    /// For how many seconds a delivery is repeated before its event is parked.
    pub retry_seconds: u64,
    /// Who defined it.
    pub owner: String,
    /// The scopes under which it sees: those of the owner's token when they defined it last.
    pub scopes: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// active or paused.
    pub state: &'static str,
    /// Why it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Everything before this position was acknowledged or parked.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Positions of the log from there on, whether they are for this subscription or not.
    pub behind: u64,
    /// Events that were found for it and have been neither acknowledged nor parked.
    pub waiting: usize,
    /// Events that were given up.
    pub parked: usize,
    /// Deliveries that failed since the start of the server.
    pub failures: u64,
    /// Since when deliveries fail, if the last one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Instant>,
    /// What failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many secrets sign: more than one while an old one overlaps.
    pub secrets: usize,
    /// What the receiver checks signatures with. It is told once: here, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An event that was given up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEvent {
    /// Its position in the log.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Where it can be looked at.
    pub event: String,
    /// How often it was sent.
    pub failures: u32,
    /// When it was parked.
    #[schema(value_type = String, format = DateTime)]
    pub parked_at: Instant,
    /// Why.
    pub reason: String,
}

/// How far a subscription is, in numbers.
#[derive(Debug)]
pub struct Figures {
    /// Positions up to the end of the log.
    pub behind: u64,
    /// Events that wait.
    pub waiting: usize,
    /// Events that were given up.
    pub parked: usize,
    /// Deliveries that failed.
    pub failures: u64,
    /// Whether it is paused, or off.
    pub is_paused: bool,
}

impl Figures {
    /// As they are now, when the log has so many events.
    pub fn of(entry: &Entry, head: Position) -> Self {
        entry.with(|state| Self {
            behind: head.get().saturating_sub(state.progress.arrived().get()),
            waiting: state.progress.waiting_count(),
            parked: state.progress.parked_count(),
            failures: state.failures,
            is_paused: state.paused.is_some()
                || state.standing().is_some_and(|standing| standing.status == Status::Off),
        })
    }

    /// Sets them in the metrics, of a subscription.
    pub fn set(&self, id: &str) {
        let Self { behind, waiting, parked, failures, is_paused } = *self;
        #[allow(clippy::cast_precision_loss)]
        let set = |name: &'static str, number: u64| {
            metrics::gauge!(name, "subscription" => id.to_owned()).set(number as f64);
        };
        set("chartlog_subscription_behind", behind);
        set("chartlog_subscription_waiting", waiting as u64);
        set("chartlog_subscription_parked", parked as u64);
        set("chartlog_subscription_paused", u64::from(is_paused));
        metrics::counter!("chartlog_subscription_failures_total", "subscription" => id.to_owned())
            .absolute(failures);
    }
}

impl Snapshot {
    /// As it is now, when the log has so many events.
    pub fn of(entry: &Entry, head: Position) -> Self {
        entry.with(|state| Self::of_state(&entry.id, state, head))
    }

    fn of_state(id: &str, state: &mut State, head: Position) -> Self {
        let definition = state.definition().cloned().unwrap_or_default();
        let secrets = state.secrets().map_or(0, |all| all.count(Instant::now().seconds()));
        let one = |name: &str| definition.values(name).into_iter().next();
        let position = state.progress.arrived();
        Self {
            id: id.to_owned(),
            name: definition.name.clone(),
            url: definition.url.clone(),
            kind: definition.values("kind"),
            types: definition.values("type"),
            patient: one("patient"),
            criteria: definition.values("criteria"),
            include: one("include"),
            form: if definition.is_cloud { "cloudevents" } else { "json" },
            retry_seconds: definition.retry_seconds,
            owner: state.owner.subject().to_owned(),
            scopes: state.owner.scopes().to_owned(),
            created_at: Instant::from_micros(state.created_at),
            state: if state.paused.is_some() { "paused" } else { "active" },
            reason: state.paused.clone(),
            position,
            behind: head.get().saturating_sub(position.get()),
            waiting: state.progress.waiting_count(),
            parked: state.progress.parked_count(),
            failures: state.failures,
            failing_since: state
                .trouble
                .as_ref()
                .map(|trouble| Instant::from_micros(trouble.since)),
            error: state.trouble.as_ref().map(|trouble| trouble.reason.clone()),
            secrets,
            secret: None,
        }
    }
}

impl ParkedEvent {
    /// What a subscription has parked.
    pub fn of(entry: &Entry) -> Vec<Self> {
        entry.with(|state| {
            let each = state.progress.parked().map(|(position, parked)| Self {
                position,
                event: format!("/v1/events?from={position}&limit=1"),
                failures: parked.failures,
                parked_at: Instant::from_micros(parked.parked_at.saturating_mul(1_000_000)),
                reason: parked.reason.clone(),
            });
            each.collect()
        })
    }
}
