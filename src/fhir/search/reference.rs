//! References to other resources: FHIR R4 §3.1.1.4.12.
//!
//! References to this server are compared by type and id, whatever version they name; all others by
//! their text. A canonical is found by its URL, with the version or without, and with `:below` by how the version
//! begins.

use super::problem::{Refusal, invalid, not_supported};
use super::split::unescaped;
use super::term::{hash, tag, value};
use super::within::type_within;
use super::{Canonical, Lookup, SearchParameter, token};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::fhir::{Reference, ResourceId, ResourceKey, ResourceType};
use crate::json::Node;

/// The texts of which a reference must have one: `Type/id`, or a URL; or the canonical that it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReferencePredicate {
    any_of: Vec<String>,
    canonical: Option<(Canonical, Versions)>,
    /// Only the id was named.
    bare: Option<ResourceId>,
}

/// Which versions a reference to a canonical URL may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Versions {
    /// That of the resource, or none.
    OfResource,
    /// That one, or one that has more parts behind it.
    Below,
}

impl ReferencePredicate {
    pub(super) fn parse(
        parameter: &SearchParameter,
        kind: Option<ResourceType>,
        text: &str,
        base_url: Option<&str>,
    ) -> Result<Self, Refusal> {
        let text = unescaped(text);
        let bare = ResourceId::parse(&text).ok().filter(|_| kind.is_none());
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
        Ok(Self { any_of, canonical: None, bare })
    }

    /// `:below` of a canonical: FHIR R4 §3.1.1.4.12.
    pub(super) fn parse_below(text: &str) -> Self {
        let canonical = Canonical::parse(&unescaped(text));
        match canonical.version {
            Some(_) => {
                let canonical = Some((canonical, Versions::Below));
                Self { any_of: Vec::new(), canonical, bare: None }
            }
            // Whatever the version is.
            None => Self { any_of: vec![canonical.url], canonical: None, bare: None },
        }
    }

    /// That it leads to a resource of this server, which may have a canonical URL.
    pub(super) fn to(key: &ResourceKey, canonical: Option<&Canonical>) -> Self {
        let canonical = canonical.map(|canonical| (canonical.clone(), Versions::OfResource));
        Self { any_of: vec![key.to_string()], canonical, bare: None }
    }

    /// The id, if nothing else was named.
    pub(super) fn bare(&self) -> Option<&ResourceId> {
        self.bare.as_ref()
    }

    /// The index knows of a canonical what its URL is.
    pub(super) fn is_cut(&self) -> bool {
        self.canonical.is_some()
    }

    /// The resources of this server that it may lead to.
    pub(super) fn targets(&self, parameter: &SearchParameter) -> Vec<ResourceKey> {
        let keys = self.any_of.iter().filter_map(|text| text.parse().ok());
        keys.filter(|key: &ResourceKey| parameter.may_target(key.kind)).collect()
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let urls = self.canonical.iter().map(|(canonical, _)| &canonical.url);
        let texts = self.any_of.iter().chain(urls);
        texts.map(|text| Lookup::Exact(reference_value(text))).collect()
    }

    pub(super) fn matches(&self, item: Item<'_>, base_url: Option<&str>) -> bool {
        let Item::Node(node) = item else { return false };
        let names = names(node, base_url);
        let is_canonical = || match (&self.canonical, node.as_str()) {
            (Some((canonical, versions)), Some(text)) => versions.fit(canonical, &text),
            _ => false,
        };
        names.iter().any(|name| self.any_of.contains(name)) || is_canonical()
    }
}

impl Versions {
    fn fit(self, canonical: &Canonical, text: &str) -> bool {
        let named = Canonical::parse(text);
        let is_version = match (self, &named.version, &canonical.version) {
            (Self::OfResource, None, _) => true,
            (Self::OfResource, named, own) => named == own,
            (Self::Below, Some(named), Some(wanted)) => named
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            (Self::Below, ..) => false,
        };
        is_version && named.url == canonical.url
    }
}

/// The value under which references to resources within a resource are found, by their type.
#[must_use]
pub fn value_within(kind: ResourceType) -> Vec<u8> {
    value(tag::REFERENCE_WITHIN, &[&hash(kind.name())])
}

/// The value under which references to a canonical URL are found, whatever version they name.
#[must_use]
pub fn canonical_value(canonical: &Canonical) -> Vec<u8> {
    reference_value(&canonical.url)
}

/// The value under which references to a resource of this server are found.
pub fn value_of(key: &ResourceKey) -> Vec<u8> {
    reference_value(&key.to_string())
}

/// The values under which a reference is found.
pub(super) fn add_values(
    resource: Node<'_>,
    item: Item<'_>,
    base_url: Option<&str>,
    out: &mut Vec<Vec<u8>>,
) {
    let Item::Node(node) = item else { return };
    out.extend(type_within(resource, node).map(value_within));
    out.extend(names(node, base_url).iter().map(|name| reference_value(name)));
    out.extend(token::identifier_value(node));
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
    let kind = ResourceType::of(node)?;
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
        (Reference::Other(text), None) if is_of_no_type(text, base_url) => Err(invalid(format!(
            "\"{}\" names no resource type of this server; types are written as in Patient",
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

/// Whether a URL lies below the address of this server, where there is no such type.
fn is_of_no_type(text: &str, base_url: Option<&str>) -> bool {
    let base = base_url.map(|base| base.trim_end_matches('/'));
    let below = base.and_then(|base| text.strip_prefix(base)?.strip_prefix('/'));
    let name = below.and_then(|below| below.split('/').next());
    name.is_some_and(|name| ResourceType::from_name(name).is_none())
}

fn reference_value(text: &str) -> Vec<u8> {
    value(tag::REFERENCE, &[&hash(text)])
}
