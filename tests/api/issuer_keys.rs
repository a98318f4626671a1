//! The keys of issuers: fetched, renewed, withdrawn, and out of reach.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::harness::{Server, Setup};
use crate::siem::Authority;
use crate::signer::Signer;
use crate::tokens::seconds_from_now;
use crate::webhooks::wait_for;

/// An issuer on the network of this machine, as far as it answers questions.
pub struct Issuer {
    scheme: &'static str,
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Status, further lines of the head, body. What is not here is answered 500.
    pages: HashMap<String, (u16, String, Vec<u8>)>,
    asked: HashMap<String, usize>,
    is_over: bool,
}

impl Issuer {
    pub fn start() -> Self {
        Self::over(None)
    }

    /// One that shows a certificate for a name.
    fn certified(authority: &Authority, name: &str) -> Self {
        let (certificate, key) = authority.certify(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Self::over(Some(Arc::new(config.unwrap())))
    }

    fn over(tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.lock().unwrap().is_over {
                    break;
                }
                let (serving, tls, stream) = (Arc::clone(&serving), tls.clone(), stream.unwrap());
                std::thread::spawn(move || match tls {
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).unwrap();
                        answer(&serving, StreamOwned::new(connection, stream));
                    }
                    None => answer(&serving, stream),
                });
            }
        });
        Self { scheme, port, shared }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    fn answers(&self, path: &str, status: u16, head: &str, body: impl AsRef<[u8]>) {
        let page = (status, head.to_owned(), body.as_ref().to_vec());
        self.shared.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    pub fn says(&self, path: &str, document: &Value) {
        self.answers(path, 200, "", document.to_string());
    }

    /// Has these keys, and says so below a path.
    fn has(&self, path: &str, keys: &[Value]) {
        let (name, at) = (self.at(path), self.at(&format!("{path}/keys")));
        let about = json!({ "issuer": name, "jwks_uri": at });
        self.says(&format!("{path}/.well-known/openid-configuration"), &about);
        self.says(&format!("{path}/keys"), &json!({ "keys": keys }));
    }

    pub fn fails(&self) {
        self.shared.lock().unwrap().pages.clear();
    }

    fn asked(&self, path: &str) -> usize {
        self.shared.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// Waits until it has been asked again, and then once more: the answer before has been used.
    pub fn wait_until_used(&self, path: &str) {
        let before = self.asked(path);
        wait_for("two further questions", || (self.asked(path) >= before + 2).then_some(()));
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(shared: &Mutex<Shared>, mut stream: impl Read + Write) {
    let mut lines = BufReader::new(&mut stream).lines();
    let Some(Ok(request)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    drop(lines);
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let page = {
        let mut shared = shared.lock().unwrap();
        *shared.asked.entry(path.clone()).or_default() += 1;
        shared.pages.get(&path).cloned()
    };
    let (status, head, body) = page.unwrap_or((500, String::new(), Vec::new()));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} \r\ncontent-length: {length}\r\nconnection: close\r\n{head}\r\n"
    );
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "sub": "dr-rot", "aud": "chartlog", "exp": seconds_from_now(3600), "scope": "user/*.cruds" })
}

/// A server that trusts issuers, each described by lines of the configuration.
fn trusting(issuers: &[String], refresh_seconds: u32) -> Server {
    let issuers: String = issuers.iter().map(|one| format!("[[auth.issuers]]\n{one}\n")).collect();
    let config = format!("[auth]\nkeys_refresh_seconds = {refresh_seconds}\n{issuers}");
    let setup = Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
    setup.file("keys.json", r#"{"keys":[]}"#).start()
}

/// How a token is answered: the status, and why.
fn status(server: &Server, token: &str) -> (u16, String) {
    let response = server.with_token(token).get("/fhir/Patient?_count=1");
    (response.status, response.text().to_owned())
}

#[track_caller]
fn refused(server: &Server, token: &str, why: &str) {
    let (status, text) = status(server, token);
    assert!(status == 401 && text.contains(why), "{status} {text}");
}

fn wait_until_accepted(server: &Server, token: &str) {
    wait_for("the token is accepted", || (status(server, token).0 == 200).then_some(()));
}

#[test]
fn keys_are_found_renewed_and_withdrawn_and_outlast_an_outage() {
    let issuer = Issuer::start();
    let name = issuer.at("/login");
    let server = trusting(&[format!("name = \"{name}\"\ndiscovery = true")], 1);
    let (old, new) = (Signer::new("ES384"), Signer::new("PS256"));
    let by_old = old.token(Some("old"), &claims(&name));
    let by_new = new.token(Some("new"), &claims(&name));
    // The issuer is down: the server is up, and tells why it believes nobody.
    refused(&server, &by_old, "could not be fetched yet");
    server.clinician().get("/fhir/Patient").expect(200);
    issuer.has("/login", &[old.jwk("old")]);
    wait_until_accepted(&server, &by_old);
    refused(&server, &by_new, "algorithm");
    issuer.has("/login", &[old.jwk("old"), new.jwk("new")]);
    wait_until_accepted(&server, &by_new);
    assert_eq!(status(&server, &by_old).0, 200);
    // A token that was verified before is worth nothing either, once its key is withdrawn.
    issuer.has("/login", &[new.jwk("new")]);
    wait_for("the key is withdrawn", || (status(&server, &by_old).0 == 401).then_some(()));
    assert_eq!(status(&server, &by_new).0, 200);
    issuer.fails();
    issuer.wait_until_used("/login/.well-known/openid-configuration");
    assert_eq!(status(&server, &by_new).0, 200);
    // What it says when it is back is no set of keys: the last ones stay.
    issuer.has("/login", &[new.jwk("new")]);
    issuer.says("/login/keys", &json!({ "error": "maintenance" }));
    issuer.wait_until_used("/login/keys");
    assert_eq!(status(&server, &by_new).0, 200);
    assert!(server.log().contains("the keys of an issuer could not be read"));
}

#[test]
fn an_issuer_that_is_not_what_it_must_be_is_not_believed() {
    let issuer = Issuer::start();
    let signer = Signer::new("EdDSA");
    let keys = json!({ "keys": [signer.jwk("k")] });
    let discovery = "/.well-known/openid-configuration";
    issuer.says("/keys", &keys);
    let about = |path: &str, name: &str, keys: &str| {
        issuer.says(&format!("{path}{discovery}"), &json!({ "issuer": name, "jwks_uri": keys }));
    };
    about("/another", &issuer.at("/good"), &issuer.at("/keys"));
    about("/slash", &issuer.at("/slash/"), &issuer.at("/keys"));
    about("/clear", &issuer.at("/clear"), "http://login.example.org/keys");
    about("/file", &issuer.at("/file"), "file:///etc/passwd");
    let elsewhere = format!("location: {}\r\n", issuer.at("/keys"));
    issuer.answers("/moved", 302, &elsewhere, "");
    issuer.answers("/huge", 200, "", format!("{}{}", " ".repeat(600_000), keys));
    issuer.answers("/torn", 200, "", &keys.to_string()[..40]);
    issuer.says(
        "/secret",
        &json!({ "keys": [{ "kty": "oct", "kid": "k", "k": "AAAA", "alg": "HS256" }] }),
    );
    issuer.says("/private", &json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": signer.jwk("k")["x"], "d": "AAAA" }] }));
    issuer.has("/good", &[signer.jwk("k")]);
    let discovered = ["/another", "/slash", "/clear", "/file"];
    let addressed = ["/moved", "/huge", "/torn", "/secret", "/private"];
    let mut trusted: Vec<String> = Vec::new();
    for path in discovered.iter().chain(&["/good"]) {
        trusted.push(format!("name = \"{}\"\ndiscovery = true", issuer.at(path)));
    }
    for path in addressed {
        let at = issuer.at(path);
        trusted.push(format!("name = \"{at}\"\njwks_url = \"{at}\""));
    }
    let server = trusting(&trusted, 1);
    wait_until_accepted(&server, &signer.token(Some("k"), &claims(&issuer.at("/good"))));
    for path in discovered {
        issuer.wait_until_used(&format!("{path}{discovery}"));
        refused(
            &server,
            &signer.token(Some("k"), &claims(&issuer.at(path))),
            "could not be fetched",
        );
    }
    for path in addressed {
        issuer.wait_until_used(path);
        refused(
            &server,
            &signer.token(Some("k"), &claims(&issuer.at(path))),
            "could not be fetched",
        );
    }
    let log = server.log();
    for why in ["is not the name of the issuer", "https://", "leads elsewhere", "too long"] {
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[test]
fn a_key_that_is_not_known_is_looked_for_but_not_as_often_as_tokens_ask() {
    let issuer = Issuer::start();
    let name = issuer.at("/login");
    let server = trusting(&[format!("name = \"{name}\"\ndiscovery = true")], 86_400);
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    issuer.has("/login", &[old.jwk("old")]);
    wait_until_accepted(&server, &old.token(Some("old"), &claims(&name)));
    let (began, before) = (Instant::now(), issuer.asked("/login/keys"));
    for number in 0..200 {
        let guess = old.token(Some(&format!("guess-{number}")), &claims(&name));
        refused(&server, &guess, "does not know");
    }
    issuer.has("/login", &[old.jwk("old"), new.jwk("new")]);
    wait_until_accepted(&server, &new.token(Some("new"), &claims(&name)));
    let questions = issuer.asked("/login/keys") - before;
    let pauses = began.elapsed().as_secs() / chartlog::issuers::PAUSE.as_secs();
    let pauses = usize::try_from(pauses).unwrap();
    assert!((1..=pauses + 1).contains(&questions), "{questions} questions, {pauses} pauses");
}

#[test]
fn a_file_with_keys_is_read_again() {
    let (old, new) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let name = "https://login.example.org";
    let server = trusting(&[format!("name = \"{name}\"\njwks_file = \"keys.json\"")], 1);
    let holds = |text: String| {
        // As one who exchanges such a file does it: at once.
        let path = server.home().join("keys.json");
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    let by_old = old.token(Some("old"), &claims(name));
    let by_new = new.token(Some("new"), &claims(name));
    holds(json!({ "keys": [old.jwk("old")] }).to_string());
    wait_until_accepted(&server, &by_old);
    holds("not JSON".to_owned());
    wait_for("a word in the log", || server.log().contains("keys.json: ").then_some(()));
    assert_eq!(status(&server, &by_old).0, 200);
    holds(json!({ "keys": [new.jwk("new")] }).to_string());
    wait_until_accepted(&server, &by_new);
    refused(&server, &by_old, "does not know");
}

#[test]
fn an_issuer_must_show_a_certificate_for_its_name_by_who_is_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let signer = Signer::new("EdDSA");
    let start = |authority: &Authority, name: &str| {
        let issuer = Issuer::certified(authority, name);
        issuer.has("/login", &[signer.jwk("k")]);
        issuer
    };
    let good = start(&authority, "127.0.0.1");
    let others = [start(&authority, "login.example.org"), start(&stranger, "127.0.0.1")];
    let named = |issuer: &Issuer| {
        format!("[[auth.issuers]]\nname = \"{}\"\ndiscovery = true\n", issuer.at("/login"))
    };
    let issuers: String = others.iter().chain([&good]).map(named).collect();
    let config = format!("[auth]\nkeys_refresh_seconds = 1\nca_file = \"ca.pem\"\n{issuers}");
    let setup = Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
    let server = setup.file("ca.pem", &authority.pem).start();
    wait_until_accepted(&server, &signer.token(Some("k"), &claims(&good.at("/login"))));
    for other in &others {
        let told = || {
            let is_of = |line: &&str| line.contains(&other.at("/")) && line.contains("no secure");
            server.log().lines().find(is_of).map(str::to_owned)
        };
        wait_for("a word in the log", told);
        let token = signer.token(Some("k"), &claims(&other.at("/login")));
        refused(&server, &token, "could not be fetched yet");
        assert_eq!(other.asked("/login/.well-known/openid-configuration"), 0);
    }
}
