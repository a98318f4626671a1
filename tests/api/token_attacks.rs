//! Known attacks on tokens, against the server as it stands on a network.

use serde_json::{Value, json};

use crate::harness::{Server, Setup, only_access_of_request, unique};
use crate::signer::Signer;
use crate::tokens::{base64url, seconds_from_now};

const ISSUER: &str = "https://login.example.org";

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "dr-rot", "aud": "chartlog", "exp": seconds_from_now(600), "scope": "user/*.cruds" })
}

/// A server that trusts two issuers, whose keys have the same name.
fn server(own: &Signer, other: &Signer) -> Server {
    let config = format!(
        "[[auth.issuers]]\nname = \"{ISSUER}\"\njwks_file = \"own.json\"\n\
         [[auth.issuers]]\nname = \"https://other.example.org\"\njwks_file = \"other.json\"\n"
    );
    let set = |signer: &Signer| json!({ "keys": [signer.jwk("k")] }).to_string();
    let setup = Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
    // Each attack is looked for in the access log.
    let setup = setup.set("limits.stranger_entries_max=1000");
    setup.file("own.json", set(own)).file("other.json", set(other)).start()
}

#[test]
fn known_attacks_on_tokens_are_refused_and_leave_an_entry() {
    let (own, other) = (Signer::new("RS256"), Signer::new("RS256"));
    let stranger = Signer::new("RS256");
    let server = server(&own, &other);
    let header = |more: &str| format!(r#"{{"alg":"RS256","kid":"k"{more}}}"#);
    let good = own.token_of(header(""), claims().to_string());
    server.with_token(&good).get("/fhir/Patient").expect(200);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let with_header = |more: &str| own.token_of(header(more), claims().to_string());
    let with_claims = |more: &str| {
        let claims = claims().to_string();
        own.token_of(header(""), format!("{}{more}}}", claims.strip_suffix('}').unwrap()))
    };
    let replaced = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        own.token_of(header(""), claims.to_string())
    };
    let by_secret = |secret: &[u8]| {
        let signed = format!("{}.{body}", base64url(r#"{"alg":"HS256","kid":"k"}"#));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", base64url(tag.as_ref()))
    };
    let unsigned = |algorithm: &str| {
        let head = base64url(format!(r#"{{"alg":"{algorithm}","kid":"k"}}"#));
        [format!("{head}.{body}."), format!("{head}.{body}.{signature}")]
    };
    let brought = stranger.jwk("k");
    let far = seconds_from_now(86_400 * 365);
    let mut attacks: Vec<(&str, String)> = vec![
        ("no signature", format!("{head}.{body}.")),
        ("no third part", signed.to_owned()),
        ("a fourth part", format!("{good}.{signature}")),
        ("five parts, as if encrypted", format!("{good}.{signature}.{signature}")),
        ("padding", format!("{head}.{body}.{signature}==")),
        ("blanks", format!("{head}. {body}.{signature}")),
        ("a signature of zeros", format!("{head}.{body}.{}", base64url([0; 256]))),
        ("a short signature", format!("{head}.{body}.{}", &signature[..340])),
        ("a wider scope", {
            let mut wider = claims();
            wider["scope"] = json!("system/*.cruds");
            format!("{head}.{}.{signature}", base64url(wider.to_string()))
        }),
        ("another header", format!("{}.{body}.{signature}", base64url(header(r#","x":1"#)))),
        ("the public key as a secret, PEM", by_secret(own.pem().as_bytes())),
        ("the public key as a secret, trimmed", by_secret(own.pem().trim().as_bytes())),
        ("the public key as a secret, JWK", by_secret(own.jwk("k").to_string().as_bytes())),
        ("an empty secret", by_secret(b"")),
        ("another's key", stranger.token_of(header(""), claims().to_string())),
        ("another issuer's key", other.token_of(header(""), claims().to_string())),
        ("another issuer's name", replaced("iss", json!("https://other.example.org"))),
        ("the local issuer's name", replaced("iss", json!("chartlog-local"))),
        (
            "a name that begins alike",
            replaced("iss", json!("https://login.example.org.evil.example")),
        ),
        ("two names", replaced("iss", json!([ISSUER]))),
        ("a key brought along", {
            let header = json!({ "alg": "RS256", "kid": "k", "jwk": brought }).to_string();
            stranger.token_of(header, claims().to_string())
        }),
        ("an address of keys", {
            let header = r#"{"alg":"RS256","kid":"k","jku":"http://127.0.0.1:1/keys"}"#;
            stranger.token_of(header, claims().to_string())
        }),
        (
            "a path as the name of a key",
            own.token_of(r#"{"alg":"RS256","kid":"../../dev/null"}"#, claims().to_string()),
        ),
        (
            "another algorithm of the same key",
            own.token_of(r#"{"alg":"PS256","kid":"k"}"#, claims().to_string()),
        ),
        ("crit", with_header(r#","crit":["exp"],"exp":1"#)),
        ("crit of nothing", with_header(r#","crit":null"#)),
        ("b64", with_header(r#","b64":false"#)),
        ("a token for another purpose", with_header(r#","typ":"dpop+jwt""#)),
        ("a nested token", with_header(r#","cty":"JWT""#)),
        ("a compressed token", with_header(r#","zip":"DEF""#)),
        (
            "an algorithm twice",
            own.token_of(r#"{"alg":"none","alg":"RS256","kid":"k"}"#, claims().to_string()),
        ),
        ("a subject twice", with_claims(r#","sub":"admin""#)),
        ("a subject twice, once escaped", with_claims(r#","\u0073ub":"admin""#)),
        ("a line break in the subject", replaced("sub", json!("dr-rot\nadmin"))),
        ("a zero in the subject", replaced("sub", json!("dr-rot\0"))),
        ("a subject that is read backwards", replaced("sub", json!("dr-\u{202e}tor"))),
        ("no audience", replaced("aud", json!([]))),
        ("an audience that begins alike", replaced("aud", json!("chartlog.evil.example"))),
        ("expired", replaced("exp", json!(seconds_from_now(-86_400)))),
        ("an expiry before all time", replaced("exp", json!(i64::MIN))),
        ("an expiry that is no number", replaced("exp", json!("never"))),
        ("not valid before long", replaced("nbf", json!(far))),
        ("never valid", replaced("nbf", json!(1e300))),
        ("issued in the future", replaced("iat", json!(far))),
        ("an expiry beyond numbers", {
            let claims = claims().to_string().replace(r#""exp":"#, r#""exp":1e999,"exp2":"#);
            own.token_of(header(""), claims)
        }),
        (
            "deeply nested",
            with_claims(&format!(r#","x":{}{}"#, "[".repeat(4_000), "]".repeat(4_000))),
        ),
        ("claims that are a list", own.token_of(header(""), json!([claims()]).to_string())),
        ("too long", with_claims(&format!(r#","x":"{}""#, "x".repeat(20_000)))),
    ];
    for algorithm in
        ["none", "None", "NONE", "nOnE", "", "none ", "RS256 ", "rs256", "HS256", "ES256K"]
    {
        attacks.extend(unsigned(algorithm).map(|token| ("unsigned", token)));
    }
    for (name, token) in &attacks {
        let id = unique("attack");
        let request = server.with_token(token).request("GET", "/fhir/Patient");
        let response = request.header("x-request-id", &id).send();
        assert_eq!(response.status, 401, "{name}: {}", response.text());
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("error=\"invalid_token\""), "{name}: {challenge}");
        // Nothing that the token says is said again.
        for word in ["dr-rot", "admin", "evil.example", "dev/null"] {
            assert!(!response.text().contains(word), "{name}: {}", response.text());
            assert!(!challenge.contains(word), "{name}: {challenge}");
        }
        let entry = only_access_of_request(&server, &id);
        assert_eq!(
            (&entry["outcome"], &entry["status"]),
            (&json!("refused"), &json!(401)),
            "{name}"
        );
        assert_eq!(entry.get("subject"), None, "{name}: nobody is to blame: {entry}");
    }
    assert!(!server.log().contains(signature), "no token in the log");
    // Still as good as before.
    server.with_token(&good).get("/fhir/Patient").expect(200);
}
