//! Tests that try to break the promises about charts, crashes and concurrency.
//!
//! `clinic` opens stores and speaks to them; `history` generates what happens to a few resources in
//! a few charts; `fold` says, independently of the program, what must come of it. `histories`
//! compares the two, also after a restart and after a rebuild of the views. `crash` cuts and damages
//! the log's files, `kill` ends the real process at random moments, `concurrency` makes many writers
//! meet, `peers` holds what followers read for each other against what each reads alone, `rebuild`
//! makes new generations of the views, `searches` holds past moments against copies of the log,
//! `sorting` long lists against a plain sort, `sources` what access entries quote, `upcasts`
//! tells histories in other terms, `verify` alters every place of a data directory that verification has to find. `server` starts the real program.

// Tests stop at the first surprise, read their seeds and sizes from the environment, and wait
// for other processes with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod clinic;
mod concurrency;
mod crash;
mod erasure;
mod fold;
mod follow;
mod histories;
mod history;
mod kill;
mod peers;
mod rebuild;
mod seam;
mod searches;
mod server;
mod sorting;
mod sources;
mod upcasts;
mod verify;
