//! Who may look, and who looked: tokens, scopes, and the entry that every request leaves.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::{
    Actor, Request, Response, Server, Setup, accesses_of_request, bundle, entry, observation,
    only_access_of_request, patient, practitioner, run, shared, unique,
};

fn base64url(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn seconds_from_now(seconds: i64) -> i64 {
    chartlog::clock::Instant::now().seconds() + seconds
}

/// Sends with an id and gives the answer and the one entry that it left.
#[track_caller]
fn traced(server: &Server, request: Request) -> (Response, Value) {
    let id = unique("request");
    let response = request.header("x-request-id", &id).send();
    assert_eq!(response.header("x-request-id"), Some(id.as_str()));
    (response, only_access_of_request(server, &id))
}

#[test]
fn every_token_that_is_not_right_is_refused_on_both_faces_and_leaves_an_entry() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let good = server.token("dr-weiss", "user/*.cruds", None);
    let mut parts = good.split('.');
    let (header, claims, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let none = base64url(r#"{"alg":"none","typ":"JWT"}"#);
    let mut forged = URL_SAFE_NO_PAD.decode(claims).unwrap();
    let text = String::from_utf8(forged.clone()).unwrap().replace("dr-weiss", "dr-black");
    forged = text.into_bytes();
    let other = Server::start();
    let elsewhere = other.token("dr-weiss", "user/*.cruds", None);
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let with_claims = |change: &dyn Fn(&mut Value)| {
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        change(&mut claims);
        format!("{header}.{}.{signature}", base64url(claims.to_string()))
    };
    let bad = [
        ("missing", None),
        ("empty", Some("Bearer ".to_owned())),
        ("garbage", Some("Bearer garbage".to_owned())),
        ("dots", Some("Bearer a.b.c".to_owned())),
        ("another scheme", Some(format!("Basic {}", STANDARD.encode("dr-weiss:secret")))),
        ("no scheme", Some(good.clone())),
        ("unsigned", Some(format!("Bearer {none}.{claims}."))),
        ("unsigned with signature", Some(format!("Bearer {none}.{claims}.{signature}"))),
        ("without signature", Some(format!("Bearer {header}.{claims}."))),
        ("wrongly signed", Some(format!("Bearer {header}.{claims}.{flipped}{}", &signature[1..]))),
        ("forged", Some(format!("Bearer {header}.{}.{signature}", base64url(forged)))),
        ("another server's", Some(format!("Bearer {elsewhere}"))),
        (
            "expired",
            Some(format!(
                "Bearer {}",
                server.token_with("dr-weiss", "user/*.cruds", None, "chartlog", 60, 3600)
            )),
        ),
        (
            "another audience",
            Some(format!(
                "Bearer {}",
                server.token_with("dr-weiss", "user/*.cruds", None, "elsewhere", 3600, 0)
            )),
        ),
        (
            "another issuer",
            Some(format!(
                "Bearer {}",
                with_claims(&|claims| claims["iss"] = json!("https://evil.example"))
            )),
        ),
        (
            "without issuer",
            Some(format!(
                "Bearer {}",
                with_claims(&|claims| {
                    claims.as_object_mut().unwrap().remove("iss");
                })
            )),
        ),
        ("too long", Some(format!("Bearer {}", "x".repeat(20_000)))),
    ];
    for (name, header) in &bad {
        for target in [format!("/fhir/Patient/{owner}"), format!("/v1/patients/{owner}/chart")] {
            let mut request = server.anonymous().request("GET", &target);
            if let Some(header) = header {
                request = request.header("authorization", header.clone());
            }
            let (response, entry) = traced(server, request);
            let response = if target.starts_with("/fhir") {
                response.refused(401, &["token"])
            } else {
                response.problem(401, &["token"])
            };
            let challenge = response
                .header("www-authenticate")
                .unwrap_or_else(|| panic!("{name}: no challenge"));
            assert!(challenge.starts_with("Bearer realm="), "{name}: {challenge}");
            assert!(!response.text().contains("Quist"), "{name}");
            assert_eq!(
                (&entry["outcome"], &entry["status"]),
                (&json!("refused"), &json!(401)),
                "{name}"
            );
            assert!(entry.get("subject").is_none(), "{name}: nobody is to blame: {entry}");
            assert_eq!(entry["address"], "127.0.0.1");
        }
    }
    // The same token, untouched, opens the door.
    server.with_token(&good).get(&format!("/fhir/Patient/{owner}")).expect(200);
}

#[test]
fn a_token_wears_out_while_the_server_remembers_it() {
    let server = Setup::default().set("auth.leeway_seconds=0").start();
    server.clinician().put(&patient("p")).expect(201);
    let short =
        server.with_token(server.token_with("dr-weiss", "user/*.cruds", None, "chartlog", 2, 0));
    short.get("/fhir/Patient/p").expect(200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let response = short.get("/fhir/Patient/p");
        if response.status == 401 {
            response.refused(401, &["expired"]);
            break;
        }
        response.expect(200);
        assert!(std::time::Instant::now() < deadline, "the token never expires");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn the_scheme_is_not_case_sensitive() {
    let token = shared().token("dr-weiss", "user/*.cruds", None);
    let request = shared().anonymous().request("GET", "/fhir/Patient?_count=1");
    request.header("authorization", format!("bEARER  {token}")).send().expect(200);
}

#[test]
fn each_letter_of_a_scope_opens_its_own_door_only() {
    let server = shared();
    let clinician = server.clinician();
    let owner = unique("p");
    clinician.put(&patient(&owner)).expect(201);
    let allowed = |scope: &str| -> String {
        let actor = server.actor("someone", scope);
        let value = unique("o");
        let mut open = String::new();
        let mut door = |letter: char, response: Response| match response.status {
            200..=299 => open.push(letter),
            403 => drop(response.refused(403, &[])),
            _ => panic!("{scope} {letter}: {} {}", response.status, response.text()),
        };
        door('c', actor.put(&observation(&value, &owner)));
        clinician.put(&observation(&value, &owner));
        let target = format!("/fhir/Observation/{value}");
        door('r', actor.get(&target));
        door('h', actor.get(&format!("{target}/_history")));
        door('v', actor.get(&format!("{target}/_history/1")));
        let mut changed = observation(&value, &owner);
        changed["status"] = json!("amended");
        door('u', actor.put(&changed));
        door('s', actor.get(&format!("/fhir/Observation?_id={value}")));
        door('d', actor.delete(&target));
        door('p', actor.get(&format!("/fhir/Patient/{owner}")));
        open
    };
    for (scope, expected) in [
        ("", ""),
        ("openid launch", ""),
        ("user/Observation.c", "c"),
        ("user/Observation.r", "rhv"),
        ("user/Observation.u", "u"),
        ("user/Observation.d", "d"),
        ("user/Observation.s", "s"),
        ("user/Observation.cruds", "crhvusd"),
        ("system/*.rs", "rhvsp"),
        ("user/Observation.sr", ""),
        ("user/Observation.read", ""),
        ("user/Observation.rs?category=vital-signs", ""),
        ("user/observation.cruds", ""),
        ("patient/*.cruds", ""),
        ("user/Patient.rs user/Observation.r", "rhvp"),
    ] {
        assert_eq!(allowed(scope), expected, "{scope:?}");
    }
}

/// An answer without what names the request or the moment.
fn anonymised(response: &Response, secret: &str) -> String {
    let mut headers: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let request = response.header("x-request-id").unwrap_or_default();
    let body = String::from_utf8_lossy(&response.body)
        .replace(request, "REQUEST")
        .replace(secret, "SECRET");
    format!("{}\n{}\n{body}", response.status, headers.join("\n").replace(secret, "SECRET"))
}

/// A patient app; and two ids of equal length, of which one exists in another chart.
fn outsider() -> (Actor, String, String, String) {
    let server = shared();
    let clinician = server.clinician();
    let (own, other) = (unique("own"), unique("other"));
    clinician.put(&patient(&own)).expect(201);
    clinician.put(&patient(&other)).expect(201);
    let there = unique("value");
    let mut value = observation(&there, &other);
    value["identifier"] = json!([{ "system": "urn:test", "value": there }]);
    clinician.put(&value).expect(201);
    let not_there = format!("{}X", &there[..there.len() - 1]);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some(&own)));
    (app, other, there, not_there)
}

#[test]
fn a_patient_token_cannot_tell_what_exists_elsewhere_from_what_does_not() {
    let (app, other, there, not_there) = outsider();
    let own = app.get("/fhir/Patient").expect(200).json()["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let same = |what: &str, ask: &dyn Fn(&str) -> Response| {
        let (yes, no) = (ask(&there), ask(&not_there));
        assert!(
            matches!(yes.status, 200 | 201 | 204 | 400 | 403 | 404 | 412),
            "{what}: {}",
            yes.status
        );
        assert_eq!(anonymised(&yes, &there), anonymised(&no, &not_there), "{what}");
    };
    let url = |id: &str| format!("/fhir/Observation/{id}");
    same("read", &|id| app.get(&url(id)).refused(404, &[]));
    same("vread", &|id| app.get(&format!("{}/_history/1", url(id))).refused(404, &[]));
    same("history", &|id| app.get(&format!("{}/_history", url(id))).refused(404, &[]));
    same("delete", &|id| app.delete(&url(id)));
    for tag in ["W/\"1\"", "W/\"2\""] {
        same("If-None-Match", &|id| {
            app.request("GET", &url(id)).header("if-none-match", tag).send().refused(404, &[])
        });
        same("delete If-Match", &|id| {
            app.request("DELETE", &url(id)).header("if-match", tag).send()
        });
        let elsewhere = |id: &str| observation(id, &other);
        same("update If-Match", &|id| {
            app.request("PUT", &url(id)).header("if-match", tag).json(&elsewhere(id)).send()
        });
    }
    same("search", &|id| app.get(&format!("/fhir/Observation?_id={id}")).expect(200));
    same("identifier", &|id| app.get(&format!("/fhir/Observation?identifier={id}")).expect(200));
    same("If-None-Exist", &|id| {
        let request = app
            .request("POST", "/fhir/Observation")
            .header("if-none-exist", format!("identifier=urn:test|{id}"));
        request.json(&observation("x", &own)).send().refused(403, &[])
    });
    same("ifNoneExist", &|id| {
        let mut one = entry("POST", "Observation", observation("x", &own));
        one["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{id}"));
        app.post("/fhir", &bundle("transaction", &[one])).refused(403, &[])
    });
    same("conditional reference", &|id| {
        let mut one = observation("x", &own);
        one["derivedFrom"] =
            json!([{ "reference": format!("Observation?identifier=urn:test|{id}") }]);
        app.post("/fhir", &bundle("transaction", &[entry("POST", "Observation", one)]))
            .refused(403, &[])
    });
    same("delete in a batch", &|id| {
        app.post(
            "/fhir",
            &bundle("batch", &[entry("DELETE", &format!("Observation/{id}"), json!(null))]),
        )
    });
    same("removed", &|id| {
        let body = json!({ "events": [{ "type": "Observation.removed", "resource": format!("Observation/{id}") }] });
        app.post(&format!("/v1/patients/{own}/events"), &body)
    });
    // Nothing of all this did anything.
    let value = shared().clinician().get(&url(&there)).expect(200);
    assert_eq!(value.header("etag"), Some("W/\"1\""));
}

#[test]
fn a_patient_token_cannot_take_over_what_lies_elsewhere() {
    let (app, _, there, not_there) = outsider();
    let own = app.get("/fhir/Patient").expect(200).json()["entry"][0]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let put = |id: &str| app.put(&observation(id, &own));
    put(&there).refused(404, &[]);
    let value = shared().clinician().get(&format!("/fhir/Observation/{there}")).expect(200);
    assert_eq!(value.header("etag"), Some("W/\"1\""));
    // An id that is free may be taken; that it was free is then no secret.
    put(&not_there).expect(201);
}

#[test]
fn a_patient_token_cannot_tell_other_charts_from_none() {
    let server = shared();
    let (own, there) = (unique("own"), unique("chart"));
    let clinician = server.clinician();
    clinician.put(&patient(&own)).expect(201);
    clinician.put(&patient(&there)).expect(201);
    let not_there = format!("{}X", &there[..there.len() - 1]);
    let app = server.patient_app(&own);
    for (target, status) in [
        ("/v1/patients/{id}/chart", 403),
        ("/v1/patients/{id}/chart?version=1", 403),
        ("/v1/patients/{id}/events", 403),
        ("/v1/patients/{id}/diff?from=0", 403),
        ("/v1/patients/{id}/accesses", 403),
        ("/fhir/Patient/{id}/$everything", 403),
        ("/fhir/Patient/{id}", 404),
        ("/fhir/Patient/{id}/_history", 404),
    ] {
        let ask = |id: &str| app.get(&target.replace("{id}", id));
        let (yes, no) = (ask(&there), ask(&not_there));
        assert_eq!(yes.status, status, "{target}");
        assert_eq!(anonymised(&yes, &there), anonymised(&no, &not_there), "{target}");
        app.get(&target.replace("{id}", &own)).expect(200);
    }
}

#[test]
fn a_patient_token_writes_only_into_its_own_chart() {
    let server = shared();
    let (own, other) = (unique("own"), unique("other"));
    server.clinician().put(&patient(&own)).expect(201);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some(&own)));
    let value = unique("o");
    app.put(&observation(&value, &own)).expect(201);
    app.put(&observation(&value, &other)).refused(403, &["own chart"]);
    app.put(&practitioner(&unique("d"))).refused(403, &["own chart"]);
    app.put(&patient(&other)).refused(403, &["own chart"]);
    app.post("/fhir/Observation", &observation("x", &other)).refused(403, &["own chart"]);
    app.delete(&format!("/fhir/Observation/{value}")).expect(204);
    // Without a patient in the token there is no own chart.
    let lost = server.actor("app", "patient/*.cruds");
    lost.get(&format!("/fhir/Patient/{own}")).refused(403, &[]);
}

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
            "position": entry["position"], "recordedAt": entry["recordedAt"], "request": request,
            "subject": "dr-weiss", "issuer": "chartlog-local", "address": "127.0.0.1", "purpose": "TREAT",
            "operation": "readResource", "patients": [owner], "resource": format!("Patient/{owner}"),
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
            get(&clinician, &format!("/v1/patients/{owner}/accesses")),
            "listChartAccesses",
            "granted",
            200,
            1,
        ),
        (get(&clinician, "/v1/accesses?count=1"), "listAccesses", "granted", 200, 0),
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
            0,
        ),
        (get(&narrow, &format!("/fhir/Patient/{owner}")), "readResource", "refused", 403, 0),
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
            0,
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
    assert!(events.iter().all(|event| event["actor"]["request"] == id.as_str()), "{events:?}");
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
    for scope in ["user/Patient.rs", "user/AuditEvent.r", "user/AuditEvent.s", "user/*.cud", ""] {
        let someone = server.actor("someone", scope);
        someone.get(&chart).problem(403, &["access entries"].map(|_| "AuditEvent").as_slice());
        someone.get("/v1/accesses").problem(403, &["AuditEvent"]);
    }
    for scope in ["user/AuditEvent.rs", "system/*.rs"] {
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
    assert_eq!(list("actor=dr-weiss&outcome=granted").len(), 3);
    assert_eq!(list("actor=dr-weiss&outcome=failed").len(), 3);
    assert_eq!(list("outcome=refused").len(), 3);
    let all = list("actor=dr-weiss");
    assert_eq!(all.len(), 6);
    assert!(
        all.windows(2).all(|two| two[0]["position"].as_u64() > two[1]["position"].as_u64()),
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
    assert_eq!(of_chart["accesses"].as_array().unwrap().len(), 3);
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

/// A key pair of a configured issuer.
enum Signer {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    fn all() -> [(&'static str, Self); 3] {
        [
            ("RS256", Self::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
            (
                "ES256",
                Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            ),
            ("EdDSA", Self::EdDsa(Ed25519KeyPair::generate().unwrap())),
        ]
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        let (message, random) = (message.as_bytes(), SystemRandom::new());
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rs256(pair) => pair.public_key().as_der().unwrap(),
            Self::Es256(pair) => pair.public_key().as_der().unwrap(),
            Self::EdDsa(pair) => pair.public_key().as_der().unwrap(),
        };
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// As a JSON Web Key, which only the curves need here.
    fn jwk(&self, kid: &str) -> Option<Value> {
        match self {
            Self::Rs256(_) => None,
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                Some(
                    json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": base64url(&point[1..33]), "y": base64url(&point[33..]) }),
                )
            }
            Self::EdDsa(pair) => Some(
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": kid, "x": base64url(pair.public_key().as_ref()) }),
            ),
        }
    }

    fn token(&self, algorithm: &str, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.sign(&signed);
        format!("{signed}.{}", base64url(signature))
    }
}

const ISSUER: &str = "https://login.example.org";

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "dr-rot", "aud": ["other", "chartlog"], "exp": seconds_from_now(600), "scope": "user/*.cruds", "client_id": "viewer" })
}

/// A server that trusts a configured issuer and not itself, and the issuer's keys.
fn with_issuer() -> &'static (Server, [(&'static str, Signer); 3]) {
    static BOTH: LazyLock<(Server, [(&'static str, Signer); 3])> = LazyLock::new(|| {
        let signers = Signer::all();
        let jwks: Vec<Value> = signers
            .iter()
            .filter_map(|(name, signer)| signer.jwk(&format!("jwk-{name}")))
            .collect();
        let keys: Vec<String> = signers
            .iter()
            .map(|(name, _)| {
                format!(r#"{{ algorithm = "{name}", kid = "{name}", pem_file = "{name}.pem" }}"#)
            })
            .collect();
        let config = format!(
            "[auth]\nlocal_issuer = false\n[[auth.issuers]]\nname = \"{ISSUER}\"\njwks_file = \"keys.json\"\nkeys = [{}]\n",
            keys.join(", ")
        );
        let mut setup =
            Setup::default().file("c.toml", config).argument("--config").argument("c.toml");
        setup = setup.file("keys.json", json!({ "keys": jwks }).to_string());
        for (name, signer) in &signers {
            setup = setup.file(&format!("{name}.pem"), signer.pem());
        }
        let server = setup.start();
        crate::harness::guard(&server);
        (server, signers)
    });
    &BOTH
}

#[test]
fn tokens_of_a_configured_issuer_are_accepted_with_each_algorithm() {
    let (server, signers) = with_issuer();
    for (name, signer) in signers {
        let kids = [Some((*name).to_owned()), None, signer.jwk("x").map(|_| format!("jwk-{name}"))];
        for kid in kids.into_iter().filter(|kid| kid.is_none() || kid.is_some()) {
            let actor = server.with_token(signer.token(name, kid.as_deref(), &claims()));
            let owner = unique("p");
            actor.put(&patient(&owner)).expect(201);
            let events = actor.events(&owner);
            assert_eq!(events[0]["actor"]["subject"], "dr-rot", "{name} {kid:?}");
            assert_eq!(
                (&events[0]["actor"]["issuer"], &events[0]["actor"]["client"]),
                (&json!(ISSUER), &json!("viewer"))
            );
        }
    }
}

#[test]
fn tokens_that_a_configured_issuer_would_not_make_are_refused() {
    let (server, signers) = with_issuer();
    let (_, ed) = &signers[2];
    let refused = |token: String, word: &str| {
        server.with_token(token).get("/fhir/Patient").refused(401, &[word]);
    };
    let with = |member: &str, value: Value| {
        let mut claims = claims();
        claims[member] = value;
        ed.token("EdDSA", Some("EdDSA"), &claims)
    };
    server.with_token(with("sub", json!("someone"))).get("/fhir/Patient").expect(200);
    refused(with("aud", json!("elsewhere")), "another server");
    refused(with("iss", json!("https://evil.example")), "issuer");
    refused(with("iss", json!("chartlog-local")), "issuer");
    refused(with("exp", json!(seconds_from_now(-600))), "expired");
    refused(with("exp", json!("tomorrow")), "exp");
    refused(with("exp", json!(null)), "exp");
    refused(with("nbf", json!(seconds_from_now(600))), "not valid yet");
    refused(with("sub", json!(null)), "sub");
    refused(with("sub", json!("")), "sub");
    refused(ed.token("EdDSA", Some("unknown"), &claims()), "key");
    refused(ed.token("RS256", Some("RS256"), &claims()), "signature");
    refused(ed.token("HS256", None, &claims()), "algorithm");
    refused(ed.token("none", None, &claims()), "");
    let (_, stranger) = &Signer::all()[2];
    refused(stranger.token("EdDSA", Some("EdDSA"), &claims()), "signature");
    // A public key is no shared secret.
    let pem = signers[0].1.pem();
    let header = base64url(r#"{"alg":"HS256","kid":"RS256"}"#);
    let signed = format!("{header}.{}", base64url(claims().to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pem.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
    refused(format!("{signed}.{}", base64url(tag.as_ref())), "algorithm");
}

#[test]
fn the_local_issuer_is_not_believed_when_it_is_off() {
    let (server, _) = with_issuer();
    let local = server.token("dr-weiss", "user/*.cruds", None);
    server.with_token(local).get("/fhir/Patient").refused(401, &["issuer"]);
}

#[test]
fn a_server_that_others_can_reach_does_not_believe_the_local_issuer_unasked() {
    let data = tempfile::TempDir::new().unwrap();
    let data = data.path().join("data");
    let output = run(&["serve", "--listen", "0.0.0.0:0", "--data", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("auth.local_issuer") && stderr.contains("0.0.0.0:0"), "{stderr}");
    assert!(output.stdout.is_empty() && !data.exists(), "nothing was done");
}
