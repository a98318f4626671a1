//! Writing a segment of a backup, or of a restored log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BackupError, disk_error};
use crate::disk::{Disk, DiskFile};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A segment that grows.
#[derive(Debug)]
pub struct SegmentWriter {
    file: Arc<dyn DiskFile>,
    /// Its name while it is written, and its final name.
    paths: (PathBuf, PathBuf),
    offset: u64,
    buffer: Vec<u8>,
}

impl SegmentWriter {
    /// A new one, written aside; files that had either name are removed.
    pub fn create(disk: &dyn Disk, path: &Path) -> Result<Self, BackupError> {
        let aside = path.with_extension("seg-new");
        let file = disk.create(&aside).map_err(disk_error(&aside))?;
        Ok(Self { file, paths: (aside, path.to_owned()), offset: 0, buffer: Vec::new() })
    }

    /// One that goes on behind its first bytes; bytes behind them are cut off.
    pub fn extend(disk: &dyn Disk, path: &Path, length: u64) -> Result<Self, BackupError> {
        let file = disk.open(path).map_err(disk_error(path))?;
        file.set_length(length).map_err(disk_error(path))?;
        let paths = (path.to_owned(), path.to_owned());
        Ok(Self { file, paths, offset: length, buffer: Vec::new() })
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes it durable under its name.
    pub fn finish(mut self, disk: &dyn Disk) -> Result<(), BackupError> {
        self.flush()?;
        let (aside, path) = &self.paths;
        self.file.sync_data().map_err(disk_error(aside))?;
        if aside != path {
            disk.rename(aside, path).map_err(disk_error(path))?;
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        disk.sync_directory(folder).map_err(disk_error(folder))
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        let bytes = std::mem::take(&mut self.buffer);
        self.file.write_all_at(&bytes, self.offset).map_err(disk_error(&self.paths.0))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
