//! Tokens, good and bad, through the public face of the verifier.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod binding;
mod claims;
mod form;
mod memory;
mod signature;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::test_keys::TestKey;
use super::*;
use crate::access::Identity;
use crate::auth::{Permission, Reach};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://chartlog.example/fhir";
const NOW: i64 = 1_800_000_000;
const LEEWAY_SECONDS: i64 = 30;
const LOCAL_SECRET: [u8; 32] = [9; 32];

/// A verifier that knows an issuer with a key of every algorithm, and the local one.
fn verifier() -> Verifier {
    Verifier::new(options()).unwrap()
}

fn options() -> VerifierOptions {
    let keys = TestKey::asymmetric()
        .iter()
        .map(|key| VerificationKey::from_jwk(&key.jwk(&key.algorithm().to_string())).unwrap())
        .collect();
    let local = LocalIssuer::new(LOCAL_SECRET);
    VerifierOptions {
        audience: vec![AUDIENCE.to_owned(), "other-name".to_owned()],
        leeway_seconds: LEEWAY_SECONDS.unsigned_abs(),
        issuers: vec![
            Issuer { name: ISSUER.to_owned(), keys, requires_binding: false },
            Issuer {
                name: LocalIssuer::ISSUER.to_owned(),
                keys: vec![local.verification_key()],
                requires_binding: false,
            },
        ],
        cache_entries: 100,
    }
}

/// What a good token says.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "practitioner-7",
        "aud": AUDIENCE,
        "exp": NOW + 600,
        "nbf": NOW - 600,
        "jti": "token-1",
        "scope": "launch/patient patient/*.rs",
        "client_id": "growth-chart",
        "patient": "p1",
    })
}

/// The good claims with some members replaced, or removed where the value is null.
fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap().clone() {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    claims
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn token_with_header(key: &TestKey, header: &Value, claims: &Value) -> String {
    token_of(key, &header.to_string(), &claims.to_string())
}

/// Whatever is given, well signed.
fn token_of(key: &TestKey, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign_base64url(&signed);
    format!("{signed}.{signature}")
}

fn token(key: &TestKey, claims: &Value) -> String {
    let header = json!({"alg": key.algorithm().to_string(), "typ": "at+jwt"});
    token_with_header(key, &header, claims)
}

fn hmac_token(secret: &[u8], claims: &Value) -> String {
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let key = jsonwebtoken::EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// The reason why a token with these claims, well signed, is refused.
fn refusal_of(claims: &Value) -> TokenError {
    verifier().verify(&token(TestKey::ed_dsa(), claims), NOW, None).unwrap_err()
}

#[test]
fn a_good_token_of_every_algorithm_describes_its_caller() {
    for key in TestKey::asymmetric() {
        let caller = verifier().verify(&token(key, &claims()), NOW, None).unwrap();
        assert_eq!(
            *caller,
            Caller {
                identity: Arc::new(Identity {
                    subject: "practitioner-7".to_owned(),
                    client: Some("growth-chart".to_owned()),
                    issuer: ISSUER.to_owned(),
                    scopes: Some("launch/patient patient/*.rs".to_owned()),
                    token_id: Some("token-1".to_owned()),
                    ..Identity::default()
                }),
                scopes: crate::auth::Scopes::parse("patient/*.rs"),
                patient: Some("p1".to_owned()),
                expires_at: NOW + 600,
                not_before: Some(NOW - 600),
                ..Caller::default()
            }
        );
        assert_eq!(caller.reach("Observation", Permission::Read), Reach::OwnChart);
        assert_eq!(caller.reach("Observation", Permission::Update), Reach::Nothing);
    }
}

#[test]
fn a_local_token_is_accepted() {
    let grant = TokenRequest {
        subject: "dr-who".to_owned(),
        scope: "user/*.cruds".to_owned(),
        patient: Some("p1".to_owned()),
        audience: AUDIENCE.to_owned(),
        ttl_seconds: 60,
        ..TokenRequest::default()
    };
    let token = LocalIssuer::new(LOCAL_SECRET).sign(&grant, NOW).unwrap();
    let caller = verifier().verify(&token, NOW, None).unwrap();
    assert_eq!(caller.identity.subject, "dr-who");
    assert_eq!(caller.identity.issuer, LocalIssuer::ISSUER);
    assert_eq!(caller.patient.as_deref(), Some("p1"));
    assert_eq!(caller.expires_at, NOW + 60);
    assert_eq!(caller.reach("Patient", Permission::Create), Reach::Everything);

    let forged = LocalIssuer::new([1; 32]).sign(&grant, NOW).unwrap();
    assert_eq!(verifier().verify(&forged, NOW, None), Err(TokenError::BadSignature));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |change: &dyn Fn(&mut VerifierOptions)| {
        let mut options = options();
        change(&mut options);
        Verifier::new(options).unwrap_err()
    };
    let issuer =
        |name: &str| Issuer { name: name.to_owned(), keys: Vec::new(), requires_binding: false };
    assert_eq!(refused(&|options| options.audience.clear()), ConfigurationError::NoAudience);
    assert_eq!(
        refused(&|options| options.audience.push(String::new())),
        ConfigurationError::NoAudience
    );
    assert_eq!(
        refused(&|options| options.issuers.push(issuer(ISSUER))),
        ConfigurationError::AmbiguousIssuer
    );
    assert_eq!(
        refused(&|options| options.issuers.push(issuer(""))),
        ConfigurationError::AmbiguousIssuer
    );
    assert_eq!(
        refused(&|options| options.leeway_seconds = LEEWAY_SECONDS_MAX + 1),
        ConfigurationError::LeewayTooLong
    );
    assert_eq!(
        refused(&|options| {
            let keys = vec![VerificationKey::hmac(&LOCAL_SECRET)];
            options.issuers.push(Issuer {
                name: "https://third.example".to_owned(),
                keys,
                requires_binding: false,
            });
        }),
        ConfigurationError::SharedSecret
    );
}

#[test]
fn nothing_prints_a_secret_or_a_token() {
    let verifier = verifier();
    let token = hmac_token(&LOCAL_SECRET, &claims_with(json!({"iss": LocalIssuer::ISSUER})));
    let caller = verifier.verify(&token, NOW, None).unwrap();
    let printed = format!("{verifier:?} {:?} {caller:?}", options());
    assert!(!printed.contains(&token));
    assert!(!printed.contains("9, 9, 9"));
    assert!(!printed.contains("[redacted]"), "the key is not even mentioned");
}
