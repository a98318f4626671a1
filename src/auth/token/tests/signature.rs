//! Who may sign a token, and with what.

use super::*;

#[test]
fn an_issuer_cannot_speak_for_another() {
    let as_local = claims_with(json!({"iss": LocalIssuer::ISSUER}));
    assert_eq!(refusal_of(&as_local), TokenError::UnsupportedAlgorithm);
    let local_as_other = hmac_token(&LOCAL_SECRET, &claims());
    assert_eq!(
        verifier().verify(&local_as_other, NOW, None),
        Err(TokenError::UnsupportedAlgorithm)
    );
}

#[test]
fn an_unsigned_token_is_refused() {
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = format!("{}.{}.", encode(&json!({"alg": algorithm})), encode(&claims()));
        assert_eq!(verifier().verify(&unsigned, NOW, None), Err(TokenError::UnsupportedAlgorithm));
    }
    let stripped = format!("{}.{}.", encode(&json!({"alg": "EdDSA"})), encode(&claims()));
    assert_eq!(verifier().verify(&stripped, NOW, None), Err(TokenError::BadSignature));
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    let key = TestKey::rs256();
    let pem = key.pem();
    let mut options = options();
    options.issuers = vec![Issuer {
        name: ISSUER.to_owned(),
        keys: vec![VerificationKey::from_pem(Algorithm::Rs256, None, pem.as_bytes()).unwrap()],
        requires_binding: false,
    }];
    let verifier = Verifier::new(options).unwrap();
    assert!(verifier.verify(&token(key, &claims()), NOW, None).is_ok());
    for secret in [pem.as_bytes(), pem.trim().as_bytes()] {
        let confused = hmac_token(secret, &claims());
        assert_eq!(verifier.verify(&confused, NOW, None), Err(TokenError::UnsupportedAlgorithm));
    }
}

#[test]
fn the_header_does_not_choose_how_a_key_is_used() {
    let header = json!({"alg": "RS256"});
    let mislabelled = token_with_header(TestKey::ed_dsa(), &header, &claims());
    assert_eq!(verifier().verify(&mislabelled, NOW, None), Err(TokenError::BadSignature));
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let stranger = TestKey::new_ed_dsa();
    let header = json!({"alg": "EdDSA", "jwk": stranger.jwk("own")});
    let token = token_with_header(&stranger, &header, &claims());
    assert_eq!(verifier().verify(&token, NOW, None), Err(TokenError::BadSignature));
}

#[test]
fn the_wrong_key_or_a_changed_byte_spoils_the_signature() {
    let stranger = TestKey::new_ed_dsa();
    assert_eq!(
        verifier().verify(&token(&stranger, &claims()), NOW, None),
        Err(TokenError::BadSignature)
    );
    for key in TestKey::asymmetric() {
        let good = token(key, &claims());
        let mut parts = good.split('.');
        let (header, signature) = (parts.next().unwrap(), parts.next_back().unwrap());
        let widened = encode(&claims_with(json!({"scope": "system/*.cruds"})));
        let tampered = format!("{header}.{widened}.{signature}");
        assert_eq!(verifier().verify(&tampered, NOW, None), Err(TokenError::BadSignature));
    }
}

#[test]
fn a_key_id_selects_the_key() {
    let key = TestKey::ed_dsa();
    let with_key_id =
        |key_id: &str| token_with_header(key, &json!({"alg": "EdDSA", "kid": key_id}), &claims());
    assert!(verifier().verify(&with_key_id("EdDSA"), NOW, None).is_ok());
    assert_eq!(verifier().verify(&with_key_id("next"), NOW, None), Err(TokenError::UnknownKey));
}

#[test]
fn of_several_keys_without_a_name_any_may_have_signed() {
    let (old, new) = (TestKey::new_ed_dsa(), TestKey::new_ed_dsa());
    let keys = [&old, &new]
        .map(|key| VerificationKey::from_pem(Algorithm::EdDsa, None, key.pem().as_bytes()).unwrap())
        .to_vec();
    let mut options = options();
    options.issuers = vec![Issuer { name: ISSUER.to_owned(), keys, requires_binding: false }];
    let verifier = Verifier::new(options).unwrap();
    for key in [&old, &new] {
        assert!(verifier.verify(&token(key, &claims()), NOW, None).is_ok());
    }
}
