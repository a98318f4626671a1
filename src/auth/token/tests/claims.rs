//! What a well-signed token must and may claim.

use super::*;

#[test]
fn optional_claims_may_be_absent_and_take_other_forms() {
    let accepted = |changes: Value| {
        verifier().verify(&token(TestKey::ed_dsa(), &claims_with(changes)), NOW, None).unwrap()
    };
    let bare = accepted(json!({
        "nbf": null, "jti": null, "scope": null, "client_id": null, "patient": null,
    }));
    assert_eq!(
        (&bare.identity.client, &bare.patient, &bare.identity.token_id),
        (&None, &None, &None)
    );
    assert_eq!(bare.not_before, None);
    assert!(bare.scopes.is_empty());

    let scopes =
        accepted(json!({"scope": ["user/Patient.r", "user/Observation.r openid"]})).scopes.clone();
    assert_eq!(scopes, crate::auth::Scopes::parse("user/Patient.r user/Observation.r"));

    let authorized_party = accepted(json!({"client_id": null, "azp": "portal"}));
    assert_eq!(authorized_party.identity.client.as_deref(), Some("portal"));

    accepted(json!({"aud": ["elsewhere", "other-name"]}));
    assert_eq!(accepted(json!({"exp": NOW as f64 + 1.5})).expires_at, NOW + 1);
    accepted(json!({"sub": "ü".repeat(256)}));
}

#[test]
fn a_token_holds_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let token = token(TestKey::ed_dsa(), &claims());
    let (begin, end) = (NOW - 600 - LEEWAY_SECONDS, NOW + 600 + LEEWAY_SECONDS);
    assert_eq!(verifier().verify(&token, begin - 1, None), Err(TokenError::NotYetValid));
    assert!(verifier().verify(&token, begin, None).is_ok());
    assert!(verifier().verify(&token, end - 1, None).is_ok());
    assert_eq!(verifier().verify(&token, end, None), Err(TokenError::Expired));
}

#[test]
fn a_token_that_was_issued_in_the_future_is_not_valid_yet() {
    let with = |issued: Value| {
        verifier()
            .verify(&token(TestKey::ed_dsa(), &claims_with(json!({"iat": issued}))), NOW, None)
            .err()
    };
    assert_eq!(with(json!(NOW - 600)), None);
    assert_eq!(with(json!(NOW + LEEWAY_SECONDS)), None);
    for future in [json!(NOW + LEEWAY_SECONDS + 1), json!(i64::MAX), json!(u64::MAX), json!(1e300)]
    {
        assert_eq!(with(future.clone()), Some(TokenError::NotYetValid), "{future}");
    }
    for odd in [json!("now"), json!(true), json!([NOW]), json!({})] {
        assert_eq!(with(odd.clone()), Some(TokenError::InvalidClaim("iat")), "{odd}");
    }
}

#[test]
fn extreme_times_neither_overflow_nor_open_the_door() {
    assert_eq!(refusal_of(&claims_with(json!({"exp": i64::MIN}))), TokenError::Expired);
    assert_eq!(refusal_of(&claims_with(json!({"exp": -1e300}))), TokenError::Expired);
    assert_eq!(refusal_of(&claims_with(json!({"nbf": i64::MAX}))), TokenError::NotYetValid);
    assert_eq!(refusal_of(&claims_with(json!({"nbf": 1e300}))), TokenError::NotYetValid);
    let endless = token(TestKey::ed_dsa(), &claims_with(json!({"exp": u64::MAX})));
    assert!(verifier().verify(&endless, NOW, None).is_ok());
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
        ("sub", json!("a\u{0}")),
        ("sub", json!("a\u{7f}b")),
        ("sub", json!("a\u{2028}b")),
        ("sub", json!("nurse\u{202e}rd")),
        ("sub", json!("a\u{2066}b")),
        ("jti", json!("a\u{1b}[2K")),
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

#[test]
fn a_token_says_who_its_subject_is_in_its_own_words_or_those_of_iua() {
    let accepted = |changes: Value| {
        verifier().verify(&token(TestKey::ed_dsa(), &claims_with(changes)), NOW, None).unwrap()
    };
    let described = |caller: &crate::auth::Caller| {
        let identity = &caller.identity;
        [&identity.name, &identity.role, &identity.organization, &caller.purpose].map(Clone::clone)
    };
    let all = |texts: [&str; 4]| texts.map(|text| Some(text.to_owned()));
    let plain = accepted(json!({
        "name": "Dr Adams", "role": "physician", "organization": "North Clinic",
        "purpose_of_use": "TREAT",
    }));
    assert_eq!(described(&plain), all(["Dr Adams", "physician", "North Clinic", "TREAT"]));
    let iua = json!({ "ihe_iua": {
        "subject_name": "Dr Weiss",
        "subject_organization": "South Clinic",
        "subject_role": [{ "system": "http://snomed.info/sct", "code": "158965000" }],
        "purpose_of_use": [{ "system": "urn:x", "code": "TREAT" }, { "code": "ETREAT" }],
    } });
    let coded = accepted(json!({ "extensions": iua }));
    let expected =
        ["Dr Weiss", "http://snomed.info/sct|158965000", "South Clinic", "urn:x|TREAT ETREAT"];
    assert_eq!(described(&coded), all(expected));
    // What the token says itself comes first.
    let both = accepted(json!({ "name": "Dr Adams", "extensions": iua }));
    assert_eq!(both.identity.name.as_deref(), Some("Dr Adams"));
    assert_eq!(both.identity.organization.as_deref(), Some("South Clinic"));
    // Nothing rests on these, so what makes no sense is left out.
    let odd = accepted(json!({
        "name": 7, "role": "a\nb", "organization": "x".repeat(257), "purpose_of_use": [{}],
        "extensions": "none",
    }));
    assert_eq!(described(&odd), [None, None, None, None]);
    assert_eq!(described(&accepted(json!({}))), [None, None, None, None]);
}

#[test]
fn a_token_names_who_acts_and_all_that_it_grants() {
    let accepted = |changes: Value| {
        verifier().verify(&token(TestKey::ed_dsa(), &claims_with(changes)), NOW, None).unwrap()
    };
    let acting = accepted(json!({ "act": { "sub": "nurse-1", "iss": "x" } }));
    assert_eq!(acting.identity.acting.as_deref(), Some("nurse-1"));
    assert_eq!(accepted(json!({ "act": null })).identity.acting, None);
    assert_eq!(
        refusal_of(&claims_with(json!({ "act": { "sub": 7 } }))),
        TokenError::InvalidClaim("act")
    );
    // Also rights that are none here: the decision rested on all of them.
    let scopes = accepted(json!({ "scope": ["openid", "user/Patient.r\u{7}"] }));
    assert_eq!(scopes.identity.scopes.as_deref(), Some("openid user/Patient.r"));
    let long = accepted(json!({ "scope": "user/Patient.r ".repeat(100) }));
    assert_eq!(long.identity.scopes.as_ref().map(String::len), Some(512));
}
