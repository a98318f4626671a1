//! Epoch keys, and the files that hold them: `epoch-00000001.key` (JSON) and
//! `epoch-00000001.wraps` (data keys that were wrapped again when the epoch began).
//!
//! The second begins with `CLWRAPS1`, the epoch (u32) and the number of wraps (u64), has for each
//! of them the alias (u64) and the wrap, and ends with the SHA-256 of all before; little-endian.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::wrap::EpochKey;
use super::{MasterKey, Vault, VaultError, Wrap, damaged, disk_error};
use crate::disk::{self, Disk};
use crate::log::{StreamAlias, WRAP_BYTES};

/// Extension of a key that is being destroyed.
const CONDEMNED: &str = "destroyed";
const MAGIC: &[u8; 8] = b"CLWRAPS1";
const RECORD: usize = 8 + WRAP_BYTES;
const DIGEST: usize = 32;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: u8,
    epoch: u32,
    /// Base64 of the key, sealed under the master key.
    key: String,
}

fn key_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("epoch-{number:08}.key"))
}

pub fn wraps_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("epoch-{number:08}.wraps"))
}

fn label(number: u32) -> Vec<u8> {
    [b"chartlog epoch key v1\0".as_slice(), &number.to_le_bytes()].concat()
}

/// The epochs whose keys exist, ascending.
pub fn numbers(disk: &dyn Disk, directory: &Path) -> Result<Vec<u32>, VaultError> {
    let names = disk.list(directory).map_err(disk_error(directory))?;
    let number = |name: &String| name.strip_prefix("epoch-")?.strip_suffix(".key")?.parse().ok();
    let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub fn write(
    disk: &dyn Disk,
    directory: &Path,
    number: u32,
    key: &EpochKey,
    master: &MasterKey,
) -> Result<(), VaultError> {
    let path = key_path(directory, number);
    let sealed = STANDARD.encode(master.key()?.seal(&label(number), key.bytes())?);
    let file = KeyFile { format: 1, epoch: number, key: sealed };
    let text = serde_json::to_vec(&file).map_err(|_| VaultError::Cryptography)?;
    disk::replace(disk, &path, &text).map_err(disk_error(&path))
}

pub fn read(
    disk: &dyn Disk,
    directory: &Path,
    number: u32,
    master: &MasterKey,
) -> Result<EpochKey, VaultError> {
    let path = key_path(directory, number);
    let text = disk::read(disk, &path).map_err(disk_error(&path))?;
    let file: KeyFile =
        serde_json::from_slice(&text).map_err(|_| damaged(&path, "this is not an epoch key"))?;
    if file.format != 1 || file.epoch != number {
        return Err(damaged(&path, "this is the key of another epoch or format"));
    }
    let sealed = STANDARD.decode(&file.key).unwrap_or_default();
    let key = master.key()?.open(&label(number), &sealed);
    key.and_then(|key| EpochKey::from_slice(&key)).ok_or_else(|| {
        damaged(&path, "it does not open with this master key: another key, or a damaged file")
    })
}

/// Whether the wraps of an epoch were written.
pub fn has_wraps(disk: &dyn Disk, directory: &Path, number: u32) -> bool {
    disk.exists(&wraps_path(directory, number))
}

/// The file with the wraps of an epoch as it is; `None` if there is none.
pub fn read_wraps_file(
    disk: &dyn Disk,
    directory: &Path,
    number: u32,
) -> Result<Option<Vec<u8>>, VaultError> {
    let path = wraps_path(directory, number);
    if !disk.exists(&path) {
        return Ok(None);
    }
    disk::read(disk, &path).map(Some).map_err(disk_error(&path))
}

/// Writes a file with wraps unchanged, once its digest is checked.
pub fn write_wraps_file(
    disk: &dyn Disk,
    directory: &Path,
    number: u32,
    bytes: &[u8],
) -> Result<(), VaultError> {
    let path = wraps_path(directory, number);
    parse_wraps(bytes, number)
        .ok_or_else(|| damaged(&path, "the wrapped keys do not match their digest"))?;
    disk::replace(disk, &path, bytes).map_err(disk_error(&path))
}

/// Overwrites and removes the key of an epoch, and its wraps. The key file is renamed first, so
/// that no interruption leaves half of a key under its name.
pub fn destroy(disk: &dyn Disk, directory: &Path, number: u32) -> Result<(), VaultError> {
    let (key, wraps) = (key_path(directory, number), wraps_path(directory, number));
    let condemned = key.with_extension(CONDEMNED);
    disk.rename(&key, &condemned).map_err(disk_error(&key))?;
    disk.sync_directory(directory).map_err(disk_error(directory))?;
    if disk.exists(&wraps) {
        disk.remove(&wraps).map_err(disk_error(&wraps))?;
    }
    destroy_condemned(disk, directory)
}

/// Destroys the keys that were renamed for destruction.
pub fn destroy_condemned(disk: &dyn Disk, directory: &Path) -> Result<(), VaultError> {
    let names = disk.list(directory).map_err(disk_error(directory))?;
    let paths = names.iter().map(|name| directory.join(name));
    let is_condemned = |path: &PathBuf| path.extension().is_some_and(|end| end == CONDEMNED);
    let condemned: Vec<PathBuf> = paths.filter(is_condemned).collect();
    if condemned.is_empty() {
        return Ok(());
    }
    for path in condemned {
        let overwrite = || {
            let file = disk.open(&path)?;
            let length = usize::try_from(file.length()?).unwrap_or_default();
            file.write_all_at(&vec![0; length], 0)?;
            file.sync_data()?;
            disk.remove(&path)
        };
        overwrite().map_err(disk_error(&path))?;
    }
    disk.sync_directory(directory).map_err(disk_error(directory))
}

impl Vault {
    pub(super) fn write_wraps(
        &self,
        number: u32,
        wraps: &[(StreamAlias, Wrap)],
    ) -> Result<(), VaultError> {
        let path = wraps_path(&self.directory, number);
        let mut bytes = Vec::with_capacity(20 + wraps.len() * RECORD + DIGEST);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&(wraps.len() as u64).to_le_bytes());
        for (alias, wrap) in wraps {
            bytes.extend_from_slice(&alias.0.to_le_bytes());
            bytes.extend_from_slice(wrap.bytes());
        }
        let digest = digest::digest(&digest::SHA256, &bytes);
        bytes.extend_from_slice(digest.as_ref());
        disk::replace(&*self.disk, &path, &bytes).map_err(disk_error(&path))
    }

    /// The data keys that were wrapped when the current epoch began; later ones are in the log.
    /// A new epoch has none yet: then those of the epoch before it apply.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    pub fn wraps(&self) -> Result<Vec<(StreamAlias, Wrap)>, VaultError> {
        for number in self.epochs.load().0.keys().rev() {
            let path = wraps_path(&self.directory, *number);
            if self.disk.exists(&path) {
                let bytes = disk::read(&*self.disk, &path).map_err(disk_error(&path))?;
                return parse_wraps(&bytes, *number)
                    .ok_or_else(|| damaged(&path, "the wrapped keys do not match their digest"));
            }
        }
        Err(VaultError::Missing(self.directory.clone()))
    }
}

pub fn parse_wraps(bytes: &[u8], number: u32) -> Option<Vec<(StreamAlias, Wrap)>> {
    let (body, stated) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if digest::digest(&digest::SHA256, body).as_ref() != stated {
        return None;
    }
    let rest = body.strip_prefix(MAGIC)?.strip_prefix(&number.to_le_bytes())?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    let records = rest.as_chunks::<RECORD>();
    if records.0.len() as u64 != u64::from_le_bytes(*count) || !records.1.is_empty() {
        return None;
    }
    let record = |record: &[u8; RECORD]| {
        let (alias, wrap) = record.split_first_chunk::<8>()?;
        let wrap = Wrap::from_bytes(wrap.try_into().ok()?);
        Some((StreamAlias(u64::from_le_bytes(*alias)), wrap))
    };
    records.0.iter().map(record).collect()
}
