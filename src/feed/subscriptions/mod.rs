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
//! A FHIR `Subscription` runs in the same way. What it asks for, how it stands, and under whose rights, the log says;
//! [`Kept`] follows it, and keeps the place alone, with the number that each event was given. Before one is stored, the records ask
//! whether it can be carried out (`checking`); how it stands is written by the server itself, as an ordinary version (`tending`). One whose channel is a WebSocket is told
//! on those that are bound to it, by its owner (`binding`, `sockets`); where none is, its events are counted all the same.
//!
//! **Invariant:** no event leaves before its access entry is durable; the next event of a chart leaves when the one before
//! was acknowledged or parked; a number is on disk before anybody is told of it. Never: HTTP of clients, a body on disk, a secret in the clear.

mod binding;
mod checking;
mod context;
mod entry;
mod kept;
mod lookup;
mod numbers;
mod owner;
mod progress;
mod recall;
mod registry;
mod runner;
mod sealed;
mod secrets;
mod seeing;
mod sending;
mod server;
mod snapshot;
mod sockets;
mod standing;
mod tending;
mod thread;
mod wish;

pub use kept::Kept;
pub use recall::{Recall, RecallRequest};
pub use registry::{SUBSCRIPTION, Subscriptions};
pub use snapshot::{ParkedEvent, Snapshot};
pub use sockets::Message;
pub use wish::{From, Wish};
