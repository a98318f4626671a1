//! Issuers of tokens: configured ones with each algorithm, and the local one.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Server, Setup, patient, run, unique};
use crate::tokens::{base64url, seconds_from_now};

/// A key pair of a configured issuer.
enum Signer {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    fn all() -> [(&'static str, Self); 3] {
        [
            ("RS256", Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
            (
                "ES256",
                Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            ),
            ("EdDSA", Self::EdDsa(Ed25519KeyPair::generate().unwrap())),
        ]
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rs256(pair) => pair.public_key().as_der().unwrap(),
            Self::Es256(pair) => pair.public_key().as_der().unwrap(),
            Self::EdDsa(pair) => pair.public_key().as_der().unwrap(),
        };
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// As a JSON Web Key, which only the curves need here.
    fn jwk(&self, kid: &str) -> Option<Value> {
        match self {
            Self::Rs256(_) => None,
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                Some(
                    json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": base64url(&point[1..33]), "y": base64url(&point[33..]) }),
                )
            }
            Self::EdDsa(pair) => Some(
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": base64url(pair.public_key().as_ref()) }),
            ),
        }
    }

    fn token(&self, algorithm: &str, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.sign(&signed);
        format!("{signed}.{}", base64url(signature))
    }
}

const ISSUER: &str = "https://login.example.org";

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "dr-rot", "aud": ["other", "chartlog"], "exp": seconds_from_now(600), "scope": "user/*.cruds", "client_id": "viewer" })
}

/// A server that trusts a configured issuer and not itself, and the issuer's keys.
fn with_issuer() -> &'static (Server, [(&'static str, Signer); 3]) {
    static BOTH: LazyLock<(Server, [(&'static str, Signer); 3])> = LazyLock::new(|| {
        let signers = Signer::all();
        let jwks: Vec<Value> = signers
            .iter()
            .filter_map(|(name, signer)| signer.jwk(&format!("jwk-{name}")))
            .collect();
        let keys: Vec<String> = signers
            .iter()
            .map(|(name, _)| {
                format!(r#"{{ algorithm = "{name}", kid = "{name}", pem_file = "{name}.pem" }}"#)
            })
            .collect();
        let config = format!(
            "[auth]\nlocal_issuer = false\n[[auth.issuers]]\nname = \"{ISSUER}\"\njwks_file = \"keys.json\"\nkeys = [{}]\n",
            keys.join(", ")
        );
        let mut setup =
            Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
        setup = setup.file("keys.json", json!({ "keys": jwks }).to_string());
        for (name, signer) in &signers {
            setup = setup.file(&format!("{name}.pem"), signer.pem());
        }
        let server = setup.start();
        crate::harness::guard(&server);
        (server, signers)
    });
    &BOTH
}

#[test]
fn tokens_of_a_configured_issuer_are_accepted_with_each_algorithm() {
    let (server, signers) = with_issuer();
    for (name, signer) in signers {
        let kids = [Some((*name).to_owned()), None, signer.jwk("x").map(|_| format!("jwk-{name}"))];
        for kid in kids.into_iter().filter(|kid| kid.is_none() || kid.is_some()) {
            let actor = server.with_token(signer.token(name, kid.as_deref(), &claims()));
            let owner = unique("p");
            actor.put(&patient(&owner)).expect(201);
            let events = actor.events(&owner);
            assert_eq!(events[0]["actor"]["subject"], "dr-rot", "{name} {kid:?}");
            assert_eq!(
                (&events[0]["actor"]["issuer"], &events[0]["actor"]["client"]),
                (&json!(ISSUER), &json!("viewer"))
            );
        }
    }
}

#[test]
fn tokens_that_a_configured_issuer_would_not_make_are_refused() {
    let (server, signers) = with_issuer();
    let (_, ed) = &signers[2];
    let refused = |token: String, word: &str| {
        server.with_token(token).get("/fhir/Patient").refused(401, &[word]);
    };
    let with = |member: &str, value: Value| {
        let mut claims = claims();
        claims[member] = value;
        ed.token("EdDSA", Some("EdDSA"), &claims)
    };
    server.with_token(with("sub", json!("someone"))).get("/fhir/Patient").expect(200);
    refused(with("aud", json!("elsewhere")), "another server");
    refused(with("iss", json!("https://evil.example")), "issuer");
    refused(with("iss", json!("chartlog-local")), "issuer");
    refused(with("exp", json!(seconds_from_now(-600))), "expired");
    refused(with("exp", json!("tomorrow")), "exp");
    refused(with("exp", json!(null)), "exp");
    refused(with("nbf", json!(seconds_from_now(600))), "not valid yet");
    refused(with("sub", json!(null)), "sub");
    refused(with("sub", json!("")), "sub");
    refused(ed.token("EdDSA", Some("unknown"), &claims()), "key");
    refused(ed.token("RS256", Some("RS256"), &claims()), "signature");
    refused(ed.token("HS256", None, &claims()), "algorithm");
    refused(ed.token("none", None, &claims()), "");
    let (_, stranger) = &Signer::all()[2];
    refused(stranger.token("EdDSA", Some("EdDSA"), &claims()), "signature");
    // A public key is no shared secret.
    let pem = signers[0].1.pem();
    let header = base64url(r#"{"alg":"HS256","kid":"RS256"}"#);
    let signed = format!("{header}.{}", base64url(claims().to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pem.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    refused(format!("{signed}.{}", base64url(tag.as_ref())), "algorithm");
}

#[test]
fn the_local_issuer_is_not_believed_when_it_is_off() {
    let (server, _) = with_issuer();
    let local = server.token("dr-weiss", "user/*.cruds", None);
    server.with_token(local).get("/fhir/Patient").refused(401, &["issuer"]);
}

#[test]
fn a_server_that_others_can_reach_does_not_believe_the_local_issuer_unasked() {
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().join("data");
    let output = run(&["serve", "--listen", "0.0.0.0:0", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("auth.local_issuer") && stderr.contains("0.0.0.0:0"), "{stderr}");
    assert!(output.stdout.is_empty() && !data.exists(), "nothing was done");
}

#[test]
fn what_a_token_says_of_its_subject_stands_in_entries_and_events() {
    let (server, signers) = with_issuer();
    let (algorithm, signer) = &signers[2];
    let mut all = claims();
    for (name, value) in [
        ("jti", json!("token-77")),
        ("name", json!("Dr Rot")),
        ("role", json!("physician")),
        ("act", json!({ "sub": "nurse-1" })),
        (
            "extensions",
            json!({ "ihe_iua": {
            "subject_organization": "North Clinic", "purpose_of_use": [{ "code": "BTG" }],
        } }),
        ),
    ] {
        all[name] = value;
    }
    let actor = server.with_token(signer.token(algorithm, Some(algorithm), &all));
    let (owner, id) = (unique("p"), unique("request"));
    actor.put(&patient(&owner)).expect(201);
    let read = actor.request("GET", &format!("/fhir/Patient/{owner}"));
    // The purpose of the token wins over that of the header.
    read.header("x-request-id", &id).header("x-purpose-of-use", "TREAT").send().expect(200);
    let said = json!({
        "subject": "dr-rot", "issuer": ISSUER, "client": "viewer", "tokenId": "token-77",
        "name": "Dr Rot", "role": "physician", "organization": "North Clinic", "acting": "nurse-1",
        "purpose": "BTG",
    });
    let page = actor.get("/v1/accesses?breakGlass=true&organization=North%20Clinic&count=50");
    let entries = page.expect(200).json()["accesses"].clone();
    let is_of = |entry: &&Value| entry["clientRequest"] == id.as_str();
    let entry = entries.as_array().unwrap().iter().find(is_of).unwrap();
    let event = &actor.events(&owner)[0]["actor"];
    for (name, value) in said.as_object().unwrap() {
        assert_eq!((&entry[name], &event[name]), (value, value), "{name}");
    }
    assert_eq!((&entry["breakGlass"], &entry["scopes"]), (&json!(true), &json!("user/*.cruds")));
    // Who acted is found by their own name.
    let acted = actor.get("/v1/accesses?actor=nurse-1&count=50").expect(200).json();
    assert!(acted["accesses"].as_array().unwrap().iter().any(|entry| is_of(&entry)));
}
