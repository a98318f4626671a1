//! Erasing and holding charts over HTTP and on the command line: who may, what is asked for, what
//! everybody sees afterwards, and the certificates.

use chartlog::proof::{Note, Verifier};
use serde_json::{Value, json};

use crate::harness::{
    Actor, Server, accesses_of_request, observation, patient, run, shared, unique,
};

fn chart(server: &Server) -> (String, String) {
    let (owner, value) = (unique("p"), unique("o"));
    server.clinician().put(&patient(&owner)).expect(201);
    server.clinician().put(&observation(&value, &owner)).expect(201);
    (owner, value)
}

fn reasons() -> Value {
    json!({ "reason": "asked for by the patient", "basis": "GDPR Art. 17(1)(b)" })
}

fn post(actor: &Actor, owner: &str, what: &str, body: &Value) -> crate::harness::Response {
    actor.post(&format!("/v1/patients/{owner}/{what}"), body)
}

/// Waits until the purge of a chart is certified.
fn certificates(server: &Server, chart: &str) -> Value {
    loop {
        let target = format!("/v1/erasures/{chart}");
        let found = server.entitled().get(&target).expect(200).json();
        if found.get("purge").is_some() {
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_erased_chart_is_gone_everywhere_and_certified() {
    let server = Server::start();
    let (owner, value) = chart(&server);
    let (kept, _) = chart(&server);
    let planned = json!({ "reason": "r", "basis": "b", "dryRun": true });
    let planned = post(&server.entitled(), &owner, "erasure", &planned).expect(200).json();
    assert_eq!((&planned["events"], &planned["resources"]), (&json!(3), &json!(2)));
    assert_eq!(planned.get("certificate"), None);
    server.clinician().get(&format!("/fhir/Patient/{owner}")).expect(200);

    let erased = post(&server.entitled(), &owner, "erasure", &reasons()).expect(200).json();
    assert_eq!((&erased["events"], &erased["resources"]), (&json!(3), &json!(2)));
    let instant = erased["recordedAt"].as_str().unwrap().to_owned();
    let gone = || {
        for target in [
            format!("/v1/patients/{owner}/chart"),
            format!("/v1/patients/{owner}/chart?version=1"),
            format!("/v1/patients/{owner}/chart?asOf={instant}"),
            format!("/v1/patients/{owner}/events"),
            format!("/v1/patients/{owner}/diff?from=0"),
            format!("/v1/patients/{owner}/accesses"),
        ] {
            server.entitled().get(&target).problem(410, &["erased"]);
        }
        for target in [
            format!("/fhir/Patient/{owner}"),
            format!("/fhir/Patient/{owner}/_history"),
            format!("/fhir/Patient/{owner}/_history/1"),
            format!("/fhir/Patient/{owner}/$everything"),
            format!("/fhir/Observation/{value}"),
            format!("/fhir/Observation/{value}/_history/1"),
        ] {
            server.clinician().get(&target).refused(410, &["erased"]);
        }
        let search = format!("/fhir/Observation?patient={owner}");
        assert_eq!(server.clinician().get(&search).expect(200).json()["total"], 0);
        let count = format!("/fhir/Observation?_id={value}&_count=0");
        assert_eq!(server.clinician().get(&count).expect(200).json()["total"], 0);
        server.clinician().put(&patient(&owner)).refused(410, &["erased"]);
        server.clinician().put(&observation(&unique("o"), &owner)).refused(410, &["erased"]);
        post(&server.entitled(), &owner, "erasure", &reasons()).problem(410, &["erased"]);
        post(&server.entitled(), &owner, "hold", &json!({ "reason": "r" })).problem(410, &[]);
        server.clinician().get(&format!("/fhir/Patient/{kept}")).expect(200);
        // Who looked is still told, without a name.
        server.auditor().get("/v1/accesses?count=200").expect(200);
    };
    gone();
    let chart = erased["chart"].as_str().unwrap();
    let found = certificates(&server, chart);
    assert_eq!(found["erasure"], erased["certificate"]);
    gone();

    let vkey = std::fs::read_to_string(server.data().join("certificates/vkey")).unwrap();
    let verifier: Verifier = vkey.trim().parse().unwrap();
    for kind in ["erasure", "purge"] {
        let note = Note::parse(found[kind].as_str().unwrap()).unwrap();
        note.verify(&verifier).unwrap();
        assert!(note.text().contains(&format!("chart: {chart}\n")), "{}", note.text());
        assert!(!note.text().contains(&owner), "it names the patient");
    }

    let server = server.restart();
    server.clinician().get(&format!("/fhir/Patient/{owner}")).refused(410, &["erased"]);
    server.clinician().get(&format!("/fhir/Patient/{kept}")).expect(200);
    let data = server.data();
    let verified = run(&["verify", "--data", data.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn erasing_takes_a_scope_by_name_a_reason_and_a_basis() {
    let server = Server::start();
    let (owner, _) = chart(&server);
    let before = server.log_length();
    for (actor, what) in [
        (server.clinician(), "erasure"),
        (server.clinician(), "hold"),
        (server.actor("x", "patient/ChartErasure.c user/ChartErasure.r"), "erasure"),
        (server.actor("x", "user/ChartHold.d"), "hold"),
        (server.actor("x", "user/ChartHold.c"), "release"),
    ] {
        post(&actor, &owner, what, &reasons()).problem(403, &["Chart"]);
    }
    let wrong = [
        (json!({}), vec!["reason", "basis"]),
        (json!([]), vec!["object"]),
        (json!({ "reason": " ", "basis": "b" }), vec!["reason"]),
        (json!({ "reason": "r", "basis": 7 }), vec!["basis"]),
        (json!({ "reason": "two\nlines", "basis": "b" }), vec!["reason"]),
        (json!({ "reason": "r".repeat(501), "basis": "b" }), vec!["reason"]),
        (json!({ "reason": "r", "basis": "b", "dryrun": true }), vec!["dryrun", "dryRun"]),
        (json!({ "reason": "r", "basis": "b", "dryRun": 1 }), vec!["dryRun"]),
    ];
    for (body, words) in wrong {
        post(&server.entitled(), &owner, "erasure", &body).problem(400, &words);
    }
    post(&server.entitled(), "nobody-there", "erasure", &reasons()).problem(404, &[]);
    server.entitled().get("/v1/erasures/0000000000000001").problem(404, &[]);
    server.entitled().get("/v1/erasures/nonsense").problem(404, &[]);
    assert_eq!(server.log_length(), before);
}

#[test]
fn a_held_chart_is_erased_only_after_its_release() {
    let (owner, _) = chart(shared());
    let hold = |what: &str| {
        let reason = json!({ "reason": "court order 7" });
        post(&shared().entitled(), &owner, what, &reason).expect(200).json()
    };
    assert_eq!(hold("hold")["held"], true);
    assert_eq!(hold("hold").get("position"), None, "it is held already");
    let request = unique("refused");
    shared()
        .entitled()
        .request("POST", &format!("/v1/patients/{owner}/erasure"))
        .json(&reasons())
        .header("x-request-id", &request)
        .send()
        .problem(409, &["legal hold"]);
    assert_eq!(accesses_of_request(shared(), &request).len(), 1);
    let events = shared().clinician().events(&owner);
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["reason"]), (&json!("chart.held"), &json!("court order 7")));
    assert_eq!(hold("release")["held"], false);
    post(&shared().entitled(), &owner, "erasure", &reasons()).expect(200);
}

#[test]
fn an_operator_erases_on_the_command_line() {
    let mut server = Server::start();
    let (owner, _) = chart(&server);
    let data = server.data();
    let erase = |more: &[&str]| {
        let fixed = ["erase", "--data", data.to_str().unwrap(), "--patient", &owner];
        run(&[&fixed, ["--reason", "r", "--basis", "b"].as_slice(), more].concat())
    };
    let refused = erase(&[]);
    assert_eq!(refused.status.code(), Some(1), "the server has it open");
    server.terminate();
    server.ended();
    let dry = erase(&["--dry-run"]);
    assert!(dry.status.success() && dry.stdout.is_empty());
    let done = erase(&["--purge-now"]);
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("certificate of erasure/1") && said.contains("certificate of purge/1"));
    let again = erase(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("was erased"));
    let server = server.restart();
    server.clinician().get(&format!("/fhir/Patient/{owner}")).refused(410, &["erased"]);
}
