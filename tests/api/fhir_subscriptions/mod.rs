//! FHIR Subscriptions: R4 criteria, and topics of the Subscriptions R5 Backport.

mod lifecycle;
mod notifications;
mod process;
mod recovery;
mod refusals;
mod rights;
mod sockets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};

use crate::harness::{Actor, Server, Setup, patient};
use crate::webhooks::receiver::{Delivery, Reaction, Receiver};
use crate::webhooks::wait_for;

const GUIDE: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const TOPIC: &str = "http://example.org/topics/encounter";

/// A server that may send to this machine, and tells of failures at once.
pub fn setup() -> Setup {
    Setup::default()
        .set("feed.webhook_hosts=127.0.0.1")
        .set("feed.webhook_networks=127.0.0.0/8")
        .set("feed.webhook_insecure=true")
        .set("feed.webhook_timeout_seconds=2")
        .set("feed.subscription_error_seconds=0")
}

/// The same with two charts and a topic: each change of an encounter, by its subject if wanted.
pub fn clinic() -> Server {
    let server = setup().start();
    for id in ["p", "q"] {
        server.clinician().put(&patient(id)).expect(201);
    }
    let all = json!({ "interactions": ["create", "update", "delete"] });
    server.clinician().put(&topic("encounter", TOPIC, &all)).expect(201);
    server
}

/// A receiver whose answers can be changed.
fn receiver() -> (Receiver, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    (Receiver::start(move |_, _| Reaction::Answer(told.load(Ordering::SeqCst), "")), status)
}

/// A topic about encounters, as R4 carries it. `query`: interactions, previous, current, and what else there is.
fn topic(id: &str, url: &str, query: &Value) -> Value {
    let element = |name: &str| {
        format!("http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.{name}")
    };
    let mut trigger = vec![
        json!({ "url": "resource", "valueUri": "http://hl7.org/fhir/StructureDefinition/Encounter" }),
    ];
    for one in query["interactions"].as_array().unwrap() {
        trigger.push(json!({ "url": "supportedInteraction", "valueCode": one }));
    }
    if let Some(criteria) = query.get("criteria") {
        trigger.push(json!({ "url": "queryCriteria", "extension": criteria }));
    }
    json!({
        "resourceType": "Basic", "id": id,
        "code": { "coding": [{ "system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic" }] },
        "modifierExtension": [{ "url": element("status"), "valueCode": "active" }],
        "extension": [
            { "url": element("url"), "valueUri": url },
            { "url": element("version"), "valueString": "1" },
            { "url": element("resourceTrigger"), "extension": trigger },
            { "url": element("canFilterBy"), "extension": [
                { "url": "resource", "valueUri": "Encounter" },
                { "url": "filterParameter", "valueString": "subject" },
            ] },
            { "url": element("canFilterBy"), "extension": [
                { "url": "resource", "valueUri": "Encounter" },
                { "url": "filterParameter", "valueString": "date" },
                { "url": "comparator", "valueCode": "ge" },
            ] },
        ],
    })
}

pub fn encounter(id: &str, patient: &str, status: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": status, "class": { "code": "AMB" },
        "subject": { "reference": format!("Patient/{patient}") },
    })
}

/// A Subscription to the topic.
pub fn subscription(id: &str, receiver: &Receiver, content: &str) -> Value {
    json!({
        "resourceType": "Subscription", "id": id, "status": "requested", "reason": "test",
        "meta": { "profile": [format!("{GUIDE}backport-subscription")] },
        "criteria": TOPIC,
        "channel": {
            "type": "rest-hook", "endpoint": receiver.url(), "payload": "application/fhir+json",
            "_payload": { "extension": [{ "url": format!("{GUIDE}backport-payload-content"), "valueCode": content }] },
            "header": ["Authorization: Bearer secret-of-the-receiver", "X-Ward: 7"],
        },
    })
}

/// The same, filtered.
fn filtered(mut subscription: Value, filter: &str) -> Value {
    subscription["_criteria"] = json!({ "extension": [
        { "url": format!("{GUIDE}backport-filter-criteria"), "valueString": filter },
    ] });
    subscription
}

/// Waits until a Subscription has a status.
#[track_caller]
fn wait_for_status(actor: &Actor, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    wait_for(&format!("{id} does not become {status}"), || {
        last = actor.get(&format!("/fhir/Subscription/{id}")).expect(200).json();
        Some(last.clone()).filter(|told| told["status"] == status)
    })
}

/// Stores a Subscription, and waits until it runs.
#[track_caller]
pub fn subscribe(actor: &Actor, subscription: &Value) {
    actor.put(subscription).expect(201);
    wait_for_status(actor, subscription["id"].as_str().unwrap(), "active");
}

/// A notification, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notice {
    notification_type: String,
    status: String,
    since_start: u64,
    /// Number and focus.
    events: Vec<(u64, Option<String>)>,
}

/// Takes a notification apart, and checks what holds of all of them.
#[track_caller]
fn notice(bundle: &Value) -> Notice {
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("history")));
    assert_eq!(
        bundle["meta"]["profile"][0],
        format!("{GUIDE}backport-subscription-notification-r4")
    );
    let first = &bundle["entry"][0];
    assert!(first["fullUrl"].as_str().unwrap().starts_with("urn:uuid:"), "{bundle}");
    assert_eq!(first["response"]["status"], "200", "{bundle}");
    assert_eq!(first["request"]["method"], "GET", "{bundle}");
    let told = status(&first["resource"]);
    let reference =
        parameter(&first["resource"], "subscription")["valueReference"]["reference"].clone();
    let asked = format!("{}/$status", reference.as_str().unwrap());
    assert_eq!(first["request"]["url"], asked, "{bundle}");
    told
}

/// Takes a status apart.
#[track_caller]
fn status(parameters: &Value) -> Notice {
    assert_eq!(parameters["resourceType"], "Parameters", "{parameters}");
    assert_eq!(parameters["meta"]["profile"][0], format!("{GUIDE}backport-subscription-status-r4"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = parameters["parameter"].as_array().unwrap();
    let events = events.iter().filter(|one| one["name"] == "notification-event").map(|event| {
        let part = |name: &str| {
            let mut parts = event["part"].as_array().unwrap().iter();
            parts.find(|part| part["name"] == name).cloned().unwrap_or_default()
        };
        let focus = part("focus")["valueReference"]["reference"]
            .as_str()
            .map(|url| url.split_once("/fhir/").unwrap().1.to_owned());
        (text(&part("event-number")["valueString"]).parse().unwrap(), focus)
    });
    Notice {
        notification_type: text(&parameter(parameters, "type")["valueCode"]),
        status: text(&parameter(parameters, "status")["valueCode"]),
        since_start: text(&parameter(parameters, "events-since-subscription-start")["valueString"])
            .parse()
            .unwrap(),
        events: events.collect(),
    }
}

fn parameter<'a>(parameters: &'a Value, name: &str) -> &'a Value {
    let mut all = parameters["parameter"].as_array().unwrap().iter();
    all.find(|one| one["name"] == name).unwrap_or(&Value::Null)
}

/// The events that came, in their order.
pub fn events(deliveries: &[Delivery]) -> Vec<(u64, Option<String>)> {
    let notices = deliveries.iter().map(|delivery| notice(&delivery.body));
    let notices = notices.filter(|notice| notice.notification_type == "event-notification");
    notices.flat_map(|notice| notice.events).collect()
}

/// Waits until so many events have come.
#[track_caller]
fn wait_for_events(receiver: &Receiver, count: usize) -> Vec<(u64, Option<String>)> {
    wait_for(&format!("{count} events"), || {
        Some(events(&receiver.deliveries())).filter(|events| events.len() >= count)
    })
}

/// Waits until the event with a number has come; those that came, each once.
#[track_caller]
fn wait_for_number(receiver: &Receiver, number: u64) -> Vec<(u64, Option<String>)> {
    wait_for(&format!("event {number}"), || {
        let mut events = events(&receiver.deliveries());
        events.dedup();
        events.iter().any(|(known, _)| *known == number).then_some(events)
    })
}
