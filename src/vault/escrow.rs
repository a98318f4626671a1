//! Escrow: all keys of a vault as one encrypted file, and a vault made of it.
//!
//! The file is a JWE. Its text is JSON: the epoch keys and the signing seed in base64, and the files
//! with the wrapped data keys as they are, in base64 too. A vault that is made of it is sealed under
//! the master key of its new place.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::epoch;
use super::jwe::{Recipient, RecipientKey, escrow};
use super::wrap::EpochKey;
use super::{MasterKey, Vault, VaultError, disk_error, signing};
use crate::disk::Disk;
use crate::seal::KEY_BYTES;

const FORMAT: &str = "chartlog-escrow/1";
const CONTENT_TYPE: &str = "chartlog-escrow+json";

/// What was exported or imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escrowed {
    /// Numbers of the epochs.
    pub epochs: Vec<u32>,
    /// When it was exported.
    pub exported_at: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EscrowFile {
    format: String,
    exported_at: String,
    epochs: Vec<Epoch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing_seed: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Epoch {
    epoch: u32,
    key: Secret,
    /// The file with the data keys that were wrapped again when the epoch began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wraps: Option<String>,
}

/// Base64 of a key; overwritten when it is dropped.
struct Secret(Zeroizing<String>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Secret {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(STANDARD.encode(key)))
    }

    fn key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
        let bytes = Zeroizing::new(STANDARD.decode(self.0.as_bytes()).unwrap_or_default());
        let key = bytes.as_slice().try_into().map(Zeroizing::new);
        key.map_err(|_| escrow("a key in it is not 32 bytes in base64"))
    }
}

impl Vault {
    /// All keys, encrypted for a recipient. `exported_at` is the time now.
    ///
    /// # Errors
    ///
    /// [`VaultError`]; [`VaultError::Escrow`] if an epoch began or ended in the meantime.
    pub fn export(
        &self,
        recipient: &Recipient,
        exported_at: &str,
    ) -> Result<(String, Escrowed), VaultError> {
        let keys = self.epochs.load();
        let mut epochs = Vec::new();
        for (number, key) in &keys.0 {
            let wraps = epoch::read_wraps_file(&*self.disk, &self.directory, *number)?;
            let wraps = wraps.map(|bytes| STANDARD.encode(bytes));
            epochs.push(Epoch { epoch: *number, key: Secret::new(key.bytes()), wraps });
        }
        let seed = self.has_signing_seed().then(|| self.signing_seed()).transpose()?;
        let numbers: Vec<u32> = keys.0.keys().copied().collect();
        // Keys without the wraps that go with them would be worth nothing.
        let has_wraps = epochs.iter().any(|epoch| epoch.wraps.is_some());
        if epoch::numbers(&*self.disk, &self.directory)? != numbers || !has_wraps {
            return Err(escrow(
                "a chart was erased in the meantime, and keys were replaced: repeat",
            ));
        }
        let contents = EscrowFile {
            format: FORMAT.to_owned(),
            exported_at: exported_at.to_owned(),
            epochs,
            signing_seed: seed.as_deref().map(Secret::new),
        };
        // Large enough from the start: a buffer that grows leaves copies behind.
        let wraps = contents.epochs.iter().filter_map(|epoch| epoch.wraps.as_ref());
        let capacity = wraps.map(String::len).sum::<usize>() + 1024 * (contents.epochs.len() + 1);
        let mut text = Zeroizing::new(Vec::with_capacity(capacity));
        serde_json::to_writer(&mut *text, &contents).map_err(|_| VaultError::Cryptography)?;
        let file = recipient.encrypt(&text, CONTENT_TYPE)?;
        let exported_at = exported_at.to_owned();
        Ok((file, Escrowed { epochs: numbers, exported_at }))
    }
}

/// Makes a vault of exported keys, in a folder that has none.
///
/// # Errors
///
/// [`VaultError::Escrow`]: another private key, a changed file, or there is a vault already; the
/// disk's.
pub fn import(
    disk: &dyn Disk,
    directory: &Path,
    master: &MasterKey,
    file: &str,
    key: &RecipientKey,
) -> Result<Escrowed, VaultError> {
    let text = key.decrypt(file)?;
    let contents: EscrowFile = serde_json::from_slice(&text)
        .map_err(|_| escrow("it opens, but what is in it is not an escrow of this program"))?;
    if contents.format != FORMAT {
        let found = contents.format;
        return Err(escrow(format!("it has the format {found}; this program reads {FORMAT}")));
    }
    refuse_existing(disk, directory)?;
    let mut epochs = Vec::new();
    for one in &contents.epochs {
        if let Some(wraps) = &one.wraps {
            let bytes = STANDARD.decode(wraps).unwrap_or_default();
            epoch::write_wraps_file(disk, directory, one.epoch, &bytes)?;
        }
        epochs.push((one.epoch, EpochKey::from_slice(&*one.key.key()?)));
    }
    if let Some(seed) = &contents.signing_seed {
        signing::write(disk, directory, master, &*seed.key()?)?;
    }
    // The epoch keys are written last: a vault is one when it has them.
    for (number, key) in &epochs {
        let key = key.as_ref().ok_or(VaultError::Cryptography)?;
        epoch::write(disk, directory, *number, key, master)?;
    }
    let epochs = epochs.into_iter().map(|(number, _)| number).collect();
    Ok(Escrowed { epochs, exported_at: contents.exported_at })
}

/// Refuses a folder that contains keys already.
///
/// # Errors
///
/// [`VaultError::Escrow`]; the disk's.
pub fn refuse_existing(disk: &dyn Disk, directory: &Path) -> Result<(), VaultError> {
    disk.create_directory(directory).map_err(disk_error(directory))?;
    if let Some(above) = directory.parent().filter(|above| !above.as_os_str().is_empty()) {
        disk.sync_directory(above).map_err(disk_error(above))?;
    }
    match epoch::numbers(disk, directory)?.as_slice() {
        [] => Ok(()),
        _ => Err(escrow(format!(
            "{} holds the keys of a store; keys are never overwritten",
            directory.display()
        ))),
    }
}
