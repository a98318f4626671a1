//! An access entry: who looked, or was refused, as it is written down.

use serde::{Deserialize, Serialize};

use crate::log::StreamAlias;
use crate::numbers::ResourceNumber;

/// How a request ended, as its access entry says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered as asked.
    Granted,
    /// The token was missing, unacceptable, or granted too little; be it for a part of the request.
    Refused,
    /// It failed for another reason: bad input, nothing there, a conflict, a fault.
    Failed,
}

/// Who looked (or was refused) what, from where, why, and with which outcome.
///
/// Charts are named by alias and the resource by number, so that the entry can be kept when the
/// chart is erased; only `query` repeats words of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Who: subject of the token; `None` when no acceptable token came with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Client application, where the token names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Issuer of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Network address of the peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Why, as the request said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Id of the request.
    pub request: String,
    /// Id of the operation in the OpenAPI document.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status of the answer.
    pub status: u16,
    /// The charts it touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<String>,
    /// Number of the one resource it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceNumber>,
    /// Method, path and query as sent.
    pub query: String,
}

impl AccessEntry {
    /// Reads the payload of an access frame; `None` when it is not one.
    #[must_use]
    pub fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// Aliases of the charts it touched.
    #[must_use]
    pub fn aliases(&self) -> Vec<StreamAlias> {
        self.charts.iter().filter_map(|chart| chart.parse().ok()).collect()
    }
}
