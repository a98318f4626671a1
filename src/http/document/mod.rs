//! The OpenAPI 3.1 document of everything that is mounted.
//!
//! In: what stands at each operation (`#[utoipa::path]`). What all have in common is added here, once: how
//! errors look, which headers answers have, what the values of parameters are, examples. Out: the document
//! as JSON. In `.ci/run` a fuzzer compares it with what the server does (`tests/openapi/`).

mod answers;
mod bodies;
mod operation;
mod parameters;

use serde_json::{Map, Value, json};

use super::table;
use crate::config::LimitsConfig;
use crate::fhir::ResourceType;

const SCHEME: &str = "bearer";

/// Names of tags, and what stands under them.
const TAGS: [(&str, &str); 9] = [
    ("charts", "The chart as a stream of events: now, then, and what changed between"),
    ("feed", "The log as others follow it"),
    ("audit", "Who looked"),
    ("break-glass", "Who looked in an emergency, beyond their rights"),
    (
        "proofs",
        "Proofs that nothing in the logs was altered, for whoever does not trust the server",
    ),
    ("erasure", "Erasing charts, and holding them against it"),
    ("fhir", "HL7 FHIR R4 (4.0.1)"),
    (
        "tokens",
        "Tokens for programs that are registered here, and for apps of users in development",
    ),
    ("operations", "Health, figures, backups and retention"),
];

/// Schemas for which the source has no types: parts of FHIR, and problem details.
const SCHEMAS: &str = include_str!("schemas.json");

/// The document of a server that clients reach at that address, with those limits.
#[must_use]
pub fn document(server: &str, limits: &LimitsConfig) -> Value {
    let routes = table::routes(None);
    let mut schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).unwrap_or_default();
    let mut types: Vec<&str> = ResourceType::all().map(|kind| kind.name()).collect();
    let mut name = |name: &str, description: &str, types: &[&str]| {
        let schema = json!({ "type": "string", "description": description, "enum": types });
        schemas.insert(name.to_owned(), schema);
    };
    name("ResourceType", "A type of resource of FHIR R4", &types);
    let key = format!(r"^({})/[A-Za-z0-9\-.]{{1,64}}$", types.join("|"));
    types.retain(|kind| *kind != ResourceType::AUDIT_EVENT.name());
    name("StoredType", "The same without AuditEvent, which is read and searched alone", &types);
    let key = json!({ "type": "string", "pattern": key, "description": "Type/id of a resource", "examples": ["Observation/o1"] });
    schemas.insert("ResourceKey".to_owned(), key);
    schemas.extend(routes.schemas.iter().map(|(name, schema)| (name.clone(), json!(schema))));
    let examples = bodies::examples();
    let mut paths = json!(routes.paths);
    for mut operation in operation::all(&mut paths) {
        parameters::describe(&mut operation, limits);
        answers::describe(&mut operation);
        bodies::describe(&mut operation, &mut schemas, &examples);
    }
    bodies::describe_forms(&mut paths);
    let responses = answers::responses(&paths);
    let tags = TAGS.map(|(name, text)| json!({ "name": name, "description": text }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chartlog",
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "tags": tags,
        "security": [{ SCHEME: [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { SCHEME: {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A token of an issuer that the server trusts; or of its own, by chartlog token",
            } },
            "schemas": schemas,
            "headers": answers::headers(),
            "responses": responses,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_address_that_clients_use() {
        let document = document("https://charts.example.org/r4", &LimitsConfig::default());
        assert_eq!(document["servers"], json!([{ "url": "https://charts.example.org/r4" }]));
    }
}
