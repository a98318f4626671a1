//! The most recent changes of resources, kept in memory by the ordering thread: what a decision may
//! not have seen yet.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::watch::{RecentChange, Watch};
use crate::fhir::ResourceType;
use crate::numbers::Position;

/// Most changes that are kept, and most index terms in them: some 5 MB.
const CHANGES_MAX: usize = 4_096;
const TERMS_MAX: usize = 65_536;

/// The changes at the end of the log, by type, each with the position behind its commit.
#[derive(Debug, Default)]
pub struct RecentChanges {
    by_type: HashMap<ResourceType, VecDeque<(Position, RecentChange)>>,
    /// The types in the order of the changes, to drop the oldest first.
    order: VecDeque<ResourceType>,
    terms: usize,
    /// All changes of commits that end behind this position are kept.
    complete_from: Position,
}

/// Commands that are being decided on criteria. While there is none, no change is kept.
#[derive(Debug, Default)]
pub struct Watchers(AtomicUsize);

impl Watchers {
    /// Whether there is one. What is sequenced while there is none is not kept: a command that begins to be
    /// decided meanwhile, on a state without it, is decided again.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// A command is being decided on criteria, until this is dropped.
#[derive(Debug)]
pub struct Watching(Arc<Watchers>);

impl Watching {
    /// Begins, before the command takes the state that it is decided on.
    #[must_use]
    pub fn begin(watchers: &Arc<Watchers>) -> Self {
        watchers.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(watchers))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a check against recent changes may cost, in comparisons.
#[derive(Debug)]
pub struct Comparisons(pub usize);

impl RecentChanges {
    /// Keeps a change of a commit that ends at `end`, and drops the oldest ones beyond the limits.
    pub fn keep(&mut self, end: Position, change: RecentChange) {
        self.terms += size(&change);
        self.order.push_back(change.key.kind);
        self.by_type.entry(change.key.kind).or_default().push_back((end, change));
        while self.order.len() > CHANGES_MAX || self.terms > TERMS_MAX {
            let Some(kind) = self.order.pop_front() else { break };
            let oldest = self.by_type.get_mut(&kind).and_then(VecDeque::pop_front);
            if let Some((end, change)) = oldest {
                self.terms -= size(&change);
                self.complete_from = self.complete_from.max(end);
            }
        }
    }

    /// Drops all: nothing is known of changes before `end`.
    pub fn forget_before(&mut self, end: Position) {
        if self.order.is_empty() {
            self.complete_from = end;
            return;
        }
        *self = Self { complete_from: end, ..Self::default() };
    }

    /// Whether it is known that no change since a position matters to a watch. False also when
    /// that is not known any more, or would take more comparisons than are left.
    pub fn none_matters(&self, since: Position, watch: &dyn Watch, left: &mut Comparisons) -> bool {
        if since < self.complete_from {
            return false;
        }
        for kind in watch.kinds() {
            let Some(changes) = self.by_type.get(kind) else { continue };
            for (_, change) in changes.iter().rev().take_while(|(end, _)| *end > since) {
                if left.0 == 0 || watch.could_matter(change) {
                    return false;
                }
                left.0 -= 1;
            }
        }
        true
    }
}

fn size(change: &RecentChange) -> usize {
    1 + change.terms.added.len() + change.terms.removed.len()
}
