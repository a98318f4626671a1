//! What does not even have the form of a token.

use super::*;

#[test]
fn headers_that_ask_for_something_else_are_refused() {
    let key = TestKey::ed_dsa();
    for (header, expected) in [
        (json!({"alg": "EdDSA"}), None),
        (json!({"alg": "EdDSA", "typ": "jwt"}), None),
        (json!({"alg": "EdDSA", "typ": "application/at+jwt"}), None),
        (json!({"alg": "EdDSA", "typ": "logout+jwt"}), Some(TokenError::UnsupportedHeader("typ"))),
        (
            json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}),
            Some(TokenError::UnsupportedHeader("crit")),
        ),
        (json!({"alg": "EdDSA", "crit": []}), Some(TokenError::UnsupportedHeader("crit"))),
        (json!({"alg": ["EdDSA"]}), Some(TokenError::Malformed)),
        (json!({"typ": "JWT"}), Some(TokenError::Malformed)),
    ] {
        let token = token_with_header(key, &header, &claims());
        assert_eq!(verifier().verify(&token, NOW).err(), expected, "{header}");
    }
}

#[test]
fn garbage_is_malformed() {
    let good = token(TestKey::ed_dsa(), &claims());
    let (header, _) = good.split_once('.').unwrap();
    let twice = URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"{ISSUER}","sub":"a","sub":"b"}}"#));
    for garbage in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "not a token".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}.{good}"),
        format!(".{good}"),
        format!("Bearer {good}"),
        format!("{header}.e30"),
        format!("{header}.{}.c2ln", encode(&json!("text"))),
        format!("{header}.{}=.c2ln", encode(&claims())),
        format!("{header}.{twice}.c2ln"),
        format!("{header}.\u{e9}.c2ln"),
    ] {
        assert_eq!(verifier().verify(&garbage, NOW), Err(TokenError::Malformed), "{garbage}");
    }
}

#[test]
fn a_token_beyond_the_limit_is_not_looked_at() {
    let long = "x".repeat(TOKEN_LENGTH_MAX + 1);
    assert_eq!(verifier().verify(&long, NOW), Err(TokenError::TooLong));
    assert_eq!(verifier().verify(&long[1..], NOW), Err(TokenError::Malformed));
}
