//! References: FHIR R4 §2.3.0; contained resources and what leads to them: §2.27.2.

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
pub(super) struct Contained<'a> {
    /// In the order of their ids.
    found: Vec<Inner<'a>>,
    /// The number of the one in which the check is.
    inside: Option<usize>,
}

struct Inner<'a> {
    /// Without one, nothing can lead to it.
    id: Option<Cow<'a, str>>,
    /// Its place in the list.
    number: usize,
    kind: Option<ResourceType>,
    /// Something leads to it, or it leads to the resource that contains it.
    is_linked: bool,
}

impl<'a> Contained<'a> {
    /// Finds them in a resource; their ids must differ.
    pub(super) fn of(resource: Node<'a>, place: &Place<'_>, problems: &mut Problems) -> Self {
        let Some(contained) = resource.get("contained") else { return Self::default() };
        let mut found: Vec<_> = contained
            .items()
            .enumerate()
            .map(|(number, one)| Inner {
                id: one.get_str("id"),
                number,
                kind: ResourceType::of(one),
                is_linked: false,
            })
            .collect();
        found.sort_unstable_by(|one, other| (&one.id, one.number).cmp(&(&other.id, other.number)));
        for pair in found.windows(2) {
            if let [Inner { id: Some(first), .. }, Inner { id: Some(second), .. }] = pair
                && first == second
            {
                let diagnostics =
                    format!("two contained resources have the id \"{}\"", quotable(first));
                problems.add(IssueCode::Invariant, &place.member("contained"), diagnostics);
            }
        }
        Self { found, inside: None }
    }

    /// The type of the one with that id, as far as it is known; `None` if there is none. From now on
    /// something leads to it.
    fn lead(&mut self, id: &str) -> Option<Option<ResourceType>> {
        let first = self.found.partition_point(|inner| inner.id.as_deref() < Some(id));
        let mut kind = None;
        for inner in self.found.iter_mut().skip(first) {
            if inner.id.as_deref() != Some(id) {
                break;
            }
            inner.is_linked = true;
            kind.get_or_insert(inner.kind);
        }
        kind
    }

    /// The one in which the check is leads to the resource that contains it.
    fn lead_out(&mut self) {
        let inside = self.inside;
        let inner = self.found.iter_mut().find(|inner| Some(inner.number) == inside);
        if let Some(inner) = inner {
            inner.is_linked = true;
        }
    }

    /// A URI or canonical, which may begin with `#` as a reference does.
    pub(super) fn uri(&mut self, text: &str) {
        match text.strip_prefix('#') {
            Some("") => self.lead_out(),
            Some(id) => {
                self.lead(id);
            }
            None => {}
        }
    }

    /// The check goes into one, or out again.
    pub(super) fn enter(&mut self, number: Option<usize>) {
        self.inside = number;
    }

    /// Those that nothing leads to, and that do not lead to what contains them: invariant dom-3.
    pub(super) fn without_link(&self, place: &Place<'_>, problems: &mut Problems) {
        for inner in self.found.iter().filter(|inner| !inner.is_linked) {
            let what = match &inner.id {
                Some(id) => format!("nothing leads to #{}", quotable(id)),
                None => "without an id, nothing leads to it".to_owned(),
            };
            let diagnostics = format!(
                "{what}: a contained resource is referred to from the resource that contains it, \
                 or refers to it with # (dom-3)"
            );
            let list = place.member("contained");
            problems.add(IssueCode::Invariant, &list.item(inner.number), diagnostics);
        }
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
            Reference::Fragment("") => {
                self.contained.lead_out();
                None
            }
            Reference::Fragment(id) => match self.contained.lead(id) {
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
        if targets.peek().is_none() || targets.any(|name| name == target.name()) {
            return;
        }
        let targets: Vec<_> = kind.targets().collect();
        let diagnostics = format!("leads to a {target}; it may lead to {}", targets.join(" or "));
        if kind.shown_targets().any(|name| name == target.name()) {
            let diagnostics = format!("{diagnostics}, though an example of the standard does so");
            self.warn(IssueCode::Value, place, || diagnostics);
        } else {
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
