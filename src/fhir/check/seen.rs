//! Which elements an object has, one bit for each.

use crate::fhir::definitions::elements::{Element, ElementType, TypeDefinition};

/// The elements that were found in an object. Those that its own type adds have the lowest bits, in
/// their order; those of its bases the highest, from above.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) once: u64,
    /// Own elements found under two names, which may be two types, or a value and its extensions.
    pub(super) again: u64,
    /// Where the next element probably stands in the definition: behind the one before.
    next: usize,
}

impl Seen {
    /// The element and type that the name of a member means.
    pub(super) fn find(
        &mut self,
        kind: &'static TypeDefinition,
        name: &str,
    ) -> Option<(&'static Element, &'static ElementType)> {
        let behind = kind.own.iter().enumerate().skip(self.next);
        let before = kind.own.iter().enumerate().take(self.next);
        for (place, element) in behind.chain(before) {
            if let Some(found) = element.member(name) {
                let bit = 1 << place;
                self.again |= self.once & bit;
                self.once |= bit;
                self.next = place;
                return Some((element, found));
            }
        }
        for (place, element) in kind.base()?.elements().enumerate() {
            if let Some(found) = element.member(name) {
                self.once |= TOP >> place;
                return Some((element, found));
            }
        }
        None
    }
}

const TOP: u64 = 1 << 63;

/// The bit of the element of that name, which comes without the `[x]` of a choice.
pub(super) fn bit(kind: &'static TypeDefinition, name: &str) -> Option<u64> {
    if let Some(place) = kind.own.iter().position(|element| element.name == name) {
        return Some(1 << place);
    }
    let place = kind.base()?.elements().position(|element| element.name == name)?;
    Some(TOP >> place)
}

/// The elements of a type's own whose bit is set.
pub(super) fn chosen(
    kind: &'static TypeDefinition,
    bits: u64,
) -> impl Iterator<Item = &'static Element> {
    let own = kind.own.iter().enumerate();
    own.filter(move |(place, _)| bits & (1 << place) != 0).map(|(_, element)| element)
}
