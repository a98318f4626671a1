//! Where events may be sent, and what the receiver may answer.

use serde_json::json;

use super::receiver::{Reaction, Receiver};
use super::{clinic, path, setup, subscribe, wait_until, wait_until_done};
use crate::harness::{Server, Setup, observation, patient};

#[test]
fn targets_are_limited_before_and_after_their_names_are_looked_up() {
    let receiver = Receiver::taking();
    let wish = |host: &str| json!({ "name": "x", "url": format!("http://{host}:{}/", receiver.port), "retrySeconds": 0 });
    // Nothing is sent unless a host was named.
    let server = Server::start();
    let https = json!({ "name": "x", "url": "https://hooks.example.org/" });
    server.entitled().post("/v1/subscriptions", &https).problem(400, &["feed.webhook_hosts"]);
    server.entitled().post("/v1/subscriptions", &wish("127.0.0.1")).problem(400, &["https"]);

    let server = Setup::default()
        .set("feed.webhook_hosts=127.0.0.1,localhost")
        .set("feed.webhook_insecure=true")
        .start();
    let owner = server.entitled();
    owner.post("/v1/subscriptions", &wish("127.0.0.1")).problem(400, &["feed.webhook_networks"]);
    // A name is looked up when it is used, each time.
    let made = owner.post("/v1/subscriptions", &wish("localhost")).expect(201).json();
    let id = made["id"].as_str().unwrap();
    owner.put(&patient("p")).expect(201);
    let told = wait_until_done(&owner, id);
    assert!(told["error"].as_str().unwrap().contains("not public"), "{told}");
    assert_eq!((&told["parked"], receiver.deliveries().len()), (&json!(2), 0), "{told}");
}

#[test]
fn redirects_are_not_followed() {
    let other = Receiver::taking();
    let location: &'static str = format!("location: {}\r\n", other.url()).leak();
    let receiver = Receiver::start(move |_, _| Reaction::Answer(307, location));
    let server = clinic();
    let owner = server.entitled();
    let (id, _) = subscribe(&owner, &receiver, json!({ "retrySeconds": 0 }));
    owner.put(&observation("o1", "p")).expect(201);
    let told = wait_until_done(&owner, &id);
    assert!(told["error"].as_str().unwrap().contains("307"), "{told}");
    assert_eq!((receiver.deliveries().len(), other.deliveries().len()), (1, 0));
}

#[test]
fn a_receiver_that_is_gone_pauses_and_one_that_is_busy_says_when_to_come_again() {
    let receiver = Receiver::start(|_, number| match number {
        0 => Reaction::Answer(429, "retry-after: 2\r\n"),
        2 => Reaction::Answer(410, ""),
        _ => Reaction::Answer(202, ""),
    });
    let server = clinic();
    let owner = server.entitled();
    let (id, _) = subscribe(&owner, &receiver, json!({}));
    owner.put(&observation("o1", "p")).expect(201);
    let deliveries = receiver.wait_for(2);
    let times: Vec<i64> =
        deliveries.iter().map(|one| one.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(times[1] - times[0] >= 2, "{times:?}");
    assert_eq!(deliveries[0].header("webhook-id"), deliveries[1].header("webhook-id"));
    wait_until_done(&owner, &id);
    owner.put(&observation("o2", "p")).expect(201);
    let told = wait_until(&owner, &id, |told| told["state"] == "paused");
    assert!(told["reason"].as_str().unwrap().contains("410"), "{told}");
    assert_eq!(told["behind"], 1, "{told}");
    owner.post(&path(&id, "/resume"), &json!({})).expect(200);
    wait_until_done(&owner, &id);
    assert_eq!(receiver.deliveries().len(), 4);
}

#[test]
fn there_are_limits_on_subscriptions_on_what_is_parked_and_on_what_is_sent() {
    let receiver = Receiver::start(|_, _| Reaction::Answer(500, ""));
    let server = setup()
        .set("feed.subscriptions_max=1")
        .set("feed.parked_events_max=2")
        .set("feed.webhook_bytes_max=2048")
        .start();
    let owner = server.entitled();
    owner.put(&patient("p")).expect(201);
    let wish = json!({ "retrySeconds": 0, "type": ["Observation"], "include": "resource" });
    let (id, _) = subscribe(&owner, &receiver, wish);
    let more = json!({ "name": "x", "url": receiver.url() });
    owner.post("/v1/subscriptions", &more).problem(409, &["feed.subscriptions_max"]);
    let mut large = observation("large", "p");
    large["note"] = json!([{ "text": "x".repeat(4_096) }]);
    owner.put(&large).expect(201);
    let told = wait_until(&owner, &id, |told| told["parked"] == 1);
    assert!(told["error"].as_str().unwrap().contains("feed.webhook_bytes_max"), "{told}");
    assert_eq!(receiver.deliveries().len(), 0);
    for name in ["o1", "o2", "o3"] {
        owner.put(&observation(name, "p")).expect(201);
    }
    let told = wait_until(&owner, &id, |told| told["state"] == "paused");
    assert!(told["reason"].as_str().unwrap().contains("feed.parked_events_max"), "{told}");
    assert_eq!((&told["parked"], &told["behind"]), (&json!(2), &json!(2)), "{told}");
}
