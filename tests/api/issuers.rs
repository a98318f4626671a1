//! Issuers of tokens: configured ones with each algorithm, and the local one.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::{Server, Setup, patient, run, unique};
use crate::signer::{ALGORITHMS, Signer};
use crate::tokens::{base64url, seconds_from_now};

const ISSUER: &str = "https://login.example.org";

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "dr-rot", "aud": ["other", "chartlog"], "exp": seconds_from_now(600), "scope": "user/*.cruds", "client_id": "viewer" })
}

/// A server that trusts a configured issuer and not itself, and the issuer's keys: each once as a
/// PEM file, and once in a set.
fn with_issuer() -> &'static (Server, [Signer; 9]) {
    static BOTH: LazyLock<(Server, [Signer; 9])> = LazyLock::new(|| {
        let signers = ALGORITHMS.map(Signer::new);
        let jwk = |signer: &Signer| signer.jwk(&format!("jwk-{}", signer.algorithm));
        let jwks: Vec<Value> = signers.iter().map(jwk).collect();
        let keys = ALGORITHMS.map(|name| {
            format!(r#"{{ algorithm = "{name}", kid = "{name}", pem_file = "{name}.pem" }}"#)
        });
        let config = format!(
            "[auth]\nlocal_issuer = false\n[[auth.issuers]]\nname = \"{ISSUER}\"\njwks_file = \"keys.json\"\nkeys = [{}]\n",
            keys.join(", ")
        );
        let mut setup =
            Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
        setup = setup.file("keys.json", json!({ "keys": jwks }).to_string());
        for signer in &signers {
            setup = setup.file(&format!("{}.pem", signer.algorithm), signer.pem());
        }
        let server = setup.start();
        crate::harness::guard(&server);
        (server, signers)
    });
    &BOTH
}

#[test]
fn tokens_of_a_configured_issuer_are_accepted_with_each_algorithm() {
    let (server, signers) = with_issuer();
    for signer in signers {
        let name = signer.algorithm;
        for kid in [Some(name.to_owned()), None, Some(format!("jwk-{name}"))] {
            let actor = server.with_token(signer.token(kid.as_deref(), &claims()));
            let owner = unique("p");
            actor.put(&patient(&owner)).expect(201);
            let events = actor.events(&owner);
            assert_eq!(events[0]["actor"]["subject"], "dr-rot", "{name} {kid:?}");
            assert_eq!(
                (&events[0]["actor"]["issuer"], &events[0]["actor"]["client"]),
                (&json!(ISSUER), &json!("viewer"))
            );
        }
    }
}

#[test]
fn a_key_serves_no_algorithm_but_its_own() {
    let (server, signers) = with_issuer();
    for signer in signers {
        for other in ALGORITHMS.iter().filter(|other| **other != signer.algorithm) {
            let header = json!({ "alg": other, "kid": signer.algorithm }).to_string();
            let token = signer.token_of(header, claims().to_string());
            server.with_token(token).get("/fhir/Patient").refused(401, &["key"]);
        }
    }
}

#[test]
fn tokens_that_a_configured_issuer_would_not_make_are_refused() {
    let (server, signers) = with_issuer();
    let ed = &signers[8];
    let refused = |token: String, word: &str| {
        server.with_token(token).get("/fhir/Patient").refused(401, &[word]);
    };
    let with = |member: &str, value: Value| {
        let mut claims = claims();
        claims[member] = value;
        ed.token(Some("EdDSA"), &claims)
    };
    server.with_token(with("sub", json!("someone"))).get("/fhir/Patient").expect(200);
    refused(with("aud", json!("elsewhere")), "another server");
    refused(with("iss", json!("https://evil.example")), "issuer");
    refused(with("iss", json!("chartlog-local")), "issuer");
    refused(with("exp", json!(seconds_from_now(-600))), "expired");
    refused(with("exp", json!("tomorrow")), "exp");
    refused(with("exp", json!(null)), "exp");
    refused(with("nbf", json!(seconds_from_now(600))), "not valid yet");
    refused(with("sub", json!(null)), "sub");
    refused(with("sub", json!("")), "sub");
    refused(ed.token(Some("unknown"), &claims()), "key");
    let called = |algorithm: &str, kid: Option<&str>| {
        let header = json!({ "alg": algorithm, "kid": kid }).to_string();
        ed.token_of(header, claims().to_string())
    };
    refused(called("RS256", Some("RS256")), "signature");
    refused(called("HS256", Some("RS256")), "algorithm");
    refused(called("none", Some("RS256")), "");
    let stranger = Signer::new("EdDSA");
    refused(stranger.token(Some("EdDSA"), &claims()), "signature");
    // A public key is no shared secret.
    let pem = signers[0].pem();
    let header = base64url(r#"{"alg":"HS256","kid":"RS256"}"#);
    let signed = format!("{header}.{}", base64url(claims().to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pem.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    refused(format!("{signed}.{}", base64url(tag.as_ref())), "algorithm");
}

#[test]
fn the_local_issuer_is_not_believed_when_it_is_off() {
    let (server, _) = with_issuer();
    let local = server.token("dr-weiss", "user/*.cruds", None);
    server.with_token(local).get("/fhir/Patient").refused(401, &["issuer"]);
}

#[test]
fn a_server_that_others_can_reach_does_not_believe_the_local_issuer_unasked() {
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().join("data");
    let output = run(&["serve", "--listen", "0.0.0.0:0", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("auth.local_issuer") && stderr.contains("0.0.0.0:0"), "{stderr}");
    assert!(output.stdout.is_empty() && !data.exists(), "nothing was done");
}

#[test]
fn what_a_token_says_of_its_subject_stands_in_entries_and_events() {
    let (server, signers) = with_issuer();
    let signer = &signers[8];
    let mut all = claims();
    for (name, value) in [
        ("scope", json!("user/*.cruds user/AuditEvent.rs")),
        ("jti", json!("token-77")),
        ("name", json!("Dr Rot")),
        ("role", json!("physician")),
        ("act", json!({ "sub": "nurse-1" })),
        (
            "extensions",
            json!({ "ihe_iua": {
            "subject_organization": "North Clinic", "purpose_of_use": [{ "code": "BTG" }],
        } }),
        ),
    ] {
        all[name] = value;
    }
    let actor = server.with_token(signer.token(Some("EdDSA"), &all));
    let (owner, id) = (unique("p"), unique("request"));
    actor.put(&patient(&owner)).expect(201);
    let read = actor.request("GET", &format!("/fhir/Patient/{owner}"));
    // The purpose of the token wins over that of the header.
    read.header("x-request-id", &id).header("x-purpose-of-use", "TREAT").send().expect(200);
    let said = json!({
        "subject": "dr-rot", "issuer": ISSUER, "client": "viewer", "tokenId": "token-77",
        "name": "Dr Rot", "role": "physician", "organization": "North Clinic", "acting": "nurse-1",
        "purpose": "BTG",
    });
    let page = actor.get("/v1/accesses?breakGlass=true&organization=North%20Clinic&count=50");
    let entries = page.expect(200).json()["accesses"].clone();
    let is_of = |entry: &&Value| entry["clientRequest"] == id.as_str();
    let entry = entries.as_array().unwrap().iter().find(is_of).unwrap();
    let event = &actor.events(&owner)[0]["actor"];
    for (name, value) in said.as_object().unwrap() {
        assert_eq!((&entry[name], &event[name]), (value, value), "{name}");
    }
    assert_eq!((&entry["breakGlass"], &entry["scopes"]), (&json!(true), &all["scope"]));
    // Who acted is found by their own name.
    let acted = actor.get("/v1/accesses?actor=nurse-1&count=50").expect(200).json();
    assert!(acted["accesses"].as_array().unwrap().iter().any(|entry| is_of(&entry)));
}
