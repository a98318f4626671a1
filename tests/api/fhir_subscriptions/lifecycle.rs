//! How a subscription stands: what the server writes, when, and under whose name.

use serde_json::json;

use super::*;

#[test]
fn what_fails_is_said_and_what_works_again_too() {
    let server = clinic();
    let (receiver, answer) = receiver();
    let doctor = server.clinician();
    answer.store(500, Ordering::SeqCst);
    doctor.put(&subscription("s", &receiver, "id-only")).expect(201);
    let told = wait_for_status(&doctor, "s", "error");
    assert_eq!(told["error"], "the receiver answered 500");
    answer.store(200, Ordering::SeqCst);
    let told = wait_for_status(&doctor, "s", "active");
    assert!(told.get("error").is_none(), "{told}");

    answer.store(503, Ordering::SeqCst);
    doctor.put(&encounter("e1", "p", "planned")).expect(201);
    doctor.put(&encounter("e2", "p", "planned")).expect(201);
    wait_for_status(&doctor, "s", "error");
    let told = wait_for("both are counted", || {
        let told = doctor.get("/fhir/Subscription/s/$status").expect(200).json();
        let told = told["entry"][0]["resource"].clone();
        (status(&told).since_start == 2).then_some(told)
    });
    let told = &told;
    assert_eq!(status(told).status, "error", "{told}");
    assert!(parameter(told, "error")["valueCodeableConcept"]["text"].is_string(), "{told}");
    answer.store(200, Ordering::SeqCst);
    wait_for_status(&doctor, "s", "active");
    let focus = |id: &str| Some(format!("Encounter/{id}"));
    let told = wait_for_number(&receiver, 2);
    assert_eq!(told, [(1, focus("e1")), (2, focus("e2"))], "in order, once it is there again");

    // Each status is an ordinary version, by the server itself.
    let history = doctor.get("/fhir/Subscription/s/_history").expect(200).json();
    let statuses: Vec<&str> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| entry["resource"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["requested", "error", "active", "error", "active"]);
    let commits = server.auditor().get("/v1/accesses?count=300").expect(200).json();
    let by_server = commits["accesses"].as_array().unwrap().iter().filter(|one| {
        one["subject"] == "subscriptions" || one["actor"]["subject"] == "subscriptions"
    });
    assert!(by_server.count() >= 4, "{commits}");
}

#[test]
fn a_subscription_ends_by_its_receiver_by_its_end_and_by_its_owner() {
    let server = clinic();
    let doctor = server.clinician();
    let (gone, answer) = receiver();
    subscribe(&doctor, &subscription("gone", &gone, "id-only"));
    answer.store(410, Ordering::SeqCst);
    doctor.put(&encounter("e1", "p", "planned")).expect(201);
    let told = wait_for_status(&doctor, "gone", "off");
    assert!(told["error"].as_str().unwrap().contains("410"), "{told}");

    let (ending, _) = receiver();
    let mut wanted = subscription("ending", &ending, "id-only");
    let end = chrono_in(3);
    wanted["end"] = json!(end);
    subscribe(&doctor, &wanted);
    wait_for_status(&doctor, "ending", "off");

    let (stopped, _) = receiver();
    subscribe(&doctor, &subscription("stopped", &stopped, "id-only"));
    doctor.put(&encounter("e2", "p", "planned")).expect(201);
    assert_eq!(wait_for_events(&stopped, 1), [(1, Some("Encounter/e2".to_owned()))]);
    let mut off = subscription("stopped", &stopped, "id-only");
    off["status"] = json!("off");
    doctor.put(&off).expect(200);
    let (witness, _) = receiver();
    subscribe(&doctor, &subscription("witness", &witness, "id-only"));
    doctor.put(&encounter("e3", "p", "planned")).expect(201);
    wait_for_events(&witness, 1);
    // While it is off nothing is counted; requested again, its numbers go on.
    doctor.put(&subscription("stopped", &stopped, "id-only")).expect(200);
    wait_for_status(&doctor, "stopped", "active");
    doctor.put(&encounter("e4", "p", "planned")).expect(201);
    let focus = |id: &str| Some(format!("Encounter/{id}"));
    assert_eq!(wait_for_events(&stopped, 2), [(1, focus("e2")), (2, focus("e4"))]);

    doctor.delete("/fhir/Subscription/stopped").expect(204);
    doctor.put(&encounter("e5", "p", "planned")).expect(201);
    wait_for_events(&witness, 3);
    assert_eq!(events(&stopped.deliveries()).len(), 2);
    wait_for("its file is gone", || {
        (!server.data().join("feed/fhir/stopped.json").exists()).then_some(())
    });
    // The same id, made anew, is another one.
    subscribe(&doctor, &subscription("stopped", &stopped, "id-only"));
    doctor.put(&encounter("e6", "p", "planned")).expect(201);
    assert_eq!(wait_for_events(&stopped, 3)[2], (1, focus("e6")));
}

#[test]
fn what_was_changed_is_greeted_again_and_keeps_its_numbers() {
    let server = clinic();
    let (one, other) = (receiver().0, receiver().0);
    let doctor = server.clinician();
    subscribe(&doctor, &subscription("s", &one, "id-only"));
    doctor.put(&encounter("e1", "p", "planned")).expect(201);
    wait_for_events(&one, 1);
    doctor
        .put(&filtered(subscription("s", &other, "full-resource"), "Encounter?subject=Patient/q"))
        .expect(200);
    wait_for_status(&doctor, "s", "active");
    doctor.put(&encounter("e2", "p", "planned")).expect(201);
    doctor.put(&encounter("e3", "q", "planned")).expect(201);
    assert_eq!(wait_for_events(&other, 1), [(2, Some("Encounter/e3".to_owned()))]);
    assert_eq!(notice(&other.deliveries()[0].body).notification_type, "handshake");
    assert_eq!(notice(&other.deliveries()[0].body).since_start, 1);
}

#[test]
fn a_subscription_without_its_place_says_so_instead_of_beginning_anew() {
    let mut server = clinic();
    let (receiver, _) = receiver();
    subscribe(&server.clinician(), &subscription("s", &receiver, "id-only"));
    server.clinician().put(&encounter("e1", "p", "planned")).expect(201);
    wait_for_events(&receiver, 1);
    server.terminate();
    server.ended();
    std::fs::remove_file(server.data().join("feed/fhir/s.json")).unwrap();
    // And one whose resource is not there any more.
    std::fs::write(server.data().join("feed/fhir/x.json"), json!({ "id": "x", "created_at": 0, "progress": { "next": 0, "waiting": {}, "parked": {} } }).to_string()).unwrap();
    let server = server.restart();
    let told = wait_for_status(&server.clinician(), "s", "error");
    assert!(told["error"].as_str().unwrap().contains("its place in the log is not here"), "{told}");
    assert!(!server.data().join("feed/fhir/x.json").exists());
    // A start more does not change that; its owner does.
    let server = server.restart();
    let doctor = server.clinician();
    doctor.put(&encounter("e2", "p", "planned")).expect(201);
    assert_eq!(doctor.get("/fhir/Subscription/s").expect(200).json()["status"], "error");
    doctor.put(&subscription("s", &receiver, "id-only")).expect(200);
    wait_for_status(&doctor, "s", "active");
    doctor.put(&encounter("e3", "p", "planned")).expect(201);
    assert_eq!(wait_for_events(&receiver, 2)[1], (1, Some("Encounter/e3".to_owned())));
}

/// An instant in so many seconds.
fn chrono_in(seconds: u64) -> String {
    let at = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
    let at = at.duration_since(std::time::UNIX_EPOCH).unwrap();
    chartlog::clock::Instant::from_micros(i64::try_from(at.as_micros()).unwrap()).to_string()
}
