//! What the OpenAPI document says about all operations, and that the server does it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Actor, Request, Setup, patient, shared, unique};

const FORM: &str = "application/x-www-form-urlencoded";

fn document() -> Value {
    shared().anonymous().get("/openapi.json").expect(200).json()
}

/// Path, method and content of every operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(|(method, one)| (path.clone(), method.to_uppercase(), one.clone()))
    });
    each.collect()
}

/// What a reference of the document leads to, or the value itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

#[test]
fn every_operation_has_a_tag_that_is_described_and_a_summary() {
    let document = document();
    let tags = document["tags"].as_array().unwrap().iter();
    let described: BTreeSet<&str> = tags
        .filter(|tag| !tag["description"].as_str().unwrap().is_empty())
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut used = BTreeSet::new();
    for (path, method, operation) in &operations(&document) {
        let tags = operation["tags"].as_array().unwrap();
        assert_eq!(tags.len(), 1, "{method} {path}");
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(described.contains(tag), "{method} {path}: {tag}");
        used.insert(tag.to_owned());
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
    }
    assert_eq!(used.len(), described.len(), "{described:?}");
}

#[test]
fn every_error_has_the_schema_of_its_face_and_an_example() {
    let document = document();
    let mut errors = 0;
    for (path, method, operation) in &operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if !status.starts_with(['4', '5'])
                || path.starts_with("/oauth")
                || path == "/health/ready"
            {
                continue;
            }
            let (media_type, schema) = match path.starts_with("/fhir") {
                true => ("application/fhir+json", "OperationOutcome"),
                false => ("application/problem+json", "Problem"),
            };
            let content = &resolved(&document, response)["content"][media_type];
            let told = format!("{method} {path} {status}: {content}");
            assert_eq!(
                content["schema"]["$ref"],
                format!("#/components/schemas/{schema}"),
                "{told}"
            );
            assert!(content["example"].is_object(), "{told}");
            errors += 1;
        }
    }
    assert!(errors > 400, "{errors}");
}

#[test]
fn every_answer_of_the_fhir_api_with_a_body_has_a_schema() {
    let document = document();
    for (path, method, operation) in &operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let has_body = path.starts_with("/fhir") && matches!(status.as_str(), "200" | "201");
            if has_body && !path.ends_with("smart-configuration") {
                let content = &response["content"]["application/fhir+json"];
                assert!(content["schema"]["$ref"].is_string(), "{method} {path} {status}");
            }
        }
    }
}

/// What stands in for the parts of an address, beside what the demo has.
fn address(path: &str, operation: &Value) -> String {
    let id = if path.contains("/Encounter/") { "p0001-enc-01" } else { "p0001" };
    let kind = match operation["operationId"].as_str().unwrap() {
        "createResource"
        | "validateResource"
        | "searchResourcesByPost"
        | "validateInstance"
        | "searchCompartmentByPost" => "Observation",
        _ => "Patient",
    };
    let query = match operation["operationId"].as_str().unwrap() {
        "conditionalUpdate" | "conditionalPatch" => "?identifier=urn:example:mrn|4711",
        _ => "",
    };
    let path = path.replace("{compartment}", "Patient").replace("{type}", kind);
    format!("{}{query}", path.replace("{id}", id))
}

fn with_body(actor: &Actor, method: &str, target: &str, kind: &str, example: &Value) -> Request {
    let request = actor.request(method, target);
    if kind != FORM {
        return request.header("content-type", kind).bytes(example.to_string());
    }
    let pairs = example.as_object().unwrap().iter();
    let pairs =
        pairs.map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')));
    request.header("content-type", kind).bytes(pairs.collect::<Vec<_>>().join("&"))
}

#[test]
fn every_body_has_an_example_and_the_server_takes_it() {
    let server = Setup::default().set("feed.webhook_hosts=board.example.org").start();
    let entitled = server.entitled();
    entitled.put(&patient("p0001")).expect(201);
    entitled.put(&crate::harness::encounter("p0001-enc-01", "p0001")).expect(201);
    let document = document();
    // A subscription is made by the first of them; nobody takes part in OAuth here, no glass is broken, and
    // nothing is told over sockets.
    let apart = ["token", "chooseUser", "acknowledgeBrokenGlass", "replayParkedEvent"];
    let mut tried = 0;
    let mut operations = operations(&document);
    operations.sort_by_key(|(_, method, operation)| {
        // What is conditional needs what another one makes.
        (operation["operationId"] != "conditionalUpdate", method != "PUT")
    });
    let mut subscription = String::new();
    for (path, method, operation) in &operations {
        let id = operation["operationId"].as_str().unwrap();
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        for (kind, body) in content {
            if id.starts_with("token") || id == "chooseUser" {
                continue;
            }
            let example = &body["example"];
            assert!(!example.is_null(), "{id} {kind} has no example");
            if apart.contains(&id) || path.starts_with("/fhir/Subscription/") {
                continue;
            }
            let mut target = address(path, operation);
            if path.starts_with("/v1/subscriptions/{id}") {
                if subscription.is_empty() {
                    let wish = document.pointer("/paths/~1v1~1subscriptions/post/requestBody/content/application~1json/example");
                    let made = entitled.post("/v1/subscriptions", wish.unwrap()).expect(201).json();
                    subscription = made["id"].as_str().unwrap().to_owned();
                }
                target = path.replace("{id}", &subscription);
            }
            let response = with_body(&entitled, method, &target, kind, example).send();
            let told = format!("{id} {target}: {}", String::from_utf8_lossy(&response.body));
            assert!((200..300).contains(&response.status), "{} {told}", response.status);
            tried += 1;
        }
    }
    assert!(tried >= 25, "{tried}");
}

#[test]
fn a_count_outside_the_limits_is_refused_by_the_native_api() {
    let entitled = shared().entitled();
    let owner = unique("p");
    entitled.put(&patient(&owner)).expect(201);
    for (target, name) in [
        (format!("/v1/patients/{owner}/events"), "count"),
        (format!("/v1/patients/{owner}/accesses"), "count"),
        (format!("/v1/patients/{owner}/events/evidence"), "limit"),
        ("/v1/accesses".to_owned(), "count"),
        ("/v1/break-glass".to_owned(), "count"),
        ("/v1/events".to_owned(), "limit"),
    ] {
        for wrong in ["0", "1001", "-1", "x", "99999999999999999999999"] {
            let refused = entitled.get(&format!("{target}?{name}={wrong}"));
            refused.problem(400, &[name, "from 1 to 1000"]);
        }
        entitled.get(&format!("{target}?{name}=1000")).expect(200);
    }
    // FHIR R4 §3.1.1.5.6: fewer than were asked for may be on the page.
    entitled.get(&format!("/fhir/Patient?_id={owner}&_count=100000")).expect(200);
}

#[test]
fn parameters_of_an_operation_that_are_no_list_are_refused() {
    let entitled = shared().entitled();
    for wrong in
        [json!(7), json!({ "name": "status", "valueCode": "active" }), json!("x"), json!(null)]
    {
        let body = json!({ "resourceType": "Parameters", "parameter": wrong });
        entitled.post("/fhir/Subscription/$status", &body).refused(400, &["parameter", "list"]);
    }
    let unnamed = json!({ "resourceType": "Parameters", "parameter": [{ "valueCode": "active" }] });
    entitled.post("/fhir/Subscription/$status", &unnamed).refused(400, &["name"]);
}

#[test]
fn the_document_is_of_the_place_where_it_is_read_unless_an_address_is_configured() {
    let unnamed = shared().anonymous().get("/openapi.json").expect(200).json();
    assert_eq!(unnamed["servers"], json!([{ "url": "/" }]));
}

#[test]
fn the_document_names_the_limits_of_this_server() {
    let server = Setup::default().set("limits.page_size_max=77").start();
    let document = server.anonymous().get("/openapi.json").expect(200).json();
    let parameters = document["paths"]["/v1/accesses"]["get"]["parameters"].as_array().unwrap();
    let count = parameters.iter().find(|one| one["name"] == "count").unwrap();
    assert_eq!((&count["schema"]["minimum"], &count["schema"]["maximum"]), (&json!(1), &json!(77)));
    server.entitled().get("/v1/accesses?count=78").problem(400, &["count", "from 1 to 77"]);
}

#[test]
fn a_search_without_criteria_says_its_total_if_it_is_whole_or_if_that_is_asked_for() {
    let server = Setup::default().start();
    let clinician = server.clinician();
    for number in 0..5 {
        clinician.put(&patient(&format!("p{number}"))).expect(201);
    }
    let total = |query: &str| {
        let bundle = clinician.get(&format!("/fhir/Patient{query}")).expect(200).json();
        bundle.get("total").and_then(Value::as_u64)
    };
    assert_eq!(total(""), Some(5));
    assert_eq!(total("?_count=2&_total=accurate"), Some(5));
    assert_eq!(total("?_count=2&_total=estimate"), Some(5));
    assert_eq!(total("?_summary=count"), Some(5));
    // Counting looks at all five, and each of their charts would tell of it: not unless it is asked for.
    assert_eq!(total("?_count=2"), None);
}

#[test]
fn the_page_of_the_document_has_a_title_and_keeps_a_token_for_the_session_alone() {
    let anonymous = shared().anonymous();
    let page = anonymous.get("/docs/").expect(200);
    assert!(page.text().contains("<title>Chartlog API</title>"), "{}", page.text());
    let start = anonymous.get("/docs/swagger-initializer.js").expect(200);
    assert!(start.header("content-type").unwrap().starts_with("text/javascript"));
    assert!(start.text().contains("sessionStorage"), "{}", start.text());
    assert!(!start.text().contains("localStorage"), "{}", start.text());
}
