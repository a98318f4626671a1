//! Subscriptions: events that are sent to a receiver as signed webhooks.

mod chaos;
pub mod receiver;
mod rights;
mod targets;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::{Actor, Server, Setup, observation, patient};
pub use receiver::wait_for;
use receiver::{Reaction, Receiver};

/// A server that may send to this machine, and gives up on an answer after a second.
fn setup() -> Setup {
    Setup::default()
        .set("feed.webhook_hosts=127.0.0.1,localhost")
        .set("feed.webhook_networks=127.0.0.0/8")
        .set("feed.webhook_insecure=true")
        .set("feed.webhook_timeout_seconds=1")
}

/// The same with the charts `p` and `q`.
fn clinic() -> Server {
    let server = setup().start();
    for id in ["p", "q"] {
        server.clinician().put(&patient(id)).expect(201);
        server.clinician().put(&observation(&format!("o-{id}"), id)).expect(201);
    }
    server
}

/// Makes a subscription: name and URL are given, the rest as wanted.
#[track_caller]
fn subscribe(actor: &Actor, receiver: &Receiver, mut wish: Value) -> (String, String) {
    wish["name"] = json!("test");
    wish["url"] = json!(receiver.url());
    let made = actor.post("/v1/subscriptions", &wish).expect(201).json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

fn path(id: &str, below: &str) -> String {
    format!("/v1/subscriptions/{id}{below}")
}

/// Waits until a subscription tells something of itself.
#[track_caller]
fn wait_until(actor: &Actor, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_for(&format!("{id} does not come so far"), || {
        last = actor.get(&path(id, "")).expect(200).json();
        Some(last.clone()).filter(&is_so)
    })
}

/// Waits until everything was delivered or parked, for as long as it goes on.
#[track_caller]
fn wait_until_done(actor: &Actor, id: &str) -> Value {
    let is_done = |told: &Value| told["behind"] == 0 && told["waiting"] == 0;
    let mut last = Value::Null;
    loop {
        let told =
            wait_until(actor, id, |told| is_done(told) || told["position"] != last["position"]);
        if is_done(&told) {
            return told;
        }
        last = told;
    }
}

/// Waits until what it has come to is on disk: before, a kill makes it begin earlier. Returns the file.
#[track_caller]
fn wait_until_written(server: &Server, id: &str) -> String {
    let told = server.entitled().get(&path(id, "")).expect(200).json();
    let file = server.data().join(format!("feed/subscriptions/{id}.json"));
    wait_for("progress is written", || {
        let text = std::fs::read_to_string(&file).unwrap();
        let progress = &serde_json::from_str::<Value>(&text).unwrap()["progress"];
        let count = |name: &str| json!(progress[name].as_object().unwrap().len());
        let is_so = progress["next"] == server.log_length()
            && (count("waiting"), count("parked"))
                == (told["waiting"].clone(), told["parked"].clone());
        is_so.then_some(text)
    })
}

fn positions(receiver: &Receiver) -> Vec<u64> {
    receiver.deliveries().iter().map(receiver::Delivery::position).collect()
}

#[test]
fn what_comes_is_sent_signed_and_told_of_and_the_secret_is_told_once() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let owner = server.entitled();
    let wish = json!({ "type": ["Observation"], "include": "resource" });
    let (id, secret) = subscribe(&owner, &receiver, wish);
    let from = server.log_length();
    owner.put(&patient("r")).expect(201);
    owner.put(&observation("o1", "r")).expect(201);
    let [delivery] = &receiver.wait_for(1)[..] else { panic!("{:?}", receiver.deliveries()) };

    // As the feed tells it.
    let target = format!("/v1/events?from={from}&type=Observation&include=resource");
    let page = owner.get(&target).expect(200).json();
    assert_eq!(json!([delivery.body]), page["events"]);
    assert_eq!(delivery.path, "/hook");
    assert_eq!(delivery.header("content-type"), "application/json");
    assert_eq!(delivery.header("webhook-id"), format!("{id}-{}", delivery.position()));
    assert_eq!(delivery.signed_by(&[&secret]), [0]);

    // Nothing but the answer to its making has the secret.
    let told = wait_until_done(&owner, &id);
    let list = owner.get("/v1/subscriptions").expect(200).json();
    assert_eq!(list["subscriptions"], json!([told]));
    let key = secret.strip_prefix("whsec_").unwrap();
    assert!(!list.to_string().contains(key) && !server.log().contains(key));
    let file = wait_until_written(&server, &id);
    assert!(!file.contains(key) && !file.contains("/hook"), "{file}");

    // The access log tells what has left, by whose right.
    let accesses = server.auditor().get("/v1/accesses?count=50").expect(200).json();
    let mut entries = accesses["accesses"].as_array().unwrap().iter();
    let entry = entries.find(|entry| entry["operation"] == "deliverEvents").unwrap();
    assert_eq!((&entry["subject"], &entry["action"]), (&json!("dr-weiss"), &json!("R")), "{entry}");
    assert_eq!(
        (&entry["patients"], &entry["outcome"]),
        (&json!(["r"]), &json!("granted")),
        "{entry}"
    );
    assert_eq!(entry["resources"][0]["resource"], "Observation/o1", "{entry}");
    assert!(entry.to_string().contains(&path(&id, "")), "{entry}");
}

#[test]
fn both_secrets_sign_until_the_old_one_ends() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let owner = server.entitled();
    let (id, first) = subscribe(&owner, &receiver, json!({ "form": "cloudevents" }));
    let rotate = |overlap: u64| {
        let rotated = owner.post(&path(&id, "/secret"), &json!({ "overlapSeconds": overlap }));
        rotated.expect(200).json()["secret"].as_str().unwrap().to_owned()
    };
    let second = rotate(3_600);
    owner.put(&observation("o1", "p")).expect(201);
    let deliveries = receiver.wait_for(1);
    assert_eq!(deliveries[0].signed_by(&[&first, &second]), [1, 0]);
    assert_eq!(deliveries[0].header("content-type"), "application/cloudevents+json");
    assert_eq!(deliveries[0].body["type"], "chartlog.Observation.recorded");
    assert_eq!(owner.get(&path(&id, "")).expect(200).json()["secrets"], 2);
    // Secrets and their ends last.
    let server = server.restart();
    let owner = server.entitled();
    owner.put(&observation("o2", "p")).expect(201);
    let deliveries = receiver.wait_for(2);
    assert_eq!(deliveries.last().unwrap().signed_by(&[&first, &second]), [1, 0]);
    wait_until_done(&owner, &id);
    let rotated =
        owner.post(&path(&id, "/secret"), &json!({ "overlapSeconds": 0 })).expect(200).json();
    let third = rotated["secret"].as_str().unwrap();
    let before = receiver.deliveries().len();
    owner.put(&observation("o3", "p")).expect(201);
    assert_eq!(
        receiver.wait_for(before + 1).last().unwrap().signed_by(&[&first, &second, third]),
        [2]
    );
}

#[test]
fn what_is_given_up_is_parked_and_can_be_sent_again_or_dropped() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let receiver = Receiver::start(move |delivery, _| {
        let is_bad = delivery.body["resource"].as_str().unwrap_or_default().contains("/bad");
        match is_bad && !up.load(Ordering::SeqCst) {
            true => Reaction::Answer(500, ""),
            false => Reaction::Answer(204, ""),
        }
    });
    let server = clinic();
    let owner = server.entitled();
    let (id, _) = subscribe(&owner, &receiver, json!({ "retrySeconds": 0 }));
    for name in ["bad1", "good1", "bad2", "good2"] {
        owner.put(&observation(name, "p")).expect(201);
    }
    let told = wait_until_done(&owner, &id);
    assert_eq!((&told["parked"], &told["failures"]), (&json!(2), &json!(2)), "{told}");
    assert_eq!(told["state"], "active");
    wait_until_written(&server, &id);
    let server = server.restart();
    let owner = server.entitled();
    let parked = owner.get(&path(&id, "/parked")).expect(200).json()["parked"].clone();
    let [one, two] = parked.as_array().unwrap().as_slice() else { panic!("{parked}") };
    assert!(one["reason"].as_str().unwrap().contains("500"), "{one}");
    let page = owner.get(one["event"].as_str().unwrap()).expect(200).json();
    assert_eq!(page["events"][0]["resource"], "Observation/bad1");

    is_up.store(true, Ordering::SeqCst);
    let below =
        |parked: &Value, rest: &str| path(&id, &format!("/parked/{}{rest}", parked["position"]));
    owner.post(&below(one, "/replay"), &json!({})).expect(204);
    owner.post(&below(one, "/replay"), &json!({})).problem(404, &["parked event"]);
    owner.delete(&below(two, "")).expect(204);
    owner.delete(&below(two, "")).problem(404, &["parked event"]);
    let told = wait_until_done(&owner, &id);
    assert_eq!(told["parked"], 0);
    let sent = positions(&receiver);
    let count = |parked: &Value| sent.iter().filter(|at| parked["position"] == **at).count();
    assert_eq!((count(one), count(two)), (2, 1), "{sent:?}");
    let metrics = server.anonymous().get("/metrics").expect(200);
    let line = format!("chartlog_subscription_parked{{subscription=\"{id}\"}} 0");
    assert!(metrics.text().lines().any(|told| told == line), "{}", metrics.text());
}

#[test]
fn a_subscription_pauses_and_goes_on_and_begins_anew_anywhere() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let owner = server.entitled();
    let (id, _) = subscribe(&owner, &receiver, json!({ "from": 0 }));
    wait_until_done(&owner, &id);
    let whole: Vec<u64> = (0..server.log_length()).collect();
    let mut sent = positions(&receiver);
    sent.sort_unstable();
    assert_eq!(sent, whole);

    let told = owner.post(&path(&id, "/pause"), &json!({ "reason": "moving house" })).expect(200);
    assert_eq!(told.json()["reason"], "moving house");
    owner.put(&observation("o1", "p")).expect(201);
    // Pauses last.
    let server = server.restart();
    let owner = server.entitled();
    let told = owner.get(&path(&id, "")).expect(200).json();
    assert_eq!((&told["state"], &told["behind"]), (&json!("paused"), &json!(1)), "{told}");
    owner.post(&path(&id, "/replay"), &json!({ "from": 2 })).expect(200);
    let told = owner.get(&path(&id, "")).expect(200).json();
    assert_eq!((&told["state"], &told["position"]), (&json!("paused"), &json!(2)));
    assert_eq!(receiver.deliveries().len(), whole.len());
    owner.post(&path(&id, "/resume"), &json!({})).expect(200);
    wait_until_done(&owner, &id);
    let mut again = positions(&receiver).split_off(whole.len());
    again.sort_unstable();
    assert_eq!(again, (2..server.log_length()).collect::<Vec<u64>>());

    let beyond = json!({ "from": server.log_length() + 1 });
    owner.post(&path(&id, "/replay"), &beyond).problem(400, &["from", "events so far"]);
    owner.delete(&path(&id, "")).expect(204);
    owner.get(&path(&id, "")).problem(404, &["subscription"]);
    assert!(!server.data().join(format!("feed/subscriptions/{id}.json")).exists());
    let before = receiver.deliveries().len();
    let (other, _) = subscribe(&owner, &receiver, json!({ "type": ["Observation"] }));
    owner.put(&observation("o2", "p")).expect(201);
    wait_until_done(&owner, &other);
    assert_eq!(receiver.deliveries().len(), before + 1, "what has ended sends nothing");
}
