//! What is refused when files are read.

use super::{EXAMPLE, SPLIT, file, read, told};
use crate::chart::{UpcasterFile, Upcasters};
use proptest::prelude::*;

/// All that is wrong with a file `f.toml`.
fn wrong(text: &str) -> String {
    told(&Upcasters::read(vec![file("f.toml", text)]).unwrap_err())
}

#[test]
fn a_bad_file_is_refused_with_file_line_and_event() {
    let example = EXAMPLE.trim_start();
    let basic = "type = \"Basic\"\nfrom = 1\n";
    let drop_example = "[[example]]\nbefore = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"x\"}}'\nafter = '[]'";
    let cases = [
        (
            "x = ".to_owned(),
            "f.toml:1: *: this is no TOML: string values must be quoted, expected literal string",
        ),
        (
            format!("type = \"Observatoin\"\nfrom = 1\ndrop = true\n{drop_example}"),
            "f.toml:1: *: \"Observatoin\" is not a resource type of FHIR R4",
        ),
        (format!("from = 1\ndrop = true\n{drop_example}"), "f.toml:1: *: type is missing"),
        (
            format!("type = 7\nfrom = 1\ndrop = true\n{drop_example}"),
            "f.toml:1: *: type must be a text",
        ),
        (
            format!("type = \"Basic\"\ndrop = true\n{drop_example}"),
            "f.toml:1: Basic.*: from is missing: the version of the content that this leads on from, 1 at first",
        ),
        (
            format!("type = \"Basic\"\nfrom = 0\ndrop = true\n{drop_example}"),
            "f.toml:2: Basic.*: from must be a whole number from 1 to 65534",
        ),
        (
            format!("{basic}when = \"x\"\ndrop = true\n{drop_example}"),
            "f.toml:3: Basic.*: unknown key when; an upcaster has type, from, events, where, fhirpath-patch, json-patch, mapping, drop, split, example",
        ),
        (
            format!("{basic}events = [\"recorded\", \"held\"]\ndrop = true\n{drop_example}"),
            "f.toml:3: Basic.*: \"held\" is no event with content; there are recorded, amended, retracted, restored, moved-in, removed",
        ),
        (
            format!(
                "{basic}events = [\"removed\"]\n[[split]]\nid = \"{{id}}-x\"\n[[example]]\nbefore = '{{\"resourceType\":\"Basic\",\"id\":\"1\"}}'\nafter = '[]'"
            ),
            "f.toml:3: Basic.*: events that are removed bring no content: all that can be said of them is drop = true, without where",
        ),
        (
            format!("{basic}events = []\ndrop = true\n{drop_example}"),
            "f.toml:1: Basic.*: events is empty: name some, or leave it out for all that bring content",
        ),
        (
            format!("{basic}where = \"Basic.code.\"\ndrop = true\n{drop_example}"),
            "f.toml:3: Basic.*: where \"Basic.code.\": expected an element or function (at byte 11 of the expression)",
        ),
        (
            format!("{basic}drop = false\n{drop_example}"),
            "f.toml:3: Basic.*: drop is true, or not there",
        ),
        (
            format!("{basic}{example}"),
            "f.toml:1: Basic.*: it does nothing: write one of fhirpath-patch, json-patch, mapping, drop, split",
        ),
        (
            format!("{basic}drop = true"),
            "f.toml:1: Basic.*: [[example]] is missing: show what comes out of one resource, before and after, each as JSON in a text",
        ),
        (
            format!(
                "{basic}drop = true\n[[json-patch]]\nop = \"remove\"\npath = \"/x\"\n{drop_example}"
            ),
            "f.toml:4: Basic.*: json-patch changes what drop = true drops",
        ),
        (
            format!(
                "{basic}[[json-patch]]\nop = \"remove\"\npath = \"/x\"\n[[mapping]]\npath = \"id\"\nto = \"x\"\n{example}"
            ),
            "f.toml:6: Basic.*: mapping is too many: write all changes as one of fhirpath-patch, json-patch, mapping",
        ),
        (
            format!("{basic}json-patch = '''[\n{{\"op\":\"add\",\n]'''\n{example}"),
            "f.toml:5: Basic.*: this is no JSON: expected a member name in double quotes (column 1)",
        ),
        (
            format!(
                "{basic}json-patch = '''[\n{{\"op\":\"remove\",\"path\":\"x\"}},\n{{\"op\":\"delete\",\"path\":\"\",\"at\":1}}]'''\n{example}"
            ),
            "f.toml:4: Basic.*: path: \"x\" is not a JSON Pointer: it must be empty or begin with /\n\
             f.toml:5: Basic.*: unknown key at; an operation has op, path, from, value\n\
             f.toml:5: Basic.*: \"delete\" is not add, remove, replace, move, copy or test",
        ),
        (format!("{basic}json-patch = '[]'\n{example}"), "f.toml:3: Basic.*: json-patch is empty"),
        (
            format!("{basic}[json-patch]\nop = \"remove\"\n{example}"),
            "f.toml:3: Basic.*: json-patch must be tables, each written [[json-patch]]",
        ),
        (
            format!(
                "{basic}[[fhirpath-patch]]\noperation = \"add\"\npath = \"Basic\"\nname = \"x\"\nvalue = nan\n{example}"
            ),
            "f.toml:7: Basic.*: this value has no equal in JSON",
        ),
        (
            format!(
                "{basic}[[fhirpath-patch]]\noperation = \"add\"\npath = \"Basic\"\nnaem = \"x\"\n{example}"
            ),
            "f.toml:3: Basic.*: the part name is missing\n\
             f.toml:6: Basic.*: unknown key naem; [[fhirpath-patch]] has operation, path, name, index, source, destination, and for the \
             value one that names its type, such as valueCode or valueCodeableConcept, or part",
        ),
        (
            format!("{basic}[[mapping]]\npath = \"Basic.code\"\n{example}"),
            "f.toml:3: Basic.*: a mapping says what it makes of an element: to, table, remove or move",
        ),
        (
            format!("{basic}[[mapping]]\npath = \"Basic.code\"\nmove = \"created\"\n{example}"),
            "f.toml:5: Basic.*: move says the path of what is to hold the element, a dot, and its name there: Observation.method",
        ),
        (
            format!(
                "{basic}[[mapping]]\npath = \"Basic.code\"\nto = 1\nmove = \"Basic.created\"\n{example}"
            ),
            "f.toml:6: Basic.*: move goes without to: write two mappings",
        ),
        (
            format!(
                "{basic}[[split]]\nid = \"x\"\n[[split]]\nid = \"{{id}}_\"\n[[split]]\nid = \"{{id}}-1\"\ncontent = 2\n{example}"
            ),
            "f.toml:4: Basic.*: \"x\" must have {id} in it once: \"{id}-diastolic\"\n\
             f.toml:6: Basic.*: with 1 for {id}: \"1_\" is not an id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'\n\
             f.toml:9: Basic.*: content is for parts of another type: one of the same type goes on through the upcasters behind this one",
        ),
        (
            format!(
                "{basic}[[split]]\nid = \"{{id}}-x\"\nwhere = \"x\"\n[[split]]\nid = \"{{id}}-x\"\nwhere = \"x\"\n{example}"
            ),
            "f.toml:6: Basic.*: Basic/{id}-x would come about twice",
        ),
        (
            format!("{basic}[[split]]\nid = \"{{id}}\"\nwhere = \"x\"\n{example}"),
            "f.toml:3: Basic.*: Basic/{id} would come about twice",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(wrong(&text), message, "{text}");
    }
}

#[test]
fn an_example_of_which_something_else_comes_out_is_refused() {
    let examples = [
        (
            "before = '[1'\nafter = '[]'",
            "f.toml:7: Basic.* (example 1): this is no JSON: the text ends inside an array or object (column 3)",
        ),
        ("after = '[]'", "f.toml:6: Basic.* (example 1): before is missing"),
        (
            "before = '{\"resourceType\":\"Basic\"}'\nafter = '[]'",
            "f.toml:7: Basic.* (example 1): before is a resource with resourceType and id: \"\" is not an id: 1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'",
        ),
        (
            "before = '{\"resourceType\":\"Flag\",\"id\":\"1\"}'\nafter = '[]'",
            "f.toml:7: Basic.recorded (example 1): before is a Flag: the upcaster is about Basic",
        ),
        (
            "event = \"removed\"\nbefore = '{\"resourceType\":\"Basic\",\"id\":\"1\"}'\nafter = '[]'",
            "f.toml:8: Basic.removed (example 1): the upcaster is not about events that are removed",
        ),
        (
            "event = \"made\"\nbefore = '{\"resourceType\":\"Basic\",\"id\":\"1\"}'\nafter = '[]'",
            "f.toml:7: Basic.* (example 1): made is no event: write recorded, amended and such",
        ),
        (
            "before = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"}}'\nafter = '''\n{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"}}'''",
            "f.toml:9: Basic.recorded (example 1): something else comes out: at /code/text stands \"b\", not \"a\"",
        ),
        (
            "before = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"}}'\nafter = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"b\"},\"created\":\"2020\"}'",
            "f.toml:8: Basic.recorded (example 1): something else comes out: at /created stands nothing, not \"2020\"",
        ),
        (
            "before = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"}}'\nafter = '[]'",
            "f.toml:8: Basic.recorded (example 1): 1 come out, and after says 0",
        ),
        (
            "before = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"a\"},\"x\":1}'\nafter = '{\"resourceType\":\"Basic\",\"id\":\"1\",\"code\":{\"text\":\"b\"},\"x\":1}'",
            "f.toml:3: Basic.recorded (example 1): what comes out is not valid FHIR R4: Basic.x: \"x\" is not an element of Basic",
        ),
    ];
    let upcaster = "type = \"Basic\"\nfrom = 1\n[[mapping]]\npath = \"Basic.code.text\"\nto = \"b\"\n[[example]]\n";
    for (example, message) in examples {
        assert_eq!(wrong(&format!("{upcaster}{example}")), message, "{example}");
    }
}

fn dropping(from: usize) -> String {
    format!(
        "type = \"Basic\"\nfrom = {from}\ndrop = true\n[[example]]\nbefore = '{{\"resourceType\":\"Basic\",\"id\":\"1\"}}'\nafter = '[]'"
    )
}

#[test]
fn the_versions_of_a_type_are_a_chain() {
    let files = |versions: &[usize]| {
        let file = |(at, from): (usize, &usize)| file(&format!("{at}.toml"), &dropping(*from));
        versions.iter().enumerate().map(file).collect::<Vec<_>>()
    };
    let wrong = |versions: &[usize]| told(&Upcasters::read(files(versions)).unwrap_err());
    assert_eq!(Upcasters::read(files(&[3, 1, 2])).unwrap().content_of("Basic".parse().unwrap()), 4);
    assert_eq!(
        wrong(&[2]),
        "0.toml:1: Basic.*: it leads on from version 2 of Basic, but nothing leads to it: write from = 1"
    );
    assert_eq!(
        wrong(&[1, 4, 5, 1]),
        "3.toml:1: Basic.*: 0.toml leads from version 1 of Basic too\n\
         1.toml:1: Basic.*: it leads on from version 4 of Basic, but nothing leads to it: write from = 2"
    );
}

#[test]
fn all_files_are_read_and_all_errors_told() {
    let untrue = dropping(3).replace("'[]'", "'[{}]'");
    let files = vec![
        file("a.toml", "type = \"Basic\"\nfrm = 1"),
        file("b.toml", "="),
        file("c.toml", &untrue),
    ];
    let message = told(&Upcasters::read(files).unwrap_err());
    for part in [
        "a.toml:1: Basic.*: from is missing",
        "a.toml:2: Basic.*: unknown key frm",
        "a.toml:1: Basic.*: [[example]] is missing",
        "b.toml:1: *: this is no TOML",
        "c.toml:6: Basic.recorded (example 1): 0 come out, and after says 1",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn what_is_large_is_refused() {
    let many: Vec<UpcasterFile> =
        (0..257).map(|at| file(&format!("{at}.toml"), &dropping(at))).collect();
    assert_eq!(
        told(&Upcasters::read(many).unwrap_err()),
        "256.toml:1: *: there may be 256 files with upcasters"
    );
    let long = format!("{}\n{}", dropping(1), "# long\n".repeat(40_000));
    assert_eq!(wrong(&long), "f.toml:1: *: a file with an upcaster may have 256 KiB");
    let operation = "[[json-patch]]\nop = \"test\"\npath = \"/id\"\nvalue = \"1\"\n";
    let text = |count: usize| {
        format!("type = \"Basic\"\nfrom = 1\n{}{}", operation.repeat(count), EXAMPLE.trim_start())
    };
    read(&[&text(1_000)]);
    assert_eq!(
        wrong(&text(1_001)),
        "f.toml:1: Basic.*: the upcasters of a type may make 1000 changes in all"
    );
    let splits = |count: usize| {
        let split =
            |at| format!("[[split]]\nid = \"{{id}}-{at}\"\nwhere = \"Basic.code.text='a'\"\n");
        let splits: String = (0..count).map(split).collect();
        format!("type = \"Basic\"\nfrom = 1\n{splits}{}", EXAMPLE.trim_start())
    };
    read(&[&splits(15)]);
    assert!(wrong(&splits(16)).ends_with("Basic.*: an upcaster may make 15 parts"));
    let second = splits(7).replace("{id}-", "{id}.").replace("from = 1", "from = 2");
    let files = vec![file("1.toml", &splits(8)), file("2.toml", &second)];
    let message = told(&Upcasters::read(files).unwrap_err());
    assert!(message.starts_with("2.toml:"), "{message}");
    assert!(
        message
            .ends_with("an event would have more than 15 parts: is it part of a circle of splits?")
    );
}

#[test]
fn splits_do_not_go_round_in_a_circle() {
    let split = |kind: &str, to: &str| {
        format!(
            "type = \"{kind}\"\nfrom = 1\n[[split]]\nid = \"{{id}}.\"\ntype = \"{to}\"\ncontent = 1\nwhere = \"x\"\n\
             [[example]]\nbefore = '{{\"resourceType\":\"{kind}\",\"id\":\"1\"}}'\nafter = '{{\"resourceType\":\"{kind}\",\"id\":\"1\"}}'"
        )
    };
    let files =
        vec![file("1.toml", &split("Basic", "Flag")), file("2.toml", &split("Flag", "Basic"))];
    let message = told(&Upcasters::read(files).unwrap_err());
    assert!(message.contains("more than 15 parts: is it part of a circle of splits?"), "{message}");
}

proptest! {
    #[test]
    fn whatever_a_file_says_is_read_or_refused(
        at in 0usize..400, length in 0usize..30, with in "[\\[\\]{}='\"a-z0-9\n /.]{0,12}",
    ) {
        let text = format!(
            "type = \"Basic\"\nfrom = 1\n[[mapping]]\npath = \"Basic.code\"\nfrom = {{ text = \"a\" }}\ntable = {{ a = \"b\" }}\n{SPLIT}{EXAMPLE}"
        );
        let end = (at + length).min(text.len());
        let changed = [&text[..at.min(end)], &with, &text[end..]].concat();
        for error in Upcasters::read(vec![file("f.toml", &changed)]).err().into_iter().flatten() {
            prop_assert!((1..=changed.lines().count() + 1).contains(&error.line), "{error}");
            prop_assert_eq!(error.file, "f.toml");
        }
    }
}
