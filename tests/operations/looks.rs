//! Looking into the past from a terminal: the same answers from a data directory and from a server, as they were
//! kept once (`tests/operations/looks/`), and an access entry for each.
//!
//! `GOLDEN=write cargo test --test operations looks` writes the files anew: read the difference before you commit it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Place, Server, patient, stderr};

/// The looks of which the answers are kept.
const LOOKS: [&str; 16] = [
    "log",
    "log --patient p",
    "log --type Observation.amended",
    "log --type Practitioner",
    "log --actor deputy",
    "show 12",
    "show 12 --raw",
    "show 15",
    "show 6",
    "chart p",
    "chart p --version 4",
    "diff p 3",
    "diff q 0",
    "blame p Observation/o1",
    "blame p Observation/o2",
    "blame q Observation/o2",
];

fn observation(id: &str, patient: &str, value: &str, status: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": status,
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8867-4" }], "text": "heart rate" },
        "subject": { "reference": format!("Patient/{patient}") },
        "valueQuantity": { "value": value.parse::<u64>().unwrap(), "unit": "/min" },
    })
}

fn token(place: &Place, subject: &str, scope: &str) -> String {
    let line = format!("token --data data --sub {subject} --scope {scope}");
    place.run(&line).trim().to_owned()
}

/// A store `data` with a correction by another, a move to another chart, a retraction, a removal and an erasure.
fn clinic() -> Place {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(
        &json!({ "resourceType": "Practitioner", "id": "w", "name": [{ "family": "Weiss" }] }),
    );
    for id in ["p", "q", "r"] {
        server.put(&patient(id, "Quist"));
    }
    for id in ["o1", "o2", "o3", "o4"] {
        server.put(&observation(id, "p", "72", "final"));
    }
    server.put(&observation("o5", "r", "80", "final"));
    let deputy = token(&place, "deputy", "user/*.cruds");
    let put = |resource: &Value| {
        let url = format!("{}/fhir/Observation/{}", server.base, resource["id"].as_str().unwrap());
        let request = ureq::put(url).header("authorization", format!("Bearer {deputy}"));
        let request = request.header("x-purpose-of-use", "TREAT");
        request.content_type("application/json").send(resource.to_string()).unwrap();
    };
    put(&observation("o1", "p", "73", "final"));
    put(&observation("o1", "p", "73", "amended"));
    put(&observation("o2", "q", "72", "final"));
    server.put(&observation("o3", "p", "72", "entered-in-error"));
    server.send("DELETE", "/fhir/Observation/o4", &json!({}));
    server.stop();
    let line = "erase --data data --patient r --reason asked --basis none";
    let erased = place.command(line).output().unwrap();
    assert!(erased.status.success(), "{}", stderr(&erased));
    place
}

/// A text without what differs from run to run: times, names of charts, ids of requests, versions of programs.
fn settled(text: &str, random: &BTreeSet<(String, &'static str)>) -> String {
    let mut text = text.replace('\r', "").replace('\u{1b}', "␛");
    for (value, name) in random {
        text = text.replace(value.as_str(), name);
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(letter) = rest.chars().next() {
        let end = rest.find('Z').map(|at| at + 1).filter(|end| is_time(&rest[..*end]));
        out.push_str(if end.is_some() { "TIME" } else { &rest[..letter.len_utf8()] });
        rest = &rest[end.unwrap_or(letter.len_utf8())..];
    }
    out
}

fn is_time(text: &str) -> bool {
    (20..=32).contains(&text.len()) && chartlog::clock::Instant::parse(text).is_some()
}

/// What is random in a store, with a name for it: by the log, as far as it can be read.
fn random(log: &str) -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let name = match event["patient"].as_str() {
            Some("p") => "CHART-P",
            Some("q") => "CHART-Q",
            _ => "CHART-R",
        };
        let of_actor = [("request", "REQUEST"), ("userAgent", "AGENT")];
        let of_actor = of_actor.into_iter().map(|(member, name)| (&event["actor"][member], name));
        for (value, name) in of_actor.chain([(&event["chart"], name)]) {
            found.extend(value.as_str().map(|value| (value.to_owned(), name)));
        }
    }
    found
}

/// The answers to all looks, each behind its command line.
fn answers(
    place: &Place,
    random: &BTreeSet<(String, &'static str)>,
    ask: &dyn Fn(&str) -> Command,
) -> String {
    let mut all = String::new();
    for look in LOOKS {
        let output = ask(look).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{look}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{look}");
        let answer = settled(&String::from_utf8(output.stdout).unwrap(), random);
        all.push_str(&format!("$ chartlog {look}\n{answer}\n"));
    }
    assert!(place.path("data").is_dir());
    all
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/operations/looks").join(name)
}

#[track_caller]
fn assert_as_kept(name: &str, answers: &str) {
    let path = kept(name);
    if std::env::var_os("GOLDEN").is_some_and(|golden| golden == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, answers).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (found, kept)) in (1..).zip(answers.lines().zip(expected.lines())) {
        assert_eq!(found, kept, "line {number} of {}", path.display());
    }
    assert_eq!(answers.len(), expected.len(), "{}:\n{answers}", path.display());
}

/// What an actor has done, as the access log tells it.
fn operations(server: &Server, auditor: &str, actor: &str) -> BTreeSet<String> {
    let (status, page) = server.ask(auditor, &format!("/v1/accesses?actor={actor}&count=500"));
    assert_eq!(status, 200, "{page}");
    let page: Value = serde_json::from_str(&page).unwrap();
    let entries = page["accesses"].as_array().unwrap().iter();
    entries.map(|entry| entry["operation"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn looks_are_answered_as_they_were_kept_from_a_directory_and_from_a_server() {
    let place = clinic();
    let random = random(&place.run("log --data data --json"));
    let plain = answers(&place, &random, &|look| place.command(&format!("{look} --data data")));
    let json =
        answers(&place, &random, &|look| place.command(&format!("{look} --data data --json")));
    let terminal = |settings: &'static str| {
        let place = &place;
        move |look: &str| {
            let line = format!("{} {look} --data data", env!("CARGO_BIN_EXE_chartlog"));
            let mut script = Command::new("script");
            script.args(["-qec", &format!("{settings} {line}"), "/dev/null"]);
            script
                .current_dir(place.path("."))
                .env("TERM", "xterm-256color")
                .env_remove("NO_COLOR");
            script
        }
    };
    let coloured = answers(&place, &random, &terminal(""));
    assert_eq!(answers(&place, &random, &terminal("NO_COLOR=1")), plain);

    let server = Server::start(&place, "data");
    let token = token(&place, "me", "user/*.rs");
    let asked = |more: &'static str| {
        let (place, server, token) = (&place, &server, &token);
        move |look: &str| {
            let mut command = place.command(&format!("{look} --server {} {more}", server.base));
            command.env("CHARTLOG_TOKEN", token);
            command
        }
    };
    assert_eq!(answers(&place, &random, &asked("")), plain);
    assert_eq!(answers(&place, &random, &asked("--json")), json);

    let auditor = server.token("system/AuditEvent.rs");
    let looks = ["followEvents", "readEvent", "readChart", "diffChart", "listEvents"];
    let looks: BTreeSet<String> = looks.into_iter().map(str::to_owned).collect();
    assert_eq!(operations(&server, &auditor, "me"), looks);
    let of_operator = operations(&server, &auditor, "operator");
    assert!(of_operator.is_superset(&looks), "{of_operator:?}");

    assert_as_kept("plain.txt", &plain);
    assert_as_kept("terminal.txt", &coloured);
    assert_as_kept("json.txt", &json);
}

#[test]
fn a_look_that_cannot_be_says_why() {
    let place = Place::new();
    assert!(place.fail("log --data nothing", 1).contains("holds no chartlog data"));
    assert!(!place.path("nothing").exists());
    assert!(place.fail("log --data nothing --follow", 2).contains("--server"));
    assert!(place.fail("chart p --server http://127.0.0.1:1", 2).contains("CHARTLOG_TOKEN"));
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    assert!(place.fail("chart p --data data", 1).contains("ask it with --server URL"));
    let token = token(&place, "lab", "user/Observation.rs");
    let base = &server.base;
    for (line, code, word) in [
        ("show 99", 1, "event 99"),
        ("show x", 2, "x"),
        ("chart nobody", 1, "nobody"),
        ("chart p --version 99", 1, "version 99"),
        ("chart p --version 1 --as-of 2026-01-01T00:00:00Z", 2, "--as-of"),
        ("diff p yesterday", 1, "from"),
        ("blame p Observation/x", 1, "never held Observation/x"),
        ("blame p Nothing/x", 2, "Nothing"),
        ("log --type Patient", 1, "Patient"),
        ("log --type nonsense", 1, "nonsense"),
    ] {
        let said = place.fail(&format!("{line} --server {base} --token {token}"), code);
        assert!(said.contains(word), "{line}: {said}");
    }
}

#[test]
fn following_goes_on_with_what_comes() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    let token = token(&place, "me", "user/*.rs");
    let line = format!("log --follow --since 2026-01-01T00:00:00Z --server {}", server.base);
    let mut command = place.command(&line);
    let mut child = command
        .env("CHARTLOG_TOKEN", token)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("chart.opened"));
    assert!(lines.next().unwrap().contains("Patient/p v1"));
    server.put(&patient("p", "Weiss"));
    assert!(lines.next().unwrap().contains("Patient/p v2"));
    server.stop();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the server is stopping"), "{}", stderr(&output));
}
