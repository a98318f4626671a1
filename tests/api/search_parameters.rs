//! Search parameters that clients define, and searches of the past over HTTP.

use serde_json::{Value, json};

use crate::harness::{Actor, Response, Server, observation, patient, shared, unique};

fn marital(status: &str) -> Value {
    json!({
        "resourceType": "SearchParameter", "id": "marital", "url": "https://clinic.example/marital",
        "name": "Marital", "status": status, "description": "Marital status", "code": "marital",
        "base": ["Patient"], "type": "token", "expression": "Patient.maritalStatus",
    })
}

fn married(id: &str, code: &str) -> Value {
    let mut patient = patient(id);
    patient["maritalStatus"] = json!({ "coding": [{ "system": "urn:marital", "code": code }] });
    patient
}

/// Asks until the search is answered otherwise than by "is being built".
fn when_built(
    clinician: &Actor,
    target: &str,
    mut done: impl FnMut(&Response) -> bool,
) -> Response {
    loop {
        let response = clinician.get(target);
        if done(&response) {
            return response;
        }
        assert!([200, 400, 503].contains(&response.status), "{}", response.status);
        std::thread::yield_now();
    }
}

#[test]
fn a_parameter_that_a_client_defines_finds_what_was_stored_before_and_after() {
    let server = Server::start();
    let clinician = server.entitled();
    clinician.put(&married("before", "M")).expect(201);
    clinician.put(&married("other", "S")).expect(201);
    clinician.get("/fhir/Patient?marital=M").refused(400, &["marital", "no search parameter"]);
    clinician.put(&marital("draft")).expect(201);
    clinician.get("/fhir/Patient?marital=M").refused(400, &["marital"]);
    clinician.put(&marital("active")).expect(200);
    // Until it is built, the answer says so.
    let mut asked = 0;
    let built = when_built(&clinician, "/fhir/Patient?marital=urn:marital|M", |response| {
        asked += 1;
        if response.status == 503 {
            assert!(response.text().contains("is being built"), "{}", response.text());
        }
        // Writes go on meanwhile, and are found as well.
        clinician.put(&married(&format!("meanwhile-{asked}"), "M")).expect(201);
        response.status == 200
    });
    assert!(built.json()["entry"].as_array().is_some_and(|entries| !entries.is_empty()));
    clinician.put(&married("after", "M")).expect(201);
    clinician.put(&married("before", "W")).expect(200);
    let page = clinician.get("/fhir/Patient?marital=M&_total=accurate").expect(200).json();
    assert_eq!(page["total"], asked + 1, "all of the time of building, and the one after");
    let widowed = clinician.get("/fhir/Patient?marital=W").expect(200).json();
    assert_eq!(widowed["entry"][0]["resource"]["id"], "before");
    let statement = server.anonymous().get("/fhir/metadata").expect(200).json();
    let patients = statement["rest"][0]["resource"].as_array().unwrap();
    let patients = patients.iter().find(|one| one["type"] == "Patient").unwrap();
    let named = |one: &Value| one["name"] == "marital";
    assert!(patients["searchParam"].as_array().unwrap().iter().any(named));
    // And away again.
    clinician.delete("/fhir/SearchParameter/marital").expect(204);
    when_built(&clinician, "/fhir/Patient?marital=M", |response| response.status == 400);
}

/// A SearchParameter that can be carried out, or not.
fn definition(id: &str, code: &str, expression: &str) -> Value {
    let mut definition = marital("active");
    definition["id"] = json!(id);
    definition["url"] = json!(format!("https://clinic.example/{id}"));
    definition["code"] = json!(code);
    definition["expression"] = json!(expression);
    definition
}

fn numbered(number: usize) -> Value {
    let name = format!("p{number}");
    definition(&name, &name, "Patient.maritalStatus")
}

fn transaction(resources: impl IntoIterator<Item = Value>) -> Value {
    let entry = |resource: Value| {
        let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
        let url = format!("{}/{}", kind.unwrap(), id.unwrap());
        json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    let entries: Vec<Value> = resources.into_iter().map(entry).collect();
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn patch_status(actor: &Actor, id: &str, status: &str) -> Response {
    let patch = json!([{ "op": "replace", "path": "/status", "value": status }]);
    let request = actor.request("PATCH", &format!("/fhir/SearchParameter/{id}"));
    request.header("content-type", "application/json-patch+json").bytes(patch.to_string()).send()
}

#[test]
fn what_is_indexed_is_for_those_to_say_whose_token_names_the_right() {
    let server = Server::start();
    let (clinician, entitled) = (server.clinician(), server.entitled());
    let words = ["the token does not grant", "SearchParameter"];
    clinician.put(&marital("active")).refused(403, &words);
    clinician.post("/fhir/SearchParameter", &marital("active")).refused(403, &words);
    clinician.post("/fhir", &transaction([marital("active")])).refused(403, &words);
    clinician.get("/fhir/SearchParameter/marital").refused(404, &[]);
    // One that does not count is a resource like others.
    clinician.put(&marital("draft")).expect(201);
    patch_status(&clinician, "marital", "active").refused(403, &words);
    let creates = server.actor("c", "user/*.cruds user/SearchParameter.c");
    creates.put(&marital("active")).refused(403, &["'u' on SearchParameter"]);
    creates.put(&definition("new", "new", "Patient.maritalStatus")).expect(201);
    entitled.put(&marital("active")).expect(200);
    // Nor may others take it away, nor change what it says.
    clinician.delete("/fhir/SearchParameter/marital").refused(403, &words);
    clinician.put(&marital("retired")).refused(403, &words);
    patch_status(&clinician, "marital", "draft").refused(403, &words);
    // But what changes nothing changes nothing.
    clinician.put(&marital("active")).expect(200);
    patch_status(&entitled, "marital", "retired").expect(200);
    clinician.delete("/fhir/SearchParameter/marital").expect(204);
}

#[test]
fn what_cannot_be_carried_out_is_refused_when_it_is_stored() {
    let server = Server::start();
    let entitled = server.entitled();
    let good = definition("bad", "good", "Patient.maritalStatus");
    let with = |element: &str, value: Value| {
        let mut bad = good.clone();
        bad[element] = value;
        bad
    };
    let cases = [
        (with("expression", json!("Patient.maritalStatu")), "expression", "'maritalStatu'"),
        (with("expression", json!("Patient.name.frist()")), "expression", "'frist'"),
        (with("expression", json!("Patient.name.count()")), "expression", "computed value"),
        (with("expression", json!("Observation.code")), "expression", "nowhere in a Patient"),
        (with("type", json!("date")), "expression", "not indexed as date"),
        (with("type", json!("special")), "type", "special"),
        (with("code", json!("gender")), "code", "Patient has a search parameter"),
        (with("code", json!("two words")), "code", "not a name"),
        (with("base", json!(["Patient", "Group"])), "expression", "nowhere in a Group"),
    ];
    for (bad, element, words) in cases {
        let place = format!("SearchParameter.{element}");
        entitled.put(&bad).refused(422, &[&place, words]);
        let place = format!("Bundle.entry[1].resource.{element}");
        let sent = transaction([patient("beside"), bad.clone()]);
        entitled.post("/fhir", &sent).refused(422, &[&place, words]);
        let judged = entitled.post("/fhir/SearchParameter/$validate", &bad).expect(200);
        assert!(judged.text().contains(words), "{}", judged.text());
    }
    entitled.get("/fhir/SearchParameter/bad").refused(404, &[]);
    entitled.get("/fhir/Patient/beside").refused(404, &[]);
    // A draft may say anything, but not become active by it.
    entitled.put(&with("status", json!("draft"))).expect(201);
    let mut draft = with("status", json!("draft"));
    draft["expression"] = json!("Patient.maritalStatu");
    entitled.put(&draft).expect(200);
    patch_status(&entitled, "bad", "active").refused(422, &["SearchParameter.expression"]);
    // One that only describes what the standard has defines nothing.
    let mut gender = with("url", json!("http://hl7.org/fhir/SearchParameter/individual-gender"));
    gender["code"] = json!("gender");
    gender["expression"] = json!("Patient.gender");
    entitled.put(&gender).expect(200);
}

#[test]
fn a_name_belongs_to_one_definition_for_each_type() {
    let server = Server::start();
    let entitled = server.entitled();
    let (one, other) = (definition("one", "x", "Patient.maritalStatus"), "Patient.gender");
    entitled.put(&one).expect(201);
    entitled
        .put(&definition("other", "x", other))
        .refused(422, &["SearchParameter.code", "SearchParameter/one"]);
    // For another type it is another name, and its owner may say it anew.
    let mut group = definition("other", "x", "Group.code");
    group["base"] = json!(["Group"]);
    entitled.put(&group).expect(201);
    entitled.put(&definition("one", "x", other)).expect(200);
    // Within one request, too; and what it takes away is free.
    let twins = [definition("a", "y", other), definition("b", "y", other)];
    entitled.post("/fhir", &transaction(twins)).refused(422, &["Bundle.entry[1]", "/a"]);
    let instead = transaction([definition("one", "z", other), definition("c", "x", other)]);
    entitled.post("/fhir", &instead).expect(200);
    // However many ask at the same time.
    let outcomes: Vec<u16> = std::thread::scope(|scope| {
        let put = |id: String| server.entitled().put(&definition(&id, "w", other)).status;
        let asked: Vec<_> = (0..8).map(|at| scope.spawn(move || put(format!("w{at}")))).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|status| **status == 201).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|status| [201, 422].contains(status)), "{outcomes:?}");
}

/// The most that are kept, as docs/operations.md has it.
const DEFINITIONS_MAX: usize = 512;

#[test]
fn there_are_no_more_than_the_limit_and_all_that_came_together_are_built_at_once() {
    let server = Server::start();
    let entitled = server.entitled();
    entitled.put(&married("m", "M")).expect(201);
    let before = server.metric("chartlog_views_generation");
    let limit = DEFINITIONS_MAX.to_string();
    let too_many = transaction((0..=DEFINITIONS_MAX).map(numbered));
    entitled.post("/fhir", &too_many).refused(422, &["no more than", &limit, "Bundle.entry[512]"]);
    entitled.get("/fhir/SearchParameter/p0").refused(404, &[]);
    // One by one, and together.
    const SINGLE: usize = 40;
    for number in 0..SINGLE {
        entitled.put(&numbered(number)).expect(201);
    }
    entitled.post("/fhir", &transaction((SINGLE..DEFINITIONS_MAX).map(numbered))).expect(200);
    entitled.put(&numbered(DEFINITIONS_MAX)).refused(422, &["no more than", &limit]);
    for number in [0, SINGLE - 1, DEFINITIONS_MAX - 1] {
        let target = format!("/fhir/Patient?p{number}=M");
        let built = when_built(&entitled, &target, |response| response.status == 200);
        assert_eq!(built.json()["total"], 1, "{target}");
    }
    let rebuilds = server.metric("chartlog_views_generation") - before;
    assert!(rebuilds < 10, "{rebuilds} rebuilds");
    // And none goes on for ever.
    while server.metric("chartlog_views_building_total") > 0 {
        std::thread::yield_now();
    }
    // A place that is given up is free.
    patch_status(&entitled, "p7", "retired").expect(200);
    entitled.put(&numbered(DEFINITIONS_MAX)).expect(201);
}

#[test]
fn the_past_is_read_and_searched_as_it_was() {
    let clinician = shared().clinician();
    let (owner, id, late) = (unique("past"), unique("o"), unique("late"));
    clinician.put(&patient(&owner)).expect(201);
    clinician.put(&observation(&id, &owner)).expect(201);
    let read = clinician.get(&format!("/fhir/Observation/{id}")).expect(200).json();
    let then = read["meta"]["lastUpdated"].as_str().unwrap().to_owned();
    let mut changed = observation(&id, &owner);
    changed["status"] = json!("amended");
    clinician.put(&changed).expect(200);
    clinician.put(&observation(&late, &owner)).expect(201);
    clinician.delete(&format!("/fhir/Observation/{id}")).expect(204);

    clinician.get(&format!("/fhir/Observation/{id}")).refused(410, &[]);
    let past = clinician.get(&format!("/fhir/Observation/{id}?_asOf={then}")).expect(200).json();
    assert_eq!(past, read);
    clinician.get(&format!("/fhir/Observation/{late}?_asOf={then}")).refused(404, &[&late]);
    for target in [
        format!("Observation?patient={owner}"),
        format!("Observation?patient={owner}&status=final"),
        format!("Patient/{owner}/Observation?_sort=-date"),
        format!("Observation?subject=Patient/{owner}&_count=1"),
    ] {
        let separator = if target.contains('?') { '&' } else { '?' };
        let bundle = clinician.get(&format!("/fhir/{target}{separator}_asOf={then}")).expect(200);
        let entries = bundle.json()["entry"].clone();
        assert_eq!(entries.as_array().map(Vec::len), Some(1), "{target}");
        assert_eq!(entries[0]["resource"], read, "{target}");
    }
    clinician
        .get(&format!("/fhir/Observation?code=x&_asOf={then}"))
        .refused(400, &["_asOf", "within one chart"]);
    clinician.get("/fhir/Patient?_id=x&_asOf=yesterday").refused(400, &["_asOf"]);
    clinician.get("/fhir/Patient?_id=x&_asOf=2999-01-01T00:00:00Z").refused(400, &["future"]);
}
