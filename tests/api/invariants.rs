//! Invariants: resources made from the text of the specification, of which each breaks one, and
//! others near them that break none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Server, bundle, entry, shared};

/// Key, "bad" or "good", the place where it is broken, the resource.
const CASES: &str = include_str!("invariants.tsv");

struct Case {
    key: &'static str,
    /// `None` if nothing is wrong.
    place: Option<&'static str>,
    resource: Value,
}

impl Case {
    fn kind(&self) -> &str {
        self.resource["resourceType"].as_str().unwrap()
    }

    /// The code of what breaks it; narrative was refused before there were invariants.
    fn code(&self) -> &'static str {
        if self.key.starts_with("txt-") { "value" } else { "invariant" }
    }
}

fn cases() -> Vec<Case> {
    let read = |line: &'static str| {
        let [key, is, place, resource] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let place = (is == "bad").then_some(place);
        Case { key, place, resource: serde_json::from_str(resource).unwrap() }
    };
    CASES.lines().skip(1).map(read).collect()
}

#[test]
fn validation_names_the_invariant_that_is_broken_and_where() {
    let clinician = shared().clinician();
    let mut differ = Vec::new();
    for case in cases() {
        let target = format!("/fhir/{}/$validate", case.kind());
        let outcome = clinician.post(&target, &case.resource).expect(200).json();
        let issues = outcome["issue"].as_array().unwrap().iter();
        let errors = issues.filter(|issue| issue["severity"] == "error");
        let found: Vec<_> = errors
            .map(|issue| {
                let words = issue["diagnostics"].as_str().unwrap();
                let is_named = words.contains(&format!("({})", case.key));
                (is_named, issue["code"].as_str(), issue["expression"][0].as_str())
            })
            .collect();
        let expected: Vec<_> =
            case.place.iter().map(|place| (true, Some(case.code()), Some(*place))).collect();
        if found != expected {
            differ.push(format!("{} {:?} {}: {outcome}", case.key, case.place, case.resource));
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn each_invariant_is_tried_with_resources_that_break_it_and_one_that_does_not() {
    let mut tried: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in cases() {
        let (bad, good) = tried.entry(case.key).or_default();
        *(if case.place.is_some() { bad } else { good }) += 1;
    }
    assert!(tried.len() >= 100, "{}", tried.len());
    for (key, (bad, good)) in tried {
        assert!(bad >= 3 && good >= 1, "{key}: {bad} bad, {good} good");
    }
}

#[test]
fn a_write_that_breaks_an_invariant_is_refused_and_nothing_is_stored() {
    let server = Server::start();
    let clinician = server.clinician();
    let mut tried: BTreeMap<&str, Case> = BTreeMap::new();
    // A Bundle that is posted is carried out, or stored under its type as any other.
    for case in cases().into_iter().filter(|case| case.place.is_some() && case.kind() != "Bundle") {
        tried.entry(case.key).or_insert(case);
    }
    for (key, case) in tried.into_iter().filter(|(_, case)| case.code() == "invariant") {
        let word = format!("({key})");
        let kind = case.kind();
        clinician.post(&format!("/fhir/{kind}"), &case.resource).refused(422, &[&word]);
        let sent = bundle("transaction", &[entry("POST", kind, case.resource.clone())]);
        let within = case.place.unwrap().replacen(kind, "Bundle.entry[0].resource", 1);
        clinician.post("/fhir", &sent).refused(422, &[&word, &within]);
    }
    assert_eq!(server.log_length(), 0);
}

#[test]
fn what_breaks_invariants_and_more_is_not_valid() {
    let clinician = shared().clinician();
    let both =
        json!({ "resourceType": "Patient", "gender": "m", "contact": [{ "gender": "male" }] });
    clinician.post("/fhir/Patient", &both).refused(400, &["female", "(pat-1)"]);
}

#[test]
fn rules_that_only_warn_hold_up_no_write() {
    let clinician = shared().clinician();
    let resource = json!({ "resourceType": "ValueSet", "status": "draft", "name": "not a name" });
    clinician.post("/fhir/ValueSet", &resource).expect(201);
    let outcome = clinician.post("/fhir/ValueSet/$validate", &resource).expect(200).json();
    let issues = outcome["issue"].as_array().unwrap().iter();
    let mut warned: Vec<_> = issues
        .filter(|issue| issue["severity"] == "warning")
        .map(|issue| issue["diagnostics"].as_str().unwrap().rsplit_once(' ').unwrap().1)
        .collect();
    warned.sort_unstable();
    assert_eq!(warned, ["(dom-6)", "(vsd-0)"]);
    assert_eq!(outcome["issue"][0]["severity"], "information");
}
