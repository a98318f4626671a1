//! URIs: FHIR R4 §3.1.1.4.11. Compared literally, and with `:below` and `:above` by how they begin.
//! A canonical is found by its URL, with the version or without.

use std::borrow::Cow;

use super::Lookup;
use super::split::unescaped;
use super::term::{TEXT_CUT, TEXT_END, cut, hash, tag, value};
use crate::fhir::path::Item;

/// Bytes of a URI that a term keeps as they are.
const KEPT_BYTES: usize = 50;
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
    /// Begins so.
    Below,
    /// Is one of the levels above it, or the same.
    Above,
}

impl UriPredicate {
    pub(super) fn new(comparison: Comparison, text: &str) -> Self {
        Self { comparison, text: unescaped(text) }
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        match self.comparison {
            Comparison::Exact => vec![Lookup::Exact(uri_value(&self.text))],
            Comparison::Below => {
                vec![Lookup::Prefix(value(tag::URI, &[cut(&self.text, KEPT_BYTES)]))]
            }
            Comparison::Above => {
                levels(&self.text).map(|level| Lookup::Exact(uri_value(level))).collect()
            }
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.comparison == Comparison::Below && self.text.len() > KEPT_BYTES
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        let Some(uri) = text(item) else { return false };
        names(&uri).any(|uri| match self.comparison {
            Comparison::Exact => uri == self.text,
            Comparison::Below => uri.starts_with(&self.text),
            Comparison::Above => levels(&self.text).any(|level| uri == level),
        })
    }
}

/// The value under which a URI is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    if let Some(text) = text(item) {
        out.extend(names(&text).map(uri_value));
    }
}

/// The URI in an element.
pub(super) fn text(item: Item<'_>) -> Option<Cow<'_, str>> {
    match item {
        Item::Node(node) => node.as_str(),
        Item::Boolean(_) => None,
    }
}

/// The URI; and of a canonical that names a version, also the URL without it.
fn names(uri: &str) -> impl Iterator<Item = &str> {
    std::iter::once(uri).chain(uri.split_once('|').map(|(url, _)| url))
}

fn uri_value(text: &str) -> Vec<u8> {
    match text.len() {
        ..=KEPT_BYTES => value(tag::URI, &[text.as_bytes(), &[TEXT_END]]),
        _ => value(tag::URI, &[cut(text, KEPT_BYTES), &[TEXT_CUT], &hash(text)]),
    }
}

/// The URL and what is above it, each with and without a slash at its end; of a URN itself alone.
fn levels(text: &str) -> impl Iterator<Item = &str> {
    let root = text.find("://").map_or(text.len(), |at| at + "://".len());
    let slashes = text.match_indices('/').map(|(at, _)| at).filter(move |at| *at >= root);
    let above = slashes.flat_map(|at| [text.get(..at), text.get(..=at)]).flatten();
    std::iter::once(text).chain(above.filter(move |level| *level != text)).take(2 * LEVELS_MAX)
}
