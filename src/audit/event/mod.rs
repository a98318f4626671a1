//! FHIR `AuditEvent`s, made from access entries and commits when they are asked for; none is stored.
//!
//! In: what [`super::walk`] finds. Out: resources as the profiles of IHE BALP (Basic Audit Log Patterns) want them.
//! A request is one AuditEvent, and so is each entry of a Bundle and each resource that a commit changed.
//!
//! Never: an AuditEvent from a client.

mod codes;
mod id;
mod people;
mod project;
mod query;
mod read;
mod units;

pub use id::AuditEventId;
pub use query::AuditQuery;
pub(super) use read::page;
pub use read::{AuditEvent, audit_event, audit_events, count_audit_events};
