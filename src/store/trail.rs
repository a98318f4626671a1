//! The access log: one durable entry for every look at a chart, and for every refusal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::proofs::LogProof;
use super::{Health, Store, StoreError};
use crate::log::committer::{Apply, Book, OpenGroup};
use crate::log::{AppendedGroup, Content, Frame, FrameKind, LogError, StreamAlias};
use crate::seal::Dictionary;
use crate::view::{AccessGroup, Views};

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
pub struct Entry {
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
    pub resource: Option<u64>,
    /// Method, path and query as sent.
    pub query: String,
}

impl Entry {
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

impl Store {
    /// Writes an access entry and returns when it is durable and can be found.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] or [`StoreError::ReadOnly`]: the request must then not be answered.
    pub async fn record_access(&self, entry: &Entry) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        // Strings and numbers only: this serialisation cannot fail.
        let payload = serde_json::to_vec(entry).unwrap_or_default();
        let content = self.keys.access().seal(
            FrameKind::Access,
            StreamAlias::NONE,
            Dictionary::of("access"),
            &payload,
        )?;
        self.access.submit(Command { content, charts: entry.aliases(), reply })?;
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(StoreError::ReadOnly),
        }
    }
}

/// One entry to be written.
#[derive(Debug)]
pub struct Command {
    content: Content,
    charts: Vec<StreamAlias>,
    reply: oneshot::Sender<bool>,
}

/// An entry in a group.
#[derive(Debug)]
pub struct Admitted {
    charts: Vec<StreamAlias>,
    reply: oneshot::Sender<bool>,
}

/// Takes every entry as it comes.
pub struct AccessBook;

impl Book for AccessBook {
    type Command = Command;
    type Admitted = Admitted;

    fn admit(&mut self, command: Command, group: &mut OpenGroup) -> Admitted {
        let Command { content, charts, reply } = command;
        group.add(Frame {
            kind: FrameKind::Access,
            last_of_commit: true,
            alias: StreamAlias::NONE,
            version: 0,
            content,
        });
        Admitted { charts, reply }
    }
}

/// Indexes groups of entries and answers.
pub struct AccessApply {
    views: Views,
    health: Arc<Health>,
    proof: Option<Arc<LogProof>>,
    /// A group was not indexed. Those behind it must not be either: the next start goes on behind
    /// the last one that was.
    is_behind: bool,
}

impl AccessApply {
    pub fn new(views: Views, health: Arc<Health>, proof: Option<Arc<LogProof>>) -> Self {
        Self { views, health, proof, is_behind: false }
    }

    fn apply_group(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        admitted: &mut [Admitted],
    ) -> bool {
        let written = match written {
            Ok(Some(written)) => written,
            Ok(None) => return false,
            Err(error) => {
                self.health.fail_log("the access log could not be written", &error);
                return false;
            }
        };
        if self.is_behind {
            return false;
        }
        let proven = self.proof.as_ref().map_or(Ok(()), |proof| proof.append(&written));
        if let Err(error) = proven {
            self.is_behind = true;
            self.health.fail_proofs("the proofs could not be written", &error);
            return false;
        }
        let group = AccessGroup {
            first_position: written.first_position,
            location: written.group,
            charts: admitted.iter_mut().map(|entry| std::mem::take(&mut entry.charts)).collect(),
        };
        if let Err(error) = self.views.apply_access(group) {
            self.is_behind = true;
            self.health
                .fail_views("the index of access entries could not be written", &error.into());
            return false;
        }
        true
    }
}

impl Apply for AccessApply {
    type Admitted = Admitted;

    fn apply(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        mut admitted: Vec<Admitted>,
    ) {
        let durable = self.apply_group(written, &mut admitted);
        for entry in admitted {
            // The request may have gone away; its entry stays.
            let _ = entry.reply.send(durable);
        }
    }
}
