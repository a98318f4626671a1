//! The server itself: it reads which Subscriptions there are, and writes how they stand, under its own name.

use std::sync::Arc;

use crate::access::Identity;
use crate::auth::{Caller, Grant, Scopes};
use crate::budget::Budget;
use crate::engine::Engine;
use crate::feed::fhir::Status;
use crate::fhir::{Patch, ResourceKey};
use crate::json::Document;
use crate::numbers::ResourceVersion;
use crate::records::{Action, Change, Records, RecordsError, Target, Versions, Write};

/// What events say who it was, and who says so.
const SUBJECT: &str = "subscriptions";
const ISSUER: &str = "chartlog";
/// What that takes.
const SCOPES: &str = "system/Subscription.rus system/Basic.rs";
/// Longest reason that is written down, in characters.
const REASON_LENGTH_MAX: usize = 500;

/// The server itself, as one who asks.
#[derive(Debug)]
pub struct Server(Arc<Caller>);

impl Default for Server {
    fn default() -> Self {
        let (subject, issuer) = (SUBJECT.to_owned(), ISSUER.to_owned());
        let identity = Arc::new(Identity { subject, issuer, ..Identity::default() });
        let scopes = Scopes::parse(SCOPES);
        let caller = Caller { identity, scopes, expires_at: i64::MAX, ..Caller::default() };
        Self(Arc::new(caller))
    }
}

impl Server {
    /// The grant of one look or one write. What is looked at stays here.
    pub fn grant(&self, engine: &Engine) -> Arc<Grant> {
        let actor = self.0.identity.actor(engine.next_request().to_string());
        Arc::new(Grant::new(Arc::clone(&self.0), actor, Budget::default(), &Arc::default()))
    }

    /// Whether it is the server itself that asks.
    pub fn is(&self, grant: &Grant) -> bool {
        std::ptr::eq(grant.caller(), &*self.0)
    }

    /// Writes how a Subscription stands, if that version is still the current one. The version that says so; `None`:
    /// somebody was faster.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn write(
        &self,
        records: &Arc<Records>,
        key: ResourceKey,
        version: ResourceVersion,
        has_error: bool,
        (status, reason): (Status, Option<&str>),
    ) -> Result<Option<ResourceVersion>, RecordsError> {
        let mut operations = vec![
            serde_json::json!({ "op": "replace", "path": "/status", "value": status.as_str() }),
        ];
        match reason {
            Some(reason) => {
                let reason: String = reason.chars().take(REASON_LENGTH_MAX).collect();
                operations
                    .push(serde_json::json!({ "op": "add", "path": "/error", "value": reason }));
            }
            None if has_error => {
                operations.push(serde_json::json!({ "op": "remove", "path": "/error" }));
            }
            None => {}
        }
        let unreadable = || RecordsError::unreadable("a patch of this server's own is wrong");
        let patch = serde_json::Value::from(operations).to_string();
        let patch = Document::parse(patch).map_err(|_| unreadable())?;
        let patch = Patch::read(patch.root()).map_err(|_| unreadable())?;
        let mut change = Change::new(Target::Key(key), Action::Patch(Arc::new(patch)));
        change.if_match = Some(Versions::OneOf(vec![version]));
        let write = Arc::new(Write { changes: vec![change], ..Write::default() });
        match records.write(&self.grant(records.engine()), write).await {
            Ok(written) => Ok(written.done.first().map(|done| done.version)),
            Err(error) if is_overtaken(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether the resource is another by now, or gone.
fn is_overtaken(error: &RecordsError) -> bool {
    match error {
        RecordsError::At { error, .. } => is_overtaken(error),
        RecordsError::Precondition { .. } | RecordsError::Conflict { .. } => true,
        RecordsError::NotFound(_) | RecordsError::Gone { .. } => true,
        _ => false,
    }
}
