//! The sequencer and the projector of the access log.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::committer::{OpenGroup, Projector, Sequencer};
use super::health::Health;
use super::keys::Keys;
use super::proofs::LogProof;
use super::sources::Sources;
use crate::access::{self, AccessEntry, Packed};
use crate::log::{AppendedGroup, Frame, FrameKind, LogError, StreamAlias};
use crate::seal::{Dictionary, Quotes, SealError};
use crate::view::{AccessGroup, Views};

/// Bytes that an entry is counted with when a group is filled: what one of a search takes.
const ENTRY_BYTES: usize = 512;

/// One entry to be written.
#[derive(Debug)]
pub struct AccessCommand {
    pub entry: Arc<AccessEntry>,
    pub reply: oneshot::Sender<bool>,
}

/// Takes every entry as it comes, and writes those of a group in one frame; now and then before it another,
/// with sources that later frames quote.
pub struct AccessSequencer {
    keys: Keys,
    health: Arc<Health>,
    entries: Vec<Arc<AccessEntry>>,
    sources: Sources,
}

impl AccessSequencer {
    pub fn new(keys: Keys, health: Arc<Health>) -> Self {
        Self { keys, health, entries: Vec::new(), sources: Sources::default() }
    }

    /// Adds the frame of the entries to a group.
    fn write(&mut self, group: &mut OpenGroup) -> Result<(), SealError> {
        let entries = std::mem::take(&mut self.entries);
        let packed = access::pack(&entries, group.recorded_at);
        self.sources.note(&packed.sources);
        if self.sources.is_list_due() {
            // Both stand in one group, and so in one segment.
            let payload = self.sources.write_list(group.first_position);
            group.add(self.frame(FrameKind::Sources, 0, &payload, None)?);
        }
        let Packed { payload, sources } = packed;
        // A queue holds far fewer.
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let quotes = self.sources.quotes(&payload, &sources);
        let frame = self.frame(FrameKind::Access, count, &payload, quotes.as_ref())?;
        if group.frames.is_empty() && frame.length() as u64 > group.room {
            self.sources.forget_list();
            group.add(self.frame(FrameKind::Access, count, &payload, None)?);
        } else {
            group.add(frame);
        }
        Ok(())
    }

    fn frame(
        &self,
        kind: FrameKind,
        version: u32,
        payload: &[u8],
        quotes: Option<&Quotes>,
    ) -> Result<Frame, SealError> {
        let (alias, dictionary) = (StreamAlias::NONE, Dictionary::of("access"));
        let key = self.keys.access();
        let content = match quotes {
            Some(quotes) => key.seal_quoting(kind, alias, dictionary, payload, quotes)?,
            None => key.seal(kind, alias, dictionary, payload)?,
        };
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
        if let Err(error) = self.write(group) {
            // Without their frame none of them is answered.
            group.frames.clear();
            self.health.fail("access entries could not be sealed", None, &error);
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
        let AppendedGroup { first_position, group, recorded_at, frames, .. } = written;
        let mut group = AccessGroup::new(first_position, group, recorded_at);
        // The last one is that of the entries; before it, there may be one of sources.
        group.skip(frames.len().saturating_sub(1));
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
