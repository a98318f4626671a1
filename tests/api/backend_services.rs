//! SMART Backend Services: programs that are registered get tokens for what they sign.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::{
    Response, SHARED_CLIENT, SHARED_CLIENT_KEYS, Server, Setup, accesses_of_request, observation,
    only_access_of_request, patient, run, shared, unique,
};
use crate::issuer_keys::Issuer;
use crate::signer::{ALGORITHMS, Signer};
use crate::tokens::seconds_from_now;
use crate::webhooks::wait_for;

const SMART: &str = "/fhir/.well-known/smart-configuration";
const BY_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The key of the client of the shared server.
static SIGNER: LazyLock<Signer> = LazyLock::new(Signer::of_shared_client);

/// A form with an assertion that the shared server takes.
pub fn shared_form() -> String {
    form(&SIGNER.token(Some("k"), &claims(shared())), "system/Patient.rs")
}

/// What a good assertion of that client says to a server.
fn claims(server: &Server) -> Value {
    json!({
        "iss": "warehouse", "sub": "warehouse", "aud": format!("{}/oauth/token", server.base),
        "exp": seconds_from_now(250), "iat": seconds_from_now(0), "jti": unique("assertion"),
    })
}

/// The same with some members replaced, or removed where the value is null.
fn claims_with(server: &Server, changes: &Value) -> Value {
    let mut claims = claims(server);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn form(assertion: &str, scope: &str) -> String {
    let scope = scope.replace(' ', "+");
    format!(
        "grant_type=client_credentials&scope={scope}&client_assertion_type={BY_ASSERTION}&client_assertion={assertion}"
    )
}

fn send(server: &Server, form: &str) -> Response {
    let request = server.anonymous().request("POST", "/oauth/token");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.bytes(form).send()
}

/// Asks for scopes with a fresh assertion.
fn ask(server: &Server, scope: &str) -> Response {
    send(server, &form(&SIGNER.token(Some("k"), &claims(server)), scope))
}

#[track_caller]
fn refused(response: &Response, error: &str, why: &str) {
    let body = response.json();
    assert_eq!((response.status, &body["error"]), (400, &json!(error)), "{body}");
    assert!(body["error_description"].as_str().unwrap().contains(why), "{body}");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

/// A server whose clients are these, and which has been running for long enough.
fn registered(setup: Setup, clients: &str) -> Server {
    setup.set("auth.leeway_seconds=0").set(&format!("auth.clients=[{clients}]")).start()
}

#[test]
fn a_registered_program_gets_what_it_may_have_and_no_more() {
    let server = shared();
    let id = unique("p");
    server.clinician().put(&patient(&id)).expect(201);
    let value = observation(&unique("o"), &id);
    server.clinician().put(&value).expect(201);
    let asked = "system/*.cruds user/*.cruds system/Backup.cruds openid";
    let answer = wait_for("a moment has passed since the start", || {
        let answer = ask(server, asked);
        (answer.status != 503).then_some(answer)
    });
    let answer = answer.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.json();
    let granted = "system/Backup.r system/Observation.r system/Patient.rs";
    assert_eq!(answer["scope"], granted);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    let program = server.with_token(answer["access_token"].as_str().unwrap());
    program.get(&format!("/fhir/Patient/{id}")).expect(200);
    let observation = format!("/fhir/Observation/{}", value["id"].as_str().unwrap());
    program.get(&observation).expect(200);
    program.get("/fhir/Observation?_count=1").refused(403, &[]);
    program.delete(&observation).refused(403, &[]);
    program.get("/fhir/Encounter/x").refused(403, &[]);
    // Its accesses bear its name and its purpose, as those of anybody else.
    let request = unique("request");
    let read = program.request("GET", &format!("/fhir/Patient/{id}"));
    read.header("x-request-id", &request).send().expect(200);
    let entry = only_access_of_request(server, &request);
    assert_eq!(
        (&entry["subject"], &entry["name"]),
        (&json!("warehouse"), &json!("Data warehouse")),
        "{entry}"
    );
    assert_eq!(
        (&entry["issuer"], &entry["purpose"]),
        (&json!(server.base), &json!("HRESCH")),
        "{entry}"
    );
    // One for less gets less.
    assert_eq!(ask(server, "system/Patient.r").expect(200).json()["scope"], "system/Patient.r");
    refused(&ask(server, "user/*.rs system/Encounter.rs"), "invalid_scope", "nothing of what");
    refused(&ask(server, ""), "invalid_scope", "scope is missing");
}

#[test]
fn each_algorithm_is_taken_and_others_can_verify_what_is_signed_here() {
    let signers: Vec<Signer> = ALGORITHMS.into_iter().map(Signer::new).collect();
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk(signer.algorithm)).collect();
    let issuer = Issuer::start();
    issuer.says("/keys", &json!({ "keys": keys }));
    let client = format!(
        "{{ id = \"warehouse\", jwks_url = \"{}\", scopes = [\"system/*.rs\"] }}",
        issuer.at("/keys")
    );
    let server = registered(Setup::default(), &client);
    let ask = |signer: &Signer| {
        let assertion = signer.token(Some(signer.algorithm), &claims(&server));
        send(&server, &form(&assertion, "system/Patient.rs"))
    };
    wait_for("the keys are known", || (ask(&signers[0]).status == 200).then_some(()));
    let tokens: Vec<String> = signers
        .iter()
        .map(|signer| {
            let answer = ask(signer).expect(200).json();
            answer["access_token"].as_str().unwrap().to_owned()
        })
        .collect();
    let told = server.anonymous().get(SMART).expect(200).json();
    let endpoint = |path: &str| json!(format!("{}{path}", server.base));
    assert_eq!(told["token_endpoint"], endpoint("/oauth/token"));
    assert_eq!(told["jwks_uri"], endpoint("/oauth/keys"));
    assert_eq!(told["grant_types_supported"], json!(["client_credentials"]));
    assert_eq!(told["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    assert_eq!(told["token_endpoint_auth_signing_alg_values_supported"], json!(ALGORITHMS));
    let capabilities = told["capabilities"].as_array().unwrap();
    assert!(capabilities.contains(&json!("client-confidential-asymmetric")), "{told}");
    // Another server believes the first, by the keys that it publishes.
    let trusted = format!("{{ name = \"{0}\", jwks_url = \"{0}/oauth/keys\" }}", server.base);
    let other = Setup::default().set(&format!("auth.issuers=[{trusted}]")).start();
    let open = |token: &String| other.with_token(token.clone()).get("/fhir/Patient").status;
    wait_for("the token is believed", || (open(&tokens[0]) == 200).then_some(()));
    assert!(tokens.iter().all(|token| open(token) == 200));
    let keys = server.anonymous().get("/oauth/keys").expect(200).json();
    let mut members: Vec<&String> = keys["keys"][0].as_object().unwrap().keys().collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "no private part");
}

#[test]
fn assertions_that_are_not_right_are_refused() {
    let server =
        registered(Setup::default().file("client.json", SHARED_CLIENT_KEYS), SHARED_CLIENT);
    wait_for("a grant", || (ask(&server, "system/Patient.rs").status == 200).then_some(()));
    let other = Signer::new("EdDSA");
    let from = |signer: &Signer, changes: Value| {
        let assertion = signer.token(Some("k"), &claims_with(&server, &changes));
        send(&server, &form(&assertion, "system/Patient.rs"))
    };
    let endpoint = format!("{}/oauth/token", server.base);
    for (changes, why) in [
        (json!({ "iss": "another" }), "no client"),
        (json!({ "iss": server.base }), "no client"),
        (json!({ "iss": null }), "'iss'"),
        (json!({ "sub": "another" }), "sub must be its iss"),
        (json!({ "sub": null }), "'sub'"),
        (json!({ "aud": server.base }), "address of this endpoint"),
        (json!({ "aud": "chartlog" }), "address of this endpoint"),
        (json!({ "aud": format!("{endpoint}/") }), "address of this endpoint"),
        (json!({ "aud": null }), "'aud'"),
        (json!({ "exp": seconds_from_now(400) }), "five minutes"),
        (json!({ "exp": seconds_from_now(-10) }), "expired"),
        (json!({ "exp": null }), "'exp'"),
        (json!({ "jti": null }), "'jti'"),
        (json!({ "jti": "" }), "'jti'"),
        (json!({ "jti": 7 }), "'jti'"),
        (json!({ "iat": seconds_from_now(100) }), "not valid yet"),
    ] {
        refused(&from(&SIGNER, changes), "invalid_client", why);
    }
    refused(&from(&other, json!({})), "invalid_client", "signature");
    let unsigned = {
        let token = SIGNER.token(Some("k"), &claims(&server));
        let claims = token.split('.').nth(1).unwrap().to_owned();
        format!("{}.{claims}.", crate::tokens::base64url(r#"{"alg":"none"}"#))
    };
    refused(&send(&server, &form(&unsigned, "system/*.rs")), "invalid_client", "algorithm");
    refused(&send(&server, &form("garbage", "system/*.rs")), "invalid_client", "client_assertion");
    // What this server signed itself shows nobody who a client is.
    let token = ask(&server, "system/Patient.rs").expect(200).json();
    let token = token["access_token"].as_str().unwrap();
    refused(&send(&server, &form(token, "system/Patient.rs")), "invalid_client", "no client");
    // And an assertion is no token.
    let assertion = SIGNER.token(Some("k"), &claims_with(&server, &json!({ "aud": "chartlog" })));
    server.with_token(assertion).get("/fhir/Patient").refused(401, &["does not trust"]);
}

#[test]
fn requests_that_are_not_right_are_refused_and_nothing_of_them_is_kept() {
    let server = shared();
    wait_for("a moment has passed", || {
        (ask(server, "system/Patient.rs").status == 200).then_some(())
    });
    let fresh = || SIGNER.token(Some("k"), &claims(server));
    let good = || form(&fresh(), "system/Patient.rs");
    for (sent, error, why) in [
        (String::new(), "invalid_request", "grant_type is missing"),
        (
            good().replace("client_credentials", "password"),
            "unsupported_grant_type",
            "client_credentials",
        ),
        (
            good().replace("client_credentials", "authorization_code"),
            "invalid_request",
            "code is missing",
        ),
        (good().replace(BY_ASSERTION, "x"), "invalid_request", "client_assertion_type"),
        (
            good().replace("client_assertion=", "x="),
            "invalid_request",
            "client_assertion is missing",
        ),
        (format!("{}&scope=system/*.rs", good()), "invalid_request", "scope may be given once"),
        (format!("{}&client_id=another", good()), "invalid_client", "client_id is another"),
        (format!("{}&x={}", good(), "y".repeat(70_000)), "invalid_request", "larger than 64 KiB"),
        ("grant_type=%ff".to_owned(), "invalid_request", "is not percent-encoded UTF-8"),
    ] {
        refused(&send(server, &sent), error, why);
    }
    let request = || server.anonymous().request("POST", "/oauth/token");
    let typed = request().header("content-type", "application/json").bytes("{}").send();
    refused(&typed, "invalid_request", "x-www-form-urlencoded");
    let basic = request().header("content-type", "application/x-www-form-urlencoded");
    let basic = basic.header("authorization", "Basic d2FyZWhvdXNlOng=").bytes(good());
    refused(&basic.send(), "invalid_request", "client_assertion alone");
    // What a client puts into the address is neither taken nor kept.
    let (id, assertion) = (unique("request"), fresh());
    let target = format!("/oauth/token?client_assertion={assertion}");
    let query = server.anonymous().request("POST", &target).header("x-request-id", &id);
    refused(&query.send(), "invalid_request", "not into the address");
    let entry = only_access_of_request(server, &id);
    assert!(!entry.to_string().contains(&assertion[..40]), "{entry}");
    assert!(!server.log().contains(&assertion[..40]));
}

#[test]
fn grants_and_refusals_leave_their_entries() {
    let server = shared();
    wait_for("a moment has passed", || {
        (ask(server, "system/Patient.rs").status == 200).then_some(())
    });
    let traced = |form: &str| {
        let id = unique("request");
        let request = server.anonymous().request("POST", "/oauth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("x-request-id", &id).bytes(form).send();
        only_access_of_request(server, &id)
    };
    let granted = traced(&shared_form());
    assert_eq!(
        (&granted["operation"], &granted["outcome"]),
        (&json!("token"), &json!("granted")),
        "{granted}"
    );
    assert_eq!(granted["subject"], "warehouse", "{granted}");
    let assertion = SIGNER.token(Some("k"), &claims(server));
    let known = traced(&form(&assertion, "system/Encounter.rs"));
    assert_eq!((&known["outcome"], &known["status"]), (&json!("refused"), &json!(400)), "{known}");
    assert_eq!(known["subject"], "warehouse", "{known}");
    assert!(known["reason"].as_str().unwrap().starts_with("invalid_scope: "), "{known}");
    let stranger = traced(&form("garbage", "system/Patient.rs"));
    assert_eq!(stranger["outcome"], "refused", "{stranger}");
    assert!(stranger["reason"].as_str().unwrap().starts_with("invalid_client: "), "{stranger}");
    assert_eq!(accesses_of_request(server, &unique("request")), Vec::<Value>::new());
}

#[test]
fn an_assertion_is_good_once_also_over_a_restart() {
    let keys = Setup::default().file("client.json", SHARED_CLIENT_KEYS);
    let server = registered(keys, SHARED_CLIENT);
    let assertion = |changes: Value| SIGNER.token(Some("k"), &claims_with(&server, &changes));
    // Clients need not say when they issued it.
    let used = wait_for("a grant", || {
        let assertion =
            [assertion(json!({})), assertion(json!({ "iat": null, "exp": seconds_from_now(300) }))];
        let form = assertion.each_ref().map(|one| form(one, "system/Patient.rs"));
        let statuses = form.each_ref().map(|form| send(&server, form).status);
        (statuses == [200, 200]).then_some(form)
    });
    for form in &used {
        refused(&send(&server, form), "invalid_client", "used before");
    }
    // Two at the same time: one of them is the first.
    let form = form(&assertion(json!({})), "system/Patient.rs");
    let statuses = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| send(&server, &form).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let token = ask(&server, "system/Patient.rs").expect(200).json();
    let token = token["access_token"].as_str().unwrap();
    let later = assertion(json!({ "iat": seconds_from_now(0) - 5 }));
    // The address is in what clients sign.
    let server = server.restart_in_place();
    // The key is still the same.
    server.with_token(token).get("/fhir/Patient").expect(200);
    for form in &used {
        let answer = send(&server, form);
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(
        send(&server, &crate::backend_services::form(&later, "system/Patient.rs")).status,
        503
    );
    let granted = || (ask(&server, "system/Patient.rs").status == 200).then_some(());
    wait_for("a grant after the restart", granted);
}

#[test]
fn without_clients_there_is_no_such_address_and_clients_must_make_sense() {
    let server = Server::start();
    server.anonymous().get("/oauth/keys").problem(404, &["no client is registered"]);
    let request = server.anonymous().request("POST", "/oauth/token");
    request.send().problem(404, &["there is no POST /oauth/token"]);
    for (client, why) in [
        ("{ id = \"\", jwks_file = \"k\", scopes = [\"system/*.rs\"] }", "is no id"),
        ("{ id = \"a\", scopes = [\"system/*.rs\"] }", "needs its keys in one place"),
        (
            "{ id = \"a\", jwks_file = \"k\", jwks_url = \"https://a\", scopes = [\"system/*.rs\"] }",
            "needs its keys in one place",
        ),
        (
            "{ id = \"a\", jwks_url = \"http://a.example\", scopes = [\"system/*.rs\"] }",
            "must not be used",
        ),
        ("{ id = \"a\", jwks_file = \"k\", scopes = [] }", "needs scopes"),
        ("{ id = \"a\", jwks_file = \"k\", scopes = [\"user/*.rs\"] }", "not of the level system/"),
        (
            "{ id = \"a\", jwks_file = \"k\", scopes = [\"system/*.rs\"] }, { id = \"a\", jwks_file = \"k\", scopes = [\"system/*.rs\"] }",
            "named twice",
        ),
        ("{ id = \"a\", jwks_file = \"k\", scope = [] }", "unknown field `scope`"),
        (
            "{ id = \"a\", jwks_file = \"nowhere.json\", scopes = [\"system/Patient.x\"] }",
            "nowhere.json: ",
        ),
        (
            "{ id = \"a\", jwks_file = \"nowhere.json\", scopes = [\"system/Patient.x\"] }",
            "system/Patient.x is not understood",
        ),
    ] {
        let set = format!("auth.clients=[{client}]");
        let output = run(&["serve", "--listen", "127.0.0.1:0", "--set", &set]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(why), "{why}: {told}");
    }
}
