//! What a verifier remembers.

use std::sync::Mutex;

use super::*;

fn remembered(verifier: &Verifier) -> usize {
    verifier.known.load().verified.len()
}

#[test]
fn a_verified_token_is_remembered_but_its_times_are_checked_on_every_use() {
    let verifier = verifier();
    let token = token(TestKey::ed_dsa(), &claims());
    let first = verifier.verify(&token, NOW, None).unwrap();
    let second = verifier.verify(&token, NOW + 1, None).unwrap();
    assert!(Arc::ptr_eq(&first, &second), "the second use must come from memory");

    let end = NOW + 600 + LEEWAY_SECONDS;
    assert_eq!(verifier.verify(&token, end, None), Err(TokenError::Expired));
    let before = NOW - 600 - LEEWAY_SECONDS - 1;
    assert_eq!(verifier.verify(&token, before, None), Err(TokenError::NotYetValid));
}

#[test]
fn a_refused_token_is_not_remembered() {
    let verifier = verifier();
    let early = token(TestKey::ed_dsa(), &claims_with(json!({"nbf": NOW + 60})));
    for refused in [early.clone(), hmac_token(b"wrong", &claims()), "garbage".to_owned()] {
        verifier.verify(&refused, NOW, None).unwrap_err();
    }
    assert_eq!(remembered(&verifier), 0);
    assert!(verifier.verify(&early, NOW + 60, None).is_ok());
    assert_eq!(remembered(&verifier), 1);
}

#[test]
fn the_memory_is_bounded_and_may_be_none() {
    for cache_entries in [0, 8] {
        let verifier = Verifier::new(VerifierOptions { cache_entries, ..options() }).unwrap();
        for number in 0..200 {
            let claims = claims_with(json!({"jti": format!("token-{number}")}));
            assert!(verifier.verify(&token(TestKey::ed_dsa(), &claims), NOW, None).is_ok());
        }
        assert!(remembered(&verifier) <= cache_entries, "{}", remembered(&verifier));
    }
}

#[test]
fn with_other_keys_the_memory_starts_empty_and_a_withdrawn_key_opens_nothing() {
    let verifier = verifier();
    let (old, new) = (TestKey::ed_dsa(), TestKey::new_ed_dsa());
    let (by_old, by_new) = (token(old, &claims()), token(&new, &claims()));
    assert!(verifier.verify(&by_old, NOW, None).is_ok());
    let key = VerificationKey::from_jwk(&new.jwk("new")).unwrap();
    verifier.renew(ISSUER, vec![key.clone()]).unwrap();
    assert_eq!(remembered(&verifier), 0);
    assert_eq!(verifier.verify(&by_old, NOW, None), Err(TokenError::BadSignature));
    assert!(verifier.verify(&by_new, NOW, None).is_ok());
    // Another issuer's keys are its own, and nobody becomes an issuer that way.
    let local = LocalIssuer::new(LOCAL_SECRET);
    let by_local = hmac_token(&LOCAL_SECRET, &claims_with(json!({"iss": LocalIssuer::ISSUER})));
    assert!(verifier.verify(&by_local, NOW, None).is_ok());
    verifier.renew("https://third.example", vec![key]).unwrap();
    let third = token(&new, &claims_with(json!({"iss": "https://third.example"})));
    assert_eq!(verifier.verify(&third, NOW, None), Err(TokenError::UnknownIssuer));
    let refused = verifier.renew(ISSUER, vec![local.verification_key()]);
    assert_eq!(refused, Err(ConfigurationError::SharedSecret));
    assert!(verifier.verify(&by_new, NOW, None).is_ok());
    verifier.renew(ISSUER, Vec::new()).unwrap();
    assert_eq!(verifier.verify(&by_new, NOW, None), Err(TokenError::NoKeysYet));
}

#[test]
fn keys_that_are_not_known_are_told_of_under_the_name_of_their_issuer() {
    let verifier = verifier();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    verifier.tell_of_unknown_keys(move |issuer| telling.lock().unwrap().push(issuer.to_owned()));
    let key = TestKey::ed_dsa();
    let named = |kid: &str, claims: &Value| {
        let _ = verifier.verify(
            &token_with_header(key, &json!({"alg": "EdDSA", "kid": kid}), claims),
            NOW,
            None,
        );
        std::mem::take(&mut *told.lock().unwrap())
    };
    assert_eq!(named("EdDSA", &claims()), [""; 0]);
    assert_eq!(named("new", &claims()), [ISSUER]);
    assert_eq!(named("new", &claims_with(json!({"iss": "https://third.example"}))), [""; 0]);
    // A key for an algorithm that the issuer has not used so far.
    verifier
        .renew(ISSUER, vec![VerificationKey::from_jwk(&TestKey::es256().jwk("k")).unwrap()])
        .unwrap();
    assert_eq!(named("EdDSA", &claims()), [ISSUER]);
    verifier.renew(ISSUER, Vec::new()).unwrap();
    assert_eq!(named("EdDSA", &claims()), [ISSUER]);
}
