//! What newcomers are told to do: the README, the tutorial, a walk through the past and what the demo prints, carried out
//! as they stand.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Place, stderr};

/// The demo, with two patients of the clinic; killed when dropped.
struct Demo {
    child: Child,
    /// All that it printed.
    printed: Vec<String>,
    base: String,
}

impl Demo {
    fn start(place: &Place, arguments: &str) -> Self {
        let line = format!("{arguments} --demo-patients 2 --listen 127.0.0.1:0 --log-filter error");
        let mut command = place.command(&line);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut printed = Vec::new();
        // The address of the console is the last.
        while !printed.last().is_some_and(|line: &String| line.ends_with("/console/")) {
            printed.push(lines.next().expect("the demo starts").unwrap());
        }
        let base = printed.iter().find_map(|line| line.strip_prefix("listening on ")).unwrap();
        Self { base: base.to_owned(), printed, child }
    }

    fn token(&self) -> &str {
        self.printed.iter().find_map(|line| line.strip_prefix("export TOKEN=")).unwrap()
    }

    /// Carries out shell commands beside it; all of them must succeed.
    #[track_caller]
    fn shell(&self, place: &Place, script: &str) -> String {
        shell(place, &script.replace("http://127.0.0.1:8080", &self.base), self.token())
    }

    #[track_caller]
    fn json(&self, place: &Place, line: &str) -> Value {
        serde_json::from_str(&self.shell(place, line)).unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn shell(place: &Place, script: &str, token: &str) -> String {
    // An answer that is an error fails, as it would be seen.
    const CURL: &str = "curl() { command curl --fail-with-body -sS \"$@\"; }\n";
    let script = script.replace("PATH=\"$PWD/target/release:$PATH\"\n", "");
    std::fs::write(place.path("script.sh"), format!("{CURL}{script}")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_chartlog")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "script.sh"]).stdin(Stdio::null());
    let output =
        command.current_dir(place.path(".")).env("PATH", path).env("TOKEN", token).output();
    let output = output.unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{}\n{told}", stderr(&output));
    told
}

/// The blocks of a page in a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_demo_shows_a_past_a_correction_and_a_broken_glass() {
    let place = Place::new();
    let demo = Demo::start(&place, "serve --demo");
    let lines: Vec<&str> =
        demo.printed.iter().map(String::as_str).filter(|line| line.starts_with("curl ")).collect();
    let [now, then, diff, accesses, glass, reasons] = lines[..] else { panic!("{lines:?}") };
    let last = demo.printed.last().unwrap();
    assert_eq!(*last, format!("{}/console/", demo.base));

    assert!(then.contains("_asOf="), "{then}");
    let known = |line: &str| demo.json(&place, line)["total"].as_u64().unwrap();
    assert!(known(then) > 0);
    assert!(known(now) > known(then), "the past is another one");

    let diff = demo.json(&place, diff);
    let [change] = &diff["changes"].as_array().unwrap()[..] else { panic!("{diff}") };
    let verification = |side: &str| change[side]["verificationStatus"]["coding"][0]["code"].clone();
    assert_eq!([verification("before"), verification("after")], ["confirmed", "entered-in-error"]);

    let of = |answer: &Value, name: &str| -> Vec<String> {
        let entries = answer["accesses"].as_array().unwrap().iter();
        entries.map(|entry| entry[name].as_str().unwrap_or_default().to_owned()).collect()
    };
    let accesses = demo.json(&place, accesses);
    let (who, outcomes) = (of(&accesses, "subject"), of(&accesses, "outcome"));
    for subject in ["prac-adeyemi", "prac-osei", "p0002", "ward-monitor", "demo-clinician"] {
        assert!(who.iter().any(|who| who == subject), "{subject}: {who:?}");
    }
    assert!(outcomes.iter().any(|outcome| outcome == "refused"), "{outcomes:?}");
    let glass = demo.json(&place, glass);
    assert_eq!(of(&glass, "subject"), ["prac-lindqvist"]);
    assert_eq!(of(&glass, "purpose"), ["TREAT BTG"]);
    let reasons = demo.json(&place, reasons);
    let reason = &reasons["glasses"][0];
    assert!(reason["reasonCode"][0]["text"].as_str().unwrap().starts_with("Unconscious"));
    // What was recorded of it is of one time.
    let [broken] = &of(&glass, "recordedAt")[..] else { panic!("{glass}") };
    assert_eq!(reason["authoredOn"], reason["meta"]["lastUpdated"]);
    assert!(reason["authoredOn"].as_str().unwrap() <= broken.as_str());
}

/// Times of both logs, in their order.
fn times(demo: &Demo, place: &Place) -> [Vec<String>; 2] {
    let all = |target: &str, list: &str| {
        let line = format!("curl -H \"Authorization: Bearer $TOKEN\" '{}{target}'", demo.base);
        let answer = demo.json(place, &line);
        let items = answer[list].as_array().unwrap().iter();
        items.map(|item| item["recordedAt"].as_str().unwrap().to_owned()).collect()
    };
    [
        all("/v1/events?limit=1000", "events"),
        all("/v1/accesses?sort=recordedAt&count=500", "accesses"),
    ]
}

#[test]
fn the_past_of_the_demo_has_its_own_times_and_what_comes_after_it_has_those_of_the_clock() {
    let place = Place::new();
    let demo = Demo::start(&place, "serve --demo");
    let [events, accesses] = times(&demo, &place);
    for times in [&events, &accesses] {
        assert!(times.is_sorted(), "time runs backwards: {times:?}");
    }
    let years = |times: &[String]| {
        let years: std::collections::BTreeSet<_> =
            times.iter().map(|time| time[..4].to_owned()).collect();
        years.len()
    };
    assert!(years(&events) >= 5, "{events:?}");
    assert!(years(&accesses) >= 4, "{accesses:?}");
    let recorded = events.iter().chain(&accesses).filter(|time| time.as_str() < "2026-07").count();
    assert!(recorded > events.len());
    // The start of the server that listens to others is of now.
    let now = demo.shell(&place, "date -u +%Y-%m-%dT%H");
    let is_now = |time: &String| time[..10] == now[..10];
    assert!(accesses.iter().any(is_now), "{accesses:?}");
    // No client sets the time.
    let put = "curl -X PUT -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/fhir+json' \
               -H 'Date: Mon, 05 Jan 2015 10:00:00 GMT' -H 'Last-Modified: Mon, 05 Jan 2015 10:00:00 GMT' \
               http://127.0.0.1:8080/fhir/Patient/late -d '{ \"resourceType\": \"Patient\", \"id\": \"late\", \
               \"meta\": { \"lastUpdated\": \"2015-01-05T10:00:00Z\" } }'";
    let stored = demo.json(&place, put);
    assert_eq!(stored["meta"]["lastUpdated"].as_str().unwrap()[..10], now[..10]);

    // All that says so: the CapabilityStatement, and the name under which checkpoints are signed, for ever.
    let says = |demo: &Demo| {
        let statement = demo.json(&place, "curl http://127.0.0.1:8080/fhir/metadata");
        let checkpoint = demo.shell(&place, "curl http://127.0.0.1:8080/v1/log/events/checkpoint");
        assert!(checkpoint.starts_with("chartlog.demo/"), "{checkpoint}");
        statement["implementation"]["description"].as_str().unwrap().contains("synthetic clinic")
    };
    assert!(says(&demo));
    let [events, _] = times(&demo, &place);
    drop(demo);
    let again = Demo::start(&place, "serve --demo");
    assert!(says(&again));
    let [after, _] = times(&again, &place);
    assert_eq!(after, events, "nothing is loaded twice");
    drop(again);
    let erase =
        place.command("erase --patient p0002 --reason asked --basis none").output().unwrap();
    assert!(erase.status.success(), "{}", stderr(&erase));
    let again = Demo::start(&place, "serve --demo");
    again.json(
        &place,
        "curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/fhir/Patient/p0001",
    );
    let erased = "command curl -sSo /dev/null -w '%{http_code}' -H \"Authorization: Bearer $TOKEN\" \
                  http://127.0.0.1:8080/fhir/Patient/p0002";
    assert!(again.shell(&place, erased).contains("410"), "what is erased is not loaded again");
}

#[test]
fn a_store_with_a_name_of_its_own_or_a_past_gets_no_other_times() {
    let place = Place::new();
    let demo = Demo::start(&place, "serve --demo --set proof.origin=clinic.example/log");
    let now = demo.shell(&place, "date -u +%Y-%m-%d");
    let [events, accesses] = times(&demo, &place);
    assert!(events.iter().chain(&accesses).all(|time| time[..10] == now[..10]), "{events:?}");
    let statement = demo.json(&place, "curl http://127.0.0.1:8080/fhir/metadata");
    assert_eq!(statement["implementation"]["description"], "Chartlog");
    let lines: String = demo
        .printed
        .iter()
        .filter(|line| line.starts_with("curl "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!lines.contains("_asOf"), "{lines}");
    demo.shell(&place, &lines);
}

#[test]
fn the_readme_works_as_it_stands() {
    let page = include_str!("../../README.md");
    let place = Place::new();
    let (start, rest) = page.split_once("## How fast").unwrap();
    assert!(start.lines().count() <= 100, "two screens, no more");
    assert!(!rest.contains("```sh"), "it would have to be carried out");
    let blocks = blocks(start, "sh");
    let [building, trying] = blocks[..] else { panic!("{blocks:?}") };
    assert_eq!(building, "cargo build --release\ntarget/release/chartlog serve --demo\n");
    let demo = Demo::start(&place, "serve --demo");
    let told = demo.shell(&place, trying);
    for word in ["Acute bronchitis", "entered-in-error", "\"breakGlass\":true"] {
        assert!(told.contains(word), "{word} is not in:\n{told}");
    }
}

#[test]
fn the_tutorial_works_as_it_stands() {
    let page = include_str!("../../docs/tutorial.md");
    assert_eq!(blocks(page, "html"), [include_str!("../../examples/app/index.html")]);
    let place = Place::new();
    let blocks = blocks(page, "sh");
    let [settings, building, walk @ ..] = &blocks[..] else { panic!("{blocks:?}") };
    shell(&place, settings, "");
    let (build, serve) = building.trim_end().split_once("\ntarget/release/chartlog ").unwrap();
    assert_eq!(build, "cargo build --release");
    let demo = Demo::start(&place, serve);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let walk = walk.concat().replace("9000", &free.to_string());
    let told = demo.shell(&place, &walk);
    for word in [
        "Acute bronchitis",
        "prac-lindqvist",
        "Lovelace",
        "ada-weight",
        "71.5",
        "grace-pulse",
        "told of {",
        "Observation.recorded",
    ] {
        assert!(told.contains(word), "{word} is not in:\n{told}");
    }
    let (_, restored) = told.split_once("vault import").unwrap_or(("", &told));
    assert!(restored.contains("Patient/ada"), "{told}");
}

#[test]
fn the_walk_through_the_past_works_as_it_stands() {
    let page = include_str!("../../docs/debugging.md");
    let place = Place::new();
    let demo = Demo::start(&place, "serve --demo");
    let told = demo.shell(&place, &blocks(page, "sh").concat());
    for word in [
        "AllergyIntolerance.retracted",
        "verificationStatus.coding[0].code  -\"confirmed\"  +\"entered-in-error\"",
        "by            chartlog-demo",
        "AllergyIntolerance/p0002-alg-01 v1",
        "AllergyIntolerance/p0002-alg-01 in chart p0002",
        "\"operation\":\"listEvents\"",
    ] {
        assert!(told.contains(word), "{word} is not in:\n{told}");
    }
}
