//! What is refused on every write, whatever the resource type: the rules of FHIR R4's JSON
//! (§2.6.2) and of all resources (§2.26, §2.27).
//!
//! All problems are reported at once, each with its FHIRPath. Never: knowledge of a type's
//! elements.

mod place;
mod problem;

use super::{ResourceId, ResourceType};
use crate::json::{Kind, Node};
use place::Place;

use problem::Problems;
pub use problem::{IssueCode, PROBLEMS_MAX, Problem};

/// What a resource that passed says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its type.
    pub kind: ResourceType,
    /// Its id, if it has one.
    pub id: Option<ResourceId>,
}

/// Checks a resource, of the expected type if there is one.
///
/// `place` is the FHIRPath of the resource in what was sent, such as `Bundle.entry[3].resource`;
/// it is empty if the resource is all that was sent.
///
/// # Errors
///
/// All problems, but no more than [`PROBLEMS_MAX`].
pub fn check(
    expected: Option<ResourceType>,
    resource: Node<'_>,
    place: &str,
) -> Result<Checked, Vec<Problem>> {
    let name = resource.get_str("resourceType").unwrap_or_default();
    let kind = ResourceType::from_name(&name);
    let root = match (place, kind) {
        ("", Some(kind)) => Place::Root(kind.name()),
        ("", None) => Place::Root("Resource"),
        (place, _) => Place::Root(place),
    };
    let mut problems = Problems::default();
    if !resource.is_object() {
        problems.add(IssueCode::Structure, &root, "a resource is a JSON object");
        return Err(problems.all());
    }
    if let (Some(expected), Some(kind)) = (expected, kind)
        && expected != kind
    {
        let diagnostics = format!("expected a resource of type {expected}, found {kind}");
        problems.add(IssueCode::Value, &root.member("resourceType"), diagnostics);
    }
    let id = resource_rules(resource, &root, &mut problems);
    elements(resource, &root, &mut problems);
    match (kind, problems.is_empty()) {
        (Some(kind), true) => Ok(Checked { kind, id }),
        _ => Err(problems.all()),
    }
}

/// The rules of a resource that stands alone or is contained; gives its id.
fn resource_rules(
    resource: Node<'_>,
    place: &Place<'_>,
    problems: &mut Problems,
) -> Option<ResourceId> {
    if resource.get("resourceType").is_none() {
        let diagnostics = "resourceType is missing: a resource names its type";
        problems.add(IssueCode::Required, place, diagnostics);
    }
    if let Some(meta) = resource.get("meta")
        && !meta.is_object()
    {
        problems.add(IssueCode::Structure, &place.member("meta"), "meta is a JSON object");
    }
    let id = resource.get("id")?;
    let Some(text) = id.as_str() else {
        problems.add(IssueCode::Structure, &place.member("id"), "an id is a JSON string");
        return None;
    };
    match ResourceId::parse(&text) {
        Ok(id) => Some(id),
        // An empty string is reported with all others.
        Err(_) if text.is_empty() => None,
        Err(error) => {
            problems.add(IssueCode::Value, &place.member("id"), error.to_string());
            None
        }
    }
}

/// The rules of an object, and of all that it holds. The parser bounds the depth.
fn elements(object: Node<'_>, place: &Place<'_>, problems: &mut Problems) {
    for (name, value) in object.members() {
        if problems.is_full() {
            return;
        }
        let place = place.member(&name);
        match &*name {
            "resourceType" => resource_type(value, &place, problems),
            "contained" => contained(value, &place, problems),
            _ => {}
        }
        element(value, &place, problems);
        if value.kind() == Kind::Array {
            items(object, &name, value, &place, problems);
        }
    }
}

/// The items of the array that a member of the object holds.
fn items(
    object: Node<'_>,
    name: &str,
    array: Node<'_>,
    place: &Place<'_>,
    problems: &mut Problems,
) {
    for (index, item) in array.items().enumerate() {
        if problems.is_full() {
            return;
        }
        let place = place.item(index);
        match item.kind() {
            Kind::Null if sibling_has(object, name, index) => {}
            Kind::Null => {
                let diagnostics = "null in an array stands only for a value or extension that the \
                     sibling array, named with or without '_', has at the same index";
                problems.add(IssueCode::Structure, &place, diagnostics);
            }
            Kind::Array => {
                let diagnostics = "an array does not hold arrays in FHIR";
                problems.add(IssueCode::Structure, &place, diagnostics);
            }
            _ => element(item, &place, problems),
        }
    }
}

/// The rules of a value anywhere.
fn element(value: Node<'_>, place: &Place<'_>, problems: &mut Problems) {
    let absent = match value.kind() {
        Kind::Null => "null",
        Kind::String if value.text().len() == r#""""#.len() => "an empty string",
        Kind::Array if value.items().next().is_none() => "an empty array",
        Kind::Object if value.members().next().is_none() => "an empty object",
        Kind::Object => return elements(value, place, problems),
        _ => return,
    };
    let diagnostics = format!("{absent} is not allowed in FHIR: what has no value is left out");
    problems.add(IssueCode::Structure, place, diagnostics);
}

/// `given: [null]` beside `_given: [{…}]`, and the other way round: FHIR R4 §2.6.2.3.
fn sibling_has(object: Node<'_>, name: &str, index: usize) -> bool {
    let sibling = match name.strip_prefix('_') {
        Some(name) => object.get(name),
        None => object.get(&format!("_{name}")),
    };
    let item = sibling.and_then(|array| array.items().nth(index));
    item.is_some_and(|item| item.kind() != Kind::Null)
}

fn resource_type(value: Node<'_>, place: &Place<'_>, problems: &mut Problems) {
    match value.as_str() {
        Some(name) if ResourceType::from_name(&name).is_some() || name.is_empty() => {}
        Some(name) => {
            let diagnostics =
                format!("\"{}\" is not a resource type of FHIR R4", super::types::quotable(&name));
            problems.add(IssueCode::NotSupported, place, diagnostics);
        }
        None => problems.add(IssueCode::Structure, place, "resourceType is a JSON string"),
    }
}

/// Resources within a resource: FHIR R4 §2.27.2, invariant dom-2.
fn contained(array: Node<'_>, place: &Place<'_>, problems: &mut Problems) {
    if array.kind() != Kind::Array {
        problems.add(IssueCode::Structure, place, "contained is a JSON array of resources");
    }
    for (index, resource) in array.items().enumerate() {
        if problems.is_full() {
            return;
        }
        let place = place.item(index);
        if !resource.is_object() {
            problems.add(IssueCode::Structure, &place, "a contained resource is a JSON object");
            continue;
        }
        resource_rules(resource, &place, problems);
        if resource.get("contained").is_some() {
            let diagnostics = "a contained resource does not contain resources (dom-2)";
            problems.add(IssueCode::Invariant, &place.member("contained"), diagnostics);
        }
    }
}

#[cfg(test)]
mod tests;
