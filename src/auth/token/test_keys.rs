//! Keys for tests, of every algorithm.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
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

/// A pair of keys made for this run, and what it signs with.
pub(super) struct TestKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(&'static RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

static ALL: LazyLock<[TestKey; 9]> = LazyLock::new(|| Algorithm::ASYMMETRIC.map(TestKey::new));

impl TestKey {
    fn new(algorithm: Algorithm) -> Self {
        static RSA: LazyLock<RsaKeyPair> =
            LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            Pair::Ec(EcdsaKeyPair::generate(curve).unwrap())
        };
        let pair = match algorithm {
            Algorithm::Hs256 => unreachable!("a secret is no pair"),
            Algorithm::Rs256 => Pair::Rsa(&RSA, &RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Pair::Rsa(&RSA, &RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Pair::Rsa(&RSA, &RSA_PKCS1_SHA512),
            Algorithm::Ps256 => Pair::Rsa(&RSA, &RSA_PSS_SHA256),
            Algorithm::Ps384 => Pair::Rsa(&RSA, &RSA_PSS_SHA384),
            Algorithm::Ps512 => Pair::Rsa(&RSA, &RSA_PSS_SHA512),
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
        };
        Self { algorithm, pair }
    }

    fn of(algorithm: Algorithm) -> &'static Self {
        ALL.iter().find(|key| key.algorithm == algorithm).unwrap()
    }

    pub(super) fn rs256() -> &'static Self {
        Self::of(Algorithm::Rs256)
    }

    pub(super) fn es256() -> &'static Self {
        Self::of(Algorithm::Es256)
    }

    pub(super) fn ed_dsa() -> &'static Self {
        Self::of(Algorithm::EdDsa)
    }

    /// A pair that nobody else has.
    pub(super) fn new_ed_dsa() -> Self {
        Self::new(Algorithm::EdDsa)
    }

    /// One for each algorithm; those of RSA have the same pair.
    pub(super) fn asymmetric() -> [&'static Self; 9] {
        ALL.each_ref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn sign_base64url(&self, message: &str) -> String {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                URL_SAFE_NO_PAD.encode(signature)
            }
            Pair::Ec(pair) => URL_SAFE_NO_PAD.encode(pair.sign(&random, message).unwrap()),
            Pair::Ed(pair) => URL_SAFE_NO_PAD.encode(pair.sign(message)),
        }
    }

    pub(super) fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap(),
        };
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    pub(super) fn jwk(&self, key_id: &str) -> Value {
        let pem = self.pem();
        let key = match &self.pair {
            Pair::Rsa(..) => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Pair::Ec(_) => DecodingKey::from_ec_pem(pem.as_bytes()),
            Pair::Ed(_) => DecodingKey::from_ed_pem(pem.as_bytes()),
        }
        .unwrap();
        let jwk = Jwk::from_decoding_key(&key, Some(self.algorithm.into())).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk.as_object_mut().unwrap().insert("kid".to_owned(), json!(key_id));
        jwk
    }
}
