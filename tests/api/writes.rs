//! Commits among the access entries: a write is its own trace, and one query shows both.

use serde_json::{Value, json};

use crate::harness::{
    Server, appointment, bundle, entry, observation, patient, practitioner, shared, unique,
};

fn ids(page: &Value) -> Vec<String> {
    let accesses = page["accesses"].as_array().unwrap();
    accesses.iter().map(|access| access["id"].as_str().unwrap().to_owned()).collect()
}

/// All entries of a query, page by page.
fn walked(server: &Server, query: &str, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let target = format!("/v1/accesses?{query}&count={count}{cursor}");
        let page = server.auditor().get(&target).expect(200).json();
        let accesses = page["accesses"].as_array().unwrap();
        assert!(accesses.len() <= count);
        all.extend(accesses.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn a_list_shows_looks_and_writes_in_the_order_of_time() {
    let server = shared();
    let (owner, value, who) = (unique("p"), unique("o"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    doctor
        .request("PUT", &format!("/fhir/Patient/{owner}"))
        .header("x-request-id", &owner)
        .header("x-purpose-of-use", "TREAT")
        .json(&patient(&owner))
        .send()
        .expect(201);
    doctor.get(&format!("/fhir/Patient/{owner}")).expect(200);
    doctor.put(&observation(&value, &owner)).expect(201);
    let mut changed = observation(&value, &owner);
    changed["valueQuantity"]["value"] = json!(73);
    doctor.put(&changed).expect(200);
    doctor.delete(&format!("/fhir/Observation/{value}")).expect(204);
    doctor.get(&format!("/fhir/Observation?patient={owner}")).expect(200);
    doctor.put(&practitioner(&unique("d"))).expect(201);

    let mine = walked(server, &format!("actor={who}&sort=recordedAt"), 100);
    let told: Vec<_> = mine
        .iter()
        .map(|one| (one["operation"].as_str().unwrap(), one["action"].as_str().unwrap()))
        .collect();
    let of_chart = [
        ("createResource", "C"),
        ("readResource", "R"),
        ("createResource", "C"),
        ("updateResource", "U"),
        ("deleteResource", "D"),
        ("searchResources", "E"),
    ];
    assert_eq!(told[..6], of_chart);
    assert_eq!(told[6..], [("createResource", "C")]);
    let first = &mine[0];
    let events: Vec<u64> = serde_json::from_value(first["events"].clone()).unwrap();
    assert_eq!(first["id"], format!("e{}", events[0]));
    assert_eq!(
        (&first["clientRequest"], &first["purpose"], &first["address"], &first["patients"]),
        (&json!(owner), &json!("TREAT"), &json!("127.0.0.1"), &json!([owner]))
    );
    let wrote = json!(format!("Patient/{owner}"));
    assert_eq!((&first["resources"][0]["resource"], &first["resourceCount"]), (&wrote, &json!(1)));
    // What was stored and what was changed are versions of one resource.
    let versions: Vec<_> = mine[2..5].iter().map(|one| &one["resources"][0]["version"]).collect();
    assert_eq!(versions, ["1", "2", "3"]);

    // Each page size, both orders, by chart and by subject: the same entries.
    let by_chart = walked(server, &format!("patient={owner}&sort=recordedAt"), 100);
    assert_eq!(by_chart[..6], mine[..6]);
    for count in 1..=4 {
        assert_eq!(walked(server, &format!("actor={who}&sort=recordedAt"), count), mine);
        let mut newest = walked(server, &format!("actor={who}"), count);
        newest.reverse();
        assert_eq!(newest, mine);
        // The list of the chart grows by being read.
        let again = format!("patient={owner}&actor={who}&sort=recordedAt");
        assert_eq!(walked(server, &again, count), by_chart[..6]);
    }
    // By what they are, and when.
    let some = |filter: &str| walked(server, &format!("actor={who}&sort=recordedAt&{filter}"), 2);
    assert_eq!(some("action=C").len(), 3);
    assert_eq!(some("action=D"), mine[4..5]);
    assert_eq!(some("action=R"), mine[1..2]);
    assert_eq!(some("outcome=granted"), mine);
    assert_eq!(some("outcome=failed"), Vec::<Value>::new());
    assert_eq!(some("purpose=TREAT"), mine[..1]);
    assert_eq!(some(&format!("resource=Observation/{value}")), mine[2..5]);
    let from = mine[3]["recordedAt"].as_str().unwrap();
    assert_eq!(some(&format!("since={from}")), mine[3..]);
    assert_eq!(some(&format!("until={from}")), mine[..3]);
    // And each by itself.
    for one in &mine {
        let target = format!("/v1/accesses/{}", one["id"].as_str().unwrap());
        assert_eq!(server.auditor().get(&target).expect(200).json(), *one);
    }
}

#[test]
fn a_commit_is_named_by_its_first_event() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let target = format!("/v1/patients/{owner}/accesses");
    let page = server.auditor().get(&target).expect(200).json();
    let [id] = ids(&page).try_into().unwrap();
    let first: u64 = id.strip_prefix('e').unwrap().parse().unwrap();
    server.auditor().get(&format!("/v1/accesses/e{}", first + 1)).problem(404, &["access entry"]);
    let beyond = server.log_length() + 1_000_000;
    server.auditor().get(&format!("/v1/accesses/e{beyond}")).problem(404, &["access entry"]);
    server.auditor().get("/v1/accesses/e").problem(400, &["12-3"]);
}

#[test]
fn a_commit_of_several_charts_is_in_the_list_of_each() {
    let server = shared();
    let (one, other, met) = (unique("p"), unique("p"), unique("a"));
    let who = unique("dr");
    let doctor = server.actor(&who, "user/*.cruds");
    let entries = [&one, &other].map(|id| entry("PUT", &format!("Patient/{id}"), patient(id)));
    doctor.post("/fhir", &bundle("transaction", &entries)).expect(200);
    doctor.put(&appointment(&met, &[&one, &other])).expect(201);
    for count in [1, 2] {
        for sort in ["recordedAt", "-recordedAt"] {
            for owner in [&one, &other] {
                let mut found =
                    walked(server, &format!("patient={owner}&actor={who}&sort={sort}"), count);
                if sort == "-recordedAt" {
                    found.reverse();
                }
                let [both, met] = found.try_into().unwrap();
                assert_eq!(both["resourceCount"], 2);
                assert_eq!(met["operation"], "createResource");
                assert_eq!(met["patients"].as_array().unwrap().len(), 2);
                assert_eq!(met["events"].as_array().unwrap().len(), 2);
            }
        }
    }
    // A patient reads of no other.
    let app = server.with_token(server.token("app", "patient/*.rs", Some(&other)));
    let page = app.get(&format!("/v1/patients/{other}/accesses")).expect(200).json();
    let text = page.to_string();
    assert!(text.contains(&who) && text.contains(&met) && !text.contains(&one), "{text}");
}

#[test]
fn each_commit_of_a_batch_is_found_by_its_subject() {
    let server = shared();
    let who = unique("dr");
    let doctor = server.actor(&who, "user/*.cruds");
    let names: Vec<String> = (0..12).map(|_| unique("d")).collect();
    let put = |id: &String| entry("PUT", &format!("Practitioner/{id}"), practitioner(id));
    let entries: Vec<Value> = names.iter().map(put).collect();
    doctor.post("/fhir", &bundle("batch", &entries)).expect(200);
    let found = walked(server, &format!("actor={who}"), 5);
    assert_eq!(found.len(), names.len(), "{found:?}");
    assert!(found.iter().all(|one| one["operation"] == "createResource"));
}

#[test]
fn a_request_that_did_more_than_commit_appears_once() {
    let server = shared();
    let (owner, who) = (unique("p"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    let read = entry("GET", &format!("Patient/{owner}"), Value::Null);
    let write = entry("PUT", &format!("Patient/{owner}"), patient(&owner));
    for kind in ["batch", "transaction"] {
        let mut changed = write.clone();
        changed["resource"]["gender"] = json!(if kind == "batch" { "male" } else { "female" });
        doctor.post("/fhir", &bundle(kind, &[changed, read.clone()])).expect(200);
    }
    let found = walked(server, &format!("actor={who}"), 5);
    let ids: Vec<_> = found.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert!(ids.iter().all(|id| id.contains('-')), "{ids:?}");
    // Without the entry, the commit stands for itself.
    let found = walked(server, &format!("actor={who}&action=C"), 5);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_transaction_that_found_what_it_was_to_create_appears_once() {
    let server = shared();
    let (mrn, who) = (unique("mrn"), unique("dr"));
    let doctor = server.actor(&who, "user/*.cruds");
    let mut there = practitioner(&unique("d"));
    there["identifier"] = json!([{ "system": "urn:mrn", "value": mrn }]);
    server.clinician().put(&there).expect(201);
    let mut create = entry("POST", "Practitioner", there);
    create["request"]["ifNoneExist"] = json!(format!("identifier=urn:mrn|{mrn}"));
    let new = unique("d");
    let put = entry("PUT", &format!("Practitioner/{new}"), practitioner(&new));
    doctor.post("/fhir", &bundle("transaction", &[create, put])).expect(200);
    let [found] = walked(server, &format!("actor={who}"), 5).try_into().unwrap();
    assert!(found["id"].as_str().unwrap().contains('-'), "{found}");
    assert_eq!(found["events"].as_array().unwrap().len(), 1, "{found}");
    // As AuditEvents: the request, and what it created.
    let target = format!("/fhir/AuditEvent?altid={who}&_sort=date");
    let page = server.auditor().get(&target).expect(200).json();
    let events = page["entry"].as_array().unwrap();
    let told: Vec<_> = events.iter().map(|one| &one["resource"]["action"]).collect();
    assert_eq!(told, ["E", "C"], "{page:#}");
}
