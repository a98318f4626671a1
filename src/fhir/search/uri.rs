//! URIs: FHIR R4 §3.1.1.4.11. Compared literally, and with `:below` and `:above` by how they begin.

use std::borrow::Cow;

use super::split::unescaped;
use super::term::{TEXT_CUT, TEXT_END, cut, hash, tag, value};
use super::{Lookup, Verdict};
use crate::fhir::path::Item;

/// Bytes of a URI that a term keeps as they are.
const KEPT_BYTES: usize = 50;
/// Most levels of a path that `:above` looks at.
const LEVELS_MAX: usize = 64;

/// What a URI has to be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct UriTest {
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

impl UriTest {
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

    pub(super) fn accepts(&self, found: &[u8]) -> Verdict {
        match self.comparison {
            Comparison::Below if self.text.len() > KEPT_BYTES => {
                let is_cut = found.get(1 + KEPT_BYTES) == Some(&TEXT_CUT);
                let begins = found.get(1..=KEPT_BYTES) == Some(cut(&self.text, KEPT_BYTES));
                if is_cut && begins { Verdict::Unsure } else { Verdict::No }
            }
            Comparison::Below => {
                let text = found.get(1..).unwrap_or_default();
                Verdict::from(text.starts_with(self.text.as_bytes()))
            }
            Comparison::Exact | Comparison::Above => {
                let is_found = |lookup| matches!(lookup, Lookup::Exact(value) if value == found);
                Verdict::from(self.lookups().into_iter().any(is_found))
            }
        }
    }

    pub(super) fn meets(&self, item: Item<'_>) -> bool {
        let Some(uri) = text(item) else { return false };
        match self.comparison {
            Comparison::Exact => uri == self.text,
            Comparison::Below => uri.starts_with(&self.text),
            Comparison::Above => levels(&self.text).any(|level| uri == level),
        }
    }
}

/// The value under which a URI is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    out.extend(text(item).map(|text| uri_value(&text)));
}

/// The URI in an element.
pub(super) fn text(item: Item<'_>) -> Option<Cow<'_, str>> {
    match item {
        Item::Node(node) => node.as_str(),
        Item::Boolean(_) => None,
    }
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
