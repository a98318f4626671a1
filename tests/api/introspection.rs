//! Tokens that say nothing themselves: the issuer is asked about them (RFC 7662).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Request, Response, Server, Setup, patient, run, unique};
use crate::tokens::{seconds_from_now, traced};
use crate::webhooks::wait_for;

const NAME: &str = "https://login.example.org";
/// With letters that a form has to encode.
const SECRET: &str = "se:cr+t";

/// An issuer that is asked about tokens.
struct Asked {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// What is said of each token; of all others that they are not active.
    tokens: HashMap<String, String>,
    /// The heads and forms that came.
    asked: Vec<(String, String)>,
    is_out: bool,
    is_over: bool,
}

impl Asked {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.lock().unwrap().is_over {
                    break;
                }
                answer(&serving, stream.unwrap());
            }
        });
        Self { port, shared }
    }

    fn says(&self, token: &str, answer: &Value) {
        self.shared.lock().unwrap().tokens.insert(token.to_owned(), answer.to_string());
    }

    fn asked(&self) -> usize {
        self.shared.lock().unwrap().asked.len()
    }

    /// A server that asks it, and believes an answer for so many seconds.
    fn server(&self, cache_seconds: u32) -> Server {
        let port = self.port;
        let introspection = format!(
            "{{ url = \"http://127.0.0.1:{port}/introspect\", client_id = \"chart log\", secret_file = \"secret\", cache_seconds = {cache_seconds} }}"
        );
        Setup::default()
            .file("secret", format!("{SECRET}\n"))
            .set(&format!(
                "auth.issuers=[{{ name = \"{NAME}\", introspection = {introspection} }}]"
            ))
            .start()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(shared: &Mutex<Shared>, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut form = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut form).unwrap();
    let form = String::from_utf8(form).unwrap();
    let (status, body) = {
        let mut shared = shared.lock().unwrap();
        let token =
            form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
        let said = shared.tokens.get(token).cloned();
        let said = said.unwrap_or_else(|| json!({ "active": false }).to_string());
        shared.asked.push((head, form));
        if shared.is_out { (500, String::new()) } else { (200, said) }
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} \r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// What is said of a token that is good.
fn good() -> Value {
    json!({
        "active": true, "client_id": "portal", "sub": "dr-opaque", "scope": "user/*.rs",
        "exp": seconds_from_now(3600), "token_type": "Bearer",
    })
}

fn ask(server: &Server, token: &str) -> Response {
    server.with_token(token).get("/fhir/Patient?_count=1")
}

#[track_caller]
fn refused(response: &Response, why: &str) {
    let challenge = response.header("www-authenticate").unwrap_or_default();
    assert_eq!(response.status, 401, "{}", response.text());
    assert!(challenge.contains("invalid_token") && challenge.contains(why), "{challenge}");
}

#[test]
fn an_opaque_token_is_what_its_issuer_says_and_is_asked_about_once_in_a_while() {
    let issuer = Asked::start();
    let server = issuer.server(300);
    let id = unique("p");
    server.clinician().put(&patient(&id)).expect(201);
    assert_eq!(issuer.asked(), 0, "a token that says itself what it grants is verified");
    issuer.says("good", &good());
    let read = |token: &str| -> Request {
        server.with_token(token).request("GET", &format!("/fhir/Patient/{id}"))
    };
    let (response, entry) = traced(&server, read("good"));
    response.expect(200);
    let said = (&entry["subject"], &entry["client"], &entry["issuer"]);
    assert_eq!(said, (&json!("dr-opaque"), &json!("portal"), &json!(NAME)), "{entry}");
    for _ in 0..5 {
        ask(&server, "good").expect(200);
        refused(&ask(&server, "bad"), "not active");
    }
    assert_eq!(issuer.asked(), 2);
    server.with_token("good").delete(&format!("/fhir/Patient/{id}")).refused(403, &[]);
    let (head, form) = issuer.shared.lock().unwrap().asked[0].clone();
    let credentials = STANDARD.encode("chart%20log:se%3Acr%2Bt");
    assert!(head.contains(&format!("Basic {credentials}")), "{head}");
    assert_eq!(form, "token=good&token_type_hint=access_token");
    // A token of another form, signed by nobody, is never sent to anybody.
    refused(&ask(&server, "a.b.c"), "not a signed");
    assert_eq!(issuer.asked(), 2);
    // What is no letter cannot add to the form.
    refused(&ask(&server, "bad&token=good"), "not active");
    let (_, form) = issuer.shared.lock().unwrap().asked[2].clone();
    assert_eq!(form, "token=bad%26token%3Dgood&token_type_hint=access_token");
    for secret in ["se:cr+t", "se%3Acr", &credentials, "good"] {
        assert!(!server.log().contains(secret), "{secret}");
    }
}

#[test]
fn what_was_revoked_ends_with_the_answer_before_and_an_outage_refuses() {
    let issuer = Asked::start();
    let server = issuer.server(1);
    issuer.says("good", &good());
    ask(&server, "good").expect(200);
    issuer.says("good", &json!({ "active": false }));
    let gone = || (ask(&server, "good").status == 401).then_some(());
    wait_for("it is worth nothing", gone);
    issuer.says("other", &good());
    issuer.shared.lock().unwrap().is_out = true;
    refused(&ask(&server, "other"), "could not be asked");
    assert!(server.log().contains("an issuer could not be asked about a token"));
    // Others are as good as before, and the issuer is believed as soon as it is back.
    server.clinician().get("/fhir/Patient?_count=1").expect(200);
    issuer.shared.lock().unwrap().is_out = false;
    ask(&server, "other").expect(200);
    for (token, changes, why) in [
        ("old", json!({ "exp": seconds_from_now(-100) }), "expired"),
        ("foreign", json!({ "aud": "elsewhere" }), "another server"),
        ("bound", json!({ "cnf": { "x5t#S256": "A".repeat(43) } }), "client certificate"),
        ("odd", json!({ "active": "true" }), "could not be asked"),
    ] {
        let mut said = good();
        said.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        issuer.says(token, &said);
        refused(&ask(&server, token), why);
    }
}

#[test]
fn questions_must_be_safe_to_ask() {
    let issuer = |url: &str, more: &str| {
        format!(
            "{{ name = \"{url}\", introspection = {{ url = \"{url}\", client_id = \"a\", secret_file = \"nowhere\"{more} }} }}"
        )
    };
    for (issuers, why) in [
        (issuer("http://login.example.org", ""), "to which no token should be sent"),
        (issuer("https://a.example", ", cache_seconds = 301"), "cache_seconds beyond 300"),
        (
            [issuer("https://a.example", ""), issuer("https://b.example", "")].join(","),
            "only one can be asked",
        ),
        (issuer("https://a.example", ""), "nowhere: "),
    ] {
        let set = format!("auth.issuers=[{issuers}]");
        let output = run(&["serve", "--listen", "127.0.0.1:0", "--set", &set]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(why), "{why}: {told}");
    }
}
