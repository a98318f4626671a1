//! The logs as outsiders check them: checkpoints, tiles, proofs, evidence, and `chartlog verify`.

use std::path::Path;
use std::time::{Duration, Instant};

use chartlog::proof::{
    Bundle, Checkpoint, ConsistencyProof, Hash, InclusionProof, Verifier, leaf, verify_bundle,
};
use serde_json::{Value, json};

use crate::harness::{Server, bundle, entry, observation, patient, run, shared, unique};

/// The key of a log.
fn key(server: &Server, log: &str) -> Verifier {
    let key = server.anonymous().get(&format!("/v1/log/{log}/key")).expect(200);
    let stored = std::fs::read(server.data().join("proof").join(log).join("vkey")).unwrap();
    assert_eq!(key.body, stored);
    key.text().strip_suffix('\n').unwrap().parse().unwrap()
}

/// A checkpoint that covers so many entries, once there is one; its signature is checked.
fn checkpoint(server: &Server, log: &str, entries: u64) -> Checkpoint {
    let key = key(server, log);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let note = server.anonymous().get(&format!("/v1/log/{log}/checkpoint")).expect(200);
        assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(note.header("cache-control"), Some("no-cache"));
        let signed = Checkpoint::open(note.text(), &key).unwrap();
        if signed.checkpoint().size >= entries {
            return signed.checkpoint().clone();
        }
        assert!(Instant::now() < deadline, "no checkpoint of {entries} entries");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn inclusion(server: &Server, log: &str, position: u64, size: u64) -> InclusionProof {
    let target = format!("/v1/log/{log}/proof/inclusion?position={position}&size={size}");
    serde_json::from_value(server.anonymous().get(&target).expect(200).json()).unwrap()
}

fn consistency(server: &Server, log: &str, from: u64, to: u64) -> ConsistencyProof {
    let target = format!("/v1/log/{log}/proof/consistency?from={from}&to={to}");
    serde_json::from_value(server.anonymous().get(&target).expect(200).json()).unwrap()
}

/// The positions that a write's header names.
fn positions(response: &crate::harness::Response) -> (u64, u64) {
    let text = response.header("chartlog-position").expect("a write has a position");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    (first.parse().unwrap(), last.parse().unwrap())
}

#[test]
fn an_outsider_follows_the_log_from_checkpoint_to_checkpoint() {
    let server = Server::start();
    let clinician = server.clinician();
    let first = clinician.put(&patient("p1")).expect(201);
    assert_eq!(positions(&first), (0, 1), "the chart opens, and its patient is recorded");
    let old = checkpoint(&server, "events", 2);
    for number in 0..40 {
        clinician.put(&observation(&format!("o{number}"), "p1")).expect(201);
    }
    let written = clinician.put(&observation("last", "p1")).expect(201);
    let (position, _) = positions(&written);
    let new = checkpoint(&server, "events", position + 1);
    consistency(&server, "events", old.size, new.size).verify(old.root, new.root).unwrap();

    let evidence = clinician.get("/v1/patients/p1/events/evidence").expect(200);
    let bundle: Bundle = serde_json::from_slice(&evidence.body).unwrap();
    let entry = bundle.entries.iter().find(|entry| entry.position == position).unwrap();
    let leaf = leaf(position, entry.recorded_at, &entry.frame.0);
    inclusion(&server, "events", position, new.size).verify(leaf, new.root).unwrap();
    inclusion(&server, "events", 0, new.size).verify(leaf, new.root).unwrap_err();

    let tile = format!("/v1/log/events/tile/0/000.p/{}", new.size);
    let tile = server.anonymous().get(&tile).expect(200);
    assert_eq!(tile.header("content-type"), Some("application/octet-stream"));
    let (hashes, rest) = tile.body.as_chunks::<32>();
    assert_eq!((hashes.len() as u64, rest.len()), (new.size, 0));
    assert_eq!(Hash(hashes[position as usize]), leaf);
}

#[test]
fn a_full_tile_is_served_for_ever() {
    let server = Server::start();
    let clinician = server.clinician();
    let entries: Vec<Value> = (0..300)
        .map(|at| entry("PUT", &format!("Observation/o{at}"), observation(&format!("o{at}"), "p")))
        .collect();
    clinician.put(&patient("p")).expect(201);
    let stored = clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    assert_eq!(positions(&stored), (2, 301));
    let anonymous = server.anonymous();
    let full = anonymous.get("/v1/log/events/tile/0/000").expect(200);
    assert_eq!(full.body.len(), 256 * 32);
    let lasts = full.header("cache-control").unwrap();
    assert!(lasts.contains("immutable") && lasts.starts_with("public"), "{lasts}");
    let part = anonymous.get("/v1/log/events/tile/0/000.p/7").expect(200);
    assert_eq!(part.body, full.body[..7 * 32]);
    assert_eq!(anonymous.get("/v1/log/events/tile/1/000.p/1").expect(200).body.len(), 32);
    assert_eq!(anonymous.get("/v1/log/events/tile/0/001.p/46").expect(200).body.len(), 46 * 32);
    for absent in ["0/001", "0/001.p/47", "1/000", "2/000.p/1", "0/x001/000", "63/000"] {
        anonymous.get(&format!("/v1/log/events/tile/{absent}")).problem(404, &[]);
    }
}

#[test]
fn what_is_no_tile_and_no_proof_is_refused() {
    shared().clinician().put(&patient(&unique("p"))).expect(201);
    let anonymous = shared().anonymous();
    for wrong in [
        "0/0",
        "0/000.p/0",
        "0/000.p/256",
        "00/000",
        "-1/000",
        "64/000",
        "0/001/000",
        "0/x000",
        "0/%30%30%30",
        "0/000.p/1/",
        "0/x000/000",
        "data/000",
        "0/000.p/+1",
    ] {
        anonymous.get(&format!("/v1/log/events/tile/{wrong}")).problem(400, &[]);
    }
    let beyond = u64::MAX;
    for (query, words) in [
        (format!("inclusion?position=0&size={beyond}"), &["leaves"][..]),
        (format!("inclusion?position={beyond}"), &["leaves"]),
        ("inclusion?position=1&size=1".to_owned(), &["leaves"]),
        ("inclusion".to_owned(), &["position", "missing"]),
        ("inclusion?position=x".to_owned(), &["position", "whole number"]),
        ("inclusion?position=0&position=1".to_owned(), &["once"]),
        ("inclusion?position=0&what=1".to_owned(), &["what"]),
        (format!("consistency?from=0&to={beyond}"), &["leaves"]),
        ("consistency?from=2&to=1".to_owned(), &["leaves"]),
        ("consistency?to=1".to_owned(), &["from", "missing"]),
    ] {
        anonymous.get(&format!("/v1/log/events/proof/{query}")).problem(400, words);
    }
    for path in ["checkpoint", "key", "tile/0/000", "proof/inclusion?position=0"] {
        anonymous.get(&format!("/v1/log/other/{path}")).problem(404, &["events or access"]);
    }
}

#[test]
fn looking_at_the_access_log_from_outside_does_not_make_it_grow() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.get("/fhir/Patient?_id=nobody").expect(200);
    // The start of the server, and the search.
    let before = checkpoint(&server, "access", 2);
    for _ in 0..20 {
        server.anonymous().get("/v1/log/access/checkpoint").expect(200);
        server.anonymous().get("/v1/log/access/tile/0/000.p/1").expect(200);
    }
    clinician.get("/fhir/Patient?_id=nobody").expect(200);
    assert_eq!(checkpoint(&server, "access", before.size + 1).size, before.size + 1);
}

#[test]
fn evidence_of_a_chart_is_checked_with_the_key_alone_and_is_of_that_chart_alone() {
    let (one, other) = (unique("p"), unique("p"));
    let clinician = shared().clinician();
    for id in [&one, &other] {
        clinician.put(&patient(id)).expect(201);
        clinician.put(&observation(&format!("{id}-o"), id)).expect(201);
    }
    let key = key(shared(), "events").to_string();
    let path = format!("/v1/patients/{one}/events/evidence");
    let sealed = clinician.get(&path).expect(200);
    let report = verify_bundle(sealed.text(), &key).unwrap();
    assert_eq!((report.entries, report.disclosed, report.charts.len()), (3, 0, 1));
    let shown = clinician.get(&format!("{path}?disclose=true")).expect(200);
    let report = verify_bundle(shown.text(), &key).unwrap();
    assert_eq!((report.entries, report.disclosed), (3, 3));
    assert!(shown.text().contains("8867-4") && !sealed.text().contains("8867-4"));
    assert!(!shown.text().contains(&other));

    // One page after the other, and then no more.
    let page = clinician.get(&format!("{path}?limit=2")).expect(200);
    assert_eq!(verify_bundle(page.text(), &key).unwrap().entries, 2);
    let link = page.header("link").unwrap();
    let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
    let page = clinician.get(next).expect(200);
    assert_eq!(verify_bundle(page.text(), &key).unwrap().entries, 1);
    assert_eq!(page.header("link"), None);
    clinician.get(&format!("{path}?after=3")).problem(404, &["above version 3"]);
    clinician.get(&format!("{path}?disclose=yes")).problem(400, &["true or false"]);

    // The permission is that of reading the events.
    let app = shared().patient_app(&one);
    verify_bundle(app.get(&path).expect(200).text(), &key).unwrap();
    app.get(&format!("/v1/patients/{other}/events/evidence")).problem(403, &[]);
    let few = shared().actor("few", "user/Patient.rs");
    let report = verify_bundle(few.get(&format!("{path}?disclose=true")).expect(200).text(), &key);
    assert_eq!(report.unwrap().entries, 2, "the observation is not for this token");
    for actor in [app, few, shared().auditor()] {
        let listed = actor.events(&one).len() as u64;
        let evidence = actor.get(&path).expect(200);
        assert_eq!(verify_bundle(evidence.text(), &key).unwrap().entries, listed);
    }
    shared().actor("nobody", "openid").get(&path).problem(403, &[]);
}

#[test]
fn evidence_of_accesses_is_for_who_may_see_them_all() {
    let id = unique("p");
    shared().clinician().put(&patient(&id)).expect(201);
    shared().clinician().get(&format!("/fhir/Patient/{id}")).expect(200);
    let key = key(shared(), "access").to_string();
    let auditor = shared().auditor();
    let page = auditor.get("/v1/accesses/evidence?limit=3&disclose=true").expect(200);
    let report = verify_bundle(page.text(), &key).unwrap();
    assert!(report.entries >= 1 && report.disclosed == report.entries);
    let last = page.json()["entries"].as_array().unwrap().last().unwrap()["position"].clone();
    let next = auditor.get(&format!("/v1/accesses/evidence?after={last}&limit=3")).expect(200);
    let first = next.json()["entries"][0]["position"].clone();
    assert_eq!(first, last.as_u64().unwrap() + 1);
    verify_bundle(next.text(), &key).unwrap();
    shared().patient_app(&id).get("/v1/accesses/evidence").problem(403, &[]);
}

#[test]
fn every_write_says_where_in_the_log_it_stands() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let mut value = observation("x", "p");
    value.as_object_mut().unwrap().remove("id");
    let created = clinician.post("/fhir/Observation", &value).expect(201);
    assert_eq!(created.header("chartlog-position"), Some("2"));
    clinician.put(&observation("o", "p")).expect(201);
    let same = clinician.put(&observation("o", "p")).expect(200);
    assert_eq!(same.header("chartlog-position"), None, "nothing was written");
    let removed = clinician.delete("/fhir/Observation/o").expect(204);
    assert_eq!(removed.header("chartlog-position"), Some("4"));
    let entries =
        ["a", "b"].map(|id| entry("PUT", &format!("Observation/{id}"), observation(id, "p")));
    let all = clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    assert_eq!(all.header("chartlog-position"), Some("5-6"));
    let entries =
        ["c", "d"].map(|id| entry("PUT", &format!("Observation/{id}"), observation(id, "p")));
    let each = clinician.post("/fhir", &bundle("batch", &entries)).expect(200);
    assert_eq!(each.header("chartlog-position"), None);
    let mut seen: Vec<String> = each.json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let extension = &entry["response"]["extension"][0];
            assert_eq!(extension["url"], "urn:chartlog:position");
            extension["valueString"].as_str().unwrap().to_owned()
        })
        .collect();
    seen.sort();
    assert_eq!(seen, ["7", "8"]);
    let appended = clinician.post(
        "/v1/patients/p/events",
        &json!({ "events": [{ "type": "Observation.recorded", "resource": observation("e", "p") }] }),
    );
    assert_eq!(appended.expect(201).json()["position"], 9);
}

/// Runs `chartlog verify` on a data directory: its exit code, and what it says.
fn verify(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut all = vec!["verify", "--data", data.to_str().unwrap()];
    all.extend(arguments);
    let output = run(&all);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_data_directory_is_verified_beside_its_server_and_after_it() {
    let mut server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let home = server.home().to_owned();
    let keys = ["events", "access"].map(|log| key(&server, log).to_string());
    let keyed = ["--key", &keys[0], "--key", &keys[1]];
    checkpoint(&server, "events", 2);
    let kept = home.join("kept");
    std::fs::copy(server.data().join("proof/events/checkpoint"), &kept).unwrap();
    for round in 0..5 {
        for number in 0..20 {
            clinician.put(&observation(&format!("o{round}-{number}"), "p")).expect(201);
        }
        let (code, said) = verify(&server.data(), &keyed);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = verify(&server.data(), &["--views"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another chartlog process"), "{said}");
    server.terminate();
    assert!(server.ended().success());
    let (code, said) = verify(&server.data(), &["--views"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("holds    views: "), "{said}");
    let kept = ["--checkpoint", kept.to_str().unwrap(), "--open"];
    let (code, said) = verify(&server.data(), &[&keyed[..], &kept].concat());
    assert_eq!(code, Some(0), "{said}");
    for part in ["events log: 102 entries", "events tiles: 102", "kept: 2 entries", "102 open"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    let segment = server.data().join("log/events/00000000.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let (code, said) = verify(&server.data(), &keyed);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("ALTERED") && said.contains("00000000.seg at byte "), "{said}");
}

#[test]
fn a_bundle_is_verified_by_the_command_line() {
    let id = unique("p");
    shared().clinician().put(&patient(&id)).expect(201);
    let evidence =
        shared().clinician().get(&format!("/v1/patients/{id}/events/evidence")).expect(200);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.json");
    std::fs::write(&file, &evidence.body).unwrap();
    let key = key(shared(), "events").to_string();
    let check = || run(&["verify", "--bundle", file.to_str().unwrap(), "--key", &key]);
    let output = check();
    assert!(output.status.success(), "{output:?}");
    std::fs::write(&file, evidence.text().replacen("\"position\":", "\"position\":1", 1)).unwrap();
    assert_eq!(check().status.code(), Some(4));
    let without = run(&["verify", "--bundle", file.to_str().unwrap()]);
    assert_eq!(without.status.code(), Some(2));
}

#[test]
fn lost_proofs_are_computed_again_and_a_log_below_its_checkpoint_does_not_open() {
    let mut server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    clinician.put(&observation("o", "p")).expect(201);
    let before = checkpoint(&server, "events", 3);
    let data = server.data();
    server.signal("-KILL");
    server.ended();
    std::fs::remove_dir_all(data.join("proof")).unwrap();
    let server = server.restart();
    assert_eq!(checkpoint(&server, "events", 3), before);
    let data_path = data.clone();
    let mut server = server;
    server.terminate();
    server.ended();
    // The last group goes, and the views with it: only the checkpoint knows of it now.
    let segment = data_path.join("log/events/00000000.seg");
    let bytes = std::fs::read(&segment).unwrap();
    let last = (0..bytes.len() - 4).rev().find(|at| bytes[*at..].starts_with(b"GRUP")).unwrap();
    std::fs::write(&segment, &bytes[..last]).unwrap();
    std::fs::remove_dir_all(data_path.join("views")).unwrap();
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--data", data_path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for word in ["end at position 2, but 3", "checkpoint", "00000000.seg"] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
}
