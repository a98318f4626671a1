//! `tests/vectors/`: what has to come out for ever, byte for byte.
//!
//! The ignored test at the end writes the files anew, which is right only when a new format begins.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::{
    Checkpoint, Hash, Signer, Tile, commitment, consistency, inclusion, leaf, root, verify_bundle,
    verify_export,
};
use super::bundles::{ORIGIN, good, key, text};
use super::exports::{EXPORT_ORIGIN, good_text};
use super::{Memory, exports, leaves};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that `proof.json` holds, computed here.
fn computed() -> Value {
    let seed: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let signer = Signer::from_seed("example.org/vectors/events", &seed).unwrap();
    let sizes = [0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 300, 600];
    let memory = Memory::of(&leaves(600));
    let roots: Vec<Value> = sizes
        .iter()
        .map(|size| json!({ "size": size, "root": root(&memory, *size).unwrap() }))
        .collect();
    let inclusions = [(0, 1), (0, 2), (2, 3), (4, 5), (0, 7), (6, 7), (255, 300), (256, 600)];
    let inclusions = inclusions.map(|(position, size)| inclusion(&memory, position, size).unwrap());
    let consistencies = [(0, 3), (1, 2), (3, 3), (3, 4), (4, 7), (6, 7), (256, 300), (300, 600)];
    let consistencies = consistencies.map(|(old, new)| consistency(&memory, old, new).unwrap());
    let tiles = [(0, 0, 256), (0, 1234, 256), (0, 1_234_067, 5), (1, 0, 1), (7, 999, 255)];
    let tiles: Vec<Value> = tiles
        .into_iter()
        .map(|(level, index, width)| Tile { level, index, width })
        .map(|tile| {
            let Tile { level, index, width } = tile;
            json!({ "level": level, "index": index, "width": width, "path": tile.to_string() })
        })
        .collect();
    let checkpoint = Checkpoint::sign(&signer, 600, memory.tree.root()).unwrap();
    let frame = [0_u8, 1, 2, 3];
    let salt: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    json!({
        "comment": "The leaf at position n of the tree here is the text 'leaf n'. \
                    Hashes are base64.",
        "key": {
            "seed": hex(&seed),
            "verifierKey": signer.verifier().to_string(),
        },
        "leaves": [
            { "text": "", "hash": Hash::leaf(b"") },
            { "text": "leaf 0", "hash": Hash::leaf(b"leaf 0") },
        ],
        "logLeaf": {
            "position": 258,
            "recordedAt": 1_750_000_000_000_001_i64,
            "frame": hex(&frame),
            "hash": leaf(258, 1_750_000_000_000_001, &frame),
        },
        "commitment": {
            "salt": hex(&salt),
            "payload": "{\"grün\":1}",
            "hash": commitment(&salt, "{\"grün\":1}".as_bytes()),
        },
        "roots": roots,
        "inclusion": inclusions,
        "consistency": consistencies,
        "tiles": tiles,
        "checkpoint": checkpoint.note().to_string(),
        "note": signer.sign("a text\n\nof several lines\n").unwrap().to_string(),
        "bundleKey": key(ORIGIN),
        "exportKey": key(EXPORT_ORIGIN),
    })
}

#[test]
fn the_vectors_are_what_is_computed() {
    let stored: Value = serde_json::from_slice(&fs::read(path("proof.json")).unwrap()).unwrap();
    let computed = computed();
    for (name, value) in computed.as_object().unwrap() {
        assert_eq!(&stored[name], value, "{name}");
    }
    assert_eq!(stored.as_object().unwrap().len(), computed.as_object().unwrap().len());
}

#[test]
fn the_bundle_among_the_vectors_is_written_and_accepted_as_it_was() {
    let stored = fs::read_to_string(path("evidence.json")).unwrap();
    assert_eq!(stored.trim_end(), text(&good()));
    verify_bundle(&stored, &key(ORIGIN)).unwrap();
}

#[test]
fn the_export_among_the_vectors_is_written_and_accepted_as_it_was() {
    let stored = fs::read_to_string(path("export.ndjson")).unwrap();
    assert_eq!(stored, good_text());
    verify_export(stored.as_bytes(), &key(EXPORT_ORIGIN), &|_| ()).unwrap();
    let stored = fs::read_to_string(path("export-events.ndjson")).unwrap();
    assert_eq!(stored, exports::text(&exports::events()));
    verify_export(stored.as_bytes(), &key(ORIGIN), &|_| ()).unwrap();
}

#[test]
#[ignore = "writes the vectors anew"]
fn write_the_vectors() {
    let vectors = serde_json::to_string_pretty(&computed()).unwrap();
    fs::write(path("proof.json"), vectors + "\n").unwrap();
    fs::write(path("evidence.json"), text(&good()) + "\n").unwrap();
    fs::write(path("export.ndjson"), good_text()).unwrap();
    fs::write(path("export-events.ndjson"), exports::text(&exports::events())).unwrap();
}
