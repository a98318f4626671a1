//! Every entry and every commit reaches the tools of the operator: in order, at least once, whoever is killed.

mod frames;
pub mod receiver;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Server, Setup, bundle, entry, observation, patient};
use frames::{Message, lines, messages};
pub use receiver::Authority;
use receiver::{Receiver, wait_for};

/// What was received of both logs, with repeats taken out: each next thing must be the successor of the one before, so that
/// nothing is missing and nothing out of order.
#[derive(Debug, Default)]
struct Told {
    /// The next frame of the access log; entries of the frame before it.
    frame: u64,
    entries: u64,
    /// The next event.
    event: u64,
    /// Ids in the order in which they first came.
    ids: Vec<String>,
    repeats: usize,
}

impl Told {
    #[track_caller]
    fn of(entries: &[Value]) -> Self {
        let mut told = Self::default();
        entries.iter().for_each(|entry| told.add(entry));
        told
    }

    #[track_caller]
    fn add(&mut self, entry: &Value) {
        let id = entry["id"].as_str().unwrap().to_owned();
        if self.ids.contains(&id) {
            self.repeats += 1;
            return;
        }
        if let Some(first) = id.strip_prefix('e') {
            assert_eq!(first, self.event.to_string(), "an event is missing or out of order");
            let events = entry["events"].as_array().unwrap();
            assert_eq!(events[0], self.event);
            self.event = events.last().unwrap().as_u64().unwrap() + 1;
        } else {
            let (frame, index) = id.split_once('-').unwrap();
            let at = (frame.parse().unwrap(), index.parse().unwrap());
            if at == (self.frame, 0) {
                (self.frame, self.entries) = (self.frame + 1, 1);
            } else {
                assert_eq!(
                    at,
                    (self.frame - 1, self.entries),
                    "an entry is missing or out of order"
                );
                self.entries += 1;
            }
        }
        self.ids.push(id);
    }
}

fn values(receiver: &Receiver) -> Vec<Value> {
    syslog(receiver).into_iter().map(|message| message.entry).collect()
}

#[track_caller]
fn syslog(receiver: &Receiver) -> Vec<Message> {
    receiver.streams().iter().flat_map(|stream| messages(&stream.bytes, true)).collect()
}

/// All that the server itself tells, oldest first. Asking is an entry too, which comes later than the answer.
fn listed(server: &Server) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.auditor().get(&format!("/v1/accesses?sort=recordedAt&count=500{cursor}"));
        let page = page.expect(200).json();
        all.extend(page["accesses"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Waits until what is received has all that the server tells.
#[track_caller]
fn complete(server: &Server, received: impl Fn() -> Vec<Value>) -> Told {
    let listed = listed(server);
    wait_for("not everything is forwarded", || {
        let told = Told::of(&received());
        listed.iter().all(|one| told.ids.iter().any(|id| one["id"] == **id)).then_some(told)
    })
}

fn with_tls(authority: &Authority, target: &str) -> Setup {
    let (certificate, key) = authority.certify("chartlog");
    Setup::default()
        .file("ca.pem", authority.pem.as_str())
        .file("own.pem", certificate)
        .file("own.key", key)
        .set(&format!("audit.siem={target}"))
        .set("audit.siem_ca_file=ca.pem")
        .set("audit.siem_certificate_file=own.pem")
        .set("audit.siem_key_file=own.key")
        .set("audit.siem_from_start=true")
}

/// The only cursor of a server.
fn cursor(data: &Path) -> Option<Value> {
    let files = std::fs::read_dir(data.join("feed")).ok()?;
    let is_cursor = |path: &PathBuf| path.extension().is_some_and(|end| end == "cursor");
    let file = files.map(|file| file.unwrap().path()).find(is_cursor)?;
    Some(serde_json::from_slice::<Value>(&std::fs::read(file).unwrap()).unwrap()["place"].clone())
}

/// What was received has everything below a place.
#[track_caller]
fn holds(told: &Told, place: &Value) {
    let (frames, events) = (place["access"].as_u64().unwrap(), place["events"].as_u64().unwrap());
    assert!(frames <= told.frame && events <= told.event, "{place} is ahead of {told:?}");
}

/// Requests that are granted, refused and fail, about a patient by that id; the words name one.
fn some_requests(server: &Server, id: &str) {
    let clinician = server.clinician();
    clinician.put(&patient(id)).expect(201);
    clinician.get(&format!("/fhir/Patient/{id}")).expect(200);
    clinician.get(&format!("/fhir/Observation?patient={id}")).expect(200);
    let entries = [
        entry("PUT", &format!("Observation/{id}-o"), observation(&format!("{id}-o"), id)),
        entry("GET", &format!("Patient/{id}"), Value::Null),
    ];
    clinician.post("/fhir", &bundle("transaction", &entries)).expect(200);
    let mut reader = server
        .actor("reader", "user/Observation.rs")
        .request("GET", &format!("/fhir/Patient/{id}"));
    reader = reader.header("user-agent", "Gerät ✓ \"x\"");
    reader.send().expect(403);
    server.anonymous().get(&format!("/nowhere/{id}?name=Quist")).expect(404);
}

#[test]
fn every_entry_and_every_commit_arrives_as_syslog_and_names_no_patient() {
    let authority = Authority::new();
    let receiver = Receiver::start(Some(authority.server("localhost")));
    let server = with_tls(&authority, &format!("syslog+tls://localhost:{}", receiver.port)).start();
    some_requests(&server, "anna-q");
    complete(&server, || values(&receiver));
    let received = syslog(&receiver);
    let raw: Vec<u8> = receiver.streams().into_iter().flat_map(|stream| stream.bytes).collect();
    let raw = String::from_utf8(raw).unwrap();
    assert!(!raw.contains("anna-q") && !raw.contains("Quist"), "{raw}");
    let listed = listed(&server);
    for message in &received {
        assert_eq!(message.facility, 13);
        assert_eq!(message.entry["recordedAt"], message.time);
        assert_eq!(message.entry["operation"], message.id);
        assert!(
            message.entry.get("patients").is_none() && message.entry.get("resources").is_none()
        );
        let Some(entry) = listed.iter().find(|entry| entry["id"] == message.entry["id"]) else {
            continue;
        };
        for name in [
            "begunAt",
            "subject",
            "userAgent",
            "request",
            "outcome",
            "status",
            "reason",
            "resourceCount",
        ] {
            assert_eq!(message.entry[name], entry[name], "{name} of {entry}");
        }
    }
    let severity = |operation: &str, outcome: &str| {
        let is_one =
            |message: &&Message| message.id == operation && message.entry["outcome"] == outcome;
        received.iter().find(is_one).map(|message| message.severity)
    };
    assert_eq!(severity("readResource", "granted"), Some(6));
    assert_eq!(severity("readResource", "refused"), Some(4));
    assert_eq!(severity("serverStart", "granted"), Some(6));
    let read = received.iter().find(|message| message.id == "readResource").unwrap();
    assert_eq!(read.entry["query"], "GET /fhir/{type}/{id}");
    let created = received.iter().find(|message| message.id == "createResource").unwrap();
    assert_eq!(
        (&read.entry["charts"], read.entry["charts"].as_array().unwrap().len()),
        (&created.entry["charts"], 1)
    );
}

#[test]
fn nothing_is_lost_when_server_and_receiver_break_down_at_any_moment() {
    let authority = Authority::new();
    let receiver = Receiver::start(Some(authority.server("localhost")));
    let mut server =
        with_tls(&authority, &format!("syslog+tls://localhost:{}", receiver.port)).start();
    let mut seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for round in 0..6 {
        receiver.break_after(usize::try_from(random(9_000)).unwrap());
        for number in 0..10 {
            some_requests(&server, &format!("p-{round}-{number}"));
            if random(8) == 0 {
                receiver.break_after(usize::try_from(random(5_000)).unwrap());
            }
        }
        receiver.set_down(random(2) == 0);
        server = server.restart();
        holds(&Told::of(&values(&receiver)), &cursor(&server.data()).unwrap());
        receiver.set_down(false);
    }
    let told = complete(&server, || values(&receiver));
    assert!(receiver.breakdowns() > 0 && told.repeats > 0, "nothing broke down: {told:?}");
    // Ended in order, everything has arrived, and nothing comes again.
    server.terminate();
    assert!(server.ended().success());
    let told = Told::of(&values(&receiver));
    let place = json!({ "access": told.frame, "events": told.event });
    assert_eq!(cursor(&server.data()), Some(place));
    let server = server.restart();
    assert_eq!(complete(&server, || values(&receiver)).repeats, told.repeats);
}

#[test]
fn nobody_gets_anything_without_the_certificate_of_the_name() {
    let (authority, other) = (Authority::new(), Authority::new());
    for certified in [other.server("localhost"), authority.server("siem.example")] {
        let receiver = Receiver::start(Some(certified));
        let server =
            with_tls(&authority, &format!("syslog+tls://localhost:{}", receiver.port)).start();
        wait_for("it is not tried twice", || (receiver.refused() >= 2).then_some(()));
        some_requests(&server, "p");
        assert!(receiver.streams().is_empty());
        assert_eq!(cursor(&server.data()).unwrap(), json!({ "access": 0, "events": 0 }));
        let metrics = server.anonymous().get("/metrics").expect(200);
        let figure = |name: &str| {
            let name = format!("{name}{{target=\"siem-1\"}} ");
            let line = metrics
                .text()
                .lines()
                .find_map(|line| line.strip_prefix(&name)?.parse::<f64>().ok());
            line.unwrap_or_else(|| panic!("no {name} in {}", metrics.text()))
        };
        assert!(figure("chartlog_delivery_failures_total") >= 2.0);
        assert!(figure("chartlog_delivery_behind") >= 1.0);
        let ready = server.anonymous().get("/health/ready").expect(200);
        assert!(!ready.text().contains("siem"));
        assert_eq!(server.log().matches("not delivered").count(), 1, "{}", server.log());
    }
}

#[test]
fn a_file_has_whole_lines_whenever_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("siem.ndjson");
    let received = || lines(&std::fs::read(&path).unwrap_or_default(), true);
    let target = format!("audit.siem=json+file://{}", path.display());
    let mut server = Setup::default().set(&target).set("audit.siem_from_start=true").start();
    for round in 0..4 {
        for number in 0..3 {
            some_requests(&server, &format!("p-{round}-{number}"));
        }
        if round == 2 {
            // Longer than the cursor waits: it has moved, and not too far.
            wait_for("the cursor stays", || {
                (cursor(&server.data())?["access"].as_u64()? > 20).then_some(())
            });
        }
        server.signal("-KILL");
        server.ended();
        let told = Told::of(&received());
        holds(&told, &cursor(&server.data()).unwrap());
        let torn = [std::fs::read(&path).unwrap_or_default(), b"{\"id\":\"9".to_vec()].concat();
        std::fs::write(&path, torn).unwrap();
        server = server.restart();
    }
    complete(&server, received);
    lines(&std::fs::read(&path).unwrap(), false);
}

#[test]
fn lines_name_patients_where_the_operator_wants_it() {
    let receiver = Receiver::start(None);
    let server = Setup::default()
        .set(&format!("audit.siem=json+tcp://127.0.0.1:{}", receiver.port))
        .set("audit.siem_from_start=true")
        .set("audit.siem_patients=true")
        .start();
    some_requests(&server, "anna-q");
    let received =
        || receiver.streams().iter().flat_map(|stream| lines(&stream.bytes, true)).collect();
    complete(&server, received);
    let received: Vec<Value> = received();
    let read = received.iter().find(|entry| entry["operation"] == "readResource").unwrap();
    assert_eq!(
        (&read["patients"], &read["query"]),
        (&json!(["anna-q"]), &json!("GET /fhir/Patient/anna-q"))
    );
    assert_eq!(
        (&read["resources"][0]["resource"], &read["resourceCount"]),
        (&json!("Patient/anna-q"), &json!(1))
    );
}

#[test]
fn a_new_target_gets_what_comes_from_now_on() {
    let socket = tempfile::tempdir().unwrap();
    let path = socket.path().join("siem.sock");
    let mut server =
        Setup::default().file("c.toml", "").argument("--config").argument("c.toml").start();
    some_requests(&server, "before");
    server.terminate();
    assert!(server.ended().success());
    let home = server.home().join("c.toml");
    std::fs::write(home, format!("[audit]\nsiem = [\"json+unix://{}\"]\n", path.display()))
        .unwrap();
    // Nobody listens yet: what comes meanwhile is for the target all the same.
    let server = server.restart().restart();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut reader = std::io::BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let starts = [next(), next()];
    let query =
        |entry: &Value| entry["query"].as_str().unwrap().rsplit('=').next().unwrap().to_owned();
    assert_eq!(starts.each_ref().map(query), ["stopped", "killed"]);
    server.clinician().put(&patient("after")).expect(201);
    assert_eq!(next()["operation"], "createResource");
}

#[test]
fn settings_that_cannot_be_used_are_all_named() {
    let run = |settings: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut arguments =
            vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        let output = crate::harness::run(&arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = run(&["audit.siem=syslog+tls://siem", "audit.siem_key_file=x"]);
    assert!(
        said.contains(
            "audit.siem is syslog+tls://siem, but must be a list of syslog+tls://HOST:PORT"
        ),
        "{said}"
    );
    let said = run(&["audit.siem_key_file=x"]);
    assert!(
        said.contains("audit.siem_certificate_file and audit.siem_key_file need each other"),
        "{said}"
    );
    let said = run(&[
        "audit.siem=syslog+tls://siem:6514",
        "audit.siem_ca_file=no-ca",
        "audit.siem_certificate_file=no-certificate",
        "audit.siem_key_file=no-key",
    ]);
    for name in [
        "audit.siem_ca_file: no-ca",
        "audit.siem_certificate_file: no-certificate",
        "audit.siem_key_file: no-key",
    ] {
        assert!(said.contains(name), "{said}");
    }
}
