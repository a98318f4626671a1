//! Publishing the events of the log to a stream of NATS JetStream: each once, in the order of the log.
//!
//! In: the log, as far as the scopes of the configuration reach and its filter wants. Out: a message for each event,
//! whose id is its position. Where to go on is asked of the stream, which has the last message on its disk; the cursor
//! here only spares passing over what nobody wanted.
//!
//! Never: a message without the one before it, an event that the access log does not tell of, a stream of another log.

mod link;
mod source;
mod stream;
mod way;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;

use self::link::{Link, Wanted};
use self::source::{Log, Message, Place, Terms};
use self::way::Way;
use super::cursor::{CursorError, CursorFile};
use super::delivery::{Delivery, Failed, Handle, Outlet};
use crate::access::RequestId;
use crate::config::{NatsConfig, NatsForm};
use crate::disk::RealDisk;
use crate::engine::EngineError;
use crate::numbers::Position;
use crate::proof::BundleLog;
use crate::records::{Records, RecordsError};

/// Its name in the figures.
const FIGURE: &str = "nats";
/// How long its end is waited for.
const STOPPING_MAX: Duration = Duration::from_secs(5);

/// Why publishing cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// Settings that cannot be used: all of them.
    #[error("{}", .0.join("; "))]
    Settings(Vec<String>),
    /// The cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The log.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There are no threads left.
    #[error("no thread for nats: {0}")]
    Thread(std::io::Error),
}

/// The running publication, if one is configured.
pub struct Publishing(Option<Running>);

struct Running {
    handle: Handle,
    records: Weak<Records>,
    terms: Terms,
    run: RequestId,
}

impl Publishing {
    /// Begins to publish, if the configuration names servers. `public_url` is the address of the API.
    ///
    /// # Errors
    ///
    /// [`NatsError`].
    pub fn start(
        records: &Arc<Records>,
        config: &NatsConfig,
        public_url: &str,
    ) -> Result<Self, NatsError> {
        if config.servers.is_empty() {
            return Ok(Self(None));
        }
        let prefix = format!("chartlog.{}", config.tenant);
        let mut problems = Vec::new();
        let way = Way::new(config).map_err(|wrong| problems.extend(wrong)).ok();
        let terms = Terms::new(config, &prefix, public_url, records);
        let terms = terms.map_err(|wrong| problems.extend(wrong)).ok();
        let mut follower = None;
        match terms.as_ref().map(|terms| terms.follower(records)) {
            Some(Ok(looked)) => follower = Some(looked),
            Some(Err(RecordsError::Denied(denied))) => {
                problems.push(format!("nats.scopes: {denied}"));
            }
            // A patient who is not there yet, or was erased, does not keep the server from starting.
            Some(Err(_)) | None => {}
        }
        let (Some(way), Some(terms), true) = (way, terms, problems.is_empty()) else {
            return Err(NatsError::Settings(problems));
        };
        let name = format!("nats {} {}", config.stream, config.tenant);
        let folder = records.engine().directory().feed();
        let cursor = CursorFile::new(RealDisk::handle(), &folder, &name)?;
        let place = match cursor.load()? {
            Some(place) => place,
            None => {
                // Written down at once: what comes from now on is for the stream, whenever it is first reached.
                let end = *records.visible().borrow();
                let next = if config.from_start { Position::default() } else { end };
                let place = Place { next, sequence: None };
                cursor.save(&place)?;
                place
            }
        };
        let run = records.engine().next_request();
        let source = Log::new(records, terms.clone(), run, follower);
        let outlet = JetStream {
            records: Arc::downgrade(records),
            way,
            wanted: wanted(records, config, &prefix)?,
            from_start: config.from_start,
            link: None,
        };
        let names = (name, FIGURE.to_owned());
        let handle = Delivery::start(names, source, outlet, cursor, place);
        let handle = handle.map_err(NatsError::Thread)?;
        let records = Arc::downgrade(records);
        Ok(Self(Some(Running { handle, records, terms, run })))
    }

    /// Publishes what there is, and ends. What was not published after some seconds is at the next start.
    pub fn stop(self) {
        let Some(Running { handle, records, terms, run }) = self.0 else { return };
        handle.stop();
        handle.ended(Instant::now() + STOPPING_MAX);
        let Some(records) = records.upgrade() else { return };
        let entry = terms.entry(run, Some("ended"));
        let told = records.engine().submit_access(entry).map(|told| told.blocking_recv());
        if !matches!(told, Ok(Ok(true))) {
            tracing::warn!("nats: that publishing has ended was not recorded");
        }
    }
}

/// What the stream is to be.
fn wanted(records: &Records, config: &NatsConfig, prefix: &str) -> Result<Wanted, EngineError> {
    let subjects = format!("{prefix}.>");
    let stream = Config {
        name: config.stream.clone(),
        subjects: vec![subjects.clone()],
        num_replicas: config.replicas,
        duplicate_window: Duration::from_secs(config.duplicate_window_seconds),
        ..Config::default()
    };
    let content_type = match config.form {
        NatsForm::Json => "application/json",
        NatsForm::CloudEvents => "application/cloudevents+json",
    };
    let log = records.engine().proof(BundleLog::Events)?.verifier().name().to_owned();
    Ok(Wanted { config: stream, is_made: config.create_stream, subjects, log, content_type })
}

/// A stream as an outlet.
struct JetStream {
    records: Weak<Records>,
    way: Way,
    wanted: Wanted,
    from_start: bool,
    /// `None`: it is to be asked where it goes on.
    link: Option<Link>,
}

impl JetStream {
    fn time_of(&self, position: Position) -> Result<Option<String>, Failed> {
        let records = self.records.upgrade().ok_or_else(|| Failed("it is closed".to_owned()))?;
        let time = records.recorded_at(position);
        let time = time.map_err(|error| Failed::because("the log was not read", &error))?;
        Ok(time.map(|time| time.to_string()))
    }
}

impl Outlet for JetStream {
    type Item = Message;
    type Place = Place;

    async fn resume(&mut self, place: &Place) -> Result<Place, Failed> {
        if self.link.as_ref().is_some_and(|link| Some(link.place()) == place.sequence) {
            return Ok(*place);
        }
        self.link = None;
        let (mut link, stream) = Link::open(self.way.connect().await?, &self.wanted).await?;
        let name = &self.wanted.config.name;
        let time_of = |position| self.time_of(position);
        let place = stream
            .resume(&self.wanted.log, *place, self.from_start, time_of)
            .map_err(|why| Failed(format!("stream {name} cannot be used: {why}")))?;
        link.go_on_behind(place.sequence.unwrap_or_default());
        self.link = Some(link);
        Ok(place)
    }

    async fn deliver(&mut self, messages: &[Message]) -> Result<(), Failed> {
        // Given back when all has gone well: otherwise the stream is asked how far it is.
        let mut link = self.link.take().ok_or_else(|| Failed("no connection".to_owned()))?;
        link.publish(messages).await?;
        self.link = Some(link);
        Ok(())
    }

    fn in_doubt(&self) -> Duration {
        Duration::ZERO
    }

    fn check(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failed> {
        self.link = None;
        Ok(())
    }
}
