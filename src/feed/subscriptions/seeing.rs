//! What the owner of a subscription sees of the log.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::owner::Owner;
use super::progress::Startable;
use super::wish::Definition;
use crate::access::{AccessEntry, RequestId, Runs, Words};
use crate::audit;
use crate::auth::{Caller, Grant};
use crate::budget::Budget;
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::feed::fhir::{
    About, Content, Event, Notification, NotificationType, Outlet, Status, Wanted,
};
use crate::feed::webhook::{Method, Target};
use crate::feed::{Form, Framing, Pen};
use crate::fhir::check::Problem;
use crate::numbers::Position;
use crate::records::{BatchLimits, LogBatch, LogFilter, Records, RecordsError, Sight};

/// What access entries call a delivery.
const OPERATION: &str = "deliverEvents";
/// Bytes of memory for what one look at the log finds.
const SCAN_BYTES: usize = 4 << 20;

/// What the owner of a subscription sees of the log, and where it goes: decided under the scopes that they had.
#[derive(Debug)]
pub struct Seeing {
    /// In which form events leave, and where to.
    pub shape: Shape,
    id: String,
    owner: Owner,
    caller: Arc<Caller>,
    /// For finding events, without bodies.
    scan: Sight,
    /// For showing one.
    show: Sight,
}

/// In which form events leave, and where to.
#[derive(Debug)]
pub enum Shape {
    /// As the feed tells them.
    Native {
        /// Where to.
        target: Target,
        /// How.
        form: Form,
    },
    /// As a Subscription asks for it.
    Fhir(Arc<Wanted>),
}

/// What a subscription is to do.
#[derive(Debug)]
pub enum Desire {
    /// As the native API says it.
    Webhook(Definition),
    /// As a resource says it.
    Fhir(Arc<Wanted>),
}

/// Why nothing can be seen.
#[derive(Debug)]
pub enum Blind {
    /// That stays so until somebody does something.
    ForGood(String),
    /// That may pass.
    ForNow(String),
}

/// An event as it is to be sent.
#[derive(Debug)]
pub struct Letter {
    /// Where to.
    pub address: Address,
    /// What.
    pub body: Vec<u8>,
    /// What the access log has to say before it leaves; `None`: it tells of nobody.
    pub entry: Option<AccessEntry>,
}

/// Where an event is sent.
#[derive(Debug)]
pub enum Address {
    /// By HTTP.
    Http(Method, Target),
    /// On the WebSockets that are bound.
    Sockets,
}

impl Seeing {
    /// Decides what an owner may see of what a subscription wants.
    ///
    /// # Errors
    ///
    /// [`Blind`].
    pub fn of(
        records: &Records,
        context: &Context,
        id: &str,
        owner: &Owner,
        what: Desire,
    ) -> Result<Self, Blind> {
        let (scan, show, shape) = match what {
            Desire::Webhook(definition) => {
                let target = Target::new(&definition.url, &context.config);
                let target = target.map_err(|wrong| Blind::ForGood(format!("url: {wrong}")))?;
                let filter = definition.log_filter(&records.parameters(), records.base_url());
                let filter = filter.map_err(|problems| Blind::ForGood(told(&problems)))?;
                let without = LogFilter { with_bodies: false, ..filter.clone() };
                let cloud_source = definition.is_cloud.then(|| context.cloud_source.clone());
                let form = Form { framing: Framing::List, cloud_source };
                (without, filter, Shape::Native { target, form })
            }
            Desire::Fhir(wanted) => {
                let scan = LogFilter { triggers: wanted.triggers.clone(), ..LogFilter::default() };
                // What was admitted is shown as far as it may be seen, whatever the triggers say by now.
                let with_bodies = wanted.tells_bodies();
                let show = LogFilter { with_bodies, ..LogFilter::default() };
                (scan, show, Shape::Fhir(wanted))
            }
        };
        let caller = Arc::new(owner.caller());
        let grant = grant(records, &caller, String::new());
        let scan = records.sight(&grant, scan).map_err(Blind::because)?;
        let show = records.sight(&grant, show).map_err(Blind::because)?;
        let (id, owner) = (id.to_owned(), owner.clone());
        Ok(Self { shape, id, owner, caller, scan, show })
    }

    /// The type of what is sent.
    pub fn content_type(&self) -> &'static str {
        match &self.shape {
            Shape::Native { form: Form { cloud_source: Some(_), .. }, .. } => {
                "application/cloudevents+json"
            }
            Shape::Native { .. } => "application/json",
            Shape::Fhir(wanted) => wanted.content_type,
        }
    }

    /// How long a delivery may take, if that is less than what is configured.
    pub fn timeout(&self) -> Option<Duration> {
        match &self.shape {
            Shape::Native { .. } => None,
            Shape::Fhir(wanted) => wanted.timeout,
        }
    }

    /// Whether events leave one after the other, whatever chart they are in.
    pub fn is_in_one_line(&self) -> bool {
        matches!(&self.shape, Shape::Fhir(wanted) if matches!(wanted.about, About::Topic { .. }))
    }

    /// The events from a position on: where they are, not what they say. Nothing of it leaves.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn scan(
        &self,
        records: &Records,
        from: Position,
        events: usize,
    ) -> Result<LogBatch, RecordsError> {
        let limits = BatchLimits { events, bytes: SCAN_BYTES };
        records.follow(&grant(records, &self.caller, String::new()), &self.scan, from, limits)
    }

    /// An event as it is to be sent, from a subscription that has that status; `None`: there is nothing of it for this
    /// owner.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn read(
        &self,
        records: &Records,
        event: Startable,
        status: Status,
    ) -> Result<Option<Letter>, RecordsError> {
        let request = records.engine().next_request();
        let grant = grant(records, &self.caller, request.to_string());
        let found = records.follow_one(&grant, &self.show, event.position)?;
        let (address, body) = match &self.shape {
            Shape::Native { target, form } => {
                let Some(mut found) = found else { return Ok(None) };
                found.ends_commit = event.ends_commit;
                let mut pen = Pen::new(form);
                pen.event(&grant, &found);
                (Address::Http(Method::Post, target.clone()), pen.finish())
            }
            Shape::Fhir(wanted) => match (&wanted.about, event.number) {
                (About::Topic { canonical, content }, Some(number)) => {
                    let base = records.base_url().unwrap_or_default();
                    let event = Event::of(number, found.as_ref(), *content, &grant);
                    let notification = Notification {
                        base,
                        id: &self.id,
                        topic: Some(canonical.as_str()).filter(|_| *content != Content::Empty),
                        status,
                        error: None,
                        notification_type: NotificationType::Event,
                        count: number,
                        events: &[event],
                    };
                    let address = match &wanted.outlet {
                        Outlet::RestHook(target) => Address::Http(Method::Post, target.clone()),
                        Outlet::Socket => Address::Sockets,
                    };
                    (address, notification.bundle())
                }
                (_, _) => {
                    let Some(found) = found.filter(|found| found.resource.is_some()) else {
                        return Ok(None);
                    };
                    match (&wanted.outlet, found.body) {
                        (Outlet::RestHook(target), Some(body)) => {
                            let target = target.below(&body.key.to_string());
                            (Address::Http(Method::Put, target), body.bytes(&grant))
                        }
                        (Outlet::RestHook(target), None) => {
                            (Address::Http(Method::Post, target.clone()), Vec::new())
                        }
                        (Outlet::Socket, _) => {
                            (Address::Sockets, format!("ping {}", self.id).into_bytes())
                        }
                    }
                }
            },
        };
        let entry = match self.names_resources() {
            true => self.access_entry(records, request, &grant, body.len()),
            false => None,
        };
        Ok(Some(Letter { address, body, entry }))
    }

    /// Whether what leaves says which resources it is about.
    fn names_resources(&self) -> bool {
        match &self.shape {
            Shape::Native { .. } => true,
            Shape::Fhir(wanted) => match &wanted.about {
                About::Topic { content, .. } => *content != Content::Empty,
                About::Criteria { has_payload } => *has_payload,
            },
        }
    }

    fn access_entry(
        &self,
        records: &Records,
        request: RequestId,
        grant: &Grant,
        size: usize,
    ) -> Option<AccessEntry> {
        let seen = grant.take_seen();
        if seen.shown.is_empty() {
            return None;
        }
        let now = Instant::now().micros();
        let mut entry = AccessEntry::of(self.owner.source(), request, OPERATION, now);
        entry.look.charts = seen.charts.into_iter().collect();
        entry.look.shown = Runs::from(&seen.shown);
        let words = match &self.shape {
            Shape::Native { .. } => format!("/v1/subscriptions/{}", self.id),
            Shape::Fhir(_) => format!("/fhir/Subscription/{}", self.id),
        };
        entry.look.words = match entry.look.charts.is_empty() {
            true => Some(Words::Plain(words)),
            false => audit::seal_words(records, &entry.look.charts, &words).map(Words::Sealed),
        };
        entry.bytes = size as u64;
        Some(entry)
    }
}

impl Blind {
    fn because(error: RecordsError) -> Self {
        let told = error.to_string();
        match error {
            RecordsError::Engine(EngineError::Erased(_) | EngineError::NotFound(_)) => {
                Self::ForGood(told)
            }
            RecordsError::Engine(_) => Self::ForNow(told),
            _ => Self::ForGood(told),
        }
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The grant of one look. Each that shows something is told of by [`Letter::entry`].
fn grant(records: &Records, caller: &Arc<Caller>, request: String) -> Grant {
    let actor = caller.identity.actor(request);
    Grant::new(Arc::clone(caller), actor, Budget::default(), &records.rules())
}
