//! What is refused: with all that is wrong, and nothing stored.

use serde_json::{Value, json};

use super::*;
use crate::harness::{bundle, entry};

#[test]
fn everything_that_is_wrong_with_a_subscription_is_told_at_once() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let wrong = json!({
        "resourceType": "Subscription", "id": "s", "status": "active", "reason": "test",
        "end": "2020-01-01T00:00:00Z",
        "criteria": "http://example.org/topics/nothing",
        "channel": {
            "type": "rest-hook", "endpoint": "http://elsewhere.example/x", "payload": "application/xml",
            "_payload": { "extension": [{ "url": format!("{GUIDE}backport-payload-content"), "valueCode": "everything" }] },
            "header": ["Host: elsewhere.example", "nothing"],
            "extension": [
                { "url": format!("{GUIDE}backport-heartbeat-period"), "valueUnsignedInt": 0 },
                { "url": format!("{GUIDE}backport-something"), "valueString": "x" },
                { "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.topic", "valueUri": "x" },
            ],
        },
    });
    let words = [
        "requested, or off",
        "there is no topic",
        "feed.webhook_hosts",
        "application/fhir+json",
        "empty, id-only or full-resource",
        "host is set by the server",
        "a colon",
        "backport-heartbeat-period",
        "backport-something is not supported",
        "another version of FHIR",
    ];
    doctor.put(&wrong).refused(422, &words);
    doctor.get("/fhir/Subscription/s").refused(404, &[]);
    let entries = [
        entry("PUT", "Subscription/s", wrong),
        entry("PUT", "Encounter/e", encounter("e", "p", "planned")),
    ];
    doctor
        .post("/fhir", &bundle("transaction", &entries))
        .refused(422, &["Bundle.entry[0].resource.channel.endpoint"]);
    doctor.get("/fhir/Encounter/e").refused(404, &[]);

    let mut ended = subscription("s", &receiver, "empty");
    ended["end"] = json!("2020-01-01T00:00:00Z");
    doctor.put(&ended).refused(422, &["Subscription.end", "has passed"]);
    assert!(receiver.deliveries().is_empty());
}

#[test]
fn each_thing_that_cannot_be_carried_out_is_refused_by_itself() {
    let server = clinic();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let fhir_path = json!({
        "resourceType": "Basic", "id": "path",
        "code": { "coding": [{ "system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic" }] },
        "extension": [
            { "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.url", "valueUri": "http://example.org/path" },
            { "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.resourceTrigger", "extension": [
                { "url": "resource", "valueUri": "Encounter" },
                { "url": "fhirPathCriteria", "valueString": "%current.status = 'finished'" },
            ] },
        ],
    });
    doctor.put(&fhir_path).expect(201);
    let good = || subscription("s", &receiver, "id-only");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = good();
        change(&mut changed);
        changed
    };
    for (wrong, words) in [
        (with(&|one| one["criteria"] = json!(format!("{TOPIC}|2"))), &["no topic"] as &[&str]),
        (with(&|one| one["criteria"] = json!("http://example.org/path")), &["FHIRPath"]),
        (filtered(good(), "Encounter?patient=Patient/p"), &["can be filtered by subject, date"]),
        (filtered(good(), "Observation?subject=Patient/p"), &["not about that type"]),
        (filtered(good(), "Encounter?date=lt2020-01-01"), &["comparators", "ge"]),
        (filtered(good(), "subject.name=x"), &["subject.name"]),
        (with(&|one| one["channel"]["type"] = json!("email")), &["channel.type", "rest-hook"]),
        (
            with(&|one| one["channel"]["type"] = json!("email")),
            &["channel.type", "rest-hook", "websocket"],
        ),
        (
            with(&|one| {
                one["channel"].as_object_mut().unwrap().remove("endpoint");
            }),
            &["endpoint"],
        ),
        (
            with(&|one| {
                one["channel"].as_object_mut().unwrap().remove("payload");
            }),
            &["payload"],
        ),
        (
            with(&|one| {
                one["channel"].as_object_mut().unwrap().remove("_payload");
            }),
            &["payload-content"],
        ),
        (with(&|one| one["status"] = json!("error")), &["requested, or off"]),
        // R4: the content goes with a topic alone.
        (
            with(&|one| {
                one["criteria"] = json!("Encounter?status=finished");
                one.as_object_mut().unwrap().remove("meta");
            }),
            &["need a topic"],
        ),
        (
            with(&|one| {
                one["criteria"] = json!("Encounter?nonsense=1");
                one.as_object_mut().unwrap().remove("meta");
            }),
            &["nonsense"],
        ),
        (
            with(&|one| {
                one["criteria"] = json!("Encounter?subject.name=x");
                one.as_object_mut().unwrap().remove("meta");
            }),
            &["depends on other resources"],
        ),
    ] {
        doctor.put(&wrong).refused(422, words);
    }
    // What is off may say anything: it is not carried out.
    let off = with(&|one| {
        one["status"] = json!("off");
        one["criteria"] = json!("http://example.org/nothing");
    });
    doctor.put(&off).expect(201);
    doctor.put(&filtered(good(), "Encounter?subject=Patient/p&date=ge2020-01-01")).expect(200);
    wait_for_status(&doctor, "s", "active");
    // A patch cannot make it active, nor lead it elsewhere.
    let patch = |path: &str, value: &str| {
        let operations = json!([{ "op": "replace", "path": path, "value": value }]);
        doctor.request("PATCH", "/fhir/Subscription/s").json(&operations).send()
    };
    patch("/channel/endpoint", "http://elsewhere.example/").refused(422, &["webhook_hosts"]);
    patch("/reason", "another").refused(422, &["requested, or off"]);
    patch("/status", "requested").expect(200);
    wait_for_status(&doctor, "s", "active");
}

#[test]
fn there_is_an_end_to_subscriptions() {
    let server = setup().set("feed.subscriptions_max=2").start();
    let (receiver, _) = receiver();
    let doctor = server.clinician();
    let all = json!({ "interactions": ["create"] });
    doctor.put(&topic("encounter", TOPIC, &all)).expect(201);
    let three: Vec<Value> = ["a", "b", "c"]
        .map(|id| entry("PUT", &format!("Subscription/{id}"), subscription(id, &receiver, "empty")))
        .into();
    doctor.post("/fhir", &bundle("transaction", &three)).refused(409, &["feed.subscriptions_max"]);
    doctor.post("/fhir", &bundle("transaction", &three[..2])).expect(200);
    wait_for_status(&doctor, "a", "active");
    wait_for_status(&doctor, "b", "active");
    doctor.put(&subscription("c", &receiver, "empty")).refused(409, &["feed.subscriptions_max"]);
    doctor.put(&subscription("a", &receiver, "id-only")).expect(200);
    doctor.delete("/fhir/Subscription/b").expect(204);
    wait_for("there is room again", || {
        (doctor.put(&subscription("c", &receiver, "empty")).status == 201).then_some(())
    });
}

#[test]
fn the_capability_statement_names_what_there_is() {
    let server = clinic();
    let of_subscription = || {
        let statement = server.anonymous().get("/fhir/metadata").expect(200).json();
        let resources = statement["rest"][0]["resource"].as_array().unwrap().clone();
        resources.into_iter().find(|one| one["type"] == "Subscription").unwrap()
    };
    let told = wait_for("the topic is named", || {
        Some(of_subscription()).filter(|told| told.get("extension").is_some())
    });
    assert_eq!(told["supportedProfile"], json!([format!("{GUIDE}backport-subscription")]));
    assert_eq!(
        told["extension"][0]["url"],
        format!("{GUIDE}capabilitystatement-subscriptiontopic-canonical")
    );
    assert_eq!(told["extension"][0]["valueCanonical"], TOPIC);
    let operations: Vec<_> = told["operation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(operations.contains(&"status") && operations.contains(&"events"), "{operations:?}");
    server.clinician().delete("/fhir/Basic/encounter").expect(204);
    wait_for("the topic is gone", || of_subscription().get("extension").is_none().then_some(()));
}
