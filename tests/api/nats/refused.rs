//! What is not published to: streams of something else, servers that are not who they say, settings that cannot be.

use std::path::Path;
use std::process::Command;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use tempfile::TempDir;

use super::broker::{Broker, program};
use super::{happen, setup, stream};
use crate::harness::{Server, Setup, patient};
use crate::siem::Authority;
use crate::webhooks::wait_for;

#[track_caller]
fn says(server: &Server, words: &str) {
    wait_for(&format!("{words:?} is not said: {}", server.log()), || {
        server.log().contains(words).then_some(())
    });
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.unwrap().success());
}

#[test]
fn the_stream_of_another_log_is_left_alone_and_so_is_one_that_is_ahead() {
    let Some(broker) = Broker::start() else { return };
    let server = setup(&broker).start();
    happen(&server);
    let length = server.log_length();
    broker.wait_for("chartlog", length);

    let other = setup(&broker).start();
    other.clinician().put(&patient("x")).expect(201);
    says(&other, "stream chartlog cannot be used: it is of another log");

    // As if it was restored from a backup: it ends earlier, and then goes another way.
    let mut server = server;
    server.terminate();
    assert!(server.ended().success());
    let backup = server.home().join("backup");
    copy(&server.data(), &backup);
    let mut server = server.restart();
    server.clinician().put(&patient("later")).expect(201);
    broker.wait_for("chartlog", server.log_length());
    server.signal("-KILL");
    server.ended();
    std::fs::remove_dir_all(server.data()).unwrap();
    copy(&backup, &server.data());
    let restored = server.restart();
    says(&restored, "stream chartlog cannot be used: it is ahead of the log");
    let messages = broker.messages("chartlog").len();
    for id in ["another", "and", "another-one"] {
        restored.clinician().put(&patient(id)).expect(201);
    }
    let restored = restored.restart();
    says(&restored, "stream chartlog cannot be used: it has other events");
    assert_eq!(broker.messages("chartlog").len(), messages);

    // So is one that somebody else publishes to.
    broker.purge("chartlog");
    broker.publish("chartlog.default.by-hand");
    let last = setup(&broker).start();
    says(&last, "was published by another program");
}

#[test]
fn a_stream_that_cannot_keep_the_promise_is_refused_with_all_that_is_wrong() {
    let Some(broker) = Broker::start() else { return };
    let subjects = vec!["chartlog.>".to_owned()];
    broker.make(&Config { subjects, retention: RetentionPolicy::WorkQueue, ..stream() });
    let server = setup(&broker).start();
    says(
        &server,
        "it takes chartlog.>, and must take chartlog.default.> and nothing else; its retention",
    );
    assert!(server.metric_of("chartlog_delivery_failures_total", "nats") >= 1.0);
    server.anonymous().get("/health/ready").expect(200);
    broker.delete("chartlog");
    // It is tried again by itself.
    broker.wait_for("chartlog", server.log_length());
}

#[test]
fn settings_that_cannot_be_used_are_all_named() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    for setting in [
        "nats.servers=tls://127.0.0.1:4222",
        "nats.scopes=system/*.rs everything",
        "nats.filter=kind=born&limit=7&criteria=Observation%3Fnonsense%3D1",
        "nats.ca_file=no-ca",
        "nats.nkey_file=no-nkey",
    ] {
        arguments.extend(["--set", setting]);
    }
    let output = crate::harness::run(&arguments);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "nats.scopes: \"everything\" grants nothing",
        "nats.filter: \"limit\" is not one of kind, type, patient, criteria, include",
        "nats.filter: kind: \"born\" is not a kind of event",
        "nats.filter: criteria: ",
        "nats.ca_file: no-ca",
        "nats.nkey_file: no-nkey",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let few = ["nats.servers=tls://127.0.0.1:4222", "nats.scopes=system/Observation.c"];
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    few.iter().for_each(|setting| arguments.extend(["--set", setting]));
    let said = String::from_utf8(crate::harness::run(&arguments).stderr).unwrap();
    assert!(said.contains("nats.scopes: the token does not grant"), "{said}");
}

#[test]
fn a_server_with_another_certificate_gets_nothing() {
    if program().is_none() {
        return;
    }
    let (authority, other) = (Authority::new(), Authority::new());
    let home = TempDir::new().unwrap();
    let (certificate, key) = authority.certify("localhost");
    std::fs::write(home.path().join("own.pem"), certificate).unwrap();
    std::fs::write(home.path().join("own.key"), key).unwrap();
    std::fs::write(home.path().join("ca.pem"), &authority.pem).unwrap();
    let lines = "tls { cert_file: HOME/own.pem, key_file: HOME/own.key, ca_file: HOME/ca.pem, verify: true }\n\
                 allow_non_tls: true";
    let Some(broker) = Broker::at(home, lines, ConnectOptions::new()) else { return };
    let with = |known: &Authority, name: &str| {
        let (certificate, key) = authority.certify("chartlog");
        Setup::default()
            .file("ca.pem", known.pem.as_str())
            .file("own.pem", certificate)
            .file("own.key", key)
            .set(&format!("nats.servers=tls://{name}:{}", broker.port()))
            .set("nats.scopes=system/*.rs")
            .set("nats.create_stream=true")
            .set("nats.from_start=true")
            .set("nats.ca_file=ca.pem")
            .set("nats.certificate_file=own.pem")
            .set("nats.key_file=own.key")
    };
    for (known, name) in [(&other, "localhost"), (&authority, "127.0.0.1")] {
        let server = with(known, name).start();
        happen(&server);
        says(&server, "not delivered");
        assert!(server.log().contains("no connection"), "{}", server.log());
        assert_eq!(broker.sequence("chartlog"), None);
    }
    let server = with(&authority, "localhost").start();
    happen(&server);
    broker.wait_for("chartlog", server.log_length());
}
