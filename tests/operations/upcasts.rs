//! Upcasters with the real program: tried, put in force, taken back; and the log stays what it was.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Place, Server, observation, patient};

const CODES: &str = r#"
type = "Observation"
from = 1

[[mapping]]
path = "Observation.code.text"
from = "note"
to = "remark"

[[split]]
id = "{id}-copy"

[[example]]
before = '{"resourceType":"Observation","id":"a","status":"final","code":{"text":"note"}}'
after = '''[{"resourceType":"Observation","id":"a","status":"final","code":{"text":"remark"}},
           {"resourceType":"Observation","id":"a-copy","status":"final","code":{"text":"note"}}]'''
"#;

fn store(place: &Place) -> Vec<String> {
    let server = Server::start(place, "data");
    server.put(&patient("p", "Alt"));
    server.put(&observation("a", "p", 64));
    server.put(&observation("b", "p", 64));
    let raw = raw_of(&server);
    server.wait_until_signed();
    server.stop();
    raw
}

/// What is committed to by each event of the log.
fn raw_of(server: &Server) -> Vec<String> {
    let one = |position| {
        let event = server.json(&format!("/v1/events/{position}?raw=true"));
        event["payload"].as_str().unwrap().to_owned()
    };
    (0..server.position()).map(one).collect()
}

fn texts(server: &Server) -> Vec<String> {
    let chart = server.json("/v1/patients/p/chart");
    let text = |resource: &Value| {
        let text = resource["code"]["text"].as_str()?;
        Some(format!("{} {text}", resource["id"].as_str()?))
    };
    chart["resources"].as_array().unwrap().iter().filter_map(text).collect()
}

/// Starts the server with upcasters, and waits until they are in force.
fn served(place: &Place, generation: u64) -> Server {
    let server = Server::start_with(place, "data", "--set store.upcasters=upcasters");
    while server.figure("chartlog_views_generation") < generation {
        std::thread::yield_now();
    }
    server
}

#[test]
fn what_is_tried_and_put_in_force_leaves_the_log_as_it_was() {
    let place = Place::new();
    let raw = store(&place);
    fs::create_dir(place.path("upcasters")).unwrap();
    fs::write(place.path("upcasters/codes.toml"), CODES).unwrap();
    let tried = place.run("upcast upcasters --dry-run --data data --samples 1");
    for line in [
        "4 events, 2 of which an upcaster is about",
        "looked at 2, changes 2, drops 0, splits 2 into 2 more, fails on 0",
        "  Observation.recorded Observation/a",
    ] {
        assert!(tried.contains(line), "{line}\nis missing in\n{tried}");
    }
    assert!(!tried.contains("Observation/b"), "one sample was asked for");
    let tried: Value =
        serde_json::from_str(&place.run("upcast upcasters --dry-run --data data --json")).unwrap();
    assert_eq!(tried["files"][0]["changed"], 2);
    assert_eq!(tried["files"][0]["samples"].as_array().unwrap().len(), 2);

    let server = served(&place, 2);
    let today = ["a remark", "a-copy note", "b remark", "b-copy note"];
    assert_eq!(texts(&server), today);
    assert_eq!(raw_of(&server), raw, "what was signed");
    let told = server.json("/v1/events?type=Observation");
    let told: Vec<_> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["position"], &event["part"], &event["resource"], &event["endsCommit"]))
        .map(|(position, part, resource, ends)| json!([position, part, resource, ends]))
        .collect();
    let expected = [
        json!([2, null, "Observation/a", false]),
        json!([2, 1, "Observation/a-copy", true]),
        json!([3, null, "Observation/b", false]),
        json!([3, 1, "Observation/b-copy", true]),
    ];
    assert_eq!(told, expected);
    let found = server.json("/fhir/Observation?patient=p&_summary=count");
    assert_eq!(found["total"], 4);
    // The copy is a resource like others, and what is written now is told as it is.
    let mut copy = observation("a-copy", "p", 64);
    copy["code"]["text"] = json!("own");
    server.put(&copy);
    server.put(&observation("c", "p", 64));
    let now = ["a remark", "b remark", "b-copy note", "a-copy own", "c note"];
    assert_eq!(texts(&server), now);
    let entry = server.token("system/AuditEvent.rs");
    let (_, entries) = server.ask(&entry, "/v1/accesses?operation=tryUpcasters");
    assert_eq!(entries.matches("\"tryUpcasters\"").count(), 2, "{entries}");
    let (_, seen) =
        server.ask(&entry, "/v1/accesses?operation=readChart&resource=Observation/b-copy");
    assert!(seen.contains("Observation/b-copy"), "{seen}");
    server.wait_until_signed();
    server.stop();
    place.run("verify --data data");

    // Without upcasters, the log says what it said.
    let server = Server::start(&place, "data");
    while server.figure("chartlog_views_generation") < 3 {
        std::thread::yield_now();
    }
    assert_eq!(texts(&server), ["a note", "b note", "a-copy own", "c note"]);
    server.stop();
}

#[test]
fn a_bad_upcaster_stops_the_start_with_file_line_and_event() {
    let place = Place::new();
    store(&place);
    fs::create_dir(place.path("upcasters")).unwrap();
    let bad = CODES.replace("Observation.code.text", "Observation.code.[text");
    fs::write(place.path("upcasters/codes.toml"), bad).unwrap();
    for line in [
        "serve --listen 127.0.0.1:0 --data data --set store.upcasters=upcasters",
        "upcast upcasters --dry-run --data data",
    ] {
        let said = place.fail(line, 2);
        assert!(said.starts_with("chartlog: upcasters/codes.toml:6: Observation."), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let said = place.fail("upcast nowhere --dry-run --data data", 2);
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn what_cannot_be_put_in_force_is_told_by_the_trial_and_leaves_the_views() {
    let place = Place::new();
    store(&place);
    let server = Server::start(&place, "data");
    server.put(&observation("b-copy", "p", 64));
    server.stop();
    fs::create_dir(place.path("upcasters")).unwrap();
    fs::write(place.path("upcasters/codes.toml"), CODES).unwrap();
    let output = place.command("upcast upcasters --dry-run --data data").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("  Observation/b-copy, of the event at position 3"), "{told}");
    let server = Server::start_with(&place, "data", "--set store.upcasters=upcasters");
    assert_eq!(texts(&server), ["a note", "b note", "b-copy note"]);
    server.stop();
}
