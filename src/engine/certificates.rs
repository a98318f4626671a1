//! The signed statements about an erasure: notes in the format of C2SP signed-note.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Engine, EngineError};
use crate::chart::{Erasure, Payload};
use crate::clock::Instant;
use crate::disk::{self, Disk};
use crate::log::StreamAlias;
use crate::numbers::Position;
use crate::proof::Signer;
use crate::vault::Vault;
use crate::view::IndexedPlace;

/// Signs statements and keeps them in files: `ALIAS.erasure` and `ALIAS.purge`.
#[derive(Debug)]
pub struct Certificates {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    signer: Signer,
}

impl Certificates {
    /// The statements in a folder, signed under `<origin>/certificates`. The public key is written
    /// beside them.
    ///
    /// # Errors
    ///
    /// The disk's, or the vault's.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        origin: &str,
        vault: &Vault,
    ) -> Result<Self, EngineError> {
        let signer = Signer::from_seed(&format!("{origin}/certificates"), &*vault.signing_seed()?)?;
        disk.create_directory(directory)?;
        let key = directory.join("vkey");
        if !disk.exists(&key) {
            disk::replace(&*disk, &key, format!("{}\n", signer.verifier()).as_bytes())?;
        }
        Ok(Self { disk, directory: directory.to_owned(), signer })
    }

    /// The statement that a chart was erased.
    pub(super) fn erasure(
        &self,
        erasure: &Erasure,
        position: Position,
        recorded_at: Instant,
    ) -> Result<String, EngineError> {
        let Erasure { chart, events, reason, basis, resources, shared, .. } = erasure;
        self.write(
            *chart,
            "erasure",
            &format!(
                "chartlog certificate of erasure/1\n\
                 chart: {chart}\n\
                 erased: {recorded_at}\n\
                 position: {position}\n\
                 events: {events}\n\
                 resources: {resources}\n\
                 reason: {reason}\n\
                 basis: {basis}\n\
                 The data key of this chart is destroyed: its events cannot be read any more, in the log or\n\
                 in any backup of it. Index terms leave the disk with the purge, which is certified apart.\n\
                 {shared} resources that also lay in this chart are at home in other charts and stay there.\n\
                 Access entries, which must be kept by law, name the chart by its alias; the words of the\n\
                 requests that were about it cannot be read any more.\n"
            ),
        )
    }

    /// The statement that no index term of a chart is left.
    pub(super) fn purge(&self, chart: StreamAlias, at: Instant) -> Result<String, EngineError> {
        self.write(
            chart,
            "purge",
            &format!(
                "chartlog certificate of purge/1\n\
                 chart: {chart}\n\
                 purged: {at}\n\
                 All views were built anew from the log without the events of this chart, and the old ones\n\
                 were deleted.\n"
            ),
        )
    }

    fn write(&self, chart: StreamAlias, kind: &str, text: &str) -> Result<String, EngineError> {
        let note = self.signer.sign(text)?.to_string();
        disk::replace(&*self.disk, &self.path(chart, kind), note.as_bytes())?;
        Ok(note)
    }

    fn read(&self, chart: StreamAlias, kind: &str) -> Result<Option<String>, EngineError> {
        let path = self.path(chart, kind);
        if !self.disk.exists(&path) {
            return Ok(None);
        }
        let bytes = disk::read(&*self.disk, &path)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn path(&self, chart: StreamAlias, kind: &str) -> PathBuf {
        self.directory.join(format!("{chart}.{kind}"))
    }
}

impl Engine {
    /// The statements about a chart: of its erasure, and of the purge if that has happened.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotFound`] when no such chart was erased.
    pub fn certificates(
        &self,
        chart: StreamAlias,
    ) -> Result<(String, Option<String>), EngineError> {
        let erasure = self.certificates.read(chart, "erasure")?;
        let erasure = erasure
            .ok_or_else(|| EngineError::NotFound(format!("the erasure of chart {chart}")))?;
        Ok((erasure, self.certificates.read(chart, "purge")?))
    }

    /// Writes the statements that an interruption left unwritten.
    pub(super) fn complete_certificates(&self) -> Result<(), EngineError> {
        let view = self.views.view();
        for erased in view.erased() {
            let (chart, IndexedPlace { position, location, recorded_at }) = erased?;
            if self.certificates.read(chart, "erasure")?.is_none() {
                let payload = self.keys.read(&view, location)?;
                let erasure = Erasure::decode(Payload::decode(&payload).body);
                let unreadable =
                    || EngineError::Unreadable(format!("event {position} does not read back"));
                self.certificates.erasure(
                    &erasure.ok_or_else(unreadable)?,
                    position,
                    recorded_at,
                )?;
            }
        }
        Ok(())
    }
}
