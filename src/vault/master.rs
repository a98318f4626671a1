//! The master key: what everything in the vault is sealed under. It comes from outside.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::keyfile::{SecretKey, fill_random};
use super::{VaultError, disk_error};
use crate::disk::{self, Disk};
use crate::seal::KEY_BYTES;

/// Where the master key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    /// `file:PATH`: a file with the key in base64; made at the first start if it is missing.
    File(PathBuf),
    /// `env:NAME`: an environment variable with the key in base64.
    Environment(String),
    /// `command:COMMAND`: what this shell command prints is the key in base64.
    Command(String),
}

impl FromStr for MasterKeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("command", line)) if !line.is_empty() => Ok(Self::Command(line.to_owned())),
            _ => Err("write file:PATH, env:NAME or command:COMMAND".to_owned()),
        }
    }
}

/// The master key, 256 bits.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterKey")
    }
}

impl MasterKey {
    /// From its 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key from where it is. A file that does not exist is made if `create` allows it;
    /// the second value says whether it was.
    ///
    /// # Errors
    ///
    /// [`VaultError::Master`], without any of the key in it.
    pub fn load(
        disk: &dyn Disk,
        source: &MasterKeySource,
        variable: impl Fn(&str) -> Option<String>,
        create: bool,
    ) -> Result<(Self, bool), VaultError> {
        let text = match source {
            MasterKeySource::File(path) if !disk.exists(path) => {
                return if create {
                    Ok((Self::create(disk, path)?, true))
                } else {
                    Err(VaultError::Master(format!("there is no file {}", path.display())))
                };
            }
            MasterKeySource::File(path) => disk::read(disk, path).map_err(disk_error(path))?,
            MasterKeySource::Environment(name) => {
                let missing = || VaultError::Master(format!("the variable {name} is not set"));
                variable(name).ok_or_else(missing)?.into_bytes()
            }
            MasterKeySource::Command(line) => output(line)?,
        };
        let text = Zeroizing::new(text);
        let key = Zeroizing::new(STANDARD.decode(text.trim_ascii()).unwrap_or_default());
        let key = key.as_slice().try_into().map_err(|_| {
            VaultError::Master("it must be 32 bytes in base64 (openssl rand -base64 32)".to_owned())
        })?;
        Ok((Self::new(key), false))
    }

    fn create(disk: &dyn Disk, path: &Path) -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill_random(&mut *key)?;
        let mut text = Zeroizing::new(STANDARD.encode(*key).into_bytes());
        text.push(b'\n');
        if let Some(parent) = path.parent() {
            disk.create_directory(parent).map_err(disk_error(parent))?;
        }
        disk::replace(disk, path, &text).map_err(disk_error(path))?;
        Ok(Self(key))
    }

    pub(super) fn key(&self) -> Result<SecretKey, VaultError> {
        SecretKey::new(&self.0)
    }
}

fn output(line: &str) -> Result<Vec<u8>, VaultError> {
    let failed = |what: String| VaultError::Master(format!("the command {what}"));
    let output = Command::new("sh").arg("-c").arg(line).output();
    let output = output.map_err(|error| failed(format!("did not start: {error}")))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(failed(format!("ended with {}", output.status)))
    }
}
