//! How the files of the vault protect a key: AES-256-GCM, with a random nonce before the secret and the
//! tag behind it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::VaultError;
use crate::seal::KEY_BYTES;

/// A key that seals secrets; `label` says what they are, and a secret opens only under its label.
pub struct SecretKey(LessSafeKey);

impl SecretKey {
    pub fn new(key: &[u8; KEY_BYTES]) -> Result<Self, VaultError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| VaultError::Cryptography)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    pub fn seal(&self, label: &[u8], secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut out = vec![0; NONCE_LEN];
        fill_random(&mut out)?;
        let nonce = Nonce::try_assume_unique_for_key(&out).map_err(|_| VaultError::Cryptography)?;
        let mut text = Zeroizing::new(secret.to_vec());
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(label), &mut text)
            .map_err(|_| VaultError::Cryptography)?;
        out.extend_from_slice(&text);
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// `None`: another key, another label, or changed bytes.
    pub fn open(&self, label: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(label), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SecretKey")
    }
}

pub fn fill_random(out: &mut [u8]) -> Result<(), VaultError> {
    aws_lc_rs::rand::fill(out).map_err(|_| VaultError::Cryptography)
}
