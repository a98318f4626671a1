//! The hierarchy of a CodeSystem: FHIR R4 §4.8.10.

use std::collections::{HashMap, HashSet};

use super::string::fold_case;
use crate::json::Node;

/// Most codes that are taken from one hierarchy.
const CODES_MAX: usize = 10_000;
/// The properties of a concept that say what stands above or below it, beside those that are named so.
const PARENT: &str = "http://hl7.org/fhir/concept-properties#parent";
const CHILD: &str = "http://hl7.org/fhir/concept-properties#child";

/// Where to look in a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// For what subsumes a code.
    Above,
    /// For what a code subsumes.
    Below,
}

/// A code, and all codes above or below it in a CodeSystem. Of a code that the CodeSystem does not have,
/// itself alone.
///
/// # Errors
///
/// Why the hierarchy does not say it.
pub fn codes_in_hierarchy(
    resource: Node<'_>,
    code: &str,
    direction: Direction,
) -> Result<Vec<String>, String> {
    let meaning = resource.get_str("hierarchyMeaning");
    if let Some(meaning) = meaning.filter(|meaning| meaning != "is-a") {
        return Err(format!(
            "the hierarchy of the CodeSystem is {meaning}; only one of is-a says what a code subsumes"
        ));
    }
    if resource.get("concept").is_none() {
        return Err("the CodeSystem on this server has no concepts".to_owned());
    }
    let next = steps(resource, direction);
    let is_sensitive = resource.get("caseSensitive").is_some_and(|node| node.text() == "true");
    let same = |known: &String| match is_sensitive {
        true => known == code,
        false => fold_case(known) == fold_case(code),
    };
    let mut found = vec![code.to_owned()];
    found.extend(next.keys().filter(|known| *known != code && same(known)).cloned());
    let mut known: HashSet<String> = found.iter().cloned().collect();
    let mut at = 0;
    while let Some(code) = found.get(at) {
        let fresh = next.get(code).into_iter().flatten();
        let fresh: Vec<String> =
            fresh.filter(|code| known.insert((*code).clone())).cloned().collect();
        found.extend(fresh);
        if found.len() > CODES_MAX {
            return Err(format!("the hierarchy has more than {CODES_MAX} such codes"));
        }
        at += 1;
    }
    Ok(found)
}

/// From each code the codes that stand right above or below it.
fn steps(resource: Node<'_>, direction: Direction) -> HashMap<String, Vec<String>> {
    let named = |uri: &str, usual: &str| {
        let defined =
            items(resource, "property").filter(|one| one.get_str("uri").as_deref() == Some(uri));
        let defined = defined.filter_map(|one| one.get_str("code").map(|code| code.into_owned()));
        defined.chain([usual.to_owned()]).collect::<Vec<_>>()
    };
    let (parent, child) = (named(PARENT, "parent"), named(CHILD, "child"));
    let mut steps: HashMap<String, Vec<String>> = HashMap::new();
    let mut add = |above: &str, below: &str| {
        let (from, to) = match direction {
            Direction::Above => (below, above),
            Direction::Below => (above, below),
        };
        steps.entry(from.to_owned()).or_default().push(to.to_owned());
    };
    let mut open: Vec<Node<'_>> = items(resource, "concept").collect();
    while let Some(concept) = open.pop() {
        let Some(code) = concept.get_str("code") else { continue };
        for below in items(concept, "concept") {
            below.get_str("code").iter().for_each(|below| add(&code, below));
            open.push(below);
        }
        for property in items(concept, "property") {
            let name = property.get_str("code").unwrap_or_default();
            let Some(other) = property.get_str("valueCode") else { continue };
            if parent.iter().any(|known| *known == name) {
                add(&other, &code);
            } else if child.iter().any(|known| *known == name) {
                add(&code, &other);
            }
        }
    }
    steps
}

fn items<'a>(node: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> + use<'a> {
    node.get(name).into_iter().flat_map(|list| list.items())
}
