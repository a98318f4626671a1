//! What is said on a WebSocket when it is known to whom: the answer, a part at a time, pings, and the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_ws::{AggregatedMessage, ProtocolError};
use futures_util::stream::{self, LocalBoxStream, Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::passage::Passage;
use super::super::reply::Reply;
use super::super::sending::{End, Ended, Interrupted, sent};
use super::super::writing::Writing;
use super::{Ends, frames};

/// How long a client may take to read up to the end, and to close its side. Whatever it sends to a connection that is
/// closed before takes away what it has not read.
const FAREWELL: Duration = Duration::from_secs(60);
/// The same when the server stops.
const HURRY: Duration = Duration::from_secs(5);
/// Codes of our own are this and the HTTP status that says the same (RFC 6455 §7.4.2).
const OWN_CODES: u16 = 4_000;
/// Codes of the RFC (§7.4.1).
const NORMAL: u16 = 1_000;
const AWAY: u16 = 1_001;
const TOO_BIG: u16 = 1_009;
const FAILED: u16 = 1_011;

/// A WebSocket on which an answer goes out.
pub struct Conversation {
    ends: Ends,
    outgoing: LocalBoxStream<'static, Result<Bytes, Interrupted>>,
    ended: Arc<Ended>,
    /// If the answer is a refusal.
    refused: Option<StatusCode>,
    /// How often the client is asked whether it is there.
    heartbeat: Duration,
    /// How long it may take to take what it was sent, or to answer.
    patience: Duration,
    /// When it was sent something last, until more is asked for.
    handed: Option<Instant>,
    /// When it is asked next.
    ping_due: Instant,
    /// When it was asked first, since it has said something.
    asked: Option<Instant>,
    state: Saying,
    stopping: watch::Receiver<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    /// There may be more.
    Answer,
    /// The end has been told; the client is to close its side.
    Farewell,
    Nothing,
}

impl Conversation {
    /// The answer, on its way to the client.
    pub fn new(passage: Passage, mut reply: Reply, ends: Ends) -> Self {
        let limits = &passage.state.options.limits;
        let heartbeat = Duration::from_secs(limits.follower_heartbeat_seconds);
        let patience = Duration::from_secs(limits.follower_patience_seconds);
        let stopping = passage.state.stopping.subscribe();
        let ended = reply.feed.clone().unwrap_or_default();
        let refused = (!reply.status.is_success()).then_some(reply.status);
        let outgoing = match reply.rest.take() {
            Some(rest) => {
                let passage = passage.go_on(reply.feed);
                sent(reply.body, rest, Writing::default(), passage).boxed_local()
            }
            None => stream::iter([Ok(Bytes::from(reply.body.bytes))]).boxed_local(),
        };
        let (handed, asked, state) = (None, None, Saying::Answer);
        let ping_due = Instant::now() + heartbeat;
        Self {
            ends,
            outgoing,
            ended,
            refused,
            heartbeat,
            patience,
            handed,
            ping_due,
            asked,
            state,
            stopping,
        }
    }

    /// The bytes that go to the client. Each are asked for when those before have gone out.
    pub fn bytes(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut conversation| async move {
            conversation.next().await.map(|bytes| (Ok(bytes), conversation))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            Saying::Answer => {
                let handed = self.handed.take();
                let bytes = match handed.is_some_and(|at| at.elapsed() > self.patience) {
                    true => self.end(End::Unread),
                    false => self.speak().await?,
                };
                self.handed = Some(Instant::now());
                Some(bytes)
            }
            Saying::Farewell => {
                self.state = Saying::Nothing;
                let (incoming, stopping) = (&mut self.ends.incoming, &mut self.stopping);
                let hurry = async {
                    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
                    sleep(HURRY).await;
                };
                tokio::select! {
                    () = async { while let Some(Ok(_)) = incoming.recv().await {} } => {}
                    () = hurry => {}
                    () = sleep(FAREWELL) => {}
                }
                None
            }
            Saying::Nothing => None,
        }
    }

    /// What is to be sent next; `None`: there is nobody any more.
    async fn speak(&mut self) -> Option<Bytes> {
        loop {
            let now = Instant::now();
            let impatient = self.asked.map(|at| at + self.patience);
            if impatient.is_some_and(|at| now >= at) {
                return Some(self.end(End::Unread));
            }
            if now >= self.ping_due {
                self.ping_due = now + self.heartbeat;
                self.asked.get_or_insert(now);
                return Some(frames::ping());
            }
            let due = impatient.map_or(self.ping_due, |at| at.min(self.ping_due));
            tokio::select! {
                biased;
                heard = self.ends.incoming.recv() => {
                    self.asked = None;
                    if let Some(bytes) = self.heard(heard?) {
                        return Some(bytes);
                    }
                }
                part = self.outgoing.next() => match part {
                    Some(Ok(lines)) if lines.is_empty() => {}
                    Some(Ok(lines)) => return Some(frames::messages(&lines)),
                    Some(Err(Interrupted)) => {
                        return Some(self.close(FAILED, "the answer could not be finished"));
                    }
                    None => return Some(self.said()),
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// What a message leads to.
    fn heard(&mut self, message: Result<AggregatedMessage, ProtocolError>) -> Option<Bytes> {
        match message {
            Ok(AggregatedMessage::Ping(payload)) => Some(frames::pong(&payload)),
            Ok(AggregatedMessage::Pong(_)) => None,
            Ok(AggregatedMessage::Close(_)) => Some(self.end(End::Left)),
            Ok(AggregatedMessage::Text(_) | AggregatedMessage::Binary(_)) => {
                Some(self.end(End::Unexpected))
            }
            Err(ProtocolError::Overflow) => {
                self.ended.because(End::Unexpected);
                Some(self.close(TOO_BIG, "the message is too large"))
            }
            Err(_) => Some(self.end(End::Unexpected)),
        }
    }

    /// All was said: why that is all.
    fn said(&mut self) -> Bytes {
        match (self.refused, self.ended.end()) {
            (Some(status), _) => {
                let reason = status.canonical_reason().unwrap_or_default();
                self.close(OWN_CODES + status.as_u16(), reason)
            }
            (None, end) => self.end(end.unwrap_or(End::Log)),
        }
    }

    fn end(&mut self, end: End) -> Bytes {
        self.ended.because(end);
        let own = |status: StatusCode| OWN_CODES + status.as_u16();
        let code = match end {
            End::Log | End::Left => NORMAL,
            End::Stopping => AWAY,
            End::Expired => own(StatusCode::UNAUTHORIZED),
            End::Unread => own(StatusCode::REQUEST_TIMEOUT),
            End::Unbound => own(StatusCode::GONE),
            End::Unexpected => own(StatusCode::BAD_REQUEST),
        };
        self.close(code, end.reason())
    }

    fn close(&mut self, code: u16, reason: &str) -> Bytes {
        // The place of a follower, and what it was to be recorded as, end now.
        self.outgoing = stream::empty().boxed_local();
        self.state = Saying::Farewell;
        frames::close(code, reason)
    }
}
