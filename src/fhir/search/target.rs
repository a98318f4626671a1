//! Where references lead: to resources of this server by their names or canonical URLs, and to what stands within
//! the resource itself.

use super::terms::items_of;
use super::{Canonical, Scope, SearchParameter};
use crate::fhir::path::Item;
use crate::fhir::reference::Reference;
use crate::fhir::{ResourceKey, ResourceType};
use crate::json::Node;
use crate::numbers::ResourceVersion;

/// What a reference leads to.
#[derive(Debug, Clone)]
pub enum Target<'a> {
    /// A resource of this server, and the version that the reference names.
    Resource(ResourceKey, Option<ResourceVersion>),
    /// The resources with a canonical URL.
    Canonical(Canonical),
    /// A resource within the one that refers.
    Within(ResourceType, Scope<'a>),
}

/// What the references of a parameter lead to. `base_url` is this server's own: references below it are local.
#[must_use]
pub fn targets_of<'a>(
    parameter: &SearchParameter,
    scope: Scope<'a>,
    base_url: Option<&str>,
) -> Vec<Target<'a>> {
    let target = |item| match item {
        Item::Node(node) => target(scope, node, base_url),
        Item::Boolean(_) => None,
    };
    let targets = items_of(&parameter.expression, scope.node).into_iter().filter_map(target);
    targets.filter(|target| target.kind().is_none_or(|kind| parameter.may_target(kind))).collect()
}

impl Target<'_> {
    /// Of what type it is, if that is known.
    fn kind(&self) -> Option<ResourceType> {
        match self {
            Self::Resource(key, _) => Some(key.kind),
            Self::Within(kind, _) => Some(*kind),
            Self::Canonical(_) => None,
        }
    }
}

fn target<'a>(scope: Scope<'a>, node: Node<'a>, base_url: Option<&str>) -> Option<Target<'a>> {
    if let Some(kind) = ResourceType::of(node) {
        return Some(Target::Within(kind, scope.at(node)));
    }
    let text = node.get_str("reference").or_else(|| node.as_str())?;
    if let Some(found) = scope.find(&text) {
        return Some(Target::Within(ResourceType::of(found.node)?, found));
    }
    match Reference::parse(&text, base_url) {
        Reference::Local { key, version } => Some(Target::Resource(key, version)),
        Reference::Fragment(_) | Reference::Conditional { .. } => None,
        Reference::Urn(_) | Reference::Other(_) if node.is_object() => None,
        Reference::Urn(_) | Reference::Other(_) => Some(Target::Canonical(Canonical::parse(&text))),
    }
}
