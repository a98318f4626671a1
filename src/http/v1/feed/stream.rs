//! The feed as a stream: what is there already, and then what comes, in one answer.
//!
//! It is read at the pace of its reader, a batch at a time; each batch stands in the access log before it leaves.
//! Readers who may see and want the same are sent the bytes that one of them has read.
//! A follower that waits has one timer and holds nothing of the store.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::rt;
use actix_web::web::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant as Stopwatch, sleep_until};

use super::super::super::sending::{End, Ended, Reading, Rest};
use super::super::super::{Call, Failure, Fault, Reply};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::feed::{Follower, Form, Framing, Pen};
use crate::numbers::Position;
use crate::records::{BatchLimits, Next, Peers, Records, RecordsError, SharedBatch, Turn};

/// How much is read at a time: so much that the fsync of its access entry weighs little.
const BATCH: BatchLimits = BatchLimits { events: 4_096, bytes: 2 << 20 };
/// Up to so many events are read by the thread that serves the connection.
const INLINE_EVENTS_MAX: u64 = 64;
/// The log is read on this often at most, so that a busy one costs an access entry for many events, not for each;
/// less often the more follow it, so that many followers of one write do not hold up the next.
const PACE_MIN: Duration = Duration::from_millis(5);
const PACE_EACH: Duration = Duration::from_micros(250);
const PACE_MAX: Duration = Duration::from_millis(50);
/// Milliseconds after which browsers connect again.
const RETRY_MS: u64 = 2_000;

/// A follower that is being answered.
struct Streaming {
    reading: Reading,
    follower: Follower,
    /// Those who are shown the same.
    peers: Arc<Peers>,
    form: Arc<Form>,
    is_live: bool,
    ended: Arc<Ended>,
    stopping: watch::Receiver<bool>,
    heartbeat: Duration,
    /// When the reader is told how far the log goes, unless something is sent before.
    due: Stopwatch,
    /// When the token expires.
    expires: Stopwatch,
    is_over: bool,
    place: Option<Arc<OwnedSemaphorePermit>>,
}

/// The answer that follows the log.
///
/// # Errors
///
/// 503: too many do already.
pub fn answer(
    call: &Call,
    mut follower: Follower,
    form: Form,
    is_live: bool,
    content_type: &str,
) -> Result<Reply, Failure> {
    let reading = call.reading();
    let state = Arc::clone(&reading.state);
    let place = is_live.then(|| Arc::clone(&state.followers).try_acquire_owned());
    let place = place.transpose().map_err(|_| {
        Failure::of(Fault::Busy, "too many follow the log already: try again, or ask for pages")
    })?;
    let heartbeat = Duration::from_secs(state.options.limits.follower_heartbeat_seconds);
    let now = Stopwatch::now();
    let left = call.grant.caller().expires_at.saturating_mul(1_000_000);
    let left = left.saturating_sub(Instant::now().micros());
    let first = match form.framing {
        Framing::Sse => format!("retry: {RETRY_MS}\n\n"),
        Framing::List | Framing::Lines => String::new(),
    };
    let ended = Arc::new(Ended::default());
    let sight = Arc::clone(&follower.sight);
    let peers = match is_live {
        true => call.records().peers(sight, form.name()),
        // It is read as fast as it can be, each for itself.
        false => Peers::alone(sight),
    };
    follower.sight = Arc::clone(peers.sight());
    let streaming = Streaming {
        reading,
        follower,
        peers,
        form: Arc::new(form),
        is_live,
        ended: Arc::clone(&ended),
        stopping: state.stopping.subscribe(),
        heartbeat,
        due: now + heartbeat,
        expires: now + Duration::from_micros(u64::try_from(left).unwrap_or(0)),
        is_over: false,
        place: place.map(Arc::new),
    };
    let parts = stream::try_unfold(streaming, |mut streaming| async move {
        Ok(streaming.part().await?.map(|part| (part, streaming)))
    });
    Ok(Reply::new(StatusCode::OK, content_type, first.into_bytes())
        .followed_by(Rest::Bytes(parts.boxed()))
        .as_feed(ended))
}

impl Streaming {
    async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        loop {
            let head = self.follower.head();
            if *self.stopping.borrow() {
                return Ok(Some(self.last(head, End::Stopping)));
            }
            let now = Stopwatch::now();
            if now >= self.expires {
                return Ok(Some(self.last(head, End::Expired)));
            }
            if self.follower.next < head {
                // Apart, so that a follower who waits does not keep the room for it.
                let batch = Box::pin(self.batch(head)).await?;
                self.follower.next = batch.next;
                if !batch.bytes.is_empty() {
                    // What left before stands in the access log.
                    self.reading.grant.begin_anew();
                    self.reading.grant.showed_together(&batch.shown);
                    return Ok(Some(self.part_of(batch.bytes.clone())));
                }
            } else if !self.is_live {
                return Ok(Some(self.last(head, End::Log)));
            } else {
                self.wait().await;
            }
            if Stopwatch::now() >= self.due {
                let mut pen = Pen::new(&self.form);
                pen.mark(self.follower.next, self.follower.head());
                let bytes = pen.finish().into();
                return Ok(Some(self.part_of(bytes)));
            }
        }
    }

    fn pace(&self) -> Duration {
        let state = &self.reading.state;
        let free = state.followers.available_permits();
        let live = state.options.limits.followers_max.saturating_sub(free);
        let each = PACE_EACH.saturating_mul(u32::try_from(live).unwrap_or(u32::MAX));
        PACE_MIN.saturating_add(each).min(PACE_MAX)
    }

    /// Until there is more, or something is to be said.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.follower.moved() => {}
            _ = self.stopping.changed() => {}
            () = sleep_until(self.due.min(self.expires)) => {}
        }
    }

    /// The next batch, as it is to be sent.
    async fn batch(&self, head: Position) -> Result<Arc<SharedBatch>, Failure> {
        let turn = match self.peers.next(self.follower.next).await {
            Next::Batch(batch) => return Ok(batch),
            Next::Turn(turn) => turn,
        };
        let next = self.follower.next;
        let paced = self.paced(&turn).filter(|_| head - next < BATCH.events as u64);
        let (reading, form) = (self.reading.clone(), Arc::clone(&self.form));
        if paced.is_none() && head - next <= INLINE_EVENTS_MAX {
            return Ok(read(turn, &reading.records, &reading.grant, &form)?);
        }
        let is_for_all = self.is_live && turn.is_for_all();
        let place = self.place.clone();
        let read = async move {
            let _place = place;
            if let Some(paced) = paced {
                sleep_until(paced).await;
            }
            let head = *reading.records.visible().borrow();
            if head - next <= INLINE_EVENTS_MAX {
                return Ok(read(turn, &reading.records, &reading.grant, &form)?);
            }
            reading.part(move |records, grant| read(turn, records, grant, &form)).await
        };
        match is_for_all {
            // On its own, in this reader's place: it may leave, or be slow to ask for more, while others wait.
            true => rt::spawn(read).await.map_err(|_| Failure::internal())?,
            false => read.await,
        }
    }

    /// Until when it is too early to read again.
    fn paced(&self, turn: &Turn) -> Option<Stopwatch> {
        let paced = Stopwatch::from_std(turn.last()?) + self.pace();
        (self.is_live && paced > Stopwatch::now()).then_some(paced)
    }

    fn part_of(&mut self, bytes: Bytes) -> Bytes {
        self.due = Stopwatch::now() + self.heartbeat;
        bytes
    }

    fn last(&mut self, head: Position, end: End) -> Bytes {
        self.is_over = true;
        self.ended.because(end);
        let mut pen = Pen::new(&self.form);
        pen.end(self.follower.next, head, end.reason());
        pen.finish().into()
    }
}

fn read(
    turn: Turn,
    records: &Records,
    grant: &Grant,
    form: &Form,
) -> Result<Arc<SharedBatch>, RecordsError> {
    turn.read(records, grant, BATCH, |grant, events| {
        let mut pen = Pen::new(form);
        events.iter().for_each(|event| pen.event(grant, event));
        pen.finish()
    })
}
