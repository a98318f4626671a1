//! What would be right where an element is unknown or missing.

use crate::fhir::definitions::elements::{Element, TypeDefinition};
use crate::fhir::definitions::{ResourceType, is_element_of_r4b};
use crate::fhir::types::quotable;

/// Most names that a message lists.
const NAMES_MAX: usize = 8;

/// Says that a member is no element of the type, and which one may have been meant.
pub(super) fn unknown(kind: &'static TypeDefinition, name: &str) -> String {
    let refused = format!("\"{}\" is not an element of {}", quotable(name), kind.name);
    let bare = name.strip_prefix('_').unwrap_or(name);
    if bare != name && kind.member(bare).is_some() {
        return format!(
            "{refused}: only primitive values have a sibling whose name begins with '_'"
        );
    }
    if is_element_of_r4b(kind.name, bare) {
        return format!(
            "{refused}: it is of R4B (4.3), and this server takes R4 (4.0.1): say it as R4 does, or in an extension"
        );
    }
    if name == "resourceType" {
        return format!("{refused}: only resources name their type");
    }
    let choice = kind.elements().filter(|element| element.is_choice);
    if let Some(element) = choice.into_iter().find(|element| bare.starts_with(element.name)) {
        return format!("{refused}: {} is written {}", element.name, names(element));
    }
    let mut elements = kind.elements();
    match elements.find(|element| element.name.eq_ignore_ascii_case(bare)) {
        Some(element) => format!("{refused}: write \"{}\"", element.name),
        None => refused,
    }
}

/// Says that there is no resource type of that name.
pub(super) fn unknown_type(name: &str) -> String {
    name.parse::<ResourceType>().err().map(|error| error.to_string()).unwrap_or_default()
}

/// Says that an element is missing that the type requires.
pub(super) fn missing(kind: &TypeDefinition, element: &Element) -> String {
    let count = if element.max_is_many { "at least one" } else { "one" };
    let name = if element.is_choice { names(element) } else { element.name.to_owned() };
    format!("{name} is missing: {} must have {count}", kind.name)
}

/// The names in JSON of an element of several types.
fn names(element: &Element) -> String {
    let names = element.types.iter().take(NAMES_MAX).map(|kind| {
        let mut letters = kind.name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        format!("{}{}{}", element.name, first.unwrap_or_default(), letters.as_str())
    });
    let names: Vec<_> = names.collect();
    let more = if element.types.len() > NAMES_MAX { " and so on" } else { "" };
    format!("{}{more}", names.join(" or "))
}
