//! An issuer's keys, and the tokens that it signs with them.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use serde_json::{Value, json};

use crate::tokens::base64url;

/// A key pair of an issuer, and what it signs with.
pub struct Signer {
    /// The algorithm, as `alg` names it.
    pub algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// All algorithms of configured issuers.
pub const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

impl Signer {
    /// A pair that nobody else has.
    pub fn new(algorithm: &'static str) -> Self {
        let rsa = |encoding: &'static dyn RsaEncoding| {
            Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding)
        };
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            Pair::Ec(EcdsaKeyPair::generate(curve).unwrap())
        };
        let pair = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key is made for {other}"),
        };
        Self { algorithm, pair }
    }

    /// That of the program that gets tokens of the shared server.
    pub fn of_shared_client() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Self { algorithm: "EdDSA", pair: Pair::Ed(pair) }
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Rsa(pair, _) => pair.public_key().as_der().unwrap(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap(),
        };
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let pem = self.pem();
        let key = match &self.pair {
            Pair::Rsa(..) => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Pair::Ec(_) => DecodingKey::from_ec_pem(pem.as_bytes()),
            Pair::Ed(_) => DecodingKey::from_ed_pem(pem.as_bytes()),
        };
        let jwk = Jwk::from_decoding_key(&key.unwrap(), None).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk["kid"] = json!(kid);
        jwk
    }

    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        self.token_of(header.to_string(), claims.to_string())
    }

    /// Whatever is given, signed.
    pub fn token_of(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        let signature = self.sign(&signed);
        format!("{signed}.{}", base64url(signature))
    }
}
