//! Audit: who looked at which chart, or was refused.
//!
//! In: one entry for each request, from the gate, written by the engine before the answer leaves.
//! Out: entries with the names behind their aliases, newest first, and evidence of them.
//! What an entry says is defined in [`crate::chart::AccessEntry`].
//!
//! Never: changing an entry; showing a patient the names of others.

mod accesses;

pub use accesses::{Access, AccessFilter, accesses, evidence};
