//! One operation of the document, and how to reach its parts.

use serde_json::{Map, Value, json};

/// One operation of the document.
pub struct Operation<'a> {
    /// Its address.
    pub path: &'a str,
    /// `operationId`.
    pub id: String,
    /// Whether it needs no token.
    pub is_open: bool,
    /// All that is said about it.
    pub members: &'a mut Map<String, Value>,
}

impl Operation<'_> {
    /// Whether it is of the FHIR API.
    pub fn is_fhir(&self) -> bool {
        self.path.starts_with("/fhir")
    }

    /// Whether it takes a body.
    pub fn has_body(&self) -> bool {
        self.members.contains_key("requestBody")
    }

    /// Its parameters.
    pub fn parameters(&mut self) -> impl Iterator<Item = &mut Map<String, Value>> {
        let list = self.members.get_mut("parameters").and_then(Value::as_array_mut);
        list.into_iter().flatten().filter_map(Value::as_object_mut)
    }

    /// Whether it has a parameter of that name.
    pub fn takes(&mut self, name: &str) -> bool {
        self.parameters().any(|one| text(one, "name") == name)
    }

    /// Its answers, by their statuses.
    pub fn responses(&mut self) -> Option<&mut Map<String, Value>> {
        self.members.get_mut("responses")?.as_object_mut()
    }
}

/// All operations of the part `paths`.
pub fn all(paths: &mut Value) -> impl Iterator<Item = Operation<'_>> {
    let paths = paths.as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object_mut().into_iter().flatten();
        methods.filter_map(|(_, operation)| {
            let members = operation.as_object_mut()?;
            let id = text(members, "operationId").to_owned();
            let is_open = members.contains_key("security");
            Some(Operation { path, id, is_open, members })
        })
    })
}

/// A reference to a schema among the components.
pub fn schema_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A member that is a text; empty if it is none.
pub fn text<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}
