//! Watches: which changes could have led a decision elsewhere, told by the layer above.

use std::fmt::Debug;
use std::sync::Arc;

use crate::fhir::{ResourceKey, ResourceType};
use crate::view::TermChange;

/// A change of a resource, as far as a [`Watch`] may look at it.
#[derive(Debug)]
pub struct RecentChange {
    /// Which resource.
    pub key: ResourceKey,
    /// How its index terms changed.
    pub terms: Arc<TermChange>,
    /// The resource did not exist before: it has exactly the terms that were added.
    pub is_new: bool,
    /// It came into a chart or left one.
    pub has_moved: bool,
    /// The generation of the views whose parameter codes the terms have.
    pub generation: u64,
}

/// Tells changes that could have led to another decision from those that could not. This is how
/// what a search found is checked where order is made, without searching again: the decision was
/// made under the grant of its caller, and stands as long as nothing relevant has changed.
///
/// May err only in one direction: a change that matters is always told.
pub trait Watch: Debug + Send {
    /// The types of resources whose changes may matter.
    fn kinds(&self) -> &[ResourceType];

    /// Whether the change could have led to another decision. Looks at the terms of the change
    /// alone: no I/O.
    fn could_matter(&self, change: &RecentChange) -> bool;
}
