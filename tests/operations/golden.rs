//! Stores of every data format as they were written once (`tests/fixtures`), opened by this program.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Server};

/// Who may read all that was asked for.
const READER: &str = "user/*.cruds user/ChartErasure.r user/AuditEvent.rs";

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut formats: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    formats.sort();
    formats
}

/// Copies a folder as git checks it out: the modes of the copies are those of the umask.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::write(to.join(name), std::fs::read(&path).unwrap()).unwrap();
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn there_is_a_golden_store_of_the_current_format() {
    let name = format!("format-{}", chartlog::engine::FORMAT);
    assert!(fixtures().iter().any(|path| path.ends_with(&name)), "tests/fixtures has no {name}");
}

#[test]
fn a_golden_store_answers_as_it_did_when_it_was_written() {
    for format in fixtures() {
        let place = Place::new();
        copy(&format.join("data"), &place.path("data"));
        assert!(!place.path("data/views").exists(), "the views are made from the logs");
        place.run("verify --data data --open");
        let server = Server::start(&place, "data");
        let token = server.token(READER);
        let answers = read(&format.join("answers.ndjson"));
        assert!(answers.lines().count() > 30, "{answers}");
        for line in answers.lines() {
            let expected: Value = serde_json::from_str(line).unwrap();
            let path = expected["path"].as_str().unwrap();
            let (status, body) = server.ask(&token, path);
            if path.starts_with("/fhir/AuditEvent/") {
                // Clients could store them then; now the server makes them, and has no such one.
                assert_eq!(status, 404, "{path}: {body}");
                continue;
            }
            assert_eq!(status, expected["status"], "{path}: {body}");
            if let Some(expected) = expected.get("body") {
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(body, *expected, "{path}");
            }
        }
        // It goes on from there.
        server.put(&crate::support::patient("new", "Neumann"));
        server.stop();
        place.run("verify --data data --open --views");
    }
}

#[test]
fn its_damaged_twin_is_refused_by_the_segment_and_the_place_in_it() {
    for format in fixtures() {
        let place = Place::new();
        copy(&format.join("damaged"), &place.path("data"));
        let damage: Value = serde_json::from_str(&read(&format.join("damage.json"))).unwrap();
        let (segment, group) = (damage["segment"].as_str().unwrap(), &damage["group"]);
        let expected = format!("data/{segment} at byte {group}: ");
        let said = place.fail("serve --listen 127.0.0.1:0 --data data --log-filter error", 1);
        assert!(said.contains(&expected), "{said} does not name {expected}");
        let output = place.command("verify --data data").output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(4), "{found}");
        let is_found = |line: &str| line.starts_with("ALTERED") && line.contains(&expected);
        assert!(found.lines().any(is_found), "{found} does not name {expected}");
        // And it is left as it was, for whoever mends it.
        let (kept, before) =
            (place.path("data").join(segment), format.join("damaged").join(segment));
        assert_eq!(std::fs::read(kept).unwrap(), std::fs::read(before).unwrap());
    }
}
