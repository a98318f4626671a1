//! Tokens that only their holder can use: bound to a certificate of the client (RFC 8705 §3).
//!
//! Who issues such a token writes into it, as `cnf`, what its holder has to show besides (RFC 7800 §3.1). A
//! token that is bound to something else than a certificate, or in a way that is not understood, is refused: taken
//! for a bearer token, it would open to a thief what it was meant to keep closed.

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::TokenError;

/// The confirmation method of RFC 8705 §3.1.
const BY_CERTIFICATE: &str = "x5t#S256";

/// SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint([u8; SHA256_OUTPUT_LEN]);

impl Thumbprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let mut thumbprint = [0; SHA256_OUTPUT_LEN];
        thumbprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(thumbprint)
    }

    /// What the claim `cnf` binds a token to; `None`: there is no such claim.
    pub(super) fn bound(claim: Option<&Value>) -> Result<Option<Self>, TokenError> {
        let Some(claim) = claim else { return Ok(None) };
        let members = claim.as_object().ok_or(TokenError::InvalidClaim("cnf"))?;
        let Some(thumbprint) = members.get(BY_CERTIFICATE).filter(|_| members.len() == 1) else {
            return Err(TokenError::UnsupportedBinding);
        };
        let decoded = thumbprint.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let thumbprint = decoded.and_then(|bytes| bytes.try_into().ok());
        thumbprint.map(|bytes| Some(Self(bytes))).ok_or(TokenError::InvalidClaim("cnf"))
    }
}
