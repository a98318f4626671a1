//! One access entry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Action, Runs, action_of};
use crate::chart::Actor;
use crate::log::StreamAlias;
use crate::numbers::EventId;

/// How a request ended, as its access entry says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered as asked.
    Granted,
    /// The token was missing, unacceptable, or granted too little; be it for a part of the request.
    Refused,
    /// It failed for another reason: bad input, nothing there, a conflict, a fault.
    Failed,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Who looked (or was refused) what, from where, why, and with which outcome: one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// Who asked, from where and why.
    pub source: Arc<Source>,
    /// The id that this server gave the request.
    pub request: RequestId,
    /// When the request began, microseconds since 1970.
    pub begun_at: i64,
    /// The id that the client gave the request: `X-Request-Id`.
    pub client_request: Option<String>,
    /// `traceparent` (W3C Trace Context).
    pub trace: Option<String>,
    /// What was asked and what left, besides what the parts say.
    pub look: Look,
    /// The entries of a Bundle.
    pub parts: Vec<Part>,
    /// Bytes of the answer's body, or of its first part, before elements are left out and it is compressed.
    pub bytes: u64,
}

/// An entry of a Bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number in the Bundle, from 0.
    pub at: u32,
    /// As of a request of its own.
    pub look: Look,
}

/// What was asked, how it ended, and what left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Id of the operation in the OpenAPI document, or what else was done, such as `serverStart`.
    pub operation: Arc<str>,
    /// Method and pattern of the path: `GET /fhir/{type}/{id}`.
    pub route: Arc<str>,
    /// Path and query as sent, unless they follow from the rest.
    pub words: Option<Words>,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status of the answer; 0 where there was none.
    pub status: u16,
    /// Why it was refused or failed: a slug of the table of faults, or what the token does not grant.
    pub reason: Option<Arc<str>>,
    /// The charts it was about, ascending.
    pub charts: Vec<StreamAlias>,
    /// The first event of the resource it was about, unless that is the one that left.
    pub about: Option<EventId>,
    /// The events that brought the versions that left.
    pub shown: Runs,
    /// Positions of the events that it committed, where the entry says so.
    pub written: Runs,
}

/// Words of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// In the clear: of a request that was about no chart.
    Plain(String),
    /// Sealed under the keys of all charts that the request was about.
    Sealed(Vec<u8>),
}

/// Who asked, from where, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "StoredSource")]
pub struct Source {
    /// Who; `None` when no acceptable token came with the request.
    #[serde(flatten)]
    pub identity: Option<Arc<Identity>>,
    /// Network address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Network address of the trusted proxy that named the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// `User-Agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Purpose of use: of the token, or else `X-Purpose-Of-Use`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Who asked, as the token says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The person or program that the token speaks for: claim `sub`, unique within the issuer (RFC 7519
    /// section 4.1.2).
    pub subject: String,
    /// Who vouches for all of this: claim `iss`.
    pub issuer: String,
    /// Their name: claim `name`, or `subject_name` of IHE's IUA profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their role: claim `role`, or `subject_role` of IUA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Their organisation: claim `organization`, or `subject_organization` of IUA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The resource that stands for them, such as `Practitioner/x`: claim `fhirUser` of SMART.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<String>,
    /// Who acts on their behalf: claim `act` (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
    /// The application that presents the token: claim `client_id` (RFC 8693 section 4.3), else `azp` (OpenID
    /// Connect Core section 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The token's own id: claim `jti`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// What the token grants: the decision rested on this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
}

impl Identity {
    /// The same as the actor of a commit, in a request of that id; not what the token grants.
    #[must_use]
    pub fn actor(&self, request: String) -> Actor {
        let Self {
            subject,
            issuer,
            name,
            role,
            organization,
            fhir_user,
            acting,
            client,
            token_id,
            ..
        } = self.clone();
        Actor {
            subject,
            client,
            issuer,
            name,
            role,
            organization,
            fhir_user,
            acting,
            token_id,
            request,
            ..Actor::default()
        }
    }
}

impl Source {
    /// Where a commit came from, as far as it says.
    #[must_use]
    pub fn of(actor: Actor) -> Self {
        let identity = Identity {
            subject: actor.subject,
            issuer: actor.issuer,
            name: actor.name,
            role: actor.role,
            organization: actor.organization,
            fhir_user: actor.fhir_user,
            acting: actor.acting,
            client: actor.client,
            token_id: actor.token_id,
            scopes: None,
        };
        Self {
            identity: Some(identity.into()),
            address: actor.address,
            proxy: None,
            user_agent: actor.user_agent,
            purpose: actor.purpose,
        }
    }
}

/// A source as it is read: without what serde does for members that are flattened, which takes several times as long.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredSource {
    subject: Option<String>,
    issuer: Option<String>,
    name: Option<String>,
    role: Option<String>,
    organization: Option<String>,
    fhir_user: Option<String>,
    acting: Option<String>,
    client: Option<String>,
    token_id: Option<String>,
    scopes: Option<String>,
    address: Option<String>,
    proxy: Option<String>,
    user_agent: Option<String>,
    purpose: Option<String>,
}

impl From<StoredSource> for Source {
    fn from(stored: StoredSource) -> Self {
        let identity = stored.subject.zip(stored.issuer).map(|(subject, issuer)| Identity {
            subject,
            issuer,
            name: stored.name,
            role: stored.role,
            organization: stored.organization,
            fhir_user: stored.fhir_user,
            acting: stored.acting,
            client: stored.client,
            token_id: stored.token_id,
            scopes: stored.scopes,
        });
        let StoredSource { address, proxy, user_agent, purpose, .. } = stored;
        let identity = identity.map(Arc::new);
        Self { identity, address, proxy, user_agent, purpose }
    }
}

/// The id that the server gives a request: unique, and short where many stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId {
    /// A random number of this run of the server.
    pub run: u64,
    /// The number of the request within the run.
    pub number: u64,
}

/// Bits of a run that stand in a UUID: all but those of its version.
const RUN_MASK: u64 = !0xF000;
/// Bits of a number that stand in a UUID: all but those of its variant.
const NUMBER_MASK: u64 = !(0b11 << 62);

impl RequestId {
    /// A request of a run. The bits of both numbers that have no place in a UUID are dropped.
    #[must_use]
    pub const fn new(run: u64, number: u64) -> Self {
        Self { run: run & RUN_MASK, number: number & NUMBER_MASK }
    }
}

impl fmt::Display for RequestId {
    /// As a UUID of version 8 (RFC 9562 section 5.8): run, then number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.run) << 64 | u128::from(self.number);
        uuid::Uuid::new_v8(bytes.to_be_bytes()).fmt(formatter)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (run, number) = uuid::Uuid::parse_str(text)?.as_u64_pair();
        Ok(Self::new(run, number))
    }
}

impl Source {
    /// Whether the purpose is to break the glass: `BTG` of HL7's `ActReason`.
    #[must_use]
    pub fn breaks_glass(&self) -> bool {
        breaks_glass(self.purpose.as_deref())
    }

    /// Says that it is, beside what the purpose was.
    pub fn break_glass(&mut self) {
        if !self.breaks_glass() {
            let before = self.purpose.take().map(|purpose| purpose + " ").unwrap_or_default();
            self.purpose = Some(before + "BTG");
        }
    }
}

/// Whether a purpose of use is to break the glass.
#[must_use]
pub fn breaks_glass(purpose: Option<&str>) -> bool {
    let is_code = |code: &str| code.rsplit('|').next() == Some("BTG");
    purpose.is_some_and(|purpose| purpose.split([' ', ',']).any(is_code))
}

impl Look {
    /// What kind of action it was.
    #[must_use]
    pub fn action(&self) -> Action {
        action_of(&self.operation)
    }
}

impl AccessEntry {
    /// An entry about something that was done at a moment (microseconds since 1970), not by way of HTTP.
    #[must_use]
    pub fn of(source: Source, request: RequestId, operation: &str, begun_at: i64) -> Self {
        let look = Look {
            operation: operation.into(),
            route: "".into(),
            words: None,
            outcome: Outcome::Granted,
            status: 0,
            reason: None,
            charts: Vec::new(),
            about: None,
            shown: Runs::default(),
            written: Runs::default(),
        };
        let (client_request, trace, parts) = (None, None, Vec::new());
        Self {
            source: Arc::new(source),
            request,
            begun_at,
            client_request,
            trace,
            look,
            parts,
            bytes: 0,
        }
    }

    /// All that was asked: the request, and the parts of it.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        std::iter::once(&self.look).chain(self.parts.iter().map(|part| &part.look))
    }

    /// Whether it is of this subject, or of one who acts on its behalf.
    #[must_use]
    pub fn is_of(&self, subject: &str) -> bool {
        let identity = self.source.identity.as_ref();
        identity.is_some_and(|who| who.subject == subject || who.acting.as_deref() == Some(subject))
    }

    /// Whether this is the id of the request, of the server or of the client.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        self.client_request.as_deref() == Some(id) || self.request.to_string() == id
    }

    /// The charts that the request was about in any of its parts, ascending.
    #[must_use]
    pub fn charts(&self) -> Vec<StreamAlias> {
        let mut charts: Vec<_> =
            self.looks().flat_map(|look| look.charts.iter().copied()).collect();
        charts.sort_unstable();
        charts.dedup();
        charts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_of_a_request_reads_back(run in any::<u64>(), number in any::<u64>()) {
            let id = RequestId::new(run, number);
            prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
        }
    }

    #[test]
    fn the_glass_is_broken_by_its_code_alone() {
        for (purpose, is_broken) in [
            ("BTG", true),
            ("http://terminology.hl7.org/CodeSystem/v3-ActReason|BTG", true),
            ("TREAT BTG", true),
            ("TREAT", false),
            ("SBTG", false),
        ] {
            let source = Source { purpose: Some(purpose.to_owned()), ..Source::default() };
            assert_eq!(source.breaks_glass(), is_broken, "{purpose}");
        }
    }
}
