//! Where a backup is taken from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{LogManifest, Manifest};
use super::{BackupError, disk_error, log_folder, proof_folder};
use crate::disk::{self, Disk};
use crate::engine::read_origin;
use crate::log::{self, LogError, LogKind, Reader};
use crate::proof::{Checkpoint, Note};

/// Something that has both logs and can be read while they grow.
pub trait Source {
    /// What could be taken now, all of it durable.
    ///
    /// # Errors
    ///
    /// [`BackupError`].
    fn manifest(&mut self) -> Result<Manifest, BackupError>;

    /// Bytes of a segment within what the manifest says it has; at most
    /// [`STRETCH_BYTES_MAX`](super::STRETCH_BYTES_MAX).
    ///
    /// # Errors
    ///
    /// [`BackupError`].
    fn stretch(
        &self,
        kind: LogKind,
        segment: u32,
        from: u64,
        to: u64,
    ) -> Result<Vec<u8>, BackupError>;

    /// The directory of a log, for messages.
    fn name(&self, kind: LogKind) -> PathBuf;
}

/// A data directory, whether a server has it open or not.
#[derive(Debug)]
pub struct DirectorySource {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    readers: Option<[Reader; 2]>,
}

impl DirectorySource {
    /// The one at that path.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, root: root.to_owned(), readers: None }
    }

    fn signed(&self, kind: LogKind) -> Result<(Option<String>, Option<String>), BackupError> {
        let folder = proof_folder(&self.root, kind);
        let text = |name: &str| {
            let path = folder.join(name);
            if !self.disk.exists(&path) {
                return Ok(None);
            }
            let bytes = disk::read(&*self.disk, &path).map_err(disk_error(&path))?;
            let damaged = |_| {
                let source = std::io::Error::from(std::io::ErrorKind::InvalidData);
                BackupError::Disk { path: path.clone(), source }
            };
            String::from_utf8(bytes).map(Some).map_err(damaged)
        };
        Ok((text("checkpoint")?, text("vkey")?))
    }

    fn log(
        &self,
        kind: LogKind,
        signed: (Option<String>, Option<String>),
    ) -> Result<(LogManifest, Reader), BackupError> {
        let folder = log_folder(&self.root, kind);
        let found = log::survey(&*self.disk, &folder, kind)?;
        let (checkpoint, key) = signed;
        if let Some(text) = &checkpoint {
            let read = Note::parse(text).and_then(|note| Checkpoint::parse(note.text()));
            let read = read.map_err(|error| BackupError::Checkpoint {
                path: proof_folder(&self.root, kind).join("checkpoint"),
                error,
            })?;
            if read.size > found.position {
                let problem = format!(
                    "the log ends at position {}, but {} were signed for",
                    found.position, read.size
                );
                let last = u32::try_from(found.segments.len()).unwrap_or(1).saturating_sub(1);
                let path = log::segment_path(&folder, last);
                let offset = found.segments.last().copied().unwrap_or_default();
                return Err(LogError::Damaged { path, offset, problem }.into());
            }
        }
        let (position, segments) = (found.position, found.segments);
        Ok((LogManifest { position, segments, checkpoint, key }, found.reader))
    }
}

impl Source for DirectorySource {
    fn manifest(&mut self) -> Result<Manifest, BackupError> {
        let origin = read_origin(&self.root)?;
        // Checkpoints are read before the logs, so that the logs contain what they sign; and events
        // after accesses, so that no entry is about a chart that is missing.
        let (signed_events, signed_access) =
            (self.signed(LogKind::Events)?, self.signed(LogKind::Access)?);
        let (access, access_reader) = self.log(LogKind::Access, signed_access)?;
        let (events, events_reader) = self.log(LogKind::Events, signed_events)?;
        self.readers = Some([events_reader, access_reader]);
        Ok(Manifest::new(origin, events, access))
    }

    fn stretch(
        &self,
        kind: LogKind,
        segment: u32,
        from: u64,
        to: u64,
    ) -> Result<Vec<u8>, BackupError> {
        let readers = self.readers.as_ref().map(|[events, access]| match kind {
            LogKind::Events => events,
            LogKind::Access => access,
        });
        let bytes = readers.map(|reader| reader.stretch(segment, from, to)).transpose()?;
        bytes.flatten().ok_or_else(|| {
            let path = log::segment_path(&self.name(kind), segment);
            let problem = "the segment became shorter".to_owned();
            LogError::Damaged { path, offset: from, problem }.into()
        })
    }

    fn name(&self, kind: LogKind) -> PathBuf {
        log_folder(&self.root, kind)
    }
}
