//! The keys that this server signs with, sealed under the master key: the seed of the one for checkpoints and
//! certificates, and the one for tokens.

use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use super::keyfile::fill_random;
use super::{MasterKey, Vault, VaultError, damaged, disk_error};
use crate::disk::{self, Disk};
use crate::seal::KEY_BYTES;

const LABEL: &[u8] = b"chartlog signing seed v1\0";
const TOKEN_LABEL: &[u8] = b"chartlog token key v1\0";

impl Vault {
    /// The seed of the Ed25519 key (RFC 8032 §5.1.5); made on first use.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn signing_seed(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
        let path = self.signing_path();
        if !self.disk.exists(&path) {
            let mut seed = Zeroizing::new([0; KEY_BYTES]);
            fill_random(&mut *seed)?;
            write(&*self.disk, &self.directory, &self.master, &seed)?;
            return Ok(seed);
        }
        let sealed = disk::read(&*self.disk, &path).map_err(disk_error(&path))?;
        let seed = self.master.key()?.open(LABEL, &sealed);
        let seed = seed.and_then(|seed| seed.as_slice().try_into().ok().map(Zeroizing::new));
        seed.ok_or_else(|| damaged(&path, "it does not open with this master key"))
    }

    /// The private key for tokens (P-256, in PKCS #8); made on first use. It is in no escrow: a server that has lost it makes
    /// another, and tokens of the last minutes are worth nothing.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn token_key(&self) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.directory.join("token.key");
        if self.disk.exists(&path) {
            let sealed = disk::read(&*self.disk, &path).map_err(disk_error(&path))?;
            let key = self.master.key()?.open(TOKEN_LABEL, &sealed);
            return key.ok_or_else(|| damaged(&path, "it does not open with this master key"));
        }
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
        let key = key.map_err(|_| VaultError::Cryptography)?;
        let key = Zeroizing::new(key.as_ref().to_vec());
        let sealed = self.master.key()?.seal(TOKEN_LABEL, &key)?;
        disk::replace(&*self.disk, &path, &sealed).map_err(disk_error(&path))?;
        Ok(key)
    }

    /// Whether there is a seed already.
    pub(super) fn has_signing_seed(&self) -> bool {
        self.disk.exists(&self.signing_path())
    }

    fn signing_path(&self) -> PathBuf {
        path(&self.directory)
    }
}

/// Writes a seed into the folder of a vault.
pub fn write(
    disk: &dyn Disk,
    directory: &Path,
    master: &MasterKey,
    seed: &[u8; KEY_BYTES],
) -> Result<(), VaultError> {
    let path = path(directory);
    let sealed = master.key()?.seal(LABEL, seed)?;
    disk::replace(disk, &path, &sealed).map_err(disk_error(&path))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("signing.key")
}
