//! A receiver that is a process of its own: `examples/python/fhir_subscriber.py`, killed as the server is, and once set back to
//! an older state. Passed over where there is no `python3`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::harness::unique;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/fhir_subscriber.py");

/// The process; it is killed when dropped.
struct Subscriber(Child);

impl Subscriber {
    #[track_caller]
    fn start(server: &Server, port: u16, path: &Path) -> Self {
        let mut child = Command::new("python3")
            .args([SCRIPT, &format!("{}/fhir/Subscription/s", server.base), &port.to_string()])
            .arg(path)
            .env(
                "TOKEN",
                server.token("subscriber", "user/Subscription.rs user/Encounter.rs", None),
            )
            .env("SECRET", "of-the-receiver")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("listening"));
        // Reads to the end, so that it can always write.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kept(path: &Path) -> Vec<(u64, String)> {
    let text = std::fs::read(path).unwrap_or_else(|_| b"[]".to_vec());
    let told: Vec<(u64, Value)> = serde_json::from_slice(&text).unwrap();
    let focus = |focus: Value| focus.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    told.into_iter().map(|(number, of)| (number, focus(of))).collect()
}

#[test]
fn a_receiver_that_is_killed_and_set_back_ends_up_with_every_event_once() {
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = clinic();
    let path = server.home().join("events.json");
    let mut subscriber = Some(Subscriber::start(&server, port, &path));
    let (unused, _) = receiver();
    let mut wanted = subscription("s", &unused, "id-only");
    wanted["channel"]["endpoint"] = json!(format!("http://127.0.0.1:{port}/"));
    wanted["channel"]["header"] = json!(["Authorization: Bearer of-the-receiver"]);
    subscribe(&server.clinician(), &wanted);
    let mut written: Vec<String> = Vec::new();
    let mut older = Vec::new();
    for round in 0..5 {
        for _ in 0..10 {
            let id = unique("e");
            server.clinician().put(&encounter(&id, "q", "planned")).expect(201);
            written.push(id);
        }
        match round {
            // The receiver is away while things happen.
            0 => subscriber = None,
            // The server is killed between writes and deliveries.
            1 => server = server.restart(),
            2 => {
                subscriber = Some(Subscriber::start(&server, port, &path));
                wait_for("it has caught up", || (kept(&path).len() == written.len()).then_some(()));
                older = std::fs::read(&path).unwrap();
            }
            // Set back to what it knew a while ago: the server does not know.
            3 => {
                wait_for("it has caught up", || (kept(&path).len() == written.len()).then_some(()));
                drop(subscriber.take());
                std::fs::write(&path, &older).unwrap();
                subscriber = Some(Subscriber::start(&server, port, &path));
            }
            _ => {}
        }
    }
    wait_for("it has every event", || (kept(&path).len() == written.len()).then_some(()));
    let expected: Vec<(u64, String)> = (1..).zip(written).collect();
    assert_eq!(kept(&path), expected);
    drop(subscriber);
}
