//! Bodies of requests: what they may hold, and an example of each that works on the server of the demo.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::{self, Operation, schema_ref, text};

/// By operation and media type.
const EXAMPLES: &str = include_str!("examples.json");

const FORM: &str = "application/x-www-form-urlencoded";

/// The examples of all operations.
pub fn examples() -> Value {
    serde_json::from_str(EXAMPLES).unwrap_or_default()
}

/// Describes the body of an operation, and gives an example of it.
pub fn describe(operation: &mut Operation<'_>, schemas: &mut Map<String, Value>, examples: &Value) {
    let (id, is_fhir) = (operation.id.clone(), operation.is_fhir());
    if may_be_left_out(&id, operation.path)
        && let Some(body) = operation.members.get_mut("requestBody").and_then(Value::as_object_mut)
    {
        body.insert("required".to_owned(), json!(false));
    }
    let Some(content) = content(operation.members) else { return };
    for (media_type, members) in content.iter_mut() {
        let Some(members) = members.as_object_mut() else { continue };
        if is_fhir && let Some(schema) = schema(&id, media_type) {
            members.insert("schema".to_owned(), schema);
        }
        if let Some(example) = examples.get(&id).and_then(|all| all.get(media_type)) {
            members.insert("example".to_owned(), example.clone());
        }
        let reference = members.get("schema").and_then(|schema| schema.get("$ref"));
        let reference = reference.and_then(Value::as_str).filter(|_| !is_fhir);
        if let Some((_, name)) = reference.and_then(|text| text.rsplit_once('/')) {
            close(schemas, name);
        }
    }
}

/// Whether no body says what an empty one does.
fn may_be_left_out(id: &str, path: &str) -> bool {
    let takes_parameters =
        ["$everything", "$status", "$events", "$get-ws-binding-token", "$validate", "_search"];
    takes_parameters.iter().any(|end| path.ends_with(end))
        || matches!(
            id,
            "pauseSubscription"
                | "resumeSubscription"
                | "replayParkedEvent"
                | "rotateSubscriptionSecret"
        )
}

fn content(members: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    members.get_mut("requestBody")?.get_mut("content")?.as_object_mut()
}

/// Members that are not known are refused, and so is null: what is optional is left out. One takes null for that.
fn close(schemas: &mut Map<String, Value>, name: &str) {
    const TAKES_NULL: &str = "expectedVersion";
    let Some(schema) = schemas.get_mut(name).and_then(Value::as_object_mut) else { return };
    schema.insert("additionalProperties".to_owned(), json!(false));
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten().filter(|(name, _)| *name != TAKES_NULL) {
        let kinds = property.get_mut("type").filter(|kinds| kinds.is_array());
        if let Some(kinds) = kinds
            && let Some(kind) =
                kinds.as_array().and_then(|all| all.iter().find(|one| **one != "null"))
        {
            *kinds = kind.clone();
        }
    }
}

fn schema(id: &str, media_type: &str) -> Option<Value> {
    let named = |name: &str| Some(schema_ref(name));
    match (id, media_type) {
        (_, "application/json-patch+json") => named("JsonPatch"),
        ("createResource" | "updateResource" | "conditionalUpdate", _) => named("Resource"),
        ("validateResource" | "validateInstance", _) => named("Resource"),
        ("transaction", _) => named("Bundle"),
        (_, FORM) => None,
        _ => named("Parameters"),
    }
}

/// A search by POST takes as a form what the same search by GET takes as a query.
pub fn describe_forms(paths: &mut Value) {
    let mut queries = BTreeMap::new();
    for mut operation in operation::all(paths) {
        let queried = operation.parameters().filter(|one| text(one, "in") == "query");
        let properties: Map<String, Value> = queried
            .map(|one| {
                let mut schema = one.get("schema").cloned().unwrap_or_default();
                if let Some(members) = schema.as_object_mut() {
                    members.insert("description".to_owned(), json!(text(one, "description")));
                }
                (text(one, "name").to_owned(), schema)
            })
            .collect();
        queries.insert(operation.id.clone(), properties);
    }
    for operation in operation::all(paths).filter(|one| one.path.ends_with("/_search")) {
        let by_get = operation.id.trim_end_matches("ByPost");
        let Some(properties) = queries.get(by_get) else { continue };
        let form =
            content(operation.members).and_then(|content| content.get_mut(FORM)?.as_object_mut());
        let Some(form) = form else { continue };
        let others = json!({ "type": "string", "description": "Any other search parameter" });
        let schema =
            json!({ "type": "object", "properties": properties, "additionalProperties": others });
        form.insert("schema".to_owned(), schema);
    }
}
