//! Tokens that are bound to a certificate.

use super::*;

/// Thumbprints of two certificates, the first as a token says it.
fn thumbprints() -> (Value, [Thumbprint; 2]) {
    let digest = digest(&SHA256, b"a certificate");
    let said = json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(digest) });
    (said, [Thumbprint::of(b"a certificate"), Thumbprint::of(b"another")])
}

#[test]
fn a_bound_token_is_worth_something_only_beside_its_certificate_also_from_memory() {
    let verifier = verifier();
    let (said, [own, other]) = thumbprints();
    let bound = token(TestKey::ed_dsa(), &claims_with(json!({ "cnf": said })));
    let free = token(TestKey::ed_dsa(), &claims());
    let refused = Some(TokenError::WrongCertificate);
    for _ in 0..2 {
        assert_eq!(verifier.verify(&bound, NOW, None).err(), refused);
        assert_eq!(verifier.verify(&bound, NOW, Some(other)).err(), refused);
        // From here on it is remembered.
        assert_eq!(verifier.verify(&bound, NOW, Some(own)).err(), None);
        assert_eq!(verifier.verify(&free, NOW, Some(other)).err(), None);
    }
}

#[test]
fn what_it_is_bound_to_must_be_understood_as_a_whole() {
    let (said, [own, _]) = thumbprints();
    let thumbprint = said["x5t#S256"].as_str().unwrap();
    let refused = |claims: &Value| {
        let text = claims.to_string();
        // `claims_with` takes null for absence.
        let text = text.replace("\"nothing\"", "null");
        let header = json!({ "alg": "EdDSA" }).to_string();
        let token = token_of(TestKey::ed_dsa(), &header, &text);
        verifier().verify(&token, NOW, Some(own)).err()
    };
    assert_eq!(refused(&claims_with(json!({ "cnf": said }))), None);
    let (unknown, invalid) = (TokenError::UnsupportedBinding, TokenError::InvalidClaim("cnf"));
    for (cnf, expected) in [
        (json!({ "jkt": thumbprint }), unknown),
        (json!({ "x5t#S256": thumbprint, "jkt": thumbprint }), unknown),
        (json!({ "jwk": { "kty": "OKP" } }), unknown),
        (json!({ "x5t#s256": thumbprint }), unknown),
        (json!({}), unknown),
        (json!("nothing"), invalid),
        (json!(thumbprint), invalid),
        (json!([said]), invalid),
        (json!({ "x5t#S256": "nothing" }), invalid),
        (json!({ "x5t#S256": [thumbprint] }), invalid),
        (json!({ "x5t#S256": format!("{thumbprint}=") }), invalid),
        (json!({ "x5t#S256": &thumbprint[..42] }), invalid),
        (json!({ "x5t#S256": "" }), invalid),
    ] {
        assert_eq!(refused(&claims_with(json!({ "cnf": cnf }))), Some(expected), "{cnf}");
    }
}

#[test]
fn an_issuer_whose_tokens_must_be_bound_is_held_to_it_whatever_keys_it_has() {
    let mut options = options();
    options.issuers[0].requires_binding = true;
    let verifier = Verifier::new(options).unwrap();
    let (said, [own, _]) = thumbprints();
    let key = TestKey::new_ed_dsa();
    verifier.renew(ISSUER, vec![VerificationKey::from_jwk(&key.jwk("new")).unwrap()]).unwrap();
    let free = token(&key, &claims());
    assert_eq!(verifier.verify(&free, NOW, Some(own)).err(), Some(TokenError::NotBound));
    let bound = token(&key, &claims_with(json!({ "cnf": said })));
    assert_eq!(verifier.verify(&bound, NOW, Some(own)).err(), None);
    // Of another issuer that is not asked for.
    let local = hmac_token(&LOCAL_SECRET, &claims_with(json!({ "iss": LocalIssuer::ISSUER })));
    assert_eq!(verifier.verify(&local, NOW, None).err(), None);
}
