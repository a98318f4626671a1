//! What holds of every command: its help tells its exit codes, and nobody has to read what it prints.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use chartlog::cli::Arguments;
use clap::CommandFactory;
use serde_json::Value;

use crate::support::{Place, Server, patient, stderr};

/// Each command as it works in a folder with the store `data` of the patient `p`, a server at `BASE`, its `KEY`, and
/// what else `prepared` makes.
const LINES: [(&str, &str); 26] = [
    ("serve", ""),
    ("token", "--data data --sub me --scope user/*.rs"),
    ("import", "more.ndjson --data data"),
    ("rebuild", "--data data"),
    ("erase", "--data data --patient q --reason r --basis b --purge-now"),
    ("dispose", "--data data --set audit.retention_years=10"),
    ("verify", "--data data"),
    ("log", "--data data"),
    ("show", "0 --data data"),
    ("chart", "p --data data"),
    ("diff", "p 0 --data data"),
    ("blame", "p Patient/p --data data"),
    ("upcast", "upcasters --dry-run --data data"),
    ("policy check", "policies"),
    ("policy schema", ""),
    ("audit export", "--server BASE"),
    ("backup", "backups --data data"),
    ("restore", "backups --data restored"),
    ("vault export", "--data data --recipient escrow-public.pem --output keys.jwe"),
    ("vault import", "keys.jwe --private-key escrow.pem --data restored"),
    ("stats", "--data data"),
    ("openapi", ""),
    ("config", ""),
    ("doctor", "--data data --listen 127.0.0.1:0"),
    ("completions", "bash"),
    ("man", "pages"),
];

fn leaves(above: &str, command: &clap::Command) -> BTreeSet<String> {
    let names = command.get_subcommands().flat_map(|below| {
        let name = format!("{above} {}", below.get_name()).trim().to_owned();
        match below.has_subcommands() {
            true => leaves(&name, below),
            false => BTreeSet::from([name]),
        }
    });
    names.collect()
}

#[test]
fn the_help_of_every_command_lists_its_exit_codes() {
    let place = Place::new();
    let known: BTreeSet<String> = LINES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(leaves("", &Arguments::command()), known);
    for command in known.iter().map(String::as_str).chain([""]) {
        for help in ["-h", "--help"] {
            let text = place.run(&format!("{command} {help}"));
            let codes = text.split("Exit codes:\n").nth(1);
            let codes: Vec<&str> =
                codes.unwrap_or_default().lines().map(|line| &line[..3]).collect();
            assert!(codes.starts_with(&["  0", "  1", "  2"]), "{command} {help}: {text}");
        }
    }
}

fn prepared() -> Place {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    server.put(&patient("q", "Weber"));
    server.wait_until_signed();
    server.stop();
    let text = patient("r", "Haffner").to_string();
    std::fs::write(place.path("more.ndjson"), text).unwrap();
    for folder in ["upcasters", "policies"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    let policy = "@id(\"all\") permit (principal, action, resource);";
    std::fs::write(place.path("policies/all.cedar"), policy).unwrap();
    place.rsa("escrow", 2048);
    place
}

/// Runs a command whose stdout nobody reads: the pipe is closed before it starts.
fn run_unread(place: &Place, line: &str, token: &str) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.command(line);
    let output = command.env("CHARTLOG_TOKEN", token).stdout(writer).stderr(Stdio::piped());
    let output = output.spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn every_command_ends_quietly_when_nobody_reads_what_it_prints() {
    let place = prepared();
    let other = Server::start(&place, "other");
    other.put(&patient("p", "Quist"));
    let token = other.token("system/AuditEvent.rs");
    for (command, line) in LINES.iter().filter(|(command, _)| *command != "serve") {
        let line = format!("{command} {}", line.replace("BASE", &other.base));
        let (code, said) = run_unread(&place, &line, &token);
        assert_eq!(code, Some(0), "{line}: {said}");
        let is_told = matches!(*command, "erase" | "dispose");
        assert!(is_told || said.is_empty(), "{line}: {said}");
        assert!(!said.contains("panicked") && !said.contains("roken pipe"), "{line}: {said}");
    }
    // What they do besides is done.
    for made in ["backups/BACKUP", "keys.jwe", "restored/vault", "pages/chartlog-serve.1"] {
        assert!(place.path(made).exists(), "{made}");
    }
    place.fail("chart q --data data", 1);
    assert!(place.run("chart r --data data --json").contains("Haffner"), "it is imported");
    for help in ["--help", "serve --help", "--version"] {
        assert_eq!(run_unread(&place, help, ""), (Some(0), String::new()), "{help}");
    }
}

#[test]
fn a_server_serves_on_when_nobody_reads_what_it_prints() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let line = "serve --data data --listen 127.0.0.1:0 --demo --demo-patients 1";
    let mut command = place.command(line);
    command.env("NOTIFY_SOCKET", place.path("notify")).stdout(writer).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The demo is loaded, and told of, before a service manager hears of the server.
    socket.recv(&mut [0; 64]).unwrap();
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn what_is_in_the_way_is_told_with_what_to_do() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    let taken = server.base.trim_start_matches("http://");
    let said = place.fail(&format!("serve --data other --listen {taken}"), 1);
    assert!(said.contains("another program listens there") && said.contains("--listen"), "{said}");
    place.rsa("escrow", 2048);
    let line = "vault export --data data --recipient escrow-public.pem --output keys.jwe";
    place.run(line);
    let said = place.fail(line, 1);
    assert!(said.contains("keys.jwe exists and is not replaced: name another"), "{said}");
    let said = place.fail("token --data data --sub me --scope user/Observaton.rs", 2);
    assert!(said.contains("user/Observaton.rs grants nothing: Observaton is no type"), "{said}");
    let output = place.command("config").env("CHARTLOG_SERVER_LISTN", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the nearest is CHARTLOG_SERVER_LISTEN"),
        "{}",
        stderr(&output)
    );
}

/// What the doctor found, by what was examined.
fn examined(place: &Place, line: &str, code: i32) -> Vec<(String, String, String)> {
    let output = place.command(line).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let found = found.as_array().unwrap().iter().map(|finding| {
        let verdict = text(finding, "verdict");
        let todo = text(finding, "do");
        assert_eq!(todo.is_empty(), verdict == "ok", "{finding}");
        let detail = text(finding, "detail");
        (text(finding, "checked"), verdict, format!("{detail}; {todo}"))
    });
    found.collect()
}

fn has(found: &[(String, String, String)], checked: &str, verdict: &str, words: &str) -> bool {
    found
        .iter()
        .any(|(one, stands, told)| one == checked && stands == verdict && told.contains(words))
}

#[test]
fn the_doctor_says_what_must_be_mended_and_writes_nothing() {
    let place = Place::new();
    let doctor = |more: &str, code| {
        examined(&place, &format!("doctor --json --listen 127.0.0.1:0 --data data {more}"), code)
    };
    let found = doctor("", 0);
    assert!(has(&found, "data directory", "ok", "the first start makes a store"), "{found:?}");
    assert!(!place.path("data").exists());

    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    server.wait_until_signed();
    let beside = server.base.trim_start_matches("http://").to_owned();
    let found = examined(&place, &format!("doctor --json --data data --listen {beside}"), 0);
    assert!(has(&found, "address", "ok", "a chartlog server listens"), "{found:?}");
    assert!(has(&found, "keys", "ok", "opens epoch 1"), "{found:?}");
    assert!(has(&found, "master key", "warn", "within the data directory"), "{found:?}");
    server.stop();

    let before = place.files("data");
    doctor("", 0);
    assert_eq!(place.files("data"), before);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("doctor --json --data data --listen {}", listener.local_addr().unwrap());
    let found = examined(&place, &taken, 1);
    assert!(has(&found, "address", "fail", "another program listens"), "{found:?}");
    let found = doctor("--set limits.page_size_max=many", 1);
    assert!(has(&found, "configuration", "fail", "page_size_max"), "{found:?}");
    std::fs::write(place.path("wrong.key"), "c2hvcnQ=").unwrap();
    let found = doctor("--set vault.master_key=file:wrong.key", 1);
    assert!(has(&found, "master key", "fail", "32 bytes"), "{found:?}");
    std::fs::rename(place.path("data/vault/master.key"), place.path("kept.key")).unwrap();
    let found = doctor("", 1);
    assert!(has(&found, "master key", "fail", "there is no file"), "{found:?}");
    let found = doctor("--set vault.master_key=file:kept.key", 0);
    assert!(has(&found, "master key", "ok", "kept.key"), "{found:?}");
    std::fs::create_dir(place.path("strange")).unwrap();
    std::fs::write(place.path("strange/x"), "").unwrap();
    let found = examined(&place, "doctor --json --listen 127.0.0.1:0 --data strange", 1);
    assert!(has(&found, "data directory", "fail", "other files"), "{found:?}");
}

#[test]
fn every_command_has_a_page_of_the_manual_and_completions() {
    let place = Place::new();
    place.run("man pages");
    for (command, _) in LINES {
        let page = place.path(&format!("pages/chartlog-{}.1", command.replace(' ', "-")));
        let page =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains("Exit codes:"), "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&format!("completions {shell}"));
        for (command, _) in LINES {
            let last = command.rsplit(' ').next().unwrap();
            assert!(script.contains(last), "{shell}: {command}");
        }
    }
}
