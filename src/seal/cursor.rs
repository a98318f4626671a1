//! Cursors: what a server gives out between two pages, and only it can read and make.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;

use super::SealError;

/// Seals cursors under a random nonce (AES-256-GCM).
pub struct CursorKey(LessSafeKey);

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CursorKey")
    }
}

impl CursorKey {
    pub(super) fn new(key: &[u8]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::Key)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals the content of a cursor, for requests of this kind only.
    ///
    /// # Errors
    ///
    /// [`SealError::Key`]: the cryptographic library refused.
    pub fn seal(&self, request: &[u8], cursor: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealError::Key)?;
        let mut sealed = cursor.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(request),
                &mut sealed,
            )
            .map_err(|_| SealError::Key)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The content of a cursor; `None` if this server did not make it for such a request.
    #[must_use]
    pub fn open(&self, request: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut cursor = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(request), &mut cursor).ok()?.len();
        cursor.truncate(length);
        Some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use crate::seal::{KEY_BYTES, SealingKey};

    #[test]
    fn a_cursor_opens_only_unchanged_and_for_its_request() {
        let key = |byte| SealingKey::new(&[byte; KEY_BYTES], "").unwrap().cursor_key().unwrap();
        let sealed = key(1).seal(b"Patient", b"page 2").unwrap();
        assert_eq!(key(1).open(b"Patient", &sealed).as_deref(), Some(b"page 2".as_slice()));
        assert_eq!(key(1).open(b"Observation", &sealed), None);
        assert_eq!(key(2).open(b"Patient", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key(1).open(b"Patient", &changed), None, "byte {at}");
            assert_eq!(key(1).open(b"Patient", &sealed[..at]), None, "{at} bytes");
        }
    }
}
