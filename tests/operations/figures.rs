//! What a store says about itself.

use serde_json::Value;

use crate::support::{Place, Server, fill, patient};

#[test]
fn figures_add_up_beside_a_running_server_and_without() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    fill(&server, "q", 10);
    server.get("/fhir/Patient/p");
    server.get("/fhir/Patient/q");
    let position = server.position();
    let stats =
        || -> Value { serde_json::from_str(&place.run("stats --data data --json")).unwrap() };
    let running = stats();
    server.stop();
    // The start of the server is an entry, and so is its end.
    for (found, entries) in [(running, 3), (stats(), 4)] {
        assert_eq!(found["events"], position, "{found}");
        assert_eq!(found["commits"], 12, "{found}");
        assert_eq!(found["accessEntries"], entries, "{found}");
        assert_eq!((&found["charts"], &found["erasedCharts"]), (&2.into(), &0.into()));
        assert_eq!(found["epochs"], serde_json::json!([1]));
        let bytes = found["bytes"].as_object().unwrap();
        let parts = bytes.iter().filter(|(name, _)| *name != "total");
        let sum: u64 = parts.map(|(_, size)| size.as_u64().unwrap()).sum();
        assert_eq!(bytes["total"], sum);
        let on_disk = place.path("data/log/events/00000000.seg").metadata().unwrap().len();
        assert_eq!(bytes["logEvents"], on_disk);
        #[allow(clippy::cast_precision_loss)]
        let each = on_disk as f64 / position as f64;
        assert!((found["logBytesPerEvent"].as_f64().unwrap() - each).abs() < 1e-9);
        let events = &found["payloads"]["events"];
        assert_eq!(
            events["opened"].as_u64().unwrap() + events["erased"].as_u64().unwrap(),
            position
        );
        assert_eq!(found["payloads"]["access"]["opened"], entries);
        assert!(events["plainBytes"].as_u64().unwrap() > 10 * 32_000, "{events}");
        assert!(events["storedBytes"].as_u64().unwrap() < on_disk);
        let sample = &found["payloads"]["sample"];
        assert_eq!(sample["payloads"], position + entries);
        let size = |name: &str| sample[name].as_u64().unwrap();
        assert!(size("storedBytes") < size("withoutDictionariesBytes"), "{sample}");
        assert!(size("withoutDictionariesBytes") < size("plainBytes"), "{sample}");
        let origin = found["origin"].as_str().unwrap();
        assert_eq!(found["eventsCheckpoint"]["origin"], format!("{origin}/events"));
        assert!(found["eventsCheckpoint"]["size"].as_u64().unwrap() <= position);
    }
    let text = place.run("stats --data data");
    assert!(
        text.lines()
            .any(|line| line.starts_with("events ") && line.ends_with(&format!(" {position}"))),
        "{text}"
    );
    // Without the master key, what is in the clear is counted all the same.
    std::fs::remove_file(place.path("data/vault/master.key")).unwrap();
    let found = stats();
    assert_eq!((&found["payloads"], &found["charts"]), (&Value::Null, &2.into()));
    assert!(place.run("stats --data data").contains("master key is not to be had"));
    assert!(!place.path("data/vault/master.key").exists(), "nothing was made");
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let place = Place::new();
    assert!(place.fail("stats --data nothing", 1).contains("holds no chartlog data"));
    assert!(!place.path("nothing").exists());
}

#[test]
fn every_command_tells_its_exit_codes() {
    let place = Place::new();
    let looks = ["log", "show", "chart", "diff", "blame"];
    let others = ["backup", "restore", "vault export", "vault import", "stats"];
    for command in looks.into_iter().chain(others) {
        let help = place.run(&format!("{command} --help"));
        for code in ["\n  0  done", "\n  1  failed", "\n  2  the command line"] {
            assert!(help.contains(code), "{command}: {help}");
        }
    }
    assert!(place.run("vault export --help").contains("openssl genpkey -algorithm RSA"));
}
