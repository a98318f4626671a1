//! The views: everything that is derived from the logs, kept in an LSM store.
//!
//! In: groups of facts, in order ([`Views::apply`], [`Views::apply_access`]). Out: one consistent
//! [`View`] per request. Every key here can be deleted and rebuilt from the logs; the store is
//! written without fsync, together with the position up to which it has applied each log.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `state` | name | applied position of `events` and `access`; the vault's `epoch`; `format` of all of this |
//! | `charts` | patient id | [`ChartRecord`] |
//! | `aliases` | stream alias | patient id |
//! | `keys` | stream alias | [`Wrap`](crate::vault::Wrap) of the chart's data key |
//! | `erased` | stream alias of an erased chart | whether index terms of it remain in this generation |
//! | `tombstones` | keyed hash of the id of an erased resource | nothing |
//! | `names` | type code, id (a UUID as its bytes) | pointer to the resource's first event |
//! | `heads` | resource number | version and pointer of the current version, if it is not the first |
//! | `history` | resource number, version | pointer; only of versions between the first and the current |
//! | `events` | slot of the first of up to 64 events of one group | their time, places, notes, resource types and numbers: `stretch` |
//! | `streams` | stream alias, step of the first of a run of events | pointer, number of events |
//! | `parts` | stream alias and chart version, or nothing and position, of the last event before a part | how many parts there are up to there |
//! | `snapshots` | stream alias, step | [`Manifest`](crate::chart::Manifest) |
//! | `terms` | type code, parameter, value to be found as a whole, chunk of 256 resource numbers | which of them: `postings` |
//! | `values` | type code, parameter, kind of value, block of 4,096 resource numbers, value to be found by ranges, number in the block | nothing |
//! | `blocks` | type code, parameter, value to be found by ranges, block of `values` in which it occurs | nothing |
//! | `idempotency` | SHA-256 of subject and key, cut | SHA-256 of the request, cut; pointer to the first event |
//! | `access_groups` | position of a group's first frame | [`Location`](crate::log::Location), time |
//! | `access_terms` | kind of [`AccessTerm`] and [`Trace`], its value, position of a frame with such entries, or of a commit's first event | which entries of the frame ([`EntrySet`]) |
//!
//! A *slot* is the number of an event here: its position, and one more for each part that upcasters make of the events before
//! it; a *step* is the same in a chart. A *pointer* is a slot and how far behind the start of its `events` record it stands, so that
//! `events` is read by whole keys. What most resources have in common is not written down: one that
//! was never changed has no record in `heads` and `history`, and neither id nor chart is
//! repeated where an event leads to it.
//!
//! All of this is one *generation*, in a directory of its own; the file `CURRENT` names the one
//! that is served. A new one is built next to it ([`Views::begin`]) and takes its place between two
//! groups.
//!
//! Numbers are big-endian, so that keys sort as numbers do. A *resource number* is the slot of
//! the resource's first event. Never: a decision, a body, a token; only this folder knows fjall.

mod access;
mod apply;
mod changes;
mod commits;
mod compare;
mod entries;
mod fact;
mod generation;
mod group;
mod keys;
mod keyspaces;
mod parts;
mod pointer;
mod postings;
mod read;
mod records;
mod search;
mod streams;
mod stretch;
mod terms;
mod views;

pub use access::{AccessGroup, AccessTerm, Trace};
pub use changes::{Change, Order};
pub use commits::LoggedEvent;
pub use compare::Comparison;
pub use entries::EntrySet;
pub use fact::{Event, EventPlace, Fact, FactGroup, TermChange};
pub use generation::{Basis, Generation, ViewOptions};
pub use postings::{CHUNK_BITS, Postings, chunk_of};
pub use read::{Neighbours, View};
pub use records::{
    ChartRecord, Head, IdempotentCommit, IndexedPlace, PastVersion, StreamEntry, StreamPlace,
};
pub use search::{Allowance, Members, TermNumbers, ValueNumbers};
pub use views::{Building, Views};

use crate::budget::Spent;

/// View schema version: views of another version are rebuilt.
pub const FORMAT: u32 = 7;

/// What can go wrong with the views.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The LSM store failed.
    #[error("the view store failed: {0}")]
    Store(#[from] fjall::Error),
    /// A file operation outside the LSM store failed.
    #[error("the directory of the views failed: {0}")]
    Disk(#[from] std::io::Error),
    /// The views have another schema version.
    #[error("the views have format {found}; this program writes {FORMAT}")]
    Format {
        /// The version found; 0: none.
        found: u32,
    },
    /// A record does not read back.
    #[error("a record of the view {0} does not read back")]
    Record(&'static str),
    /// The views do not follow from the log.
    #[error("the log cannot be applied to the views: {0}")]
    Apply(String),
    /// A search would read more of the index than one request may.
    #[error("the search reads too much of the index")]
    Costly,
}

impl From<Spent> for ViewError {
    fn from(_: Spent) -> Self {
        Self::Costly
    }
}
