//! The log of events as a source of messages, decided event by event under the scopes of the configuration.

use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};

use crate::access::{AccessEntry, Identity, RequestId, Runs, Source as AccessSource, Words};
use crate::auth::{Caller, Grant, Scopes};
use crate::budget::Budget;
use crate::clock::Instant;
use crate::config::{NatsConfig, NatsForm};
use crate::feed::delivery::{Failed, Source};
use crate::feed::{Follower, Form, Framing, Pen, filter};
use crate::fhir::parse_query;
use crate::numbers::Position;
use crate::records::{BatchLimits, LogEvent, LogFilter, Records, RecordsError};

/// What access entries call it, and who they say it is.
const OPERATION: &str = "publishEvents";
const SUBJECT: &str = "nats";
const ISSUER: &str = "chartlog";
/// What is read, and told to the access log, at a time.
const BATCH: BatchLimits = BatchLimits { events: 1_000, bytes: 4 << 20 };
/// Bytes of a message from which on it has a short form too. With what goes with it, a short one has less than
/// [`super::link::MESSAGE_BYTES_MIN`].
const SHORT_BYTES: usize = 4_096;
/// The parameters of a filter.
const PARAMETERS: [&str; 5] = ["kind", "type", "patient", "criteria", "include"];

/// A place in the log, and the sequence of the last message of what lies before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The next event.
    pub next: Position,
    /// The last message; `None`: the stream was not seen yet.
    pub sequence: Option<u64>,
}

/// An event as it is published.
#[derive(Debug)]
pub struct Message {
    /// What tells it from all others: the id of the message.
    pub id: String,
    /// Its position.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Where it is published.
    pub subject: String,
    /// What is published.
    pub payload: Vec<u8>,
    /// That in short, if it is long: where the server takes no more.
    pub short: Option<Vec<u8>>,
}

/// Under whose scopes events leave, which, and in which form.
#[derive(Debug, Clone)]
pub struct Terms {
    caller: Arc<Caller>,
    form: Form,
    /// Address of the API.
    public_url: String,
    /// The beginning of all subjects.
    prefix: String,
    /// What the first access entry says.
    words: String,
    pairs: Vec<(String, String)>,
}

impl Terms {
    /// Those of a configuration.
    ///
    /// # Errors
    ///
    /// Every setting that cannot be used, and why.
    pub fn new(
        config: &NatsConfig,
        prefix: &str,
        public_url: &str,
        records: &Records,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let is_understood = |scope: &&str| !Scopes::parse(scope).is_empty();
        let strange = config.scopes.split_whitespace().filter(|scope| !is_understood(scope));
        problems.extend(strange.map(|scope| {
            format!("nats.scopes: {scope:?} grants nothing; it must be as system/Observation.rs")
        }));
        let scopes = config.scopes.split_whitespace().collect::<Vec<_>>().join(" ");
        let pairs = parse_query(&config.filter).unwrap_or_else(|error| {
            problems.push(format!("nats.filter: {error}"));
            Vec::new()
        });
        let strange = pairs.iter().filter(|(name, _)| !PARAMETERS.contains(&name.as_str()));
        problems.extend(strange.map(|(name, _)| {
            format!("nats.filter: {name:?} is not one of {}", PARAMETERS.join(", "))
        }));
        let identity = Identity {
            subject: SUBJECT.to_owned(),
            issuer: ISSUER.to_owned(),
            scopes: Some(scopes.clone()),
            ..Identity::default()
        };
        let caller = Caller {
            identity: Arc::new(identity),
            scopes: Scopes::parse(&scopes),
            expires_at: i64::MAX,
            ..Caller::default()
        };
        let is_cloud = config.form == NatsForm::CloudEvents;
        let cloud_source = is_cloud.then(|| format!("{public_url}/v1/events"));
        let terms = Self {
            caller: Arc::new(caller),
            form: Form { framing: Framing::List, cloud_source },
            public_url: public_url.to_owned(),
            prefix: prefix.to_owned(),
            words: format!("stream={}&{}", config.stream, config.filter),
            pairs,
        };
        if let Err(wrong) = terms.filter(records) {
            problems.extend(wrong.into_iter().map(|wrong| format!("nats.filter: {wrong}")));
        }
        if problems.is_empty() { Ok(terms) } else { Err(problems) }
    }

    fn filter(&self, records: &Records) -> Result<LogFilter, Vec<String>> {
        filter(&records.parameters(), &self.pairs, records.base_url()).map_err(|problems| {
            let told =
                problems.iter().map(|one| format!("{}: {}", one.expression, one.diagnostics));
            told.collect()
        })
    }

    /// What it sees, from the beginning on.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Denied`]: that is nothing, or not what the filter wants; or the store's.
    pub fn follower(&self, records: &Records) -> Result<Follower, RecordsError> {
        let filter =
            self.filter(records).map_err(|wrong| RecordsError::unreadable(wrong.join("; ")))?;
        let sight = records.sight(&self.grant(String::new()), filter)?;
        Ok(Follower::new(records, sight, Position::default()))
    }

    /// The grant of one look: what it shows is told by an entry.
    fn grant(&self, request: String) -> Grant {
        let caller = Arc::clone(&self.caller);
        let actor = caller.identity.actor(request);
        // What the settings publish is the operator's decision.
        Grant::new(caller, actor, Budget::default(), &Arc::default())
    }

    /// An access entry of a run. Without words and charts it says that the run goes on.
    pub fn entry(&self, run: RequestId, words: Option<&str>) -> AccessEntry {
        let identity = Some(Arc::clone(&self.caller.identity));
        let source = AccessSource { identity, ..AccessSource::default() };
        let mut entry = AccessEntry::of(source, run, OPERATION, Instant::now().micros());
        entry.look.words = words.map(|words| Words::Plain(format!("{}&{words}", self.words)));
        entry
    }

    fn message(&self, grant: &Grant, event: &LogEvent) -> Message {
        let mut pen = Pen::new(&self.form);
        pen.event(grant, event);
        let payload = pen.finish();
        let short = (payload.len() > SHORT_BYTES).then(|| {
            let whole_at = format!(
                "{}/v1/events?from={}&limit=1&include=resource",
                self.public_url, event.position
            );
            let mut pen = Pen::new(&self.form);
            pen.reference(grant, event, &whole_at);
            pen.finish()
        });
        let chart = event.chart.map_or_else(|| "directory".to_owned(), |chart| chart.to_string());
        Message {
            id: event.id(),
            position: event.position,
            recorded_at: event.recorded_at,
            subject: format!("{}.{chart}.{}", self.prefix, event.event_type),
            payload,
            short,
        }
    }
}

/// What a run of the server publishes.
pub struct Log {
    /// A store that is closed is not held open by who delivers from it.
    records: Weak<Records>,
    terms: Terms,
    run: RequestId,
    /// `None`: it could not be looked yet.
    follower: Option<Follower>,
    /// Whether the access log says that it has begun.
    is_told: bool,
}

impl Log {
    /// `follower`: what [`Terms::follower`] gave, if it did.
    pub fn new(
        records: &Arc<Records>,
        terms: Terms,
        run: RequestId,
        follower: Option<Follower>,
    ) -> Self {
        Self { records: Arc::downgrade(records), terms, run, follower, is_told: false }
    }
}

impl Source for Log {
    type Item = Message;
    type Place = Place;

    async fn next(&mut self, from: &Place) -> Result<(Vec<Message>, Place), Failed> {
        let Some(records) = self.records.upgrade() else { return Ok((Vec::new(), *from)) };
        let untold = |error| Failed::because("the access log could not be written", &error);
        let follower = match &mut self.follower {
            Some(follower) => follower,
            none => {
                let looked = self.terms.follower(&records);
                let looked = looked.map_err(|error| Failed::because("nats.filter", &error))?;
                none.insert(looked)
            }
        };
        if !self.is_told {
            let entry = self.terms.entry(self.run, Some("begun"));
            records.engine().record_access(entry).await.map_err(untold)?;
            self.is_told = true;
        }
        follower.next = from.next;
        let grant = self.terms.grant(self.run.to_string());
        let batch = records
            .follow(&grant, &follower.sight, from.next, BATCH)
            .map_err(|error| Failed::because("the log could not be read", &error))?;
        follower.next = batch.next;
        let events = batch.events.iter();
        let messages: Vec<Message> =
            events.map(|event| self.terms.message(&grant, event)).collect();
        let seen = grant.take_seen();
        // What was erased tells of nobody.
        if !seen.shown.is_empty() {
            let mut entry = self.terms.entry(self.run, None);
            entry.look.shown = Runs::from(&seen.shown);
            entry.look.charts = seen.charts.into_iter().collect();
            entry.bytes = messages.iter().map(|message| message.payload.len() as u64).sum();
            records.engine().record_access(entry).await.map_err(untold)?;
        }
        // Each event is one message.
        let sequence = from.sequence.map(|sequence| sequence + messages.len() as u64);
        Ok((messages, Place { next: batch.next, sequence }))
    }

    fn behind(&self, place: &Place) -> u64 {
        let head = self.records.upgrade().map(|records| *records.visible().borrow());
        head.unwrap_or_default().get().saturating_sub(place.next.get())
    }

    async fn moved(&mut self) {
        match &mut self.follower {
            Some(follower) => follower.moved().await,
            None => std::future::pending().await,
        }
    }
}
