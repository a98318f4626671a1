//! Who the server says it is: by password, by NKey, by credentials as `nsc` writes them; and that no secret is shown.

use async_nats::ConnectOptions;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::broker::{Broker, SUBJECTS};
use super::{happen, setup};
use crate::harness::Server;
use crate::webhooks::wait_for;

#[track_caller]
fn is_refused(server: &Server) {
    wait_for("it is not refused", || {
        server.log().contains("authorization violation").then_some(())
    });
}

/// Publishes as soon as the right secret is in the file, without a restart, and shows neither.
#[track_caller]
fn takes_over(server: &Server, broker: &Broker, file: &str, wrong: &str, right: &str) {
    is_refused(server);
    std::fs::write(server.home().join(file), right).unwrap();
    happen(server);
    broker.wait_for("chartlog", server.log_length());
    assert!(!server.log().contains("async_nats"), "{}", server.log());
    assert_eq!(server.log().matches("not delivered").count(), 1, "{}", server.log());
    for secret in [wrong, right].into_iter().flat_map(str::lines).filter(|line| line.len() > 40) {
        assert!(!server.log().contains(secret));
    }
}

const USER: &str = "chartlog";
const PASSWORD: &str = "a password that stands nowhere else in all of these tests";

#[test]
fn a_password_is_read_from_a_file_and_may_be_replaced() {
    let lines = format!("authorization {{ user: {USER}, password: \"{PASSWORD}\" }}");
    let user = ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
    let Some(broker) = Broker::with(&lines, user) else { return };
    let wrong = "another password that stands nowhere else in all of these tests";
    let server = setup(&broker)
        .file("password", wrong)
        .set(&format!("nats.user={USER}"))
        .set("nats.password_file=password")
        .start();
    takes_over(&server, &broker, "password", wrong, &format!("{PASSWORD}\n"));
}

#[test]
fn an_nkey_needs_no_more_rights_than_the_documentation_says() {
    let (own, other, looking) = (KeyPair::new_user(), KeyPair::new_user(), KeyPair::new_user());
    let api = ["STREAM.INFO", "STREAM.MSG.GET", "STREAM.CREATE"];
    let api = api.map(|name| format!("\"$JS.API.{name}.chartlog\"")).join(", ");
    let lines = format!(
        "authorization {{ users: [ {{ nkey: {}, permissions: {{ publish: [\"{SUBJECTS}\", {api}], \
         subscribe: \"_INBOX.>\" }} }}, {{ nkey: {} }} ] }}",
        own.public_key(),
        looking.public_key()
    );
    let user = ConnectOptions::with_nkey(looking.seed().unwrap());
    let Some(broker) = Broker::with(&lines, user) else { return };
    let (wrong, right) = (other.seed().unwrap(), own.seed().unwrap());
    let server = setup(&broker).file("nkey", wrong.as_str()).set("nats.nkey_file=nkey").start();
    takes_over(&server, &broker, "nkey", &wrong, &right);
}

#[test]
fn credentials_are_those_that_nsc_writes() {
    let (operator, system, account) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let limits = ["subs", "data", "payload", "imports", "exports", "conn", "leaf"];
    let storage = ["mem_storage", "disk_storage", "streams", "consumer"];
    let all = |names: &[&str]| -> Value { names.iter().map(|name| (*name, -1)).collect() };
    let owner = jwt(
        &operator,
        &operator,
        json!({ "type": "operator", "system_account": system.public_key() }),
    );
    let outside = jwt(&operator, &system, json!({ "type": "account", "limits": all(&limits) }));
    let names = [&limits[..], &storage[..]].concat();
    let inside = jwt(&operator, &account, json!({ "type": "account", "limits": all(&names) }));
    let lines = format!(
        "operator: {owner}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {outside}, {}: {inside} }}",
        system.public_key(),
        system.public_key(),
        account.public_key()
    );
    let credentials = || {
        let user = KeyPair::new_user();
        let rights =
            json!({ "type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
        let token = jwt(&account, &user, rights);
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed().unwrap()
        )
    };
    let looking = ConnectOptions::with_credentials(&credentials()).unwrap();
    let Some(broker) = Broker::with(&lines, looking) else { return };
    let right = credentials();
    // Of a user, with the seed of another.
    let (token, seed) = (credentials(), KeyPair::new_user().seed().unwrap());
    let wrong: Vec<&str> = token
        .lines()
        .map(|line| if line.starts_with("SU") { seed.as_str() } else { line })
        .collect();
    let wrong = wrong.join("\n");
    let server = setup(&broker)
        .file("chartlog.creds", wrong.as_str())
        .set("nats.credentials_file=chartlog.creds")
        .start();
    takes_over(&server, &broker, "chartlog.creds", &wrong, &right);
}

/// What an issuer says of a subject, as servers of NATS want it.
fn jwt(issuer: &KeyPair, subject: &KeyPair, mut says: Value) -> String {
    says["version"] = json!(2);
    let claims = json!({
        "jti": subject.public_key(), "iat": 1, "iss": issuer.public_key(), "sub": subject.public_key(),
        "name": "test", "nats": says,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let signed = format!("{head}.{}", part(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
