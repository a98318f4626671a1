//! What kind of action an operation is.

use serde::Serialize;

/// The kinds of action (value set `audit-event-action` of FHIR R4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Action {
    /// `C`: create.
    #[serde(rename = "C")]
    Create,
    /// `R`: read.
    #[serde(rename = "R")]
    Read,
    /// `U`: update.
    #[serde(rename = "U")]
    Update,
    /// `D`: delete.
    #[serde(rename = "D")]
    Delete,
    /// `E`: execute, which a query is too.
    #[serde(rename = "E")]
    Execute,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Execute];

    /// Its letter.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Create => "C",
            Self::Read => "R",
            Self::Update => "U",
            Self::Delete => "D",
            Self::Execute => "E",
        }
    }
}

/// The action of an operation of the OpenAPI document.
#[must_use]
pub fn action_of(operation: &str) -> Action {
    match operation {
        "createResource" | "createSubscription" | "appendEvents" | "holdChart" => Action::Create,
        "updateSubscription"
        | "pauseSubscription"
        | "resumeSubscription"
        | "rotateSubscriptionSecret"
        | "updateResource"
        | "conditionalUpdate"
        | "patchResource"
        | "conditionalPatch" => Action::Update,
        "deleteSubscription" | "dropParkedEvent" | "deleteResource" | "conditionalDelete"
        | "eraseChart" | "releaseChart" | "disposeAccesses" => Action::Delete,
        "readResource"
        | "readResourceVersion"
        | "readResourceHistory"
        | "readTypeHistory"
        | "readSystemHistory"
        | "resourceMeta"
        | "readChart"
        | "diffChart"
        | "listEvents"
        | "followEvents"
        | "deliverEvents"
        | "listSubscriptions"
        | "readSubscription"
        | "listParkedEvents"
        | "subscriptionStatus"
        | "subscriptionStatusByPost"
        | "subscriptionStatuses"
        | "subscriptionStatusesByPost"
        | "subscriptionEvents"
        | "subscriptionEventsByPost"
        | "listAccesses"
        | "readAccess"
        | "listChartAccesses"
        | "readReport"
        | "exportAccesses"
        | "exportAccessEvidence"
        | "exportChartEvidence"
        | "listBackup"
        | "readBackup"
        | "readRetention"
        | "readErasure" => Action::Read,
        _ => Action::Execute,
    }
}
