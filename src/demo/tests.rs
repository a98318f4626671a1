//! What a clinic promises, held against a few of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde_json::Value;

use super::{DemoOptions, Step, clinic, history, sights};
use crate::clock::Instant;

fn options(seed: u64, patients: usize) -> DemoOptions {
    DemoOptions { seed, patients, today: NaiveDate::from_ymd_opt(2025, 6, 30).unwrap() }
}

/// One clinic for the tests that only look.
static CLINIC: LazyLock<Vec<Value>> = LazyLock::new(|| clinic(&options(1, 40)).collect());

fn bytes(options: &DemoOptions) -> Vec<Vec<u8>> {
    let bundles = clinic(options);
    bundles.map(|bundle| serde_json::to_vec(&bundle).unwrap()).collect()
}

fn entries(bundle: &Value) -> &Vec<Value> {
    bundle["entry"].as_array().unwrap()
}

fn resources(bundle: &Value) -> impl Iterator<Item = &Value> {
    entries(bundle).iter().filter_map(|entry| entry.get("resource"))
}

fn url(resource: &Value) -> String {
    let text = |member: &str| resource[member].as_str().unwrap();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// Calls `look` with the name and value of every member in a resource, at any depth.
fn walk<'a>(value: &'a Value, look: &mut dyn FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                look(name, member);
                walk(member, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, look)),
        _ => {}
    }
}

#[test]
fn the_same_options_give_the_same_bytes() {
    assert_eq!(bytes(&options(1, 6)), bytes(&options(1, 6)));
    assert_ne!(bytes(&options(1, 6)), bytes(&options(2, 6)));
}

#[test]
fn a_patient_does_not_depend_on_how_many_are_asked_for() {
    let few = bytes(&options(1, 8));
    let many = bytes(&options(1, 12));
    assert_eq!(few.as_slice(), &many[..few.len()]);
    assert!(many.len() > few.len());
}

#[test]
fn every_bundle_is_a_transaction_of_puts_and_deletes() {
    for bundle in CLINIC.iter() {
        assert_eq!(bundle["resourceType"], "Bundle");
        assert_eq!(bundle["type"], "transaction");
        let mut named = BTreeSet::new();
        for entry in entries(bundle) {
            let place = entry["request"]["url"].as_str().unwrap();
            assert!(named.insert(place.to_owned()), "{place} twice in a commit");
            match entry["request"]["method"].as_str().unwrap() {
                "PUT" => assert_eq!(url(&entry["resource"]), place),
                "DELETE" => assert!(entry.get("resource").is_none()),
                method => panic!("{method} {place}"),
            }
        }
        assert!(!named.is_empty());
    }
}

#[test]
fn references_point_to_the_same_commit_or_an_earlier_one() {
    let mut known = BTreeSet::new();
    for bundle in CLINIC.iter() {
        known.extend(resources(bundle).map(url));
        for resource in resources(bundle) {
            walk(resource, &mut |name, value| {
                if name == "reference" {
                    let target = value.as_str().unwrap();
                    assert!(known.contains(target), "{} -> {target}", url(resource));
                }
            });
        }
    }
}

#[test]
fn deleted_documents_existed() {
    let mut known = BTreeSet::new();
    for bundle in CLINIC.iter() {
        for entry in entries(bundle) {
            let place = entry["request"]["url"].as_str().unwrap().to_owned();
            match entry["request"]["method"].as_str().unwrap() {
                "DELETE" => assert!(known.remove(&place), "{place}"),
                _ => drop(known.insert(place)),
            }
        }
    }
}

#[test]
fn ids_are_valid() {
    for bundle in CLINIC.iter() {
        for resource in resources(bundle) {
            let id = resource["id"].as_str().unwrap();
            assert!((1..=64).contains(&id.len()));
            let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
            assert!(id.chars().all(allowed), "{id}");
        }
    }
}

/// The elements that R4 requires (cardinality 1..), or that every entry here is meant to have.
/// A name that ends in `[x]` stands for any member with that beginning.
fn required(kind: &str) -> &'static [&'static str] {
    match kind {
        "AllergyIntolerance" => &["patient", "code", "verificationStatus"],
        "CarePlan" => &["status", "intent", "subject", "goal"],
        "CareTeam" => &["status", "subject", "participant"],
        "Condition" => &["subject", "code", "verificationStatus", "onset[x]"],
        "Coverage" => &["status", "beneficiary", "payor"],
        "DiagnosticReport" => &["status", "code", "subject", "effective[x]"],
        "DocumentReference" => &["status", "content", "subject"],
        "Encounter" => &["status", "class", "subject", "period"],
        "Goal" => &["lifecycleStatus", "description", "subject"],
        "Immunization" => &["status", "vaccineCode", "patient", "occurrence[x]"],
        "Location" => &["status", "name"],
        "Medication" => &["code"],
        "MedicationRequest" => &["status", "intent", "medication[x]", "subject"],
        "MedicationStatement" => &["status", "medication[x]", "subject"],
        "Observation" => &["status", "code", "subject", "effective[x]", "category"],
        "Organization" => &["name"],
        "Patient" => &["identifier", "name", "gender", "birthDate", "address"],
        "Practitioner" => &["name"],
        "PractitionerRole" => &["practitioner", "organization", "code"],
        "Procedure" => &["status", "subject", "code", "performed[x]"],
        _ => panic!("{kind} has no place in this clinic"),
    }
}

#[test]
fn resources_have_what_r4_requires() {
    for bundle in CLINIC.iter() {
        for resource in resources(bundle) {
            let members = resource.as_object().unwrap();
            for element in required(resource["resourceType"].as_str().unwrap()) {
                let found = match element.strip_suffix("[x]") {
                    Some(stem) => members.keys().filter(|name| name.starts_with(stem)).count(),
                    None => usize::from(members.contains_key(*element)),
                };
                assert_eq!(found, 1, "{} lacks {element}", url(resource));
            }
            walk(resource, &mut |name, value| {
                let is_empty = value.is_null()
                    || value.as_str().is_some_and(str::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(serde_json::Map::is_empty);
                assert!(!is_empty, "{} has an empty {name}", url(resource));
            });
        }
    }
}

#[test]
fn what_was_never_true_has_no_clinical_status() {
    for bundle in CLINIC.iter() {
        for resource in resources(bundle) {
            let verification = &resource["verificationStatus"]["coding"][0]["code"];
            if verification == "entered-in-error" {
                assert!(resource.get("clinicalStatus").is_none());
            }
        }
    }
}

/// The day of a FHIR date, dateTime or instant.
fn day_of(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

#[test]
fn nothing_happens_after_today_or_before_birth() {
    let today = options(1, 40).today;
    let mut births: HashMap<String, NaiveDate> = HashMap::new();
    for bundle in CLINIC.iter() {
        assert!(day_of(bundle["timestamp"].as_str().unwrap()).unwrap() < today);
        for resource in resources(bundle) {
            if resource["resourceType"] == "Patient" {
                let birth = day_of(resource["birthDate"].as_str().unwrap()).unwrap();
                births.insert(url(resource), birth);
            }
            let subject = resource.get("subject").or(resource.get("patient"));
            let subject = subject.and_then(|subject| subject["reference"].as_str());
            let birth = subject.and_then(|subject| births.get(subject)).copied();
            walk(resource, &mut |name, value| {
                let Some(day) = value.as_str().and_then(day_of) else {
                    return;
                };
                assert!(name == "dueDate" || day < today, "{}", url(resource));
                assert!(birth.is_none_or(|birth| birth <= day), "{}", url(resource));
            });
        }
    }
}

#[test]
fn the_commits_of_a_patient_are_in_order_of_time() {
    let mut latest: BTreeMap<String, String> = BTreeMap::new();
    for bundle in CLINIC.iter().skip(1) {
        let first = entries(bundle)[0]["request"]["url"].as_str().unwrap();
        let id = first.split_once('/').unwrap().1;
        let patient = id.get(..5).unwrap().to_owned();
        let timestamp = bundle["timestamp"].as_str().unwrap().to_owned();
        let previous = latest.insert(patient, timestamp.clone());
        assert!(previous.is_none_or(|previous| previous < timestamp), "{id}");
    }
}

/// What kinds of correction a clinic contains, and how often.
fn corrections(options: &DemoOptions) -> BTreeMap<&'static str, usize> {
    let mut found: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut before: HashMap<String, Value> = HashMap::new();
    let mut deleted = BTreeSet::new();
    for bundle in clinic(options) {
        for entry in entries(&bundle) {
            let place = entry["request"]["url"].as_str().unwrap().to_owned();
            let Some(resource) = entry.get("resource") else {
                deleted.insert(place);
                *found.entry("deleted").or_default() += 1;
                continue;
            };
            let mut count = |kind| *found.entry(kind).or_default() += 1;
            if deleted.remove(&place) {
                count("restored");
            }
            let Some(previous) = before.insert(place, resource.clone()) else {
                continue;
            };
            let changed = |member: &str| previous.get(member) != resource.get(member);
            let in_error = resource["status"] == "entered-in-error"
                || resource["verificationStatus"]["coding"][0]["code"] == "entered-in-error";
            match resource["resourceType"].as_str().unwrap() {
                _ if in_error => count("entered in error"),
                "Observation" if changed("subject") => count("moved"),
                "Observation" if changed("valueQuantity") => count("amended"),
                "Patient" if ["name", "address", "telecom"].into_iter().any(changed) => {
                    count("demographics");
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn ten_patients_of_the_default_seed_show_every_kind_of_correction() {
    let found = corrections(&options(1, 10));
    for kind in ["amended", "deleted", "demographics", "entered in error", "moved", "restored"] {
        assert!(found.contains_key(kind), "{kind} is missing in {found:?}");
    }
}

#[test]
fn twenty_five_patients_of_any_seed_show_many_corrections() {
    for seed in 2..5 {
        let found = corrections(&options(seed, 25));
        assert!(found.len() >= 5, "seed {seed}: {found:?}");
        assert!(found.values().sum::<usize>() >= 15, "seed {seed}: {found:?}");
    }
}

#[test]
fn a_moved_result_belongs_to_an_earlier_patient() {
    let mut subjects: HashMap<String, String> = HashMap::new();
    let mut moved = 0;
    for bundle in CLINIC.iter() {
        for resource in resources(bundle) {
            let Some(subject) = resource["subject"]["reference"].as_str() else {
                continue;
            };
            let previous = subjects.insert(url(resource), subject.to_owned());
            if let Some(previous) = previous.filter(|previous| previous != subject) {
                assert!(*subject < *previous);
                assert!(resource.get("encounter").is_none());
                moved += 1;
            }
        }
    }
    assert!(moved > 0);
}

#[test]
fn a_history_is_in_the_order_of_time_and_refers_to_what_is_there() {
    let options = options(1, 40);
    let (mut known, mut last, mut sent, mut looks) = (BTreeSet::new(), None, Vec::new(), 0);
    for (at, step) in history(&options) {
        assert!(last.is_none_or(|last| last <= at), "{at}");
        last = Some(at);
        match step {
            Step::Commit(text) => {
                let bundle: Value = serde_json::from_str(&text).unwrap();
                known.extend(resources(&bundle).map(url));
                for resource in resources(&bundle) {
                    walk(resource, &mut |name, value| {
                        if name == "reference" {
                            let target = value.as_str().unwrap();
                            assert!(known.contains(target), "{} -> {target}", url(resource));
                        }
                    });
                }
                sent.push(text);
            }
            Step::Look(look) => {
                let patient = look.target.find("p0").map(|at| &look.target[at..at + 5]).unwrap();
                assert!(known.contains(&format!("Patient/{patient}")), "{look:?}");
                looks += 1;
            }
        }
    }
    assert!((40..120).contains(&looks), "{looks} looks");
    let mut all: Vec<String> = CLINIC.iter().map(Value::to_string).collect();
    all.sort_unstable();
    sent.sort_unstable();
    assert!(sent == all, "the same commits in another order");
}

#[test]
fn what_is_worth_showing_is_there_in_a_clinic_of_any_size() {
    assert_eq!(sights(&options(1, 0)), None);
    for (seed, patients) in [(1, 1), (1, 2), (1, 25), (2, 3), (3, 3), (4, 25)] {
        let options = options(seed, patients);
        let sights = sights(&options).unwrap();
        let (before, after) = sights.correction;
        let steps: Vec<_> = history(&options).collect();
        let corrects = |(at, step): &&(Instant, Step)| {
            (before..after).contains(at)
                && matches!(step, Step::Commit(text) if text.contains(&sights.patient))
        };
        let (_, Step::Commit(correction)) = steps.iter().find(corrects).unwrap() else { panic!() };
        let is_visit = correction.contains(r#""resourceType":"Encounter""#);
        assert!(patients == 1 || !is_visit, "what is no visit corrects one: {correction}");
        let is_glass = |(_, step): &&(Instant, Step)| {
            matches!(step, Step::Look(look) if look.breaks_glass.is_some()
                && look.target.contains(&sights.patient))
        };
        assert_eq!(steps.iter().filter(is_glass).count(), 1);
        let is_refused =
            |(_, step): &&(Instant, Step)| matches!(step, Step::Look(look) if look.is_refused);
        assert!(steps.iter().any(|step| is_refused(&step)));
    }
}

#[test]
fn charts_are_neither_thin_nor_endless() {
    let charts = CLINIC.iter().skip(1);
    let total: usize = charts.map(|bundle| entries(bundle).len()).sum();
    let average = total / 40;
    assert!((100..=250).contains(&average), "{average} resources a patient");
}
