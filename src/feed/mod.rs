//! The logs as others follow them.
//!
//! Pulled: what is wanted of the log of events, as a request says it ([`filter`]); a [`Follower`], which knows where in
//! the log it stands and wakes when there is more; and events in the forms in which they leave ([`Form`]). They are
//! read by [`crate::records`], which decides on each whether the caller may see it.
//!
//! Pushed: the logs, as [`crate::audit`] and [`crate::records`] show them, and a place that is kept here. Out comes what
//! is behind that place, in the order of the log, at least once.
//!
//! ```text
//!  log ─► source ─► delivery (thread, cursor on disk, repeats) ─► outlet: SIEM, NATS
//! ```
//!
//! From outside: [`projection`], with which a program in Rust follows a log, here or on a server, and keeps a view of its own.
//!
//! Never: HTTP of clients, a decision about who may see what; a place that is ahead of what has arrived; holding anybody up
//! who writes or reads.

mod backoff;
mod cursor;
mod delivery;
pub mod fhir;
mod filter;
mod follower;
mod form;
pub mod nats;
pub mod projection;
pub mod siem;
pub mod subscriptions;
pub(crate) mod tls;
pub mod webhook;

pub use filter::{CRITERIA_LENGTH_MAX, CRITERIA_MAX, filter};
pub use follower::Follower;
pub use form::{Form, Framing, Pen};
