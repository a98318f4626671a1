//! What the values of parameters are, by the names of these.

use serde_json::{Map, Value, json};

use super::operation::{Operation, schema_ref, text};
use crate::config::LimitsConfig;

/// FHIR R4 §2.24.0.1, `id`.
const ID: &str = r"^[A-Za-z0-9\-.]{1,64}$";
/// C2SP tlog-tiles: `000`, `x001/234`, `x001/234.p/5`.
const TILE: &str = r"^(x(00[1-9]|0[1-9][0-9]|[1-9][0-9]{2})/(x[0-9]{3}/){0,3})?[0-9]{3}(\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$";
/// Of any subject.
const EVENT_TYPE: &str = r"^[^.]*\.(opened|recorded|amended|retracted|removed|restored|moved-in|moved-out|held|released|erased|answered)$";
/// Of RFC 9110 §8.8.3, and the number in it alone.
const TAGS: &str = r#"^(\*|((W/)?"[!#-~]*"|[0-9]+)([ \t]*,[ \t]*((W/)?"[!#-~]*"|[0-9]+))*)$"#;

/// Says of each parameter what its values are, and gives an example of what an address needs.
pub fn describe(operation: &mut Operation<'_>, limits: &LimitsConfig) {
    let (id, is_fhir) = (operation.id.clone(), operation.is_fhir());
    for parameter in operation.parameters() {
        let name = text(parameter, "name").to_owned();
        let description = text(parameter, "description").to_owned();
        let schema = match is_fhir {
            true => of_fhir(&id, &name, &description, limits),
            false => of_native(&id, &name, limits),
        };
        let schema = schema.or_else(|| of_both(&id, &name));
        if let Some(schema) = schema.or_else(|| not_null(parameter)) {
            parameter.insert("schema".to_owned(), schema);
        }
        if let Some(example) = example(&id, &name).filter(|_| text(parameter, "in") == "path") {
            parameter.insert("example".to_owned(), json!(example));
        }
    }
}

fn one_of(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn count(least: usize, limits: &LimitsConfig) -> Value {
    let (most, default) = (limits.page_size_max, limits.page_size_default);
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
}

fn of_fhir(id: &str, name: &str, description: &str, limits: &LimitsConfig) -> Option<Value> {
    Some(match (id, name) {
        (_, "_format") => {
            one_of(&["json", "application/fhir+json", "application/json", "text/json"])
        }
        (_, "_summary") if description.contains("count") => {
            one_of(&["true", "text", "data", "count", "false"])
        }
        (_, "_summary") => one_of(&["true", "text", "data", "false"]),
        (_, "_total") => one_of(&["accurate", "estimate", "none"]),
        // R4 §3.1.1.5.6: a server may give fewer than were asked for.
        (_, "_count") => json!({ "type": "integer", "minimum": 0, "description":
            format!("Above {} it is taken for that", limits.page_size_max) }),
        (_, "_sort") if id.ends_with("History") => one_of(&["-_lastUpdated"]),
        (_, "_since" | "_asOf") => instant(),
        (_, "start" | "end") => {
            pattern(r"^([1-9][0-9]{3}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?)?$")
        }
        (_, "mode") => one_of(&["create", "update", "delete", "profile"]),
        (_, "content") => one_of(&["empty", "id-only", "full-resource"]),
        (_, "eventsSinceNumber" | "eventsUntilNumber") => pattern("^[0-9]{1,18}$"),
        (_, "version") => pattern("^[1-9][0-9]{0,17}$"),
        (_, "compartment") => {
            one_of(&["Patient", "Encounter", "Practitioner", "RelatedPerson", "Device"])
        }
        ("searchCompartment" | "searchCompartmentByPost", "type") => {
            json!({ "anyOf": [schema_ref("ResourceType"), { "const": "*" }] })
        }
        ("searchResources" | "searchResourcesByPost" | "readResource", "type") => {
            schema_ref("ResourceType")
        }
        (id, "type") if id.starts_with("validate") => schema_ref("ResourceType"),
        (_, "type") => schema_ref("StoredType"),
        _ => return None,
    })
}

fn of_native(id: &str, name: &str, limits: &LimitsConfig) -> Option<Value> {
    Some(match (id, name) {
        (_, "count" | "limit") => count(1, limits),
        (_, "since" | "until" | "asOf") => instant(),
        (_, "outcome") => one_of(&["granted", "refused", "failed"]),
        (_, "action") => one_of(&["C", "R", "U", "D", "E"]),
        (_, "sort") => one_of(&["-recordedAt", "recordedAt"]),
        ("logTile", "level") => json!({ "type": "integer", "minimum": 0, "maximum": 63 }),
        (_, "log") => one_of(&["events", "access"]),
        ("exportAccesses", "format") => one_of(&["ndjson", "csv", "fhir", "proof"]),
        ("readReport", "format") => one_of(&["json", "csv", "html"]),
        ("readReport", "name") => one_of(&[
            "disclosures",
            "patient-access",
            "user-activity",
            "break-glass",
            "refusals",
            "unusual",
        ]),
        ("listBrokenGlasses", "status") => one_of(&["open", "all"]),
        ("followEvents", "include") => pattern("^(resource|actor)(,(resource|actor))?$"),
        ("followEvents", "from") => pattern("^(head|[0-9]{1,18})$"),
        ("authorize", "response_type") => one_of(&["code"]),
        ("authorize", "code_challenge_method") => one_of(&["S256"]),
        ("authorize", "redirect_uri" | "aud") => json!({ "type": "string", "format": "uri" }),
        ("readAccess", "id") => pattern("^([0-9]{1,18}-[0-9]{1,9}|e[0-9]{1,18})$"),
        (_, "resource") => schema_ref("ResourceKey"),
        ("listEvents", "type") => pattern(EVENT_TYPE),
        ("logTile", "index") => pattern(TILE),
        (_, "patient") => pattern(ID),
        _ => return None,
    })
}

fn of_both(id: &str, name: &str) -> Option<Value> {
    Some(match (id, name) {
        (_, "id") => pattern(ID),
        (_, "If-Match" | "If-None-Match") => pattern(TAGS),
        (_, "Idempotency-Key") => json!({ "type": "string", "maxLength": 255 }),
        _ => return None,
    })
}

/// What the source says, without null: a parameter that is optional is left out.
fn not_null(parameter: &Map<String, Value>) -> Option<Value> {
    let mut schema = parameter.get("schema")?.clone();
    let kind = schema.get_mut("type")?;
    let first = kind.as_array()?.iter().find(|one| **one != "null")?.clone();
    *kind = first;
    Some(schema)
}

/// Parts of addresses as the demo has them.
fn example(id: &str, name: &str) -> Option<&'static str> {
    Some(match (id, name) {
        ("readAccess", "id") => "0-0",
        (id, "id") if id.starts_with("encounter") => "p0001-enc-01",
        (id, "id") if id.contains("Patient") || id.contains("Chart") || id.contains("atient") => {
            "p0001"
        }
        ("appendEvents" | "listEvents" | "readResource" | "searchCompartment", "id") => "p0001",
        (_, "log") => "events",
        ("readReport", "name") => "user-activity",
        ("logTile", "index") => "000",
        _ => return None,
    })
}
