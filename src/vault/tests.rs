//! Golden files: frames and keys that were written once, and have to be read forever.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{MasterKey, Vault, Wrap};
use crate::disk::RealDisk;
use crate::log::{Frame, FrameKind, StreamAlias};
use crate::numbers::Position;
use crate::seal::{Dictionary, Lines, Quotes, SealError, commit};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/seal.json");
const MASTER: [u8; 32] = [7; 32];
const PATIENT: &str = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn open(directory: &std::path::Path, create: bool) -> Vault {
    Vault::open(RealDisk::handle(), directory, MasterKey::new(MASTER), create, true).unwrap()
}

/// Payloads of every kind, each with the kind of frame, its stream and its dictionary.
fn payloads() -> Vec<(FrameKind, StreamAlias, &'static str, String)> {
    let chart = StreamAlias(0x1122_3344_5566_7788);
    let actor = r#"{"subject":"dr-weiss","issuer":"chartlog-local","request":"r-1"}"#;
    vec![
        (
            FrameKind::Chart,
            chart,
            "chart",
            format!(r#"{{"schema":1,"type":"chart.opened","patient":"{PATIENT}","actor":{actor}}}"#),
        ),
        (
            FrameKind::Chart,
            chart,
            "Observation",
            format!(
                "{{\"schema\":1,\"type\":\"Observation.recorded\",\"resource\":\"Observation/11111111-2222-4333-8444-555555555555\",\"actor\":1}}\n{{\"resourceType\":\"Observation\",\"id\":\"11111111-2222-4333-8444-555555555555\",\"meta\":{{}},\"status\":\"final\",\"code\":{{\"text\":\"é\"}},\"subject\":{{\"reference\":\"Patient/{PATIENT}\"}}}}"
            ),
        ),
        (
            FrameKind::Directory,
            StreamAlias::NONE,
            "Organization",
            format!(
                "{{\"schema\":1,\"type\":\"Organization.removed\",\"resource\":\"Organization/o1\",\"version\":2,\"actor\":{actor}}}"
            ),
        ),
        (
            FrameKind::Access,
            StreamAlias::NONE,
            "access",
            r#"{"subject":"dr-weiss","request":"r-2","operation":"readResource","outcome":"granted","status":200,"charts":["1122334455667788"],"resource":1,"query":"GET /fhir/Observation/x"}"#.to_owned(),
        ),
        (FrameKind::Sources, StreamAlias::NONE, "access", SOURCES.join("\n")),
        (
            FrameKind::Access,
            StreamAlias::NONE,
            "access",
            format!(
                r#"{{"format":2,"run":"0000000000000001","sources":[{},{},{{"subject":"dr-new"}}],"kinds":[{{"operation":"readResource","route":"GET /fhir/{{type}}/{{id}}","outcome":"granted","status":200}}],"charts":["1122334455667788"],"source":[0,1,2],"kind":[0,0,0],"number":[1,1,1],"begun":[9,8,7],"bytes":[5,5,5],"chart":[[0],[0],[0]],"shown":[[1],[1],[1]]}}"#,
                SOURCES[1], SOURCES[0]
            ),
        ),
    ]
}

/// The frame whose lines the last one quotes.
const QUOTED: usize = 4;
const SOURCES: [&str; 2] = [
    r#"{"subject":"dr-weiss","issuer":"chartlog-local","tokenId":"99999999-2222-4333-8444-555555555555","address":"192.0.2.1"}"#,
    r#"{"subject":"dr-adams","address":"192.0.2.2"}"#,
];

/// What a payload of that list quotes: as its sources stand there, in turn.
fn quotes(at: usize, payload: &str) -> Option<Quotes> {
    let start = payload.find(SOURCES[1]).filter(|_| at == QUOTED + 1)?;
    let first = start..start + SOURCES[1].len();
    let second = first.end + 1..first.end + 1 + SOURCES[0].len();
    let from = Position::new(QUOTED as u64);
    Some(Quotes { from, places: vec![(first, 1), (second, 0)] })
}

/// The lines of the frame that is quoted.
fn lines(from: Position) -> Result<Arc<Lines>, SealError> {
    assert_eq!(from, Position::new(QUOTED as u64));
    Ok(Arc::new(Lines::of(payloads().swap_remove(QUOTED).3.into_bytes())))
}

/// The vault of the golden file.
fn golden(directory: &std::path::Path, vectors: &Value) -> Vault {
    let epoch = vectors["epochKeyFile"].as_str().unwrap();
    std::fs::write(directory.join("epoch-00000001.key"), epoch).unwrap();
    let wraps = unhex(&vectors["epochWrapsFile"]);
    std::fs::write(directory.join("epoch-00000001.wraps"), wraps).unwrap();
    std::fs::write(directory.join("signing.key"), unhex(&vectors["signingKeyFile"])).unwrap();
    assert_eq!(unhex(&vectors["masterKey"]), MASTER);
    open(directory, false)
}

#[test]
fn what_was_sealed_once_opens_forever() {
    let vectors: Value = serde_json::from_slice(&std::fs::read(VECTORS).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let vault = golden(directory.path(), &vectors);
    assert_eq!(hex(&*vault.signing_seed().unwrap()), vectors["signingSeed"]);
    let mut wraps: std::collections::HashMap<_, _> = vault.wraps().unwrap().into_iter().collect();
    let frames = vectors["frames"].as_array().unwrap();
    assert_eq!(frames.len(), payloads().len());
    for (vector, (_, _, _, expected)) in frames.iter().zip(payloads()) {
        let bytes = unhex(&vector["frame"]);
        let (frame, length) = Frame::get(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        let stream = match frame.kind {
            FrameKind::Access | FrameKind::Sources => StreamAlias::ACCESS,
            _ => frame.alias,
        };
        if let Some(wrap) = frame.content.wrap() {
            wraps.insert(stream, Wrap::from_bytes(*wrap));
        }
        let key = vault.key(stream, &wraps[&stream]).unwrap();
        let (kind, alias, content) = (frame.kind, frame.alias, frame.content.clone());
        let shown = key.disclose_quoting(kind, alias, content, lines).unwrap();
        assert_eq!(String::from_utf8(shown.payload.clone()).unwrap(), expected);
        assert_eq!(vector["payload"], expected.as_str());
        assert_eq!(vector["salt"], hex(&shown.salt));
        assert_eq!(vector["commitment"], hex(&commit(&shown.salt, &shown.payload)));
        assert_eq!(frame.content.commitment(), &commit(&shown.salt, &shown.payload));
    }
}

#[test]
fn what_was_changed_in_a_vault_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let whole = open(directory.path(), true);
    whole.signing_seed().unwrap();
    for name in ["epoch-00000001.key", "epoch-00000001.wraps", "signing.key"] {
        let path = directory.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        let alterations = [0, bytes.len() / 2, bytes.len() - 1].map(|at| {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            altered
        });
        let cut = [bytes[..bytes.len() - 1].to_vec(), Vec::new(), vec![0; bytes.len()]];
        for altered in alterations.into_iter().chain(cut) {
            std::fs::write(&path, &altered).unwrap();
            let vault = Vault::open(
                RealDisk::handle(),
                directory.path(),
                MasterKey::new(MASTER),
                false,
                true,
            );
            let error = vault
                .and_then(|vault| {
                    vault.wraps()?;
                    vault.signing_seed().map(drop)
                })
                .unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    let other =
        Vault::open(RealDisk::handle(), directory.path(), MasterKey::new([8; 32]), false, true);
    assert!(other.unwrap_err().to_string().contains("master key"));
}

#[test]
fn a_master_key_comes_from_a_file_a_variable_or_a_command() {
    use super::MasterKeySource::{Command, Environment, File};
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep").join("master.key");
    let load = |source: &super::MasterKeySource, create| {
        let text = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        let variable = |name: &str| (name == "KEY").then(|| format!("{text}\n"));
        MasterKey::load(&RealDisk, source, variable, create)
    };
    let opens = |key: &MasterKey, other: &MasterKey| {
        let sealed = key.key().unwrap().seal(b"label", b"secret").unwrap();
        other.key().unwrap().open(b"label", &sealed).is_some()
    };
    let fixed = MasterKey::new(MASTER);
    let (variable, is_made) = load(&Environment("KEY".to_owned()), false).unwrap();
    assert!(!is_made && opens(&variable, &fixed));
    let printed = format!("echo {}", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    assert!(opens(&load(&Command(printed), false).unwrap().0, &fixed));
    let file = File(path.clone());
    assert!(load(&file, false).unwrap_err().to_string().contains("there is no file"));
    let (made, is_made) = load(&file, true).unwrap();
    assert!(is_made && !opens(&made, &fixed));
    let (read, is_made) = load(&file, true).unwrap();
    assert!(!is_made && opens(&made, &read));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for wrong in [
        Environment("OTHER".to_owned()),
        Command("exit 3".to_owned()),
        Command("echo short".to_owned()),
    ] {
        let error = load(&wrong, true).unwrap_err().to_string();
        assert!(error.starts_with("the master key: ") && !error.contains("BwcH"), "{error}");
    }
    assert_eq!("file:/k".parse(), Ok(File("/k".into())));
    assert_eq!("command:a:b".parse(), Ok(Command("a:b".to_owned())));
    for wrong in ["", "file:", "env", "key:BwcH"] {
        assert!(wrong.parse::<super::MasterKeySource>().is_err(), "{wrong}");
    }
}

#[test]
#[ignore = "adds to the golden file what it does not have yet"]
fn write_vectors() {
    let mut vectors: Value = serde_json::from_slice(&std::fs::read(VECTORS).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let vault = golden(directory.path(), &vectors);
    let wraps: std::collections::HashMap<_, _> = vault.wraps().unwrap().into_iter().collect();
    let frames = vectors["frames"].as_array_mut().unwrap();
    for (at, (kind, alias, name, payload)) in payloads().into_iter().enumerate().skip(frames.len())
    {
        let stream = if alias == StreamAlias::NONE && kind != FrameKind::Directory {
            StreamAlias::ACCESS
        } else {
            alias
        };
        let key = vault.key(stream, &wraps[&stream]).unwrap();
        let (dictionary, bytes) = (Dictionary::of(name), payload.as_bytes());
        let content = match quotes(at, &payload) {
            Some(quotes) => key.seal_quoting(kind, alias, dictionary, bytes, &quotes),
            None => key.seal(kind, alias, dictionary, bytes),
        };
        let frame =
            Frame { kind, last_of_commit: true, alias, version: 0, content: content.unwrap() };
        let shown = key.disclose_quoting(kind, alias, frame.content.clone(), lines).unwrap();
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        frames.push(json!({
            "frame": hex(&bytes), "payload": payload, "salt": hex(&shown.salt),
            "commitment": hex(frame.content.commitment()),
        }));
    }
    std::fs::write(VECTORS, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
}
