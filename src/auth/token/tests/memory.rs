//! What a verifier remembers.

use super::*;

#[test]
fn a_verified_token_is_remembered_but_its_times_are_checked_on_every_use() {
    let verifier = verifier();
    let token = token(TestKey::ed_dsa(), &claims());
    let first = verifier.verify(&token, NOW).unwrap();
    let second = verifier.verify(&token, NOW + 1).unwrap();
    assert!(Arc::ptr_eq(&first, &second), "the second use must come from memory");

    let end = NOW + 600 + LEEWAY_SECONDS;
    assert_eq!(verifier.verify(&token, end), Err(TokenError::Expired));
    let before = NOW - 600 - LEEWAY_SECONDS - 1;
    assert_eq!(verifier.verify(&token, before), Err(TokenError::NotYetValid));
}

#[test]
fn a_refused_token_is_not_remembered() {
    let verifier = verifier();
    let early = token(TestKey::ed_dsa(), &claims_with(json!({"nbf": NOW + 60})));
    for refused in [early.clone(), hmac_token(b"wrong", &claims()), "garbage".to_owned()] {
        verifier.verify(&refused, NOW).unwrap_err();
    }
    assert_eq!(verifier.verified.len(), 0);
    assert!(verifier.verify(&early, NOW + 60).is_ok());
    assert_eq!(verifier.verified.len(), 1);
}

#[test]
fn the_memory_is_bounded_and_may_be_none() {
    for cache_entries in [0, 8] {
        let verifier = Verifier::new(VerifierOptions { cache_entries, ..options() }).unwrap();
        for number in 0..200 {
            let claims = claims_with(json!({"jti": format!("token-{number}")}));
            assert!(verifier.verify(&token(TestKey::ed_dsa(), &claims), NOW).is_ok());
        }
        assert!(verifier.verified.len() <= cache_entries, "{}", verifier.verified.len());
    }
}
