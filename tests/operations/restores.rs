//! Restoring backups.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Place, Server, fill, observation, patient};

/// What is asked of a server before and after.
fn answers(server: &Server, moment: &str) -> Vec<String> {
    let targets = [
        "/fhir/Patient/p".to_owned(),
        "/fhir/Patient/p/_history".to_owned(),
        "/fhir/Observation/o/_history".to_owned(),
        "/fhir/Observation?subject=Patient/p".to_owned(),
        "/fhir/Patient/p/$everything".to_owned(),
        "/v1/patients/p/chart".to_owned(),
        "/v1/patients/p/chart?version=2".to_owned(),
        format!("/v1/patients/p/chart?asOf={moment}"),
        "/v1/patients/p/events".to_owned(),
        "/v1/patients/p/diff?from=2".to_owned(),
        "/v1/patients/q/chart".to_owned(),
        "/v1/log/events/key".to_owned(),
        "/v1/log/access/key".to_owned(),
    ];
    targets.iter().map(|target| server.get(target)).collect()
}

/// A small clinic with a past; returns a moment within it.
fn write_past(server: &Server) -> String {
    server.put(&patient("p", "Quist"));
    server.put(&patient("q", "Weber"));
    server.put(&observation("o", "p", 64));
    let moment = last_time(server, "p");
    server.put(&patient("p", "Quist-Weber"));
    server.put(&observation("o", "p", 64));
    server.put(&observation("gone", "p", 64));
    server.send("DELETE", "/fhir/Observation/gone", &Value::Null);
    moment
}

fn events(server: &Server, id: &str) -> Vec<Value> {
    server.json(&format!("/v1/patients/{id}/events?count=1000"))["events"]
        .as_array()
        .unwrap()
        .clone()
}

fn last_time(server: &Server, id: &str) -> String {
    events(server, id).last().unwrap()["recordedAt"].as_str().unwrap().to_owned()
}

/// Takes the keys of `data` along.
fn copy_vault(place: &Place, to: &str) {
    let (from, to) = (place.path("data/vault"), place.path(to).join("vault"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_restored_store_with_its_keys_answers_with_the_same_bytes() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    let moment = write_past(&server);
    fill(&server, "bulk", 80);
    let before = answers(&server, &moment);
    // The first of them: a list of the newest moves on with each look at it.
    let first = "/v1/accesses?actor=dr-weiss&sort=recordedAt";
    let accesses = |server: &Server| server.json(first)["accesses"].clone();
    let looked = accesses(&server);
    place.rsa("escrow", 2048);
    place.run("vault export --data data --recipient escrow-public.pem --output keys.jwe");
    place.run("backup kept --data data");
    server.stop();
    std::fs::remove_dir_all(place.path("data")).unwrap();

    let said = place.run("restore kept --data back");
    assert!(said.contains("chartlog vault import FILE --data back"), "{said}");
    let said = place.fail("serve --listen 127.0.0.1:0 --data back", 1);
    assert!(said.contains("master key"), "{said}");
    place.run("vault import keys.jwe --data back --private-key escrow.pem");
    let said = place.run("verify --data back");
    assert!(said.contains("tiles: there are none yet"), "{said}");
    let server = Server::start(&place, "back");
    let after = accesses(&server).as_array().unwrap().clone();
    assert!(looked.as_array().unwrap().iter().all(|entry| after.contains(entry)));
    assert_eq!(answers(&server, &moment), before);
    // And it goes on: a backup of it goes on where the other ended.
    server.put(&patient("new", "Neu"));
    place.run("backup kept --data back");
    place.run("restore kept --data again");
}

#[test]
fn keys_may_be_there_first() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    let moment = write_past(&server);
    let before = answers(&server, &moment);
    place.rsa("escrow", 2048);
    place.run("vault export --data data --recipient escrow-public.pem --output keys.jwe");
    place.run("backup kept --data data");
    server.stop();
    place.run("vault import keys.jwe --data back --private-key escrow.pem");
    let said = place.run("restore kept --data back");
    assert!(!said.contains("vault import"), "{said}");
    assert_eq!(answers(&Server::start(&place, "back"), &moment), before);
}

#[test]
fn a_store_is_restored_as_it_was_at_a_position_and_no_commit_is_cut() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    write_past(&server);
    let first = server.position();
    let entry = |id: &str| {
        let url = format!("Observation/{id}");
        json!({ "request": { "method": "PUT", "url": url }, "resource": observation(id, "p", 64) })
    };
    let entries: Vec<Value> = ["a", "b", "c"].map(entry).to_vec();
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    server.send("POST", "/fhir", &bundle);
    let with_transaction = server.get("/v1/patients/p/chart");
    server.put(&patient("p", "Danach"));
    server.get("/fhir/Patient/p");
    server.wait_until_signed();
    server.stop();
    place.run("backup kept --data data");
    // Within the transaction, and at its end.
    for (position, kept) in
        [(first, first), (first + 1, first), (first + 2, first + 3), (first - 1, first)]
    {
        let name = format!("back-{position}");
        copy_vault(&place, &name);
        let said = place.run(&format!("restore kept --data {name} --to {position}"));
        assert!(said.contains("This is another history"), "{said}");
        let origin = |name: &str| std::fs::read_to_string(place.path(name).join("ORIGIN")).unwrap();
        assert_ne!(origin(&name), origin("kept"));
        assert!(said.contains(origin(&name).trim()), "{said}");
        assert!(!place.path(&name).join("proof").exists());
        let server = Server::start(&place, &name);
        assert_eq!(server.position(), kept, "--to {position}");
        if position == first + 2 {
            assert_eq!(server.get("/v1/patients/p/chart"), with_transaction);
        }
        // Nothing was looked at after the cut.
        let looks = server.json("/v1/accesses?actor=dr-weiss");
        let chart_reads = looks["accesses"].as_array().unwrap().iter();
        let read = chart_reads.filter(|entry| entry["operation"] == "readResource").count();
        assert_eq!(read, 0, "{looks}");
        server.put(&patient("new", "Neu"));
        assert!(server.get("/v1/log/events/checkpoint").starts_with(origin(&name).trim()));
        server.stop();
        let said = place.fail(&format!("backup kept --data {name}"), 1);
        assert!(said.contains("another history"), "{said}");
    }
    let last = place.manifest("kept")["events"]["position"].as_u64().unwrap();
    let said = place.fail(&format!("restore kept --data back --to {last}"), 1);
    assert!(said.contains(&format!("no event at position {last}")), "{said}");
    // Nothing is left out: the same history.
    let said = place.run(&format!("restore kept --data whole --to {}", last - 1));
    assert!(said.contains("The checkpoints hold for the first"), "{said}");
}

#[test]
fn a_store_is_restored_as_it_was_at_a_time() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    let moment = write_past(&server);
    let then = server.get(&format!("/v1/patients/p/chart?asOf={moment}"));
    let then: Value = serde_json::from_str(&then).unwrap();
    place.run("backup kept --data data");
    server.stop();
    copy_vault(&place, "back");
    place.run(&format!("restore kept --data back --to {moment}"));
    let server = Server::start(&place, "back");
    let now = server.json("/v1/patients/p/chart");
    assert_eq!(now["resources"], then["resources"]);
    assert_eq!(last_time(&server, "p"), moment);
    for wrong in ["yesterday", "2026-02-28T12:00:00", "-1"] {
        let said = place.fail(&format!("restore kept --data none --to={wrong}"), 2);
        assert!(said.contains("write a position such as"), "{said}");
    }
    // Before everything: a store without events.
    copy_vault(&place, "empty");
    place.run("restore kept --data empty --to 1999-12-31T00:00:00Z");
    assert_eq!(Server::start(&place, "empty").position(), 0);
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_no_log() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    fill(&server, "p", 120);
    server.wait_until_signed();
    server.stop();
    place.run("backup kept --data data");
    let segment = |name: &str| place.path("kept/log/events").join(name);
    let refused = |what: &dyn Fn(&Path, &[u8]), name: &str, words: [&str; 2]| {
        let path = segment(name);
        let whole = std::fs::read(&path).unwrap();
        what(&path, &whole);
        let said = place.fail("restore kept --data back", 1);
        for word in words {
            assert!(said.contains(word), "{word} is not in {said}");
        }
        assert!(said.contains(name), "{said}");
        assert!(!place.path("back/log").exists());
        std::fs::write(&path, &whole).unwrap();
    };
    let flip = |path: &Path, whole: &[u8]| {
        let mut bytes = whole.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    refused(&flip, "00000000.seg", ["at byte ", "the checksum of a group does not match"]);
    refused(&flip, "00000001.seg", ["at byte ", "the checksum of a group does not match"]);
    let cut = |path: &Path, whole: &[u8]| std::fs::write(path, &whole[..whole.len() - 9]).unwrap();
    refused(&cut, "00000000.seg", ["at byte ", "was cut off"]);
    let remove = |path: &Path, _: &[u8]| std::fs::remove_file(path).unwrap();
    refused(&remove, "00000000.seg", ["No such file", ""]);
    let other = |path: &Path, _: &[u8]| {
        std::fs::copy(segment("00000000.seg"), path).unwrap();
    };
    refused(&other, "00000001.seg", ["at byte 0", "belongs to another segment"]);

    // A log that is sound in itself, but is not the one that was signed.
    let forge = |path: &Path, whole: &[u8]| {
        let mut bytes = whole.to_vec();
        let length: [u8; 4] = bytes[36..40].try_into().unwrap();
        let end = 68 + u32::from_le_bytes(length) as usize;
        bytes[end - 1] ^= 1;
        let payload = crc32c::crc32c(&bytes[68..end]).to_le_bytes();
        bytes[60..64].copy_from_slice(&payload);
        let header = crc32c::crc32c(&bytes[32..64]).to_le_bytes();
        bytes[64..68].copy_from_slice(&header);
        std::fs::write(path, bytes).unwrap();
    };
    let path = segment("00000000.seg");
    let whole = std::fs::read(&path).unwrap();
    forge(&path, &whole);
    let said = place.fail("restore kept --data back", 1);
    assert!(said.contains("proof/events/checkpoint: the log breaks its checkpoint"), "{said}");
    assert!(!place.path("back/log").exists());
    std::fs::write(&path, &whole).unwrap();

    let path = place.path("kept/BACKUP");
    let text = std::fs::read_to_string(&path).unwrap();
    let access = place.manifest("kept")["access"].clone();
    let mut forged: Value = serde_json::from_str(&text).unwrap();
    forged["events"]["checkpoint"] = access["checkpoint"].clone();
    forged["events"]["key"] = access["key"].clone();
    forged["events"]["position"] = json!(1);
    std::fs::write(&path, forged.to_string()).unwrap();
    let said = place.fail("restore kept --data back", 1);
    assert!(said.contains("BACKUP says 1"), "{said}");
    let signature = text.replacen("\\n— ", "\\n— x", 1);
    std::fs::write(&path, signature).unwrap();
    let said = place.fail("restore kept --data back", 1);
    assert!(said.contains("proof/events/checkpoint: "), "{said}");
    std::fs::write(&path, &text).unwrap();
    place.run("restore kept --data back");
}

#[test]
fn a_directory_that_holds_anything_is_refused() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    place.run("backup kept --data data");
    let said = place.fail("restore kept --data data", 1);
    assert!(said.contains("into an empty directory"), "{said}");
    let said = place.fail("restore kept --data kept", 1);
    assert!(said.contains("into an empty directory"), "{said}");
    let said = place.fail("restore nothing --data back", 1);
    assert!(said.contains("no finished backup"), "{said}");
    // What an interrupted restore left is no hindrance.
    place.run("restore kept --data back");
    std::fs::create_dir(place.path("back/restoring")).unwrap();
    std::fs::remove_dir_all(place.path("back/log")).unwrap();
    place.run("restore kept --data back");
    // A newer program's backup is left alone.
    let path = place.path("kept/BACKUP");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    let said = place.fail("restore kept --data newer", 1);
    assert!(said.contains("backup format 2; this program reads format 1"), "{said}");
}

#[test]
fn a_data_directory_of_a_newer_program_is_left_alone() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    place.rsa("escrow", 2048);
    let export = "vault export --data data --recipient escrow-public.pem --output keys.jwe";
    let in_use = "in use by another chartlog process";
    assert!(place.fail("rebuild --data data", 1).contains(in_use));
    server.stop();
    std::fs::write(place.path("data/FORMAT"), "4\n").unwrap();
    let before = place.files("data");
    for line in [
        "serve --listen 127.0.0.1:0 --data data",
        "rebuild --data data",
        "stats --data data",
        "backup kept --data data",
        export,
    ] {
        let said = place.fail(line, 1);
        assert!(said.contains("data has data format 4; this program reads format 3"), "{said}");
    }
    assert_eq!(place.files("data"), before);
}
