//! What an operator does with the store stands in its access log too: start, stop, and the commands that
//! work on a data directory.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Server, Setup, patient, run};

/// The entries about the store itself, oldest first.
fn done(server: &Server) -> Vec<(String, String)> {
    let page =
        server.auditor().get("/v1/accesses?actor=operator&sort=recordedAt").expect(200).json();
    let entries = page["accesses"].as_array().unwrap().iter();
    let told = |entry: &Value| {
        assert_eq!((&entry["issuer"], &entry["action"]), (&json!("chartlog"), &json!("E")));
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (text("operation"), text("query"))
    };
    entries.map(told).collect()
}

/// A member of the words of an entry.
fn said<'a>(words: &'a str, name: &str) -> &'a str {
    let pairs = words.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next().unwrap_or_default()
}

#[track_caller]
fn succeeds(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_start_and_stop_is_recorded_with_what_has_changed_since_the_last() {
    let mut server = Setup::default()
        .file("c.toml", "[limits]\npage_size_default = 20\n")
        .argument("--config")
        .argument("c.toml")
        .start();
    let first = done(&server);
    let [(operation, words)] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!(operation, "serverStart");
    assert_eq!(said(words, "version"), env!("CARGO_PKG_VERSION"));
    assert_eq!((said(words, "configuration").len(), said(words, "epoch")), (64, "1"));
    assert_eq!(said(words, "before"), "nothing");
    assert_eq!(said(words, "changed"), "version,configuration,epoch");
    server.terminate();
    assert!(server.ended().success());
    let server = server.restart();
    // Killed, and started with another configuration.
    std::fs::write(server.home().join("c.toml"), "[limits]\npage_size_default = 30\n").unwrap();
    let server = server.restart();
    let all = done(&server);
    let operations: Vec<&str> = all.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["serverStart", "serverStop", "serverStart", "serverStart"]);
    let starts =
        [&all[2].1, &all[3].1].map(|words| (said(words, "changed"), said(words, "before")));
    assert_eq!(starts, [("", "stopped"), ("configuration", "killed")]);
}

#[test]
fn a_secret_is_not_part_of_the_configuration_that_is_compared() {
    let sink =
        |secret: &str| format!("[proof]\nsinks = [\"webhook:http://127.0.0.1:9/{secret}\"]\n");
    let server = Setup::default()
        .file("c.toml", sink("one"))
        .argument("--config")
        .argument("c.toml")
        .start();
    std::fs::write(server.home().join("c.toml"), sink("two")).unwrap();
    let server = server.restart();
    let all = done(&server);
    assert_eq!(said(&all[1].1, "changed"), "", "{all:?}");
}

#[test]
fn commands_on_a_closed_store_are_told_by_the_next_start() {
    let server = Server::start();
    server.clinician().put(&patient("p")).expect(201);
    let at = |name: &str| server.home().join(name).to_str().unwrap().to_owned();
    let (data, backup, restored) = (at("data"), at("backup"), at("restored"));
    let (public, private, keys) = (at("public.pem"), at("private.pem"), at("keys"));
    let openssl = |arguments: &[&str]| {
        succeeds(std::process::Command::new("openssl").args(arguments).output().unwrap());
    };
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &private,
    ]);
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
    let export = ["vault", "export", "--data", &data, "--recipient", &public, "--output", &keys];
    succeeds(run(&export));
    succeeds(run(&["backup", "--data", &data, &backup]));
    succeeds(run(&["restore", "--data", &restored, &backup]));
    let import = ["vault", "import", "--data", &restored, "--private-key", &private, &keys];
    succeeds(run(&import));
    succeeds(run(&["rebuild", "--data", &restored]));
    // In the store that the keys were taken from:
    let mut server = server.restart();
    let operations: Vec<_> = done(&server).into_iter().map(|(operation, _)| operation).collect();
    assert_eq!(operations, ["serverStart", "vaultExport", "serverStart"]);
    server.terminate();
    assert!(server.ended().success());
    // In the one that was made of its backup, when a server has it:
    std::fs::remove_dir_all(server.data()).unwrap();
    std::fs::rename(&restored, server.data()).unwrap();
    let server = server.restart();
    let all = done(&server);
    let operations: Vec<&str> = all.iter().map(|(operation, _)| operation.as_str()).collect();
    let expected = ["serverStart", "restore", "vaultImport", "rebuild", "serverStart"];
    assert_eq!(operations, expected, "{all:?}");
    assert_eq!(said(&all[1].1, "eventsLeftOut"), "0");
    assert!(
        !server.data().join("NOTICES").exists() && !server.data().join("NOTICES.taken").exists()
    );
}
