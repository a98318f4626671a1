//! Pages of other sites: what browsers are told about them.

use std::collections::BTreeSet;

use crate::harness::{
    Request, Response, Server, Setup, Socket, accesses_of_request, patient, unique,
};

const SITE: &str = "https://app.example.org";

fn server() -> Server {
    Setup::default().set(&format!("server.cors_origins={SITE},http://localhost:5173")).start()
}

/// Asks whether a page of a site may send such a request.
fn preflight(server: &Server, site: &str, method: &str, headers: &str) -> Response {
    Request::new(server.address, "OPTIONS", "/fhir/Patient/p")
        .header("origin", site)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers)
        .send()
}

fn list(response: &Response, name: &str) -> BTreeSet<String> {
    let text = response.header(name).unwrap_or_default().to_ascii_lowercase();
    text.split(", ").map(str::to_owned).collect()
}

#[test]
fn a_page_of_a_site_that_is_named_may_ask_and_read() {
    let server = server();
    let wanted = "accept, authorization, content-encoding, content-type, if-match, if-modified-since, \
                  if-none-exist, if-none-match, prefer, last-event-id, idempotency-key, \
                  traceparent, x-break-glass, x-purpose-of-use, x-request-id, x-security-context";
    for site in [SITE, "http://localhost:5173"] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = preflight(&server, site, method, wanted).expect(200);
            assert_eq!(answer.header("access-control-allow-origin"), Some(site));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
            assert!(list(&answer, "vary").contains("origin"));
        }
    }
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let read = clinician.request("GET", "/fhir/Patient/p").header("origin", SITE).send();
    assert_eq!(read.header("access-control-allow-origin"), Some(SITE));
    let shown = list(&read, "access-control-expose-headers");
    for name in [
        "etag",
        "last-modified",
        "location",
        "content-location",
        "link",
        "retry-after",
        "www-authenticate",
        "x-request-id",
        "chartlog-position",
    ] {
        assert!(shown.contains(name), "{name}: {shown:?}");
    }
    // A refusal can be read too: an app that is not told why can say nothing to anybody.
    let refused = server.anonymous().request("GET", "/v1/events").header("origin", SITE).send();
    assert_eq!(refused.header("access-control-allow-origin"), Some(SITE));
    refused.problem(401, &[]);
    // It opens nothing: the token decides.
    let request = server.actor("nobody", "openid").request("GET", "/fhir/Patient/p");
    request.header("origin", SITE).send().refused(403, &[]);
}

/// SMART App Launch 2.2 §conformance: what an app begins with is public, and for pages of any site that may use the API.
#[test]
fn a_page_of_a_site_that_is_named_learns_where_to_sign_in() {
    let issuer = r#"{ name = "https://login.example.org", jwks_file = "keys.json", token_endpoint = "https://login.example.org/token" }"#;
    let server = Setup::default()
        .set(&format!("server.cors_origins={SITE}"))
        .file("keys.json", r#"{"keys":[]}"#)
        .set(&format!("auth.issuers=[{issuer}]"))
        .start();
    for place in ["/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration"] {
        for (site, expected) in [(SITE, Some(SITE)), ("https://other.example.org", None)] {
            let request = server.anonymous().request("GET", place).header("origin", site);
            let told = request.send().expect(200);
            assert_eq!(told.header("access-control-allow-origin"), expected, "{place}");
            assert!(told.json()["token_endpoint"].is_string(), "{place}");
        }
    }
}

#[test]
fn other_sites_are_told_nothing_and_clients_that_are_no_browser_do_not_mind() {
    let server = server();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    for site in ["https://app.example.org.evil.example", "http://app.example.org", "null"] {
        let answer = preflight(&server, site, "GET", "authorization");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{site}");
        let read = clinician.request("GET", "/fhir/Patient/p").header("origin", site).send();
        assert_eq!(read.expect(200).header("access-control-allow-origin"), None, "{site}");
    }
    let answer = preflight(&server, SITE, "GET", "cookie");
    assert_eq!(answer.header("access-control-allow-origin"), None, "what means nothing here");
    // A WebSocket may come from anywhere: who it is, it says itself.
    let headers = [("origin", "https://elsewhere.example")];
    let mut socket = Socket::open(&server.anonymous(), "/v1/events", &headers).ok().unwrap();
    socket.say(&format!("{{\"token\":\"{}\"}}", server.token("x", "user/*.rs", None)));
    assert_eq!(socket.event()["position"], 0);
}

#[test]
fn without_a_site_there_is_no_word_of_it() {
    let server = Server::start();
    let id = unique("cors");
    let answer = Request::new(server.address, "OPTIONS", "/fhir/Patient")
        .header("origin", SITE)
        .header("access-control-request-method", "GET")
        .header("x-request-id", id.clone())
        .send();
    assert_eq!(answer.expect(204).header("access-control-allow-origin"), None);
    assert_eq!(accesses_of_request(&server, &id).len(), 1);
}
