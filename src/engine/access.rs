//! The sequencer and the projector of the access log.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::EngineError;
use super::committer::{OpenGroup, Projector, Sequencer};
use super::health::Health;
use super::keys::Keys;
use super::proofs::LogProof;
use crate::access::{self, AccessEntry};
use crate::log::{AppendedGroup, Frame, FrameKind, LogError, StreamAlias};
use crate::seal::Dictionary;
use crate::view::{AccessGroup, Views};

/// Bytes that an entry is counted with when a group is filled: what one of a search takes.
const ENTRY_BYTES: usize = 512;

/// One entry to be written.
#[derive(Debug)]
pub struct AccessCommand {
    pub entry: Arc<AccessEntry>,
    pub reply: oneshot::Sender<bool>,
}

/// Takes every entry as it comes, and writes those of a group in one frame.
pub struct AccessSequencer {
    keys: Keys,
    health: Arc<Health>,
    entries: Vec<Arc<AccessEntry>>,
}

impl AccessSequencer {
    pub fn new(keys: Keys, health: Arc<Health>) -> Self {
        Self { keys, health, entries: Vec::new() }
    }

    fn frame(&self, entries: &[Arc<AccessEntry>], recorded_at: i64) -> Result<Frame, EngineError> {
        let payload = access::pack(entries, recorded_at);
        let (kind, alias) = (FrameKind::Access, StreamAlias::NONE);
        let dictionary = Dictionary::of("access");
        let content = self.keys.access().seal(kind, alias, dictionary, &payload)?;
        // A queue holds far fewer.
        let version = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        Ok(Frame { kind, last_of_commit: true, alias, version, content })
    }
}

impl Sequencer for AccessSequencer {
    type Command = AccessCommand;
    type Sequenced = AccessCommand;

    fn sequence(&mut self, command: AccessCommand, group: &mut OpenGroup) -> AccessCommand {
        group.expect(ENTRY_BYTES);
        self.entries.push(Arc::clone(&command.entry));
        command
    }

    fn end_group(&mut self, group: &mut OpenGroup) {
        let entries = std::mem::take(&mut self.entries);
        match self.frame(&entries, group.recorded_at) {
            Ok(frame) => group.add(frame),
            // Without its frame none of them is answered.
            Err(error) => {
                self.health.fail("access entries could not be sealed", None, &error);
            }
        }
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
        sequenced: &[AccessCommand],
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
        let AppendedGroup { first_position, group, recorded_at, .. } = written;
        let mut group = AccessGroup::new(first_position, group, recorded_at);
        group.add(sequenced.iter().map(|command| &*command.entry));
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
    type Sequenced = AccessCommand;

    fn project(
        &mut self,
        written: Result<Option<AppendedGroup>, LogError>,
        sequenced: Vec<AccessCommand>,
    ) {
        let durable = self.apply_group(written, &sequenced);
        for command in sequenced {
            // The request may have gone away; its entry stays.
            let _ = command.reply.send(durable);
        }
    }
}
