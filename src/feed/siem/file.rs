//! A file that lines are appended to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::message::Message;
use super::source::Place;
use crate::disk::{Disk, DiskFile};
use crate::feed::delivery::{Failed, Outlet};

/// Bytes that are read at a time to find the end of the last line.
const BLOCK_BYTES: u64 = 8_192;

/// Appends lines to a file, and makes each batch durable.
pub struct FileOutlet {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl FileOutlet {
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Opened for each batch: the file may have been moved away, to be kept elsewhere.
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let is_new = !self.disk.exists(&self.path);
        let open = if is_new { Disk::create } else { Disk::open };
        let file = open(&*self.disk, &self.path)?;
        let end = end_of_lines(&*file)?;
        if end < file.length()? {
            // A crash in the middle of a line, which comes again.
            file.set_length(end)?;
        }
        file.write_all_at(lines, end)?;
        file.sync_data()?;
        match self.path.parent() {
            Some(folder) if is_new => self.disk.sync_directory(folder),
            _ => Ok(()),
        }
    }
}

/// The offset behind the last line that is whole.
fn end_of_lines(file: &dyn DiskFile) -> io::Result<u64> {
    let mut end = file.length()?;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES);
        block.resize(usize::try_from(end - start).map_err(io::Error::other)?, 0);
        file.read_exact_at(&mut block, start)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Outlet for FileOutlet {
    type Item = Message;
    type Place = Place;

    async fn deliver(&mut self, messages: &[Message]) -> Result<(), Failed> {
        let lines = messages.iter().flat_map(|message| [message.json.as_str(), "\n"]);
        let lines: String = lines.collect();
        self.append(lines.as_bytes())
            .map_err(|error| Failed::because(&self.path.display().to_string(), &error))
    }

    fn in_doubt(&self) -> Duration {
        Duration::ZERO
    }

    fn check(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failed> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::disk::RealDisk;
    use crate::feed::siem::message::Severity;

    #[test]
    fn a_torn_line_is_cut_and_a_file_that_was_moved_away_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        let mut outlet = FileOutlet::new(RealDisk::handle(), path.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut deliver = |json: &str| {
            let (operation, recorded_at) = (String::new(), Instant::default());
            let severity = Severity::Informational;
            let message = Message { operation, recorded_at, severity, json: json.to_owned() };
            runtime.block_on(outlet.deliver(&[message]))
        };
        let torn = |text: &[u8]| {
            let mut bytes = std::fs::read(&path).unwrap_or_default();
            bytes.extend(text);
            std::fs::write(&path, bytes).unwrap();
        };
        let read = || std::fs::read_to_string(&path).unwrap();
        deliver("{}").unwrap();
        torn(b"{\"a");
        deliver("{\"b\":1}").unwrap();
        // What a machine that lost power may leave: longer than one block.
        torn(&[0; 20_000]);
        deliver("{\"c\":1}").unwrap();
        assert_eq!(read(), "{}\n{\"b\":1}\n{\"c\":1}\n");
        std::fs::rename(&path, folder.path().join("a.1")).unwrap();
        torn(b"{\"never whole");
        deliver("{}").unwrap();
        assert_eq!(read(), "{}\n");
        drop(folder);
        let failed = deliver("{}").unwrap_err().to_string();
        assert!(failed.contains("a.ndjson"), "{failed}");
    }
}
