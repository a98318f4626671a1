//! The logs as others follow them.
//!
//! In: the logs, as [`crate::audit`] and [`crate::records`] show them, and a place that the follower keeps. Out: what
//! comes behind that place, in the order of the log, at least once.
//!
//! ```text
//!  log ─► source ─► delivery (thread, cursor on disk, repeats) ─► outlet: SIEM
//! ```
//!
//! Never: a place that is ahead of what has arrived; holding anybody up who writes or reads.

mod cursor;
mod delivery;
pub mod siem;
