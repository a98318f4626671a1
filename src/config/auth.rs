//! Whose tokens are accepted.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::address::is_safe_address;
use super::clients::Client;
use super::sign_in::{App, User};

/// The part `[auth]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether tokens are accepted that `chartlog token` signed with the store's own key.
    pub local_issuer: bool,
    /// Whether they are accepted even where other machines can reach the server.
    pub local_issuer_beyond_loopback: bool,
    /// Names of this server: a token is for it when its `aud` holds one of them.
    pub audience: Vec<String>,
    /// Seconds by which clocks may differ when `exp`, `nbf` and `iat` are checked.
    pub leeway_seconds: u64,
    /// Verified tokens kept in memory, so that a signature is not checked for each request.
    pub token_cache_entries: usize,
    /// Seconds after which the keys of issuers are read again.
    pub keys_refresh_seconds: u64,
    /// File with the authorities that certify the issuers that are asked; the public ones without.
    pub ca_file: Option<String>,
    /// The issuers whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// The programs to which this server itself gives tokens.
    pub clients: Vec<Client>,
    /// The users whom everybody on this machine may sign in as.
    pub users: Vec<User>,
    /// The apps for which they do.
    pub apps: Vec<App>,
}

/// Somebody whose tokens are accepted, and the public keys that check them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The exact `iss` of its tokens (RFC 7519, section 4.1.1).
    pub name: String,
    /// Whether it is asked where its keys are (OpenID Connect Discovery 1.0, section 4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub discovery: bool,
    /// Address of its JSON Web Key Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// Where persons are asked for tokens of it (RFC 6749, section 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where its tokens are to be had (RFC 6749, section 3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Whether its tokens are accepted only when they are bound to a certificate (RFC 8705, section 3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_bound: bool,
    /// What it can do, in the words of SMART App Launch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// File with its JSON Web Key Set (RFC 7517, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// How it is asked about tokens that are no JWT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<Introspection>,
    /// Single public keys, in addition to or instead of a key set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<IssuerKey>,
}

/// How an issuer is asked about tokens that say nothing themselves (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// Where it is asked.
    pub url: String,
    /// Who this server is there.
    pub client_id: String,
    /// File with the secret that shows it.
    pub secret_file: PathBuf,
    /// For how many seconds an answer is believed.
    #[serde(default = "cache_seconds")]
    pub cache_seconds: u64,
}

/// Longest time for which an answer about a token may be believed, in seconds.
const CACHE_SECONDS_MAX: u64 = 300;

const fn cache_seconds() -> u64 {
    30
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
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Edwards-curve signatures, here Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Issuer {
    /// What is wrong with it, as it stands by itself.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let has_keys = self.jwks_file.is_some() || !self.keys.is_empty();
        if !has_keys && self.jwks_url.is_none() && !self.discovery && self.introspection.is_none() {
            problems.push("has no keys; give it discovery, jwks_url, jwks_file or keys");
        }
        if self.discovery && self.jwks_url.is_some() {
            problems.push("has both discovery and jwks_url, but its keys are at one address");
        }
        // OpenID Connect Discovery 1.0, section 3: no query, no fragment.
        if self.discovery && (self.name.contains('?') || !is_safe_address(&self.name)) {
            problems.push(
                "is no address that can be asked for its keys; with discovery, the name begins with \
                 https:// (http:// on this machine) and ends with a host or a path",
            );
        }
        if self.jwks_url.as_deref().is_some_and(|address| !is_safe_address(address)) {
            problems.push(
                "has a jwks_url that must not be used; it begins with https:// (http:// on this \
                 machine) and has no password and no fragment",
            );
        }
        let endpoints = [&self.authorization_endpoint, &self.token_endpoint];
        if endpoints.into_iter().flatten().any(|address| !is_safe_address(address)) {
            problems.push(
                "has an endpoint to which nobody should send a secret; it begins with https:// \
                 (http:// on this machine)",
            );
        }
        if let Some(Introspection { url, client_id, cache_seconds, .. }) = &self.introspection {
            if !is_safe_address(url) {
                problems.push(
                    "has an introspection.url to which no token should be sent; it begins with https:// \
                     (http:// on this machine)",
                );
            }
            if client_id.is_empty() || *cache_seconds > CACHE_SECONDS_MAX {
                problems.push(
                    "has an introspection without client_id, or with cache_seconds beyond 300",
                );
            }
        }
        problems.into_iter().map(|what| format!("auth.issuers: {:?} {what}", self.name)).collect()
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            local_issuer: true,
            local_issuer_beyond_loopback: false,
            audience: vec!["chartlog".to_owned()],
            leeway_seconds: 30,
            token_cache_entries: 10_000,
            keys_refresh_seconds: 300,
            ca_file: None,
            issuers: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
            apps: Vec::new(),
        }
    }
}
