//! Scopes that are restricted to what a search finds: each door shows exactly the resources of which the criteria of
//! one scope hold, and each entry names exactly what left.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::{Actor, Response, Server, bundle, entry, guard};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// Id, patient, category, code, date, security label.
const OBSERVATIONS: [(&str, &str, &str, &str, &str, &str); 7] = [
    ("o1", "p", "laboratory", "k", "2020-01-01", "N"),
    ("o2", "p", "laboratory", "na", "2021-01-01", "R"),
    ("o3", "p", "vital-signs", "hr", "2022-01-01", "N"),
    ("o4", "p", "survey", "phq", "2023-01-01", "R"),
    ("o5", "q", "laboratory", "k", "2020-01-01", "N"),
    ("o6", "q", "vital-signs", "hr", "2022-01-01", "N"),
    ("o7", "r", "survey", "phq", "2023-01-01", "N"),
];

/// Id, patient, category.
const CONDITIONS: [(&str, &str, &str); 3] = [
    ("c1", "p", "problem-list-item"),
    ("c2", "p", "encounter-diagnosis"),
    ("c3", "q", "problem-list-item"),
];

fn observation(id: &str, patient: &str, category: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{ "coding": [{ "system": CATEGORY, "code": category }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": code }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "performer": [{ "reference": "Practitioner/w" }],
    })
}

/// Four patients with linked data, one of them without any.
static CLINIC: LazyLock<Server> = LazyLock::new(|| {
    let server = Server::start();
    guard(&server);
    let clinician = server.clinician();
    clinician.put(&json!({ "resourceType": "Practitioner", "id": "w" })).expect(201);
    for (id, birth) in [("p", "1950"), ("q", "1980"), ("r", "2001"), ("s", "2010")] {
        let name = json!([{ "family": format!("Fam{id}") }]);
        let patient =
            json!({ "resourceType": "Patient", "id": id, "birthDate": birth, "name": name });
        clinician.put(&patient).expect(201);
    }
    for (id, patient, category, code, date, label) in OBSERVATIONS {
        let mut one = observation(id, patient, category, code);
        one["effectiveDateTime"] = date.into();
        one["meta"] = json!({ "security": [{ "system": "urn:label", "code": label }] });
        clinician.put(&one).expect(201);
    }
    for (id, patient, category) in CONDITIONS {
        let one = json!({
            "resourceType": "Condition", "id": id,
            "category": [{ "coding": [{ "code": category }] }],
            "subject": { "reference": format!("Patient/{patient}") },
            "evidence": [{ "detail": [{ "reference": "Observation/o3" }] }],
        });
        clinician.put(&one).expect(201);
    }
    // Version 1 of this one was of another category; it was deleted once.
    clinician.put(&observation("o8", "p", "survey", "k")).expect(201);
    clinician.put(&observation("o8", "p", "laboratory", "k")).expect(200);
    clinician.put(&observation("o9", "p", "laboratory", "k")).expect(201);
    clinician.delete("/fhir/Observation/o9").expect(204);
    server
});

fn app(scope: &str, patient: Option<&str>) -> Actor {
    CLINIC.with_token(CLINIC.token("app", scope, patient))
}

/// `Type/id` of all entries of a Bundle, of any mode, and of Bundles in it.
fn ids(answer: &Response) -> BTreeSet<String> {
    fn gather(bundle: &Value, into: &mut BTreeSet<String>) {
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            match resource["resourceType"].as_str() {
                Some("Bundle") => gather(resource, into),
                Some(kind) => {
                    into.insert(format!("{kind}/{}", resource["id"].as_str().unwrap()));
                }
                None => {}
            }
        }
    }
    let mut all = BTreeSet::new();
    gather(&answer.json(), &mut all);
    all
}

fn of(list: &str) -> BTreeSet<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// Scope, patient of the launch, query, and what it finds; `403`: it is refused.
const SEARCHES: &str = include_str!("restricted.tsv");

#[test]
fn each_search_finds_exactly_what_one_of_the_scopes_grants() {
    let mut rows = 0;
    for line in SEARCHES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [scope, patient, query, expected] = columns[..] else { panic!("{line:?}") };
        rows += 1;
        let app = app(scope, Some(patient).filter(|patient| *patient != "-"));
        let answer = app.get(&format!("/fhir/{query}"));
        if expected == "403" {
            answer.expect(403);
            continue;
        }
        let expected = of(expected.trim_matches('-'));
        let bundle = answer.expect(200);
        let found: BTreeSet<String> = ids(&bundle)
            .into_iter()
            .map(|key| key.rsplit_once('/').unwrap().1.to_owned())
            .collect();
        assert_eq!(found, expected, "{line}");
        // The whole body, links and all, names nobody else.
        for (id, ..) in OBSERVATIONS {
            let named = bundle.text().contains(&format!("Observation/{id}\""));
            let may_name = expected.contains(id) || query.contains(id) || id == "o3";
            assert!(!named || may_name, "{id}: {line}\n{}", bundle.text());
        }
        let counted = app.get(&format!("/fhir/{query}{}_summary=count", separator(query)));
        if !query.contains("include") && !query.contains("_history") {
            let total = counted.expect(200).json()["total"].as_u64().unwrap();
            assert_eq!(total, expected.len() as u64, "{line}");
        }
        // One by one: pages are full, and their links keep to the scope.
        let mut walked = BTreeSet::new();
        let mut next = Some(format!("/fhir/{query}{}_count=1", separator(query)));
        while let Some(url) = next {
            let page = app.get(&url).expect(200);
            walked.extend(ids(&page).iter().map(|key| key.rsplit_once('/').unwrap().1.to_owned()));
            let json = page.json();
            let links = json["link"].as_array().unwrap();
            let link = links.iter().find(|link| link["relation"] == "next");
            next = link.map(|link| {
                let url = link["url"].as_str().unwrap();
                url[url.find("/fhir").unwrap()..].to_owned()
            });
        }
        assert_eq!(walked, expected, "page by page: {line}");
    }
    assert!(rows >= 100, "{rows}");
}

fn separator(query: &str) -> char {
    if query.contains('?') { '&' } else { '?' }
}

/// Tokens, and the Observations that they reach.
const LABORATORY: [(&str, Option<&str>, &str); 4] = [
    ("patient/Observation.rs?category=laboratory", Some("p"), "o1 o2 o8"),
    ("user/Observation.rs?category=laboratory", None, "o1 o2 o5 o8"),
    ("user/Observation.rs?category=laboratory&code=k", None, "o1 o5 o8"),
    ("user/Observation.rs?_security=R user/Observation.rs?code=hr", None, "o2 o3 o4 o6"),
];

#[test]
fn a_read_shows_what_is_granted_and_hides_the_rest_as_if_it_did_not_exist() {
    for (scope, patient, reached) in LABORATORY {
        let (app, reached) = (app(scope, patient), of(reached));
        for id in OBSERVATIONS.iter().map(|one| one.0).chain(["o8", "o9", "nobody"]) {
            for url in ["", "/_history/1", "/_history"] {
                let answer = app.get(&format!("/fhir/Observation/{id}{url}"));
                // The first version of o8 was of another category.
                let is_reached = reached.contains(id) && !(id == "o8" && url == "/_history/1");
                let status = if is_reached { 200 } else { 404 };
                // o9 was of the laboratory before it was deleted.
                let was = id == "o9" && scope.contains("laboratory") && !url.is_empty();
                if was {
                    answer.expect(200);
                } else {
                    assert_eq!(answer.status, status, "{scope} {id}{url}: {}", answer.text());
                }
            }
        }
        let history = app.get("/fhir/Observation/o8/_history").json();
        if reached.contains("o8") {
            assert_eq!(history["total"], 1, "{history}");
        }
        let all = app.get("/fhir/Observation/_history").expect(200);
        let mut expected: BTreeSet<String> =
            reached.iter().map(|id| format!("Observation/{id}")).collect();
        if scope.contains("laboratory") {
            expected.insert("Observation/o9".to_owned());
        }
        assert_eq!(ids(&all), expected, "{scope}");
    }
}

#[test]
fn a_chart_is_narrowed_to_what_is_granted() {
    let scope = "patient/Observation.rs?category=laboratory patient/Patient.rs";
    let app = app(scope, Some("p"));
    let expected = of("Patient/p Observation/o1 Observation/o2 Observation/o8");
    let everything = app.get("/fhir/Patient/p/$everything").expect(200);
    assert_eq!(ids(&everything), expected);
    assert_eq!(everything.json()["total"], expected.len());
    let keys = |list: &Value| -> BTreeSet<String> {
        let resources = list.as_array().unwrap().iter();
        let key = |one: &Value| {
            format!("{}/{}", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap())
        };
        resources.map(key).collect()
    };
    assert_eq!(keys(&app.chart("p", "")["resources"]), expected);
    let difference = app.get("/v1/patients/p/diff?from=0").expect(200);
    for hidden in ["o3", "o4", "c1", "c2"] {
        assert!(!difference.text().contains(&format!("/{hidden}\"")), "{}", difference.text());
    }
    // Of events those that bring what is granted; of a deletion nothing is known.
    let events = app.get("/v1/patients/p/events").expect(200).json();
    let told =
        events["events"].as_array().unwrap().iter().filter_map(|one| one["resource"].as_str());
    assert_eq!(told.map(str::to_owned).collect::<BTreeSet<_>>(), &expected | &of("Observation/o9"));
    assert!(!events.to_string().contains("removed"), "{events}");
    app.get("/fhir/Patient/q/$everything").expect(403);
}

#[test]
fn entries_name_exactly_what_left() {
    let app = CLINIC.with_token(CLINIC.token(
        "exact",
        "user/Observation.rs?category=laboratory user/Patient.rs",
        None,
    ));
    app.get("/fhir/Observation?_include=Observation:subject&code=k").expect(200);
    let accesses = CLINIC.auditor().get("/v1/accesses?actor=exact").expect(200).json();
    let entry = &accesses["accesses"][0];
    let left: BTreeSet<String> = entry["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["resource"].as_str().unwrap().to_owned())
        .collect();
    let expected = of("Observation/o1 Observation/o5 Observation/o8 Patient/p Patient/q");
    assert_eq!(left, expected, "{entry}");
}

#[test]
fn a_write_needs_a_right_on_what_is_there_and_on_what_will_be() {
    let server = Server::start();
    let clinician = server.clinician();
    clinician.put(&json!({ "resourceType": "Patient", "id": "p" })).expect(201);
    clinician.put(&json!({ "resourceType": "Practitioner", "id": "w" })).expect(201);
    clinician.put(&observation("lab", "p", "laboratory", "k")).expect(201);
    clinician.put(&observation("vital", "p", "vital-signs", "hr")).expect(201);
    let scope = "user/Observation.cruds?category=laboratory";
    let app = server.with_token(server.token("app", scope, None));
    app.put(&observation("new", "p", "laboratory", "na")).expect(201);
    app.put(&observation("new", "p", "laboratory", "k")).expect(200);
    app.put(&observation("other", "p", "vital-signs", "hr")).expect(403);
    // Neither out of what is granted nor into it.
    app.put(&observation("new", "p", "vital-signs", "hr")).expect(403);
    app.put(&observation("vital", "p", "laboratory", "hr")).expect(404);
    app.delete("/fhir/Observation/vital").expect(404);
    let patch = |actor: &Actor, id: &str, path: &str, value: &str| {
        let patch = json!([{ "op": "replace", "path": path, "value": value }]);
        let url = format!("/fhir/Observation/{id}");
        let request = actor.request("PATCH", &url);
        request
            .header("content-type", "application/json-patch+json")
            .bytes(patch.to_string())
            .send()
    };
    patch(&app, "vital", "/status", "amended").expect(404);
    patch(&app, "new", "/status", "amended").expect(200);
    patch(&app, "new", "/category/0/coding/0/code", "survey").expect(403);
    app.post("/fhir/Observation", &observation("x", "p", "survey", "phq")).expect(403);
    app.post("/fhir/Observation", &observation("x", "p", "laboratory", "k")).expect(201);
    // Criteria need the right to search, and find what is granted alone.
    let without =
        server.with_token(server.token("app", "user/Observation.cu?category=laboratory", None));
    for (app, status) in [(&without, 403), (&app, 201)] {
        let conditional = app.request("PUT", "/fhir/Observation?code=hr");
        conditional.json(&observation("found", "p", "laboratory", "hr")).send().expect(status);
    }
    let transaction = bundle(
        "transaction",
        &[
            entry("PUT", "Observation/lab", observation("lab", "p", "laboratory", "na")),
            entry("DELETE", "Observation/vital", Value::Null),
        ],
    );
    app.post("/fhir", &transaction).expect(404);
    let lab = clinician.get("/fhir/Observation/lab").expect(200);
    assert_eq!(lab.json()["meta"]["versionId"], "1");
    app.delete("/fhir/Observation/new").expect(204);
}

#[test]
fn a_foreign_resource_answers_if_match_like_an_absent_one() {
    let server = Server::start();
    let clinician = server.clinician();
    for id in ["own", "foreign"] {
        clinician.put(&json!({ "resourceType": "Patient", "id": id })).expect(201);
    }
    clinician.put(&observation("there-yes", "foreign", "laboratory", "k")).expect(201);
    let app = server.with_token(server.token("app", "patient/*.cruds", Some("own")));
    for tag in ["W/\"1\"", "W/\"2\""] {
        let put = |id: &str| {
            let url = format!("/fhir/Observation/{id}");
            let put = app.request("PUT", &url).header("if-match", tag);
            let answer = put.json(&observation(id, "own", "laboratory", "k")).send();
            (answer.status, answer.text().replace(id, "ID"))
        };
        let (foreign, absent) = (put("there-yes"), put("there-not"));
        let request = |text: &str| text.split("\"id\"").next().unwrap().to_owned();
        assert_eq!((foreign.0, request(&foreign.1)), (absent.0, request(&absent.1)));
        assert_eq!(foreign.0, 412);
    }
}
