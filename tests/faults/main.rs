//! Tests that break the disk: power cuts, refused and torn writes, failed and slow syncs, no space.
//!
//! `simulated` is a disk in memory that does all of this on request, `content` one file on it.
//! `logs` and `stores` cut the power at random moments and look at what is left; `every_operation`
//! lets each single operation fail; `slow` holds syncs back and turns the clock; `full` starts the
//! real program where the kernel refuses to let files grow. `charts` compares a store with what was
//! acknowledged, `serving` puts a store behind HTTP in this process. How to repeat a run stands in
//! docs/reliability.md.

// Tests stop at the first surprise, and read their seeds and sizes from the environment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod charts;
mod content;
mod disposal;
mod erasure;
mod every_operation;
mod full;
mod logs;
mod power;
mod random;
mod serving;
mod simulated;
mod slow;
mod stores;
mod threads;

// The histories of the model tests, and what must come of them.
#[allow(dead_code)]
#[path = "../model/clinic.rs"]
mod clinic;
#[allow(dead_code)]
#[path = "../model/fold.rs"]
mod fold;
#[allow(dead_code)]
#[path = "../model/history.rs"]
mod history;
#[allow(dead_code)]
#[path = "../model/server.rs"]
mod server;
