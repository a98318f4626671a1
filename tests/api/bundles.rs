//! Transactions and batches.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Setup, bundle, entry, observation, patient, practitioner, shared, unique, with_reference,
};

fn send(actor: &Actor, bundle: &Value) -> crate::harness::Response {
    actor.post("/fhir", bundle)
}

fn statuses(response: &Value) -> Vec<String> {
    let entries = response["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|one| one["response"]["status"].as_str().unwrap().to_owned()).collect()
}

/// `Type/id` of each entry's location.
fn stored(response: &Value) -> Vec<String> {
    let entries = response["entry"].as_array().unwrap();
    let location = |one: &Value| {
        let location = one["response"]["location"].as_str().expect("a location").to_owned();
        let relative = location.strip_prefix(&format!("{}/fhir/", shared().base)).unwrap();
        relative.split_once("/_history/").unwrap().0.to_owned()
    };
    entries.iter().map(location).collect()
}

fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn identified(mut resource: Value, value: &str) -> Value {
    resource["identifier"] = json!([{ "system": "urn:test", "value": value }]);
    resource
}

#[test]
fn the_entries_of_a_transaction_may_refer_to_each_other_in_both_directions() {
    let clinician = shared().clinician();
    let (one, two) = (
        "urn:uuid:11111111-1111-4111-8111-111111111111",
        "urn:uuid:22222222-2222-4222-8222-222222222222",
    );
    let mut owner = patient("x");
    owner["generalPractitioner"] = json!([{ "reference": two }]);
    let doctor = practitioner("y");
    let mut value = with_reference(observation("z", "x"), one);
    value["performer"] = json!([{ "reference": two }]);
    let sent = bundle(
        "transaction",
        &[
            // A reference to what comes later, and to what came before.
            entry("POST", "Observation", value),
            named(one, entry("POST", "Patient", owner)),
            named(two, entry("POST", "Practitioner", doctor)),
        ],
    );
    let response = send(&clinician, &sent).expect(200).json();
    assert_eq!(response["type"], "transaction-response");
    assert_eq!(statuses(&response), ["201", "201", "201"]);
    let names = stored(&response);
    assert!(names[0].starts_with("Observation/") && names[1].starts_with("Patient/"), "{names:?}");
    let value = clinician.get(&format!("/fhir/{}", names[0])).expect(200).json();
    assert_eq!(value["subject"]["reference"], names[1].as_str());
    assert_eq!(value["performer"][0]["reference"], names[2].as_str());
    let owner = clinician.get(&format!("/fhir/{}", names[1])).expect(200).json();
    assert_eq!(owner["generalPractitioner"][0]["reference"], names[2].as_str());
}

#[test]
fn the_events_of_a_transaction_stand_together_in_the_chart() {
    let clinician = shared().clinician();
    let (id, value) = (unique("p"), unique("o"));
    let sent = bundle(
        "transaction",
        &[
            entry("PUT", &format!("Patient/{id}"), patient(&id)),
            entry("PUT", &format!("Observation/{value}"), observation(&value, &id)),
        ],
    );
    send(&clinician, &sent).expect(200);
    let events = clinician.events(&id);
    let told: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["chart.opened", "Patient.recorded", "Observation.recorded"]);
    assert!(events.windows(2).all(|two| two[0]["recordedAt"] == two[1]["recordedAt"]));
    let position = |at: usize| events[at]["position"].as_u64().unwrap();
    assert_eq!((position(1), position(2)), (position(0) + 1, position(0) + 2));
}

#[test]
fn one_bad_entry_stores_nothing_and_is_named() {
    let clinician = shared().clinician();
    let good = unique("good");
    let first = entry("PUT", &format!("Patient/{good}"), patient(&good));
    let bad = unique("bad");
    let mut wrong_status = observation(&bad, &good);
    wrong_status["code"] = json!(null);
    let cases = [
        (
            entry("PUT", &format!("Observation/{bad}"), wrong_status),
            "Bundle.entry[1].resource.code",
        ),
        (
            entry("PUT", &format!("Observation/{bad}"), observation("other", &good)),
            "Bundle.entry[1].resource.id",
        ),
        (
            entry("PUT", &format!("Patient/{bad}"), observation(&bad, &good)),
            "Bundle.entry[1].resource.resourceType",
        ),
        (
            entry("PUT", &format!("Observacion/{bad}"), observation(&bad, &good)),
            "Bundle.entry[1].request.url",
        ),
        (entry("PUT", "Observation", observation(&bad, &good)), "Bundle.entry[1].request.url"),
        (entry("POST", "Observation", json!(null)), "Bundle.entry[1].resource"),
        (entry("MOVE", "Observation", json!(null)), "Bundle.entry[1].request.method"),
        (json!({ "resource": observation(&bad, &good) }), "Bundle.entry[1].request"),
        (json!({ "request": { "url": "Observation" } }), "Bundle.entry[1].request.method"),
        (json!({ "request": { "method": "POST" } }), "Bundle.entry[1].request.url"),
        (json!("not an entry"), "Bundle.entry[1]"),
    ];
    for (bad, place) in cases {
        send(&clinician, &bundle("transaction", &[first.clone(), bad])).refused(400, &[place]);
        clinician.get(&format!("/fhir/Patient/{good}")).refused(404, &[]);
    }
}

#[test]
fn all_bad_entries_are_named_at_once() {
    let clinician = shared().clinician();
    let bad = || entry("POST", "Patient", json!({ "resourceType": "Observation" }));
    let good = entry("POST", "Patient", json!({ "resourceType": "Patient" }));
    let sent = bundle("transaction", &[bad(), good, bad()]);
    send(&clinician, &sent).refused(400, &["Bundle.entry[0]", "Bundle.entry[2]"]);
}

#[test]
fn a_failed_condition_stores_nothing_and_is_named() {
    let clinician = shared().clinician();
    let (new, old) = (unique("new"), unique("old"));
    clinician.put(&patient(&old)).expect(201);
    let mut stale = entry("PUT", &format!("Patient/{old}"), {
        let mut changed = patient(&old);
        changed["active"] = json!(false);
        changed
    });
    let fresh = entry("PUT", &format!("Patient/{new}"), patient(&new));
    stale["request"]["ifMatch"] = json!("W/\"2\"");
    send(&clinician, &bundle("transaction", &[fresh.clone(), stale.clone()]))
        .refused(412, &["Bundle.entry[1]", "version 1"]);
    clinician.get(&format!("/fhir/Patient/{new}")).refused(404, &[]);

    stale["request"]["ifMatch"] = json!("W/\"1\"");
    let response = send(&clinician, &bundle("transaction", &[fresh, stale])).expect(200).json();
    assert_eq!(statuses(&response), ["201", "200"]);
    assert_eq!(response["entry"][1]["response"]["etag"], "W/\"2\"");
}

#[test]
fn one_resource_twice_in_a_transaction_is_refused() {
    let clinician = shared().clinician();
    let id = unique("twice");
    let url = format!("Patient/{id}");
    for second in [entry("PUT", &url, patient(&id)), entry("DELETE", &url, json!(null))] {
        let sent = bundle("transaction", &[entry("PUT", &url, patient(&id)), second]);
        send(&clinician, &sent).refused(400, &["Bundle.entry[1]", &id, "twice"]);
        clinician.get(&format!("/fhir/{url}")).refused(404, &[]);
    }
}

#[test]
fn a_transaction_can_create_update_and_delete_at_once() {
    let clinician = shared().clinician();
    let (new, changed, removed) = (unique("n"), unique("c"), unique("r"));
    clinician.put(&patient(&changed)).expect(201);
    clinician.put(&patient(&removed)).expect(201);
    let mut change = patient(&changed);
    change["active"] = json!(false);
    let sent = bundle(
        "transaction",
        &[
            entry("DELETE", &format!("Patient/{removed}"), json!(null)),
            entry("PUT", &format!("Patient/{changed}"), change),
            entry("PUT", &format!("Patient/{new}"), patient(&new)),
            entry("PUT", &format!("Patient/{new}x"), patient(&format!("{new}x"))),
            entry("DELETE", &format!("Patient/{new}y"), json!(null)),
        ],
    );
    let response = send(&clinician, &sent).expect(200).json();
    assert_eq!(statuses(&response), ["204", "200", "201", "201", "204"]);
    clinician.get(&format!("/fhir/Patient/{removed}")).refused(410, &[]);
    clinician.get(&format!("/fhir/Patient/{new}x")).expect(200);
}

#[test]
fn conditional_references_must_find_exactly_one() {
    let clinician = shared().clinician();
    let (one, two) = (unique("one"), unique("two"));
    let doctor = unique("doctor");
    clinician.put(&identified(practitioner(&doctor), &one)).expect(201);
    for _ in 0..2 {
        clinician.post("/fhir/Practitioner", &identified(practitioner("x"), &two)).expect(201);
    }
    let owner = unique("owner");
    clinician.put(&patient(&owner)).expect(201);
    let with_performer = |value: &str| {
        let id = unique("o");
        let mut value_resource = observation(&id, &owner);
        value_resource["performer"] =
            json!([{ "reference": format!("Practitioner?identifier=urn:test|{value}") }]);
        (
            id.clone(),
            bundle("transaction", &[entry("PUT", &format!("Observation/{id}"), value_resource)]),
        )
    };
    let (id, sent) = with_performer(&one);
    send(&clinician, &sent).expect(200);
    let stored = clinician.get(&format!("/fhir/Observation/{id}")).expect(200).json();
    assert_eq!(stored["performer"][0]["reference"], format!("Practitioner/{doctor}"));

    let (id, sent) = with_performer(&unique("nobody"));
    send(&clinician, &sent).refused(400, &["Bundle.entry[0]", "finds nothing"]);
    clinician.get(&format!("/fhir/Observation/{id}")).refused(404, &[]);
    let (id, sent) = with_performer(&two);
    send(&clinician, &sent).refused(400, &["Bundle.entry[0]", "several"]);
    clinician.get(&format!("/fhir/Observation/{id}")).refused(404, &[]);
}

#[test]
fn conditional_references_find_what_the_same_transaction_brings() {
    let clinician = shared().clinician();
    let (owner, value) = (unique("owner"), unique("value"));
    clinician.put(&patient(&owner)).expect(201);
    let refers = |value: &str| {
        let id = unique("o");
        let mut resource = observation(&id, &owner);
        resource["performer"] =
            json!([{ "reference": format!("Practitioner?identifier=urn:test|{value}") }]);
        (id.clone(), entry("PUT", &format!("Observation/{id}"), resource))
    };
    let put = |id: &str, value: &str| {
        entry("PUT", &format!("Practitioner/{id}"), identified(practitioner(id), value))
    };
    let delete = |id: &str| entry("DELETE", &format!("Practitioner/{id}"), Value::Null);
    let performer = |id: &str| {
        let stored = clinician.get(&format!("/fhir/Observation/{id}")).expect(200).json();
        stored["performer"][0]["reference"].as_str().unwrap().to_owned()
    };
    // Created beside it, wherever it stands.
    let (first, second) = (unique("doctor"), unique("doctor"));
    let (id, refers_first) = refers(&value);
    send(&clinician, &bundle("transaction", &[refers_first, put(&first, &value)])).expect(200);
    assert_eq!(performer(&id), format!("Practitioner/{first}"));
    // Replaced by another one; and what takes another identifier is found by that.
    let (id, refers_second) = refers(&value);
    let swap = [refers_second, put(&second, &value), delete(&first)];
    send(&clinician, &bundle("transaction", &swap)).expect(200);
    assert_eq!(performer(&id), format!("Practitioner/{second}"));
    let (_, gone) = refers(&value);
    let renamed = [gone, put(&second, &unique("value"))];
    send(&clinician, &bundle("transaction", &renamed)).refused(400, &["finds nothing"]);
    let (_, several) = refers(&value);
    let third = [several, put(&unique("doctor"), &value)];
    send(&clinician, &bundle("transaction", &third)).refused(400, &["several"]);
}

#[test]
fn if_none_exist_stores_uses_or_refuses() {
    let clinician = shared().clinician();
    let value = unique("once");
    let urn = "urn:uuid:33333333-3333-4333-8333-333333333333";
    let conditional = || {
        let doctor = identified(practitioner("x"), &value);
        let mut entry = named(urn, entry("POST", "Practitioner", doctor));
        entry["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{value}"));
        entry
    };
    let role = || {
        entry(
            "POST",
            "PractitionerRole",
            json!({
                "resourceType": "PractitionerRole", "practitioner": { "reference": urn },
            }),
        )
    };
    let first =
        send(&clinician, &bundle("transaction", &[role(), conditional()])).expect(200).json();
    assert_eq!(statuses(&first), ["201", "201"]);
    let second =
        send(&clinician, &bundle("transaction", &[role(), conditional()])).expect(200).json();
    assert_eq!(statuses(&second), ["201", "200"]);
    assert_eq!(stored(&first)[1], stored(&second)[1]);
    // References to the entry lead to the resource that was found.
    let role_stored = clinician.get(&format!("/fhir/{}", stored(&second)[0])).expect(200).json();
    assert_eq!(role_stored["practitioner"]["reference"], stored(&first)[1].as_str());

    clinician.post("/fhir/Practitioner", &identified(practitioner("x"), &value)).expect(201);
    let before = shared_roles(&clinician, &stored(&first)[1]);
    send(&clinician, &bundle("transaction", &[role(), conditional()]))
        .refused(412, &["Bundle.entry[1]", "several"]);
    assert_eq!(shared_roles(&clinician, &stored(&first)[1]), before);
}

fn shared_roles(actor: &Actor, practitioner: &str) -> usize {
    let target = format!("/fhir/PractitionerRole?practitioner={practitioner}");
    let response = actor.get(&target);
    if response.status == 400 {
        // The parameter may be narrower than all of FHIR: count everything then.
        return actor.get("/fhir/PractitionerRole?_count=1000").expect(200).json()["entry"]
            .as_array()
            .map_or(0, |all| {
                all.iter()
                    .filter(|one| one["resource"]["practitioner"]["reference"] == practitioner)
                    .count()
            });
    }
    response.json()["entry"].as_array().map_or(0, Vec::len)
}

#[test]
fn one_transaction_with_the_same_condition_twice_stores_one_resource() {
    let clinician = shared().clinician();
    let value = unique("same");
    let conditional = || {
        let mut entry = entry("POST", "Practitioner", identified(practitioner("x"), &value));
        entry["request"]["ifNoneExist"] = json!(format!("identifier=urn:test|{value}"));
        entry
    };
    let response = send(&clinician, &bundle("transaction", &[conditional(), conditional()]));
    let found =
        clinician.get(&format!("/fhir/Practitioner?identifier=urn:test|{value}")).expect(200);
    let count = found.json()["entry"].as_array().map_or(0, Vec::len);
    // FHIR leaves open whether this is refused; what must not be is a duplicate.
    assert!(count <= 1, "{} stored {count}: {}", response.status, response.text());
}

#[test]
fn a_batch_takes_each_entry_by_itself() {
    let clinician = shared().clinician();
    let (good, other) = (unique("good"), unique("other"));
    let sent = bundle(
        "batch",
        &[
            entry("PUT", &format!("Patient/{good}"), patient(&good)),
            entry("PUT", &format!("Patient/{other}"), patient("unlike")),
            entry("DELETE", "Patient", json!(null)),
            entry("POST", "Practitioner", practitioner("x")),
            json!({}),
        ],
    );
    let response = send(&clinician, &sent).expect(200).json();
    assert_eq!(response["type"], "batch-response");
    assert_eq!(statuses(&response), ["201", "400", "400", "201", "400"]);
    let outcome = &response["entry"][1]["response"]["outcome"];
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["expression"][0], "Bundle.entry[1].resource.id");
    clinician.get(&format!("/fhir/Patient/{good}")).expect(200);
    clinician.get(&format!("/fhir/Patient/{other}")).refused(404, &[]);
}

#[test]
fn a_batch_that_may_not_do_everything_does_what_it_may() {
    let id = unique("half");
    let recorder = shared().actor("recorder", "user/Patient.cu");
    let sent = bundle(
        "batch",
        &[
            entry("PUT", &format!("Patient/{id}"), patient(&id)),
            entry("PUT", &format!("Observation/{id}"), observation(&id, &id)),
        ],
    );
    let response = send(&recorder, &sent).expect(200).json();
    assert_eq!(statuses(&response), ["201", "403"]);
    // A transaction is all or none also here.
    let other = unique("none");
    let sent = bundle(
        "transaction",
        &[
            entry("PUT", &format!("Patient/{other}"), patient(&other)),
            entry("PUT", &format!("Observation/{other}"), observation(&other, &other)),
        ],
    );
    send(&recorder, &sent).refused(403, &["Observation"]);
    shared().clinician().get(&format!("/fhir/Patient/{other}")).refused(404, &[]);
}

#[test]
fn prefer_representation_returns_the_resources_in_the_order_of_the_request() {
    let clinician = shared().clinician();
    let ids: Vec<String> = (0..70).map(|_| unique("order")).collect();
    for kind in ["transaction", "batch"] {
        let entries: Vec<Value> =
            ids.iter().map(|id| entry("PUT", &format!("Patient/{id}"), patient(id))).collect();
        let request = clinician.request("POST", "/fhir").header("prefer", "return=representation");
        let response = request.json(&bundle(kind, &entries)).send().expect(200).json();
        let entries = response["entry"].as_array().unwrap();
        let returned: Vec<_> =
            entries.iter().map(|one| one["resource"]["id"].as_str().unwrap()).collect();
        assert_eq!(returned, ids, "{kind}");
        assert_eq!(entries[0]["fullUrl"], format!("{}/fhir/Patient/{}", shared().base, ids[0]));
    }
    let minimal =
        send(&clinician, &bundle("transaction", &[entry("POST", "Patient", patient("x"))]));
    assert!(minimal.expect(200).json()["entry"][0].get("resource").is_none());
}

#[test]
fn an_empty_transaction_is_answered_and_other_bundles_are_refused() {
    let clinician = shared().clinician();
    let response = send(&clinician, &bundle("transaction", &[])).expect(200).json();
    assert_eq!(response["type"], "transaction-response");
    for other in ["collection", "document", "history", "Transaction", ""] {
        send(&clinician, &bundle(other, &[])).refused(400, &["Bundle.type"]);
    }
    send(&clinician, &patient("x")).refused(400, &["resourceType", "Bundle"]);
    let no_list = json!({ "resourceType": "Bundle", "type": "transaction", "entry": { "a": 1 } });
    send(&clinician, &no_list).refused(400, &["Bundle.entry"]);
}

#[test]
fn more_entries_than_the_limit_are_refused() {
    let server = Setup::default().set("limits.bundle_entries_max=2").start();
    let clinician = server.clinician();
    let entries = |count: usize| {
        let entries: Vec<Value> =
            (0..count).map(|_| entry("POST", "Patient", patient("x"))).collect();
        entries
    };
    send(&clinician, &bundle("transaction", &entries(2))).expect(200);
    let before = server.log_length();
    for kind in ["transaction", "batch"] {
        send(&clinician, &bundle(kind, &entries(3)))
            .refused(400, &["Bundle.entry", "2 are allowed"]);
    }
    assert_eq!(server.log_length(), before);
}

#[test]
fn a_transaction_repeated_with_its_idempotency_key_happens_once() {
    let clinician = shared().clinician();
    let key = unique("key");
    let sent = bundle(
        "transaction",
        &[entry("POST", "Patient", patient("x")), entry("POST", "Practitioner", practitioner("y"))],
    );
    let send = |sent: &Value| {
        clinician.request("POST", "/fhir").header("idempotency-key", &key).json(sent).send()
    };
    let first = send(&sent).expect(200);
    let second = send(&sent).expect(200);
    assert_eq!(second.text(), first.text());
    send(&bundle("transaction", &[])).refused(422, &["Idempotency-Key"]);
}
