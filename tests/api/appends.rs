//! Appending to a chart: numbers, conflicts, and once only.

use crate::charts::{append, charted, event, status, told};
use crate::harness::{Actor, Server, observation, patient, practitioner, shared, unique};
use serde_json::{Value, json};

#[test]
fn appended_events_are_numbered_without_gaps_and_receipted() {
    let server = Server::start();
    let clinician = server.clinician();
    let body = json!({ "expectedVersion": 0, "events": [
        event("Patient.recorded", patient("p")),
        event("Observation.recorded", observation("o", "p")),
    ] });
    let receipt = append(&clinician, "p", &body).expect(201).json();
    assert_eq!((&receipt["position"], &receipt["events"]), (&json!(0), &json!(3)));
    assert_eq!(
        receipt["resources"],
        json!([
            { "resource": "Patient/p", "versionId": "1", "changed": true },
            { "resource": "Observation/o", "versionId": "1", "changed": true },
        ])
    );
    let events = clinician.events("p");
    let numbers: Vec<_> = events
        .iter()
        .map(|event| (event["version"].as_u64().unwrap(), event["position"].as_u64().unwrap()))
        .collect();
    assert_eq!(numbers, [(1, 0), (2, 1), (3, 2)]);
    assert!(events.iter().all(|event| event["recordedAt"] == receipt["recordedAt"]));
    assert_eq!(events[1]["body"], clinician.get("/fhir/Patient/p").expect(200).json());
    assert_eq!(server.log_length(), 3);
    // The same facts again are no new facts.
    let same =
        append(&clinician, "p", &json!({ "events": [event("Patient.amended", patient("p"))] }));
    let same = same.expect(200).json();
    assert_eq!(
        (&same["position"], &same["events"], &same["resources"][0]["changed"]),
        (&json!(null), &json!(0), &json!(false))
    );
    assert_eq!(server.log_length(), 3);
}

#[test]
fn both_faces_tell_one_story() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let mut amended = observation(&value, &owner);
    amended["valueQuantity"]["value"] = json!(80);
    clinician.put(&amended).expect(200);
    append(&clinician, &owner, &json!({ "events": [event("Observation.retracted", status(&value, &owner, "entered-in-error"))] })).expect(201);
    clinician.delete(&format!("/fhir/Observation/{value}")).expect(204);
    append(
        &clinician,
        &owner,
        &json!({ "events": [event("Observation.restored", observation(&value, &owner))] }),
    )
    .expect(201);
    append(
        &clinician,
        &owner,
        &json!({ "events": [event("Observation.removed", json!(format!("Observation/{value}")))] }),
    )
    .expect(201);
    assert_eq!(
        told(&clinician, &owner),
        [
            "chart.opened - -".to_owned(),
            format!("Patient.recorded Patient/{owner} 1"),
            format!("Observation.recorded Observation/{value} 1"),
            format!("Observation.amended Observation/{value} 2"),
            format!("Observation.retracted Observation/{value} 3"),
            format!("Observation.removed Observation/{value} 4"),
            format!("Observation.restored Observation/{value} 5"),
            format!("Observation.removed Observation/{value} 6"),
        ]
    );
    clinician.get(&format!("/fhir/Observation/{value}")).refused(410, &[]);
    clinician.get(&format!("/fhir/Observation/{value}/_history/5")).expect(200);
}

#[test]
fn an_event_without_an_id_gets_one() {
    let clinician = shared().clinician();
    let (owner, _) = charted(&clinician);
    let mut anonymous = observation("x", &owner);
    anonymous.as_object_mut().unwrap().remove("id");
    let body = json!({ "events": [event("Observation.recorded", anonymous.clone())] });
    let receipt = append(&clinician, &owner, &body).expect(201).json();
    let name = receipt["resources"][0]["resource"].as_str().unwrap();
    clinician.get(&format!("/fhir/{name}")).expect(200);
    append(&clinician, &owner, &json!({ "events": [event("Observation.amended", anonymous)] }))
        .problem(400, &["events[0].resource.id"]);
}

#[test]
fn an_append_with_another_expected_version_is_a_conflict() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let body = |version: Value| json!({ "expectedVersion": version, "events": [event("Observation.amended", status(&value, &owner, "amended"))] });
    for wrong in [0, 2, 4] {
        append(&clinician, &owner, &body(json!(wrong)))
            .problem(409, &["expectedVersion", "version 3"]);
    }
    for wrong in [json!(-1), json!("3"), json!(3.5), json!({})] {
        append(&clinician, &owner, &body(wrong)).problem(400, &["expectedVersion"]);
    }
    append(&clinician, &owner, &body(json!(3))).expect(201);
    append(&clinician, &owner, &body(json!(null))).expect(200);
}

#[test]
fn of_concurrent_appends_to_one_version_one_wins() {
    let clinician = shared().clinician();
    let (owner, _) = charted(&clinician);
    let attempt = |id: String| {
        let body = json!({ "expectedVersion": 3, "events": [event("Observation.recorded", observation(&id, &owner))] });
        append(&clinician, &owner, &body).status
    };
    let attempt = &attempt;
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(move || attempt(unique("o")))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
    assert_eq!(clinician.events(&owner).len(), 4);
}

#[test]
fn an_event_that_is_not_what_it_says_is_a_conflict() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let changed = || status(&value, &owner, "amended");
    for (declared, resource) in [
        ("Observation.recorded", changed()),
        ("Observation.retracted", changed()),
        ("Observation.restored", changed()),
        ("Observation.amended", status(&value, &owner, "entered-in-error")),
        ("Observation.amended", observation(&unique("new"), &owner)),
    ] {
        let body = json!({ "events": [event(declared, resource)] });
        append(&clinician, &owner, &body)
            .problem(409, &["events[0]", declared.split('.').nth(1).unwrap()]);
    }
    assert_eq!(clinician.events(&owner).len(), 3);
}

#[test]
fn a_bad_event_stores_nothing_and_is_named() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let good = || event("Observation.recorded", observation(&unique("o"), &owner));
    let (stranger, unborn) = (unique("q"), unique("p"));
    for (bad, words) in [
        (event("Observation.recorded", observation("a_b", &owner)), vec!["events[1].resource.id"]),
        (event("Observation.recorded", patient("x")), vec!["events[1].resource.resourceType"]),
        (event("Observacion.recorded", patient("x")), vec!["events[1].type"]),
        (event("Observation.written", patient("x")), vec!["events[1].type", "Observation.written"]),
        (event("chart.opened", patient("x")), vec!["events[1].type"]),
        (event("Observation.moved-in", patient("x")), vec!["events[1].type"]),
        (
            event("Observation.removed", observation("x", &owner)),
            vec!["events[1].resource", "Type/id"],
        ),
        (
            event("Observation.removed", json!(format!("Patient/{owner}"))),
            vec!["events[1].resource"],
        ),
        (json!({ "type": "Observation.recorded" }), vec!["events[1].resource"]),
        (json!({ "resource": observation("x", &owner) }), vec!["events[1].type"]),
        (json!(17), vec!["events[1].type"]),
        (
            event("Observation.recorded", observation(&unique("o"), &stranger)),
            vec!["events[1]", "chart of patient"],
        ),
        (
            event("Practitioner.recorded", practitioner(&unique("d"))),
            vec!["events[1]", "chart of patient"],
        ),
        (event("Patient.recorded", patient(&unborn)), vec!["events[1]", "chart of patient"]),
    ] {
        let body = json!({ "events": [good(), bad] });
        append(&clinician, &owner, &body).problem(400, &words);
    }
    for (body, place) in [
        (json!([]), "object"),
        (json!({}), "events"),
        (json!({ "events": [] }), "events"),
        (json!({ "events": {} }), "events"),
        (json!({ "events": [good()], "expected": 3 }), "expected"),
    ] {
        append(&clinician, &owner, &body).problem(400, &[place]);
    }
    let twice = json!({ "events": [
        event("Observation.amended", status(&value, &owner, "amended")),
        event("Observation.removed", json!(format!("Observation/{value}"))),
    ] });
    append(&clinician, &owner, &twice).problem(400, &["events[1]", "twice"]);
    assert_eq!(clinician.events(&owner).len(), 3);
}

#[test]
fn nothing_of_another_chart_is_removed_through_this_one() {
    let clinician = shared().clinician();
    let (owner, _) = charted(&clinician);
    let (_, foreign) = charted(&clinician);
    let body = json!({ "events": [event("Observation.removed", json!(format!("Observation/{foreign}")))] });
    append(&clinician, &owner, &body).problem(400, &["events[0]"]);
    clinician.get(&format!("/fhir/Observation/{foreign}")).expect(200);
}

#[test]
fn a_repeated_append_answers_the_same_also_after_a_crash() {
    let server = Server::start();
    let body = json!({ "events": [event("Patient.recorded", patient("p")), event("Observation.recorded", observation("o", "p"))] });
    let send = |server: &Server, actor: &Actor, body: &Value| {
        let _ = server;
        let request = actor.request("POST", "/v1/patients/p/events");
        request.header("idempotency-key", "k-1").json(body).send()
    };
    let first = send(&server, &server.clinician(), &body).expect(201);
    let amended = observation("o", "p");
    let server = server.restart();
    let clinician = server.clinician();
    clinician
        .put(&{
            let mut changed = amended;
            changed["status"] = json!("amended");
            changed
        })
        .expect(200);
    let length = server.log_length();
    let second = send(&server, &clinician, &body).expect(201);
    assert_eq!(second.text(), first.text());
    assert_eq!(server.log_length(), length);
    let other = json!({ "events": [event("Patient.amended", patient("p"))] });
    send(&server, &clinician, &other).problem(422, &["Idempotency-Key"]);
    // A key belongs to who used it.
    let another = server.actor("dr-blau", "user/*.cruds");
    send(&server, &another, &json!({ "events": [event("Patient.amended", patient("p"))] }))
        .expect(200);
    assert_eq!(server.log_length(), length + 1, "the key of the other is kept, and nothing else");
}

#[test]
fn concurrent_appends_with_one_key_commit_once() {
    let clinician = shared().clinician();
    let (owner, _) = charted(&clinician);
    let key = unique("key");
    let mut anonymous = observation("x", &owner);
    anonymous.as_object_mut().unwrap().remove("id");
    let body = json!({ "events": [event("Observation.recorded", anonymous)] });
    let attempt = || {
        let request = clinician.request("POST", &format!("/v1/patients/{owner}/events"));
        request.header("idempotency-key", &key).json(&body).send().expect(201).text().to_owned()
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "{answers:?}");
    assert_eq!(clinician.events(&owner).len(), 4);
}

#[test]
fn a_key_that_is_too_long_is_refused() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let body =
        json!({ "events": [event("Observation.amended", status(&value, &owner, "amended"))] });
    let send = |length: usize| {
        let request = clinician.request("POST", &format!("/v1/patients/{owner}/events"));
        request.header("idempotency-key", "k".repeat(length)).json(&body).send()
    };
    send(256).problem(400, &["Idempotency-Key", "255"]);
    send(255).expect(201);
}

#[test]
fn a_key_is_kept_also_when_its_request_changed_nothing() {
    let clinician = shared().clinician();
    let (owner, value) = charted(&clinician);
    let path = format!("/v1/patients/{owner}/events");
    let body = json!({ "events": [event("Observation.amended", observation(&value, &owner))] });
    let key = unique("key");
    let again =
        || clinician.request("POST", &path).header("idempotency-key", &key).json(&body).send();
    again().expect(200);
    let mut other = observation(&value, &owner);
    other["status"] = json!("amended");
    clinician.put(&other).expect(200);
    // Sent again, it still changes nothing: above all not what was written since.
    again().expect(200);
    let now = clinician.get(&format!("/fhir/Observation/{value}")).expect(200).json();
    assert_eq!((&now["status"], &now["meta"]["versionId"]), (&json!("amended"), &json!("2")));
}
