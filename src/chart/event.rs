//! An event: one immutable fact about one resource, as it is written down.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::schema::{self, SCHEMA};
use crate::fhir::ResourceKey;
use crate::numbers::ResourceVersion;

/// What happened to a resource in a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The chart was opened.
    Opened,
    /// A resource was stored for the first time.
    Recorded,
    /// It was replaced.
    Amended,
    /// It was replaced by a version that says it was entered in error.
    Retracted,
    /// It was deleted.
    Removed,
    /// It was stored again after a deletion.
    Restored,
    /// It came into this chart from another.
    MovedIn,
    /// It left this chart for another.
    MovedOut,
    /// The chart was put under a legal hold: it cannot be erased.
    Held,
    /// The hold was lifted.
    Released,
    /// The chart was erased: its key is destroyed.
    Erased,
    /// Nothing: a request with an idempotency key was answered without a change, and the log
    /// keeps its key.
    Answered,
}

impl EventKind {
    const ALL: [(Self, &'static str); 12] = [
        (Self::Opened, "opened"),
        (Self::Recorded, "recorded"),
        (Self::Amended, "amended"),
        (Self::Retracted, "retracted"),
        (Self::Removed, "removed"),
        (Self::Restored, "restored"),
        (Self::MovedIn, "moved-in"),
        (Self::MovedOut, "moved-out"),
        (Self::Held, "held"),
        (Self::Released, "released"),
        (Self::Erased, "erased"),
        (Self::Answered, "answered"),
    ];

    /// The word in an event's type.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(event_kind, _)| *event_kind == self).map_or("", |(_, word)| word)
    }

    fn is_of_chart(self) -> bool {
        matches!(self, Self::Opened | Self::MovedIn | Self::MovedOut)
    }
}

/// The name of an event: `Observation.recorded`, `chart.opened`, `request.answered`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// `chart`, `request`, or the type of the resource.
    pub subject: String,
    /// What happened.
    pub event_kind: EventKind,
}

impl EventType {
    /// The type of an event about that resource.
    #[must_use]
    pub fn of(resource: &ResourceKey, event_kind: EventKind) -> Self {
        let subject = if event_kind.is_of_chart() { "chart" } else { resource.kind.name() };
        Self { subject: subject.to_owned(), event_kind }
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.subject, self.event_kind.word())
    }
}

impl FromStr for EventType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('.')
            .and_then(|(subject, word)| {
                let (event_kind, _) = EventKind::ALL.iter().find(|(_, known)| *known == word)?;
                Some(Self { subject: subject.to_owned(), event_kind: *event_kind })
            })
            .ok_or_else(|| format!("{text:?} is not a type of event"))
    }
}

impl Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who caused a commit, for what, in which request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// Subject of the token.
    pub subject: String,
    /// Client application, where the token names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Issuer of the token.
    pub issuer: String,
    /// Name of the subject, where the token says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Role of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Organisation of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The resource that stands for the subject: claim `fhirUser` of SMART.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// Who acts on behalf of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
    /// The token's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// Purpose of use: of the token, or else `X-Purpose-Of-Use`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Network address of the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Id that the server gave the request.
    pub request: String,
    /// Id that the client gave the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request: Option<String>,
    /// `traceparent` (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// What is stored of an `Idempotency-Key`, in the first event of its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyMark {
    /// SHA-256 over subject and key, hexadecimal.
    pub key: String,
    /// SHA-256 over the request, hexadecimal: the same key must mean the same request.
    pub request: String,
}

/// Who caused an event: stated in it, or only in an earlier one of the same commit and chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stated {
    /// Here.
    Here(Box<Actor>),
    /// In the event of the same chart that many versions before.
    Before(u64),
}

/// The metadata of an event: everything but the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// [`SCHEMA`], even if it was written under an older one.
    pub schema: u8,
    /// Version of the content, as the upcasters of its type count them, if not the first: it is what it was when this was
    /// written.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub content: u16,
    /// Name of the event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The patient whose chart this is: only in the events about the chart itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    /// The resource it is about, `None` for events about the chart alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The resource's version that it brings, if not the first.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub version: ResourceVersion,
    /// How many frames before this one the home event of the resource stands; `None` at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<u32>,
    /// Who caused it.
    pub actor: Stated,
    /// Why: in events about the chart itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Idempotency key of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<IdempotencyMark>,
    /// Under whose rights this server carries out what the event brings, as their keeper reads it: of Subscriptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<String>,
}

fn one() -> u16 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(content: &u16) -> bool {
    *content == 1
}

fn first() -> ResourceVersion {
    ResourceVersion::new(1)
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_first(version: &ResourceVersion) -> bool {
    *version == first()
}

impl Envelope {
    /// An envelope about no resource.
    #[must_use]
    pub fn new(event_type: EventType, actor: Actor) -> Self {
        Self {
            schema: SCHEMA,
            content: 1,
            event_type,
            patient: None,
            resource: None,
            version: first(),
            home: None,
            actor: Stated::Here(Box::new(actor)),
            reason: None,
            idempotency: None,
            rights: None,
        }
    }

    /// The resource as a key.
    #[must_use]
    pub fn key(&self) -> Option<ResourceKey> {
        self.resource.as_deref().and_then(|text| text.parse().ok())
    }
}

/// What an envelope says about the event alone, for who reads many of them: without who caused it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Outline {
    /// Name of the event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The resource it is about, `None` for events about the chart alone.
    pub resource: Option<String>,
    /// Why: in events about the chart itself.
    pub reason: Option<String>,
    /// Under whose rights what it brings is carried out.
    pub rights: Option<String>,
}

/// The payload of an event's frame: the envelope as JSON, and behind a line feed the resource in
/// its stored form (compact JSON, without line feeds), if the event brings one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// The envelope, JSON.
    pub envelope: &'a [u8],
    /// The stored form of the resource; empty for events without a body.
    pub body: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The bytes of a payload.
    #[must_use]
    pub fn encode(envelope: &Envelope, body: &[u8]) -> Vec<u8> {
        // Strings and numbers only: this serialisation cannot fail.
        let mut out = serde_json::to_vec(envelope).unwrap_or_default();
        if !body.is_empty() {
            out.reserve_exact(1 + body.len());
            out.push(b'\n');
            out.extend_from_slice(body);
        }
        out
    }

    /// Takes a payload apart.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Self {
        let end = memchr::memchr(b'\n', bytes);
        let (envelope, body) =
            end.and_then(|end| bytes.split_at_checked(end)).unwrap_or((bytes, &[]));
        Self { envelope, body: body.get(1..).unwrap_or_default() }
    }

    /// The envelope, read.
    ///
    /// # Errors
    ///
    /// When it was not written by [`Payload::encode`], or by that of a later program.
    pub fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        schema::read(self.envelope)
    }

    /// The envelope, read as far as an [`Outline`] tells it.
    ///
    /// # Errors
    ///
    /// As [`Payload::envelope`].
    pub fn outline(&self) -> Result<Outline, serde_json::Error> {
        schema::read(self.envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back() {
        let key: ResourceKey = "Observation/o1".parse().unwrap();
        let actor = Actor { subject: "s".into(), issuer: "i".into(), ..Actor::default() };
        let mut envelope = Envelope::new(EventType::of(&key, EventKind::Amended), actor);
        envelope.resource = Some(key.to_string());
        for (version, actor) in [(1, envelope.actor.clone()), (3, Stated::Before(7))] {
            envelope.version = ResourceVersion::new(version);
            envelope.actor = actor;
            for body in [&b""[..], b"{}"] {
                let bytes = Payload::encode(&envelope, body);
                let payload = Payload::decode(&bytes);
                assert_eq!(payload.body, body);
                assert_eq!(payload.envelope().unwrap(), envelope);
                let outline = payload.outline().unwrap();
                assert_eq!(outline.event_type, envelope.event_type);
                assert_eq!((outline.resource, outline.reason), (envelope.resource.clone(), None));
            }
        }
        assert_eq!(envelope.event_type.to_string(), "Observation.amended");
        assert_eq!(envelope.key(), Some(key));
    }
}
