//! kill -9 in the middle, and again from the start.

use std::time::{Duration, Instant};

use chartlog::demo;

use crate::support::{Place, Server, code, stderr};

fn clinic(place: &Place) {
    let options = demo::DemoOptions { seed: 7, patients: 6, today: demo::TODAY };
    for (at, bundle) in demo::clinic(&options).enumerate() {
        place.file(&format!("in/{at:05}.json"), bundle.to_string());
    }
    // Without an id and without criteria: only the key tells them from new ones.
    let line =
        |number| format!("{{\"resourceType\":\"Basic\",\"code\":{{\"text\":\"{number}\"}}}}\n");
    place.file("in/zz.ndjson", (0..600).map(line).collect::<String>());
}

#[test]
fn a_killed_import_is_taken_up_again_to_the_same_end() {
    let straight = Place::new();
    clinic(&straight);
    let output = straight.import("in --parallel 1");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = straight.held();

    let place = Place::new();
    clinic(&place);
    for log_bytes in [20_000, 90_000] {
        let mut command = place.command("in --parallel 1 --data data");
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while bytes_below(&place.path("data/log/events")) < log_bytes {
            assert!(started.elapsed() < Duration::from_secs(30), "no progress");
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let after_kill = Server::start(&place.path("data")).position();
    assert!(after_kill > 0 && after_kill < expected.position, "{after_kill}");
    let output = place.import("in --parallel 1");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(place.held(), expected);
    assert_eq!(code(&place.import("in")), 0);
    assert_eq!(place.held().position, expected.position);
}

fn bytes_below(folder: &std::path::Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|facts| facts.len()).sum()
}
