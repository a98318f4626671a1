//! Under whose rights a subscription sees.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::{Identity, Source};
use crate::auth::{Caller, Scopes};

/// Who asked for a subscription, and what they might see then. A token expires; a subscription sees what its owner saw
/// when they defined it last, until it is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    identity: Arc<Identity>,
    /// All scopes that were understood.
    scopes: String,
    patient: Option<String>,
    purpose: Option<String>,
}

impl Owner {
    /// Who asks.
    pub fn of(caller: &Caller) -> Self {
        let identity = Arc::clone(&caller.identity);
        let (patient, purpose) = (caller.patient.clone(), caller.purpose.clone());
        Self { identity, scopes: caller.scopes.to_string(), patient, purpose }
    }

    /// Whether this is who asks.
    pub fn is(&self, caller: &Caller) -> bool {
        let (own, theirs) = (&self.identity, &caller.identity);
        (&own.subject, &own.issuer) == (&theirs.subject, &theirs.issuer)
    }

    /// The subject of their token.
    pub fn subject(&self) -> &str {
        &self.identity.subject
    }

    /// The scopes under which the subscription sees.
    pub fn scopes(&self) -> &str {
        &self.scopes
    }

    /// As if they asked now.
    pub fn caller(&self) -> Caller {
        Caller {
            identity: Arc::clone(&self.identity),
            scopes: Scopes::parse(&self.scopes),
            patient: self.patient.clone(),
            purpose: self.purpose.clone(),
            expires_at: i64::MAX,
            not_before: None,
        }
    }

    /// Who an access entry names.
    pub fn source(&self) -> Source {
        let (identity, purpose) = (Some(self.identity.clone()), self.purpose.clone());
        Source { identity, purpose, ..Source::default() }
    }
}
