//! After an outage of the receiver, and after the server was killed: `$status` and `$events` fill the gap.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::harness::unique;

#[test]
fn what_was_missed_is_asked_for_by_number() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    subscribe(&doctor, &subscription("s", &receiver, "id-only"));
    for number in 1..=5 {
        doctor.put(&encounter(&format!("e{number}"), "p", "planned")).expect(201);
    }
    doctor.delete("/fhir/Encounter/e2").expect(204);
    wait_for_events(&receiver, 6);
    let get = |query: &str| {
        let bundle = doctor.get(&format!("/fhir/Subscription/s/$events{query}")).expect(200).json();
        let told = notice(&bundle);
        assert_eq!((&*told.notification_type, told.since_start), ("query-event", 6));
        (told.events, bundle)
    };
    let focus = |number: u64| Some(format!("Encounter/e{number}"));
    let all =
        [(1, focus(1)), (2, focus(2)), (3, focus(3)), (4, focus(4)), (5, focus(5)), (6, focus(2))];
    assert_eq!(get("").0, all);
    assert_eq!(get("?eventsSinceNumber=2&eventsUntilNumber=3").0, all[1..3]);
    assert_eq!(get("?eventsSinceNumber=6").0, all[5..]);
    assert_eq!(get("?eventsSinceNumber=7").0, []);
    let (_, full) = get("?content=full-resource&eventsSinceNumber=5");
    assert_eq!(full["entry"][1]["resource"]["status"], "planned");
    assert_eq!(full["entry"][2]["request"]["method"], "DELETE");
    let (events, empty) = get("?content=empty");
    assert_eq!((events[0].1.clone(), empty["entry"].as_array().unwrap().len()), (None, 1));
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "eventsSinceNumber", "valueString": "2" }, { "name": "eventsUntilNumber", "valueString": "2" },
    ] });
    let posted = doctor.post("/fhir/Subscription/s/$events", &body).expect(200).json();
    assert_eq!(notice(&posted).events, all[1..2]);
    for (query, word) in [
        ("?eventsSinceNumber=0", "1 or more"),
        ("?eventsSinceNumber=x", "1 or more"),
        ("?eventsSinceNumber=1&eventsSinceNumber=2", "once"),
        ("?content=all", "id-only"),
        ("?since=1", "takes only"),
    ] {
        doctor.get(&format!("/fhir/Subscription/s/$events{query}")).refused(400, &[word]);
    }
}

#[test]
fn the_status_of_one_or_of_several_is_told() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    for id in ["a", "b"] {
        subscribe(&doctor, &subscription(id, &receiver, "id-only"));
    }
    let mut off = subscription("c", &receiver, "id-only");
    off["status"] = json!("off");
    doctor.put(&off).expect(201);
    let told = |bundle: Value| {
        assert_eq!(
            (&bundle["resourceType"], &bundle["type"]),
            (&json!("Bundle"), &json!("searchset"))
        );
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        assert_eq!(bundle["total"], entries.len());
        let one = |entry: &Value| {
            let resource = &entry["resource"];
            assert_eq!(status(resource).notification_type, "query-status");
            let reference =
                parameter(resource, "subscription")["valueReference"]["reference"].clone();
            let id = reference.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            (id, status(resource).status)
        };
        entries.iter().map(one).collect::<BTreeMap<String, String>>()
    };
    let of = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(id, status)| ((*id).to_owned(), (*status).to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let get = |target: &str| told(doctor.get(target).expect(200).json());
    let post = |target: &str, parameters: Value| {
        let body = json!({ "resourceType": "Parameters", "parameter": parameters });
        told(doctor.post(target, &body).expect(200).json())
    };
    assert_eq!(get("/fhir/Subscription/a/$status"), of(&[("a", "active")]));
    assert_eq!(post("/fhir/Subscription/a/$status", json!([])), of(&[("a", "active")]));
    let all = of(&[("a", "active"), ("b", "active"), ("c", "off")]);
    assert_eq!(get("/fhir/Subscription/$status"), all);
    assert_eq!(get("/fhir/Subscription/$status?id=a&id=c"), of(&[("a", "active"), ("c", "off")]));
    assert_eq!(get("/fhir/Subscription/$status?status=off,error"), of(&[("c", "off")]));
    let both =
        json!([{ "name": "id", "valueId": "b" }, { "name": "status", "valueCode": "active" }]);
    assert_eq!(post("/fhir/Subscription/$status", both), of(&[("b", "active")]));
    doctor
        .post("/fhir/Subscription/$status", &json!({ "resourceType": "Patient" }))
        .refused(400, &["Parameters"]);
    doctor.get("/fhir/Subscription/$status?nonsense=1").refused(400, &["nonsense"]);
}

#[test]
fn numbers_have_no_gap_and_no_double_when_both_sides_are_killed() {
    let mut server = clinic();
    let (receiver, answer) = receiver();
    subscribe(&server.clinician(), &subscription("s", &receiver, "id-only"));
    let mut written = Vec::new();
    for round in 0..6 {
        // The receiver is away in every other round: what was written then is known of by number alone.
        answer.store(if round % 2 == 0 { 200 } else { 500 }, Ordering::SeqCst);
        for _ in 0..15 {
            let id = unique("e");
            server.clinician().put(&encounter(&id, "p", "planned")).expect(201);
            written.push(format!("Encounter/{id}"));
        }
        // Killed between a write and its delivery, without a word.
        server = server.restart();
    }
    answer.store(500, Ordering::SeqCst);
    let doctor = server.clinician();
    let told = wait_for("all have a number", || {
        let told = doctor.get("/fhir/Subscription/s/$status").expect(200).json();
        let told = status(&told["entry"][0]["resource"]);
        (told.since_start >= written.len() as u64).then_some(told)
    });
    assert_eq!(told.since_start, written.len() as u64);
    let recalled = doctor.get("/fhir/Subscription/s/$events").expect(200).json();
    let expected: Vec<_> = (1..).zip(written.iter().cloned().map(Some)).collect();
    assert_eq!(notice(&recalled).events, expected, "the order of the log");
    answer.store(200, Ordering::SeqCst);
    wait_for("the last one came", || {
        events(&receiver.deliveries())
            .iter()
            .any(|(number, _)| *number == told.since_start)
            .then_some(())
    });
    // Each came, in order, and a number always meant the same.
    let came = events(&receiver.deliveries());
    let by_number: BTreeMap<u64, Option<String>> = came.iter().cloned().collect();
    assert_eq!(by_number.into_iter().collect::<Vec<_>>(), expected);
    assert!(came.iter().all(|one| expected[usize::try_from(one.0).unwrap() - 1] == *one));
}

#[test]
fn what_is_too_large_to_be_sent_leaves_a_gap_that_can_be_filled() {
    let server = setup().set("feed.webhook_bytes_max=65536").start();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    doctor.put(&crate::harness::patient("p")).expect(201);
    doctor.put(&topic("encounter", TOPIC, &json!({ "interactions": ["create"] }))).expect(201);
    subscribe(&doctor, &subscription("s", &receiver, "full-resource"));
    let mut large = encounter("large", "p", "planned");
    large["priority"] = json!({ "text": "x".repeat(70_000) });
    doctor.put(&large).expect(201);
    doctor.put(&encounter("small", "p", "planned")).expect(201);
    assert_eq!(wait_for_number(&receiver, 2), [(2, Some("Encounter/small".to_owned()))]);
    let target = "/fhir/Subscription/s/$events?eventsSinceNumber=1&eventsUntilNumber=1";
    let told = doctor.get(target).expect(200).json();
    assert_eq!(notice(&told).events, [(1, Some("Encounter/large".to_owned()))]);
    assert_eq!(told["entry"][1]["resource"]["priority"], large["priority"]);
    assert_eq!(doctor.get("/fhir/Subscription/s").expect(200).json()["status"], "active");
    let metrics = server.anonymous().get("/metrics").expect(200);
    let line = "chartlog_subscription_failures_total{subscription=\"s\"} 1";
    assert!(metrics.text().lines().any(|told| told == line), "{}", metrics.text());
}
