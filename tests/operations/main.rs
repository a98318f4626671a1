//! Looking after a store: backup, restore, escrow of the keys, figures and upcasters, with the real program,
//! a real server beside it, and real files.

// Tests stop at the first surprise, and wait for other processes with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod backups;
mod commands;
mod deploy;
mod escrow;
mod figures;
mod golden;
mod looks;
mod modes;
mod pages;
mod restores;
mod retention;
mod support;
mod traces;
mod upcasts;
