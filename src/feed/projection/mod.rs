//! Views of your own: a program in Rust follows the log, over HTTP ([`HttpFeed`]) or in the process of the store
//! ([`LocalFeed`]), and keeps what it wants of it ([`Projection`]).
//!
//! In: whole commits, in the order of the log, from the position that the view itself names. Out: nothing; the view
//! belongs to its owner, who stores it **together with the position** in one transaction. So each event counts
//! once, wherever either side is killed: what was not stored comes again, and what was stored does not.
//!
//! Everything here blocks the thread that it is called on, and no other. Never: state that is kept here, a position ahead
//! of the view, half a commit.
//!
//! ```no_run
//! use chartlog::feed::projection::{Batch, HttpFeed, Projection, follow};
//! use chartlog::numbers::Position;
//!
//! /// How many events there are of each type. A view that is to last stores both fields in one transaction.
//! #[derive(Default)]
//! struct Counts {
//!     position: Position,
//!     of_type: std::collections::BTreeMap<String, u64>,
//! }
//!
//! impl Projection for Counts {
//!     type Error = std::convert::Infallible;
//!
//!     fn position(&self) -> Result<Position, Self::Error> {
//!         Ok(self.position)
//!     }
//!
//!     fn apply(&mut self, batch: &Batch) -> Result<(), Self::Error> {
//!         for event in &batch.events {
//!             *self.of_type.entry(event.event_type.clone()).or_default() += 1;
//!         }
//!         self.position = batch.next;
//!         Ok(())
//!     }
//! }
//!
//! let token = || std::fs::read_to_string("token").map_err(|error| error.to_string());
//! let mut feed = HttpFeed::new("http://127.0.0.1:8080", token).with("type", "Encounter");
//! follow(&mut feed, &mut Counts::default(), |_| true)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;
mod http;
mod local;

pub use event::Event;
pub use http::HttpFeed;
pub use local::LocalFeed;

use crate::numbers::Position;
use crate::records::RecordsError;

/// Some whole commits of the log, as far as they are wanted and may be seen.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In the order of the log. There may be none: then only the position has moved, or not even that.
    pub events: Vec<Event>,
    /// Where to go on: behind all that was looked at. To be stored together with what the events lead to.
    pub next: Position,
    /// How many events the log has, as far as that is known: at least `next`.
    pub head: Position,
}

/// A log that is followed.
pub trait Feed {
    /// What comes from a position on. Waits for it a while; if nothing has come by then, or the other side is away, the
    /// batch is empty. `None`: the end of the log, for those who do not wait for more.
    ///
    /// # Errors
    ///
    /// What another try would not change.
    fn next(&mut self, from: Position) -> Result<Option<Batch>, FeedError>;
}

/// A view that is kept of a log.
pub trait Projection {
    /// Why it could not be kept.
    type Error;

    /// Where to go on: what was stored with the view; of an empty one 0.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn position(&self) -> Result<Position, Self::Error>;

    /// Takes up a batch: what its events lead to, and [`Batch::next`] as the position, both or neither.
    ///
    /// # Errors
    ///
    /// Neither was stored.
    fn apply(&mut self, batch: &Batch) -> Result<(), Self::Error>;
}

/// Why a log is not followed any more.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It may not be followed so: by the token, or because the request is not valid.
    #[error("the server refuses it with status {status}: {detail}")]
    Refused {
        /// Of the answer.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// What came is not the log from the position that was asked for.
    #[error("not a feed of events: {0}")]
    Unreadable(String),
    /// The token of the grant has expired.
    #[error("the token has expired: go on with a new grant")]
    Expired,
    /// The store's own.
    #[error(transparent)]
    Store(#[from] RecordsError),
}

/// Why a view is not kept any more.
#[derive(Debug, thiserror::Error)]
pub enum FollowError<E> {
    /// The feed failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The view failed.
    #[error("the view: {0}")]
    View(E),
}

/// Keeps a view: from its position on, until the feed ends or `goes_on` says no. That is asked after each batch, empty ones
/// too, so every half a minute at least.
///
/// # Errors
///
/// The feed's or the view's. The view is as of the batch before, and following it again goes on there.
pub fn follow<F: Feed, P: Projection>(
    feed: &mut F,
    view: &mut P,
    mut goes_on: impl FnMut(&Batch) -> bool,
) -> Result<(), FollowError<P::Error>> {
    let mut position = view.position().map_err(FollowError::View)?;
    while let Some(batch) = feed.next(position)? {
        // A batch that moves nothing is not worth a transaction.
        if batch.next > position {
            view.apply(&batch).map_err(FollowError::View)?;
            position = batch.next;
        }
        if !goes_on(&batch) {
            break;
        }
    }
    Ok(())
}
