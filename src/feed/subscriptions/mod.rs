//! Subscriptions: somebody's wish to be sent the events of the log, kept here with a durable place in it.
//!
//! In: what is wanted and where it is to be sent ([`Wish`]), under the grant of who asks, who becomes the owner. Out: a
//! signed POST for each event, at least once; in order per chart, and of several charts at the same time.
//!
//! ```text
//!  log ─► scan (positions and charts, no bodies) ─► progress ─► read one event ─► access entry durable ─► POST
//!                                                      ▲  what was not acknowledged, what is parked │
//!                                                      └────────────── acknowledged, failed ◄───────┘
//! ```
//!
//! Only positions are kept, in memory and on disk. An event is read when it is sent, and decided on then under the scopes
//! that the owner had: what was erased meanwhile says so, and no body lies in a queue.
//!
//! A file for each subscription says all that lasts: definition and secrets, sealed, and progress. It is replaced as a whole,
//! so a place is never ahead of what was acknowledged or parked.
//!
//! **Invariant:** no event leaves before its access entry is durable; the next event of a chart leaves when the one before
//! was acknowledged or parked. Never: HTTP of clients, a body on disk, a secret in the clear.

mod context;
mod entry;
mod owner;
mod progress;
mod registry;
mod runner;
mod sealed;
mod secrets;
mod seeing;
mod sending;
mod snapshot;
mod thread;
mod wish;

pub use registry::{SUBSCRIPTION, Subscriptions};
pub use snapshot::{ParkedEvent, Snapshot};
pub use wish::{From, Wish};
