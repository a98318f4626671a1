//! Sending an answer part by part: each is made when the one before has gone out, so a chart of any size
//! and a reader of any slowness hold the memory of one part.
//!
//! The status is out when a later part fails. The connection then ends before the answer does, so that
//! nobody takes it for the whole.

use std::sync::{Arc, OnceLock};

use actix_web::web::{self, Bytes};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

use super::Failure;
use super::state::State;
use super::writing::{Part, Writing};
use crate::auth::Grant;
use crate::records::{INLINE_BYTES_MAX, Records, RecordsError};

/// Bytes that are handed over at a time: what takes them copies them into a buffer, which then stays small.
const CHUNK_BYTES: usize = 64 << 10;

/// What follows the first part of an answer.
pub enum Rest {
    /// Further parts, which are written as the first.
    Parts(BoxStream<'static, Result<Part, Failure>>),
    /// Bytes that leave as they are, perhaps with other answers too.
    Bytes(BoxStream<'static, Result<Bytes, Failure>>),
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Rest")
    }
}

/// Why an answer without an end of its own has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is no more, and nobody wants to wait.
    Log,
    /// The server stops.
    Stopping,
    /// The token of the caller has expired.
    Expired,
    /// The client does not take what it is sent.
    Unread,
    /// The client has said that it leaves.
    Left,
    /// There is nothing left that could be told.
    Unbound,
    /// The client has said what nobody expects.
    Unexpected,
}

impl End {
    /// The same in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Log => "the end of the log was reached",
            Self::Stopping => "the server is stopping",
            Self::Expired => "the token has expired",
            Self::Unread => "the client did not take what it was sent, or did not answer",
            Self::Left => "the client has closed the socket",
            Self::Unbound => "no Subscription is told here any more: deleted, or not taken in time",
            Self::Unexpected => "the client has sent what is not expected",
        }
    }
}

/// Why an answer without an end of its own has ended, told by what reads it to what records it.
#[derive(Debug, Default)]
pub struct Ended(OnceLock<End>);

impl Ended {
    /// It has ended for that reason.
    pub fn because(&self, end: End) {
        // The first reason is the one.
        let _ = self.0.set(end);
    }

    /// Why it has ended, if it was not broken off.
    pub fn end(&self) -> Option<End> {
        self.0.get().copied()
    }
}

/// The answer could not be finished; why, is in the log and in the access log.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the answer could not be finished")]
pub struct Interrupted;

/// What is noted about an answer while it goes out.
pub trait Trail {
    /// Before a part of so many bytes goes out: what it shows must stand in a durable entry.
    async fn follow(&mut self, bytes: usize) -> Result<(), Failure>;
    /// The answer ends here, unfinished.
    async fn interrupted(&mut self, failure: &Failure);
    /// All of it has gone out.
    fn finished(&mut self);
}

/// The reading of further parts, when the request itself has been answered.
#[derive(Debug, Clone)]
pub struct Reading {
    pub(super) state: Arc<State>,
    pub(super) records: Arc<Records>,
    pub(super) grant: Arc<Grant>,
}

impl Reading {
    /// Reads what the next part shows, with a budget of its own: nothing of the one before is held. Parts that are read
    /// side by side share it, and each has a place among the requests that take much.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn part<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Records, &Grant) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = self.state.heavy.wait().await?;
        self.grant.budget().renew();
        let (records, grant) = (Arc::clone(&self.records), Arc::clone(&self.grant));
        let result = web::block(move || (read(&records, &grant), place)).await;
        Ok(result.map_err(|_| Failure::internal())?.0?)
    }
}

/// An answer on its way out.
struct Sending<T> {
    first: Option<Part>,
    rest: Rest,
    /// None: all is sent.
    writing: Option<Writing>,
    trail: T,
}

/// The bytes of an answer whose first part stands in a durable entry already.
pub fn sent<T: Trail + 'static>(
    first: Part,
    rest: Rest,
    writing: Writing,
    trail: T,
) -> impl Stream<Item = Result<Bytes, Interrupted>> {
    let sending = Sending { first: Some(first), rest, writing: Some(writing), trail };
    stream::try_unfold(sending, |mut sending| async move {
        Ok(sending.next().await?.map(|bytes| (bytes, sending)))
    })
}

impl<T: Trail> Sending<T> {
    async fn next(&mut self) -> Result<Option<Bytes>, Interrupted> {
        let Some(writing) = self.writing.take() else { return Ok(None) };
        match self.written(writing).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(failure) => {
                self.trail.interrupted(&failure).await;
                Err(Interrupted)
            }
        }
    }

    async fn written(&mut self, mut writing: Writing) -> Result<Bytes, Failure> {
        let part = match (self.first.take(), &mut self.rest) {
            (Some(first), _) => Some(first),
            (None, Rest::Parts(parts)) => parts.next().await.transpose()?,
            (None, Rest::Bytes(all)) => match all.next().await.transpose()? {
                Some(bytes) => {
                    self.trail.follow(bytes.len()).await?;
                    self.writing = Some(writing);
                    return Ok(bytes);
                }
                None => None,
            },
        };
        let Some(part) = part else {
            self.trail.finished();
            return Ok(writing.end().into());
        };
        self.trail.follow(part.bytes.len()).await?;
        let is_quick = part.bytes.len() <= INLINE_BYTES_MAX
            || (part.resources.is_empty() && writing.is_plain());
        let write = move || (writing.part(part), writing);
        let (bytes, writing) = match is_quick {
            true => write(),
            false => web::block(write).await.map_err(|_| Failure::internal())?,
        };
        self.writing = Some(writing);
        Ok(bytes.into())
    }
}

/// The same bytes, no more than some at a time: for a body, whose buffer then stays small.
pub fn in_pieces<E>(
    parts: impl Stream<Item = Result<Bytes, E>>,
) -> impl Stream<Item = Result<Bytes, E>> {
    parts.flat_map(|part| {
        let (mut left, failure) = match part {
            Ok(bytes) => (bytes, None),
            Err(error) => (Bytes::new(), Some(Err(error))),
        };
        let pieces = std::iter::from_fn(move || {
            (!left.is_empty()).then(|| Ok(left.split_to(left.len().min(CHUNK_BYTES))))
        });
        stream::iter(pieces.chain(failure))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    type Log = Arc<Mutex<Vec<String>>>;

    /// Writes down what happens in which order.
    struct Noted(Log);

    impl Trail for Noted {
        async fn follow(&mut self, _: usize) -> Result<(), Failure> {
            self.0.lock().unwrap().push("recorded".to_owned());
            Ok(())
        }

        async fn interrupted(&mut self, failure: &Failure) {
            self.0.lock().unwrap().push(format!("interrupted: {}", failure.detail));
        }

        fn finished(&mut self) {
            self.0.lock().unwrap().push("finished".to_owned());
        }
    }

    fn part(letter: char) -> Part {
        Part { bytes: letter.to_string().into_bytes(), resources: Vec::new() }
    }

    /// Parts of one letter each; behind the last, a failure if one is wanted.
    fn parts(log: &Log, letters: &'static str, fails: bool) -> Rest {
        let log = Arc::clone(log);
        let letters = letters.chars().map(move |letter| {
            log.lock().unwrap().push(format!("read {letter}"));
            Ok(part(letter))
        });
        let failure = fails.then(|| Err(Failure::internal()));
        Rest::Parts(stream::iter(letters.chain(failure)).boxed())
    }

    #[actix_web::test]
    async fn a_part_is_read_when_it_is_asked_for_and_recorded_before_it_is_sent() {
        let log = Log::default();
        let rest = parts(&log, "bc", false);
        let sent = sent(part('a'), rest, Writing::default(), Noted(Arc::clone(&log)));
        let mut sent = Box::pin(sent);
        let mut bytes = Vec::new();
        // A slow reader: what it has not asked for is not held.
        for expected in [
            "recorded",
            "recorded, read b, recorded",
            "recorded, read b, recorded, read c, recorded",
        ] {
            bytes.extend(sent.next().await.unwrap().unwrap());
            assert_eq!(log.lock().unwrap().join(", "), expected);
        }
        bytes.extend(sent.next().await.unwrap().unwrap());
        assert_eq!((bytes.as_slice(), sent.next().await.is_none()), (b"abc".as_slice(), true));
        assert_eq!(log.lock().unwrap().last().unwrap(), "finished");
    }

    #[actix_web::test]
    async fn what_cannot_be_read_or_recorded_breaks_the_answer_off() {
        /// It has room for fewer entries than there are parts.
        struct Full(usize);
        impl Trail for Full {
            async fn follow(&mut self, _: usize) -> Result<(), Failure> {
                self.0 -= 1;
                if self.0 == 0 { Err(Failure::internal()) } else { Ok(()) }
            }
            async fn interrupted(&mut self, _: &Failure) {}
            fn finished(&mut self) {}
        }
        let log = Log::default();
        let trail = Noted(Arc::clone(&log));
        let broken = sent(part('a'), parts(&log, "b", true), Writing::default(), trail);
        let items: Vec<_> = broken.map(|item| item.is_ok()).collect().await;
        assert_eq!(items, [true, true, false]);
        assert!(log.lock().unwrap().last().unwrap().starts_with("interrupted: the server failed"));
        let unrecorded = sent(part('a'), parts(&log, "b", false), Writing::default(), Full(2));
        let items: Vec<_> = unrecorded.map(|item| item.is_ok()).collect().await;
        assert_eq!(items, [true, false]);
    }
}
