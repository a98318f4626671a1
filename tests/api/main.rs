//! Black-box tests: the real binary, over HTTP, one file per topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod appends;
mod bad_input;
mod bundles;
mod charts;
mod fhir_crud;
mod harness;
mod issuers;
mod operations;
mod reach;
mod search;
mod tokens;
mod trail;
mod walk;
