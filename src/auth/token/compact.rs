//! Taking a compact token apart (RFC 7515 §7.1): nothing here is trusted yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::TokenError;
use super::algorithm::Algorithm;
use super::claims::Claims;

/// A token in its parts. The claims may be acted upon only once the signature has been verified;
/// until then `iss` merely says whose keys to try.
pub(super) struct CompactToken<'token> {
    /// The header's `alg`: to be compared with what the issuer's keys are for, never obeyed.
    pub(super) algorithm: Algorithm,
    /// The header's `kid`.
    pub(super) key_id: Option<String>,
    /// What the token claims.
    pub(super) claims: Claims,
    /// What was signed: header and payload as they stand in the token.
    pub(super) signed: &'token str,
    /// The signature, in base64url.
    pub(super) signature: &'token str,
}

impl<'token> CompactToken<'token> {
    /// Takes `token`, whose length has been checked, apart.
    ///
    /// # Errors
    ///
    /// When the text is not a signed JWT, or its header asks for something unsupported.
    pub(super) fn parse(token: &'token str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;

        let header: Header = decode_json(header)?;
        header.check_critical()?;
        header.check_type()?;
        Ok(Self {
            algorithm: Algorithm::from_name(&header.alg).ok_or(TokenError::UnsupportedAlgorithm)?,
            key_id: header.kid,
            claims: decode_json(payload)?,
            signed,
            signature,
        })
    }
}

/// The members of a JOSE header that matter here. Keys that a token brings along (`jwk`, `jku`,
/// `x5c`, `x5u`) are deliberately absent: they are never used (RFC 8725 §3.10).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl Header {
    /// No extension is understood, so none may be critical (RFC 7515 §4.1.11).
    fn check_critical(&self) -> Result<(), TokenError> {
        match self.crit {
            None => Ok(()),
            Some(_) => Err(TokenError::UnsupportedHeader("crit")),
        }
    }

    /// A token made for another purpose says so in its type (RFC 8725 §3.11, RFC 9068 §2.1).
    fn check_type(&self) -> Result<(), TokenError> {
        const ACCEPTED: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];
        match self.typ.as_deref() {
            None => Ok(()),
            Some(typ) if ACCEPTED.iter().any(|name| typ.eq_ignore_ascii_case(name)) => Ok(()),
            Some(_) => Err(TokenError::UnsupportedHeader("typ")),
        }
    }
}

/// A JSON object in base64url without padding. A member that occurs twice is refused, as RFC 7519
/// §4 allows, rather than leaving it to chance which one counts.
fn decode_json<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}
