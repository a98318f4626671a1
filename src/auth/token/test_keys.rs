//! Keys for tests, of every algorithm.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};

use super::Algorithm;

/// An RSA public key of 1024 bits, which is too weak.
pub(super) const RSA_1024_PUBLIC_PEM: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDbiRrWPrz2sbQPuL0fE6u/FfdJ\n\
EDvqZRGondry3yWhIgtL6ZaVpooZbpBBlLjUy2UOWHEgseki1jnmnwQMkAe7C0Py\n\
GYW+GWvnS6hUQD6b8X7gfjOSSglxR8I3zztWBIg2ogDs3N7RICU0FGUP+u6MjJ/r\n\
2cYxqy+yZ+YN1xoHbwIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

/// A pair of keys made for this run.
pub(super) enum TestKey {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl TestKey {
    pub(super) fn rs256() -> &'static Self {
        static KEY: LazyLock<TestKey> =
            LazyLock::new(|| TestKey::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        &KEY
    }

    pub(super) fn es256() -> &'static Self {
        static KEY: LazyLock<TestKey> = LazyLock::new(|| {
            TestKey::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        });
        &KEY
    }

    pub(super) fn ed_dsa() -> &'static Self {
        static KEY: LazyLock<TestKey> = LazyLock::new(TestKey::new_ed_dsa);
        &KEY
    }

    /// A pair that nobody else has.
    pub(super) fn new_ed_dsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().unwrap())
    }

    pub(super) fn asymmetric() -> [&'static Self; 3] {
        [Self::rs256(), Self::es256(), Self::ed_dsa()]
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn sign_base64url(&self, message: &str) -> String {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                URL_SAFE_NO_PAD.encode(signature)
            }
            Self::Es256(pair) => URL_SAFE_NO_PAD.encode(pair.sign(&random, message).unwrap()),
            Self::EdDsa(pair) => URL_SAFE_NO_PAD.encode(pair.sign(message)),
        }
    }

    pub(super) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rs256(pair) => pair.public_key().as_der().unwrap(),
            Self::Es256(pair) => pair.public_key().as_der().unwrap(),
            Self::EdDsa(pair) => pair.public_key().as_der().unwrap(),
        };
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    pub(super) fn jwk(&self, key_id: &str) -> Value {
        let pem = self.pem();
        let key = match self {
            Self::Rs256(_) => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Self::Es256(_) => DecodingKey::from_ec_pem(pem.as_bytes()),
            Self::EdDsa(_) => DecodingKey::from_ed_pem(pem.as_bytes()),
        }
        .unwrap();
        let jwk = Jwk::from_decoding_key(&key, Some(self.algorithm().into())).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk.as_object_mut().unwrap().insert("kid".to_owned(), json!(key_id));
        jwk
    }
}
