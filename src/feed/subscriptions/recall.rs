//! What somebody asks about a Subscription: how it is, and what it has told of.

use super::kept::Kept;
use crate::auth::{Caller, Grant};
use crate::budget::Budget;
use crate::feed::fhir::{About, Content, Event, Notification, NotificationType, Status};
use crate::fhir::check::{IssueCode, Problem};
use crate::json::Document;
use crate::records::{LogFilter, PAGE_BYTES_MAX, Records, RecordsError, Resource};

/// Events in one answer.
const EVENTS_MAX: u64 = 1_000;

/// Which events somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct RecallRequest {
    /// The first number; `None`: of all that are kept.
    pub since: Option<u64>,
    /// The last number; `None`: so far.
    pub until: Option<u64>,
    /// How much is to be said; `None`: what the subscription says.
    pub content: Option<Content>,
}

/// How a Subscription is.
#[derive(Debug)]
pub struct Recall {
    id: String,
    status: Status,
    topic: Option<String>,
    error: Option<String>,
    count: u64,
    events: Vec<Event>,
}

impl Kept {
    /// How a Subscription is that the caller has read.
    ///
    /// # Errors
    ///
    /// It does not read back.
    pub fn status(&self, grant: &Grant, resource: &Resource) -> Result<Recall, RecordsError> {
        let document = Document::parse(resource.bytes(grant)).map_err(|_| {
            RecordsError::unreadable(format!("{} does not read back", resource.key))
        })?;
        let root = document.root();
        let id = resource.key.id.to_string();
        let text = |name: &str| root.get_str(name).map(std::borrow::Cow::into_owned);
        let count = self.entry(&id).map_or(0, |entry| {
            entry.with(|state| state.progress.numbers().map_or(0, |numbers| numbers.last()))
        });
        Ok(Recall {
            id,
            status: Status::of(root).unwrap_or(Status::Off),
            // Criteria of R4 are no canonical.
            topic: text("criteria")
                .filter(|criteria| criteria.contains(':') && !criteria.contains('?')),
            error: text("error"),
            count,
            events: Vec::new(),
        })
    }

    /// The same with events that it has told of: as far as its owner may see them, and the caller too.
    ///
    /// # Errors
    ///
    /// They are no longer kept; the store's.
    pub fn recall(
        &self,
        records: &Records,
        grant: &Grant,
        resource: &Resource,
        request: &RecallRequest,
    ) -> Result<Recall, RecordsError> {
        let mut recall = self.status(grant, resource)?;
        let Some(entry) = self.entry(&recall.id) else { return Ok(recall) };
        let (owner, own, numbers) = entry.with(|state| {
            let own =
                state.standing().and_then(|standing| match &standing.wanted.as_ref().ok()?.about {
                    About::Topic { content, .. } => Some(*content),
                    About::Criteria { .. } => None,
                });
            (state.owner.caller(), own, state.progress.numbers().cloned().unwrap_or_default())
        });
        let first = request.since.unwrap_or(numbers.first());
        if first < numbers.first() {
            let diagnostics = format!(
                "events are kept from number {} on: older ones are forgotten",
                numbers.first()
            );
            return Err(RecordsError::Invalid(vec![Problem {
                code: IssueCode::Value,
                expression: "eventsSinceNumber".to_owned(),
                diagnostics,
            }]));
        }
        let last = request.until.unwrap_or(u64::MAX).min(numbers.last());
        let content = request.content.or(own).unwrap_or(Content::IdOnly);
        let owner = owner_grant(records, owner);
        let theirs = records.sight(&owner, LogFilter::default())?;
        let with_bodies = content == Content::FullResource;
        let sight = records.sight(grant, LogFilter { with_bodies, ..LogFilter::default() })?;
        let mut bytes = 0;
        for number in (first..=last).take_while(|number| *number < first.saturating_add(EVENTS_MAX))
        {
            let Some(position) = numbers.position(number) else { continue };
            let found = match records.follow_one(&owner, &theirs, position)? {
                Some(_) => records.follow_one(grant, &sight, position)?,
                None => None,
            };
            let event = Event::of(number, found.as_ref(), content, grant);
            let body = event.focus.as_ref().and_then(|focus| focus.body.as_ref());
            bytes += body.map_or(0, Vec::len);
            recall.events.push(event);
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(recall)
    }
}

impl Recall {
    /// As a status with that id, on an API with that base URL.
    #[must_use]
    pub fn status(&self, base: &str, id: &str) -> String {
        self.notification(base, NotificationType::QueryStatus).status(id)
    }

    /// As a notification.
    #[must_use]
    pub fn bundle(&self, base: &str) -> Vec<u8> {
        self.notification(base, NotificationType::QueryEvent).bundle()
    }

    /// As the first that a receiver gets.
    #[must_use]
    pub fn handshake(&self, base: &str) -> Vec<u8> {
        self.notification(base, NotificationType::Handshake).bundle()
    }

    fn notification<'a>(
        &'a self,
        base: &'a str,
        notification_type: NotificationType,
    ) -> Notification<'a> {
        Notification {
            base,
            id: &self.id,
            topic: self.topic.as_deref(),
            status: self.status,
            error: self.error.as_deref(),
            notification_type,
            count: self.count,
            events: &self.events,
        }
    }
}

/// The grant by which it is asked what an owner may see. Nothing of it leaves.
fn owner_grant(records: &Records, owner: Caller) -> Grant {
    let actor = owner.identity.actor(String::new());
    Grant::new(std::sync::Arc::new(owner), actor, Budget::default(), &records.rules())
}
