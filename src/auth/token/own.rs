//! Tokens that this server signs with a key of its own, which others can verify too.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Issuer, SigningError, TOKEN_LENGTH_MAX, VerificationKey};

/// Bytes of a random `jti`.
const ID_BYTES: usize = 16;

/// Signs tokens with a private key of this server (ES256).
///
/// The key is never printed, and is overwritten in memory when dropped.
pub struct OwnIssuer {
    name: String,
    key: EncodingKey,
    key_id: String,
    public: Value,
    verification_key: VerificationKey,
}

/// What an access token says (RFC 9068 §2.2).
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct AccessToken<'a> {
    /// Whom it speaks for.
    #[serde(rename = "sub")]
    pub subject: &'a str,
    /// The program that it is given to.
    #[serde(rename = "client_id")]
    pub client: &'a str,
    /// The server that it is for.
    #[serde(rename = "aud")]
    pub audience: &'a str,
    /// What it grants.
    pub scope: &'a str,
    /// What people call its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// The purpose of use.
    #[serde(rename = "purpose_of_use", skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'a str>,
    /// The role of its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// The resource that stands for its subject.
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<&'a str>,
    /// The patient whose chart scopes of the level `patient/` reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<&'a str>,
}

/// What an ID token says (OpenID Connect Core 1.0 §2).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IdToken<'a> {
    /// Who has signed in.
    #[serde(rename = "sub")]
    pub subject: &'a str,
    /// The app that it is for. No server takes it for more.
    #[serde(rename = "aud")]
    pub client: &'a str,
    /// What the app sent to know it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// What people call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Address of the resource that stands for them (SMART App Launch 2.2, "fhirUser").
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub fhir_user: Option<&'a str>,
}

/// What is the same in all of them.
#[derive(Serialize)]
struct Signed<'a, T> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(flatten)]
    token: T,
}

impl OwnIssuer {
    /// An issuer of that name with a private key (P-256, in PKCS #8).
    ///
    /// # Errors
    ///
    /// It is no such key.
    pub fn new(name: &str, key: &[u8]) -> Result<Self, SigningError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key);
        let pair = pair.map_err(|_| SigningError::Refused)?;
        // An uncompressed point (SEC 1 §2.3.3): a mark, and two coordinates.
        let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(point.len() / 2).unwrap_or_default();
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638 §3: these members in this order.
        let hashed = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let key_id = URL_SAFE_NO_PAD.encode(digest(&SHA256, hashed.as_bytes()));
        let public = json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": key_id, "alg": "ES256", "use": "sig",
        });
        let verification_key = VerificationKey::from_jwk(&public);
        Ok(Self {
            name: name.to_owned(),
            key: EncodingKey::from_ec_der(key),
            key_id,
            verification_key: verification_key.map_err(|_| SigningError::Refused)?,
            public,
        })
    }

    /// Its name: claim `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public keys as a JSON Web Key Set (RFC 7517 §5).
    #[must_use]
    pub fn key_set(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    /// The same as an issuer whose tokens are accepted.
    #[must_use]
    pub fn trusted(&self) -> Issuer {
        let (name, keys) = (self.name.clone(), vec![self.verification_key.clone()]);
        Issuer { name, keys, requires_binding: false }
    }

    /// An access token, issued at `now` (Unix seconds), for so many seconds.
    ///
    /// # Errors
    ///
    /// It would be longer than any server accepts, or the cryptographic library refuses.
    pub fn access_token(
        &self,
        token: AccessToken<'_>,
        now: i64,
        ttl_seconds: i64,
    ) -> Result<String, SigningError> {
        self.signed("at+jwt", token, now, ttl_seconds)
    }

    /// An ID token, likewise.
    ///
    /// # Errors
    ///
    /// As [`OwnIssuer::access_token`].
    pub fn id_token(
        &self,
        token: IdToken<'_>,
        now: i64,
        ttl_seconds: i64,
    ) -> Result<String, SigningError> {
        self.signed("JWT", token, now, ttl_seconds)
    }

    fn signed(
        &self,
        kind: &str,
        token: impl Serialize,
        now: i64,
        ttl_seconds: i64,
    ) -> Result<String, SigningError> {
        let mut id = [0; ID_BYTES];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| SigningError::Refused)?;
        let (iss, exp) = (self.name.as_str(), now.saturating_add(ttl_seconds));
        let signed = Signed { iss, iat: now, exp, jti: URL_SAFE_NO_PAD.encode(id), token };
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.key_id.clone());
        let token = jsonwebtoken::encode(&header, &signed, &self.key);
        let token = token.map_err(|_| SigningError::Refused)?;
        if token.len() > TOKEN_LENGTH_MAX { Err(SigningError::TooLong) } else { Ok(token) }
    }
}

impl fmt::Debug for OwnIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OwnIssuer")
            .field("name", &self.name)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
