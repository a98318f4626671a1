//! References to other resources: FHIR R4 §3.1.1.4.12.
//!
//! References to this server are compared by type and id, whatever version they name; all others by
//! their text. A canonical is found by its URL, with the version or without.

use super::problem::{Refusal, invalid, not_supported};
use super::split::unescaped;
use super::term::{hash, tag, value};
use super::{Lookup, SearchParameter, token};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::fhir::{Reference, ResourceId, ResourceKey, ResourceType};
use crate::json::Node;
use crate::numbers::ResourceVersion;

/// The texts of which a reference must have one: `Type/id`, or a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReferencePredicate {
    any_of: Vec<String>,
}

impl ReferencePredicate {
    pub(super) fn parse(
        parameter: &SearchParameter,
        kind: Option<ResourceType>,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<Self, Refusal> {
        let text = unescaped(text);
        let any_of = match (ResourceId::parse(&text), kind) {
            (Ok(id), Some(kind)) => vec![ResourceKey::new(kind, id).to_string()],
            (Ok(id), None) => {
                let of_type = |kind| ResourceKey::new(kind, id.clone()).to_string();
                let local = parameter.targets().into_iter().map(of_type);
                // An element of type uri or canonical may hold the text as it is.
                local.chain(std::iter::once(text)).collect()
            }
            (Err(_), _) => vec![full_reference(parameter, kind, &text, base_url)?],
        };
        Ok(Self { any_of })
    }

    /// That it leads to a resource of this server.
    pub(super) fn to(key: &ResourceKey) -> Self {
        Self { any_of: vec![key.to_string()] }
    }

    /// The resources of this server that it may lead to.
    pub(super) fn targets(&self, parameter: &SearchParameter) -> Vec<ResourceKey> {
        let keys = self.any_of.iter().filter_map(|text| text.parse().ok());
        keys.filter(|key: &ResourceKey| parameter.may_target(key.kind)).collect()
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        self.any_of.iter().map(|text| Lookup::Exact(reference_value(text))).collect()
    }

    pub(super) fn matches(&self, item: Item<'_>, base_url: Option<&str>) -> bool {
        let Item::Node(node) = item else { return false };
        names(node, base_url).iter().any(|name| self.any_of.contains(name))
    }
}

/// The value under which references to a resource of this server are found.
pub fn value_of(key: &ResourceKey) -> Vec<u8> {
    reference_value(&key.to_string())
}

/// The values under which a reference is found.
pub(super) fn add_values(item: Item<'_>, base_url: Option<&str>, out: &mut Vec<Vec<u8>>) {
    let Item::Node(node) = item else { return };
    out.extend(names(node, base_url).iter().map(|name| reference_value(name)));
    out.extend(token::identifier_value(node));
}

/// The resource of this server to which an element refers, and the version that it names.
pub(super) fn local_target(
    node: Node<'_>,
    base_url: Option<&str>,
) -> Option<(ResourceKey, Option<ResourceVersion>)> {
    if let Some(key) = key_of_resource(node) {
        return Some((key, None));
    }
    let text = node.get_str("reference").or_else(|| node.as_str())?;
    match Reference::parse(&text, base_url) {
        Reference::Local { key, version } => Some((key, version)),
        _ => None,
    }
}

/// Says which types the parameter refers to.
pub(super) fn wrong_target(parameter: &SearchParameter, kind: &str) -> Refusal {
    let names: Vec<_> = parameter.targets().iter().map(|kind| kind.name()).collect();
    let names = names.join(", ");
    invalid(format!("{} does not refer to {kind}, but to {names}", parameter.name))
}

/// The same for sorting.
pub(super) fn names_of(item: Item<'_>, base_url: Option<&str>) -> Vec<String> {
    match item {
        Item::Node(node) => names(node, base_url),
        Item::Boolean(_) => Vec::new(),
    }
}

/// The texts by which an element is compared: one, or a canonical with its version and without.
fn names(node: Node<'_>, base_url: Option<&str>) -> Vec<String> {
    if let Some(key) = key_of_resource(node) {
        return vec![key.to_string()];
    }
    let is_reference = node.is_object();
    let Some(text) = node.get_str("reference").or_else(|| node.as_str()) else {
        // A logical reference has an identifier at most.
        return Vec::new();
    };
    match Reference::parse(&text, base_url) {
        Reference::Local { key, .. } => vec![key.to_string()],
        Reference::Fragment(_) => Vec::new(),
        _ => match text.split_once('|') {
            Some((url, _)) if !is_reference => vec![text.clone().into_owned(), url.to_owned()],
            _ => vec![text.into_owned()],
        },
    }
}

/// Of a whole resource in the place of a reference, as in the first entry of a Bundle.
fn key_of_resource(node: Node<'_>) -> Option<ResourceKey> {
    let kind = ResourceType::from_name(&node.get_str("resourceType")?)?;
    Some(ResourceKey::new(kind, ResourceId::parse(&node.get_str("id")?).ok()?))
}

fn full_reference(
    parameter: &SearchParameter,
    kind: Option<ResourceType>,
    text: &str,
    base_url: Option<&str>,
) -> Result<String, Refusal> {
    match (Reference::parse(text, base_url), kind) {
        (Reference::Local { key, .. }, Some(kind)) if key.kind != kind => Err(invalid(format!(
            "the modifier \":{kind}\" does not go with a reference to {}",
            key.kind
        ))),
        (Reference::Local { key, .. }, _) if !parameter.may_target(key.kind) => {
            Err(wrong_target(parameter, key.kind.name()))
        }
        (Reference::Local { key, .. }, _) => Ok(key.to_string()),
        (Reference::Fragment(_) | Reference::Conditional { .. }, _) => Err(not_supported(format!(
            "\"{}\" is a reference that a search cannot follow; supported are id, Type/id and \
             absolute URLs",
            quotable(text)
        ))),
        (Reference::Urn(text), None) => Ok(text.to_owned()),
        (Reference::Other(text), None) if text.contains(':') => Ok(text.to_owned()),
        _ => Err(invalid(format!(
            "\"{}\" is not a reference; supported are id, Type/id and absolute URLs",
            quotable(text)
        ))),
    }
}

fn reference_value(text: &str) -> Vec<u8> {
    value(tag::REFERENCE, &[&hash(text)])
}
