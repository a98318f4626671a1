//! Access entries: who looked at what, or was refused, as it is written down.
//!
//! In: one [`AccessEntry`] for each request. Out: the payload of a frame of the access log, which
//! holds the entries of all requests that were made durable together ([`pack`], [`unpack`]).
//!
//! Never: a name of a patient. Charts are named by alias and resources by the position of the
//! event that brought the version shown; words of the request that describe a patient are sealed
//! under the keys of the charts that the request was about.

mod action;
mod batch;
mod entry;
mod known;
mod legacy;
mod runs;

pub use action::{Action, action_of};
pub use batch::{Packed, pack, source_places, source_text, unpack};
pub use entry::{
    AccessEntry, Identity, Look, Outcome, Part, RequestId, Source, Words, breaks_glass,
};
pub use known::KnownSources;
pub use runs::Runs;
