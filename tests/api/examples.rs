//! The official examples of FHIR R4: each is accepted, or listed with the reason why it is invalid.
//!
//! `CHARTLOG_FHIR_EXAMPLES` names the folder of the npm package hl7.fhir.r4.examples 4.0.1; without
//! it they are passed over.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use chartlog::fhir::check;
use chartlog::fhir::check::PROBLEMS_MAX;
use chartlog::json::Document;
use proptest::prelude::*;

const INVALID: &str = include_str!("invalid_examples.tsv");
/// The least that a resource of each type must have.
const SMALLEST: &str = include_str!("smallest_resources.ndjson");

#[test]
fn official_examples_are_accepted_or_invalid_for_the_reason_listed() {
    let Some(folder) = std::env::var_os("CHARTLOG_FHIR_EXAMPLES") else { return };
    let rows = INVALID.lines().skip(1).filter_map(|line| line.split_once('\t'));
    let listed: BTreeMap<&str, &str> = rows.collect();
    let mut differ = String::new();
    let (mut seen, mut refused) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Beside the examples there are the package's own descriptions, such as package.json.
        if !name.contains('-') || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        seen += 1;
        let problems = problems(&path);
        refused += usize::from(!problems.is_empty());
        match (listed.get(name), problems.as_slice()) {
            (None, []) => {}
            (Some(reason), [first, ..]) if first.starts_with(reason) => {}
            (Some(_), []) => writeln!(differ, "{name}\taccepted").unwrap(),
            (_, [first, ..]) => writeln!(differ, "{name}\t{first}").unwrap(),
        }
    }
    assert!(differ.is_empty(), "{differ}");
    assert_eq!((seen > 5_000, refused), (true, listed.len()), "{seen} examples");
}

fn problems(path: &Path) -> Vec<String> {
    let document = match Document::parse(std::fs::read(path).unwrap()) {
        Ok(document) => document,
        Err(error) => return vec![error.to_string()],
    };
    let checked = check(None, document.root(), "");
    let problems = checked.err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn a_mutilated_resource_is_judged_and_never_too_much_for_the_check(
        line in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        const VALUES: [&str; 10] =
            ["null", "true", "-0.5", "\"\"", "\"#a\"", "[]", "{}", "[null]", "{\"id\":\"a\"}", "[[\"a\"]]"];
        let lines: Vec<&str> = SMALLEST.lines().collect();
        let mut text = line.get(&lines).to_string();
        for (place, value) in changes {
            // Puts another value in the place of a text, a number, an array or an object.
            let starts: Vec<usize> =
                text.match_indices(':').map(|(at, _)| at + 1).filter(|at| *at < text.len()).collect();
            let start = *place.get(&starts);
            let end = start + text[start..].find([',', '}']).unwrap_or(0);
            let value: &&str = value.get(&VALUES[..]);
            text.replace_range(start..end, value);
        }
        if let Ok(document) = Document::parse(text) {
            let problems = check(None, document.root(), "").err().unwrap_or_default();
            prop_assert!(problems.len() <= PROBLEMS_MAX);
        }
    }
}
