//! Who carries out the Subscriptions that are stored: asked before one is.

use std::fmt::Debug;
use std::sync::{Arc, Weak};

use super::{Records, RecordsError};
use crate::auth::Grant;
use crate::fhir::ResourceKey;
use crate::json::Document;

/// A Subscription that a write brings.
#[derive(Debug)]
pub struct Subscribed {
    /// Where the request says it.
    pub place: String,
    /// Which.
    pub key: ResourceKey,
    /// Whether there is none under its key so far.
    pub is_new: bool,
    /// What it will say.
    pub resource: Document,
}

/// Who carries out the Subscriptions that are stored.
///
/// What it answers is decided on again when the state has changed meanwhile, as all of a write is.
pub trait Keeper: Debug + Send + Sync {
    /// Refuses Subscriptions that cannot be carried out for who asks.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    fn check(
        &self,
        records: &Records,
        grant: &Grant,
        subscribed: &[Subscribed],
    ) -> Result<(), RecordsError>;

    /// Under whose rights one is carried out from now on: kept, sealed, in the event that brings it.
    fn rights(&self, grant: &Grant, key: &ResourceKey) -> Option<String>;
}

impl Records {
    /// Names who carries out the Subscriptions; the first one stays. Without one, they are resources like others.
    pub fn kept_by(&self, keeper: Weak<dyn Keeper>) {
        let _ = self.keeper.set(keeper);
    }

    pub(super) fn keeper(&self) -> Option<Arc<dyn Keeper>> {
        self.keeper.get().and_then(Weak::upgrade)
    }
}
