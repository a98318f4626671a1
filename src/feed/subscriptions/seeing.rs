//! What the owner of a subscription sees of the log.

use std::sync::Arc;

use super::context::Context;
use super::owner::Owner;
use super::progress::Startable;
use super::wish::Definition;
use crate::access::{AccessEntry, Runs, Words};
use crate::audit;
use crate::auth::{Caller, Grant};
use crate::budget::Budget;
use crate::clock::Instant;
use crate::engine::EngineError;
use crate::feed::webhook::Target;
use crate::feed::{Form, Framing, Pen};
use crate::numbers::Position;
use crate::records::{BatchLimits, LogBatch, LogFilter, Records, RecordsError, Sight};

/// What access entries call a delivery.
const OPERATION: &str = "deliverEvents";
/// Bytes of memory for what one look at the log finds.
const SCAN_BYTES: usize = 4 << 20;

/// What the owner of a subscription sees of the log, and where it goes: decided under the scopes that they had.
#[derive(Debug)]
pub struct Seeing {
    /// Where events are sent.
    pub target: Target,
    id: String,
    owner: Owner,
    caller: Arc<Caller>,
    /// For finding events, without bodies.
    scan: Sight,
    /// For showing one.
    show: Sight,
    form: Form,
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
    /// The body of the request.
    pub body: Vec<u8>,
    /// What the access log has to say before it leaves; `None`: it tells of nobody.
    pub entry: Option<AccessEntry>,
}

impl Seeing {
    /// Decides what an owner may see of what a definition wants.
    ///
    /// # Errors
    ///
    /// [`Blind`].
    pub fn of(
        records: &Records,
        context: &Context,
        id: &str,
        owner: &Owner,
        definition: &Definition,
    ) -> Result<Self, Blind> {
        let target = Target::new(&definition.url, &context.config);
        let target = target.map_err(|wrong| Blind::ForGood(format!("url: {wrong}")))?;
        let filter = definition.log_filter(&records.parameters(), records.base_url());
        let filter = filter.map_err(|problems| {
            let each =
                problems.iter().map(|one| format!("{}: {}", one.expression, one.diagnostics));
            Blind::ForGood(each.collect::<Vec<_>>().join("; "))
        })?;
        let caller = Arc::new(owner.caller());
        let grant = grant(&caller, String::new());
        let without = LogFilter { with_bodies: false, ..filter.clone() };
        let scan = records.sight(&grant, without).map_err(Blind::because)?;
        let show = records.sight(&grant, filter).map_err(Blind::because)?;
        let cloud_source = definition.is_cloud.then(|| context.cloud_source.clone());
        let form = Form { framing: Framing::List, cloud_source };
        let (id, owner) = (id.to_owned(), owner.clone());
        Ok(Self { target, id, owner, caller, scan, show, form })
    }

    /// The type of what is sent.
    pub fn content_type(&self) -> &'static str {
        match self.form.cloud_source {
            Some(_) => "application/cloudevents+json",
            None => "application/json",
        }
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
        records.follow(&grant(&self.caller, String::new()), &self.scan, from, limits)
    }

    /// An event as it is to be sent; `None`: there is nothing of it for this owner.
    ///
    /// # Errors
    ///
    /// The store's.
    pub fn read(
        &self,
        records: &Records,
        event: Startable,
    ) -> Result<Option<Letter>, RecordsError> {
        let request = records.engine().next_request();
        let grant = grant(&self.caller, request.to_string());
        let Some(mut found) = records.follow_one(&grant, &self.show, event.position)? else {
            return Ok(None);
        };
        found.ends_commit = event.ends_commit;
        let mut pen = Pen::new(&self.form);
        pen.event(&grant, &found);
        let body = pen.finish();
        let seen = grant.take_seen();
        if seen.shown.is_empty() {
            return Ok(Some(Letter { body, entry: None }));
        }
        let now = Instant::now().micros();
        let mut entry = AccessEntry::of(self.owner.source(), request, OPERATION, now);
        entry.look.charts = seen.charts.into_iter().collect();
        entry.look.shown = Runs::from(&seen.shown);
        let words = format!("/v1/subscriptions/{}", self.id);
        entry.look.words = match entry.look.charts.is_empty() {
            true => Some(Words::Plain(words)),
            false => audit::seal_words(records, &entry.look.charts, &words).map(Words::Sealed),
        };
        entry.bytes = body.len() as u64;
        Ok(Some(Letter { body, entry: Some(entry) }))
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

/// The grant of one look. Each that shows something is told of by [`Letter::entry`].
fn grant(caller: &Arc<Caller>, request: String) -> Grant {
    Grant::new(Arc::clone(caller), caller.identity.actor(request), Budget::default())
}
