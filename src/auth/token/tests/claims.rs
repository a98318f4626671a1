//! What a well-signed token must and may claim.

use super::*;

#[test]
fn optional_claims_may_be_absent_and_take_other_forms() {
    let accepted = |changes: Value| {
        verifier().verify(&token(TestKey::ed_dsa(), &claims_with(changes)), NOW).unwrap()
    };
    let bare = accepted(json!({
        "nbf": null, "jti": null, "scope": null, "client_id": null, "patient": null,
    }));
    assert_eq!((&bare.client, &bare.patient, &bare.token_id), (&None, &None, &None));
    assert_eq!(bare.not_before, None);
    assert!(bare.scopes.is_empty());

    let scopes =
        accepted(json!({"scope": ["user/Patient.r", "user/Observation.r openid"]})).scopes.clone();
    assert_eq!(scopes, crate::auth::Scopes::parse("user/Patient.r user/Observation.r"));

    let authorized_party = accepted(json!({"client_id": null, "azp": "portal"}));
    assert_eq!(authorized_party.client.as_deref(), Some("portal"));

    accepted(json!({"aud": ["elsewhere", "other-name"]}));
    assert_eq!(accepted(json!({"exp": NOW as f64 + 1.5})).expires_at, NOW + 1);
    accepted(json!({"sub": "ü".repeat(256)}));
}

#[test]
fn a_token_holds_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let token = token(TestKey::ed_dsa(), &claims());
    let (begin, end) = (NOW - 600 - LEEWAY_SECONDS, NOW + 600 + LEEWAY_SECONDS);
    assert_eq!(verifier().verify(&token, begin - 1), Err(TokenError::NotYetValid));
    assert!(verifier().verify(&token, begin).is_ok());
    assert!(verifier().verify(&token, end - 1).is_ok());
    assert_eq!(verifier().verify(&token, end), Err(TokenError::Expired));
}

#[test]
fn extreme_times_neither_overflow_nor_open_the_door() {
    assert_eq!(refusal_of(&claims_with(json!({"exp": i64::MIN}))), TokenError::Expired);
    assert_eq!(refusal_of(&claims_with(json!({"exp": -1e300}))), TokenError::Expired);
    assert_eq!(refusal_of(&claims_with(json!({"nbf": i64::MAX}))), TokenError::NotYetValid);
    assert_eq!(refusal_of(&claims_with(json!({"nbf": 1e300}))), TokenError::NotYetValid);
    let endless = token(TestKey::ed_dsa(), &claims_with(json!({"exp": u64::MAX})));
    assert!(verifier().verify(&endless, NOW).is_ok());
}

#[test]
fn required_claims_are_required() {
    for name in ["iss", "sub", "aud", "exp"] {
        assert_eq!(refusal_of(&claims_with(json!({name: null}))), TokenError::MissingClaim(name));
    }
}

#[test]
fn claims_of_the_wrong_form_are_refused_by_name() {
    for (name, value) in [
        ("iss", json!(1)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("x".repeat(257))),
        ("sub", json!("a\nb")),
        ("sub", json!("a\u{85}b")),
        ("aud", json!({"name": AUDIENCE})),
        ("aud", json!([AUDIENCE, 1])),
        ("exp", json!("1800000600")),
        ("nbf", json!(true)),
        ("jti", json!("x".repeat(257))),
        ("scope", json!({"user": "all"})),
        ("scope", json!([["user/*.r"]])),
        ("client_id", json!("x\u{0}")),
        ("patient", json!("Patient/p1")),
        ("patient", json!("")),
        ("patient", json!("x".repeat(65))),
        ("patient", json!(["p1"])),
    ] {
        assert_eq!(
            refusal_of(&claims_with(json!({name: value.clone()}))),
            TokenError::InvalidClaim(name),
            "{value}"
        );
    }
}

#[test]
fn a_token_for_another_server_or_from_another_issuer_is_refused() {
    for audience in
        [json!("elsewhere"), json!([]), json!(["a", "b"]), json!(format!("{AUDIENCE}/"))]
    {
        assert_eq!(refusal_of(&claims_with(json!({"aud": audience}))), TokenError::WrongAudience);
    }
    for issuer in ["https://elsewhere.example", "https://issuer.example/", ""] {
        assert_eq!(refusal_of(&claims_with(json!({"iss": issuer}))), TokenError::UnknownIssuer);
    }
}
