//! The matrix: every kind of request leaves one durable entry, which names exactly the versions that
//! were in the answer, or its events are its trace.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Actor, Request, Response, Server, accesses_of_request, bundle, entry, observation,
    only_access_of_request, patient, practitioner, unique,
};

/// Type/id and version, or the position of an event that has none.
type Versions = BTreeSet<(String, String)>;

/// A server with two charts.
///
/// `p`: observations `o1` (three versions), `o2` and `o3` (deleted), and an encounter `e`; its doctor is `w`.
/// `q`: an observation `o4`.
pub fn clinic() -> Server {
    let server = Server::start();
    let clinician = server.clinician();
    let mut owner = patient("p");
    owner["generalPractitioner"] = json!([{ "reference": "Practitioner/w" }]);
    for resource in [&practitioner("w"), &owner, &patient("q")] {
        clinician.put(resource).expect(201);
    }
    for (id, owner) in [("o1", "p"), ("o2", "p"), ("o3", "p"), ("o4", "q")] {
        clinician.put(&observation(id, owner)).expect(201);
    }
    for value in [73, 74] {
        let mut amended = observation("o1", "p");
        amended["valueQuantity"]["value"] = json!(value);
        clinician.put(&amended).expect(200);
    }
    clinician.delete("/fhir/Observation/o3").expect(204);
    let encounter = json!({
        "resourceType": "Encounter", "id": "e", "status": "finished", "class": { "code": "AMB" },
        "identifier": [{ "system": "urn:visits", "value": "77" }],
        "subject": { "reference": "Patient/p" },
    });
    clinician.put(&encounter).expect(201);
    let mut seen = observation("o5", "p");
    seen["encounter"] = json!({ "reference": "Encounter/e" });
    clinician.put(&seen).expect(201);
    server
}

fn version(resource: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
    (key, text(&resource["meta"]["versionId"]))
}

/// The versions in the answer of a FHIR interaction, or of the native API.
fn versions(answer: &Value) -> Versions {
    let list = |name: &str| answer[name].as_array().into_iter().flatten();
    match answer["resourceType"].as_str() {
        Some("OperationOutcome" | "Parameters") => BTreeSet::new(),
        Some("Bundle") => list("entry").flat_map(of_entry).collect(),
        Some(_) => [version(answer)].into(),
        None => {
            let chart = list("resources").map(version);
            // One event alone, or those of a page.
            let alone = answer.get("position").map(|_| answer);
            let events =
                list("events").chain(alone).map(|event| match event["versionId"].as_str() {
                    Some(number) => {
                        (event["resource"].as_str().unwrap().to_owned(), number.to_owned())
                    }
                    None => ("event".to_owned(), event["position"].to_string()),
                });
            let sides = list("changes").flat_map(|change| {
                let sides = [&change["before"], &change["after"]];
                sides.into_iter().filter(|side| side.is_object()).map(version)
            });
            chart.chain(events).chain(sides).collect()
        }
    }
}

fn of_entry(entry: &Value) -> Versions {
    match entry.get("resource") {
        Some(resource) => versions(resource),
        // An entry of a history, of a version that says it was deleted.
        None if entry["request"]["method"] == "DELETE" => {
            let address = entry["fullUrl"].as_str().unwrap();
            let key: Vec<_> = address.rsplit('/').take(2).collect();
            let etag = entry["response"]["etag"].as_str().unwrap();
            let number = etag.trim_start_matches("W/").trim_matches('"');
            [(format!("{}/{}", key[1], key[0]), number.to_owned())].into()
        }
        None => BTreeSet::new(),
    }
}

/// The versions that an entry names, in all its parts.
fn named(access: &Value) -> Versions {
    let parts = access["parts"].as_array().into_iter().flatten();
    let looks = std::iter::once(access).chain(parts);
    let shown = looks.flat_map(|look| look["resources"].as_array().unwrap());
    let name = |shown: &Value| match shown["resource"].as_str() {
        Some(key) => (key.to_owned(), shown["version"].as_str().unwrap().to_owned()),
        None => ("event".to_owned(), shown["position"].to_string()),
    };
    shown.map(name).collect()
}

/// All patients that an entry names.
pub fn patients(access: &Value) -> BTreeSet<String> {
    let parts = access["parts"].as_array().into_iter().flatten();
    let looks = std::iter::once(access).chain(parts);
    let named = looks.flat_map(|look| look["patients"].as_array().unwrap());
    named.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// The whole entries of a request: a page names only the first versions of each.
fn entries(server: &Server, id: &str) -> Vec<Value> {
    let whole = |entry: &Value| {
        let target = format!("/v1/accesses/{}", entry["id"].as_str().unwrap());
        server.auditor().get(&target).expect(200).json()
    };
    accesses_of_request(server, id).iter().map(whole).collect()
}

#[track_caller]
pub fn sent(request: Request) -> (String, Response) {
    let id = unique("matrix");
    let response = request.header("x-request-id", &id).send();
    (id, response)
}

/// Sends a request, and compares the versions in its answer with those in its one entry.
#[track_caller]
fn assert_told(server: &Server, told: &str, request: Request, status: u16, about: &[&str]) {
    let (id, response) = sent(request);
    let body = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!(response.status, status, "{told}: {body}");
    let entries = entries(server, &id);
    let [access] = entries.as_slice() else { panic!("{told}: {entries:?}") };
    let left = if body.is_empty() { BTreeSet::new() } else { versions(&response.json()) };
    assert_eq!(named(access), left, "{told}: {access}");
    let about: BTreeSet<String> = about.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(patients(access), about, "{told}: {access}");
    let outcome = match status {
        401 | 403 => "refused",
        400.. => "failed",
        _ => "granted",
    };
    assert_eq!(
        (&access["status"], &access["outcome"]),
        (&json!(status), &json!(outcome)),
        "{told}"
    );
    // Counted before elements are left out.
    if !told.contains("_elements") {
        assert_eq!(access["bytes"], if status < 400 { body.len() } else { 0 }, "{told}");
    }
}

#[test]
fn an_entry_names_exactly_the_versions_in_the_answer() {
    let server = clinic();
    let clinician = server.clinician();
    let before_o1 = clinician.get("/fhir/Observation/o1/_history/1").expect(200).json();
    let moment = before_o1["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    for (method, target, status, about) in [
        ("GET", "/fhir/Patient/p", 200, &["p"] as &[&str]),
        ("GET", "/fhir/Practitioner/w", 200, &[]),
        ("GET", "/fhir/Observation/o1", 200, &["p"]),
        ("GET", "/fhir/Observation/o1?_elements=status", 200, &["p"]),
        ("GET", "/fhir/Observation/o1/_history/2", 200, &["p"]),
        ("GET", "/fhir/Observation/o1/_history/9", 404, &["p"]),
        ("GET", "/fhir/Observation/o3", 410, &["p"]),
        ("GET", "/fhir/Observation/o3/_history/2", 410, &["p"]),
        ("GET", "/fhir/Observation/o9", 404, &[]),
        ("GET", "/fhir/Observation/o1/_history", 200, &["p"]),
        ("GET", "/fhir/Observation/o1/_history?_count=1", 200, &["p"]),
        ("GET", "/fhir/Observation/o3/_history", 200, &["p"]),
        ("GET", "/fhir/Observation/_history", 200, &["p", "q"]),
        ("GET", "/fhir/_history?_count=4", 200, &["p"]),
        ("GET", "/fhir/Observation?patient=p", 200, &["p"]),
        ("GET", "/fhir/Observation?patient=p&_count=1", 200, &["p"]),
        ("GET", "/fhir/Observation?_count=100", 200, &["p", "q"]),
        ("GET", "/fhir/Observation?_sort=-_lastUpdated", 200, &["p", "q"]),
        ("GET", "/fhir/Patient?_id=p&_revinclude=Observation:patient", 200, &["p"]),
        ("GET", "/fhir/Patient?_id=p&_include=Patient:general-practitioner", 200, &["p"]),
        ("GET", "/fhir/Patient/p/Observation", 200, &["p"]),
        ("GET", "/fhir/Patient/p/*", 200, &["p"]),
        ("GET", "/fhir?_type=Observation,Patient", 200, &["p", "q"]),
        ("GET", "/fhir/Patient/p/$everything", 200, &["p"]),
        ("GET", "/fhir/Patient/p/$everything?_count=2", 200, &["p"]),
        ("GET", "/v1/patients/p/chart", 200, &["p"]),
        ("GET", "/v1/patients/p/chart?version=3", 200, &["p"]),
        ("GET", "/v1/patients/p/events", 200, &["p"]),
        ("GET", "/v1/patients/p/events?count=2", 200, &["p"]),
        ("GET", "/v1/patients/p/diff?from=2", 200, &["p"]),
        ("GET", "/v1/events?limit=1000", 200, &["p", "q"]),
        ("GET", "/v1/events?limit=3&include=resource", 200, &["p"]),
        ("GET", "/v1/events?patient=q", 200, &["q"]),
        ("GET", "/v1/events?from=9&criteria=Observation%3Fpatient%3Dp", 200, &["p"]),
        ("GET", "/v1/events?type=Device", 200, &[]),
        ("GET", "/v1/events?patient=q&include=actor&actor=nobody", 200, &["q"]),
        ("GET", "/v1/events/5", 200, &["p"]),
        ("GET", "/v1/events/5?raw=true", 200, &["p"]),
        ("GET", "/v1/events/1", 200, &["p"]),
        ("GET", "/v1/events/0", 200, &[]),
        ("GET", "/v1/events/1000", 404, &[]),
        ("GET", "/v1/events?patient=nobody", 404, &[]),
        ("GET", "/v1/patients/p/diff?from=2&to=4", 200, &["p"]),
    ] {
        let told = format!("{method} {target}");
        assert_told(&server, &told, clinician.request(method, target), status, about);
    }
    for (target, about) in [
        (format!("/v1/patients/p/chart?asOf={moment}"), &["p"] as &[&str]),
        (format!("/fhir/Patient/p/$everything?_asOf={moment}"), &["p"]),
        (format!("/fhir/Observation?patient=p&_asOf={moment}"), &["p"]),
    ] {
        assert_told(&server, &target, clinician.request("GET", &target), 200, about);
    }
    let form = |target: &str, form: &str| {
        let request = clinician.request("POST", target);
        request.header("content-type", "application/x-www-form-urlencoded").bytes(form)
    };
    for target in
        ["/fhir/Observation/_search", "/fhir/_search", "/fhir/Patient/p/Observation/_search"]
    {
        let criteria =
            if target == "/fhir/_search" { "_type=Observation&patient=p" } else { "patient=p" };
        assert_told(&server, target, form(target, criteria), 200, &["p"]);
    }
    let known = clinician.request("GET", "/fhir/Observation/o1").header("if-none-match", "W/\"3\"");
    assert_told(&server, "not modified", known, 304, &["p"]);
}

#[test]
fn what_shows_a_version_without_its_resource_names_it_too() {
    let server = clinic();
    let clinician = server.clinician();
    let only = |request: Request| {
        let (id, response) = sent(request);
        let entries = entries(&server, &id);
        assert_eq!(entries.len(), 1, "{entries:?}");
        (response.expect(200).json(), entries[0].clone())
    };
    let (_, access) = only(clinician.request("GET", "/fhir/Observation/o1/$meta"));
    assert_eq!(named(&access), [("Observation/o1".to_owned(), "3".to_owned())].into());
    // Evidence shows those that it discloses.
    for (query, discloses) in [("", false), ("?disclose=true", true)] {
        let target = format!("/v1/patients/p/events/evidence{query}");
        let (evidence, access) = only(clinician.request("GET", &target));
        let entries = evidence["entries"].as_array().unwrap().iter();
        let shown = entries
            .filter(|entry| entry["disclosed"].is_string() || entry["disclosed"].is_object());
        let left: BTreeSet<_> = shown.map(|entry| entry["position"].as_u64().unwrap()).collect();
        let told = access["resources"].as_array().unwrap().iter();
        let told: BTreeSet<_> = told.map(|one| one["position"].as_u64().unwrap()).collect();
        assert_eq!((told, left.is_empty()), (left, !discloses), "{target}");
        assert_eq!(access["patients"], json!(["p"]));
    }
    // What was sent to be checked leaves nothing of the store.
    let validate = clinician.request("POST", "/fhir/Observation/$validate");
    let (_, access) = only(validate.json(&observation("o1", "p")));
    assert_eq!(named(&access), BTreeSet::new());
    // An entry of the access log, and a list of them, are about the patients they name.
    let (id, _) = sent(clinician.request("GET", "/fhir/Patient/p"));
    let entry = only_access_of_request(&server, &id);
    let target = format!("/v1/accesses/{}", entry["id"].as_str().unwrap());
    let (_, access) = only(server.auditor().request("GET", &target));
    assert_eq!(patients(&access), ["p".to_owned()].into());
    let (_, access) = only(server.auditor().request("GET", "/v1/patients/p/accesses"));
    assert_eq!(patients(&access), ["p".to_owned()].into());
}

#[test]
fn a_head_is_recorded_as_its_get_would_be() {
    let server = clinic();
    let (id, response) = sent(server.clinician().request("HEAD", "/fhir/Observation/o1"));
    assert_eq!(response.status, 200);
    let access = only_access_of_request(&server, &id);
    assert_eq!(named(&access), [("Observation/o1".to_owned(), "3".to_owned())].into());
}

#[test]
fn the_parts_of_a_long_answer_are_together_what_left() {
    let server = clinic();
    let clinician = server.clinician();
    for number in 0..3 {
        let mut long = observation(&format!("long{number}"), "p");
        long["note"] = json!([{ "text": "x".repeat(700_000) }]);
        clinician.put(&long).expect(201);
    }
    let (id, response) = sent(clinician.request("GET", "/fhir/Patient/p/$everything"));
    let entries = entries(&server, &id);
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    let all: Vec<_> = entries.iter().flat_map(named).collect();
    assert_eq!(all.iter().cloned().collect::<Versions>(), versions(&response.expect(200).json()));
    assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "each stands in one entry");
}

#[test]
fn each_entry_of_a_bundle_is_told_apart() {
    let server = clinic();
    let clinician = server.clinician();
    let sent_bundle = bundle(
        "batch",
        &[
            entry("GET", "Observation/o1", Value::Null),
            entry("GET", "Observation?patient=q", Value::Null),
            entry("GET", "Observation/o1/_history/1", Value::Null),
            entry("GET", "Patient/nobody", Value::Null),
            entry("GET", "Patient?_id=p&_summary=count", Value::Null),
        ],
    );
    let (id, response) = sent(clinician.request("POST", "/fhir").json(&sent_bundle));
    let answer = response.expect(200).json();
    let entries = entries(&server, &id);
    let [access] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(named(access), versions(&answer), "{access}");
    let parts = access["parts"].as_array().unwrap();
    let about: Vec<_> = parts.iter().map(patients).collect();
    let of = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(about, [of(&["p"]), of(&["q"]), of(&["p"]), of(&[]), of(&["p"])], "{access}");
    for (part, answered) in parts.iter().zip(answer["entry"].as_array().unwrap()) {
        assert_eq!(named(part), of_entry(answered), "{part}");
        let status = answered["response"]["status"].as_str().unwrap();
        assert!(status.starts_with(&part["status"].to_string()), "{part} {answered}");
    }
}

#[test]
fn a_write_is_traced_by_its_events_alone_and_one_that_writes_nothing_by_an_entry() {
    let server = clinic();
    let clinician = server.clinician();
    let events = |id: &str| {
        let events = clinician.events("p");
        events.iter().filter(|event| event["actor"]["clientRequest"] == id).count()
    };
    let put = |id: &str| clinician.request("PUT", &format!("/fhir/Observation/{id}"));
    let patch = json!([{ "op": "replace", "path": "/valueQuantity/value", "value": 80 }]);
    let transaction =
        bundle("transaction", &[entry("PUT", "Observation/w3", observation("w3", "p"))]);
    let condition = json!({
        "resourceType": "Condition", "subject": { "reference": "Patient/p" }, "code": { "text": "x" },
    });
    let append = json!({ "events": [
        { "type": "Observation.recorded", "resource": observation("w4", "p") },
    ] });
    let patched = |target: &str| {
        let request = clinician.request("PATCH", target);
        request.header("content-type", "application/json-patch+json").bytes(patch.to_string())
    };
    let hold = json!({ "reason": "matrix" });
    let entitled = server.entitled();
    for (told, request, status) in [
        ("update", put("w1").json(&observation("w1", "p")), 201),
        ("create", clinician.request("POST", "/fhir/Condition").json(&condition), 201),
        (
            "conditional update",
            clinician.request("PUT", "/fhir/Observation?_id=w2").json(&observation("w2", "p")),
            201,
        ),
        ("patch", patched("/fhir/Observation/w1"), 200),
        ("transaction", clinician.request("POST", "/fhir").json(&transaction), 200),
        ("append", clinician.request("POST", "/v1/patients/p/events").json(&append), 201),
        ("hold", entitled.request("POST", "/v1/patients/p/hold").json(&hold), 200),
        ("release", entitled.request("POST", "/v1/patients/p/release").json(&hold), 200),
        ("delete", clinician.request("DELETE", "/fhir/Observation/w1"), 204),
        ("conditional delete", clinician.request("DELETE", "/fhir/Observation?_id=w2"), 204),
    ] {
        let (id, response) = sent(request);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{told}: {body}");
        assert!(events(&id) > 0, "{told}");
        let entries = accesses_of_request(&server, &id);
        // What criteria found was seen, and is told beside the events.
        let is_conditional = told.starts_with("conditional");
        assert!(entries.len() <= usize::from(is_conditional), "{told}: {entries:?}");
    }
    for (told, request, status, about) in [
        ("unchanged", put("w3").json(&observation("w3", "p")), 200, &["p"] as &[&str]),
        (
            "of an older version",
            put("w3").header("if-match", "W/\"7\"").json(&observation("w3", "p")),
            412,
            &["p"],
        ),
        (
            "invalid",
            put("w3").json(&json!({ "resourceType": "Observation", "id": "w3" })),
            400,
            &[],
        ),
        ("no JSON", put("w3").text("{"), 400, &[]),
        ("nothing to delete", clinician.request("DELETE", "/fhir/Observation/w9"), 204, &[]),
        (
            "not allowed",
            server.actor("lab", "user/Patient.rs").request("DELETE", "/fhir/Patient/p"),
            403,
            &["p"],
        ),
    ] {
        let (id, response) = sent(request);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{told}: {body}");
        assert_eq!(events(&id), 0, "{told}");
        let access = only_access_of_request(&server, &id);
        let about: BTreeSet<String> = about.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(patients(&access), about, "{told}: {access}");
    }
}

#[test]
fn an_entry_is_there_after_the_server_was_killed_right_behind_the_answer() {
    let server = clinic();
    let clinician = server.clinician();
    let requests: Vec<(String, Response)> = [
        "/fhir/Observation/o1",
        "/fhir/Observation?patient=p",
        "/v1/patients/p/chart",
        "/fhir/Observation/o9",
        "/v1/nothing",
    ]
    .iter()
    .map(|target| sent(clinician.request("GET", target)))
    .collect();
    let server = server.restart();
    for (id, response) in requests {
        let access = only_access_of_request(&server, &id);
        assert_eq!(access["status"], response.status);
        let left =
            if response.status == 200 { versions(&response.json()) } else { BTreeSet::new() };
        assert_eq!(named(&access), left, "{access}");
    }
}

#[test]
fn a_client_names_its_request_and_the_server_does_too() {
    let server = clinic();
    let ask = |actor: &Actor| {
        let request = actor.request("GET", "/fhir/Patient/p").header("x-request-id", "mine");
        let response = request.send().expect(200);
        assert_eq!(response.header("x-correlation-id"), Some("mine"));
        response.header("x-request-id").unwrap().to_owned()
    };
    let (one, two) = (ask(&server.clinician()), ask(&server.clinician()));
    assert!(one != two && one != "mine", "{one} {two}");
    for id in [&one, &two] {
        let access = only_access_of_request(&server, id);
        assert_eq!((&access["request"], &access["clientRequest"]), (&json!(id), &json!("mine")));
    }
    // Not even another run of the server gives an id again.
    let server = server.restart();
    assert!(![one, two].contains(&ask(&server.clinician())));
}
