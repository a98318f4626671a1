//! Notifications: what has happened to a subscription, as a Bundle of type history.

use serde_json::{Value, json};

use super::reading::{PROFILE_NOTIFICATION, PROFILE_STATUS};
use super::subscription::{Content, Status};
use crate::auth::Grant;
use crate::chart::EventKind;
use crate::clock::Instant;
use crate::fhir::ResourceKey;
use crate::json::quote;
use crate::records::LogEvent;

/// Why a notification is sent (value set `subscription-notification-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationType {
    /// To see whether somebody is there.
    Handshake,
    /// Because there was nothing for a while.
    Heartbeat,
    /// Something has happened.
    Event,
    /// Somebody has asked how it is.
    QueryStatus,
    /// Somebody has asked what has happened.
    QueryEvent,
}

/// Something that has happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// When; `None`: nothing of it is left, or for who asks.
    pub recorded_at: Option<Instant>,
    /// To which resource, if that is said.
    pub focus: Option<Focus>,
}

/// The resource to which something has happened.
#[derive(Debug, Clone)]
pub struct Focus {
    /// Which.
    pub key: ResourceKey,
    /// What.
    pub event_kind: EventKind,
    /// What it is from then on, if that is said; and whether its contents are to go along at all.
    pub body: Option<Vec<u8>>,
}

/// A notification.
#[derive(Debug, Clone)]
pub struct Notification<'a> {
    /// Base URL of the FHIR API.
    pub base: &'a str,
    /// Id of the subscription.
    pub id: &'a str,
    /// Its topic, if that is said.
    pub topic: Option<&'a str>,
    /// How it is.
    pub status: Status,
    /// Why it is not well.
    pub error: Option<&'a str>,
    /// Why this is sent.
    pub notification_type: NotificationType,
    /// Events so far.
    pub count: u64,
    /// Those that this tells of.
    pub events: &'a [Event],
}

impl NotificationType {
    fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Heartbeat => "heartbeat",
            Self::Event => "event-notification",
            Self::QueryStatus => "query-status",
            Self::QueryEvent => "query-event",
        }
    }
}

impl Event {
    /// An event with a number, as far as content allows. What leaves of it is noted in the grant.
    #[must_use]
    pub fn of(number: u64, event: Option<&LogEvent>, content: Content, grant: &Grant) -> Self {
        // What was erased with its chart has no resource.
        let known = event.and_then(|event| Some((event, event.resource.as_ref()?.parse().ok()?)));
        let Some((event, key)) = known else {
            return Self { number, recorded_at: None, focus: None };
        };
        let body = event.body.as_ref().filter(|_| content == Content::FullResource);
        let body = body.map(|body| body.bytes(grant));
        let focus = Focus { key, event_kind: event.event_type.event_kind, body };
        let focus = Some(focus).filter(|_| content != Content::Empty);
        Self { number, recorded_at: Some(event.recorded_at), focus }
    }
}

impl Focus {
    /// The request that would have done the same, and the status of its answer.
    fn request(&self) -> (&'static str, String, &'static str) {
        let key = &self.key;
        match self.event_kind {
            EventKind::Recorded | EventKind::Restored | EventKind::MovedIn => {
                ("POST", key.kind.to_string(), "201")
            }
            EventKind::Removed | EventKind::MovedOut => ("DELETE", key.to_string(), "204"),
            _ => ("PUT", key.to_string(), "200"),
        }
    }
}

impl Notification<'_> {
    /// Its status, as R4 carries it: Parameters with that id.
    #[must_use]
    pub fn status(&self, id: &str) -> String {
        let address = format!("{}/Subscription/{}", self.base, self.id);
        let mut parameters =
            vec![json!({ "name": "subscription", "valueReference": { "reference": address } })];
        if let Some(topic) = self.topic {
            parameters.push(json!({ "name": "topic", "valueCanonical": topic }));
        }
        parameters.push(json!({ "name": "status", "valueCode": self.status.as_str() }));
        parameters.push(json!({ "name": "type", "valueCode": self.notification_type.code() }));
        let count = self.count.to_string();
        parameters.push(json!({ "name": "events-since-subscription-start", "valueString": count }));
        for event in self.events {
            let number = event.number.to_string();
            let mut parts = vec![json!({ "name": "event-number", "valueString": number })];
            if let Some(at) = event.recorded_at {
                parts.push(json!({ "name": "timestamp", "valueInstant": at.to_string() }));
            }
            if let Some(focus) = &event.focus {
                let reference = json!({ "reference": format!("{}/{}", self.base, focus.key) });
                parts.push(json!({ "name": "focus", "valueReference": reference }));
            }
            parameters.push(json!({ "name": "notification-event", "part": parts }));
        }
        if let Some(error) = self.error {
            parameters.push(json!({ "name": "error", "valueCodeableConcept": { "text": error } }));
        }
        format!(
            r#"{{"resourceType":"Parameters","id":{},"meta":{{"profile":[{}]}},"parameter":{}}}"#,
            quote(id),
            quote(PROFILE_STATUS),
            Value::from(parameters),
        )
    }

    /// The whole of it.
    #[must_use]
    pub fn bundle(&self) -> Vec<u8> {
        let id = uuid::Uuid::now_v7().to_string();
        let asked = format!("{}/Subscription/{}/$status", self.base, self.id);
        let first = format!(
            r#"{{"fullUrl":{},"resource":{},"request":{{"method":"GET","url":{}}},"response":{{"status":"200"}}}}"#,
            quote(&format!("urn:uuid:{id}")),
            self.status(&id),
            quote(&asked),
        );
        let head = format!(
            r#"{{"resourceType":"Bundle","id":{},"meta":{{"profile":[{}]}},"type":"history","timestamp":{},"entry":[{first}"#,
            quote(&uuid::Uuid::now_v7().to_string()),
            quote(PROFILE_NOTIFICATION),
            quote(&Instant::now().to_string()),
        );
        let mut out = head.into_bytes();
        for focus in self.events.iter().filter_map(|event| event.focus.as_ref()) {
            let full_url = quote(&format!("{}/{}", self.base, focus.key));
            out.extend(format!(r#",{{"fullUrl":{full_url}"#).bytes());
            if let Some(body) = &focus.body {
                out.extend(br#","resource":"#);
                out.extend_from_slice(body);
            }
            let (method, url, status) = focus.request();
            let request = json!({ "method": method, "url": url });
            let response = json!({ "status": status });
            out.extend(format!(r#","request":{request},"response":{response}}}"#).bytes());
        }
        out.extend(b"]}");
        out
    }
}
