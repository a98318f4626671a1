//! Wrapped data keys, and the epoch keys that wrap them.

use super::VaultError;
use super::keyfile::{SecretKey, fill_random};
use crate::log::{StreamAlias, WRAP_BYTES};
use crate::seal::KEY_BYTES;
use zeroize::Zeroizing;

/// Longest owner: a FHIR id (R4 §2.24.0.1).
const OWNER_BYTES: usize = 64;
const SECRET_BYTES: usize = KEY_BYTES + 1 + OWNER_BYTES;
const LABEL: &[u8] = b"chartlog data key v1\0";

/// A data key and the id of its patient, sealed under an epoch key: epoch u32 (little-endian),
/// nonce, key, length of the id u8, id padded with zeros, tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrap(Box<[u8; WRAP_BYTES]>);

impl Wrap {
    /// From its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; WRAP_BYTES]) -> Self {
        Self(Box::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; WRAP_BYTES] {
        &self.0
    }

    /// The epoch whose key opens it.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.0.first_chunk().copied().map_or(0, u32::from_le_bytes)
    }
}

impl std::fmt::Debug for Wrap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Wrap(epoch {})", self.epoch())
    }
}

/// The key under which data keys are wrapped during an epoch.
pub struct EpochKey(Zeroizing<[u8; KEY_BYTES]>);

impl EpochKey {
    pub fn random() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        fill_random(&mut *key)?;
        Ok(Self(key))
    }

    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub fn wrap(
        &self,
        epoch: u32,
        alias: StreamAlias,
        data_key: &[u8; KEY_BYTES],
        owner: &str,
    ) -> Result<Wrap, VaultError> {
        let length = u8::try_from(owner.len()).map_err(|_| VaultError::Wrap)?;
        let mut secret = Zeroizing::new(Vec::with_capacity(SECRET_BYTES));
        secret.extend_from_slice(data_key);
        secret.push(length);
        secret.extend_from_slice(owner.as_bytes());
        if secret.len() > SECRET_BYTES {
            return Err(VaultError::Wrap);
        }
        secret.resize(SECRET_BYTES, 0);
        let mut bytes = epoch.to_le_bytes().to_vec();
        bytes.extend(SecretKey::new(self.bytes())?.seal(&label(alias), &secret)?);
        let bytes = bytes.try_into().map_err(|_| VaultError::Wrap)?;
        Ok(Wrap::from_bytes(bytes))
    }

    pub fn unwrap(
        &self,
        alias: StreamAlias,
        wrap: &Wrap,
    ) -> Result<(Zeroizing<[u8; KEY_BYTES]>, String), VaultError> {
        let open = || {
            let sealed = wrap.bytes().get(4..)?;
            let secret = SecretKey::new(self.bytes()).ok()?.open(&label(alias), sealed)?;
            let (data_key, rest) = secret.split_first_chunk::<KEY_BYTES>()?;
            let (length, rest) = rest.split_first()?;
            let owner = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
            Some((Zeroizing::new(*data_key), owner.to_owned()))
        };
        open().ok_or(VaultError::Wrap)
    }
}

impl std::fmt::Debug for EpochKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EpochKey")
    }
}

fn label(alias: StreamAlias) -> Vec<u8> {
    [LABEL, &alias.0.to_le_bytes()].concat()
}
