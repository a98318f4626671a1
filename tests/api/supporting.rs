//! What goes with everything of a patient and of an encounter (FHIR R4 OperationDefinitions Patient-everything and
//! Encounter-everything): by GET and by POST, of one and of all patients.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    Actor, Server, Setup, encounter, observation, only_access_of_request, patient, practitioner,
    shared, unique,
};

fn keys(bundle: &Value, mode: &str) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let of_mode = entries.filter(|entry| entry["search"]["mode"] == mode);
    let key = |entry: &Value| {
        let resource = &entry["resource"];
        let text = |name: &str| resource[name].as_str().unwrap().to_owned();
        format!("{}/{}", text("resourceType"), text("id"))
    };
    of_mode.map(key).collect()
}

/// All that a Bundle has, each once.
fn all(bundle: &Value) -> BTreeSet<String> {
    let (matches, includes) = (keys(bundle, "match"), keys(bundle, "include"));
    let all: BTreeSet<String> = matches.iter().chain(&includes).cloned().collect();
    assert_eq!(all.len(), matches.len() + includes.len(), "bdl-7: {bundle}");
    all
}

fn next(bundle: &Value) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let next = links.iter().find(|link| link["relation"] == "next")?["url"].as_str().unwrap();
    Some(next.get(next.find("/fhir").unwrap()..).unwrap().to_owned())
}

fn set<'a>(keys: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    keys.into_iter().cloned().collect()
}

fn to(key: &str) -> Value {
    json!({ "reference": key })
}

/// A patient who was given care by many, at a clinic.
struct Clinic {
    owner: String,
    chart: Vec<String>,
    supporting: Vec<String>,
    encounter: String,
}

fn store(actor: &Actor, resource: &Value) -> String {
    actor.put(resource).expect(201);
    let text = |name: &str| resource[name].as_str().unwrap();
    format!("{}/{}", text("resourceType"), text("id"))
}

fn clinic(actor: &Actor) -> Clinic {
    let id = |prefix: &str| unique(prefix);
    let of = |kind: &str, members: Value| {
        let mut resource = members;
        resource["resourceType"] = json!(kind);
        resource["id"] = json!(id("s"));
        store(actor, &resource)
    };
    let house = of("Organization", json!({ "name": "Trust" }));
    let ward = of("Organization", json!({ "name": "Ward", "partOf": to(&house) }));
    let doctor = store(actor, &practitioner(&id("doc")));
    let role =
        of("PractitionerRole", json!({ "practitioner": to(&doctor), "organization": to(&ward) }));
    let room = of("Location", json!({ "name": "Room", "managingOrganization": to(&ward) }));
    let drug = of("Medication", json!({ "code": { "text": "drug" } }));
    let device = of("Device", json!({ "status": "active" }));
    let scan = of("Binary", json!({ "contentType": "text/plain", "data": "eA==" }));
    // Nobody refers to it.
    store(actor, &practitioner(&id("idle")));
    let owner = id("p");
    let mut person = patient(&owner);
    person["generalPractitioner"] = json!([to(&doctor)]);
    let person = store(actor, &person);
    let mut visit = encounter(&id("v"), &owner);
    visit["participant"] = json!([{ "individual": to(&role) }]);
    visit["location"] = json!([{ "location": to(&room) }]);
    let encounter = store(actor, &visit);
    let mut value = observation(&id("o"), &owner);
    value["encounter"] = to(&encounter);
    value["device"] = to(&device);
    value["performer"] = json!([to(&doctor)]);
    let value = store(actor, &value);
    let request = of(
        "MedicationRequest",
        json!({
            "status": "active", "intent": "order", "subject": to(&person), "medicationReference": to(&drug),
        }),
    );
    let report = of(
        "DiagnosticReport",
        json!({
            "status": "final", "code": { "text": "scan" }, "subject": to(&person),
            "presentedForm": [{ "contentType": "text/plain", "url": scan }],
        }),
    );
    let chart = vec![person, encounter.clone(), value, request, report];
    let supporting = vec![house, ward, doctor, role, room, drug, device, scan];
    Clinic { owner, chart, supporting, encounter }
}

impl Clinic {
    fn whole(&self) -> BTreeSet<String> {
        set(self.chart.iter().chain(&self.supporting))
    }

    fn supporting_of(&self, kind: &str) -> impl Iterator<Item = &String> {
        let start = format!("{kind}/");
        self.supporting.iter().filter(move |key| key.starts_with(&start))
    }
}

#[test]
fn everything_comes_with_what_it_refers_to() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    // What lies in the chart of somebody else is not the patient's.
    let other = unique("other");
    clinician.put(&patient(&other)).expect(201);
    let mut mine = observation(&unique("o"), &clinic.owner);
    let foreign = store(&clinician, &observation(&unique("o"), &other));
    mine["derivedFrom"] = json!([to(&foreign)]);
    let (never, elsewhere) =
        ("Practitioner/never-there", "https://other.example/fhir/Practitioner/1");
    mine["performer"] = json!([to(never), to(elsewhere)]);
    let mine = store(&clinician, &mine);
    let request = unique("everything");
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let sent = clinician.request("GET", &target).header("x-request-id", &request);
    let bundle = sent.send().expect(200).json();
    let mut expected = clinic.whole();
    expected.insert(mine);
    assert_eq!(all(&bundle), expected);
    assert_eq!(set(&keys(&bundle, "include")), set(&clinic.supporting));
    // The total counts matches (R4 §3.1.1.5.3).
    assert_eq!(bundle["total"], keys(&bundle, "match").len());
    // Each that left is named by the one entry.
    let access = only_access_of_request(shared(), &request);
    let told = access["resources"].as_array().unwrap().iter();
    let told =
        told.map(|one| one["resource"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(told, expected);
}

#[test]
fn what_goes_with_it_is_narrowed_by_type_and_by_record() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let got = |query: &str| all(&clinician.get(&format!("{target}?{query}")).expect(200).json());
    assert_eq!(got("_type=Practitioner"), set(clinic.supporting_of("Practitioner")));
    assert_eq!(got("_type=Organization"), set(clinic.supporting_of("Organization")));
    assert_eq!(got("_type=Observation"), set([&clinic.chart[2]]));
    let both = set([&clinic.chart[0]].into_iter().chain(clinic.supporting_of("Binary")));
    assert_eq!(got("_type=Patient,Binary"), both);
    assert_eq!(got("_type=Patient&_type=Binary"), both);
    // Who was changed since then comes, though nothing else was.
    let doctor = clinic.supporting_of("Practitioner").next().unwrap();
    let mut changed = clinician.get(&format!("/fhir/{doctor}")).json();
    changed["active"] = json!(true);
    let changed = clinician.put(&changed).expect(200).json();
    let since = changed["meta"]["lastUpdated"].as_str().unwrap();
    assert_eq!(got(&format!("_since={since}")), set([doctor]));
    // As it was.
    let last = clinician.get(&format!("/fhir/{}", clinic.chart[4])).json();
    let moment = last["meta"]["lastUpdated"].as_str().unwrap();
    let then = clinician.get(&format!("{target}?_asOf={moment}")).expect(200).json();
    assert_eq!(all(&then), clinic.whole());
    let entries = then["entry"].as_array().unwrap();
    let entry = entries.iter().find(|one| one["resource"]["resourceType"] == "Practitioner");
    assert_eq!(entry.unwrap()["resource"]["meta"]["versionId"], "1");
    let first = clinician.get(&format!("/fhir/{}", clinic.chart[0])).json();
    let moment = first["meta"]["lastUpdated"].as_str().unwrap();
    let then = all(&clinician.get(&format!("{target}?_asOf={moment}")).expect(200).json());
    assert_eq!(then, set([&clinic.chart[0], doctor]));
}

#[test]
fn each_page_comes_with_what_it_refers_to_as_it_was_at_the_first() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    for count in [1, 2, 5] {
        let mut page = clinician.get(&format!("{target}?_count={count}")).expect(200).json();
        let mut found = all(&page);
        let mut matches = keys(&page, "match");
        let scan = clinic.supporting_of("Binary").next().unwrap();
        let changed = clinician.get(&format!("/fhir/{scan}")).header("etag").unwrap().to_owned();
        let mut binary: Value = json!({ "resourceType": "Binary", "contentType": "text/plain" });
        binary["id"] = json!(scan.rsplit_once('/').unwrap().1);
        binary["data"] = json!(format!("eA{count}="));
        clinician.put(&binary).expect(200);
        while let Some(next) = next(&page) {
            page = clinician.get(&next).expect(200).json();
            found.extend(all(&page));
            matches.extend(keys(&page, "match"));
            let entries = page["entry"].as_array().into_iter().flatten();
            for entry in entries.filter(|one| one["resource"]["resourceType"] == "Binary") {
                let version =
                    format!("W/\"{}\"", entry["resource"]["meta"]["versionId"].as_str().unwrap());
                assert_eq!(version, changed, "{count}");
            }
        }
        assert_eq!(found, clinic.whole(), "{count}");
        assert_eq!(matches, clinic.chart, "{count}");
    }
}

#[test]
fn a_large_chart_comes_part_by_part_with_each_once() {
    let server = Server::start();
    let clinician = server.clinician();
    let clinic = clinic(&clinician);
    let doctor = clinic.supporting_of("Practitioner").next().unwrap();
    let mut expected = clinic.whole();
    // A listed entry names twenty.
    for at in 0..3 {
        let mut value = observation(&format!("large-{at}"), &clinic.owner);
        value["note"] = json!([{ "text": "x".repeat(700_000) }]);
        let own = store(&clinician, &practitioner(&format!("own-{at}")));
        value["performer"] = json!([to(doctor), to(&own)]);
        expected.extend([store(&clinician, &value), own]);
    }
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let sent = clinician.request("GET", &target).header("x-request-id", "large");
    assert_eq!(all(&sent.send().expect(200).json()), expected);
    let access = only_access_of_request(&server, "large");
    let told = access["resources"].as_array().unwrap().iter();
    let told =
        told.map(|one| one["resource"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(told, expected);
}

#[test]
fn only_what_the_token_may_read_goes_with_it() {
    let clinic = clinic(&shared().clinician());
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let chart = |kinds: &[&str]| {
        let is_of = |key: &&String| kinds.contains(&key.split_once('/').unwrap().0);
        set(clinic.chart.iter().chain(&clinic.supporting).filter(is_of))
    };
    for (scope, own, kinds) in [
        ("user/Patient.rs", None, &["Patient"][..]),
        (
            "user/Patient.rs user/Observation.rs user/Device.r",
            None,
            &["Patient", "Observation", "Device"],
        ),
        // Without the role, which may not be read, what it refers to is not led to.
        ("user/Encounter.rs user/Organization.rs", None, &["Encounter"]),
        (
            "user/Encounter.rs user/Location.rs user/Organization.rs",
            None,
            &["Encounter", "Location", "Organization"],
        ),
    ] {
        let actor = shared().with_token(shared().token("narrow", scope, own));
        assert_eq!(all(&actor.get(&target).expect(200).json()), chart(kinds), "{scope}");
    }
    // A token of one patient reaches that chart, and what it is granted beside.
    let app = |scope: &str| shared().with_token(shared().token("app", scope, Some(&clinic.owner)));
    let own = app("patient/*.rs").get(&target).expect(200).json();
    assert_eq!(all(&own), set(&clinic.chart));
    let beside = app("patient/*.rs user/Practitioner.r").get(&target).expect(200).json();
    let doctors = clinic.supporting_of("Practitioner");
    assert_eq!(all(&beside), set(clinic.chart.iter().chain(doctors)));
}

#[test]
fn of_a_deleted_patient_there_is_nothing_and_of_an_unknown_one_neither() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let before = clinician.get(&format!("/fhir/{}", clinic.chart[4])).json();
    let before = before["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let page = clinician.get(&format!("{target}?_count=1")).expect(200).json();
    clinician.delete(&format!("/fhir/Patient/{}", clinic.owner)).expect(204);
    clinician.get(&target).refused(410, &[&clinic.owner]);
    clinician.request("POST", &target).send().refused(410, &[&clinic.owner]);
    // Before that, there was.
    clinician.get(&format!("{target}?_asOf={before}")).expect(200);
    clinician.get(&next(&page).unwrap()).expect(200);
    let unknown = unique("unknown");
    clinician.get(&format!("/fhir/Patient/{unknown}/$everything")).refused(404, &[&unknown]);
    // Others may refer to a patient who is not there.
    clinician.put(&observation(&unique("o"), &unknown)).expect(201);
    clinician.get(&format!("/fhir/Patient/{unknown}/$everything")).refused(404, &[&unknown]);
    let visit = clinic.encounter;
    clinician.get(&format!("/fhir/Encounter/{unknown}/$everything")).refused(404, &[&unknown]);
    clinician.delete(&format!("/fhir/{visit}")).expect(204);
    clinician.get(&format!("/fhir/{visit}/$everything")).refused(410, &[&visit]);
}

#[test]
fn parameters_may_stand_in_the_body() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    let target = format!("/fhir/Patient/{}/$everything", clinic.owner);
    let whole = clinician.request("POST", &target).send().expect(200).json();
    assert_eq!(all(&whole), clinic.whole());
    let body = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "_type", "valueCode": "Practitioner" },
        { "name": "_type", "valueCode": "Observation,Patient" },
        { "name": "_count", "valueInteger": 1 },
        { "name": "start", "valueDate": "2000-01-01" },
    ] });
    let mut page = clinician.post(&target, &body).expect(200).json();
    let mut found = all(&page);
    while let Some(next) = next(&page) {
        page = clinician.get(&next).expect(200).json();
        found.extend(all(&page));
    }
    let some = [&clinic.chart[0], &clinic.chart[2]];
    assert_eq!(found, set(some.into_iter().chain(clinic.supporting_of("Practitioner"))));
    for (name, value) in [("_type", "Observacion"), ("_count", "x"), ("code", "x"), ("start", "x")]
    {
        let body = json!({ "resourceType": "Parameters", "parameter": [{ "name": name, "valueString": value }] });
        clinician.post(&target, &body).refused(400, &[name]);
    }
    clinician.post(&target, &patient("p")).refused(400, &["Parameters"]);
}

#[test]
fn everything_of_an_encounter_is_its_compartment_with_what_that_refers_to() {
    let clinician = shared().clinician();
    let clinic = clinic(&clinician);
    // Of another visit.
    let other = store(&clinician, &encounter(&unique("v"), &clinic.owner));
    let mut value = observation(&unique("o"), &clinic.owner);
    value["encounter"] = to(&other);
    store(&clinician, &value);
    let target = format!("/fhir/{}/$everything", clinic.encounter);
    let not = |kind: &str| format!("{kind}/");
    let without = [not("Medication"), not("Binary")];
    let supporting =
        clinic.supporting.iter().filter(|key| !without.iter().any(|kind| key.starts_with(kind)));
    let expected = set(clinic.chart[..3].iter().chain(supporting));
    for method in ["GET", "POST"] {
        let request = unique("visit");
        let sent = clinician.request(method, &target).header("x-request-id", &request);
        let bundle = sent.send().expect(200).json();
        assert_eq!(all(&bundle), expected);
        assert_eq!(set(&keys(&bundle, "match")), set(&clinic.chart[1..3]));
        let access = only_access_of_request(shared(), &request);
        assert_eq!(access["resources"].as_array().unwrap().len(), expected.len());
    }
    let mut page = clinician.get(&format!("{target}?_count=1")).expect(200).json();
    let mut found = all(&page);
    while let Some(next) = next(&page) {
        page = clinician.get(&next).expect(200).json();
        found.extend(all(&page));
    }
    assert_eq!(found, expected);
    let got = |query: &str| all(&clinician.get(&format!("{target}?{query}")).expect(200).json());
    assert_eq!(got("_type=Practitioner"), set(clinic.supporting_of("Practitioner")));
    assert_eq!(got("_type=Encounter,Observation"), set(&clinic.chart[1..3]));
    assert_eq!(got("_since=2999-01-01T00:00:00Z"), BTreeSet::new());
    clinician.get(&format!("{target}?start=2020")).refused(400, &["start"]);
    let narrow = shared().actor("narrow", "user/Encounter.rs");
    assert_eq!(all(&narrow.get(&target).expect(200).json()), set([&clinic.encounter]));
    shared().actor("narrow", "user/Observation.rs").get(&target).refused(403, &["Encounter"]);
}

#[test]
fn without_an_id_it_is_of_the_patient_of_the_token_or_of_all() {
    let server = Setup::default().start();
    let clinician = server.clinician();
    let clinics = [clinic(&clinician), clinic(&clinician), clinic(&clinician)];
    let own = server.with_token(server.token("app", "patient/*.rs", Some(&clinics[1].owner)));
    for method in ["GET", "POST"] {
        let bundle = own.request(method, "/fhir/Patient/$everything").send().expect(200).json();
        assert_eq!(all(&bundle), set(&clinics[1].chart));
    }
    let gone = server.with_token(server.token("app", "patient/*.rs", Some("nobody")));
    gone.get("/fhir/Patient/$everything").refused(404, &[]);
    for query in ["", "?_count=2", "?_type=Patient,Practitioner"] {
        let mut page =
            clinician.get(&format!("/fhir/Patient/$everything{query}")).expect(200).json();
        let mut found = all(&page);
        let mut matches = keys(&page, "match");
        while let Some(next) = next(&page) {
            page = clinician.get(&next).expect(200).json();
            // Each page is about one.
            let owners =
                keys(&page, "match").iter().filter(|key| key.starts_with("Patient/")).count();
            assert!(owners <= 1);
            found.extend(all(&page));
            matches.extend(keys(&page, "match"));
        }
        let whole = clinics.iter().flat_map(Clinic::whole);
        let is_of_type = |key: &String| {
            !query.contains("_type")
                || key.starts_with("Patient/")
                || key.starts_with("Practitioner/")
        };
        assert_eq!(found, whole.filter(is_of_type).collect(), "{query}");
        assert_eq!(matches.len(), set(&matches).len(), "{query}");
    }
    clinician.get("/fhir/Patient/$everything?_asOf=2020-01-01T00:00:00Z").refused(400, &["_asOf"]);
    clinician.get("/fhir/Patient/$everything?_summary=count").refused(400, &["_summary"]);
    server
        .actor("clerk", "user/Observation.rs")
        .get("/fhir/Patient/$everything")
        .refused(403, &["Patient"]);
}

#[test]
fn the_statement_names_it_where_it_is() {
    let statement = shared().anonymous().get("/fhir/metadata").expect(200).json();
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let kind = resource["type"].as_str().unwrap();
        let operations = resource["operation"].as_array().into_iter().flatten();
        let everything = operations.filter(|one| one["name"] == "everything");
        let defined: Vec<_> = everything.map(|one| one["definition"].as_str().unwrap()).collect();
        let expected: &[&str] = match kind {
            "Patient" => &["http://hl7.org/fhir/OperationDefinition/Patient-everything"],
            "Encounter" => &["http://hl7.org/fhir/OperationDefinition/Encounter-everything"],
            _ => &[],
        };
        assert_eq!(defined, expected, "{kind}");
    }
}
