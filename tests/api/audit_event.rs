//! FHIR AuditEvent: of each interaction one that meets the rules of IHE BALP (Basic Audit Log Patterns), found by the
//! search parameters of R4, and made by nobody but the server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::harness::{
    Actor, Server, Setup, appointment, bundle, entry, observation, patient, practitioner, shared,
    unique,
};

const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";

/// The AuditEvents of a search, oldest first, page by page.
fn searched(server: &Server, query: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut target = format!("/fhir/AuditEvent?{query}&_sort=date&_count={count}");
    loop {
        let page = server.auditor().get(&target).expect(200).json();
        let entries = page["entry"].as_array().cloned().unwrap_or_default();
        assert!(entries.len() <= count, "{page}");
        for entry in entries {
            let event = entry["resource"].clone();
            let id = event["id"].as_str().unwrap();
            assert!(entry["fullUrl"].as_str().unwrap().ends_with(&format!("/AuditEvent/{id}")));
            assert_eq!(entry["search"]["mode"], "match");
            all.push(event);
        }
        let links = page["link"].as_array().unwrap();
        match links.iter().find(|link| link["relation"] == "next") {
            Some(next) => {
                let url = next["url"].as_str().unwrap();
                target = url[url.find("/fhir/").unwrap()..].to_owned();
            }
            None => return all,
        }
    }
}

/// All AuditEvents of what somebody did.
fn of_subject(server: &Server, who: &str) -> Vec<Value> {
    searched(server, &format!("agent:identifier=chartlog-local|{who}"), 100)
}

fn code(event: &Value, path: &str) -> Value {
    event.pointer(path).cloned().unwrap_or_default()
}

fn agents<'a>(event: &'a Value, kind: &str) -> Vec<&'a Value> {
    let agents = event["agent"].as_array().unwrap().iter();
    agents.filter(|agent| agent["type"]["coding"][0]["code"] == kind).collect()
}

fn entities<'a>(event: &'a Value, kind: &str, role: &str) -> Vec<&'a Value> {
    let entities = event["entity"].as_array().unwrap().iter();
    entities
        .filter(|entity| {
            entity["type"]["code"] == kind && (role.is_empty() || entity["role"]["code"] == role)
        })
        .collect()
}

fn references(event: &Value, kind: &str, role: &str) -> Vec<String> {
    let entities = entities(event, kind, role);
    entities
        .iter()
        .map(|one| one["what"]["reference"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// What the profiles of BALP have in common.
fn assert_basic(event: &Value, profile: &str, subtype: &str, action: &str) {
    let client = match action {
        "D" => ["110150", "custodian", "AUT"],
        "C" | "U" => ["110153", "110152", "AUT"],
        "E" => ["110153", "110152", "IRCP"],
        _ => ["110152", "110153", "IRCP"],
    };
    let expected = match profile {
        "" => Value::Null,
        name => json!([format!("{PROFILES}{name}")]),
    };
    assert_eq!(event["meta"]["profile"], expected, "{event:#}");
    assert_eq!(code(event, "/type/code"), "rest", "{event:#}");
    assert_eq!(
        code(event, "/type/system"),
        "http://terminology.hl7.org/CodeSystem/audit-event-type"
    );
    assert_eq!(
        event["subtype"][0],
        json!({ "system": "http://hl7.org/fhir/restful-interaction", "code": subtype, "display": subtype })
    );
    if action == "D" {
        assert_eq!(event["subtype"].as_array().unwrap().len(), 1);
    }
    assert_eq!(event["action"], action);
    assert!(chartlog::clock::Instant::parse(event["recorded"].as_str().unwrap()).is_some());
    assert!(event["source"]["observer"]["identifier"]["value"].is_string());
    assert_eq!(event["source"]["type"][0]["code"], "4");
    for kind in &client[..2] {
        let found = agents(event, kind);
        assert_eq!(found.len(), 1, "{kind} {event:#}");
        assert!(found[0]["who"].is_object() && found[0]["network"]["address"].is_string());
        assert_eq!(found[0]["requestor"], false);
        assert_eq!(found[0].get("media"), None);
    }
    let users = agents(event, client[2]);
    assert_eq!(users.len(), 1, "{event:#}");
    assert_eq!((&users[0]["requestor"], users[0].get("network")), (&json!(true), None));
    assert!(users[0]["who"]["identifier"]["value"].is_string());
    assert_eq!(users[0].get("altId").is_none(), action == "D");
    let requests = entities(event, "XrequestId", "");
    assert_eq!(requests.len(), 1);
    assert!(requests[0]["what"]["identifier"]["value"].is_string());
}

/// What the server itself says of a resource.
fn assert_valid(server: &Server, event: &Value) {
    let outcome = server.clinician().post("/fhir/AuditEvent/$validate", event).expect(200).json();
    let issues = outcome["issue"].as_array().unwrap();
    assert!(issues.iter().all(|issue| issue["severity"] != "error"), "{outcome:#} {event:#}");
}

fn query_of(event: &Value) -> String {
    let [query] = entities(event, "2", "24").try_into().unwrap();
    String::from_utf8(BASE64.decode(query["query"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn each_interaction_leaves_what_its_profile_asks_for() {
    let server = shared();
    let (owner, value, person, who) = (unique("p"), unique("o"), unique("d"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    let about = |method: &str, target: &str| {
        doctor.request(method, target).header("x-purpose-of-use", "TREAT")
    };
    let address = format!("/fhir/Observation/{value}");
    let mut changed = observation(&value, &owner);
    changed["valueQuantity"]["value"] = json!(73);
    let patch = json!([{ "op": "replace", "path": "/valueQuantity/value", "value": 74 }]);
    let search = format!("/fhir/Observation?patient={owner}&code=8867-4");

    about("PUT", &format!("/fhir/Patient/{owner}")).json(&patient(&owner)).send().expect(201);
    about("PUT", &address).json(&observation(&value, &owner)).send().expect(201);
    about("GET", &address).send().expect(200);
    about("GET", &format!("{address}/_history/1")).send().expect(200);
    about("PUT", &address).json(&changed).send().expect(200);
    let patched = about("PATCH", &address).header("content-type", "application/json-patch+json");
    patched.text(patch.to_string()).send().expect(200);
    about("GET", &search).send().expect(200);
    about("GET", &format!("{address}/_history")).send().expect(200);
    about("DELETE", &address).send().expect(204);
    about("PUT", &format!("/fhir/Practitioner/{person}"))
        .json(&practitioner(&person))
        .send()
        .expect(201);
    about("GET", &format!("/fhir/Practitioner/{person}")).send().expect(200);
    about("GET", "/fhir/Practitioner?_count=1&name=nobody-of-that-name").send().expect(200);

    let events = of_subject(server, &who);
    assert_eq!(events.len(), 12, "{events:#?}");
    let expected = [
        ("PatientCreate", "create", "C"),
        ("PatientCreate", "create", "C"),
        ("PatientRead", "read", "R"),
        ("PatientRead", "vread", "R"),
        ("PatientUpdate", "update", "U"),
        ("PatientUpdate", "update", "U"),
        ("PatientQuery", "search-type", "E"),
        ("", "history-instance", "R"),
        ("PatientDelete", "delete", "D"),
        ("Create", "create", "C"),
        ("Read", "read", "R"),
        ("Query", "search-type", "E"),
    ];
    for (event, (profile, subtype, action)) in events.iter().zip(expected) {
        assert_basic(event, profile, subtype, action);
        assert_valid(server, event);
        assert_eq!(event["outcome"], "0");
        assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
        let patients = references(event, "1", "1");
        let is_of_patient = !matches!(profile, "Create" | "Read" | "Query");
        let whose = if is_of_patient { vec![format!("Patient/{owner}")] } else { Vec::new() };
        assert_eq!(patients, whose, "{event:#}");
    }
    let versioned = |at: usize| references(&events[at], "2", "4");
    assert_eq!(versioned(0), [format!("Patient/{owner}/_history/1")]);
    for (at, version) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3), (8, 4)] {
        assert_eq!(versioned(at), [format!("Observation/{value}/_history/{version}")]);
    }
    assert_eq!(versioned(10), [format!("Practitioner/{person}/_history/1")]);
    assert_eq!(query_of(&events[6]), format!("GET {search}"));
    // What a search and a history showed is told too.
    assert_eq!(references(&events[6], "4", "4"), [format!("Observation/{value}/_history/3")]);
    let mut shown = references(&events[7], "4", "4");
    shown.sort();
    let versions = [1, 2, 3].map(|version| format!("Observation/{value}/_history/{version}"));
    assert_eq!(shown, versions);
    // Each by its own address, and page by page.
    for event in &events {
        let target = format!("/fhir/AuditEvent/{}", event["id"].as_str().unwrap());
        let read = server.auditor().get(&target).expect(200);
        assert_eq!(read.header("etag"), Some("W/\"1\""));
        assert_eq!(read.json(), *event);
    }
    for count in [1, 5] {
        assert_eq!(searched(server, &format!("altid={who}"), count), {
            let known = events.iter().filter(|event| event["action"] != "D");
            known.cloned().collect::<Vec<_>>()
        });
    }
}

#[test]
fn a_failure_says_why_and_claims_no_profile() {
    let server = shared();
    let (owner, who) = (unique("p"), unique("clerk"));
    server.clinician().put(&patient(&owner)).expect(201);
    let clerk = server.actor(&who, "user/Observation.rs");
    clerk.get(&format!("/fhir/Patient/{owner}")).expect(403);
    clerk.get(&format!("/fhir/Observation/{}", unique("never"))).expect(404);
    clerk.get("/fhir/Observation?nothing=1").expect(400);
    let events = of_subject(server, &who);
    let told: Vec<_> = events.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(told, ["8", "4", "4"]);
    for (event, status) in events.iter().zip(["403", "404", "400"]) {
        assert_valid(server, event);
        assert_eq!(event["meta"].get("profile"), None);
        assert!(event["outcomeDesc"].as_str().unwrap().contains(status), "{event:#}");
    }
    // Whose chart was asked for in vain is told.
    assert_eq!(references(&events[0], "1", "1"), [format!("Patient/{owner}")]);
    let refused = searched(server, &format!("altid={who}&outcome=8"), 10);
    assert_eq!(refused, events[..1]);
}

#[test]
fn each_entry_of_a_bundle_is_an_audit_event() {
    let server = shared();
    let (owner, other, who) = (unique("p"), unique("p"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    let put = |id: &str| entry("PUT", &format!("Patient/{id}"), patient(id));
    // A transaction is told by its events.
    doctor.post("/fhir", &bundle("transaction", &[put(&owner), put(&other)])).expect(200);
    let events = of_subject(server, &who);
    assert_eq!(events.len(), 2);
    for (event, at) in events.iter().zip(0..) {
        assert_basic(event, "PatientCreate", "create", "C");
        assert!(event["id"].as_str().unwrap().ends_with(&format!(".{at}")));
    }
    // A batch that read, too, by its entry.
    let mut changed = patient(&owner);
    changed["gender"] = json!("female");
    let entries = [
        entry("PUT", &format!("Patient/{owner}"), changed.clone()),
        entry("GET", &format!("Patient/{other}"), Value::Null),
        entry("GET", &format!("Observation?patient={other}"), Value::Null),
        entry("GET", "Practitioner/never-there", Value::Null),
    ];
    doctor.post("/fhir", &bundle("batch", &entries)).expect(200);
    let mut events = of_subject(server, &who).split_off(2);
    assert_eq!(events.len(), 4, "{events:#?}");
    events.sort_by_key(|event| {
        event["subtype"][0]["code"].to_string() + &event["outcome"].to_string()
    });
    assert_basic(&events[0], "PatientRead", "read", "R");
    assert_basic(&events[1], "", "read", "R");
    assert_eq!(events[1]["outcome"], "4");
    assert_basic(&events[2], "PatientQuery", "search-type", "E");
    assert_basic(&events[3], "PatientUpdate", "update", "U");
    assert_eq!(references(&events[3], "2", "4"), [format!("Patient/{owner}/_history/2")]);
    // And of a transaction that read.
    changed["gender"] = json!("other");
    let entries = [entry("PUT", &format!("Patient/{owner}"), changed), entries[1].clone()];
    doctor.post("/fhir", &bundle("transaction", &entries)).expect(200);
    let events = of_subject(server, &who).split_off(6);
    let told: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["R", "U"], "{events:#?}");
    assert_basic(&events[1], "PatientUpdate", "update", "U");
    for count in [1, 2, 3] {
        let query = format!("agent:identifier=chartlog-local|{who}");
        assert_eq!(searched(server, &query, count), of_subject(server, &who));
    }
}

#[test]
fn a_search_of_several_charts_names_all_their_patients() {
    let server = shared();
    let (one, other, met, who) = (unique("p"), unique("p"), unique("a"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    for id in [&one, &other] {
        server.clinician().put(&patient(id)).expect(201);
    }
    server.clinician().put(&appointment(&met, &[&one, &other])).expect(201);
    doctor.get(&format!("/fhir/Appointment?patient={one},{other}")).expect(200);
    let [event] = of_subject(server, &who).try_into().unwrap();
    assert_basic(&event, "Query", "search-type", "E");
    let mut patients = references(&event, "1", "1");
    patients.sort();
    let mut expected = [format!("Patient/{one}"), format!("Patient/{other}")];
    expected.sort();
    assert_eq!(patients, expected);
    assert_valid(server, &event);
}

#[test]
fn every_parameter_of_the_standard_finds_and_leaves_out() {
    let server = shared();
    let (owner, value, who) = (unique("p"), unique("o"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    doctor.put(&patient(&owner)).expect(201);
    doctor.put(&observation(&value, &owner)).expect(201);
    doctor.get(&format!("/fhir/Observation/{value}")).expect(200);
    doctor.get(&format!("/fhir/Observation/{}", unique("never"))).expect(404);
    let all = of_subject(server, &who);
    let [stored, wrote, read, failed] = all.clone().try_into().unwrap();
    let at = read["recorded"].as_str().unwrap();
    let (id, server_name) =
        (read["id"].as_str().unwrap(), read["source"]["site"].as_str().unwrap());
    let everything = [&stored, &wrote, &read, &failed];
    for (query, expected) in [
        ("action=R".to_owned(), &[&read, &failed] as &[&Value]),
        ("action=C,U".to_owned(), &[&stored, &wrote]),
        ("address=127.0.0.1".to_owned(), &everything),
        ("address=10.9.8.7".to_owned(), &[]),
        (format!("agent:identifier={who}"), &everything),
        ("agent:identifier=nobody".to_owned(), &[]),
        ("agent=Practitioner/nobody".to_owned(), &[]),
        ("agent-name=nobody".to_owned(), &[]),
        ("agent-role=nurse".to_owned(), &[]),
        (format!("date={at}"), &[&read]),
        (format!("date=gt{at}"), &[&failed]),
        (format!("date=ge{at}"), &[&read, &failed]),
        (format!("date=lt{at}"), &[&stored, &wrote]),
        (format!("_lastUpdated=le{at}"), &[&stored, &wrote, &read]),
        (format!("entity=Observation/{value}"), &[&wrote, &read]),
        (format!("entity=Patient/{owner}"), &[&stored, &wrote, &read]),
        ("entity-name=nothing".to_owned(), &[]),
        ("entity-role=4".to_owned(), &[&stored, &wrote, &read]),
        ("entity-type=XrequestId".to_owned(), &everything),
        ("outcome=0".to_owned(), &[&stored, &wrote, &read]),
        ("outcome=4".to_owned(), &[&failed]),
        ("outcome:not=0".to_owned(), &[&failed]),
        (format!("patient={owner}"), &[&stored, &wrote, &read]),
        (format!("patient=Patient/{owner}&action=R"), &[&read]),
        (format!("patient={}", unique("p")), &[]),
        ("policy=urn:none".to_owned(), &[]),
        (format!("site={}", server_name.replace(',', "\\,")), &everything),
        ("site=elsewhere".to_owned(), &[]),
        ("source=Device/none".to_owned(), &[]),
        ("subtype=create".to_owned(), &[&stored, &wrote]),
        ("subtype=urn:chartlog:operation|readResource".to_owned(), &[&read, &failed]),
        ("type=rest".to_owned(), &everything),
        ("type=110100".to_owned(), &[]),
        (format!("_id={id}"), &[&read]),
    ] {
        let query = format!("altid={who}&{query}");
        let found = searched(server, &query, 3);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        for (counted, entries) in
            [("_total=accurate&_count=1", 1), ("_count=0", 0), ("_summary=count", 0)]
        {
            let page = format!("/fhir/AuditEvent?{query}&{counted}");
            let page = server.auditor().get(&page).expect(200).json();
            assert_eq!(page["total"], expected.len(), "{query} {counted}");
            let given = page["entry"].as_array().map_or(0, Vec::len);
            assert_eq!(given, expected.len().min(entries), "{query} {counted}");
        }
    }
    // In the compartment of a patient, and newest first.
    let target = format!("/fhir/Patient/{owner}/AuditEvent?altid={who}");
    let page = server.auditor().get(&target).expect(200).json();
    let found: Vec<_> =
        page["entry"].as_array().unwrap().iter().map(|one| &one["resource"]).collect();
    assert_eq!(found, [&read, &wrote, &stored]);
}

#[test]
fn what_is_not_understood_is_refused() {
    let auditor = shared().auditor();
    for (query, words) in [
        ("nothing=1", "nothing"),
        ("_sort=action", "_sort"),
        ("_include=AuditEvent:agent", "_include"),
        ("_total=many", "_total"),
        ("agent:Practitioner.name=x", "AuditEvent"),
        ("_cursor=x", "_cursor"),
        ("date=yesterday", "date"),
    ] {
        auditor.get(&format!("/fhir/AuditEvent?{query}")).refused(400, &[words]);
    }
    auditor.get("/fhir/AuditEvent/not-one").refused(404, &["AuditEvent/not-one"]);
    auditor.get("/fhir/AuditEvent/999999999-0").refused(404, &["999999999-0"]);
    auditor.get("/fhir?_type=AuditEvent").refused(400, &["AuditEvent"]);
}

#[test]
fn nobody_writes_an_audit_event() {
    let server = shared();
    let all = server.entitled();
    all.put(&practitioner(&unique("d"))).expect(201);
    let page = server.auditor().get("/fhir/AuditEvent?_count=1").expect(200).json();
    let mut event = page["entry"][0]["resource"].clone();
    let id = event["id"].as_str().unwrap().to_owned();
    let one = format!("/fhir/AuditEvent/{id}");
    let patch = json!([{ "op": "remove", "path": "/outcome" }]);
    let refuse = |request: crate::harness::Request| {
        let response = request.send().refused(405, &["AuditEvent", "read and searched"]);
        assert_eq!(response.header("allow"), Some("GET, HEAD"));
    };
    refuse(all.request("PUT", &one).json(&event));
    refuse(all.request("DELETE", &one));
    refuse(all.request("DELETE", "/fhir/AuditEvent?_id=x"));
    let patched = all.request("PATCH", &one).header("content-type", "application/json-patch+json");
    refuse(patched.text(patch.to_string()));
    refuse(all.request("GET", &format!("{one}/_history")));
    refuse(all.request("GET", &format!("{one}/_history/1")));
    refuse(all.request("GET", "/fhir/AuditEvent/_history"));
    refuse(all.request("GET", &format!("{one}/$meta")));
    event.as_object_mut().unwrap().remove("id");
    refuse(all.request("POST", "/fhir/AuditEvent").json(&event));
    let entries = [entry("POST", "AuditEvent", event)];
    refuse(all.request("POST", "/fhir").json(&bundle("transaction", &entries)));
    let answer = all.post("/fhir", &bundle("batch", &entries)).expect(200).json();
    assert!(
        answer["entry"][0]["response"]["status"].as_str().unwrap().starts_with("405"),
        "{answer}"
    );
    // The statement of what can be done says the same.
    let statement = server.anonymous().get("/fhir/metadata").expect(200).json();
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let told = resources.iter().find(|one| one["type"] == "AuditEvent").unwrap();
    assert_eq!(told["interaction"], json!([{ "code": "read" }, { "code": "search-type" }]));
}

#[test]
fn a_patient_sees_what_is_about_the_own_chart() {
    let server = shared();
    let (owner, other, who) = (unique("p"), unique("p"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    let put = |id: &str| entry("PUT", &format!("Patient/{id}"), patient(id));
    doctor.post("/fhir", &bundle("transaction", &[put(&owner), put(&other)])).expect(200);
    doctor.get(&format!("/fhir/Patient/{other}")).expect(200);
    doctor.get(&format!("/fhir/Patient?_id={owner},{other}")).expect(200);
    let app: Actor = server.patient_app(&owner);
    let page = app.get(&format!("/fhir/AuditEvent?altid={who}")).expect(200);
    assert!(!page.text().contains(&other), "{}", page.text());
    let page = page.json();
    let events = page["entry"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{page:#}");
    for event in events {
        let target = format!("/fhir/AuditEvent/{}", event["resource"]["id"].as_str().unwrap());
        let read = app.get(&target).expect(200);
        assert!(!read.text().contains(&other), "{}", read.text());
    }
    let theirs = searched(server, &format!("altid={who}&patient={other}&action=R"), 10);
    let target = format!("/fhir/AuditEvent/{}", theirs[0]["id"].as_str().unwrap());
    app.get(&target).refused(404, &["does not exist"]);
    app.get(&format!("/fhir/AuditEvent?patient={other}")).refused(403, &["other patients"]);
    server.actor(&who, "user/Patient.rs").get("/fhir/AuditEvent").refused(403, &["AuditEvent"]);
}

#[test]
fn reading_audit_events_is_audited() {
    let server = shared();
    let (owner, who) = (unique("p"), unique("officer"));
    server.clinician().put(&patient(&owner)).expect(201);
    let officer = server.actor(&who, "user/AuditEvent.rs");
    let target = format!("/fhir/AuditEvent?patient={owner}");
    let page = officer.get(&target).expect(200).json();
    officer
        .get(&format!("/fhir/AuditEvent/{}", page["entry"][0]["resource"]["id"].as_str().unwrap()));
    let events = of_subject(server, &who);
    assert_eq!(events.len(), 2);
    assert_eq!(query_of(&events[0]), format!("GET {target}"));
    for event in &events {
        assert_eq!(references(event, "1", "1"), [format!("Patient/{owner}")]);
    }
}

#[test]
fn what_takes_too_much_to_count_is_refused() {
    // As much work as one page and a half take.
    let server = Setup::default().set("limits.request_records_max=120000").start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    // One AuditEvent for each entry.
    let reads = vec![entry("GET", "Patient/p", Value::Null); 1_500];
    for _ in 0..4 {
        clinician.post("/fhir", &bundle("batch", &reads)).expect(200);
    }
    let auditor = server.auditor();
    let counted = |query: &str| auditor.get(&format!("/fhir/AuditEvent?_count=0{query}"));
    counted("").refused(400, &["name the patient, a code or a date"]);
    assert_eq!(counted("&action=C").expect(200).json()["total"], 1);
}
