//! The examples that come with the program, and those of the documentation.

use super::{file, told};
use crate::chart::{Payload, Upcasters};
use std::path::Path;

const EVOLUTION: &str = include_str!("../../../../docs/evolution.md");

/// The blocks of code of that language in the documentation.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    EVOLUTION.split(&opening).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

#[test]
fn the_files_that_come_with_the_program_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/upcasters.example");
    let files = folder.read_dir().unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        file(name, &std::fs::read_to_string(&path).unwrap())
    });
    let upcasters =
        Upcasters::read(files.collect()).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    assert_eq!(upcasters.files().len(), 4);
}

#[test]
fn the_files_of_the_documentation_are_read() {
    let files =
        (1..).zip(blocks("toml")).map(|(number, text)| file(&format!("block {number}"), text));
    let upcasters =
        Upcasters::read(files.collect()).unwrap_or_else(|errors| panic!("{}", told(&errors)));
    assert_eq!(upcasters.files().len(), 5);
}

#[test]
fn the_envelopes_of_the_documentation_are_read() {
    let [before, after] = blocks("json")[..] else { panic!("there are two envelopes") };
    let envelope =
        |text: &str| Payload { envelope: text.as_bytes(), body: b"" }.envelope().unwrap();
    assert_eq!(envelope(before), envelope(after));
    assert_eq!(envelope(after).content, 1);
}
