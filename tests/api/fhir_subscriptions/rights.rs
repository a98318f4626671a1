//! Whose subscription it is, what of the log it is told, and what the access log says.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::harness::observation;

#[test]
fn a_subscription_sees_what_its_owner_sees_and_is_owned_by_who_wrote_it_last() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let narrow = server.actor("app", "user/Subscription.cruds user/Observation.rs user/Basic.r");
    narrow.put(&subscription("s", &receiver, "full-resource")).refused(403, &["Encounter"]);
    server
        .actor("app", "user/Encounter.rs")
        .put(&subscription("s", &receiver, "empty"))
        .refused(403, &["Subscription"]);

    // Somebody with a right to one chart is told of that alone.
    let scopes = "user/Subscription.cruds patient/Encounter.rs";
    let app = server.with_token(server.token("app", scopes, Some("p")));
    subscribe(&app, &subscription("s", &receiver, "full-resource"));
    for (id, patient) in [("e1", "q"), ("e2", "p"), ("e3", "q"), ("e4", "p")] {
        doctor.put(&encounter(id, patient, "planned")).expect(201);
    }
    let focus = |id: &str| Some(format!("Encounter/{id}"));
    assert_eq!(wait_for_events(&receiver, 2), [(1, focus("e2")), (2, focus("e4"))]);

    // Who writes it last is who it sees for: who may not see what it is about cannot write it.
    narrow.put(&subscription("s", &receiver, "full-resource")).refused(403, &["Encounter"]);
    doctor.put(&subscription("s", &receiver, "full-resource")).expect(200);
    wait_for_status(&doctor, "s", "active");
    doctor.put(&encounter("e5", "q", "planned")).expect(201);
    assert_eq!(wait_for_events(&receiver, 3)[2], (3, focus("e5")));
    // That lasts.
    let server = server.restart();
    server.clinician().put(&encounter("e6", "q", "planned")).expect(201);
    assert_eq!(wait_for_number(&receiver, 4).last(), Some(&(4, focus("e6"))));
}

#[test]
fn what_leaves_has_an_entry_before_it_leaves() {
    let server = clinic();
    let doctor = server.clinician();
    let receivers: Vec<_> =
        ["empty", "id-only", "full-resource"].map(|content| (content, receiver().0)).into();
    for (content, receiver) in &receivers {
        subscribe(&doctor, &subscription(content, receiver, content));
    }
    doctor.put(&encounter("e", "p", "planned")).expect(201);
    for (_, receiver) in &receivers {
        wait_for_events(receiver, 1);
    }
    let page = server.auditor().get("/v1/patients/p/accesses?count=100").expect(200).json();
    let delivered: Vec<_> = page["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["operation"] == "deliverEvents")
        .collect();
    assert_eq!(delivered.len(), 2, "what says nothing leaves none: {page}");
    let words: BTreeSet<&str> = delivered
        .iter()
        .map(|one| {
            one["query"]
                .as_str()
                .or(one["path"].as_str())
                .or(one["words"].as_str())
                .unwrap_or_default()
        })
        .collect();
    for one in &delivered {
        assert_eq!(one["patients"], json!(["p"]), "{one}");
        let shown: BTreeSet<_> = one["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["resource"].as_str().unwrap())
            .collect();
        assert_eq!(shown, ["Encounter/e"].into(), "{one}");
        assert_eq!(one["subject"], "dr-weiss", "{one}");
    }
    assert!(
        words.iter().all(|words| words.is_empty() || words.contains("Subscription")),
        "{words:?}"
    );
}

#[test]
fn what_was_erased_keeps_its_number_and_says_nothing() {
    let server = clinic();
    let (receiver, answer) = receiver();
    let doctor = server.entitled();
    subscribe(&doctor, &subscription("s", &receiver, "full-resource"));
    answer.store(500, Ordering::SeqCst);
    doctor.put(&encounter("secret", "p", "planned")).expect(201);
    doctor.put(&encounter("e2", "q", "planned")).expect(201);
    wait_for("both have a number", || {
        let told = doctor.get("/fhir/Subscription/s/$status").expect(200).json();
        (status(&told["entry"][0]["resource"]).since_start == 2).then_some(())
    });
    doctor
        .post("/v1/patients/p/erasure", &json!({ "reason": "test", "basis": "none" }))
        .expect(200);
    let before = receiver.deliveries().len();
    answer.store(200, Ordering::SeqCst);
    wait_for_status(&doctor, "s", "active");
    wait_for("the second came", || {
        events(&receiver.deliveries()[before..])
            .iter()
            .any(|(number, _)| *number == 2)
            .then_some(())
    });
    let mut told = events(&receiver.deliveries()[before..]);
    told.retain(|(number, focus)| *number == 2 || focus.is_none());
    told.dedup();
    assert_eq!(told, [(1, None), (2, Some("Encounter/e2".to_owned()))]);
    let recalled = doctor.get("/fhir/Subscription/s/$events").expect(200).json();
    assert_eq!(notice(&recalled).events, [(1, None), (2, Some("Encounter/e2".to_owned()))]);
    assert!(!recalled.to_string().contains("secret"));
}

#[test]
fn events_are_for_who_may_see_them_and_their_answers_leave_entries() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    subscribe(&doctor, &subscription("s", &receiver, "full-resource"));
    for (id, patient) in [("e1", "p"), ("e2", "q")] {
        doctor.put(&encounter(id, patient, "planned")).expect(201);
    }
    doctor.put(&observation("o", "p")).expect(201);
    wait_for_events(&receiver, 2);
    let scopes = "user/Subscription.rs patient/Encounter.rs";
    let app = server.with_token(server.token("app", scopes, Some("p")));
    let target = "/fhir/Subscription/s/$events?content=full-resource";
    let told = app.get(target).expect(200).json();
    assert_eq!(notice(&told).events, [(1, Some("Encounter/e1".to_owned())), (2, None)]);
    assert!(!told.to_string().contains("Patient/q"));
    server.actor("x", "user/Encounter.rs").get(target).refused(403, &["Subscription"]);
    server
        .actor("x", "user/Encounter.rs")
        .get("/fhir/Subscription/$status")
        .refused(403, &["Subscription"]);
    doctor.get("/fhir/Subscription/none/$events").refused(404, &[]);

    let (id, response) = crate::audit_matrix::sent(doctor.request("GET", target));
    assert_eq!(notice(&response.expect(200).json()).events.len(), 2);
    let access = crate::harness::only_access_of_request(&server, &id);
    let shown: BTreeSet<_> = access["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["resource"].as_str().unwrap().to_owned())
        .collect();
    let all = ["Encounter/e1", "Encounter/e2", "Subscription/s"];
    assert_eq!(shown, all.map(str::to_owned).into(), "{access}");
    assert_eq!(
        crate::audit_matrix::patients(&access),
        ["p", "q"].map(str::to_owned).into(),
        "{access}"
    );
}
