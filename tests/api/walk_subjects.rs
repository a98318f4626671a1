//! What the walk over all operations asks about: charts, glasses, subscriptions, made for it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::harness::{encounter, observation, patient, shared, unique};
use crate::webhooks::wait_for;

/// Alias of a chart that was erased.
pub fn erased_chart() -> &'static str {
    static CHART: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CHART.get_or_init(|| {
        let (owner, _) = chart();
        let reasons = json!({ "reason": "walk", "basis": "none" });
        let target = format!("/v1/patients/{owner}/erasure");
        let erased = shared().entitled().post(&target, &reasons).expect(200).json();
        erased["chart"].as_str().unwrap().to_owned()
    })
}

/// A visit of a patient.
pub fn visit(owner: &str) -> String {
    let visit = shared().entitled().put(&encounter(&unique("v"), owner)).expect(201).json();
    visit["id"].as_str().unwrap().to_owned()
}

/// A glass that somebody else has broken.
pub fn broken_glass() -> String {
    let (owner, _) = chart();
    let somebody = shared().actor("somebody", "user/*.rs user/BreakGlass.c");
    let look = somebody.request("GET", &format!("/fhir/Patient/{owner}"));
    look.header("x-break-glass", "for the walk").send().expect(200);
    let queue = format!("/v1/break-glass?patient={owner}");
    let queue = shared().entitled().get(&queue).expect(200).json();
    queue["glasses"][0]["id"].as_str().unwrap().to_owned()
}

/// What nobody is there to receive.
pub fn wish(owner: &str) -> Value {
    let url = "http://127.0.0.1:1/";
    json!({ "name": "walk", "url": url, "patient": owner, "from": 0, "retrySeconds": 0 })
}

/// A Subscription that nobody listens to.
pub fn told_on_sockets() -> String {
    let id = unique("s");
    let subscription = json!({
        "resourceType": "Subscription", "id": id, "status": "requested", "reason": "walk", "criteria": "Encounter?status=finished",
        "channel": { "type": "websocket" },
    });
    shared().entitled().put(&subscription).expect(201);
    id
}

/// The one subscription to a chart, which has parked an event at a position.
pub fn subscription(owner: &str) -> (String, u64) {
    static KNOWN: Mutex<BTreeMap<String, (String, u64)>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let make = || {
        let entitled = shared().entitled();
        let made = entitled.post("/v1/subscriptions", &wish(owner)).expect(201).json();
        let id = made["id"].as_str().unwrap().to_owned();
        let parked = wait_for("an event is parked", || {
            let parked = entitled.get(&format!("/v1/subscriptions/{id}/parked")).expect(200).json();
            parked["parked"][0]["position"].as_u64()
        });
        (id, parked)
    };
    known.entry(owner.to_owned()).or_insert_with(make).clone()
}

/// A chart with one observation.
pub fn chart() -> (String, String) {
    let (owner, value) = (unique("p"), unique("o"));
    let clinician = shared().entitled();
    clinician.put(&patient(&owner)).expect(201);
    clinician.put(&observation(&value, &owner)).expect(201);
    (owner, value)
}
