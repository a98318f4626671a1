//! The domain: what an event is, which events a change leads to, what a chart held at a version.
//!
//! In: the current state, and a change. Out: events, or none when nothing changes.
//! A chart is a numbered stream of events about one patient; resources that belong to no
//! patient live in the directory, each a small stream of its own.
//!
//! A resource may lie in the charts of several patients (a group session, a linked patient). Its
//! first chart is its *home*: the home event carries the body, and every further chart gets an
//! event of its own that points at the home event of the same commit.
//!
//! Pure: no I/O, no clock, no randomness, no HTTP, no database.

pub mod decide;
mod erasure;
pub mod event;
mod fingerprint;
pub mod manifest;
mod schema;
pub mod upcast;

pub use decide::{Current, Drafted, Wish, decide};
pub use erasure::{Erasure, TOMBSTONE_BYTES, Tombstone};
pub use event::{Actor, Envelope, EventKind, EventType, IdempotencyMark, Outline, Payload, Stated};
pub use fingerprint::fingerprint;
pub use manifest::Manifest;
pub use schema::SCHEMA;
pub use upcast::{Told, Trial, Tried, Upcast, UpcastError, UpcasterFile, Upcasters};
