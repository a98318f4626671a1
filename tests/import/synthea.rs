//! The real-looking data of Synthea: named by `CHARTLOG_SYNTHEA`, passed over without it.
//!
//! What a chart must hold is computed from the files alone, with another reading of the R4
//! CompartmentDefinition than the program's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::support::{Place, Server, code, counts, stderr};

/// A resource as sent, with its `fullUrl` and the criteria under which it was sent.
struct Sent {
    full_url: String,
    resource: Value,
    criteria: Option<String>,
    file: usize,
}

fn read(folder: &Path) -> Vec<Sent> {
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().ends_with(".json.gz"));
    paths.sort();
    let mut sent = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        let mut text = String::new();
        let packed = std::fs::File::open(path).unwrap();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        let mut bundle: Value = serde_json::from_str(&text).unwrap();
        for entry in bundle["entry"].as_array_mut().unwrap() {
            let full_url = entry["fullUrl"].as_str().unwrap().to_owned();
            let criteria = entry["request"]["ifNoneExist"].as_str().map(str::to_owned);
            sent.push(Sent { full_url, resource: entry["resource"].take(), criteria, file });
        }
    }
    sent
}

#[test]
fn all_of_synthea_comes_back_as_it_was_sent() {
    let Some(folder) = std::env::var_os("CHARTLOG_SYNTHEA") else { return };
    let folder = Path::new(&folder);
    let sent = read(folder);
    let place = Place::new();
    let data = place.path("data");
    let import = |paths: &[&Path]| {
        let mut command = place.command("--parallel 1");
        let output = command.args(paths).arg("--data").arg(&data).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        output
    };
    let mut first: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    first.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("0-"));
    import(&first.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let output = import(&[folder]);
    assert_eq!(counts(&output, "all").iter().sum::<u64>(), sent.len() as u64);
    assert_eq!(counts(&output, "all")[3], 0);

    let server = Server::start(&data);
    let position = server.position();
    let mut by_kind: BTreeMap<&str, Vec<&Sent>> = BTreeMap::new();
    let mut criteria = BTreeSet::new();
    for one in &sent {
        let kind = one.resource["resourceType"].as_str().unwrap();
        let again = one.criteria.as_ref().is_some_and(|text| !criteria.insert((kind, text)));
        if !again {
            by_kind.entry(kind).or_default().push(one);
        }
    }
    let (addresses, stored) = matched(&server, &by_kind);
    for (one, resource) in &stored {
        let mut resource = resource.clone();
        let meta = resource["meta"].as_object_mut().unwrap();
        meta.remove("lastUpdated");
        assert_eq!(meta.remove("versionId").unwrap(), "1");
        let mut expected = one.resource.clone();
        expected["id"] = resource["id"].clone();
        if expected.get("meta").is_none() {
            expected["meta"] = serde_json::json!({});
        }
        resolve(&mut expected, &addresses);
        assert_eq!(resource, expected, "{}", one.full_url);
    }
    charts(&server, &sent, &addresses);
    drop(server);
    import(&[folder]);
    assert_eq!(Server::start(&data).position(), position);
}

/// `Type/id` of everything sent (also by its conditional reference), and what is stored for it.
fn matched<'a>(
    server: &Server,
    by_kind: &BTreeMap<&str, Vec<&'a Sent>>,
) -> (BTreeMap<String, String>, Vec<(&'a Sent, Value)>) {
    let (mut addresses, mut stored) = (BTreeMap::new(), Vec::new());
    for (kind, sent) in by_kind {
        let all = server.all(kind);
        assert_eq!(all.len(), sent.len(), "{kind}");
        // The entries of a batch are stored in no order; these say who they are.
        let name = |resource: &Value| match *kind {
            "PractitionerRole" => resource["practitioner"]["identifier"].to_string(),
            "Organization" | "Location" | "Practitioner" => resource["identifier"].to_string(),
            _ => String::new(),
        };
        let (mut all, mut sent) = (all, sent.clone());
        all.sort_by_key(&name);
        sent.sort_by_key(|one| name(&one.resource));
        for (resource, one) in all.into_iter().zip(sent) {
            let address = format!("{kind}/{}", resource["id"].as_str().unwrap());
            addresses.insert(one.full_url.clone(), address.clone());
            if let Some(criteria) = &one.criteria {
                addresses.insert(format!("{kind}?{criteria}"), address);
            }
            stored.push((one, resource));
        }
    }
    (addresses, stored)
}

fn resolve(value: &mut Value, addresses: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let found = value.as_str().and_then(|text| addresses.get(text));
                match found {
                    Some(address) if name == "reference" => *value = address.as_str().into(),
                    _ => resolve(value, addresses),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, addresses)),
        _ => {}
    }
}

/// Each `$everything` against the compartment computed from the files.
fn charts(server: &Server, sent: &[Sent], addresses: &BTreeMap<String, String>) {
    let rules = Rules::read();
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in sent {
        let own = &addresses[&one.full_url];
        if one.resource["resourceType"] == "Patient" {
            expected.entry(own.clone()).or_default().insert(own.clone());
        }
        for reference in rules.references(&one.resource) {
            if let Some(patient) = addresses.get(&reference)
                && patient.starts_with("Patient/")
            {
                expected.entry(patient.clone()).or_default().insert(own.clone());
            }
        }
    }
    let patients = sent.iter().filter(|one| one.resource["resourceType"] == "Patient").count();
    assert_eq!(expected.len(), patients);
    for (patient, members) in expected {
        let bundle = server.json(&format!("/fhir/{patient}/$everything"));
        let entries = bundle["entry"].as_array().unwrap();
        let address = |entry: &Value| {
            let text = |name: &str| entry["resource"][name].as_str().unwrap().to_owned();
            format!("{}/{}", text("resourceType"), text("id"))
        };
        let got: BTreeSet<String> = entries.iter().map(address).collect();
        assert_eq!(got.len(), entries.len());
        assert_eq!(got, members, "{patient}");
    }
    assert!(sent.iter().any(|one| one.file > 1));
}

/// The paths by which a resource of a type refers to the patients in whose compartment it lies.
struct Rules(BTreeMap<String, Vec<Vec<String>>>);

impl Rules {
    fn read() -> Self {
        let table = |text: &str| -> Vec<Vec<String>> {
            let lines = text.lines().skip(1);
            lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
        };
        let members = table(include_str!("../../src/fhir/definitions/compartments.tsv"));
        let parameters = table(include_str!("../../src/fhir/definitions/search_parameters.tsv"));
        let mut rules: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for row in members.iter().filter(|row| row[0] == "Patient") {
            for name in row.get(2).map_or("", String::as_str).split([',', ' ']) {
                let ours = |one: &&Vec<String>| one[1] == row[1] && one[2] == name;
                for expression in parameters.iter().filter(ours).flat_map(|one| one[8].split('|')) {
                    let path = expression.trim().trim_matches(['(', ')']);
                    let path = path.split(".where(").next().unwrap();
                    let steps = path.split('.').skip(1).map(str::to_owned).collect();
                    rules.entry(row[1].clone()).or_default().push(steps);
                }
            }
        }
        Self(rules)
    }

    fn references(&self, resource: &Value) -> Vec<String> {
        let kind = resource["resourceType"].as_str().unwrap();
        let mut references = Vec::new();
        for path in self.0.get(kind).into_iter().flatten() {
            walk(resource, path, &mut references);
        }
        references
    }
}

fn walk(value: &Value, path: &[String], references: &mut Vec<String>) {
    if let Value::Array(items) = value {
        items.iter().for_each(|item| walk(item, path, references));
    } else if let Some((step, rest)) = path.split_first() {
        if let Some(next) = value.get(step) {
            walk(next, rest, references);
        }
    } else if let Some(reference) = value["reference"].as_str() {
        references.push(reference.to_owned());
    }
}
