//! What stands within a resource: contained resources (FHIR R4 §2.3.0.1), and the entries of a Bundle, to which
//! references in it lead first (§2.36.4).

use crate::fhir::ResourceType;
use crate::json::Node;

/// A resource, or one within it, and what its references can lead to there.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What is stored.
    root: Node<'a>,
    /// What has the contained resources: the root, or the resource of an entry if that is a Bundle.
    owner: Node<'a>,
    /// What is looked at.
    pub node: Node<'a>,
}

impl<'a> Scope<'a> {
    /// A resource as it is stored.
    #[must_use]
    pub fn of(root: Node<'a>) -> Self {
        Self { root, owner: root, node: root }
    }

    /// The resources within this one, each with its type: those it contains, and those of its entries.
    pub fn within(self) -> impl Iterator<Item = (ResourceType, Self)> {
        let contained = contained(self.node).map(move |node| Self { node, ..self });
        let entries = entries(self.node).filter_map(|entry| entry.get("resource"));
        let entries = entries.map(move |node| Self { owner: node, node, ..self });
        contained.chain(entries).filter_map(|scope| Some((ResourceType::of(scope.node)?, scope)))
    }

    /// The same resource, of which a part is another: what stands in the place of a reference.
    pub(super) fn at(self, node: Node<'a>) -> Self {
        Self { owner: node, node, ..self }
    }

    /// What a reference leads to within the stored resource.
    pub(super) fn find(self, text: &str) -> Option<Self> {
        if let Some(id) = text.strip_prefix('#') {
            let node = contained_as(self.owner, id)?;
            return Some(Self { node, ..self });
        }
        let is_named = |entry: &Node<'_>| {
            let url = entry.get_str("fullUrl").unwrap_or_default();
            let relative = || url.strip_suffix(text).is_some_and(|base| base.ends_with('/'));
            url == text || (!text.contains(':') && text.contains('/') && relative())
        };
        let node = entries(self.root).find(is_named)?.get("resource")?;
        Some(Self { owner: node, node, ..self })
    }
}

/// The type of a resource that stands in the place of a reference, or that a reference leads to within the
/// resource.
pub(super) fn type_within(resource: Node<'_>, node: Node<'_>) -> Option<ResourceType> {
    let referred = || {
        let text = node.get_str("reference")?;
        ResourceType::of(contained_as(resource, text.strip_prefix('#')?)?)
    };
    ResourceType::of(node).or_else(referred)
}

fn contained<'a>(node: Node<'a>) -> impl Iterator<Item = Node<'a>> + use<'a> {
    node.get("contained").into_iter().flat_map(|list| list.items())
}

fn contained_as<'a>(owner: Node<'a>, id: &str) -> Option<Node<'a>> {
    contained(owner).find(|node| node.get_str("id").as_deref() == Some(id))
}

/// The entries of a Bundle; of other resources, none.
fn entries<'a>(node: Node<'a>) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let is_bundle = ResourceType::of(node) == Some(ResourceType::BUNDLE);
    let entries = node.get("entry").filter(|_| is_bundle);
    entries.into_iter().flat_map(|list| list.items())
}
