//! The events in a stream of NATS JetStream, with a real server: as the feed tells them, under the scopes of the
//! configuration, and told of.

mod broker;
mod chaos;
mod identities;
mod refused;

use std::path::PathBuf;

use async_nats::jetstream::stream::Config;
use serde_json::{Value, json};

use crate::harness::{Server, Setup, observation, patient, practitioner};
use crate::webhooks::wait_for;
use broker::{Broker, Message, SUBJECTS};

/// A server that publishes everything from the start to a stream that it makes.
fn setup(broker: &Broker) -> Setup {
    Setup::default()
        .set(&broker.setting())
        .set("nats.create_stream=true")
        .set("nats.from_start=true")
        .set("nats.scopes=system/*.rs")
}

/// The stream as it is to be.
fn stream() -> Config {
    let (name, subjects) = ("chartlog".to_owned(), vec![SUBJECTS.to_owned()]);
    Config { name, subjects, ..Config::default() }
}

/// All events, as the feed tells them.
fn told(server: &Server, query: &str) -> Vec<Value> {
    let page = server.entitled().get(&format!("/v1/events?limit=1000{query}")).expect(200).json();
    page["events"].as_array().unwrap().clone()
}

fn bodies(messages: &[Message]) -> Vec<Value> {
    messages.iter().map(|message| message.body.clone()).collect()
}

/// The end of the part of a commit that this reader sees depends on the batch.
fn without_ends(mut events: Vec<Value>) -> Vec<Value> {
    for event in &mut events {
        event.as_object_mut().unwrap().remove("endsCommit");
    }
    events
}

/// Some charts, and something in the directory.
fn happen(server: &Server) {
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    clinician.put(&patient("q")).expect(201);
    clinician.put(&practitioner("d")).expect(201);
    for id in ["p", "q"] {
        clinician.put(&observation(&format!("o-{id}"), id)).expect(201);
    }
    clinician.delete("/fhir/Observation/o-p").expect(204);
}

fn erase(server: &Server, patient: &str) {
    let why = json!({ "reason": "asked for", "basis": "Art. 17 GDPR" });
    server.entitled().post(&format!("/v1/patients/{patient}/erasure"), &why).expect(200);
}

#[test]
fn the_stream_holds_every_event_as_the_feed_tells_it_and_the_access_log_tells_of_each() {
    let Some(broker) = Broker::start() else { return };
    let server = setup(&broker).set("nats.filter=include=resource").start();
    happen(&server);
    let length = server.log_length();
    let messages = broker.wait_for("chartlog", length);
    assert_eq!(bodies(&messages), told(&server, "&include=resource"));
    let log = server.anonymous().get("/v1/log/events/key").expect(200);
    let log = log.text().split('+').next().unwrap();
    for (message, number) in messages.iter().zip(0..) {
        assert_eq!((message.position(), message.sequence), (number, number + 1));
        let (kind, recorded_at) = (&message.body["type"], &message.body["recordedAt"]);
        let chart = message.body["chart"].as_str().unwrap_or("directory");
        let subject = format!("chartlog.default.{chart}.{}", kind.as_str().unwrap());
        assert_eq!(message.subject, subject);
        assert_eq!(message.headers["Chartlog-Log"], log);
        assert_eq!(json!(message.headers["Chartlog-Time"]), *recorded_at);
        assert_eq!(message.headers["Content-Type"], "application/json");
    }
    let config = broker.config("chartlog");
    assert_eq!((config.subjects, config.duplicate_window.as_secs()), (vec![SUBJECTS.into()], 120));

    // Each batch before it has left.
    let accesses = |server: &Server| {
        let page = server.auditor().get("/v1/accesses?actor=nats&count=300&sort=recordedAt");
        page.expect(200).json()["accesses"].as_array().unwrap().clone()
    };
    let entries = accesses(&server);
    assert!(
        entries.iter().all(|entry| entry["operation"] == "publishEvents"
            && entry["request"] == entries[0]["request"])
    );
    assert_eq!(entries[0]["query"], "stream=chartlog&include=resource&begun");
    let shown: u64 = entries.iter().filter_map(|entry| entry["resourceCount"].as_u64()).sum();
    assert!(shown >= 7, "{entries:?}");
    let own = server.patient_app("p").get("/v1/patients/p/accesses").expect(200).json();
    let own = own["accesses"].as_array().unwrap();
    assert!(own.iter().any(|entry| entry["operation"] == "publishEvents"), "{own:?}");

    // It goes on where it was, and says how it stands.
    let server = server.restart();
    server.clinician().put(&patient("r")).expect(201);
    let more = broker.wait_for("chartlog", server.log_length());
    assert_eq!(bodies(&more), told(&server, "&include=resource"));
    let metrics = server.anonymous().get("/metrics").expect(200);
    for figure in ["behind", "last_success_timestamp_seconds"] {
        let figure = format!("chartlog_delivery_{figure}{{target=\"nats\"}} ");
        assert!(metrics.text().contains(&figure), "{}", metrics.text());
    }
    let mut server = server;
    server.terminate();
    assert!(server.ended().success());
    let server = server.restart();
    let ended = accesses(&server);
    assert!(ended.iter().any(|entry| entry["query"] == "stream=chartlog&include=resource&ended"));
}

#[test]
fn scopes_and_filter_say_what_leaves_and_an_erasure_is_told() {
    let Some(broker) = Broker::start() else { return };
    let server = setup(&broker)
        .set("nats.scopes=system/Observation.rs system/Patient.rs")
        .set("nats.filter=criteria=Observation%3Fcode%3D8867-4&include=resource")
        .set("nats.form=cloudevents")
        .set("nats.tenant=north")
        .set("nats.stream=rates")
        .set("nats.replicas=1")
        .start();
    happen(&server);
    let clinician = server.clinician();
    let mut other = observation("other", "p");
    other["code"] = json!({ "text": "another" });
    clinician.put(&other).expect(201);
    let first = broker.wait_for("rates", 3);
    let told = |message: &Message| {
        (message.body["type"].as_str().unwrap().to_owned(), message.body["subject"].clone())
    };
    let expected = [
        ("chartlog.Observation.recorded", "Observation/o-p"),
        ("chartlog.Observation.recorded", "Observation/o-q"),
        ("chartlog.Observation.removed", "Observation/o-p"),
    ];
    let expected = expected.map(|(kind, subject)| (kind.to_owned(), json!(subject)));
    assert_eq!(first.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(first[0].headers["Content-Type"], "application/cloudevents+json");
    assert_eq!(first[0].body["data"]["id"], "o-p");
    assert!(first[0].subject.starts_with("chartlog.north."), "{}", first[0].subject);

    erase(&server, "q");
    let erased = broker.wait_for("rates", 4);
    let erased = &erased[3];
    assert_eq!(erased.body["type"], "chartlog.chart.erased");
    assert!(erased.subject.ends_with(".chart.erased"), "{}", erased.subject);
    assert_eq!(erased.body["partitionkey"], first[1].body["partitionkey"]);
}

#[test]
fn what_was_erased_before_it_was_published_keeps_its_place() {
    let Some(broker) = Broker::start() else { return };
    let server = setup(&broker).set("nats.create_stream=false").start();
    happen(&server);
    erase(&server, "p");
    wait_for("it is not said that there is no stream", || {
        server.log().contains("there is no stream chartlog; make it").then_some(())
    });
    broker.make(&stream());
    let messages = broker.wait_for("chartlog", server.log_length());
    assert_eq!(without_ends(bodies(&messages)), without_ends(told(&server, "")));
    let erased = |message: &&Message| message.body["type"] == "chart.erased";
    assert!(messages.iter().filter(erased).count() > 3);
    assert_eq!(server.log().matches("not delivered").count(), 1, "{}", server.log());
}

#[test]
fn what_is_too_long_for_a_message_says_where_the_whole_of_it_is() {
    let Some(broker) = Broker::with("max_payload: 16KB", async_nats::ConnectOptions::new()) else {
        return;
    };
    let server = setup(&broker).set("nats.filter=include=resource").start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let long = |id: &str, length: usize| {
        let mut resource = observation(id, "p");
        resource["note"] = json!([{ "text": "ü".repeat(length) }]);
        resource
    };
    for (id, length) in [("a", 1_000), ("b", 7_000), ("c", 100_000), ("d", 10)] {
        clinician.put(&long(id, length)).expect(201);
    }
    let messages = broker.wait_for("chartlog", server.log_length());
    let of = |id: &str| {
        let resource = json!(format!("Observation/{id}"));
        messages.iter().find(|message| message.body["resource"] == resource).unwrap()
    };
    for id in ["a", "b", "d"] {
        assert_eq!(of(id).body["body"]["id"], id);
        assert_eq!(of(id).body.get("wholeAt"), None);
    }
    let short = &of("c").body;
    assert_eq!((short.get("body"), &short["versionId"]), (None, &json!("1")));
    let whole_at = short["wholeAt"].as_str().unwrap().strip_prefix(&server.base).unwrap();
    let page = clinician.get(whole_at).expect(200).json();
    assert_eq!(page["events"][0]["body"]["note"], long("c", 100_000)["note"]);
}

#[test]
fn a_new_stream_gets_what_comes_from_now_on_and_one_made_anew_what_comes_after() {
    let Some(broker) = Broker::start() else { return };
    let mut server =
        Setup::default().file("c.toml", "").argument("--config").argument("c.toml").start();
    happen(&server);
    let before = server.log_length();
    server.terminate();
    assert!(server.ended().success());
    let text = format!(
        "[nats]\nservers = [\"nats://127.0.0.1:{}\"]\nscopes = \"system/*.rs\"\ncreate_stream = true\n",
        broker.port()
    );
    std::fs::write(server.home().join("c.toml"), text).unwrap();
    let server = server.restart();
    server.clinician().put(&patient("r")).expect(201);
    let expected = server.log_length() - before;
    let messages = broker.wait_for("chartlog", expected);
    assert_eq!(messages[0].position(), before);

    // Its messages are gone: nothing comes twice, and nothing is left out.
    wait_for_cursor(&server);
    let published = server.log_length();
    broker.purge("chartlog");
    let server = server.restart();
    server.clinician().put(&patient("s")).expect(201);
    let messages = broker.wait_for("chartlog", server.log_length() - before);
    assert_eq!(messages[0].position(), published);
    // Killed before that was written down, and gone.
    let published = server.log_length();
    server.signal("-KILL");
    broker.purge("chartlog");
    let server = server.restart();
    server.clinician().put(&patient("t")).expect(201);
    let messages = broker.wait_for("chartlog", server.log_length() - before);
    assert_eq!(messages[0].position(), published);

    // And then it is another one.
    wait_for_cursor(&server);
    let published = server.log_length();
    broker.delete("chartlog");
    let server = server.restart();
    server.clinician().put(&patient("u")).expect(201);
    let messages = broker.wait_for("chartlog", server.log_length() - published);
    assert_eq!(messages[0].position(), published);
    assert!(server.log().contains("made anew"), "{}", server.log());
}

/// Waits until it is written down that everything was published.
fn wait_for_cursor(server: &Server) {
    let length = server.log_length();
    wait_for("the cursor is not written", || {
        let files = std::fs::read_dir(server.data().join("feed")).unwrap();
        let is_cursor = |path: &PathBuf| path.extension().is_some_and(|end| end == "cursor");
        let path = files.map(|file| file.unwrap().path()).find(is_cursor)?;
        let cursor: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        (cursor["place"]["next"] == length).then_some(())
    });
}
