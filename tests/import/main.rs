//! `chartlog import`, with the real program, real files and a real store.

// Tests stop at the first surprise, read their seeds and sizes from the environment, and wait
// for other processes with a deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod formats;
mod interruption;
mod outcomes;
mod support;
mod synthea;
