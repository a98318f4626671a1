//! Keys that are kept elsewhere, and brought back.

use std::process::Command;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::support::{Place, Server, patient};

const EXPORT: &str = "vault export --data data --recipient escrow-public.pem --output keys.jwe";

fn exported() -> (Place, Server) {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p", "Quist"));
    place.rsa("escrow", 2048);
    let said = place.run(EXPORT);
    assert!(said.contains("epoch 1") && said.contains("keys.jwe"), "{said}");
    (place, server)
}

#[test]
fn others_open_an_export_as_the_standard_says() {
    let (place, server) = exported();
    let text = std::fs::read_to_string(place.path("keys.jwe")).unwrap();
    let parts: Vec<&str> = text.trim().split('.').collect();
    assert_eq!(parts.len(), 5, "RFC 7516, section 7.1");
    let decode = |at: usize| URL_SAFE_NO_PAD.decode(parts[at]).unwrap();
    let header: Value = serde_json::from_slice(&decode(0)).unwrap();
    assert_eq!((&header["alg"], &header["enc"]), (&"RSA-OAEP-256".into(), &"A256GCM".into()));
    // RSA-OAEP by another implementation.
    std::fs::write(place.path("wrapped"), decode(1)).unwrap();
    let line = "pkeyutl -decrypt -inkey escrow.pem -in wrapped -pkeyopt rsa_padding_mode:oaep \
                -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    let mut openssl = Command::new("openssl");
    let output = openssl.current_dir(place.path("")).args(line.split_whitespace()).output();
    let content_key = output.unwrap().stdout;
    assert_eq!(content_key.len(), 32);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).unwrap());
    let nonce = Nonce::assume_unique_for_key(decode(2).try_into().unwrap());
    let mut sealed = [decode(3), decode(4)].concat();
    let opened = key.open_in_place(nonce, Aad::from(parts[0].as_bytes()), &mut sealed).unwrap();
    let escrow: Value = serde_json::from_slice(opened).unwrap();
    assert_eq!(escrow["format"], "chartlog-escrow/1");
    let secret = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    assert_eq!(secret(&escrow["epochs"][0]["key"]).len(), 32);
    assert_eq!(secret(&escrow["signingSeed"]).len(), 32);
    let wraps = std::fs::read(place.path("data/vault/epoch-00000001.wraps")).unwrap();
    assert_eq!(secret(&escrow["epochs"][0]["wraps"]), wraps);
    drop(server);
}

#[test]
fn the_master_key_of_the_new_place_seals_them() {
    let (place, server) = exported();
    server.stop();
    place.run("backup kept --data data");
    place.run("restore kept --data back");
    let import = "vault import keys.jwe --data back --private-key escrow.pem";
    let setting = "--set vault.master_key=env:NEW_MASTER_KEY";
    let key = STANDARD.encode([7; 32]);
    let run = |line: &str| place.command(line).env("NEW_MASTER_KEY", &key).output().unwrap();
    assert!(run(&format!("{import} {setting}")).status.success());
    assert!(!place.path("back/vault/master.key").exists());
    assert!(run(&format!("rebuild --data back {setting}")).status.success());
    let said = place.fail(&format!("rebuild --data back {setting}"), 1);
    assert!(said.contains("NEW_MASTER_KEY is not set"), "{said}");
    let other = format!("rebuild --data back --set vault.master_key=file:{}", "elsewhere.key");
    std::fs::write(place.path("elsewhere.key"), STANDARD.encode([8; 32])).unwrap();
    let said = place.fail(&other, 1);
    assert!(said.contains("does not open with this master key"), "{said}");
}

#[test]
fn what_does_not_fit_is_refused_in_plain_words() {
    let (place, server) = exported();
    place.rsa("other", 2048);
    place.rsa("small", 1024);
    let import = |file: &str, key: &str, data: &str| {
        format!("vault import {file} --data {data} --private-key {key}")
    };
    let text = std::fs::read_to_string(place.path("keys.jwe")).unwrap();
    let mut changed: Vec<String> = text.trim().split('.').map(str::to_owned).collect();
    let other = if &changed[3][40..41] == "A" { "B" } else { "A" };
    changed[3].replace_range(40..41, other);
    std::fs::write(place.path("changed.jwe"), changed.join(".")).unwrap();
    std::fs::write(place.path("nothing.jwe"), "nothing").unwrap();
    for (line, words) in [
        (EXPORT.to_owned(), ["keys.jwe", "exists"]),
        (
            EXPORT.replace("keys.jwe", "k2").replace("escrow-public", "small-public"),
            ["2048", "RSA"],
        ),
        (
            EXPORT.replace("keys.jwe", "k2").replace("escrow-public", "escrow"),
            ["PUBLIC KEY", "pubout"],
        ),
        (
            EXPORT.replace("keys.jwe", "k2").replace("--data data", "--data none"),
            ["no chartlog data", "none"],
        ),
        (import("keys.jwe", "other.pem", "new"), ["exported for another key", "keys.jwe"]),
        (import("keys.jwe", "escrow-public.pem", "new"), ["PRIVATE KEY", "PKCS#8"]),
        (import("keys.jwe", "small.pem", "new"), ["2048", "small.pem"]),
        (import("changed.jwe", "escrow.pem", "new"), ["changed.jwe", "was changed"]),
        (import("nothing.jwe", "escrow.pem", "new"), ["not a file of chartlog vault export", ""]),
        (import("keys.jwe", "missing.pem", "new"), ["missing.pem", "No such file"]),
        (import("keys.jwe", "escrow.pem", "data"), ["in use", ""]),
    ] {
        let said = place.fail(&line, 1);
        for word in words {
            assert!(said.contains(word), "{line}: {said}");
        }
    }
    assert!(!place.path("new/vault/epoch-00000001.key").exists());
    server.stop();
    let before = place.files("data/vault");
    let said = place.fail(&import("keys.jwe", "escrow.pem", "data"), 1);
    assert!(said.contains("keys are never overwritten"), "{said}");
    assert_eq!(place.files("data/vault"), before);
}

#[test]
fn no_key_is_printed() {
    let (place, server) = exported();
    let imported = place.run("vault import keys.jwe --data new --private-key escrow.pem");
    let text = std::fs::read_to_string(place.path("new/vault/master.key")).unwrap();
    let private = std::fs::read_to_string(place.path("escrow.pem")).unwrap();
    let private = private.lines().nth(2).unwrap();
    for secret in [text.trim(), private] {
        assert!(!imported.contains(secret));
        let jwe = std::fs::read_to_string(place.path("keys.jwe")).unwrap();
        assert!(!jwe.contains(secret));
    }
    drop(server);
}
