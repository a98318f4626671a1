//! Search, case by case: tables of resources, queries and what they find, written from the
//! specification. Each table runs twice: in memory, where the index and a look at the resources are
//! held against each other, and over HTTP against the real server.
//!
//! A line has three columns, separated by tabs:
//!
//! | | | |
//! |---|---|---|
//! | `base` | type | members that all further resources of the type have unless they say otherwise |
//! | `store` | `Type/id` | the other members of a resource |
//! | `find` | query | the ids of the matches in any order, or `-` for none |
//! | `order` | query | the ids of the matches in this order |
//! | `all` | query | `Type/id` of the matches and of what is included, in any order |
//! | `fail` | query | a word of the message that refuses it |

// Tests stop at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

mod examples;
mod generated;
// The other half of it is for other tests.
#[allow(dead_code, unused_imports)]
#[path = "../api/harness/mod.rs"]
mod harness;
mod memory;
mod served;
mod table;
