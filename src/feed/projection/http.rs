//! Following over HTTP: one answer that goes on and on, of an event on each line. When it breaks, it is asked for
//! again from where it broke; what has come of a commit by then, and not the whole of it, is dropped.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde::Deserialize;
use ureq::{Agent, BodyReader};

use super::{Batch, Event, Feed, FeedError};
use crate::feed::backoff;
use crate::numbers::Position;

/// Events of one batch, beyond the rest of the commit that it ends with.
const BATCH_EVENTS_MAX: usize = 1_000;
/// Longest line, in bytes: a resource, its version and time, and what is around it.
const LINE_BYTES_MAX: u64 = 1 << 30;
/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 64 << 10;
/// Longest wait before it is tried again.
const RETRY_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server is never silent for longer, or it is not there any more (`limits.follower_heartbeat_seconds` is 15).
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A log that is followed over HTTP. A server that is away or busy is asked again and again, with growing waits.
pub struct HttpFeed<T> {
    agent: Agent,
    base: String,
    token: T,
    query: Vec<(String, String)>,
    is_live: bool,
    /// The end of the log was reached, and nobody waits for more.
    is_over: bool,
    /// The answer that is being read; `None`: the next one is to be asked for.
    lines: Option<BufReader<BodyReader<'static>>>,
    /// What has come and was not handed over: the part of a commit.
    events: Vec<Event>,
    /// Behind what has come last.
    next: Position,
    head: Position,
    failures: u32,
}

impl<T> fmt::Debug for HttpFeed<T> {
    /// Without the query, which may name patients.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HttpFeed({} from {})", self.base, self.next)
    }
}

/// A line without an event.
#[derive(Deserialize)]
struct Mark {
    next: Position,
    head: Position,
    end: Option<String>,
}

impl<T: FnMut() -> Result<String, String>> HttpFeed<T> {
    /// The log of a server, such as `https://chartlog.example`. The token is asked for whenever a connection is
    /// made: tokens expire, and with each of them the stream ends. If there is none to be had, that is tried again too.
    pub fn new(server: &str, token: T) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_per_read(Some(SILENCE_MAX));
        Self {
            agent: config.build().new_agent(),
            base: server.trim_end_matches('/').to_owned(),
            token,
            query: Vec::new(),
            is_live: true,
            is_over: false,
            lines: None,
            events: Vec::new(),
            next: Position::default(),
            head: Position::default(),
            failures: 0,
        }
    }

    /// Narrowed, or with bodies, by a parameter of `GET /v1/events`: `type`, `kind`, `patient`, `criteria`, `include`. The
    /// value is given as it is, not encoded.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.query.push((parameter.to_owned(), value.to_owned()));
        self
    }

    /// Up to the end of the log, and no further.
    #[must_use]
    pub fn to_the_end(mut self) -> Self {
        self.is_live = false;
        self
    }

    /// Asks for the log from a position on; `None`: not now.
    fn connect(&mut self, from: Position) -> Result<Option<BodyReader<'static>>, FeedError> {
        let token = match (self.token)() {
            Ok(token) => token,
            Err(error) => return Ok(later(&format!("there is no token: {error}"))),
        };
        let live = if self.is_live { "true" } else { "false" };
        let mut request = self
            .agent
            .get(format!("{}/v1/events", self.base))
            .header("accept", "application/x-ndjson")
            .header("authorization", format!("Bearer {}", token.trim()))
            .query("live", live)
            .query("from", from.to_string());
        for (parameter, value) in &self.query {
            request = request.query(parameter, value);
        }
        let mut answer = match request.call() {
            Ok(answer) => answer,
            Err(error) => return Ok(later(&error.to_string())),
        };
        match answer.status().as_u16() {
            200 => Ok(Some(answer.into_body().into_reader())),
            status @ (408 | 429 | 500..) => Ok(later(&format!("the server answers {status}"))),
            status => {
                let detail = answer.body_mut().read_to_string().unwrap_or_default();
                Err(FeedError::Refused { status, detail })
            }
        }
    }

    /// Waits before the next try.
    fn pause(&mut self) {
        self.failures = self.failures.saturating_add(1);
        // This thread has nothing else to do.
        #[allow(clippy::disallowed_methods)]
        std::thread::sleep(backoff::wait(self.failures, RETRY_MAX));
    }

    /// The next line; `None`: the answer has ended or broken.
    fn line(&mut self) -> Option<Vec<u8>> {
        let lines = self.lines.as_mut()?;
        let mut line = Vec::new();
        match lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => Some(line),
            _ => None,
        }
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<Batch>, FeedError> {
        match serde_json::from_slice::<Event>(line) {
            Ok(event) => self.event(event),
            Err(error) => {
                let mark = serde_json::from_slice::<Mark>(line);
                let mark = mark.map_err(|_| self.unreadable(&error))?;
                self.mark(mark).map(Some)
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<Option<Batch>, FeedError> {
        if event.position < self.next {
            return Err(self.unreadable(&format!("position {}", event.position)));
        }
        self.next = event.position.next();
        self.head = self.head.max(self.next);
        let ends_commit = event.ends_commit;
        self.events.push(event);
        // Those that have come already are taken up together: a transaction each would take long.
        let comes_more = self.lines.as_ref().is_some_and(|lines| !lines.buffer().is_empty());
        let is_batch = ends_commit && (!comes_more || self.events.len() >= BATCH_EVENTS_MAX);
        Ok(is_batch.then(|| self.batch()))
    }

    fn mark(&mut self, mark: Mark) -> Result<Batch, FeedError> {
        let is_whole = self.events.last().is_none_or(|event| event.ends_commit);
        if mark.next < self.next || !is_whole {
            return Err(self.unreadable(&format!("a mark at {}", mark.next)));
        }
        (self.next, self.head) = (mark.next, mark.head);
        if mark.end.is_some() {
            self.lines = None;
            // Why is told in words: the end of the log, of the token, or of the server.
            self.is_over = !self.is_live && mark.next == mark.head;
        }
        Ok(self.batch())
    }

    fn unreadable(&self, what: &dyn fmt::Display) -> FeedError {
        FeedError::Unreadable(format!("behind position {}: {what}", self.next))
    }

    fn batch(&mut self) -> Batch {
        Batch { events: std::mem::take(&mut self.events), next: self.next, head: self.head }
    }

    /// The whole commits that have come before the answer broke.
    fn broken(&mut self) -> Batch {
        self.lines = None;
        let whole = self.events.iter().rposition(|event| event.ends_commit).map_or(0, |at| at + 1);
        self.events.truncate(whole);
        let next = self.events.last().map(|event| event.position.next());
        Batch {
            events: std::mem::take(&mut self.events),
            next: next.unwrap_or_default(),
            head: self.head,
        }
    }
}

impl<T: FnMut() -> Result<String, String>> Feed for HttpFeed<T> {
    fn next(&mut self, from: Position) -> Result<Option<Batch>, FeedError> {
        if std::mem::take(&mut self.is_over) {
            return Ok(None);
        }
        if self.lines.is_none() || from != self.next {
            self.events.clear();
            self.lines = None;
            let empty = Batch { events: Vec::new(), next: from, head: self.head };
            let Some(body) = self.connect(from)? else {
                self.pause();
                return Ok(Some(empty));
            };
            self.lines = Some(BufReader::with_capacity(BUFFER_BYTES, body));
            self.next = from;
        }
        let mut is_silent = true;
        while let Some(line) = self.line() {
            (self.failures, is_silent) = (0, false);
            if let Some(batch) = self.read(&line)? {
                return Ok(Some(batch));
            }
        }
        let batch = self.broken();
        tracing::info!(server = self.base, "the feed broke; it is resumed");
        if is_silent {
            self.pause();
        }
        Ok(Some(Batch { next: batch.next.max(from), ..batch }))
    }
}

/// Says why not now.
fn later<R>(why: &str) -> Option<R> {
    tracing::warn!(why, "the log cannot be followed; it is tried again until it works");
    None
}
