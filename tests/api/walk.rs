//! A walk over every operation of the OpenAPI document, and over every route there is.
//!
//! Whoever adds an operation gets its refusals and its access entries tested here, unasked.

use serde_json::{Value, json};

use crate::app_launch::{shared_choice, shared_query};
use crate::backend_services::shared_form;
use crate::harness::{
    Actor, Request, Response, bundle, entry, observation, only_access_of_request, shared, unique,
};
use crate::walk_subjects::{
    broken_glass, chart, erased_chart, subscription, told_on_sockets, visit, wish,
};
use crate::webhooks::wait_for;

/// Operations that are excused from a case, with the reason. This list may only shrink.
const EXCUSED: [(&str, &str); 0] = [];

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"];

struct Operation {
    id: String,
    method: String,
    path: String,
    is_open: bool,
    documented: Vec<String>,
    responses: Value,
}

/// Headers that say something of what was done.
const HEADERS: [&str; 7] = [
    "X-Request-Id",
    "ETag",
    "Last-Modified",
    "Location",
    "Link",
    "Chartlog-Position",
    "Chartlog-Frames",
];

const FORM: &str = "application/x-www-form-urlencoded";
/// Makes what belongs to a patient, and says its id.
type Maker = fn(&str) -> String;
/// What no id can be.
const NO_ID: &str = "a_b";

impl Operation {
    fn is_fhir(&self) -> bool {
        self.path.starts_with("/fhir")
    }

    fn is_excused(&self, case: &str) -> bool {
        EXCUSED.contains(&(&self.id, case))
    }

    /// A request that would be good with enough rights.
    fn request(&self, actor: &Actor, owner: &str, value: &str, query: &str) -> Request {
        let request = actor.request(&self.method, &format!("{}{query}", self.target(owner, value)));
        match self.body(owner, value) {
            Value::Null if self.takes_form() => {
                request.header("content-type", FORM).bytes("_count=1")
            }
            Value::Null => request,
            body => request.json(&body),
        }
    }

    /// Whether it takes parameters as a form, and no JSON.
    fn takes_form(&self) -> bool {
        self.path.ends_with("/_search")
    }

    fn target(&self, owner: &str, value: &str) -> String {
        let of_chart = ["/v1/patients", "/fhir/Patient/", "/fhir/{compartment}"]
            .iter()
            .any(|start| self.path.starts_with(start));
        let access = if value == NO_ID { value } else { "0-0" };
        let made: [(&str, Maker); 3] = [
            ("/fhir/Subscription/{id}", |_| told_on_sockets()),
            ("/fhir/Encounter/{id}", visit),
            ("/v1/break-glass/", |_| broken_glass()),
        ];
        if let Some((_, make)) = made.iter().find(|(start, _)| self.path.starts_with(start)) {
            let id = if value == NO_ID { value.to_owned() } else { make(owner) };
            return self.path.replace("{id}", &id);
        }
        if self.path.starts_with("/v1/subscriptions/") {
            let (id, parked) = match value {
                NO_ID => (NO_ID.to_owned(), 0),
                _ => subscription(owner),
            };
            return self.path.replace("{id}", &id).replace("{position}", &parked.to_string());
        }
        let target = self.path.replace("accesses/{id}", &format!("accesses/{access}"));
        let target = filled(&target, if of_chart { owner } else { value });
        assert!(!target.contains('{'), "teach the walk what stands for {target}");
        format!("{target}{}", self.query(value))
    }

    /// What it cannot do without.
    fn query(&self, value: &str) -> String {
        let query = match self.id.as_str() {
            "diffChart" => "?from=0",
            "conditionalUpdate" | "conditionalPatch" | "conditionalDelete" => {
                return format!("?_id={value}");
            }
            "bindingTokens" | "bindingTokensByPost" => {
                return format!("?id={}", told_on_sockets());
            }
            "authorize" => return shared_query(),
            "readBackup" => "?to=32",
            "logInclusion" => "?position=0&size=1",
            "logConsistency" => "?from=0&to=1",
            _ => "",
        };
        query.to_owned()
    }

    fn body(&self, owner: &str, value: &str) -> Value {
        match self.id.as_str() {
            "transaction" => {
                let url = format!("Observation/{value}");
                bundle("transaction", &[entry("PUT", &url, observation(value, owner))])
            }
            "patchResource" | "conditionalPatch" => json!([
                { "op": "replace", "path": "/valueQuantity/value", "value": 73 },
            ]),
            "createResource" | "updateResource" | "conditionalUpdate" | "validateResource"
            | "validateInstance" => observation(value, owner),
            "appendEvents" => json!({ "events": [
                { "type": "Observation.amended", "resource": observation(value, owner) },
            ] }),
            "evaluatePath" => crate::fhirpath::ask("1", &observation(value, owner)),
            "acknowledgeBrokenGlass" => json!({ "note": "there was no time" }),
            "eraseChart" => json!({ "reason": "walk", "basis": "none", "dryRun": true }),
            "holdChart" | "releaseChart" | "pauseSubscription" => json!({ "reason": "walk" }),
            "createSubscription" | "updateSubscription" => wish(owner),
            "replaySubscription" => json!({ "from": "head" }),
            "rotateSubscriptionSecret" => json!({ "overlapSeconds": 0 }),
            "resumeSubscription" | "replayParkedEvent" => json!({}),
            id if ["subscription", "bindingToken", "patient", "encounter"]
                .iter()
                .any(|start| id.starts_with(start)) =>
            {
                json!({ "resourceType": "Parameters" })
            }
            _ if !self.takes_form() && matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => {
                panic!("teach the walk a body for {}", self.id)
            }
            _ => Value::Null,
        }
    }

    /// A query that this operation cannot take, added to its own.
    fn nonsense(&self) -> &'static str {
        if self.query("").is_empty() { "?nonsense=1" } else { "&nonsense=1" }
    }

    #[track_caller]
    fn expect(&self, case: &str, request: Request, status: u16, outcome: &str) {
        if self.is_excused(case) {
            return;
        }
        let id = unique("walk");
        let response = request.header("x-request-id", &id).send();
        let told = format!("{} {}: {}", self.id, case, String::from_utf8_lossy(&response.body));
        assert_eq!(response.status, status, "{told}");
        let response = if self.is_fhir() {
            response.refused(status, &[])
        } else {
            response.problem(status, &[])
        };
        assert_eq!(response.header("x-correlation-id"), Some(id.as_str()), "{told}");
        assert!(
            self.documented.contains(&status.to_string()),
            "{status} is not documented: {told}"
        );
        let access = only_access_of_request(shared(), &id);
        assert_eq!(access["operation"], self.id.as_str(), "{access}");
        assert_eq!(
            (&access["status"], &access["outcome"]),
            (&json!(status), &json!(outcome)),
            "{access}"
        );
    }
}

/// The path with that id, and the rest of it as good as any.
fn filled(path: &str, id: &str) -> String {
    path.replace("{compartment}", "Patient")
        .replace("{type}", "Observation")
        .replace("{id}", id)
        .replace("{version}", "1")
        .replace("{chart}", erased_chart())
        .replace("{log}", "events")
        .replace("{segment}", "0")
        .replace("{level}", "0")
        .replace("{index}", "000.p/1")
        .replace("{name}", "break-glass")
        .replace("{position}", "0")
}

fn operations() -> Vec<Operation> {
    let document = shared().anonymous().get("/openapi.json").expect(200).json();
    assert!(
        document["security"][0].get("bearer").is_some(),
        "a token is needed unless said otherwise"
    );
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let security = operation.get("security");
            let is_open = security.is_some_and(|security| *security == json!([{}]));
            assert!(is_open || security.is_none(), "{path} {method} has a security of its own");
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                is_open,
                documented: operation["responses"].as_object().unwrap().keys().cloned().collect(),
                responses: operation["responses"].clone(),
            });
        }
    }
    assert!(operations.len() >= 26, "{}", operations.len());
    operations
}

#[test]
fn every_operation_refuses_who_has_no_token() {
    let (owner, value) = chart();
    for operation in operations().iter().filter(|operation| !operation.is_open) {
        let request = operation.request(&shared().anonymous(), &owner, &value, "");
        operation.expect("no token", request, 401, "refused");
    }
}

#[test]
fn every_operation_refuses_a_bad_token() {
    let (owner, value) = chart();
    for operation in operations().iter().filter(|operation| !operation.is_open) {
        let request = operation.request(&shared().with_token("bad"), &owner, &value, "");
        operation.expect("bad token", request, 401, "refused");
    }
}

#[test]
fn every_operation_refuses_a_token_without_scopes() {
    let (owner, value) = chart();
    let nobody = shared().actor("nobody", "openid");
    for operation in operations().iter().filter(|operation| !operation.is_open) {
        let request = operation.request(&nobody, &owner, &value, "");
        operation.expect("no scopes", request, 403, "refused");
    }
}

#[test]
fn every_operation_refuses_a_parameter_that_it_does_not_know() {
    let (owner, value) = chart();
    for operation in operations().iter().filter(|operation| !operation.is_open) {
        let query = operation.nonsense();
        let request = operation.request(&shared().entitled(), &owner, &value, query);
        operation.expect("unknown parameter", request, 400, "failed");
    }
}

#[test]
fn every_operation_with_a_body_refuses_what_is_not_json() {
    let (owner, value) = chart();
    let mut walked = 0;
    for operation in operations() {
        if operation.is_open || !matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH") {
            continue;
        }
        walked += 1;
        let target = operation.target(&owner, &value);
        let request = || shared().entitled().request(&operation.method, &target);
        let bad = match operation.takes_form() {
            true => request().header("content-type", FORM).bytes("_id=%ff"),
            false => request().text("{"),
        };
        operation.expect("bad body", bad, 400, "failed");
        let typed = request().header("content-type", "text/plain").bytes("{}");
        operation.expect("media type", typed, 415, "failed");
    }
    assert!(walked >= 4, "{walked}");
}

#[test]
fn every_operation_refuses_an_id_that_is_none() {
    let mut walked = 0;
    for operation in operations() {
        if operation.is_open || !operation.path.contains("{id}") {
            continue;
        }
        walked += 1;
        let request = operation.request(&shared().entitled(), NO_ID, NO_ID, "");
        operation.expect("bad id", request, 400, "failed");
    }
    assert!(walked >= 10, "{walked}");
}

#[test]
fn every_open_operation_answers_without_a_token() {
    let (owner, value) = chart();
    for operation in operations().iter().filter(|operation| operation.is_open) {
        let target = operation.target(&owner, &value);
        let request = shared().anonymous().request(&operation.method, &target);
        // Whoever asks for a token says in a form who they are; a moment must have passed since the start.
        let asked = |request: Request| match operation.id.as_str() {
            "token" => request.header("content-type", FORM).bytes(shared_form()).send(),
            "chooseUser" => shared_choice(request).send(),
            _ => request.send(),
        };
        let mut response = asked(request);
        if response.status == 503 {
            response = wait_for("a moment has passed", || {
                let again = asked(shared().anonymous().request(&operation.method, &target));
                (again.status != 503).then_some(again)
            });
        }
        // Whoever has chosen goes back to the app.
        let expected = if operation.id == "chooseUser" { 303 } else { 200 };
        assert_eq!(response.status, expected, "{target}");
    }
}

#[test]
fn every_good_request_is_answered_as_documented_with_one_trace() {
    for operation in operations().iter().filter(|operation| !operation.is_open) {
        let (owner, value) = chart();
        let id = unique("walk");
        let before = shared().entitled().events(&owner).len();
        let request = operation.request(&shared().entitled(), &owner, &value, "");
        let response = request.header("x-request-id", &id).send();
        let told = format!("{}: {}", operation.id, String::from_utf8_lossy(&response.body));
        assert!((200..300).contains(&response.status), "{told}");
        assert!(
            operation.documented.contains(&response.status.to_string()),
            "{} is not documented: {told}",
            response.status
        );
        assert_eq!(response.header("cache-control"), Some("no-store"), "{told}");
        let described = &operation.responses[response.status.to_string()]["headers"];
        for header in HEADERS {
            let is_described = described.get(header).is_some();
            assert!(
                is_described || response.header(&header.to_lowercase()).is_none(),
                "{header} of {told}"
            );
        }
        let events = shared().entitled().events(&owner);
        let own = events
            .iter()
            .skip(before)
            .filter(|event| event["actor"]["clientRequest"] == id.as_str())
            .count();
        if own == 0 {
            only_access_of_request(shared(), &id);
        } else {
            let accesses = crate::harness::accesses_of_request(shared(), &id);
            assert_eq!(accesses, Vec::<Value>::new(), "{told}");
        }
    }
}

/// What the server says about an address that is none, or not with this method.
#[track_caller]
fn assert_no(status: u16, target: &str, response: Response, method: &str) {
    assert_eq!(response.status, status, "{method} {target}");
    if method == "HEAD" {
        return;
    }
    if target.starts_with("/fhir") {
        response.refused(status, &[]);
    } else {
        response.problem(status, &[]);
    }
}

#[test]
fn methods_that_are_not_documented_do_not_exist() {
    let operations = operations();
    for path in operations.iter().map(|operation| &operation.path) {
        let mut known: Vec<&str> = operations
            .iter()
            .filter(|one| one.path == *path)
            .map(|one| one.method.as_str())
            .collect();
        // What can be got can be asked for without its body, and FHIR addresses say what they take.
        known.extend(known.contains(&"GET").then_some("HEAD"));
        known.extend(path.starts_with("/fhir").then_some("OPTIONS"));
        let target = filled(&path.replace("accesses/{id}", "accesses/0-0"), "x");
        for method in METHODS {
            let response = shared().entitled().request(method, &target).send();
            if known.contains(&method) {
                assert_ne!(response.status, 405, "{method} {target}");
                assert!(
                    !String::from_utf8_lossy(&response.body).contains("there is no "),
                    "{method} {target}"
                );
            } else {
                let allowed = response.header("allow").unwrap_or_default().to_owned();
                assert_no(405, &target, response, method);
                // RFC 9110 §15.5.6: the answer names the methods that there are.
                let mut allowed: Vec<&str> = allowed.split(", ").collect();
                let mut known = known.clone();
                allowed.sort_unstable();
                known.sort_unstable();
                assert_eq!(allowed, known, "{method} {target}");
            }
        }
    }
}

#[test]
fn addresses_that_are_not_documented_do_not_exist() {
    for target in [
        "/nothing",
        "/fhir//",
        "/fhir/Patient/x/y/z",
        "/fhir/Patient/x/_history/1/2",
        "/fhir/Observation/x/$everything/y",
        "/fhir/Patient/x/$everything/y",
        "/v1",
        "/v1/",
        "/v1/patients",
        "/v1/patients/x",
        "/v1/patients/x/notes",
        "/v1/patients/x/chart/1",
        "/v1/accesses/1-0/x",
        "/v1/log/events",
        "/v1/log/events/proof",
        "/v1/log/events/tile/0",
        "/metrics/x",
        "/health",
        "/openapi.yaml",
        "/admin",
        "/fhirx",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(shared().entitled().request(method, target).send().status, 404, "{target}");
        }
    }
    assert_no(404, "/fhir/Patient/x/y/z", shared().entitled().get("/fhir/Patient/x/y/z"), "GET");
    assert_no(404, "/v1/nothing", shared().entitled().get("/v1/nothing"), "GET");
}
