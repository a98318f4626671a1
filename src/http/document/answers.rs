//! How answers look: errors, and headers.

use serde_json::{Map, Value, json};

use super::super::failure::PROBLEM_JSON;
use super::super::reply::{FHIR_JSON, JSON};
use super::super::{Failure, Fault};
use super::operation::{Operation, schema_ref, text};

/// Each status of an error: what went wrong, and how an example of it says so.
const ERRORS: [(Fault, &str); 15] = [
    (Fault::Invalid, "count must be a number from 1 to 1000"),
    (Fault::NoToken, "send one token: Authorization: Bearer …"),
    (Fault::Forbidden, "the token does not grant Observation.r"),
    (Fault::NotFound, "Patient/p9999 is not known"),
    (Fault::Method, "AuditEvent resources are made by this server alone"),
    (Fault::NotAcceptable, "Accept asks for a form that is not spoken here"),
    (Fault::Timeout, "the body did not arrive in time"),
    (Fault::Conflict, "the chart has version 12, not 11"),
    (Fault::Gone, "Observation/o1 was deleted"),
    (Fault::Precondition, "If-Match: the version is 3"),
    (Fault::TooLarge, "the body may have 16777216 bytes"),
    (Fault::MediaType, "send Content-Type application/json, not text/plain"),
    (Fault::Unprocessable, "the reference Patient/p9999 leads nowhere"),
    (Fault::TooMany, "this token is used too often"),
    (Fault::Busy, "too many large requests at the same time"),
];

/// Headers of answers, and what they say.
const HEADERS: [(&str, &str, &str); 12] = [
    (
        "X-Request-Id",
        "Id that the server gave the request; access entries and its log name it",
        "0198a9c2-6f04-7cc5-8a51-0c1b2e1f2a3b",
    ),
    ("ETag", "The version: what If-Match and If-None-Match take", "W/\"3\""),
    ("Last-Modified", "When the version was recorded", "Sat, 28 Feb 2026 12:00:00 GMT"),
    ("Location", "Address of what was made, or where to go on", "/fhir/Patient/p0001/_history/1"),
    (
        "Chartlog-Position",
        "Positions of the events in the log, the first and the last: what proofs are asked for with",
        "4711-4712",
    ),
    (
        "Chartlog-Frames",
        "The frames of the log among which these entries are: the first position, and the one behind the last",
        "0-4711",
    ),
    ("Link", "The next page (RFC 8288)", "</v1/accesses/evidence?after=99>; rel=\"next\""),
    ("Retry-After", "Seconds after which it may be tried again", "1"),
    ("WWW-Authenticate", "How to show a token (RFC 6750)", "Bearer realm=\"chartlog\""),
    ("Allow", "The methods that there are", "GET, HEAD"),
    ("Chartlog-Next", "Of a stream: the position that it begins at", "4711"),
    ("Chartlog-Head", "Of a stream: the position behind the last event of the log", "4712"),
];

/// The headers that answers refer to.
pub fn headers() -> Value {
    let each = HEADERS.map(|(name, description, example)| {
        let schema = json!({ "type": "string" });
        (
            name.to_owned(),
            json!({ "description": description, "schema": schema, "example": example }),
        )
    });
    Value::Object(Map::from_iter(each))
}

/// The errors that operations refer to: those of the native API, and those of the FHIR API.
/// Only those that they do refer to.
pub fn responses(paths: &Value) -> Value {
    let paths = paths.to_string();
    let each = ERRORS.iter().flat_map(|(fault, detail)| {
        let failure = Failure::of(*fault, *detail);
        let problem = failure.problem("0198a9c2-6f04-7cc5-8a51-0c1b2e1f2a3b");
        let title = problem.get("title").cloned();
        let own: &[&str] = match fault {
            Fault::NoToken => &["WWW-Authenticate"],
            Fault::TooMany | Fault::Busy => &["Retry-After"],
            Fault::Method => &["Allow"],
            _ => &[],
        };
        let faces = [
            (false, PROBLEM_JSON, "Problem", problem),
            (true, FHIR_JSON, "OperationOutcome", failure.outcome()),
        ];
        faces.map(|(is_fhir, media_type, schema, example)| {
            let mut headers = Map::new();
            own.iter().chain(&["X-Request-Id"]).for_each(|name| refer(&mut headers, name));
            let body = json!({ "schema": schema_ref(schema), "example": example });
            let mut content = Map::from_iter([(media_type.to_owned(), body)]);
            if is_fhir {
                as_json_too(&mut content);
            }
            let response = json!({ "description": title, "headers": headers, "content": content });
            (name(is_fhir, fault.status().as_str()), response)
        })
    });
    let is_used = |name: &str| paths.contains(&format!("responses/{name}\""));
    Value::Object(each.filter(|(name, _)| is_used(name)).collect())
}

/// Whoever asks for `application/json` gets FHIR under that name (R4 §2.6.1).
fn as_json_too(content: &mut Map<String, Value>) {
    if let Some(body) = content.get(FHIR_JSON).cloned() {
        content.insert(JSON.to_owned(), body);
    }
}

/// Describes the answers of an operation: errors, also those that every operation of its kind has, headers,
/// and what of FHIR comes back.
pub fn describe(operation: &mut Operation<'_>) {
    let mut common: Vec<&str> = Vec::new();
    let (id, is_fhir) = (operation.id.clone(), operation.is_fhir());
    let is_kept_apart =
        ["/health", "/metrics", "/oauth"].iter().any(|start| operation.path.starts_with(start));
    if !operation.is_open {
        common.extend(["400", "401", "403", "429", "503"]);
        common.extend(is_fhir.then_some("406"));
        // AuditEvents can be read and searched, and nothing else.
        common.extend((is_fhir && operation.takes("type")).then_some("405"));
        common.extend(if operation.has_body() { &["408", "413", "415"][..] } else { &[] });
        common.extend(operation.takes("Idempotency-Key").then_some("422"));
        // A resource was deleted, or the chart that it belongs to was erased.
        let has_chart = operation.path.starts_with("/v1/patients/");
        let has_resource = operation.path.contains("{id}") || operation.has_body();
        common.extend((has_chart || (is_fhir && has_resource)).then_some("410"));
    } else if !is_kept_apart {
        common.extend(["400", "429"]);
        common.extend(is_fhir.then_some("406"));
    }
    let is_traced = !operation.is_open || matches!(&*id, "token" | "chooseUser");
    let Some(responses) = operation.responses() else { return };
    for status in common {
        responses.entry(status).or_insert_with(|| json!({}));
    }
    for (status, response) in responses.iter_mut() {
        let Some(members) = response.as_object_mut() else { continue };
        let is_error = status.starts_with(['4', '5']);
        if is_error && !members.contains_key("content") {
            let reference = format!("#/components/responses/{}", name(is_fhir, status));
            members.insert("$ref".to_owned(), json!(reference));
            continue;
        }
        if is_fhir && matches!(&**status, "200" | "201") {
            give_schema(&id, members);
        }
        let mut named: Vec<&str> = is_traced.then_some("X-Request-Id").into_iter().collect();
        named.extend(own_headers(&id, status));
        let mut headers = Map::new();
        named.iter().for_each(|name| refer(&mut headers, name));
        if !headers.is_empty() {
            members.insert("headers".to_owned(), Value::Object(headers));
        }
    }
    responses.sort_keys();
}

/// The component for a status.
fn name(is_fhir: bool, status: &str) -> String {
    format!("{}{status}", if is_fhir { "Outcome" } else { "Problem" })
}

fn refer(headers: &mut Map<String, Value>, name: &str) {
    let reference = format!("#/components/headers/{name}");
    headers.insert(name.to_owned(), json!({ "$ref": reference }));
}

/// The headers that belong to what an operation does.
fn own_headers(id: &str, status: &str) -> &'static [&'static str] {
    const WRITTEN: &[&str] = &["ETag", "Last-Modified", "Location", "Chartlog-Position"];
    match (id, status) {
        ("readResource" | "readResourceVersion" | "resourceMeta", "200" | "304") => {
            &["ETag", "Last-Modified"]
        }
        ("readChart", "200" | "304") => &["ETag"],
        (
            "createResource" | "updateResource" | "patchResource" | "conditionalUpdate"
            | "conditionalPatch",
            "200" | "201",
        ) => WRITTEN,
        ("deleteResource" | "conditionalDelete", "200" | "204") => &["ETag", "Chartlog-Position"],
        ("transaction", "200") => &["Chartlog-Position"],
        ("createSubscription", "201") | ("authorize" | "chooseUser", "303") => &["Location"],
        ("exportChartEvidence" | "exportAccessEvidence", "200") => &["Link"],
        ("exportAccesses", "200") => &["Chartlog-Frames"],
        ("followEvents", "200") => &["Chartlog-Next", "Chartlog-Head"],
        ("token" | "chooseUser", "429" | "503") => &["Retry-After"],
        _ => &[],
    }
}

/// What of FHIR an operation answers with.
fn give_schema(id: &str, response: &mut Map<String, Value>) {
    let is_bundle = text(response, "description").contains("Bundle");
    let schema = match id {
        _ if is_bundle => "Bundle",
        _ if id.starts_with("validate") || id.contains("elete") => "OperationOutcome",
        _ if id.starts_with("bindingToken") => "Parameters",
        "evaluatePath" | "resourceMeta" => "Parameters",
        "smartConfiguration" => return,
        _ => "Resource",
    };
    let body = json!({ "schema": schema_ref(schema) });
    let mut content = Map::from_iter([(FHIR_JSON.to_owned(), body)]);
    as_json_too(&mut content);
    response.insert("content".to_owned(), Value::Object(content));
}
