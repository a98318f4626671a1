//! Chartlog: the patient's chart as a log.
//!
//! Every change to a record is an immutable event in a log; everything else is derived from it.
//! The modules below stand in the order in which a request passes through them:
//!
//! ```text
//!  write   http ─► auth ─► fhir: parse, check ─► records: plan ──┐      worker threads
//!                                        (chart: decide, events) ▼
//!                                                engine: sequencer       one thread per log
//!                                   log     ◄── append + fsync ──┤
//!                                   view    ◄── projector ───────┴─► answer
//!
//!  read    http ─► auth ─► records: one state of the views ─► bodies from the log
//!                                             ─► access entry durable ─► answer
//! ```
//!
//! [`records`] and [`audit`] open the [`engine`] behind a [`auth::Grant`]. Dependencies point down this
//! list: `cli`, `http`, `feed`, `backup`, `inspect`, `audit`, `records`, `issuing`, `issuers`, `auth`, `engine`, `view`, `chart`, `fhir`, `vault`,
//! `seal`, `proof`, `log`, `json`. `budget`, `clock`, `config` and `disk` are used by all; `demo` stands
//! beside the list. `ARCHITECTURE.md` has the whole picture.

// A stdout or stderr that nobody reads any more would end the program by a panic: see `cli/out.rs`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod access;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod budget;
pub mod chart;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod disk;
pub mod engine;
pub mod feed;
pub mod fhir;
pub mod http;
pub mod inspect;
pub mod issuers;
pub mod issuing;
pub mod json;
pub mod log;
pub mod numbers;
pub mod policies;
pub mod proof;
pub mod records;
pub mod seal;
pub mod telemetry;
pub mod vault;
pub mod view;
