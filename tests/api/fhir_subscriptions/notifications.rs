//! What a subscription to a topic is told: handshake, events at each level of content, heartbeat.

use serde_json::json;

use super::*;
use crate::harness::bundle;

#[test]
fn a_subscription_is_greeted_becomes_active_and_is_told_what_happens() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let created = doctor.put(&subscription("s", &receiver, "full-resource")).expect(201).json();
    assert_eq!(created["status"], "requested");
    let told = wait_for_status(&doctor, "s", "active");
    assert!(told.get("error").is_none(), "{told}");
    // Its secrets are where R4 has them.
    assert_eq!(told["channel"]["header"][0], "Authorization: Bearer secret-of-the-receiver");
    let handshake = receiver.wait_for(1).remove(0);
    let greeted = notice(&handshake.body);
    assert_eq!((&*greeted.notification_type, &*greeted.status), ("handshake", "requested"));
    assert_eq!((greeted.since_start, greeted.events.len()), (0, 0));
    assert_eq!(handshake.header("content-type"), "application/fhir+json");
    assert_eq!(handshake.header("authorization"), "Bearer secret-of-the-receiver");
    assert_eq!((handshake.header("x-ward"), &*handshake.method), ("7", "POST"));

    doctor.put(&encounter("e1", "p", "planned")).expect(201);
    doctor.put(&encounter("e1", "p", "finished")).expect(200);
    doctor.put(&encounter("e2", "q", "planned")).expect(201);
    doctor.delete("/fhir/Encounter/e1").expect(204);
    let focus = |id: &str| Some(format!("Encounter/{id}"));
    let expected = [(1, focus("e1")), (2, focus("e1")), (3, focus("e2")), (4, focus("e1"))];
    assert_eq!(wait_for_events(&receiver, 4), expected);
    for (delivery, (method, url, answer, status)) in receiver.deliveries()[1..].iter().zip([
        ("POST", "Encounter", "201", Some("planned")),
        ("PUT", "Encounter/e1", "200", Some("finished")),
        ("POST", "Encounter", "201", Some("planned")),
        ("DELETE", "Encounter/e1", "204", None),
    ]) {
        let told = notice(&delivery.body);
        assert_eq!((&*told.status, told.since_start), ("active", told.events[0].0));
        let entry = &delivery.body["entry"][1];
        let full_url = format!("{}/fhir/{}", server.base, told.events[0].1.as_ref().unwrap());
        assert_eq!(entry["fullUrl"], full_url);
        assert_eq!(entry["request"], json!({ "method": method, "url": url }), "{entry}");
        assert_eq!(entry["response"]["status"], answer);
        assert_eq!(entry["resource"]["status"].as_str(), status, "{entry}");
        assert_eq!(delivery.body["entry"].as_array().unwrap().len(), 2);
        assert_eq!(
            parameter(&delivery.body["entry"][0]["resource"], "topic")["valueCanonical"],
            TOPIC
        );
        assert_eq!(delivery.header("authorization"), "Bearer secret-of-the-receiver");
    }
    assert!(!server.log().contains("secret-of-the-receiver"));
}

#[test]
fn each_level_of_content_says_no_more_than_it_may() {
    let server = clinic();
    let doctor = server.clinician();
    let receivers: Vec<_> = ["empty", "id-only"].map(|content| (content, receiver().0)).into();
    for (content, receiver) in &receivers {
        subscribe(&doctor, &subscription(content, receiver, content));
    }
    doctor.put(&encounter("e", "p", "planned")).expect(201);
    for (content, receiver) in &receivers {
        let told = wait_for_events(receiver, 1);
        let bundle = receiver.deliveries().pop().unwrap().body;
        let entries = bundle["entry"].as_array().unwrap();
        if *content == "empty" {
            assert_eq!((told, entries.len()), (vec![(1, None)], 1));
            let text = bundle.to_string();
            assert!(!text.contains("Encounter") && !text.contains(TOPIC), "{text}");
        } else {
            assert_eq!(told, [(1, Some("Encounter/e".to_owned()))]);
            assert_eq!(entries.len(), 2);
            assert!(entries[1].get("resource").is_none() && entries[1]["request"].is_object());
        }
    }
}

#[test]
fn a_topic_looks_at_what_was_and_what_is_and_filters_narrow_it() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let url = "http://example.org/topics/finished";
    let criteria = json!([
        { "url": "previous", "valueString": "status:not=finished" },
        { "url": "resultForCreate", "valueCode": "test-passes" },
        { "url": "current", "valueString": "Encounter?status=finished" },
        { "url": "resultForDelete", "valueCode": "test-fails" },
        { "url": "requireBoth", "valueBoolean": true },
    ]);
    let query = json!({ "interactions": ["create", "update"], "criteria": criteria });
    doctor.put(&topic("finished", url, &query)).expect(201);
    let mut wanted =
        filtered(subscription("s", &receiver, "id-only"), "Encounter?subject=Patient/p");
    wanted["criteria"] = json!(format!("{url}|1"));
    subscribe(&doctor, &wanted);
    for (id, patient, status) in [
        ("e1", "p", "planned"),
        ("e1", "p", "finished"),
        ("e2", "q", "finished"),
        ("e3", "p", "finished"),
        ("e4", "p", "planned"),
        ("last", "p", "finished"),
    ] {
        assert!(doctor.put(&encounter(id, patient, status)).status < 300);
    }
    let mut again = encounter("e1", "p", "finished");
    again["priority"] = json!({ "text": "changed, and finished already" });
    doctor.put(&again).expect(200);
    doctor.delete("/fhir/Encounter/e3").expect(204);
    doctor.put(&encounter("end", "p", "finished")).expect(201);
    let told = wait_for_events(&receiver, 4);
    let told: Vec<String> = told.into_iter().map(|(_, focus)| focus.unwrap()).collect();
    assert_eq!(told, ["Encounter/e1", "Encounter/e3", "Encounter/last", "Encounter/end"]);

    // The topic changes, and with it what is told; when it is gone, the subscription says so.
    let all = json!({ "interactions": ["delete"] });
    doctor.put(&topic("finished", url, &all)).expect(200);
    wait_for("the topic is another", || {
        let id = crate::harness::unique("e");
        doctor.put(&encounter(&id, "p", "planned")).expect(201);
        doctor.delete(&format!("/fhir/Encounter/{id}")).expect(204);
        (events(&receiver.deliveries()).len() > 4).then_some(())
    });
    doctor.delete("/fhir/Basic/finished").expect(204);
    let told = wait_for_status(&doctor, "s", "error");
    assert!(told["error"].as_str().unwrap().contains("there is no topic"), "{told}");
    doctor.put(&topic("finished", url, &all)).expect(201);
    wait_for_status(&doctor, "s", "active");
}

#[test]
fn a_silence_is_broken_by_a_heartbeat() {
    let server = clinic();
    let (receiver, _) = receiver();
    let mut wanted = subscription("s", &receiver, "id-only");
    wanted["channel"]["extension"] = json!([
        { "url": format!("{GUIDE}backport-heartbeat-period"), "valueUnsignedInt": 1 },
        { "url": format!("{GUIDE}backport-timeout"), "valueUnsignedInt": 1 },
        { "url": format!("{GUIDE}backport-max-count"), "valuePositiveInt": 5 },
    ]);
    subscribe(&server.clinician(), &wanted);
    server.clinician().put(&encounter("e", "p", "planned")).expect(201);
    let deliveries = receiver.wait_for(4);
    let types: Vec<String> =
        deliveries.iter().map(|one| notice(&one.body).notification_type).collect();
    assert_eq!(types[0], "handshake");
    assert!(types.contains(&"event-notification".to_owned()), "{types:?}");
    let beat = deliveries.iter().rev().map(|one| notice(&one.body));
    let beat = beat.into_iter().find(|told| told.notification_type == "heartbeat").unwrap();
    assert_eq!((&*beat.status, beat.since_start, beat.events.len()), ("active", 1, 0));
}

#[test]
fn criteria_of_r4_tell_of_what_matches_now() {
    let server = clinic();
    let doctor = server.clinician();
    let (pinged, sent) = (receiver().0, receiver().0);
    for (id, receiver) in [("ping", &pinged), ("sent", &sent)] {
        let mut wanted = json!({
            "resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
            "criteria": "Encounter?status=http://hl7.org/fhir/encounter-status|finished",
            "channel": { "type": "rest-hook", "endpoint": receiver.url(), "header": ["X-Id: r4"] },
        });
        if id == "sent" {
            wanted["channel"]["payload"] = json!("application/fhir+json");
        }
        subscribe(&doctor, &wanted);
    }
    let steps = [("e1", "planned"), ("e1", "finished"), ("e1", "in-progress"), ("e2", "finished")];
    for (id, status) in steps {
        assert!(doctor.put(&encounter(id, "p", status)).status < 300);
    }
    doctor.delete("/fhir/Encounter/e2").expect(204);
    doctor
        .post(
            "/fhir",
            &bundle(
                "transaction",
                &[crate::harness::entry("PUT", "Encounter/end", encounter("end", "q", "finished"))],
            ),
        )
        .expect(200);
    let pings = pinged.wait_for(3);
    assert!(
        pings.iter().all(|one| one.raw.is_empty() && one.method == "POST" && one.path == "/hook")
    );
    let sent = sent.wait_for(3);
    let mut told: Vec<_> = sent
        .iter()
        .map(|one| (&*one.method, &*one.path, one.body["status"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    let at = |id: &'static str| ("PUT", id, "finished");
    assert_eq!(
        told,
        [at("/hook/Encounter/e1"), at("/hook/Encounter/e2"), at("/hook/Encounter/end")]
    );
    assert!(sent.iter().all(|one| one.header("x-id") == "r4"));
}
