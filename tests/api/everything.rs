//! `$everything` of a patient, page by page and narrowed; and `$meta`.

use serde_json::{Value, json};

use crate::harness::{Actor, observation, patient, practitioner, shared, unique};

/// An observation at a time.
fn at(id: &str, owner: &str, date: &str) -> Value {
    let mut resource = observation(id, owner);
    resource["effectiveDateTime"] = json!(date);
    resource
}

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

fn next(bundle: &Value) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let next = links.iter().find(|link| link["relation"] == "next")?["url"].as_str().unwrap();
    Some(next.get(next.find("/fhir").unwrap()..).unwrap().to_owned())
}

/// A patient with observations of the years 2020 to 2024, and one without a time.
fn chart(clinician: &Actor) -> (String, Vec<String>) {
    let owner = unique("p");
    clinician.put(&patient(&owner)).expect(201);
    let mut values = Vec::new();
    for year in 2020..2025 {
        let value = unique("o");
        clinician.put(&at(&value, &owner, &format!("{year}-06-15"))).expect(201);
        values.push(value);
    }
    let value = unique("o");
    clinician.put(&observation(&value, &owner)).expect(201);
    values.push(value);
    (owner, values)
}

#[test]
fn pages_show_one_state_of_the_chart() {
    let clinician = shared().clinician();
    let mut target = String::new();
    for count in [1, 2, 7, 100] {
        let (owner, values) = chart(&clinician);
        let all = [&[owner.clone()], values.as_slice()].concat();
        target = format!("/fhir/Patient/{owner}/$everything");
        assert_eq!(ids(&clinician.get(&target).expect(200).json()), all);
        let mut page = clinician.get(&format!("{target}?_count={count}")).expect(200).json();
        let mut seen = ids(&page);
        // Not on any page: what is written between them.
        clinician.put(&observation(&unique("later"), &owner)).expect(201);
        clinician.put(&at(&values[5], &owner, "2010")).expect(200);
        while let Some(next) = next(&page) {
            assert!(ids(&page).len() == count && page.get("total").is_none(), "{page}");
            page = clinician.get(&next).expect(200).json();
            seen.extend(ids(&page));
        }
        assert_eq!(seen, all, "{count}");
    }
    let first = clinician.get(&format!("{target}?_count=1")).expect(200).json();
    let cursor = next(&first).unwrap().split("_cursor=").nth(1).unwrap().to_owned();
    let (other, _) = chart(&clinician);
    let stolen = format!("/fhir/Patient/{other}/$everything?_count=1&_cursor={cursor}");
    clinician.get(&stolen).refused(400, &["_cursor"]);
}

#[test]
fn it_is_narrowed_by_care_by_record_and_by_type() {
    let clinician = shared().clinician();
    let (owner, values) = chart(&clinician);
    let target = format!("/fhir/Patient/{owner}/$everything");
    let got = |query: &str| -> Vec<String> {
        let bundle = clinician.get(&format!("{target}?{query}")).expect(200).json();
        assert_eq!(bundle["total"].as_u64().unwrap() as usize, ids(&bundle).len());
        ids(&bundle)
    };
    let some = |years: &[usize]| -> Vec<String> {
        let values = years.iter().map(|at| values[*at].clone());
        [owner.clone()].into_iter().chain(values).collect()
    };
    // The patient, and what has no date, is always there.
    assert_eq!(got("start=2022"), some(&[2, 3, 4, 5]));
    assert_eq!(got("end=2021-06-15"), some(&[0, 1, 5]));
    assert_eq!(got("end=2021-06-14"), some(&[0, 5]));
    assert_eq!(got("start=2021-01-01&end=2022-12-31"), some(&[1, 2, 5]));
    assert_eq!(got("start=2021&end=2021&_type=Observation"), some(&[1, 5])[1..]);
    let third = clinician.get(&format!("/fhir/Observation/{}", values[2])).expect(200).json();
    let since = third["meta"]["lastUpdated"].as_str().unwrap();
    assert_eq!(got(&format!("_since={since}")), some(&[2, 3, 4, 5])[1..]);
    assert_eq!(got(&format!("_asOf={since}")), some(&[0, 1, 2]));
    assert_eq!(got(&format!("_asOf={since}&_since={since}")), some(&[2])[1..]);
    let mut paged = Vec::new();
    let mut page = Some(format!("{target}?start=2021&_count=2&_type=Observation"));
    while let Some(target) = page {
        let bundle = clinician.get(&target).expect(200).json();
        paged.extend(ids(&bundle));
        page = next(&bundle);
    }
    assert_eq!(paged, some(&[1, 2, 3, 4, 5])[1..]);
    let counted = clinician.get(&format!("{target}?_summary=count&_count=2")).expect(200).json();
    assert_eq!((&counted["total"], counted.get("entry")), (&json!(7), None));
}

#[test]
fn what_it_cannot_take_is_refused_by_name() {
    let clinician = shared().clinician();
    let (owner, _) = chart(&clinician);
    for (query, words) in [
        ("start=last-year", ["start", "last-year"]),
        ("end=2020-13", ["end", "2020-13"]),
        ("start=ge2020", ["start", "ge2020"]),
        ("_since=2020", ["_since", "time zone"]),
        ("_asOf=2100-01-01T00:00:00Z", ["_asOf", "future"]),
        ("_type=Observacion", ["_type", "Observacion"]),
        ("_count=x", ["_count", "number"]),
        ("code=x", ["code", "start"]),
    ] {
        let target = format!("/fhir/Patient/{owner}/$everything?{query}");
        clinician.get(&target).refused(400, &words);
    }
}

#[test]
fn meta_is_what_the_resource_says_of_itself() {
    let clinician = shared().clinician();
    let id = unique("w");
    let mut resource = practitioner(&id);
    resource["meta"] = json!({ "tag": [{ "system": "urn:x", "code": "a" }] });
    clinician.put(&resource).expect(201);
    let target = format!("/fhir/Practitioner/{id}");
    let meta = clinician.get(&format!("{target}/$meta")).expect(200);
    assert_eq!(meta.header("etag"), Some("W/\"1\""));
    let stored = clinician.get(&target).expect(200).json();
    let parameters = meta.json();
    assert_eq!(parameters["resourceType"], "Parameters");
    assert_eq!(parameters["parameter"], json!([{ "name": "return", "valueMeta": stored["meta"] }]));
    clinician.delete(&target).expect(204);
    clinician.get(&format!("{target}/$meta")).refused(410, &[&id]);
    let clerk = shared().actor("clerk", "user/Patient.rs");
    clerk.get(&format!("{target}/$meta")).refused(403, &["Practitioner"]);
}
