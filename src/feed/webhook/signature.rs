//! Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body.

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// There is no randomness, or a secret does not read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret cannot be made or read: it needs the vault that it was sealed with")]
pub struct NoKey;

/// A secret that both sides have.
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKey")
    }
}

impl SigningKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub fn random() -> Result<Self, NoKey> {
        let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
        rand::fill(&mut secret).map_err(|_| NoKey)?;
        Ok(Self(secret))
    }

    /// One of which these are the bytes.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NoKey> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() == SECRET_BYTES { Ok(Self(bytes)) } else { Err(NoKey) }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the receiver is told it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&*self.0))
    }

    /// The signature of a message: `v1,` and base64.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // Computed with Python's hmac: HMAC-SHA256 of b"msg-1.1700000000.{}" under bytes 0, 1, … 31.
        let key = SigningKey::from_bytes((0..32).collect()).unwrap();
        assert_eq!(
            key.sign("msg-1", 1_700_000_000, b"{}"),
            "v1,zMpxuVkpu2iACBHDKid0S22IolTUiidrM2MkNDSCFi8="
        );
        assert_eq!(key.text(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(SigningKey::from_bytes(vec![1; 8]).unwrap_err(), NoKey);
    }
}
