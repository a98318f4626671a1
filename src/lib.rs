//! Chartlog: the patient's chart as a log.
//!
//! Every change to a record is an immutable event in a log; everything else is derived from it.
//! The modules below stand in the order in which a request passes through them:
//!
//! ```text
//!  write   http ─► auth ─► fhir: parse, check ─► chart: decide ──┐       worker threads
//!                                            (events, terms)     ▼
//!                                                        log: committer  one thread per log
//!                                   segment ◄── append + fsync ──┤
//!                                   view    ◄── apply ───────────┴─► answer
//!
//!  read    http ─► auth ─► view: one state ─► bodies from the log
//!                                             ─► access entry durable ─► answer
//! ```
//!
//! [`store`] ties these together behind a [`auth::Grant`]. Dependencies point down this list:
//! `cli`, `http`, `backup`, `store`, `view`, `auth`, `chart`, `fhir`, `proof`, `log`, `json`,
//! `clock`. `demo` and `config` are outside it. `ARCHITECTURE.md` has the whole picture.

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
pub mod fhir;
pub mod http;
pub mod inspect;
pub mod json;
pub mod log;
pub mod numbers;
pub mod proof;
pub mod records;
pub mod seal;
pub mod telemetry;
pub mod vault;
pub mod view;
