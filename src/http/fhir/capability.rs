//! capabilities: FHIR R4 §3.1.0.9.

use std::sync::Arc;

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::super::reply::FHIR_JSON;
use super::super::state::State;
use crate::fhir::ResourceType;
use crate::fhir::definitions;

/// What this server can do, as a CapabilityStatement. Needs no token.
#[utoipa::path(get, path = "/fhir/metadata", operation_id = "capabilities", tag = "fhir", security(()),
    responses((status = 200, description = "A CapabilityStatement", content_type = "application/fhir+json")))]
pub async fn capabilities(state: Arc<State>) -> HttpResponse {
    let statement = statement(&state.fhir_base);
    HttpResponse::Ok().content_type(FHIR_JSON).body(statement.to_string())
}

fn statement(base: &str) -> Value {
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-23",
        "kind": "instance",
        "software": { "name": "Chartlog", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "Chartlog", "url": base },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "security": {
                "description": "Bearer tokens (JWT) with SMART App Launch v2 scopes. Every request leaves an access entry.",
                "service": [{ "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    "code": "SMART-on-FHIR",
                }] }],
            },
            "resource": ResourceType::all().map(resource).collect::<Vec<_>>(),
            "interaction": [{ "code": "transaction" }, { "code": "batch" }],
        }],
    })
}

fn resource(kind: ResourceType) -> Value {
    let interactions =
        ["read", "vread", "update", "delete", "history-instance", "create", "search-type"];
    let parameter = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
    let common = [("_id", "token"), ("_lastUpdated", "date")].into_iter();
    let own = definitions::search_parameters(kind)
        .iter()
        .map(|known| (known.name, known.search_type.name()));
    json!({
        "type": kind.name(),
        "interaction": interactions.map(|code| json!({ "code": code })),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": true,
        "conditionalRead": "not-match",
        "conditionalUpdate": false,
        "conditionalDelete": "not-supported",
        "searchParam": common.chain(own).map(parameter).collect::<Vec<_>>(),
        "operation": operations(kind),
    })
}

fn operations(kind: ResourceType) -> Vec<Value> {
    let operation = |(name, definition): (&str, &str)| {
        let definition = format!("http://hl7.org/fhir/OperationDefinition/{definition}");
        json!({ "name": name, "definition": definition })
    };
    let everything = ("everything", "Patient-everything");
    let everything = (kind == ResourceType::PATIENT).then_some(everything);
    std::iter::once(("validate", "Resource-validate")).chain(everything).map(operation).collect()
}
