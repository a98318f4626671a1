//! What a backup contains, or could contain: the file `BACKUP`, and the answer of a server.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{BackupError, disk_error};
use crate::clock::Instant;
use crate::disk::{self, Disk};
use crate::engine::{self, DirectoryError};
use crate::log::LogKind;

/// The file, in the root of a backup.
const NAME: &str = "BACKUP";
/// Version of the file; a newer one is refused.
const FORMAT: u32 = 1;

/// What a backup contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Version of this file.
    pub format: u32,
    /// Version of the layout of data directories.
    pub data: String,
    /// When it was taken; absent while the first one has not been finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<String>,
    /// The name that the logs are signed under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The log of events.
    pub events: LogManifest,
    /// The log of accesses.
    pub access: LogManifest,
}

/// What a backup contains of one log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogManifest {
    /// Number of events or entries.
    pub position: u64,
    /// Valid bytes of each segment, in order; a file may be longer.
    pub segments: Vec<u64>,
    /// The latest checkpoint, a signed note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The public key that it was signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Manifest {
    /// What could be taken now.
    #[must_use]
    pub fn new(origin: Option<String>, events: LogManifest, access: LogManifest) -> Self {
        let taken_at = Some(Instant::now().to_string());
        Self { format: FORMAT, data: engine::FORMAT.to_owned(), taken_at, origin, events, access }
    }

    /// A backup that is still empty.
    pub(super) fn empty(origin: Option<String>) -> Self {
        let nothing = LogManifest::default;
        Self { taken_at: None, ..Self::new(origin, nothing(), nothing()) }
    }

    /// The part about a log.
    #[must_use]
    pub fn of(&self, kind: LogKind) -> &LogManifest {
        match kind {
            LogKind::Events => &self.events,
            LogKind::Access => &self.access,
        }
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.events.segments.iter().chain(&self.access.segments).sum()
    }

    /// Reads one; `from` is the file or address that it came from.
    ///
    /// # Errors
    ///
    /// [`BackupError::Refused`]: not one, or of a newer format.
    pub fn parse(text: &[u8], from: &str) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let wrong = |error| BackupError::Refused(format!("{from}: {error}"));
        let Version { format } = serde_json::from_slice(text).map_err(wrong)?;
        if format > FORMAT {
            return Err(BackupError::Refused(format!(
                "{from} has backup format {format}; this program reads format {FORMAT}"
            )));
        }
        let manifest: Self = serde_json::from_slice(text).map_err(wrong)?;
        if !engine::is_readable(&manifest.data) {
            let (path, found) = (from.into(), manifest.data);
            return Err(DirectoryError::Newer { path, found }.into());
        }
        Ok(manifest)
    }

    /// Reads that of a backup; `None` if there is none.
    pub(super) fn read(disk: &dyn Disk, root: &Path) -> Result<Option<Self>, BackupError> {
        let path = root.join(NAME);
        if !disk.exists(&path) {
            return Ok(None);
        }
        let text = disk::read(disk, &path).map_err(disk_error(&path))?;
        Self::parse(&text, &path.display().to_string()).map(Some)
    }

    /// Writes it, which makes the backup valid.
    pub(super) fn write(&self, disk: &dyn Disk, root: &Path) -> Result<(), BackupError> {
        let path = root.join(NAME);
        // Strings and numbers only: this serialisation cannot fail.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        disk::replace(disk, &path, &text).map_err(disk_error(&path))
    }
}
