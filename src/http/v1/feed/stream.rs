//! The feed as a stream: what is there already, and then what comes, in one answer.
//!
//! It is read at the pace of its reader, a batch at a time; each batch stands in the access log before it leaves.
//! A follower that waits has one timer and holds nothing of the store.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant as Stopwatch, sleep_until};

use super::super::super::sending::{End, Ended, Reading, Rest};
use super::super::super::writing::Part;
use super::super::super::{Call, Failure, Fault, Reply};
use crate::auth::Grant;
use crate::clock::Instant;
use crate::feed::{Follower, Form, Framing, Pen};
use crate::numbers::Position;
use crate::records::{BatchLimits, Records, RecordsError, Sight};

/// How much is read at a time: so much that the fsync of its access entry weighs little.
const BATCH: BatchLimits = BatchLimits { events: 4_096, bytes: 2 << 20 };
/// Up to so many events are read by the thread that serves the connection.
const INLINE_EVENTS_MAX: u64 = 64;
/// A follower is served this often at most, so that a busy log costs an access entry for many events, not for each;
/// less often the more there are, so that many followers of one write do not hold up the next.
const PACE_MIN: Duration = Duration::from_millis(5);
const PACE_EACH: Duration = Duration::from_micros(250);
const PACE_MAX: Duration = Duration::from_millis(50);
/// Milliseconds after which browsers connect again.
const RETRY_MS: u64 = 2_000;

/// A follower that is being answered.
struct Streaming {
    reading: Reading,
    follower: Follower,
    form: Arc<Form>,
    is_live: bool,
    ended: Arc<Ended>,
    stopping: watch::Receiver<bool>,
    heartbeat: Duration,
    /// When the reader is told how far the log goes, unless something is sent before.
    due: Stopwatch,
    /// When the token expires.
    expires: Stopwatch,
    /// When the next batch may be read.
    paced: Stopwatch,
    is_over: bool,
    _place: Option<OwnedSemaphorePermit>,
}

/// The answer that follows the log.
///
/// # Errors
///
/// 503: too many do already.
pub fn answer(
    call: &Call,
    follower: Follower,
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
    let streaming = Streaming {
        reading,
        follower,
        form: Arc::new(form),
        is_live,
        ended: Arc::clone(&ended),
        stopping: state.stopping.subscribe(),
        heartbeat,
        due: now + heartbeat,
        expires: now + Duration::from_micros(u64::try_from(left).unwrap_or(0)),
        paced: now,
        is_over: false,
        _place: place,
    };
    let parts = stream::try_unfold(streaming, |mut streaming| async move {
        Ok(streaming.part().await?.map(|part| (part, streaming)))
    });
    Ok(Reply::new(StatusCode::OK, content_type, first.into_bytes())
        .followed_by(Rest(parts.boxed()))
        .as_feed(ended))
}

impl Streaming {
    async fn part(&mut self) -> Result<Option<Part>, Failure> {
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
                if self.is_live
                    && now < self.paced
                    && head - self.follower.next < BATCH.events as u64
                {
                    sleep_until(self.paced).await;
                }
                let bytes = self.read(head).await?;
                self.paced = Stopwatch::now() + self.pace();
                if !bytes.is_empty() {
                    return Ok(Some(self.part_of(bytes)));
                }
            } else if !self.is_live {
                return Ok(Some(self.last(head, End::Log)));
            } else {
                self.wait().await;
            }
            if Stopwatch::now() >= self.due {
                let mut pen = Pen::new(&self.form);
                pen.mark(self.follower.next, self.follower.head());
                let bytes = pen.finish();
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

    /// The next batch, as it is to be sent; empty if nothing of it is for this reader.
    async fn read(&mut self, head: Position) -> Result<Vec<u8>, Failure> {
        let (sight, form) = (Arc::clone(&self.follower.sight), Arc::clone(&self.form));
        let next = self.follower.next;
        let read =
            move |records: &Records, grant: &Grant| batch(records, grant, &sight, next, &form);
        // What left before stands in the access log.
        self.reading.grant.begin_anew();
        let (bytes, next) = match head - next <= INLINE_EVENTS_MAX {
            true => read(&self.reading.records, &self.reading.grant)?,
            // Apart, so that a follower who waits does not keep the room for it.
            false => Box::pin(self.reading.part(read)).await?,
        };
        self.follower.next = next;
        Ok(bytes)
    }

    fn part_of(&mut self, bytes: Vec<u8>) -> Part {
        self.due = Stopwatch::now() + self.heartbeat;
        Part::from(bytes)
    }

    fn last(&mut self, head: Position, end: End) -> Part {
        self.is_over = true;
        self.ended.because(end);
        let mut pen = Pen::new(&self.form);
        pen.end(self.follower.next, head, end.reason());
        Part::from(pen.finish())
    }
}

fn batch(
    records: &Records,
    grant: &Grant,
    sight: &Sight,
    next: Position,
    form: &Form,
) -> Result<(Vec<u8>, Position), RecordsError> {
    let batch = records.follow(grant, sight, next, BATCH)?;
    let mut pen = Pen::new(form);
    batch.events.iter().for_each(|event| pen.event(grant, event));
    Ok((pen.finish(), batch.next))
}
