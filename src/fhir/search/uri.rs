//! URIs: FHIR R4 §3.1.1.4.11. Compared literally, and URLs with `:below` and `:above` by the segments of their
//! paths. A canonical is found by its URL, with the version or without; so is the resource whose URL it is.

use std::borrow::Cow;

use super::problem::{Refusal, not_supported};
use super::split::unescaped;
use super::term::{TEXT_CUT, TEXT_END, cut, hash, tag, value};
use super::{Canonical, Lookup, SearchParameter};
use crate::fhir::path::Item;
use crate::json::Node;

/// Bytes of a URI that a term keeps as they are.
const KEPT_BYTES: usize = 50;
/// What ends a segment of a path.
const ENDS: [char; 3] = ['/', '?', '#'];
/// Most levels of a path that `:above` looks at.
const LEVELS_MAX: usize = 64;

/// A predicate over URIs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct UriPredicate {
    comparison: Comparison,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Comparison {
    /// Is the same.
    Exact,
    /// Is one of the levels below it, or the same.
    Below,
    /// Is one of the levels above it, or the same.
    Above,
}

impl UriPredicate {
    pub(super) fn parse(comparison: Comparison, text: &str) -> Result<Self, Refusal> {
        let text = unescaped(text);
        let is_urn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        if is_urn && comparison != Comparison::Exact {
            return Err(not_supported(
                "a URN has no levels: :above and :below are for URLs, such as http://example.org/fhir",
            ));
        }
        Ok(Self { comparison, text })
    }

    /// The URL of a canonical, with its version if it names one.
    pub(super) fn of(canonical: &Canonical) -> Self {
        let text = match &canonical.version {
            Some(version) => format!("{}|{version}", canonical.url),
            None => canonical.url.clone(),
        };
        Self { comparison: Comparison::Exact, text }
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        match self.comparison {
            Comparison::Exact => vec![Lookup::Exact(uri_value(&self.text))],
            Comparison::Below => {
                let beginning =
                    |text: String| Lookup::Prefix(value(tag::URI, &[cut(&text, KEPT_BYTES)]));
                match self.text.ends_with('/') {
                    true => vec![beginning(self.text.clone())],
                    false => {
                        let ends = ENDS.iter().map(|end| beginning(format!("{}{end}", self.text)));
                        ends.chain([Lookup::Exact(uri_value(&self.text))]).collect()
                    }
                }
            }
            Comparison::Above => {
                levels(&self.text).map(|level| Lookup::Exact(uri_value(level))).collect()
            }
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.comparison == Comparison::Below && self.text.len() >= KEPT_BYTES
    }

    /// `version` is that of the resource, if the element is its URL.
    pub(super) fn matches(&self, item: Item<'_>, version: Option<&str>) -> bool {
        let Some(uri) = text(item) else { return false };
        names(&uri, version).any(|uri| match self.comparison {
            Comparison::Exact => uri == self.text,
            Comparison::Below => uri.strip_prefix(&*self.text).is_some_and(|rest| {
                rest.is_empty() || self.text.ends_with('/') || rest.starts_with(ENDS)
            }),
            Comparison::Above => levels(&self.text).any(|level| uri == level),
        })
    }
}

/// The version of a resource of which a parameter says the canonical URL.
pub(super) fn version_of<'a>(
    parameter: &SearchParameter,
    resource: Node<'a>,
) -> Option<Cow<'a, str>> {
    resource.get_str("version").filter(|_| parameter.name == "url")
}

/// The value under which a URI is found.
pub(super) fn add_values(item: Item<'_>, version: Option<&str>, out: &mut Vec<Vec<u8>>) {
    if let Some(text) = text(item) {
        out.extend(names(&text, version).map(|name| uri_value(&name)));
    }
}

/// The URI in an element.
pub(super) fn text(item: Item<'_>) -> Option<Cow<'_, str>> {
    match item {
        Item::Node(node) => node.as_str(),
        Item::Boolean(_) => None,
    }
}

/// The URI; of a canonical that names a version, also the URL without it; and the canonical of a resource that has
/// a version.
fn names<'a>(uri: &'a str, version: Option<&str>) -> impl Iterator<Item = Cow<'a, str>> {
    let url = uri.split_once('|').map(|(url, _)| Cow::Borrowed(url));
    let pinned = version.map(|version| Cow::Owned(format!("{uri}|{version}")));
    [Some(Cow::Borrowed(uri)), url, pinned].into_iter().flatten()
}

fn uri_value(text: &str) -> Vec<u8> {
    match text.len() {
        ..=KEPT_BYTES => value(tag::URI, &[text.as_bytes(), &[TEXT_END]]),
        _ => value(tag::URI, &[cut(text, KEPT_BYTES), &[TEXT_CUT], &hash(text)]),
    }
}

/// The URL and what is above it, each with and without a slash at its end.
fn levels(text: &str) -> impl Iterator<Item = &str> {
    let root = text.find("://").map_or(text.len(), |at| at + "://".len());
    let slashes = text.match_indices('/').map(|(at, _)| at).filter(move |at| *at >= root);
    let above = slashes.flat_map(|at| [text.get(..at), text.get(..=at)]).flatten();
    std::iter::once(text).chain(above.filter(move |level| *level != text)).take(2 * LEVELS_MAX)
}
