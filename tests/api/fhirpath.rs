//! `$fhirpath`: the API of the public tools, what it reaches in the store, and where it is refused.

use serde_json::{Value, json};

use crate::harness::{
    Actor, Response, Server, observation, only_access_of_request, patient, shared, unique,
};

/// The parameters of an expression on a resource.
pub fn ask(expression: &str, resource: &Value) -> Value {
    json!({ "resourceType": "Parameters", "parameter": [
        { "name": "expression", "valueString": expression },
        { "name": "resource", "resource": resource },
    ] })
}

fn with(mut body: Value, parameter: Value) -> Value {
    body["parameter"].as_array_mut().unwrap().push(parameter);
    body
}

#[track_caller]
fn post(actor: &Actor, body: &Value) -> Response {
    actor.post("/fhir/$fhirpath", body)
}

/// The parts of each result.
#[track_caller]
fn results(body: &Value) -> Vec<Value> {
    let answer = post(&shared().clinician(), body).expect(200).json();
    assert_eq!(answer["resourceType"], "Parameters");
    let parameters = answer["parameter"].as_array().unwrap();
    let results = parameters.iter().filter(|one| one["name"] == "result");
    results.map(|result| result["part"].clone()).collect()
}

fn ana() -> Value {
    json!({
        "resourceType": "Patient", "id": "a", "active": true, "birthDate": "1990-03-01",
        "_birthDate": { "id": "b" },
        "name": [{ "use": "official", "given": ["Ana", "Eva"] }, { "given": ["Mia"] }],
        "contact": [{ "gender": "male" }],
        "extension": [{ "url": "http://e", "valueDecimal": 1.0 }],
    })
}

#[test]
fn each_item_is_a_part_named_by_its_type() {
    let cases = [
        ("active", json!([{ "name": "boolean", "valueBoolean": true }])),
        (
            "name.given.first() | 'x'",
            json!([{ "name": "string", "valueString": "Ana" }, { "name": "string", "valueString": "x" }]),
        ),
        (
            "birthDate",
            json!([{ "name": "date", "valueDate": "1990-03-01", "_valueDate": { "id": "b" } }]),
        ),
        ("name[1]", json!([{ "name": "HumanName", "valueHumanName": { "given": ["Mia"] } }])),
        ("1 + 1", json!([{ "name": "integer", "valueInteger": 2 }])),
        (
            "@2026-03-01T10:00:00Z",
            json!([{ "name": "dateTime", "valueDateTime": "2026-03-01T10:00:00Z" }]),
        ),
        (
            "2 'mg'",
            json!([{ "name": "Quantity", "valueQuantity": { "value": 2, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg" } }]),
        ),
        (
            "contact",
            json!([{ "name": "Patient.contact", "extension": [{
                "url": "http://fhir.forms-lab.com/StructureDefinition/json-value", "valueString": "{\"gender\":\"male\"}",
            }] }]),
        ),
        (
            "name.trace('n').count()",
            json!([
                { "name": "integer", "valueInteger": 2 },
                { "name": "trace", "valueString": "n", "part": [
                    { "name": "HumanName", "valueHumanName": { "use": "official", "given": ["Ana", "Eva"] } },
                    { "name": "HumanName", "valueHumanName": { "given": ["Mia"] } },
                ] },
            ]),
        ),
        ("{}", Value::Null),
    ];
    for (expression, expected) in cases {
        assert_eq!(results(&ask(expression, &ana())), [expected], "{expression}");
    }
    let whole = results(&ask("$this", &ana()));
    assert_eq!(whole, [json!([{ "name": "Patient", "resource": ana() }])]);
    let digits =
        post(&shared().clinician(), &ask("extension.value | 1.10 + 1", &ana())).expect(200);
    assert!(digits.text().contains("1.0}") && digits.text().contains("2.10}"), "{}", digits.text());
}

#[test]
fn a_context_and_variables_are_taken() {
    let body = with(
        ask("given.count() > %least", &ana()),
        json!({ "name": "context", "valueString": "name" }),
    );
    let body = with(
        body,
        json!({ "name": "variables", "part": [{ "name": "least", "valueInteger": 1 }] }),
    );
    let truth = |truth: bool| json!([{ "name": "boolean", "valueBoolean": truth }]);
    assert_eq!(results(&body), [truth(true), truth(false)]);
    let nothing = json!({ "resourceType": "Parameters", "parameter": [{ "name": "expression", "valueString": "1 = 1" }] });
    assert_eq!(results(&nothing), [truth(true)]);
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let clinician = shared().clinician();
    let place = "Parameters.parameter[0].valueString";
    for (expression, word) in [
        ("name.", "expected an element or function (at byte 5"),
        ("name.foo()", "there is no function 'foo' (at byte 5"),
        ("name.given1", "HumanName has no element 'given1' (at byte 5"),
        ("Encounter.status", "another type than Patient (at byte 0"),
        ("active + 1", "there is no such operation"),
        ("name.single()", "single takes one item, and there are 2 (at byte 5"),
        ("elementDefinition()", "needs profiles"),
    ] {
        post(&clinician, &ask(expression, &ana())).refused(400, &[place, word]);
    }
    let thousand = ["(0|1|2|3|4|5|6|7|8|9)"; 3].join(".select");
    let long = "x".repeat(30_000);
    let bombs = [
        "1.repeat($this + 1)".to_owned(),
        format!("'ab'{}", ".select($this & $this)".repeat(30)),
        format!("{thousand}.select('{long}')"),
        format!("{thousand}.trace('t', '{long}')"),
    ];
    for bomb in bombs {
        post(&clinician, &ask(&bomb, &ana())).refused(400, &["too-costly"]);
    }
    post(&clinician, &ask(&"(".repeat(1_000), &ana())).refused(400, &["nested deeper"]);
    post(&clinician, &ana()).refused(400, &["expected Parameters"]);
    post(&clinician, &json!({ "resourceType": "Parameters" })).refused(400, &["expression"]);
    let odd = with(ask("1", &ana()), json!({ "name": "odd" }));
    post(&clinician, &odd).refused(400, &["Parameters.parameter[2].name", "odd"]);
}

#[test]
fn what_it_reads_in_the_store_is_granted_and_recorded() {
    let clinician = shared().clinician();
    let (owner, other) = (unique("p"), unique("p"));
    clinician.put(&patient(&owner)).expect(201);
    clinician.put(&patient(&other)).expect(201);
    let body = ask("subject.resolve().id", &observation("o", &owner));
    let id = unique("path");
    let request = clinician.request("POST", "/fhir/$fhirpath").header("x-request-id", &id);
    let found = request.json(&body).send().expect(200).json();
    assert!(found.to_string().contains(&owner), "{found}");
    let access = only_access_of_request(shared(), &id);
    assert!(access.to_string().contains(&owner), "{access}");
    // Out of reach, as if it were not there.
    let patient_app = shared().patient_app(&other);
    let answer = post(&patient_app, &body).expect(200).json();
    assert!(!answer.to_string().contains("\"part\":[{\"name\":\"id\""), "{answer}");
}

#[test]
fn value_sets_that_list_their_codes_are_known() {
    let server = Server::start();
    let entitled = server.entitled();
    let value_set = json!({
        "resourceType": "ValueSet", "id": "v", "status": "active", "url": "http://acme.org/vs",
        "compose": { "include": [{ "system": "http://acme.org/cs", "concept": [{ "code": "x" }] }] },
    });
    entitled.put(&value_set).expect(201);
    let coding = |code: &str| json!({ "resourceType": "Observation", "status": "final", "code": { "coding": [{ "system": "http://acme.org/cs", "code": code }] } });
    let cases = [
        ("code.memberOf('http://acme.org/vs')", "x", Some(true)),
        ("code.coding.memberOf('http://acme.org/vs')", "y", Some(false)),
        ("code.memberOf('http://acme.org/other')", "x", None),
        ("status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')", "x", Some(true)),
    ];
    for (expression, code, expected) in cases {
        let answer = post(&entitled, &ask(expression, &coding(code))).expect(200).json();
        let found = answer.pointer("/parameter/1/part/0/valueBoolean").and_then(Value::as_bool);
        assert_eq!(found, expected, "{expression}: {answer}");
    }
}
