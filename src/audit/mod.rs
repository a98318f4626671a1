//! Audit: who looked at which chart, or was refused.
//!
//! In: one entry for each request, from the gate, written by the engine before the answer leaves.
//! Out: entries with the names behind their aliases, and commits as their own traces, in the order of time; evidence
//! of entries, and exports with the proof that they are complete; both logs as they are forwarded to the operator's own
//! tools; the disposal of old entries.
//! What an entry says is defined in [`crate::access`].
//!
//! Never: changing an entry that is kept; showing a patient the names of others.

mod accesses;
mod commits;
mod event;
mod evidence;
mod export;
mod filter;
mod forward;
mod frames;
mod id;
mod json;
mod known;
mod members;
mod named;
mod operator;
mod reader;
mod rendered;
mod reports;
mod retention;
mod sort;
mod stretch;
mod walk;
mod written;

pub use accesses::{Access, access, accesses};
pub use event::{
    AuditEvent, AuditEventId, AuditQuery, audit_event, audit_events, count_audit_events,
};
pub use evidence::evidence;
pub use export::{
    ExportPart, export_check, export_commits, export_entries, export_events, export_frames,
    export_head,
};
pub use filter::AccessFilter;
pub use forward::{Forwarded, Next, commits_from, ends, entries_from};
pub use id::AccessId;
pub use json::{AccessJson, LookJson, PartJson, ResourceJson, SourceJson};
pub use known::{NamedLook, Names, ShownVersion};
pub use named::{charts_named, seal_words};
pub use operator::last_of;
pub use reports::{Cell, Column, Report, ReportKind, ReportRequest, report, summaries};
pub use retention::{Fate, dispose, retention};
pub use sort::Sort;
pub use stretch::Stretch;
