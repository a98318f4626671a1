//! Histories of one resource, of a type, and of everything.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Actor, Server, observation, patient, practitioner, shared, unique};

/// A version, as the histories of the single resources tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    key: String,
    version: String,
    /// Microseconds since 1970.
    time: i64,
    live: bool,
}

fn micros(instant: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(instant).unwrap().timestamp_micros()
}

fn told(entry: &Value) -> Told {
    let (request, response) = (&entry["request"], &entry["response"]);
    let etag = response["etag"].as_str().unwrap();
    let version = etag.trim_start_matches("W/\"").trim_end_matches('"').to_owned();
    let key = request["url"].as_str().unwrap().to_owned();
    let time = response["lastModified"].as_str().unwrap();
    let live = entry.get("resource").is_some();
    assert_eq!(live, request["method"] != "DELETE", "{entry}");
    assert!(entry["fullUrl"].as_str().unwrap().ends_with(&key), "{entry}");
    if live {
        let meta = &entry["resource"]["meta"];
        assert_eq!((&meta["versionId"], &meta["lastUpdated"]), (&json!(version), &json!(time)));
        let resource = &entry["resource"];
        let named = format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        assert_eq!(named, key);
    }
    Told { key, version, time: micros(time), live }
}

/// All pages of a history, by their links.
fn walk(actor: &Actor, target: &str) -> Vec<Told> {
    let mut all = Vec::new();
    let mut target = target.to_owned();
    loop {
        let bundle = actor.get(&target).expect(200).json();
        assert_eq!(bundle["type"], "history");
        all.extend(bundle["entry"].as_array().into_iter().flatten().map(told));
        match next(&bundle) {
            Some(next) => target = next,
            None => return all,
        }
    }
}

fn next(bundle: &Value) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let next = links.iter().find(|link| link["relation"] == "next")?;
    let url = next["url"].as_str().unwrap();
    Some(url.get(url.find("/fhir").unwrap()..).unwrap().to_owned())
}

/// A server with several resources of two types and their versions, among them deletions and
/// resources that came back; with what the histories of the single resources say, newest first.
fn clinic() -> (Server, Vec<Told>) {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&patient("p")).expect(201);
    for round in 0..6 {
        for id in 0..5 {
            let id = format!("o{id}");
            let mut resource = observation(&id, "p");
            resource["valueQuantity"]["value"] = json!(round);
            // Every resource goes another way.
            match (round + id.len() + usize::from(id.as_bytes()[1]) * round) % 5 {
                0 if round > 0 => drop(clinician.delete(&format!("/fhir/Observation/{id}"))),
                3 => {}
                _ => drop(clinician.put(&resource)),
            }
        }
        let mut resource = practitioner("w");
        resource["name"][0]["family"] = json!(format!("Weiss-{round}"));
        clinician.put(&resource);
    }
    let keys = (0..5).map(|id| format!("Observation/o{id}"));
    let keys = keys.chain(["Patient/p".to_owned(), "Practitioner/w".to_owned()]);
    let mut all: Vec<Told> =
        keys.flat_map(|key| walk(&clinician, &format!("/fhir/{key}/_history?_count=3"))).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.time));
    (server, all)
}

/// The versions among `all` that `_since` and `_at` ask for: by their definition, one by one.
fn expected(all: &[Told], since: Option<i64>, at: Option<(i64, i64)>) -> Vec<Told> {
    let mut later: BTreeMap<&str, i64> = BTreeMap::new();
    let mut wanted = Vec::new();
    for one in all {
        // It was current from its time to that of the next version.
        let until = later.insert(&one.key, one.time).unwrap_or(i64::MAX);
        let is_since = since.is_none_or(|since| one.time >= since);
        let is_at = at.is_none_or(|(from, end)| {
            let recorded_then = from <= one.time && one.time < end;
            recorded_then || one.live && one.time < end && from < until
        });
        if is_since && is_at {
            wanted.push(one.clone());
        }
    }
    wanted
}

fn instant(micros: i64) -> String {
    let instant = chrono::DateTime::from_timestamp_micros(micros).unwrap();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[test]
fn every_level_tells_every_version_newest_first_whatever_the_size_of_a_page() {
    let (server, all) = clinic();
    let clinician = server.clinician();
    assert!(all.iter().any(|one| !one.live) && all.len() > 20, "{all:?}");
    let of = |prefix: &str| -> Vec<Told> {
        all.iter().filter(|one| one.key.starts_with(prefix)).cloned().collect()
    };
    for count in [1, 2, 7, 1_000] {
        assert_eq!(walk(&clinician, &format!("/fhir/_history?_count={count}")), all);
        let observations = walk(&clinician, &format!("/fhir/Observation/_history?_count={count}"));
        assert_eq!(observations, of("Observation/"));
        let one = walk(&clinician, &format!("/fhir/Observation/o1/_history?_count={count}"));
        assert_eq!(one, of("Observation/o1"));
    }
    let versions: Vec<String> = of("Practitioner/w").into_iter().map(|one| one.version).collect();
    assert_eq!(versions, ["6", "5", "4", "3", "2", "1"]);
    let bundle = clinician.get("/fhir/Practitioner/w/_history?_count=2").expect(200).json();
    assert_eq!(bundle["total"], 6);
    assert_eq!(walk(&clinician, "/fhir/Basic/_history"), []);
}

#[test]
fn since_and_at_give_what_their_definition_says() {
    let (server, all) = clinic();
    let clinician = server.clinician();
    let (newest, oldest) = (all[0].time, all[all.len() - 1].time);
    let middle = all[all.len() / 2].time;
    let levels = ["", "/Observation", "/Observation/o1", "/Practitioner/w"];
    let of = |level: &str, told: Vec<Told>| -> Vec<Told> {
        told.into_iter()
            .filter(|one| format!("/{}/", one.key).contains(&format!("{level}/")))
            .collect()
    };
    let mut compared = 0;
    for since in [oldest - 1, oldest, middle - 1, middle, middle + 1, newest, newest + 1] {
        for level in levels {
            let target = format!("/fhir{level}/_history?_count=4&_since={}", instant(since));
            assert_eq!(
                walk(&clinician, &target),
                of(level, expected(&all, Some(since), None)),
                "{target}"
            );
        }
    }
    let mut periods = vec![];
    for time in all.iter().step_by(3).map(|one| one.time).chain([oldest - 5, newest + 5]) {
        // The same moment with the precision of 1 µs, of 1 ms and of 10 ms.
        for (digits, width) in [(6, 1), (3, 1_000), (2, 10_000)] {
            let from = time.div_euclid(width) * width;
            let text = instant(from);
            let text = format!("{}Z", text.get(..20 + digits).unwrap());
            periods.push((text, from, from + width));
        }
    }
    let year = instant(newest).get(..4).unwrap().to_owned();
    periods.push((year.clone(), micros(&format!("{year}-01-01T00:00:00Z")), i64::MAX));
    periods.push(("2001".to_owned(), 0, 1));
    for (text, from, until) in periods {
        for level in levels {
            for since in [None, Some(middle)] {
                let since_text = since.map(|since| format!("&_since={}", instant(since)));
                let target = format!(
                    "/fhir{level}/_history?_count=4&_at={text}{}",
                    since_text.unwrap_or_default()
                );
                let expected = of(level, expected(&all, since, Some((from, until))));
                compared += usize::from(!expected.is_empty());
                assert_eq!(walk(&clinician, &target), expected, "{target}");
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn pages_have_neither_gaps_nor_repeats_while_others_write() {
    let (server, all) = clinic();
    let clinician = server.clinician();
    let at = format!("_at={}", instant(all[0].time).get(..4).unwrap());
    for level in ["", "/Observation", "/Practitioner/w"] {
        for filter in ["", &at] {
            let before = walk(&clinician, &format!("/fhir{level}/_history?{filter}"));
            let mut target = format!("/fhir{level}/_history?_count=8&{filter}");
            let mut seen = Vec::new();
            for round in 0.. {
                let bundle = clinician.get(&target).expect(200).json();
                seen.extend(bundle["entry"].as_array().unwrap().iter().map(told));
                let total = bundle.get("total").and_then(Value::as_u64);
                let is_one = level == "/Practitioner/w";
                assert_eq!(total, is_one.then_some(before.len() as u64), "{bundle}");
                // Resources that are still to come move on between two pages.
                let mut resource = practitioner("w");
                resource["name"][0]["family"] = json!(unique("round"));
                clinician.put(&resource).expect(200);
                let mut resource = observation("o1", "p");
                resource["valueQuantity"]["value"] = json!(1_000 + round);
                clinician.put(&resource);
                match next(&bundle) {
                    Some(next) => target = next,
                    None => break,
                }
            }
            assert_eq!(seen, before, "{level} {filter}");
        }
    }
}

#[test]
fn what_a_history_cannot_take_is_refused_by_name() {
    let clinician = shared().clinician();
    for level in ["", "/Observation", &format!("/Patient/{}", stored(&clinician))] {
        let refused = |query: &str, words: &[&str]| {
            clinician.get(&format!("/fhir{level}/_history?{query}")).refused(400, words);
        };
        refused("_since=yesterday", &["_since", "yesterday", "time zone"]);
        refused("_since=2026-01-01T00:00:00+01:00", &["_since", "%2B"]);
        refused("_at=2026-13", &["_at", "2026-13", "YYYY-MM"]);
        refused("_sort=_lastUpdated", &["_sort", "-_lastUpdated"]);
        refused("_count=many", &["_count"]);
        refused("_cursor=AAAA", &["_cursor"]);
        refused("code=x", &["code"]);
        clinician.get(&format!("/fhir{level}/_history?_sort=-_lastUpdated&_count=1")).expect(200);
    }
    clinician.get(&format!("/fhir/Patient/{}/_history", unique("never"))).refused(404, &[]);
    clinician.get("/fhir/Nothing/_history").refused(404, &["Nothing"]);
}

fn stored(clinician: &Actor) -> String {
    let id = unique("p");
    clinician.put(&patient(&id)).expect(201);
    id
}

#[test]
fn only_what_a_token_may_search_is_told() {
    let server = Server::start();
    let clinician = server.clinician();
    for id in ["a", "b"] {
        clinician.put(&patient(id)).expect(201);
        clinician.put(&observation(&format!("of-{id}"), id)).expect(201);
    }
    clinician.put(&practitioner("w")).expect(201);
    // It moves from one chart to the other, and is deleted there.
    clinician.put(&observation("moves", "a")).expect(201);
    clinician.put(&observation("moves", "b")).expect(200);
    clinician.delete("/fhir/Observation/moves").expect(204);
    let keys = |actor: &Actor, target: &str| -> Vec<String> {
        let told = walk(actor, target);
        told.into_iter().map(|one| format!("{} {}", one.key, one.version)).collect()
    };
    let all = keys(&clinician, "/fhir/_history");
    assert_eq!(all.len(), 8, "{all:?}");
    let own = server.patient_app("a");
    let seen = ["Observation/moves 1", "Observation/of-a 1", "Patient/a 1"];
    assert_eq!(keys(&own, "/fhir/_history?_count=1"), seen);
    assert_eq!(keys(&own, "/fhir/Observation/_history"), seen[..2]);
    assert_eq!(keys(&own, "/fhir/Practitioner/_history"), [""; 0]);
    let other = server.patient_app("b");
    let seen = ["Observation/moves 3", "Observation/moves 2", "Observation/of-b 1", "Patient/b 1"];
    assert_eq!(keys(&other, "/fhir/_history"), seen);
    let directory = server.actor("clerk", "user/Practitioner.rs user/Patient.r");
    assert_eq!(keys(&directory, "/fhir/_history"), ["Practitioner/w 1"]);
    directory.get("/fhir/Observation/_history").refused(403, &["Observation"]);
    directory.get("/fhir/Patient/_history").refused(403, &["Patient"]);
    let nobody = server.actor("nobody", "user/*.cru");
    nobody.get("/fhir/_history").refused(403, &["any type"]);
}

#[test]
fn an_erased_chart_leaves_no_versions() {
    let server = Server::start();
    let clinician = server.clinician();
    for id in ["a", "b"] {
        clinician.put(&patient(id)).expect(201);
        clinician.put(&observation(&format!("of-{id}"), id)).expect(201);
    }
    let reasons = json!({ "reason": "test", "basis": "none" });
    server.entitled().post("/v1/patients/a/erasure", &reasons).expect(200);
    let told = walk(&clinician, "/fhir/_history");
    let keys: Vec<&str> = told.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["Observation/of-b", "Patient/b"]);
}
