//! Where apps learn how to get tokens.

use serde_json::{Value, json};

use crate::harness::{Server, Setup, shared};
use crate::issuer_keys::Issuer;
use crate::webhooks::wait_for;

const PLACES: [&str; 2] =
    ["/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration"];

/// What the CapabilityStatement says of security.
fn security(server: &Server) -> Value {
    let statement = server.anonymous().get("/fhir/metadata").expect(200).json();
    statement["rest"][0]["security"].clone()
}

/// The endpoints that it names.
fn oauth_uris(server: &Server) -> Vec<(String, String)> {
    let security = security(server);
    let extension = &security["extension"][0];
    assert_eq!(
        extension["url"],
        "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named = extension["extension"].as_array().unwrap().iter();
    named.map(|one| (text(&one["url"]), text(&one["valueUri"]))).collect()
}

#[test]
fn what_the_configuration_says_of_an_issuer_is_told_and_nothing_beside() {
    let expected = json!({
        "authorization_endpoint": "https://login.example.org/authorize",
        "token_endpoint": "https://login.example.org/token",
        "grant_types_supported": ["authorization_code"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": [],
        "capabilities": ["permission-v1", "permission-v2", "permission-patient", "permission-user", "launch-standalone"],
    });
    for place in PLACES {
        let response = shared().anonymous().get(place).expect(200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(response.json(), expected);
        let status = shared().anonymous().get(&format!("{place}?nonsense=1")).status;
        assert_eq!(status, 400, "{place}");
        // A token, even a bad one, changes nothing.
        assert_eq!(shared().with_token("bad").get(place).expect(200).json(), expected);
    }
    assert_eq!(
        oauth_uris(shared()),
        [
            ("authorize".to_owned(), "https://login.example.org/authorize".to_owned()),
            ("token".to_owned(), "https://login.example.org/token".to_owned()),
        ]
    );
}

#[test]
fn who_knows_of_no_issuer_says_so() {
    let server = Server::start();
    server.anonymous().get(PLACES[0]).refused(404, &["no place where tokens are to be had"]);
    server.anonymous().get(PLACES[1]).problem(404, &["no place where tokens are to be had"]);
    let security = security(&server);
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    assert_eq!(security.get("extension"), None);
}

#[test]
fn what_an_issuer_says_about_itself_is_passed_on_as_far_as_it_is_safe() {
    let issuer = Issuer::start();
    let name = issuer.at("/login");
    let config = format!(
        "[auth]\nkeys_refresh_seconds = 1\n[[auth.issuers]]\nname = \"{name}\"\ndiscovery = true\n\
         capabilities = [\"sso-openid-connect\"]\n"
    );
    let setup = Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
    let server = setup.start();
    let at = |path: &str| json!(issuer.at(path));
    let mut about = json!({
        "issuer": name, "jwks_uri": at("/keys"),
        "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "revocation_endpoint": at("/revoke"), "introspection_endpoint": "http://evil.example/",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt", "tls_client_auth"],
        "grant_types_supported": ["authorization_code", "implicit", "client_credentials"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "scopes_supported": ["openid", "patient/*.rs"], "response_types_supported": ["code"],
    });
    issuer.says("/keys", &json!({ "keys": [] }));
    issuer.says("/login/.well-known/openid-configuration", &about);
    let told = wait_for("the issuer is known", || {
        let response = server.anonymous().get(PLACES[0]);
        (response.status == 200).then(|| response.json())
    });
    let expected = json!({
        "issuer": name, "jwks_uri": at("/keys"),
        "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "revocation_endpoint": at("/revoke"),
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt", "tls_client_auth"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "patient/*.rs"], "response_types_supported": ["code"],
        "capabilities": [
            "permission-v1", "permission-v2", "permission-patient", "permission-user",
            "client-public", "client-confidential-asymmetric", "sso-openid-connect",
        ],
    });
    assert_eq!(told, expected);
    let named: Vec<_> = oauth_uris(&server).into_iter().map(|(name, _)| name).collect();
    assert_eq!(named, ["authorize", "token", "revoke"]);
    // It changes its mind, and then it is down: what it said last is what is told.
    about["token_endpoint"] = at("/token2");
    issuer.says("/login/.well-known/openid-configuration", &about);
    let is_new = || server.anonymous().get(PLACES[0]).json()["token_endpoint"] == at("/token2");
    wait_for("the other endpoint", || is_new().then_some(()));
    issuer.fails();
    issuer.wait_until_used("/login/.well-known/openid-configuration");
    assert!(is_new());
}
