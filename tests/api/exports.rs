//! Exports of access entries: all of a period, and the proof that these are all.

use std::io::BufReader;
use std::process::Output;

use chartlog::clock::Instant;
use chartlog::proof::verify_export;
use serde_json::Value;

use crate::harness::{
    Actor, Response, Server, bundle, entry, observation, only_access_of_request, patient, run,
    shared, unique,
};

/// The lines of an answer, each a JSON value.
fn lines(response: &Response) -> Vec<Value> {
    response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All entries that the list of accesses has for a query, oldest first, each as it is by itself.
fn listed(auditor: &Actor, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = format!("/v1/accesses?sort=recordedAt&count=50&{query}{cursor}");
        let page = auditor.get(&page).expect(200).json();
        for entry in page["accesses"].as_array().unwrap() {
            let id = entry["id"].as_str().unwrap();
            all.push(auditor.get(&format!("/v1/accesses/{id}")).expect(200).json());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn key(server: &Server) -> String {
    key_of(server, "access")
}

fn key_of(server: &Server, log: &str) -> String {
    server.anonymous().get(&format!("/v1/log/{log}/key")).expect(200).text().trim_end().to_owned()
}

/// A moment behind all that was answered so far.
fn now() -> Instant {
    Instant::from_micros(Instant::now().micros() + 1)
}

/// A chart with many observations, in a store of its own.
fn many(count: usize) -> Server {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    let entries: Vec<Value> = (0..count)
        .map(|at| entry("PUT", &format!("Observation/o{at}"), observation(&format!("o{at}"), "p")))
        .collect();
    clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    server
}

#[test]
fn an_export_has_every_entry_of_the_period_with_all_that_it_names() {
    let server = many(450);
    let (clinician, auditor) = (server.clinician(), server.auditor());
    clinician.get("/fhir/Patient/p").expect(200);
    let since = now();
    // More resources than one part of the answer names.
    for _ in 0..25 {
        clinician.get("/fhir/Observation?patient=p&_count=450").expect(200);
    }
    clinician.get("/fhir/Patient/nobody").expect(404);
    clinician.put(&observation("new", "p")).expect(201);
    let read = entry("GET", "Patient/p", Value::Null);
    clinician.post("/fhir", &bundle("batch", &[read.clone(), read])).expect(200);
    let until = now();
    clinician.get("/fhir/Observation/o1").expect(200);
    let period = format!("since={since}&until={until}");
    let exported = auditor.get(&format!("/v1/accesses/export?{period}")).expect(200);
    assert_eq!(exported.header("content-type"), Some("application/x-ndjson"));
    let exported = lines(&exported);
    assert_eq!(exported.len(), 28);
    for search in &exported[..25] {
        assert_eq!(search["resources"].as_array().unwrap().len(), 450, "{search}");
    }
    assert_eq!(exported, listed(&auditor, &period));
    let filtered = format!("/v1/accesses/export?{period}&outcome=failed&patient=p");
    assert_eq!(lines(&auditor.get(&filtered).expect(200)), Vec::<Value>::new());
    let failed = auditor.get(&format!("/v1/accesses/export?{period}&outcome=failed")).expect(200);
    assert_eq!(lines(&failed), exported[25..26]);
}

#[test]
fn an_export_that_is_read_in_stretches_has_each_entry_and_commit_once() {
    let server = many(3);
    let (clinician, auditor) = (server.clinician(), server.auditor());
    let since = now();
    // Each leaves a frame behind its commit, which tells of the commit or does not.
    for at in 0..70 {
        let write =
            entry("PUT", &format!("Observation/n{at}"), observation(&format!("n{at}"), "p"));
        match at % 3 {
            0 => clinician.put(&observation(&format!("n{at}"), "p")).expect(201),
            1 => clinician.get("/fhir/Observation?patient=p").expect(200),
            _ => {
                let read = entry("GET", "Patient/p", Value::Null);
                clinician.post("/fhir", &bundle("batch", &[read, write])).expect(200)
            }
        };
        if at % 10 == 0 {
            clinician.get("/fhir/Patient/nobody").expect(404);
        }
    }
    let period = format!("since={since}&until={}", now());
    for filter in ["", "&outcome=failed", "&action=E", "&patient=p"] {
        let query = format!("{period}{filter}");
        let exported = auditor.get(&format!("/v1/accesses/export?{query}")).expect(200);
        let exported = lines(&exported);
        assert!(exported.len() > 5, "{filter}");
        assert_eq!(exported, listed(&auditor, &query), "{filter}");
    }
}

#[test]
fn an_export_is_recorded_and_later_than_what_it_has() {
    let server = shared();
    let auditor = server.auditor();
    let request = unique("request");
    let exported = auditor.request("GET", "/v1/accesses/export").header("x-request-id", &request);
    let exported = lines(&exported.send().expect(200));
    assert!(exported.iter().all(|entry| entry["clientRequest"] != request.as_str()));
    let own = only_access_of_request(server, &request);
    assert_eq!((&own["operation"], &own["action"]), (&"exportAccesses".into(), &"R".into()));
    let last = exported.last().unwrap();
    assert!(last["recordedAt"].as_str() < own["recordedAt"].as_str(), "{last} {own}");
}

#[test]
fn an_export_of_audit_events_has_what_is_found_by_a_search_and_names_all() {
    let server = many(30);
    let (clinician, auditor) = (server.clinician(), server.auditor());
    let since = now();
    let read = entry("GET", "Patient/p", Value::Null);
    clinician.post("/fhir", &bundle("batch", &[read.clone(), read])).expect(200);
    clinician.get("/fhir/Observation?patient=p&_count=30").expect(200);
    clinician.put(&observation("new", "p")).expect(201);
    let until = now();
    let exported = format!("/v1/accesses/export?format=fhir&since={since}&until={until}");
    let exported = auditor.get(&exported).expect(200);
    assert_eq!(exported.header("content-type"), Some("application/fhir+ndjson"));
    let exported = lines(&exported);
    let found = format!("/fhir/AuditEvent?_sort=date&date=ge{since}&date=lt{until}");
    let found = auditor.get(&found).expect(200).json();
    let ids = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| event["id"].clone()).collect()
    };
    let found: Vec<Value> = found["entry"].as_array().unwrap().clone();
    let found: Vec<Value> = found.iter().map(|entry| entry["resource"].clone()).collect();
    assert_eq!(ids(&exported), ids(&found));
    assert!(exported.len() >= 4, "{exported:?}");
    for event in &exported {
        let id = event["id"].as_str().unwrap();
        assert_eq!(*event, auditor.get(&format!("/fhir/AuditEvent/{id}")).expect(200).json());
    }
}

#[test]
fn a_table_opens_in_a_spreadsheet_without_running_formulas() {
    let server = shared();
    let owner = unique("p");
    server.clinician().put(&patient(&owner)).expect(201);
    let subject = format!("=HYPERLINK(\"http://{owner}\",1)");
    let read = entry("GET", &format!("Patient/{owner}"), Value::Null);
    let reader = server.actor(&subject, "user/*.rs");
    reader.post("/fhir", &bundle("batch", &[read.clone(), read])).expect(200);
    let table = server.auditor().get(&format!("/v1/accesses/export?format=csv&patient={owner}"));
    let table = table.expect(200);
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let text = table.text();
    assert!(text.ends_with("\r\n"));
    let rows: Vec<&str> = text.split("\r\n").collect();
    let names: Vec<&str> = rows[0].split(',').collect();
    assert_eq!(rows.len(), 6, "a head, a commit, a request with two entries, an end: {text}");
    assert!(rows[1].starts_with('e') && rows[1].contains(&format!(",Patient/{owner}/_history/1,")));
    for (row, part) in rows[2..5].iter().zip(["", "0", "1"]) {
        let quoted = format!("\"'=HYPERLINK(\"\"http://{owner}\"\",1)\"");
        assert!(row.contains(&quoted), "{row}");
        let row = row.replace(&quoted, "subject");
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{row}");
        let cell = |name: &str| cells[names.iter().position(|known| *known == name).unwrap()];
        assert_eq!((cell("entry"), cell("subject"), cell("status")), (part, "subject", "200"));
        if !part.is_empty() {
            assert_eq!(cell("patients"), owner);
            assert_eq!(cell("operation"), "readResource");
            assert_eq!(cell("resources"), format!("Patient/{owner}/_history/1"));
        }
    }
}

#[test]
fn a_proof_holds_for_the_period_and_counts_the_entries_of_the_export() {
    let server = many(3);
    let (clinician, auditor) = (server.clinician(), server.auditor());
    let key = key(&server);
    let verified = |query: &str| {
        let proof = auditor.get(&format!("/v1/accesses/export?format=proof{query}")).expect(200);
        let report = verify_export(proof.body.as_slice(), &key, &|_| ()).unwrap();
        let exported = auditor.get(&format!(
            "/v1/accesses/export?until={}{}",
            Instant::from_micros(report.until),
            query.replace("&disclose=false", "")
        ));
        // A commit is its own trace, in the other log.
        let is_entry = |entry: &&Value| !entry["id"].as_str().unwrap().starts_with('e');
        let entries = lines(&exported.expect(200)).iter().filter(is_entry).count();
        assert_eq!(report.entries, entries as u64, "{query}");
        (report, proof)
    };
    let (report, _) = verified("");
    assert_eq!((report.frames, report.entries), (1, 1), "the start of the server");
    for at in 0..20 {
        clinician.get(&format!("/fhir/Observation/o{}", at % 3)).expect(200);
    }
    let since = now();
    for _ in 0..300 {
        clinician.get("/fhir/Observation/o1").expect(200);
    }
    let (report, proof) = verified(&format!("&since={since}"));
    assert_eq!(report.disclosed, report.frames);
    assert!(report.entries >= 300, "{report:?}");
    assert!(proof.text().contains("readResource"));
    let (sealed, proof) = verified(&format!("&since={since}&disclose=false"));
    assert_eq!(sealed.disclosed, 0);
    assert!(!proof.text().contains("readResource"));
    let (all, _) = verified("");
    assert!(all.entries > sealed.entries + 20, "{all:?}");
    verified(&format!("&since={}", now()));
}

#[test]
fn a_proof_of_commits_has_the_events_of_all_that_the_export_lists() {
    let server = Server::start();
    let (clinician, auditor) = (server.clinician(), server.auditor());
    let key = key_of(&server, "events");
    let verified = |query: &str| {
        let proof = format!("/v1/accesses/export?format=proof&log=events{query}");
        let proof = auditor.get(&proof).expect(200);
        let report = verify_export(proof.body.as_slice(), &key, &|_| ()).unwrap();
        let until = match query.contains("until") {
            true => String::new(),
            false => format!("&until={}", Instant::from_micros(report.until)),
        };
        let listed = format!("/v1/accesses/export?format=ndjson{until}{query}");
        let listed = auditor.get(&listed).expect(200);
        let listed: Vec<Value> = lines(&listed)
            .iter()
            .flat_map(|line| line["events"].as_array().cloned())
            .flatten()
            .collect();
        let proved = lines(&proof).into_iter().filter(|line| line["leaves"].is_array());
        let proved: Vec<Value> = proved
            .flat_map(|line| {
                let first = line["position"].as_u64().unwrap();
                (first..)
                    .take(line["leaves"].as_array().unwrap().len())
                    .map(Value::from)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(listed, proved, "{query}");
        assert_eq!(report.frames, proved.len() as u64);
        (report, proof)
    };
    let (nothing, _) = verified("");
    assert_eq!((nothing.frames, nothing.entries, nothing.is_closed), (0, 0, false));
    clinician.put(&patient("p")).expect(201);
    let since = now();
    for at in 0..3 {
        clinician.put(&observation(&format!("o{at}"), "p")).expect(201);
    }
    let both = [("a", "p"), ("b", "q")]
        .map(|(id, owner)| entry("PUT", &format!("Observation/{id}"), observation(id, owner)));
    clinician.post("/fhir", &bundle("transaction", &both)).expect(200);
    let (open, _) = verified(&format!("&since={since}"));
    assert_eq!((open.entries, open.is_closed), (4, false), "{open:?}");
    let until = now();
    clinician.put(&observation("later", "p")).expect(201);
    let (closed, proof) = verified(&format!("&since={since}&until={until}"));
    assert_eq!((closed.entries, closed.frames), (4, open.frames), "{closed:?}");
    assert!(closed.is_closed, "the later one shows that the period was over");
    assert!(!proof.text().contains("Observation"));
    let (all, _) = verified("");
    assert_eq!(all.entries, 6);
    verified(&format!("&since={}", now()));
    // Without one of the commits it does not hold.
    let text: Vec<&str> = proof.text().lines().collect();
    for at in 1..text.len() {
        let mut less = text.clone();
        less.remove(at);
        let less = less.iter().map(|line| format!("{line}\n")).collect::<String>();
        verify_export(less.as_bytes(), &key, &|_| ()).unwrap_err();
    }
}

#[test]
fn an_altered_proof_is_refused_and_the_line_is_named() {
    let server = many(3);
    let (clinician, auditor) = (server.clinician(), server.auditor());
    clinician.get("/fhir/Observation/o1").expect(200);
    let since = now();
    for _ in 0..10 {
        clinician.get("/fhir/Observation/o1").expect(200);
    }
    let key = key(&server);
    let proof = auditor.get(&format!("/v1/accesses/export?format=proof&since={since}"));
    let proof = proof.expect(200);
    let good: Vec<String> = proof.text().lines().map(str::to_owned).collect();
    let check = |lines: &[String]| {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        verify_export(BufReader::new(text.as_bytes()), &key, &|_| ())
            .map_err(|error| error.to_string())
    };
    check(&good).unwrap();
    let count = good.len();
    for at in 1..count {
        let mut dropped = good.clone();
        dropped.remove(at);
        let said = check(&dropped).unwrap_err();
        assert!(said.starts_with(&format!("line {}: ", at + 1)), "{said}");
        let mut twice = good.clone();
        twice.insert(at, good[at].clone());
        check(&twice).unwrap_err();
    }
    for at in 2..count {
        let mut swapped = good.clone();
        swapped.swap(at - 1, at);
        let said = check(&swapped).unwrap_err();
        assert!(said.starts_with(&format!("line {at}: ")), "{said}");
    }
}

/// Runs `chartlog audit export` against a server.
fn export(server: &Server, token: &str, arguments: &[&str]) -> Output {
    let url = format!("http://{}", server.address);
    run(&[&["audit", "export", "--server", &url, "--token", token], arguments].concat())
}

#[test]
fn the_command_line_exports_and_verifies() {
    let server = many(3);
    let token = server.token("auditor", "system/AuditEvent.rs", None);
    server.clinician().get("/fhir/Observation/o1").expect(200);
    let until = now().to_string();
    let output =
        export(&server, &token, &["--until", &until, "--filter", "operation=readResource"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let file = server.home().join("proof.ndjson");
    let path = file.to_str().unwrap();
    let output = export(&server, &token, &["--format", "proof", "--output", path]);
    assert!(output.status.success(), "{output:?}");
    let key = key(&server);
    let verify = || run(&["verify", "--export", path, "--key", &key]);
    let output = verify();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.starts_with("holds    "), "{said}");
    assert!(said.contains(" access entries"), "{said}");
    let commits = server.home().join("commits.ndjson");
    let commits = commits.to_str().unwrap();
    let output =
        export(&server, &token, &["--format", "proof", "--log", "events", "--output", commits]);
    assert!(output.status.success(), "{output:?}");
    let output = run(&["verify", "--export", commits, "--key", &key_of(&server, "events")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("in 2 commits"), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"position\":", "\"position\":1", 1)).unwrap();
    let output = verify();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("line 2: "));
    assert_eq!(run(&["verify", "--export", path]).status.code(), Some(2));
    // What is refused leaves no file.
    let nobody = server.token("nobody", "openid", None);
    let absent = server.home().join("absent");
    let output = export(&server, &nobody, &["--output", absent.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("status 403"));
    assert!(!absent.exists());
}

#[test]
fn what_cannot_be_exported_is_refused_before_anything_is_sent() {
    let owner = unique("p");
    shared().clinician().put(&patient(&owner)).expect(201);
    let auditor = shared().auditor();
    for (query, words) in [
        ("format=xml", &["format", "ndjson, csv, fhir or proof"][..]),
        ("format=proof&patient=p", &["patient", "all entries"]),
        ("disclose=true", &["disclose", "format=proof"]),
        ("format=proof&disclose=yes", &["true or false"]),
        ("log=events", &["log", "format=proof"]),
        ("format=proof&log=views", &["log", "access or events"]),
        ("format=proof&log=events&disclose=true", &["disclose", "log=access"]),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", &["since"]),
        ("until=2999-01-01T00:00:00Z", &["until", "future"]),
        ("sort=recordedAt", &["sort"]),
    ] {
        auditor.get(&format!("/v1/accesses/export?{query}")).problem(400, words);
    }
    let nobody = unique("p");
    auditor.get(&format!("/v1/accesses/export?patient={nobody}")).problem(404, &[]);
    let own = shared().patient_app(&owner);
    own.get(&format!("/v1/accesses/export?patient={owner}")).problem(403, &[]);
}
