//! What a hospital says in its own words about who may see what.
//!
//! Policies are written in Cedar, in files of a folder, against the schema beside this file. They narrow
//! what scopes grant, and never widen it. A policy speaks of the caller, of what is done, of the minute, and of a resource: its
//! type, its security labels, and what the caller is to the chart that it lies in. These relations are facts of the charts,
//! and are gathered by the records.
//!
//! ```text
//!  files ── Policies::parse ── checked against the schema
//!                │
//!   Question ────┼── permits   one resource: permitted or not, remembered
//!   Prospect ────┴── outlook   all resources of which only that is known: always, never, or it depends
//! ```
//!
//! An outlook is what a search begins with: where strangers see nothing, candidates come from the charts that the caller has
//! to do with, and no others are looked at. It is Cedar's partial evaluation, with what is not known left open.
//!
//! Never: reading a chart, or deciding by a name in a token what a scope does not grant.

mod book;
mod cases;
mod facts;
mod glasses;
mod memory;
mod rules;
mod set;

pub use book::{RuleBook, read};
pub use cases::Case;
pub use facts::{Act, Asker, Outlook, Prospect, Question, Relation, Relations, Standing};
pub use glasses::{Broken, Glasses};
pub use memory::{Known, Memory, Parties, Places, Related};
pub use rules::{Asking, Inquiry, Never, Rules};
pub use set::{Explanation, Mentions, Policies, SCHEMA, Text};

#[cfg(test)]
mod tests;
