//! What a `Subscription` asks for.

use std::time::Duration;

use super::reading::{CROSS_VERSION, GUIDE, PROFILE_SUBSCRIPTION, Wrong, extensions, value};
use super::topic::Topic;
use crate::clock::Instant;
use crate::config::FeedConfig;
use crate::feed::filter::criteria;
use crate::feed::webhook::{Target, header};
use crate::fhir::Parameters;
use crate::fhir::check::{IssueCode, Problem};
use crate::json::{Kind, Node};
use crate::records::Trigger;

/// Headers that may go with a notification.
const HEADERS_MAX: usize = 20;
/// Filters of one subscription.
const FILTERS_MAX: usize = 32;
/// Longest heartbeat period and timeout, in seconds.
const SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
/// Types of payload; all of them are FHIR's JSON.
const PAYLOADS: [&str; 2] = ["application/fhir+json", "application/json"];
/// Extensions of the guide that mean something here.
const EXTENSIONS: [&str; 5] = [
    "backport-filter-criteria",
    "backport-payload-content",
    "backport-heartbeat-period",
    "backport-timeout",
    "backport-max-count",
];

/// How a subscription is (value set `subscription-status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is to begin.
    Requested,
    /// It runs.
    Active,
    /// It is tried, and fails.
    Error,
    /// It has ended.
    Off,
}

/// How much notifications say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// That something has happened.
    Empty,
    /// To which resource.
    IdOnly,
    /// And how it is from then on.
    FullResource,
}

/// Where notifications leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlet {
    /// By HTTP, to that address.
    RestHook(Target),
    /// On the WebSockets that are bound to it.
    Socket,
}

/// What is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Resources that come to match criteria of R4.
    Criteria {
        /// Whether they go along.
        has_payload: bool,
    },
    /// A topic.
    Topic {
        /// As the subscription names it.
        canonical: String,
        /// How much is said.
        content: Content,
    },
}

/// What a Subscription asks for, understood and allowed.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// When it ends.
    pub end: Option<Instant>,
    /// Where notifications leave.
    pub outlet: Outlet,
    /// What goes with them. Some of it may be secret.
    pub headers: Vec<(String, String)>,
    /// The type of what is sent.
    pub content_type: &'static str,
    /// How long one may take.
    pub timeout: Option<Duration>,
    /// After how long a silence something is sent all the same.
    pub heartbeat: Option<Duration>,
    /// What is told of.
    pub about: About,
    /// The same as triggers.
    pub triggers: Vec<Trigger>,
}

/// What a Subscription is read against.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Where notifications may go.
    pub config: &'a FeedConfig,
    /// What can be searched by.
    pub parameters: &'a Parameters,
    /// Base URL of the FHIR API.
    pub base_url: Option<&'a str>,
    /// The topics that there are.
    pub topics: &'a [Topic],
}

impl Status {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Requested, "requested"),
        (Self::Active, "active"),
        (Self::Error, "error"),
        (Self::Off, "off"),
    ];

    /// The status that a Subscription says it has.
    #[must_use]
    pub fn of(resource: Node<'_>) -> Option<Self> {
        let code = resource.get_str("status")?;
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(status, _)| *status)
    }

    /// Its code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, code)| code)
    }
}

impl Content {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Empty, "empty"), (Self::IdOnly, "id-only"), (Self::FullResource, "full-resource")];
    /// What there is, for those who ask for something else.
    pub const RIGHT: &'static str = "must be empty, id-only or full-resource";

    /// The content of a code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == code).map(|(content, _)| *content)
    }
}

impl Wanted {
    /// Reads a Subscription, whatever its status.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(resource: Node<'_>, surroundings: &Surroundings<'_>) -> Result<Self, Vec<Problem>> {
        let mut wrong = Wrong::default();
        refuse_extensions(resource, &mut wrong);
        let end = resource.get_str("end").and_then(|text| Instant::parse(&text));
        let channel = resource.get("channel");
        let of_channel = |name: &str| channel.and_then(|channel| channel.get_str(name));
        let outlet = outlet(channel, surroundings.config, &mut wrong);
        let headers = headers(channel, &mut wrong);
        let text = resource.get_str("criteria").unwrap_or_default().into_owned();
        // The codes of a search may have URLs in them.
        let is_canonical = text.split('?').next().is_some_and(|before| before.contains(':'));
        let is_topic = has_profile(resource) || is_canonical;
        let payload = of_channel("payload");
        let content_type = payload.as_deref().map(|payload| {
            PAYLOADS.iter().find(|known| **known == payload).copied().unwrap_or_else(|| {
                let right = format!("must be {}", PAYLOADS.join(" or "));
                wrong.add(IssueCode::NotSupported, "Subscription.channel.payload", right);
                PAYLOADS[0]
            })
        });
        let seconds = |name: &str, wrong: &mut Wrong| {
            let text = extensions(channel, &format!("{GUIDE}{name}")).find_map(value)?;
            let number = text.parse().ok().filter(|number| (1..=SECONDS_MAX).contains(number));
            if number.is_none() {
                let right = format!("{name} must be a whole number from 1 to {SECONDS_MAX}");
                wrong.add(IssueCode::Value, "Subscription.channel.extension", right);
            }
            number.map(Duration::from_secs)
        };
        let heartbeat = seconds("backport-heartbeat-period", &mut wrong);
        let timeout = seconds("backport-timeout", &mut wrong);
        // A notification has one event, which is not more than any number that may be asked for.
        let payload_content = channel.and_then(|channel| channel.get("_payload"));
        let content = extensions(payload_content, &format!("{GUIDE}backport-payload-content"));
        let content = content.filter_map(value).next();
        let (about, triggers) = if is_topic {
            let content = topic_content(content, payload.is_some(), &mut wrong);
            let triggers = of_topic(resource, &text, surroundings, &mut wrong);
            (About::Topic { canonical: text, content }, triggers)
        } else {
            if content.is_some() || heartbeat.is_some() || timeout.is_some() {
                let right = "extensions of the Subscriptions Backport need a topic: its canonical URL in criteria, \
                             and the profile backport-subscription";
                wrong.add(IssueCode::NotSupported, "Subscription.criteria", right);
            }
            let triggers = of_criteria(&text, surroundings, &mut wrong);
            // On a WebSocket, R4 says that something matches, and no more.
            let has_payload = payload.is_some() && outlet != Some(Outlet::Socket);
            (About::Criteria { has_payload }, triggers)
        };
        match outlet {
            Some(outlet) if wrong.0.is_empty() => Ok(Self {
                end,
                outlet,
                headers,
                content_type: content_type.unwrap_or(PAYLOADS[0]),
                timeout,
                heartbeat,
                about,
                triggers,
            }),
            _ => Err(wrong.0),
        }
    }
}

impl Wanted {
    /// Whether resources themselves leave.
    #[must_use]
    pub fn tells_bodies(&self) -> bool {
        match &self.about {
            About::Criteria { has_payload } => *has_payload,
            About::Topic { content, .. } => *content == Content::FullResource,
        }
    }
}

/// Whether a Subscription says that it is one to a topic.
fn has_profile(resource: Node<'_>) -> bool {
    let profiles = resource.get("meta").and_then(|meta| meta.get("profile"));
    let mut profiles = profiles.into_iter().flat_map(|list| list.items());
    profiles.any(|profile| {
        let profile = profile.as_str().unwrap_or_default();
        profile.split('|').next() == Some(PROFILE_SUBSCRIPTION)
    })
}

/// Refuses extensions that would change what a Subscription means, and are not known here.
fn refuse_extensions(resource: Node<'_>, wrong: &mut Wrong) {
    for node in resource.descend() {
        let Some(url) = node.get_str("url").filter(|_| node.is_object()) else { continue };
        let (before, within) = CROSS_VERSION;
        let version = url.strip_prefix(before).and_then(|rest| rest.split_once(within));
        if version.is_some_and(|(version, _)| !version.contains('/')) {
            let diagnostics = format!(
                "{url} carries an element of another version of FHIR: use the extensions of the Subscriptions \
                 Backport for R4"
            );
            wrong.add(IssueCode::NotSupported, "Subscription", diagnostics);
        }
        if let Some(name) = url.strip_prefix(GUIDE)
            && !EXTENSIONS.contains(&name)
        {
            let diagnostics = format!("{name} is not supported, but {}", EXTENSIONS.join(", "));
            wrong.add(IssueCode::NotSupported, "Subscription", diagnostics);
        }
    }
}

fn outlet(channel: Option<Node<'_>>, config: &FeedConfig, wrong: &mut Wrong) -> Option<Outlet> {
    let text = |name: &str| channel.and_then(|channel| channel.get_str(name));
    match text("type").as_deref() {
        Some("rest-hook") => {}
        Some("websocket") => {
            let has = |name: &str| channel.is_some_and(|channel| channel.get(name).is_some());
            for name in ["endpoint", "header"].into_iter().filter(|name| has(name)) {
                let told = "has no meaning for a websocket: leave it out".to_owned();
                wrong.add(IssueCode::Value, &format!("Subscription.channel.{name}"), told);
            }
            return Some(Outlet::Socket);
        }
        told => {
            let told = told.unwrap_or_default();
            let diagnostics = format!("{told} is not supported, but rest-hook and websocket");
            wrong.add(IssueCode::NotSupported, "Subscription.channel.type", diagnostics);
            return None;
        }
    }
    match Target::new(&text("endpoint").unwrap_or_default(), config) {
        Ok(target) => Some(Outlet::RestHook(target)),
        Err(told) => {
            wrong.add(IssueCode::NotSupported, "Subscription.channel.endpoint", told);
            None
        }
    }
}

fn headers(channel: Option<Node<'_>>, wrong: &mut Wrong) -> Vec<(String, String)> {
    let place = "Subscription.channel.header";
    let list = channel.and_then(|channel| channel.get("header"));
    let list: Vec<Node<'_>> = list.into_iter().flat_map(|list| list.items()).collect();
    if list.len() > HEADERS_MAX {
        wrong.add(IssueCode::TooLong, place, format!("at most {HEADERS_MAX} headers are allowed"));
        return Vec::new();
    }
    let mut headers = Vec::new();
    for (at, one) in list.iter().enumerate().filter(|(_, one)| one.kind() == Kind::String) {
        match header(&one.as_str().unwrap_or_default()) {
            Ok(read) => headers.push(read),
            Err(told) => wrong.add(IssueCode::Value, &format!("{place}[{at}]"), told),
        }
    }
    headers
}

fn topic_content(content: Option<String>, has_payload: bool, wrong: &mut Wrong) -> Content {
    let place = "Subscription.channel.payload";
    if !has_payload {
        let right = format!("must be {} for a topic", PAYLOADS.join(" or "));
        wrong.add(IssueCode::Required, place, right);
    }
    content.as_deref().and_then(Content::of).unwrap_or_else(|| {
        let told = format!("its extension backport-payload-content {}", Content::RIGHT);
        wrong.add(IssueCode::Value, place, told);
        Content::Empty
    })
}

fn of_topic(
    resource: Node<'_>,
    canonical: &str,
    surroundings: &Surroundings<'_>,
    wrong: &mut Wrong,
) -> Vec<Trigger> {
    let place = "Subscription.criteria";
    let Some(topic) = surroundings.topics.iter().find(|topic| topic.is_named(canonical)) else {
        let diagnostics = format!(
            "there is no topic {canonical:?}: the CapabilityStatement names those that there are; a topic is \
             stored as Basic"
        );
        wrong.add(IssueCode::NotFound, place, diagnostics);
        return Vec::new();
    };
    let element = resource.get("_criteria");
    let filters = extensions(element, &format!("{GUIDE}backport-filter-criteria"));
    let filters: Vec<String> = filters.filter_map(value).collect();
    if filters.len() > FILTERS_MAX {
        wrong.add(IssueCode::TooLong, place, format!("at most {FILTERS_MAX} filters are allowed"));
        return Vec::new();
    }
    let triggers = topic.triggers(&filters, surroundings.parameters, surroundings.base_url);
    triggers.unwrap_or_else(|problems| {
        wrong.0.extend(problems);
        Vec::new()
    })
}

/// R4: what comes or changes, and matches then.
fn of_criteria(text: &str, surroundings: &Surroundings<'_>, wrong: &mut Wrong) -> Vec<Trigger> {
    match criteria(surroundings.parameters, text, surroundings.base_url) {
        Ok(found) => {
            let kind = found.kind;
            let current = Some(found);
            vec![Trigger { creates: true, updates: true, current, ..Trigger::on(kind) }]
        }
        Err(told) => {
            told.into_iter()
                .for_each(|(code, told)| wrong.add(code, "Subscription.criteria", told));
            Vec::new()
        }
    }
}
