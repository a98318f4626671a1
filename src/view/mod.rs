//! The views: everything that is derived from the logs, kept in an LSM store.
//!
//! In: groups of facts, in order ([`Views::apply`], [`Views::apply_access`]). Out: one consistent
//! [`View`] per request. Every key here can be deleted and rebuilt from the logs; the store is
//! written without fsync, together with the position up to which it has applied each log.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `state` | name | applied position of `events` and `access` |
//! | `charts` | patient id | [`ChartRecord`] |
//! | `aliases` | stream alias | patient id |
//! | `keys` | stream alias | [`Wrap`](crate::vault::Wrap) of the chart's data key |
//! | `resources` | type code, id | [`Head`]: the current version |
//! | `numbers` | resource number | type code, id |
//! | `history` | resource number, version | [`PastVersion`] |
//! | `streams` | stream alias, chart version | [`StreamEntry`] |
//! | `snapshots` | stream alias, chart version | [`Manifest`](crate::chart::Manifest) |
//! | `terms` | type code, parameter, length, value, resource number | nothing |
//! | `idempotency` | SHA-256 of subject and key | [`IdempotentCommit`] |
//! | `access_groups` | position of a group's first entry | [`Location`](crate::log::Location) |
//! | `access_charts` | stream alias, position | nothing |
//!
//! Numbers are big-endian, so that keys sort as numbers do. A *resource number* is the position of
//! the resource's first event. Never: a decision, a body, a token; only this folder knows fjall.

mod access;
mod apply;
mod keys;
mod keyspaces;
mod read;
mod records;
mod search;

pub use apply::{Fact, TermChange};
pub use keyspaces::{Options, Views};
pub use read::View;
pub use records::{ChartRecord, Head, IdempotentCommit, PastVersion, StreamEntry, StreamPlace};

/// What can go wrong with the views.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The LSM store failed.
    #[error("the view store failed: {0}")]
    Store(#[from] fjall::Error),
    /// A record does not read back.
    #[error("a record of the view {0} does not read back")]
    Record(&'static str),
    /// The views do not follow from the log.
    #[error("the log cannot be applied to the views: {0}")]
    Apply(String),
}
