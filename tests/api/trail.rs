//! Who looked: the entry that every request leaves, and who may read entries.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Server, accesses_of_request, bundle, entry, observation, only_access_of_request,
    patient, shared, unique,
};
use crate::tokens::traced;

#[test]
fn an_entry_says_who_when_from_where_what_why_and_how_it_ended() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let target = format!("/fhir/Patient/{owner}?_format=json");
    let before = chartlog::clock::Instant::now();
    let request = server.clinician().request("GET", &target).header("x-purpose-of-use", "TREAT");
    let (response, entry) = traced(server, request);
    response.expect(200);
    let at = chartlog::clock::Instant::parse(entry["recordedAt"].as_str().unwrap()).unwrap();
    assert!(before <= at && at <= chartlog::clock::Instant::now());
    let request = entry["request"].clone();
    assert_eq!(
        entry,
        json!({
            "id": entry["id"], "recordedAt": entry["recordedAt"], "begunAt": entry["begunAt"],
            "request": request, "clientRequest": entry["clientRequest"], "bytes": entry["bytes"],
            "scopes": entry["scopes"], "subject": "dr-weiss", "issuer": "chartlog-local",
            "address": "127.0.0.1", "purpose": "TREAT", "breakGlass": false,
            "operation": "readResource", "action": "R", "patients": [owner],
            "resources": [{
                "position": entry["resources"][0]["position"], "patients": [owner],
                "resource": format!("Patient/{owner}"), "version": "1",
            }],
            "resourceCount": 1,
            "query": format!("GET {target}"), "outcome": "granted", "status": 200,
        })
    );
}

#[test]
fn every_look_leaves_one_entry_with_its_outcome() {
    let server = shared();
    let clinician = server.clinician();
    let (owner, value) = (unique("p"), unique("o"));
    clinician.put(&patient(&owner)).expect(201);
    clinician.put(&observation(&value, &owner)).expect(201);
    let narrow = server.actor("lab", "user/Observation.rs");
    let get = |actor: &Actor, target: &str| actor.request("GET", target);
    for (request, operation, outcome, status, patients) in [
        (get(&clinician, &format!("/fhir/Observation/{value}")), "readResource", "granted", 200, 1),
        (
            get(&clinician, &format!("/fhir/Observation/{value}"))
                .header("if-none-match", "W/\"1\""),
            "readResource",
            "granted",
            304,
            1,
        ),
        (
            get(&clinician, &format!("/fhir/Observation/{value}/_history/1")),
            "readResourceVersion",
            "granted",
            200,
            1,
        ),
        (
            get(&clinician, &format!("/fhir/Observation/{value}/_history")),
            "readResourceHistory",
            "granted",
            200,
            1,
        ),
        (
            get(&clinician, &format!("/fhir/Observation?patient={owner}")),
            "searchResources",
            "granted",
            200,
            1,
        ),
        (
            get(&clinician, &format!("/fhir/Patient/{owner}/$everything")),
            "patientEverything",
            "granted",
            200,
            1,
        ),
        (get(&clinician, &format!("/v1/patients/{owner}/chart")), "readChart", "granted", 200, 1),
        (get(&clinician, &format!("/v1/patients/{owner}/events")), "listEvents", "granted", 200, 1),
        (
            get(&clinician, &format!("/v1/patients/{owner}/diff?from=0")),
            "diffChart",
            "granted",
            200,
            1,
        ),
        (
            get(&server.entitled(), &format!("/v1/patients/{owner}/accesses")),
            "listChartAccesses",
            "granted",
            200,
            1,
        ),
        (get(&server.entitled(), "/v1/accesses?count=1"), "listAccesses", "granted", 200, 0),
        (
            get(&clinician, &format!("/fhir/Observation/{}", unique("never"))),
            "readResource",
            "failed",
            404,
            0,
        ),
        (
            get(&clinician, &format!("/v1/patients/{owner}/chart?at=1")),
            "readChart",
            "failed",
            400,
            1,
        ),
        (get(&narrow, &format!("/fhir/Patient/{owner}")), "readResource", "refused", 403, 1),
        (get(&narrow, "/v1/accesses"), "listAccesses", "refused", 403, 0),
        // Writes that write nothing.
        (
            clinician.request("PUT", &format!("/fhir/Patient/{owner}")).json(&patient(&owner)),
            "updateResource",
            "granted",
            200,
            1,
        ),
        (
            clinician.request("PUT", &format!("/fhir/Patient/{owner}")).text("{"),
            "updateResource",
            "failed",
            400,
            1,
        ),
        (
            clinician
                .request("PUT", &format!("/fhir/Patient/{owner}"))
                .header("if-match", "9")
                .json(&patient(&owner)),
            "updateResource",
            "failed",
            412,
            1,
        ),
        (
            clinician.request("DELETE", &format!("/fhir/Patient/{}", unique("never"))),
            "deleteResource",
            "granted",
            204,
            0,
        ),
        (
            clinician.request("POST", "/fhir").json(&bundle("transaction", &[])),
            "transaction",
            "granted",
            200,
            0,
        ),
    ] {
        let (response, entry) = traced(server, request);
        assert_eq!(
            response.status,
            status,
            "{operation} {}",
            String::from_utf8_lossy(&response.body)
        );
        assert_eq!(
            (&entry["operation"], &entry["outcome"], &entry["status"]),
            (&json!(operation), &json!(outcome), &json!(status))
        );
        let expected = if patients == 1 { json!([owner]) } else { json!([]) };
        assert_eq!(entry["patients"], expected, "{operation} {status}");
    }
}

#[test]
fn a_write_is_its_own_trace() {
    let server = shared();
    let clinician = server.clinician();
    let (owner, id) = (unique("p"), unique("request"));
    let target = format!("/fhir/Patient/{owner}");
    clinician
        .request("PUT", &target)
        .header("x-request-id", &id)
        .json(&patient(&owner))
        .send()
        .expect(201);
    assert_eq!(accesses_of_request(server, &id), Vec::<Value>::new());
    let events = clinician.events(&owner);
    assert!(
        events.iter().all(|event| event["actor"]["clientRequest"] == id.as_str()),
        "{events:?}"
    );
}

#[test]
fn a_batch_of_which_something_was_refused_leaves_a_trace_of_that() {
    let server = shared();
    let (owner, id) = (unique("p"), unique("request"));
    let recorder = server.actor("recorder", "user/Patient.cu");
    let sent = bundle(
        "batch",
        &[
            entry("PUT", &format!("Patient/{owner}"), patient(&owner)),
            entry("PUT", &format!("Observation/{owner}"), observation(&owner, &owner)),
        ],
    );
    recorder.request("POST", "/fhir").header("x-request-id", &id).json(&sent).send().expect(200);
    let entry = only_access_of_request(server, &id);
    assert_eq!(entry["operation"], "transaction");
}

#[test]
fn a_request_without_an_id_gets_one() {
    let server = shared();
    let ask = |id: Option<&str>| {
        let request = server.clinician().request("GET", "/fhir/Patient?_count=1");
        let request = match id {
            Some(id) => request.header("x-request-id", id),
            None => request,
        };
        request.send().expect(200).header("x-request-id").unwrap().to_owned()
    };
    let (one, two) = (ask(None), ask(None));
    assert_ne!(one, two);
    only_access_of_request(server, &one);
    for unusable in ["x".repeat(129), "\u{e9}".to_owned()] {
        assert_ne!(ask(Some(&unusable)), unusable);
    }
}

#[test]
fn entries_are_for_those_who_may_read_them() {
    let server = shared();
    let clinician = server.clinician();
    let (own, other) = (unique("own"), unique("other"));
    clinician.put(&patient(&own)).expect(201);
    clinician.put(&patient(&other)).expect(201);
    clinician.get(&format!("/fhir/Patient/{own}")).expect(200);
    let chart = format!("/v1/patients/{own}/accesses");
    for scope in [
        "user/Patient.rs",
        "user/AuditEvent.r",
        "user/AuditEvent.s",
        "user/AuditEvent.rs?type=rest",
        "user/AuditEvents.rs",
        // Who may read every chart is not therefore told who else does.
        "user/*.cruds",
        "system/*.cruds user/*.rs",
        "patient/*.rs patient/AuditEvent.rs",
        "",
    ] {
        let someone = server.actor("someone", scope);
        someone.get(&chart).problem(403, &["access entries", "user/AuditEvent.rs"]);
        someone.get("/v1/accesses").problem(403, &["AuditEvent"]);
    }
    for scope in
        ["user/AuditEvent.rs", "system/AuditEvent.rs", "user/AuditEvent.r system/AuditEvent.s"]
    {
        let someone = server.actor("someone", scope);
        someone.get(&chart).expect(200);
        someone.get("/v1/accesses").expect(200);
    }
    // A patient sees who looked at the own chart, and nothing more.
    let app = server.patient_app(&own);
    let entries = app.get(&chart).expect(200).json();
    let entries = entries["accesses"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .any(|entry| entry["operation"] == "readResource" && entry["subject"] == "dr-weiss")
    );
    app.get(&format!("/v1/patients/{other}/accesses")).problem(403, &[]);
    app.get("/v1/accesses").problem(403, &[]);
    // And so does who may read all charts, in an app of a patient.
    let both = server.token("dr-weiss", "user/*.cruds patient/*.rs", Some(&own));
    let both = server.with_token(both);
    both.get(&format!("/fhir/Patient/{other}")).expect(200);
    both.get(&chart).expect(200);
    both.get(&format!("/v1/patients/{other}/accesses")).problem(403, &["other patients"]);
    both.get("/v1/accesses").problem(403, &["all access entries"]);
    both.get(&format!("/fhir/AuditEvent?patient={other}")).refused(403, &["other patients"]);
    // An auditor sees entries but no charts.
    let auditor = server.auditor();
    auditor.get(&format!("/fhir/Patient/{own}")).refused(403, &[]);
    let chart = auditor.get(&format!("/v1/patients/{own}/chart")).expect(200).json();
    assert_eq!(chart["resources"], json!([]), "nothing that the auditor may read");
}

#[test]
fn a_charts_entries_name_no_other_chart_to_its_patient() {
    let server = shared();
    let clinician = server.clinician();
    let (own, other) = (unique("own"), unique("other"));
    clinician.put(&observation(&unique("o"), &own)).expect(201);
    clinician.put(&observation(&unique("o"), &other)).expect(201);
    let both = format!("/fhir/Observation?patient={own},{other}");
    clinician.get(&both).expect(200);
    let app = server.patient_app(&own);
    let page = app.get(&format!("/v1/patients/{own}/accesses")).expect(200);
    let entry = page.json()["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["operation"] == "searchResources")
        .cloned();
    let entry = entry.expect("the search has an entry in this chart");
    assert_eq!(entry["patients"], json!([own]));
    assert!(!page.text().contains(&other), "another patient is named: {entry}");
}

#[test]
fn entries_are_filtered_and_paged() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    for _ in 0..3 {
        clinician.get("/fhir/Patient/p").expect(200);
        server.actor("nosy", "user/Observation.rs").get("/fhir/Patient/p").refused(403, &[]);
        clinician.get("/fhir/Patient/q").refused(404, &[]);
    }
    let auditor = server.auditor();
    let list = |query: &str| {
        auditor.get(&format!("/v1/accesses?{query}")).expect(200).json()["accesses"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert_eq!(list("actor=nosy").len(), 3);
    // Three reads, and the commit.
    assert_eq!(list("actor=dr-weiss&outcome=granted").len(), 4);
    assert_eq!(list("actor=dr-weiss&outcome=failed").len(), 3);
    assert_eq!(list("outcome=refused").len(), 3);
    let all = list("actor=dr-weiss");
    assert_eq!(all.len(), 7);
    assert!(
        all.windows(2).all(|two| two[0]["recordedAt"].as_str() > two[1]["recordedAt"].as_str()),
        "newest first"
    );
    let middle = all[2]["recordedAt"].as_str().unwrap();
    assert_eq!(list(&format!("actor=dr-weiss&since={middle}")), all[..3]);
    assert_eq!(list(&format!("actor=dr-weiss&until={middle}")), all[3..]);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            auditor.get(&format!("/v1/accesses?actor=dr-weiss&count=2{cursor}")).expect(200).json();
        paged.extend(page["accesses"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let of_chart =
        auditor.get("/v1/patients/p/accesses?outcome=granted&actor=dr-weiss").expect(200).json();
    assert_eq!(of_chart["accesses"].as_array().unwrap().len(), 4);
    for (wrong, word) in [
        ("outcome=maybe", "outcome"),
        ("since=x", "since"),
        ("until=2999-01-01T00:00:00Z", "until"),
        ("count=x", "count"),
        ("cursor=!", "cursor"),
        ("who=x", "who"),
    ] {
        auditor.get(&format!("/v1/accesses?{wrong}")).problem(400, &[word]);
        auditor.get(&format!("/v1/patients/p/accesses?{wrong}")).problem(400, &[word]);
    }
}
