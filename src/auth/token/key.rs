//! The keys with which issuers sign, as far as a verifier needs them.

use std::fmt;

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::{Algorithm, Family};
use super::error::ConfigurationError;

/// The most keys one JWK set may hold: issuers publish the present key and a few past or future
/// ones.
pub const KEYS_PER_SET_MAX: usize = 64;

/// A key that verifies signatures, bound to the one algorithm it is for (RFC 8725 §3.1) and, when
/// the issuer names its keys, to its name.
///
/// The key itself is never printed, and is overwritten in memory when dropped.
#[derive(Clone)]
pub struct VerificationKey {
    key_id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerificationKey {
    /// A shared secret, for HS256 (RFC 7518 §3.2: no shorter than the hash).
    #[must_use]
    pub fn hmac(secret: &[u8; 32]) -> Self {
        Self { key_id: None, algorithm: Algorithm::Hs256, key: DecodingKey::from_secret(secret) }
    }

    /// A public key in PEM: `PUBLIC KEY` (RFC 7468 §13) or, for RSA, `RSA PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// When the text holds no public key of the kind `algorithm` needs, a private key, or a key
    /// that is too weak; when `algorithm` is HS256, whose key is not public.
    pub fn from_pem(
        algorithm: Algorithm,
        kid: Option<String>,
        pem: &[u8],
    ) -> Result<Self, ConfigurationError> {
        let invalid = || ConfigurationError::InvalidPem(algorithm);
        match pem_label(pem) {
            Some("PUBLIC KEY" | "RSA PUBLIC KEY") => {}
            Some(label) if label.ends_with("PRIVATE KEY") => {
                return Err(ConfigurationError::PrivateKey);
            }
            _ => return Err(invalid()),
        }
        let key = match algorithm.family() {
            Family::Secret => return Err(ConfigurationError::SharedSecret),
            Family::Rsa => DecodingKey::from_rsa_pem(pem),
            Family::P256 | Family::P384 => DecodingKey::from_ec_pem(pem),
            Family::Ed25519 => DecodingKey::from_ed_pem(pem),
        }
        .map_err(|_| invalid())?;
        Self::checked(kid, algorithm, key).ok_or_else(invalid)
    }

    /// A public key as a JSON Web Key (RFC 7517 §4).
    ///
    /// RFC 8725 §3.1 wants each key used with one algorithm. A curve leaves no choice. Of the six
    /// that an RSA key could serve it is the one that the key names, and RS256, by far the most
    /// usual, if it names none.
    ///
    /// # Errors
    ///
    /// When the value is no JWK, holds a private or symmetric key, is not meant for signatures, is
    /// for an unsupported algorithm, or is too weak.
    pub fn from_jwk(jwk: &Value) -> Result<Self, ConfigurationError> {
        if jwk.get("d").is_some() {
            return Err(ConfigurationError::PrivateKey);
        }
        let jwk = Jwk::deserialize(jwk).map_err(|_| ConfigurationError::InvalidJwk)?;
        let algorithm = jwk_algorithm(&jwk)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| ConfigurationError::InvalidJwk)?;
        Self::checked(jwk.common.key_id, algorithm, key).ok_or(ConfigurationError::InvalidJwk)
    }

    /// All usable keys of a JSON Web Key set (RFC 7517 §5): those that are not for signatures, or
    /// for an algorithm that is not supported, are passed over, so the result may be empty.
    ///
    /// # Errors
    ///
    /// When the value is no JWK set or holds more than [`KEYS_PER_SET_MAX`] keys.
    pub fn from_jwk_set(set: &Value) -> Result<Vec<Self>, ConfigurationError> {
        let keys =
            set.get("keys").and_then(Value::as_array).ok_or(ConfigurationError::InvalidJwkSet)?;
        if keys.len() > KEYS_PER_SET_MAX {
            return Err(ConfigurationError::TooManyKeys(KEYS_PER_SET_MAX));
        }
        Ok(keys.iter().filter_map(|jwk| Self::from_jwk(jwk).ok()).collect())
    }

    /// The algorithm this key is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a token that names (or does not name) a key may have been signed with this one.
    pub(super) fn answers_to(&self, key_id: Option<&str>) -> bool {
        match (&self.key_id, key_id) {
            (Some(own), Some(named)) => own == named,
            _ => true,
        }
    }

    /// Whether `signature` (base64url) is this key's signature over `message`.
    pub(super) fn verifies(&self, message: &str, signature: &str) -> bool {
        let algorithm = self.algorithm.into();
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, algorithm)
            .unwrap_or(false)
    }

    /// The key, unless it could never verify anything: better to learn it at start than by refused
    /// tokens.
    fn checked(key_id: Option<String>, algorithm: Algorithm, key: DecodingKey) -> Option<Self> {
        is_sound(algorithm, &key).then_some(Self { key_id, algorithm, key })
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerificationKey")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The algorithm a JWK is for, when it is for verifying signatures with one that is supported.
fn jwk_algorithm(jwk: &Jwk) -> Result<Algorithm, ConfigurationError> {
    let family = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Family::Rsa,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Family::P256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Family::P384,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Family::Ed25519
        }
        AlgorithmParameters::OctetKey(_) => return Err(ConfigurationError::SharedSecret),
        _ => return Err(ConfigurationError::InvalidJwk),
    };
    let named = jwk.common.key_algorithm;
    let is_named = |own: &Algorithm| {
        named.is_none_or(|name| name == jsonwebtoken::Algorithm::from(*own).into())
    };
    let of_family = |own: &Algorithm| own.family() == family;
    let algorithm = Algorithm::ASYMMETRIC.into_iter().filter(of_family).find(is_named);
    let for_signatures =
        jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let for_verifying = jwk
        .common
        .key_operations
        .as_ref()
        .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_usable = for_signatures && for_verifying;
    algorithm.filter(|_| is_usable).ok_or(ConfigurationError::InvalidJwk)
}

/// Whether the key is well-formed, on the right curve, and strong enough (RFC 7518 §3.3: RSA of at
/// least 2048 bits).
fn is_sound(algorithm: Algorithm, key: &DecodingKey) -> bool {
    match (algorithm.family(), key.kind()) {
        (Family::Secret, _) => true,
        (Family::Rsa, _) => is_sound_rsa(key).unwrap_or(false),
        (Family::P256, DecodingKeyKind::SecretOrDer(point)) => {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok()
        }
        (Family::P384, DecodingKeyKind::SecretOrDer(point)) => {
            ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).is_ok()
        }
        (Family::Ed25519, DecodingKeyKind::SecretOrDer(point)) => {
            ParsedPublicKey::new(&ED25519, point).is_ok()
        }
        (
            Family::P256 | Family::P384 | Family::Ed25519,
            DecodingKeyKind::RsaModulusExponent { .. },
        ) => false,
    }
}

/// The library checks the modulus. That of the exponent 1 anybody can sign for, it does not refuse:
/// an exponent is odd, at least 3 (RFC 8017 §3.1), and within the 33 bits that are verified with.
fn is_sound_rsa(key: &DecodingKey) -> Option<bool> {
    let jwk = Jwk::from_decoding_key(key, None).ok()?;
    let AlgorithmParameters::RSA(components) = &jwk.algorithm else { return None };
    let n = URL_SAFE_NO_PAD.decode(&components.n).ok()?;
    let e = URL_SAFE_NO_PAD.decode(&components.e).ok()?;
    let exponent = e
        .iter()
        .try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)))?;
    let key: Result<PublicEncryptingKey, _> = RsaPublicKeyComponents { n: &n, e: &e }.try_into();
    Some(key.is_ok() && exponent % 2 == 1 && (3..1 << 33).contains(&exponent))
}

/// What the first block of a PEM text says it is (RFC 7468 §2).
fn pem_label(pem: &[u8]) -> Option<&str> {
    let (_, block) = str::from_utf8(pem).ok()?.split_once("-----BEGIN ")?;
    let (label, _) = block.split_once("-----")?;
    Some(label)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::test_keys::{RSA_1024_PUBLIC_PEM, TestKey};
    use super::*;

    fn assert_verifies(key: &VerificationKey, signer: &TestKey) {
        assert!(key.verifies("message", &signer.sign_base64url("message")));
        assert!(!key.verifies("another", &signer.sign_base64url("message")));
        assert!(!key.verifies("message", ""));
        assert!(!key.verifies("message", "!"));
    }

    #[test]
    fn public_keys_come_as_pem_or_jwk() {
        for signer in TestKey::asymmetric() {
            let algorithm = signer.algorithm();
            let pem = VerificationKey::from_pem(algorithm, None, signer.pem().as_bytes()).unwrap();
            assert_verifies(&pem, signer);

            let jwk = VerificationKey::from_jwk(&signer.jwk("k1")).unwrap();
            assert_eq!(jwk.algorithm(), algorithm);
            assert_verifies(&jwk, signer);
        }
    }

    #[test]
    fn a_pem_key_must_fit_its_algorithm() {
        for signer in TestKey::asymmetric() {
            for algorithm in Algorithm::ASYMMETRIC {
                let key = VerificationKey::from_pem(algorithm, None, signer.pem().as_bytes());
                let fits = algorithm.family() == signer.algorithm().family();
                assert_eq!(key.is_ok(), fits, "{algorithm} {}", signer.algorithm());
            }
            let as_secret =
                VerificationKey::from_pem(Algorithm::Hs256, None, signer.pem().as_bytes());
            assert_eq!(as_secret.unwrap_err(), ConfigurationError::SharedSecret);
        }
    }

    #[test]
    fn unsuitable_pem_texts_are_refused() {
        let refused = |algorithm, pem: &str| {
            VerificationKey::from_pem(algorithm, None, pem.as_bytes()).unwrap_err()
        };
        let private = TestKey::ed_dsa().pem().replace("PUBLIC", "PRIVATE");
        assert_eq!(refused(Algorithm::EdDsa, &private), ConfigurationError::PrivateKey);
        assert_eq!(
            refused(Algorithm::Rs256, RSA_1024_PUBLIC_PEM),
            ConfigurationError::InvalidPem(Algorithm::Rs256)
        );
        for garbage in
            ["", "not a key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]
        {
            assert_eq!(
                refused(Algorithm::Rs256, garbage),
                ConfigurationError::InvalidPem(Algorithm::Rs256)
            );
        }
    }

    #[test]
    fn unsuitable_jwks_are_refused() {
        let changed = |member: &str, value: Value| {
            let mut jwk = TestKey::es256().jwk("k1");
            jwk.as_object_mut().unwrap().insert(member.to_owned(), value);
            VerificationKey::from_jwk(&jwk)
        };
        assert!(changed("use", json!("sig")).is_ok());
        assert!(changed("key_ops", json!(["verify"])).is_ok());
        assert!(changed("x5t", json!("ignored")).is_ok());
        for (member, value, expected) in [
            ("use", json!("enc"), ConfigurationError::InvalidJwk),
            ("key_ops", json!(["encrypt"]), ConfigurationError::InvalidJwk),
            ("alg", json!("ES384"), ConfigurationError::InvalidJwk),
            ("alg", json!("RS256"), ConfigurationError::InvalidJwk),
            ("alg", json!("of the future"), ConfigurationError::InvalidJwk),
            ("alg", json!("HS256"), ConfigurationError::InvalidJwk),
            ("crv", json!("P-384"), ConfigurationError::InvalidJwk),
            ("crv", json!("Ed25519"), ConfigurationError::InvalidJwk),
            ("x", json!("AAAA"), ConfigurationError::InvalidJwk),
            ("d", json!("AAAA"), ConfigurationError::PrivateKey),
        ] {
            assert_eq!(changed(member, value.clone()).unwrap_err(), expected, "{member}: {value}");
        }

        let secret = json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
        assert_eq!(
            VerificationKey::from_jwk(&secret).unwrap_err(),
            ConfigurationError::SharedSecret
        );
        assert_eq!(
            VerificationKey::from_jwk(&json!("text")).unwrap_err(),
            ConfigurationError::InvalidJwk
        );
    }

    #[test]
    fn an_rsa_key_serves_the_one_algorithm_that_it_names_or_else_rs256() {
        let of_rsa = |key: &&&TestKey| key.algorithm().family() == Family::Rsa;
        let signers = TestKey::asymmetric();
        for signer in signers.iter().filter(of_rsa) {
            let mut jwk = signer.jwk("k1");
            let named = VerificationKey::from_jwk(&jwk).unwrap();
            jwk.as_object_mut().unwrap().remove("alg");
            let unnamed = VerificationKey::from_jwk(&jwk).unwrap();
            assert_eq!(unnamed.algorithm(), Algorithm::Rs256);
            // All these signers have the same key pair.
            for other in signers.iter().filter(of_rsa) {
                let signature = other.sign_base64url("message");
                let is = |algorithm| other.algorithm() == algorithm;
                assert_eq!(named.verifies("message", &signature), is(signer.algorithm()));
                assert_eq!(unnamed.verifies("message", &signature), is(Algorithm::Rs256));
            }
        }
    }

    #[test]
    fn weak_and_odd_rsa_keys_are_refused() {
        let with = |member: &str, value: Value| {
            let mut jwk = TestKey::rs256().jwk("k1");
            jwk.as_object_mut().unwrap().insert(member.to_owned(), value);
            VerificationKey::from_jwk(&jwk).err()
        };
        assert_eq!(with("e", json!("AQAB")), None);
        for exponent in ["AQ", "AA", "Ag", "", "AQABAQABAQAB"] {
            let refusal = with("e", json!(exponent));
            assert_eq!(refusal, Some(ConfigurationError::InvalidJwk), "{exponent}");
        }
        // 2047 bits, 1024 bits and more than 8192.
        let modulus = |first: u8, length: usize| {
            let mut bytes = vec![0xff; length];
            bytes[0] = first;
            json!(URL_SAFE_NO_PAD.encode(bytes))
        };
        for (first, length) in [(0x7f, 256), (0xff, 128), (0xff, 1025)] {
            assert_eq!(
                with("n", modulus(first, length)),
                Some(ConfigurationError::InvalidJwk),
                "{first} {length}"
            );
        }
    }

    #[test]
    fn a_jwk_set_yields_its_usable_keys() {
        let set = json!({"keys": [
            TestKey::rs256().jwk("k1"),
            {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
            {"kty": "of the future"},
            17,
            TestKey::ed_dsa().jwk("k3"),
        ]});
        let keys = VerificationKey::from_jwk_set(&set).unwrap();
        let algorithms: Vec<_> = keys.iter().map(VerificationKey::algorithm).collect();
        assert_eq!(algorithms, [Algorithm::Rs256, Algorithm::EdDsa]);

        assert_eq!(
            VerificationKey::from_jwk_set(&json!([])).unwrap_err(),
            ConfigurationError::InvalidJwkSet
        );
        assert_eq!(
            VerificationKey::from_jwk_set(&json!({"keys": vec![0; KEYS_PER_SET_MAX + 1]}))
                .unwrap_err(),
            ConfigurationError::TooManyKeys(KEYS_PER_SET_MAX)
        );
    }
}
