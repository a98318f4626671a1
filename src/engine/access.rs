//! The sequencer and the projector of the access log.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::committer::{OpenGroup, Projector, Sequencer};
use super::health::Health;
use super::proofs::LogProof;
use crate::log::{AppendedGroup, Content, Frame, FrameKind, LogError, StreamAlias};
use crate::view::{AccessGroup, Views};

/// One entry to be written.
#[derive(Debug)]
pub struct AccessCommand {
    pub content: Content,
    pub charts: Vec<StreamAlias>,
    pub reply: oneshot::Sender<bool>,
}

/// An entry in a group.
#[derive(Debug)]
pub struct Sequenced {
    charts: Vec<StreamAlias>,
    reply: oneshot::Sender<bool>,
}

/// Takes every entry as it comes.
pub struct AccessSequencer;

impl Sequencer for AccessSequencer {
    type Command = AccessCommand;
    type Sequenced = Sequenced;

    fn sequence(&mut self, command: AccessCommand, group: &mut OpenGroup) -> Sequenced {
        let AccessCommand { content, charts, reply } = command;
        group.add(Frame {
            kind: FrameKind::Access,
            last_of_commit: true,
            alias: StreamAlias::NONE,
            version: 0,
            content,
        });
        Sequenced { charts, reply }
    }
}

/// Indexes groups of entries and answers.
pub struct AccessProjector {
    views: Views,
    health: Arc<Health>,
    proof: Option<Arc<LogProof>>,
    /// A group was not indexed. Those behind it must not be either: the next start goes on behind
    /// the last one that was.
    is_behind: bool,
}

impl AccessProjector {
    pub fn new(views: Views, health: Arc<Health>, proof: Option<Arc<LogProof>>) -> Self {
        Self { views, health, proof, is_behind: false }
    }

    fn apply_group(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        sequenced: &mut [Sequenced],
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
            charts: sequenced.iter_mut().map(|entry| std::mem::take(&mut entry.charts)).collect(),
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

impl Projector for AccessProjector {
    type Sequenced = Sequenced;

    fn project(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        mut sequenced: Vec<Sequenced>,
    ) {
        let durable = self.apply_group(written, &mut sequenced);
        for entry in sequenced {
            // The request may have gone away; its entry stays.
            let _ = entry.reply.send(durable);
        }
    }
}
