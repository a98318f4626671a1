//! A write while it is decided: the state of the views, the rights, and what is known so far.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::Subscribed;
use super::super::search::Limits;
use super::Records;
use super::seal::Unsealed;
use crate::auth::Grant;
use crate::chart::IdempotencyMark;
use crate::engine::Expectation;
use crate::fhir::{Criteria, ResourceId, ResourceKey, Term};
use crate::json::Document;
use crate::log::StreamAlias;
use crate::seal::SealingKey;
use crate::view::View;

/// A write that is being decided.
pub(super) struct Planner<'a> {
    pub(super) records: &'a Records,
    pub(super) view: &'a View,
    pub(super) grant: &'a Grant,
    pub(super) mark: Option<&'a IdempotencyMark>,
    pub(super) expectations: Vec<Expectation>,
    /// Alias of each chart that this write touches.
    pub(super) charts: BTreeMap<ResourceId, StreamAlias>,
    /// Keys of the charts that this write opens.
    pub(super) keys: BTreeMap<StreamAlias, Arc<SealingKey>>,
    /// Number of events drafted for each chart.
    pub(super) said: BTreeMap<StreamAlias, u64>,
    /// Resources that this write deletes.
    pub(super) removed: HashSet<ResourceKey>,
    /// Of changes that are aimed by criteria, those criteria with lists and value sets resolved.
    pub(super) resolved: BTreeMap<usize, Criteria>,
    /// What the evaluation of criteria may cost.
    pub(super) limits: Limits<'a>,
    /// The new contents, if they have to be looked at once more.
    pub(super) contents: Vec<Stored>,
    /// The SearchParameters that this write changes.
    pub(super) redefined: Vec<Redefined>,
    /// The Subscriptions that this write brings.
    pub(super) subscribed: Vec<Subscribed>,
    /// Events that open charts; they come before all others.
    pub(super) opened: Vec<Unsealed>,
    pub(super) events: Vec<Unsealed>,
}

/// Content that a request stores, and what it is found by.
pub(super) struct Stored {
    pub(super) key: ResourceKey,
    pub(super) document: Document,
    pub(super) terms: Vec<Term>,
}

/// A SearchParameter that a write changes.
pub(super) struct Redefined {
    pub(super) place: String,
    pub(super) key: ResourceKey,
    /// What it will be, if it will be active.
    pub(super) resource: Option<Document>,
}
