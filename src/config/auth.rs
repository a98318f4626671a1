//! Whose tokens are accepted.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The part `[auth]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether tokens are accepted that `chartlog token` signed with the store's own key.
    pub local_issuer: bool,
    /// Whether they are accepted even where other machines can reach the server.
    pub local_issuer_beyond_loopback: bool,
    /// Names of this server: a token is for it when its `aud` holds one of them.
    pub audience: Vec<String>,
    /// Seconds by which clocks may differ when `exp` and `nbf` are checked.
    pub leeway_seconds: u64,
    /// Verified tokens kept in memory, so that a signature is not checked for each request.
    pub token_cache_entries: usize,
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<Issuer>,
}

/// Somebody whose tokens are accepted, and the public keys that check them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The exact `iss` of its tokens (RFC 7519, section 4.1.1).
    pub name: String,
    /// File with its JSON Web Key Set (RFC 7517, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Single public keys, in addition to or instead of a key set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<IssuerKey>,
}

/// One public key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerKey {
    /// The only signature algorithm this key is used for.
    pub algorithm: Algorithm,
    /// The `kid` of the tokens it signed; without it, the key is tried on tokens without `kid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// File with the public key, as PEM.
    pub pem_file: PathBuf,
}

/// A signature algorithm for tokens of configured issuers (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Edwards-curve signatures, here Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            local_issuer: true,
            local_issuer_beyond_loopback: false,
            audience: vec!["chartlog".to_owned()],
            leeway_seconds: 30,
            token_cache_entries: 10_000,
            issuers: Vec::new(),
        }
    }
}
