//! Issuing checkpoints of one log, so that none contradicts another.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;

use super::{Checkpoint, ProofError, SignedCheckpoint, Signer, TileReader, disk_error};
use crate::disk::{self, Disk};

/// Signs the checkpoints of one log and keeps the latest in a file.
///
/// **Invariant:** a checkpoint is durable here before anybody else sees it, and every later one
/// continues it; "a log must not sign any checkpoint which is inconsistent with any checkpoint it
/// previously signed" (C2SP tlog-checkpoint).
#[derive(Debug)]
pub struct Issuer {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    signer: Signer,
    log: TileReader,
    latest: ArcSwapOption<SignedCheckpoint>,
    /// Held while the file is replaced; readers never take it.
    writing: Mutex<()>,
}

impl Issuer {
    /// Takes up where the checkpoint in the file left off, once the tree holds all leaves of the
    /// log.
    ///
    /// # Errors
    ///
    /// [`ProofError::Broken`]: the log is no longer the one that was signed, which is what
    /// checkpoints are there to find. Otherwise the disk's, or that the file is not a checkpoint
    /// signed with this key.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        signer: Signer,
        log: TileReader,
    ) -> Result<Self, ProofError> {
        let latest = if disk.exists(path) {
            let bytes = disk::read(&*disk, path).map_err(disk_error(path))?;
            let text = String::from_utf8(bytes).map_err(|_| ProofError::Note("it is not UTF-8"))?;
            let latest = Checkpoint::open(&text, signer.verifier())?;
            continues(&log, latest.checkpoint())?;
            Some(Arc::new(latest))
        } else {
            None
        };
        let latest = ArcSwapOption::new(latest);
        Ok(Self { disk, path: path.to_owned(), signer, log, latest, writing: Mutex::new(()) })
    }

    /// The latest checkpoint.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<SignedCheckpoint>> {
        self.latest.load_full()
    }

    /// The key that signs.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Signs what the tree holds now, and returns when that is on disk. If nothing was added since
    /// the latest checkpoint, that one is returned.
    ///
    /// # Errors
    ///
    /// [`ProofError::Broken`], or the disk's.
    pub fn issue(&self) -> Result<Arc<SignedCheckpoint>, ProofError> {
        self.issue_at(self.log.size())
    }

    /// Signs the first `size` leaves of the tree, and returns when that is on disk. If the latest
    /// checkpoint covers as many leaves already, that one is returned.
    ///
    /// # Errors
    ///
    /// As [`Issuer::issue`]; [`ProofError::BeyondSize`].
    pub fn issue_at(&self, size: u64) -> Result<Arc<SignedCheckpoint>, ProofError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = self.latest() {
            if latest.checkpoint().size >= size {
                return Ok(latest);
            }
            continues(&self.log, latest.checkpoint())?;
        }
        self.store(Checkpoint::sign(&self.signer, size, self.log.root(size)?)?)
    }

    /// Keeps the cosignatures of the latest checkpoint. False if there is a later
    /// one by now.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn cosigned(&self, copy: &SignedCheckpoint) -> Result<bool, ProofError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut latest) = self.latest().map(Arc::unwrap_or_clone) else { return Ok(false) };
        let same = latest.take_over(copy);
        if same {
            self.store(latest)?;
        }
        Ok(same)
    }

    fn store(&self, signed: SignedCheckpoint) -> Result<Arc<SignedCheckpoint>, ProofError> {
        let text = signed.note().to_string();
        disk::replace(&*self.disk, &self.path, text.as_bytes()).map_err(disk_error(&self.path))?;
        let signed = Arc::new(signed);
        self.latest.store(Some(signed.clone()));
        Ok(signed)
    }
}

/// Checks that a log still agrees with a checkpoint of it.
fn continues(log: &TileReader, earlier: &Checkpoint) -> Result<(), ProofError> {
    let size = earlier.size;
    let broken = |problem: String| Err(ProofError::Broken { size, problem });
    if log.size() < size {
        return broken(format!("it holds only {} entries now", log.size()));
    }
    let root = log.root(size)?;
    if root != earlier.root {
        return broken(format!("the root over these entries was {}, and is {root}", earlier.root));
    }
    Ok(())
}
