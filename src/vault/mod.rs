//! The vault: the keys without which the log cannot be read.
//!
//! Every chart has a data key, and so have the directory and the access log. A data key is wrapped
//! by the *epoch key*, and the wrap travels in the log with the chart's first event. The epoch key
//! is a file here, itself wrapped by the master key, which comes from outside.
//!
//! ```text
//!  master key ──► epoch-00000002.key ──► wrap of a chart (in the log) ──► data key ──► events
//!  (file, environment,   (this folder)        or in epoch-00000002.wraps
//!   or a command)
//! ```
//!
//! Erasing a chart begins a new epoch: all other data keys are wrapped again under its key, and the
//! old epoch key is destroyed. Whatever wrap of the erased chart exists anywhere, in the log, in
//! views or in backups, cannot be opened any more.
//!
//! **Invariant:** backups never contain this folder; keys are never printed, and are overwritten in
//! memory when they are dropped. Never: which patient, which event; who may.

mod catalogue;
mod epoch;
mod escrow;
mod jwe;
mod keyfile;
mod master;
mod signing;
#[cfg(test)]
mod tests;
mod wrap;

pub use catalogue::Catalogue;
pub use escrow::{Escrowed, import, refuse_existing};
pub use jwe::{Recipient, RecipientKey};
pub use master::{MasterKey, MasterKeySource};
pub use wrap::Wrap;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use crate::disk::Disk;
use crate::log::StreamAlias;
use crate::seal::{KEY_BYTES, SealingKey};
use wrap::EpochKey;

/// Most opened keys in the cache.
const KEYS_CACHED: usize = 16_384;

/// What can go wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk's.
    #[error("{path}: {source}", path = .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of the vault does not read back, or not with this master key.
    #[error("{path}: {problem}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is a log, but the keys to it are missing.
    #[error("{path} holds no epoch key, but the log has events: restore it (chartlog vault import)", path = .0.display())]
    Missing(PathBuf),
    /// The key that would open this was destroyed.
    #[error("the key was destroyed with epoch {0}")]
    Destroyed(u32),
    /// A wrapped key does not open.
    #[error("the wrapped key of a chart was changed")]
    Wrap,
    /// The master key could not be loaded.
    #[error("the master key: {0}")]
    Master(String),
    /// Keys that are kept elsewhere, or the key for them.
    #[error("{0}")]
    Escrow(String),
    /// The operating system has no randomness, or the cryptographic library refused.
    #[error("the cryptographic library refused")]
    Cryptography,
}

/// The keys of a data directory.
#[derive(Debug)]
pub struct Vault {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    master: MasterKey,
    epochs: ArcSwap<Epochs>,
    opened: quick_cache::sync::Cache<StreamAlias, Arc<SealingKey>>,
    seals: bool,
}

/// The epoch keys that still exist: one, or two while an epoch begins.
#[derive(Debug, Clone, Default)]
struct Epochs(BTreeMap<u32, Arc<EpochKey>>);

impl Epochs {
    fn current(&self) -> Result<(u32, &Arc<EpochKey>), VaultError> {
        let last = self.0.last_key_value();
        last.map(|(number, key)| (*number, key)).ok_or(VaultError::Cryptography)
    }
}

impl Vault {
    /// Opens the vault in a folder; `create`s it if there is nothing in it.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        master: MasterKey,
        create: bool,
        seals: bool,
    ) -> Result<Self, VaultError> {
        disk.create_directory(directory).map_err(disk_error(directory))?;
        if let Some(above) = directory.parent().filter(|above| !above.as_os_str().is_empty()) {
            // Nothing may be sealed before the name of the folder with its key is durable.
            disk.sync_directory(above).map_err(disk_error(above))?;
        }
        let vault = Self {
            disk,
            directory: directory.to_owned(),
            master,
            epochs: ArcSwap::default(),
            opened: quick_cache::sync::Cache::new(KEYS_CACHED),
            seals,
        };
        let mut epochs = Epochs::default();
        for number in epoch::numbers(&*vault.disk, directory)? {
            epochs.0.insert(number, Arc::new(vault.read_epoch(number)?));
        }
        if epochs.0.is_empty() {
            if !create {
                return Err(VaultError::Missing(directory.to_owned()));
            }
            vault.begin(1)?;
        } else {
            vault.epochs.store(Arc::new(epochs));
        }
        let current = vault.epoch()?;
        // The first start may have ended between the key of the epoch and its wraps.
        if create && !epoch::has_wraps(&*vault.disk, directory, current) {
            let system = [StreamAlias::NONE, StreamAlias::ACCESS];
            let wraps: Result<Vec<_>, VaultError> = system
                .into_iter()
                .map(|alias| Ok((alias, vault.create_key(alias, "")?.1)))
                .collect();
            vault.write_wraps(current, &wraps?)?;
        }
        Ok(vault)
    }

    /// The epoch whose key wraps new data keys.
    ///
    /// # Errors
    ///
    /// Never, once the vault is open.
    pub fn epoch(&self) -> Result<u32, VaultError> {
        Ok(self.epochs.load().current()?.0)
    }

    /// Whether an older epoch key still has to be destroyed.
    #[must_use]
    pub fn is_between_epochs(&self) -> bool {
        self.epochs.load().0.len() > 1
    }

    /// A new data key for a chart, and its wrap.
    ///
    /// # Errors
    ///
    /// [`VaultError::Cryptography`].
    pub fn create_key(
        &self,
        alias: StreamAlias,
        owner: &str,
    ) -> Result<(Arc<SealingKey>, Wrap), VaultError> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        keyfile::fill_random(&mut *data_key)?;
        let wrap = self.wrap(alias, &data_key, owner)?;
        Ok((self.sealing_key(&data_key, owner)?, wrap))
    }

    /// The keys of a chart, from its wrap.
    ///
    /// # Errors
    ///
    /// [`VaultError::Destroyed`], [`VaultError::Wrap`].
    pub fn key(&self, alias: StreamAlias, wrap: &Wrap) -> Result<Arc<SealingKey>, VaultError> {
        let (data_key, owner) = self.unwrap(alias, wrap)?;
        let key = self.sealing_key(&data_key, &owner)?;
        self.opened.insert(alias, Arc::clone(&key));
        Ok(key)
    }

    /// The keys of a chart, if they were opened before.
    #[must_use]
    pub fn opened_key(&self, alias: StreamAlias) -> Option<Arc<SealingKey>> {
        self.opened.get(&alias)
    }

    /// Begins a new epoch: from now on new data keys are wrapped by its key. Returns its number.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn begin_epoch(&self) -> Result<u32, VaultError> {
        let number = self.epoch()? + 1;
        self.begin(number)?;
        Ok(number)
    }

    /// Wraps the data keys of all `survivors` under the key of the current epoch, and makes that
    /// durable. Returns the new wraps.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn rewrap(
        &self,
        survivors: impl IntoIterator<Item = (StreamAlias, Wrap)>,
    ) -> Result<Vec<(StreamAlias, Wrap)>, VaultError> {
        let current = self.epoch()?;
        let mut wraps = Vec::new();
        for (alias, wrap) in survivors {
            if wrap.epoch() == current {
                wraps.push((alias, wrap));
            } else {
                let (data_key, owner) = self.unwrap(alias, &wrap)?;
                wraps.push((alias, self.wrap(alias, &data_key, &owner)?));
            }
        }
        self.write_wraps(current, &wraps)?;
        Ok(wraps)
    }

    /// Destroys the keys of all epochs but the current one. What was not wrapped again cannot be
    /// read any more.
    ///
    /// # Errors
    ///
    /// [`VaultError`]; then both epochs still exist.
    pub fn destroy_older_epochs(&self) -> Result<(), VaultError> {
        let current = self.epoch()?;
        for number in epoch::numbers(&*self.disk, &self.directory)? {
            if number < current {
                epoch::destroy(&*self.disk, &self.directory, number)?;
            }
        }
        self.destroy_condemned()?;
        let mut epochs = Epochs::clone(&self.epochs.load());
        epochs.0.retain(|number, _| *number == current);
        self.epochs.store(Arc::new(epochs));
        self.opened.clear();
        Ok(())
    }

    /// Destroys what an interruption left of keys that were being destroyed.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn destroy_condemned(&self) -> Result<(), VaultError> {
        epoch::destroy_condemned(&*self.disk, &self.directory)
    }

    fn begin(&self, number: u32) -> Result<(), VaultError> {
        let key = EpochKey::random()?;
        epoch::write(&*self.disk, &self.directory, number, &key, &self.master)?;
        let mut epochs = Epochs::clone(&self.epochs.load());
        epochs.0.insert(number, Arc::new(key));
        self.epochs.store(Arc::new(epochs));
        Ok(())
    }

    fn read_epoch(&self, number: u32) -> Result<EpochKey, VaultError> {
        epoch::read(&*self.disk, &self.directory, number, &self.master)
    }

    fn wrap(
        &self,
        alias: StreamAlias,
        data_key: &[u8; KEY_BYTES],
        owner: &str,
    ) -> Result<Wrap, VaultError> {
        let epochs = self.epochs.load();
        let (number, key) = epochs.current()?;
        key.wrap(number, alias, data_key, owner)
    }

    fn unwrap(
        &self,
        alias: StreamAlias,
        wrap: &Wrap,
    ) -> Result<(Zeroizing<[u8; KEY_BYTES]>, String), VaultError> {
        let epochs = self.epochs.load();
        let key = epochs.0.get(&wrap.epoch()).ok_or(VaultError::Destroyed(wrap.epoch()))?;
        key.unwrap(alias, wrap)
    }

    fn sealing_key(
        &self,
        data_key: &[u8; KEY_BYTES],
        owner: &str,
    ) -> Result<Arc<SealingKey>, VaultError> {
        let key = SealingKey::new(data_key, owner).map_err(|_| VaultError::Cryptography)?;
        Ok(Arc::new(if self.seals { key } else { key.in_the_clear() }))
    }
}

fn disk_error(path: &Path) -> impl FnOnce(io::Error) -> VaultError + use<> {
    let path = path.to_owned();
    move |source| VaultError::Disk { path, source }
}

fn damaged(path: &Path, problem: impl Into<String>) -> VaultError {
    VaultError::Damaged { path: path.to_owned(), problem: problem.into() }
}
