//! References: FHIR R4 §2.3.0.

use std::borrow::Cow;

use super::place::Place;
use super::primitive::{is_oid, is_uuid};
use super::problem::Problems;
use super::{Check, IssueCode};
use crate::fhir::ResourceType;
use crate::fhir::definitions::elements::ElementType;
use crate::fhir::reference::{Reference, target_type};
use crate::fhir::types::quotable;
use crate::json::Node;

/// The contained resources of the resource in which a check is: what `#id` may lead to.
#[derive(Default)]
pub(super) struct Contained<'a>(Vec<(Cow<'a, str>, Option<ResourceType>)>);

impl<'a> Contained<'a> {
    /// Finds them in a resource; their ids must differ.
    pub(super) fn of(resource: Node<'a>, place: &Place<'_>, problems: &mut Problems) -> Self {
        let Some(contained) = resource.get("contained") else { return Self::default() };
        let kind = |resource: &Node<'_>| {
            resource.get_str("resourceType").and_then(|name| ResourceType::from_name(&name))
        };
        let found = contained.items().filter_map(|one| Some((one.get_str("id")?, kind(&one))));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        for pair in found.windows(2) {
            if let [(first, _), (second, _)] = pair
                && first == second
            {
                let diagnostics =
                    format!("two contained resources have the id \"{}\"", quotable(first));
                problems.add(IssueCode::Invariant, &place.member("contained"), diagnostics);
            }
        }
        Self(found)
    }

    /// The type of the one with that id, as far as it is known; `None` if there is none.
    fn find(&self, id: &str) -> Option<Option<ResourceType>> {
        let place = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(id)).ok()?;
        self.0.get(place).map(|(_, kind)| *kind)
    }
}

impl<'a> Check<'a> {
    /// A reference: of a known form, to a type that may stand there.
    pub(super) fn reference(&mut self, kind: &ElementType, reference: Node<'a>, place: &Place<'_>) {
        let named = reference.get_str("type");
        let named = named.as_deref().and_then(ResourceType::from_name);
        if let Some(named) = named {
            self.allowed(kind, named, &place.member("type"));
        }
        let Some(text) = reference.get_str("reference") else { return };
        let at = place.member("reference");
        let target = match Reference::parse(&text, None) {
            Reference::Fragment("") => None,
            Reference::Fragment(id) => match self.contained.find(id) {
                Some(target) => target,
                None => {
                    let diagnostics =
                        format!("no contained resource has the id \"{}\" (ref-1)", quotable(id));
                    return self.problems.add(IssueCode::Invariant, &at, diagnostics);
                }
            },
            parsed if is_well_formed(&parsed) => target_type(&parsed),
            _ => {
                let diagnostics = format!(
                    "\"{}\" is not a reference: write Type/id, an absolute URL, urn:uuid: and a \
                     UUID, or # and the id of a contained resource",
                    quotable(&text)
                );
                return self.problems.add(IssueCode::Value, &at, diagnostics);
            }
        };
        let Some(target) = target else { return };
        self.allowed(kind, target, &at);
        if let Some(named) = named.filter(|named| *named != target) {
            let diagnostics = format!("the type is {named}, the reference leads to a {target}");
            self.problems.add(IssueCode::Value, place, diagnostics);
        }
    }

    fn allowed(&mut self, kind: &ElementType, target: ResourceType, place: &Place<'_>) {
        let mut targets = kind.targets().peekable();
        if targets.peek().is_some() && !targets.any(|name| name == target.name()) {
            let targets: Vec<_> = kind.targets().collect();
            let diagnostics =
                format!("leads to a {target}; it may lead to {}", targets.join(" or "));
            self.problems.add(IssueCode::Value, place, diagnostics);
        }
    }
}

fn is_well_formed(reference: &Reference<'_>) -> bool {
    match reference {
        Reference::Urn(text) => {
            match text.split_once(':').and_then(|(_, rest)| rest.split_once(':')) {
                Some(("uuid", uuid)) => is_uuid(&uuid.to_ascii_lowercase()),
                Some(("oid", oid)) => is_oid(oid),
                Some((_, rest)) => !rest.is_empty(),
                None => false,
            }
        }
        Reference::Other(text) => is_absolute(text),
        _ => true,
    }
}

/// A scheme and something behind it, without white space.
fn is_absolute(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && !rest.contains(char::is_whitespace)
}
