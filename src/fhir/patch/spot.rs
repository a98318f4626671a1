//! Where in a resource an element stands, and what the standard says about the place.

use crate::fhir::definitions::elements::{Element, TypeDefinition};
use crate::fhir::path::ElementKind;
use crate::json::Node;

/// The place of an element.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The object that holds it: number of its node. The numbers of nodes stay the same when what
    /// stands behind them is changed.
    pub(super) holder: usize,
    /// The member under which it stands.
    pub(super) member: String,
    /// Which one in the list, for an element with many values; counted from 0.
    pub(super) at: Option<usize>,
    /// What it is.
    pub(super) element: &'static Element,
}

/// The places from the resource down to a value in it; none for the resource itself.
pub(super) fn spots_to(root: Node<'_>, target: Node<'_>) -> Result<Vec<Spot>, String> {
    let mut spots = Vec::new();
    let mut node = root;
    let mut kind = ElementKind::of_resource(root).definition();
    while node.index() != target.index() {
        let unknown = || "it leads to what the standard does not define".to_owned();
        let holder = node.index();
        let holds =
            |value: &Node<'_>| value.start() <= target.start() && target.end() <= value.end();
        let (member, value) = node.members().find(|(_, value)| holds(value)).ok_or_else(unknown)?;
        let (element, element_type) =
            kind.and_then(|kind| kind.member(&member)).ok_or_else(unknown)?;
        let at = value.items().position(|item| holds(&item));
        node = match at {
            Some(at) => value.items().nth(at).ok_or_else(unknown)?,
            None => value,
        };
        kind = ElementKind::of(element_type, node).definition();
        spots.push(Spot { holder, member: member.into_owned(), at, element });
    }
    Ok(spots)
}

/// The definition of an object at the end of these places.
pub(super) fn definition_behind(
    root: Node<'_>,
    node: Node<'_>,
    spots: &[Spot],
) -> Option<&'static TypeDefinition> {
    let Some(last) = spots.last() else { return ElementKind::of_resource(root).definition() };
    ElementKind::of(last.element.member(&last.member)?, node).definition()
}
