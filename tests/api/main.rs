//! Black-box tests: the real binary, over HTTP, one file per topic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod access;
mod bad_input;
mod bundles;
mod charts;
mod fhir_crud;
mod harness;
mod operations;
mod search;
mod walk;
