//! Taking a compact token apart (RFC 7515 §7.1): nothing here is trusted yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::TokenError;
use super::algorithm::Algorithm;
use super::claims::Claims;
use crate::json::Document;

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
        header.check()?;
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
    #[serde(default, deserialize_with = "text")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "text")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    cty: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
    #[serde(default, deserialize_with = "present")]
    enc: bool,
}

impl Header {
    /// Whether the token is to be understood as it stands, and as a token. Members that change what
    /// is signed or what the payload is are refused with any value: an implementation that heeded
    /// them would see another token.
    fn check(&self) -> Result<(), TokenError> {
        let changes = [
            // No extension is understood, so none may be critical (RFC 7515 §4.1.11).
            ("crit", self.crit),
            // The payload might be signed as it is, without base64url (RFC 7797).
            ("b64", self.b64),
            // The payload might be another token (RFC 7519 §5.2).
            ("cty", self.cty),
            // The payload might be compressed or encrypted (RFC 7516 §4.1).
            ("zip", self.zip),
            ("enc", self.enc),
        ];
        match changes.into_iter().find(|(_, is_present)| *is_present) {
            Some((name, _)) => Err(TokenError::UnsupportedHeader(name)),
            None => self.check_type(),
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

/// That a member is there, whatever its value: `null` too.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// The text of a member that is there; `null` is none.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    String::deserialize(value).map(Some)
}

/// A JSON object in base64url without padding. A member that occurs twice, at whatever depth, is
/// refused, as RFC 7519 §4 allows, rather than leaving it to chance which one counts.
fn decode_json<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    let json = Document::parse(json).map_err(|_| TokenError::Malformed)?;
    // Members in the order of their declaration would do too, without their names.
    if !json.root().is_object() {
        return Err(TokenError::Malformed);
    }
    serde_json::from_str(json.text()).map_err(|_| TokenError::Malformed)
}
