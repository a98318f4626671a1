//! Inspection of a data directory from outside: what it contains, and whether it still is what was written.
//!
//! In: the directory, which a server may have open. Out: figures ([`stats`]), or findings of the
//! verification ([`verify`]). Never: changing anything, taking a lock ([`verify_views`] alone works on
//! an open engine).

mod stats;
mod verify;

pub use stats::{Bytes, LastCheckpoint, LogPayloads, Payloads, Sample, Stats, stats};
pub use verify::{Finding, MasterKeyFrom, Verdict, VerifyOptions, log_bytes, verify, verify_views};
