//! Who may subscribe to what, and what of it they get.

use serde_json::json;

use super::receiver::Receiver;
use super::{clinic, path, subscribe, wait_until_done};
use crate::harness::{observation, patient};

#[test]
fn an_owner_gets_what_their_scopes_reach_and_nothing_else() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let app =
        server.with_token(server.token("app", "patient/Observation.rs user/Feed.cr", Some("p")));
    let (id, _) = subscribe(&app, &receiver, json!({ "from": 0, "include": "resource" }));
    for owner in ["p", "q"] {
        server.clinician().put(&observation(&format!("o2-{owner}"), owner)).expect(201);
    }
    let told = wait_until_done(&app, &id);
    assert_eq!(told["scopes"], "user/Feed.cr patient/Observation.rs", "{told}");
    let resources: Vec<String> = receiver
        .deliveries()
        .iter()
        .map(|one| one.body["body"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(resources, ["o-p", "o2-p"]);
    // By name alone, and not without a right to see anything.
    let wish = json!({ "name": "x", "url": receiver.url() });
    server.clinician().post("/v1/subscriptions", &wish).problem(403, &["'c' on Feed"]);
    server
        .actor("x", "user/Feed.crud")
        .post("/v1/subscriptions", &wish)
        .problem(403, &["any type"]);
    let of_type = json!({ "name": "x", "url": receiver.url(), "type": ["Condition"] });
    app.post("/v1/subscriptions", &of_type).problem(403, &["Condition"]);
}

#[test]
fn only_its_owner_decides_what_a_subscription_sends_and_where() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let owner = server.entitled();
    let (id, secret) = subscribe(&owner, &receiver, json!({}));
    let other = server.actor("mallory", "user/Feed.crud user/Patient.rs");
    let wish = json!({ "name": "mine", "url": receiver.url() });
    other.request("PUT", &path(&id, "")).json(&wish).send().problem(403, &["somebody else"]);
    for (below, body) in
        [("/replay", json!({ "from": 0 })), ("/secret", json!({})), ("/parked/0/replay", json!({}))]
    {
        other.post(&path(&id, below), &body).problem(403, &["somebody else"]);
    }
    other.delete(&path(&id, "/parked/0")).problem(403, &["somebody else"]);
    // Who looks after the server may stop it.
    let told = other.post(&path(&id, "/pause"), &json!({})).expect(200).json();
    assert_eq!(told["reason"], "paused by mallory");
    assert!(!told.to_string().contains(&secret));
    other.post(&path(&id, "/resume"), &json!({})).expect(200);

    // Defined anew, it sees by the token of now.
    let narrow = server.actor("dr-weiss", "user/Feed.u user/Patient.rs");
    let told = narrow.request("PUT", &path(&id, "")).json(&wish).send().expect(200).json();
    assert_eq!(
        (&told["name"], &told["scopes"]),
        (&json!("mine"), &json!("user/Feed.u user/Patient.rs"))
    );
    owner.put(&observation("o9", "p")).expect(201);
    owner.put(&patient("z")).expect(201);
    wait_until_done(&other, &id);
    let last = receiver.deliveries().pop().unwrap();
    assert_eq!(last.body["resource"], "Patient/z", "{last:?}");
    assert!(receiver.deliveries().iter().all(|one| one.body["resource"] != "Observation/o9"));
    other.delete(&path(&id, "")).expect(204);
}

#[test]
fn what_was_erased_arrives_as_erased_and_holds_nothing_up() {
    let (server, receiver) = (clinic(), Receiver::taking());
    let owner = server.entitled();
    let (id, _) = subscribe(&owner, &receiver, json!({ "include": "resource" }));
    owner.post(&path(&id, "/pause"), &json!({})).expect(200);
    owner.put(&observation("secret", "p")).expect(201);
    owner.put(&observation("o2", "q")).expect(201);
    let reasons = json!({ "reason": "test", "basis": "none" });
    let erased = owner.post("/v1/patients/p/erasure", &reasons).expect(200).json();
    owner.post(&path(&id, "/resume"), &json!({})).expect(200);
    wait_until_done(&owner, &id);
    let deliveries = receiver.deliveries();
    let of_chart: Vec<_> =
        deliveries.iter().filter(|one| one.body["chart"] == erased["chart"]).collect();
    assert_eq!(of_chart.len(), 2, "{deliveries:?}");
    for delivery in of_chart {
        assert_eq!(delivery.body["type"], "chart.erased");
        assert!(delivery.body.get("body").is_none() && delivery.body.get("patient").is_none());
    }
    let text = deliveries.iter().map(|one| String::from_utf8_lossy(&one.raw)).collect::<String>();
    assert!(text.contains("Observation/o2") && !text.contains("secret"), "{text}");
}
