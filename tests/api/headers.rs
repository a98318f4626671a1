//! What each answer tells browsers, and addresses without a token that can be closed.

use serde_json::json;

use crate::harness::{
    Actor, Response, Server, Setup, accesses_of_request, patient, shared, unique,
};

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

#[track_caller]
fn assert_careful(response: &Response, policy: &str) {
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(response.header("content-security-policy"), Some(policy));
    // Only TLS keeps that promise.
    assert_eq!(response.header("strict-transport-security"), None);
}

#[test]
fn what_a_token_opens_is_stored_nowhere_and_neither_is_a_refusal() {
    let (server, id) = (shared(), unique("careful"));
    let clinician = server.clinician();
    assert_careful(&clinician.put(&patient(&id)).expect(201), NOTHING);
    let nobody = server.actor("nobody", "openid");
    let answers: [(&Actor, &str, &str, u16); 9] = [
        (&clinician, "GET", "/fhir/Patient/ID", 200),
        (&clinician, "HEAD", "/fhir/Patient/ID", 200),
        (&clinician, "GET", "/fhir/Patient?_id=ID", 200),
        (&clinician, "GET", "/fhir/Patient/ID/$everything", 200),
        (&server.auditor(), "GET", "/v1/accesses?patient=ID", 200),
        (&clinician, "GET", "/fhir/Patient/ID-none", 404),
        (&clinician, "GET", "/none", 404),
        (&nobody, "GET", "/fhir/Patient/ID", 403),
        (&server.anonymous(), "DELETE", "/fhir/Patient/ID", 401),
    ];
    for (actor, method, target, status) in answers {
        let answer = actor.request(method, &target.replace("ID", &id)).send().expect(status);
        assert_careful(&answer, NOTHING);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
    }
    for target in
        ["/health/live", "/metrics", "/openapi.json", "/fhir/metadata", "/v1/log/events/key"]
    {
        assert_careful(&server.anonymous().get(target).expect(200), NOTHING);
    }
    let known = clinician.request("GET", &format!("/fhir/Patient/{id}"));
    let known = known.header("if-none-match", "W/\"1\"").send().expect(304);
    assert_eq!(known.header("cache-control"), Some("no-store"));
}

#[test]
fn the_page_of_the_docs_loads_its_own_parts_alone() {
    let answer = shared().anonymous().get("/docs/").expect(200);
    let policy = answer.header("content-security-policy").unwrap();
    for words in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"] {
        assert!(policy.contains(words), "{policy}");
    }
    assert!(!policy.contains("script-src"), "scripts are the page's own: {policy}");
    let inline = answer.text().split("<script").skip(1).any(|rest| !rest.starts_with(" src="));
    assert!(!inline, "a script within the page would not run: {}", answer.text());
}

#[test]
fn figures_and_docs_can_be_closed_and_are_then_no_addresses() {
    let closed = Setup::default()
        .set("server.metrics=off")
        .set("server.docs=false")
        .set("console.enabled=false")
        .start();
    for target in
        ["/metrics", "/docs", "/docs/", "/openapi.json", "/console/", "/console/settings.json", "/"]
    {
        let id = unique("closed");
        let request = closed.anonymous().request("GET", target).header("x-request-id", &id);
        request.send().problem(404, &["no GET"]);
        let entries = accesses_of_request(&closed, &id);
        assert_eq!(entries[0]["operation"], json!("noRoute"), "{target}");
    }
    closed.anonymous().get("/health/live").expect(200);
}

#[test]
fn figures_can_be_for_the_machine_of_the_server_alone() {
    let server = Setup::default()
        .set("server.metrics=loopback")
        .set("server.trusted_proxies=127.0.0.1")
        .start();
    let ask = |server: &Server, from: &str| {
        let request = server.anonymous().request("GET", "/metrics");
        request.header("x-forwarded-for", from).send()
    };
    server.anonymous().get("/metrics").expect(200);
    ask(&server, "127.0.0.9").expect(200);
    ask(&server, "192.0.2.7").problem(404, &[]);
}
