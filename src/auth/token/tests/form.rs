//! What does not even have the form of a token.

use proptest::prelude::*;

use super::*;

#[test]
fn headers_that_ask_for_something_else_are_refused() {
    let key = TestKey::ed_dsa();
    let unsupported = |name| Some(TokenError::UnsupportedHeader(name));
    for (header, expected) in [
        (r#"{"alg":"EdDSA"}"#, None),
        (r#"{"alg":"EdDSA","typ":"jwt"}"#, None),
        (r#"{"alg":"EdDSA","typ":"application/at+jwt"}"#, None),
        (r#"{"alg":"EdDSA","of the future":{}}"#, None),
        (r#"{"alg":"EdDSA","typ":"logout+jwt"}"#, unsupported("typ")),
        (r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#, unsupported("typ")),
        (r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","crit":["exp"],"exp":1}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","crit":[]}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","crit":null}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","crit":false}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","\u0063rit":null}"#, unsupported("crit")),
        (r#"{"alg":"EdDSA","b64":false}"#, unsupported("b64")),
        (r#"{"alg":"EdDSA","b64":true}"#, unsupported("b64")),
        (r#"{"alg":"EdDSA","b64":null}"#, unsupported("b64")),
        (r#"{"alg":"EdDSA","cty":"JWT"}"#, unsupported("cty")),
        (r#"{"alg":"EdDSA","cty":null}"#, unsupported("cty")),
        (r#"{"alg":"EdDSA","zip":"DEF"}"#, unsupported("zip")),
        (r#"{"alg":"EdDSA","enc":"A256GCM"}"#, unsupported("enc")),
        (r#"{"alg":["EdDSA"]}"#, Some(TokenError::Malformed)),
        (r#"{"alg":null}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","kid":null}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","kid":["EdDSA"]}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","typ":null}"#, Some(TokenError::Malformed)),
        (r#"{"typ":"JWT"}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"none","alg":"EdDSA"}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","\u0061lg":"EdDSA"}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","x":{"y":1,"y":2}}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA"} {}"#, Some(TokenError::Malformed)),
        (r#"{"alg":"EdDSA","kid":"\ud800"}"#, Some(TokenError::Malformed)),
        (r#"["EdDSA",null,null]"#, Some(TokenError::Malformed)),
        ("\u{feff}{\"alg\":\"EdDSA\"}", Some(TokenError::Malformed)),
    ] {
        let token = token_of(key, header, &claims().to_string());
        assert_eq!(verifier().verify(&token, NOW, None).err(), expected, "{header}");
    }
}

#[test]
fn a_payload_must_be_one_object_whose_members_occur_once() {
    let good = claims().to_string();
    let header = r#"{"alg":"EdDSA"}"#;
    let verdict = |claims: &str| {
        verifier().verify(&token_of(TestKey::ed_dsa(), header, claims), NOW, None).err()
    };
    assert_eq!(verdict(&good), None);
    let with = |more: &str| format!("{},{more}}}", good.strip_suffix('}').unwrap());
    assert_eq!(verdict(&with(r#""of the future":[{}]"#)), None);
    for more in [
        r#""sub":"admin""#,
        r#""\u0073ub":"admin""#,
        r#""other":1,"other":1"#,
        r#""act":{"sub":"a","sub":"b"}"#,
        r#""exp2":1e400e"#,
        r#""name":"\ud800""#,
    ] {
        assert_eq!(verdict(&with(more)), Some(TokenError::Malformed), "{more}");
    }
    let deep = format!("\"x\":{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for claims in [format!("[{good}]"), format!("{good}{good}"), with(&deep), "null".to_owned()] {
        assert_eq!(verdict(&claims), Some(TokenError::Malformed));
    }
    // Another token in place of claims, as a nested one would have it.
    let nested = token(TestKey::ed_dsa(), &claims());
    assert_eq!(verdict(&nested), Some(TokenError::Malformed));
    assert_eq!(verdict(&format!("\"{nested}\"")), Some(TokenError::Malformed));
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
        assert_eq!(verifier().verify(&garbage, NOW, None), Err(TokenError::Malformed), "{garbage}");
    }
}

#[test]
fn a_token_beyond_the_limit_is_not_looked_at() {
    let long = "x".repeat(TOKEN_LENGTH_MAX + 1);
    assert_eq!(verifier().verify(&long, NOW, None), Err(TokenError::TooLong));
    assert_eq!(verifier().verify(&long[1..], NOW, None), Err(TokenError::Malformed));
}

/// A good token, and what is done to it.
fn torn() -> impl Strategy<Value = String> {
    let good = token(TestKey::ed_dsa(), &claims());
    let length = good.len();
    let change = (0..length, 0..length, proptest::char::any(), any::<u8>());
    change.prop_map(move |(from, until, letter, kind)| {
        let mut text = good.clone();
        match kind % 4 {
            0 => text.truncate(from),
            1 => text.replace_range(from.min(until)..from.max(until), ""),
            2 => text.insert(from, letter),
            _ => text.replace_range(from..=from, &letter.to_string()),
        }
        text
    })
}

/// A value of JSON that may stand where something else is expected.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_refused_or_malformed_and_never_panics(text in ".{0,300}") {
        prop_assert_eq!(verifier().verify(&text, NOW, None), Err(TokenError::Malformed));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_refused(text in torn()) {
        let good = token(TestKey::ed_dsa(), &claims());
        prop_assert_eq!(verifier().verify(&text, NOW, None).is_ok(), text == good);
    }

    #[test]
    fn whatever_is_signed_is_a_caller_or_refused(
        member in prop::sample::select(vec![
            "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "azp", "patient",
            "act", "name", "role", "organization", "fhirUser", "purpose_of_use", "extensions",
        ]),
        value in json(),
        header in json(),
    ) {
        let mut changed = claims();
        changed[member] = value;
        if let Ok(caller) = verifier().verify(&token(TestKey::ed_dsa(), &changed), NOW, None) {
            let identity = &caller.identity;
            let names = [&identity.client, &identity.token_id, &identity.acting, &identity.name];
            let names = names.into_iter().flatten().chain([&identity.subject]);
            for name in names {
                prop_assert!(!name.is_empty() && !name.chars().any(char::is_control));
            }
            prop_assert!(caller.expires_at > NOW - LEEWAY_SECONDS);
        }
        let odd = token_of(TestKey::ed_dsa(), &header.to_string(), &claims().to_string());
        prop_assert!(verifier().verify(&odd, NOW, None).is_err());
    }
}
