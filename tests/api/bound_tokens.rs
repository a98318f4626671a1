//! Tokens that are bound to the certificate of a client (RFC 8705), on connections that show it, another, or none.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Response, Server, Setup, run};
use crate::siem::Authority;
use crate::signer::Signer;
use crate::tls;
use crate::tokens::{base64url, seconds_from_now};

const ISSUERS: [&str; 2] = ["https://free.example.org", "https://bound.example.org"];
const SMART: &str = "/fhir/.well-known/smart-configuration";

/// A server that asks clients for certificates, and the key of its two issuers: one whose tokens may be bound, and
/// one whose tokens must be.
struct Bound {
    server: Server,
    signer: Signer,
    ours: Authority,
    clients: Authority,
}

impl Bound {
    fn start() -> Self {
        let (ours, clients, signer) = (Authority::new(), Authority::new(), Signer::new("ES384"));
        let issuer = |name: &str, more: &str| {
            format!(
                "{{ name = \"{name}\", jwks_file = \"keys.json\", token_endpoint = \"{name}/token\"{more} }}"
            )
        };
        let [free, bound] = [issuer(ISSUERS[0], ""), issuer(ISSUERS[1], ", require_bound = true")];
        let server = tls::server(&ours)
            .file("clients.pem", clients.pem.clone())
            .file("keys.json", json!({ "keys": [signer.jwk("k")] }).to_string())
            .set("server.tls_client_certificates=optional")
            .set("server.tls_client_ca_file=clients.pem")
            // The one that says that it binds tokens comes first: it is the one that apps are told of.
            .set(&format!("auth.issuers=[{bound}, {free}]"))
            .start();
        Self { server, signer, ours, clients }
    }

    /// A client that shows a certificate, and the thumbprint of that.
    fn client(&self, name: &str) -> (Arc<ClientConfig>, String) {
        let identity = self.clients.certify(name);
        let certificate = CertificateDer::from_pem_slice(identity.0.as_bytes()).unwrap();
        let thumbprint = base64url(Sha256::digest(&certificate));
        (tls::client(&[&self.ours], Some(identity)), thumbprint)
    }

    fn token(&self, issuer: &str, cnf: Option<Value>) -> String {
        let mut claims = json!({
            "iss": issuer, "sub": "dr-bound", "aud": "chartlog", "exp": seconds_from_now(3600),
            "scope": "user/*.rs",
        });
        if let Some(cnf) = cnf {
            claims["cnf"] = cnf;
        }
        self.signer.token(Some("k"), &claims)
    }

    fn ask(&self, client: &Arc<ClientConfig>, token: &str) -> Response {
        tls::ask(self.server.address, client, token, "/fhir/Patient").unwrap().answer
    }
}

#[track_caller]
fn refused(answer: &Response, why: &str) {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(challenge.starts_with("Bearer ") && challenge.contains("invalid_token"), "{challenge}");
    assert!(challenge.contains(why), "{challenge}");
}

#[test]
fn a_bound_token_opens_only_beside_its_certificate() {
    let bound = Bound::start();
    let ((own, thumbprint), (other, _)) = (bound.client("own"), bound.client("other"));
    let bare = tls::client(&[&bound.ours], None);
    let token = bound.token(ISSUERS[0], Some(json!({ "x5t#S256": thumbprint })));
    // Whoever came first: what is remembered of the token is not who may use it.
    for _ in 0..2 {
        refused(&bound.ask(&other, &token), "bound to a client certificate");
        refused(&bound.ask(&bare, &token), "bound to a client certificate");
        bound.ask(&own, &token).expect(200);
    }
    let free = bound.token(ISSUERS[0], None);
    for client in [&own, &other, &bare] {
        bound.ask(client, &free).expect(200);
    }
    let by_key = bound.token(ISSUERS[0], Some(json!({ "jkt": thumbprint })));
    refused(&bound.ask(&own, &by_key), "in a way that this server cannot check");
}

#[test]
fn an_issuer_whose_tokens_must_be_bound_is_held_to_it_and_says_so_to_apps() {
    let bound = Bound::start();
    let (own, thumbprint) = bound.client("own");
    refused(&bound.ask(&own, &bound.token(ISSUERS[1], None)), "is not bound");
    let token = bound.token(ISSUERS[1], Some(json!({ "x5t#S256": thumbprint })));
    bound.ask(&own, &token).expect(200);
    let told = tls::ask(bound.server.address, &own, "none", SMART).unwrap().answer.json();
    assert_eq!(told["tls_client_certificate_bound_access_tokens"], true, "{told}");
}

#[test]
fn without_tls_a_bound_token_opens_nothing_whatever_headers_say() {
    let signer = Signer::new("EdDSA");
    let issuer = format!("[{{ name = \"{}\", jwks_file = \"keys.json\" }}]", ISSUERS[0]);
    let server = Setup::default()
        .file("keys.json", json!({ "keys": [signer.jwk("k")] }).to_string())
        .set(&format!("auth.issuers={issuer}"))
        .start();
    let (certificate, _) = Authority::new().certify("own");
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let thumbprint = base64url(Sha256::digest(&certificate));
    let claims = json!({
        "iss": ISSUERS[0], "sub": "dr-bound", "aud": "chartlog", "exp": seconds_from_now(3600),
        "scope": "user/*.rs", "cnf": { "x5t#S256": thumbprint },
    });
    let actor = server.with_token(signer.token(Some("k"), &claims));
    refused(&actor.get("/fhir/Patient"), "bound to a client certificate");
    // What proxies write there counts for nothing.
    let said = format!(":{}:", base64url(&certificate));
    let answer = actor.request("GET", "/fhir/Patient").header("client-cert", &said).send();
    refused(&answer, "bound to a client certificate");
}

#[test]
fn tokens_cannot_have_to_be_bound_where_no_certificate_is_asked_for() {
    let issuer = "auth.issuers=[{ name = \"a\", jwks_file = \"k\", require_bound = true }]";
    let output = run(&["serve", "--set", issuer]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("\"a\" has require_bound") && told.contains("tls_client"), "{told}");
}
