//! The matrix goes on: what is sent to subscribers is told of by entries that name exactly the versions that left.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::audit_matrix::patients;
use crate::fhir_subscriptions as fhir;
use crate::harness::{Server, observation, patient};
use crate::webhooks::receiver::{Receiver, wait_for};

type Versions = BTreeSet<(String, String)>;

/// The entries of all deliveries, whole.
fn deliveries(server: &Server) -> Vec<Value> {
    let page = server.auditor().get("/v1/accesses?count=300").expect(200).json();
    let entries = page["accesses"].as_array().unwrap().iter();
    let of_delivery = entries.filter(|one| one["operation"] == "deliverEvents");
    let whole = |one: &Value| {
        let target = format!("/v1/accesses/{}", one["id"].as_str().unwrap());
        server.auditor().get(&target).expect(200).json()
    };
    of_delivery.map(whole).collect()
}

/// The versions that an entry names; of events without one, the position.
fn named(access: &Value) -> Versions {
    let name = |shown: &Value| match shown["resource"].as_str() {
        Some(key) => (key.to_owned(), shown["version"].as_str().unwrap().to_owned()),
        None => ("event".to_owned(), shown["position"].to_string()),
    };
    access["resources"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn each_event_that_a_webhook_sends_is_told_of_with_its_version_and_chart() {
    let server = fhir::setup().start();
    let receiver = Receiver::taking();
    let owner = server.entitled();
    for id in ["p", "q"] {
        owner.put(&patient(id)).expect(201);
        owner.put(&observation(&format!("o-{id}"), id)).expect(201);
    }
    let wish = json!({ "name": "x", "url": receiver.url(), "from": 0, "include": "resource" });
    owner.post("/v1/subscriptions", &wish).expect(201);
    let count = usize::try_from(server.log_length()).unwrap();
    let sent = receiver.wait_for(count);
    assert_eq!(sent.len(), count);
    let left = sent.iter().map(|one| match one.body["resource"].as_str() {
        Some(key) => (key.to_owned(), one.body["versionId"].as_str().unwrap().to_owned()),
        None => ("event".to_owned(), one.body["position"].to_string()),
    });
    let entries = deliveries(&server);
    assert_eq!(entries.len(), count, "one for each");
    let told: Versions = entries.iter().flat_map(named).collect();
    assert_eq!(told, left.collect::<Versions>());
    for entry in &entries {
        assert_eq!((named(entry).len(), patients(entry).len()), (1, 1), "{entry}");
        assert_eq!((&entry["outcome"], &entry["subject"]), (&json!("granted"), &json!("dr-weiss")));
    }
}

#[test]
fn each_notification_is_told_of_as_far_as_it_names_somebody() {
    let server = fhir::clinic();
    let owner = server.clinician();
    let receivers: Vec<_> =
        ["empty", "id-only", "full-resource"].map(|content| (content, Receiver::taking())).into();
    for (content, receiver) in &receivers {
        fhir::subscribe(&owner, &fhir::subscription(content, receiver, content));
    }
    owner.put(&fhir::encounter("e", "p", "planned")).expect(201);
    owner.put(&fhir::encounter("e", "p", "finished")).expect(200);
    owner.delete("/fhir/Encounter/e").expect(204);
    for (_, receiver) in &receivers {
        wait_for("all three came", || {
            (fhir::events(&receiver.deliveries()).len() == 3).then_some(())
        });
    }
    let entries = deliveries(&server);
    let of = |version: &str| ("Encounter/e".to_owned(), version.to_owned());
    let mut told: Vec<Versions> = entries.iter().map(named).collect();
    told.sort();
    // Twice each: what was empty told of nobody.
    let expected = ["1", "1", "2", "2", "3", "3"].map(|version| Versions::from([of(version)]));
    assert_eq!(told, expected);
    assert!(entries.iter().all(|entry| patients(entry) == ["p".to_owned()].into()));
}
