//! Keys by which resources are sorted, from a resource and from the values of an index.

use super::instant::Span;
use super::number::{NUMBER_TAGS, Numbers};
use super::term::{KEPT_BYTES, tag, value};
use super::terms::items_of;
use super::token::tokens;
use super::{
    Lookup, SearchParameter, SearchType, Verdict, date, number, quantity, reference, string, uri,
};
use crate::fhir::path::Item;
use crate::json::Node;

/// Longest key in bytes; bytes behind it are cut off.
const KEY_BYTES_MAX: usize = 64;

/// A range of sort keys, in the order of their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first; `None`: from the lowest on.
    pub from: Option<Vec<u8>>,
    /// Behind the last; `None`: up to the highest.
    pub to: Option<Vec<u8>>,
}

impl Window {
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.from.as_deref().is_none_or(|from| from <= key)
            && self.to.as_deref().is_none_or(|to| key < to)
    }
}

/// The tags of the values that an index has in the order of sorting.
pub(super) fn tags(search_type: SearchType, descending: bool) -> &'static [u8] {
    match (search_type, descending) {
        (SearchType::Date, false) => &[tag::DATE, tag::DATE_FROM],
        (SearchType::Date, true) => &[tag::DATE, tag::DATE_TO],
        (SearchType::String, _) => &[tag::STRING],
        (SearchType::Number, false) => &[NUMBER_TAGS.point, NUMBER_TAGS.from],
        (SearchType::Number, true) => &[NUMBER_TAGS.point, NUMBER_TAGS.to],
        // Codes and references are hashed; quantities stand apart by their units.
        _ => &[],
    }
}

/// Where a key stands among the values of a tag, or where these begin.
pub(super) fn place(tag: u8, key: Option<&[u8]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    // Of a text the index keeps the beginning.
    let kept = if tag == tag::STRING { key.get(..KEPT_BYTES).unwrap_or(key) } else { key };
    value(tag, &[kept])
}

/// Where an index has all resources whose keys lie in a window, and perhaps others.
pub(super) fn lookups(search_type: SearchType, descending: bool, window: &Window) -> Vec<Lookup> {
    let lookup = |tag: &u8| {
        let from = match &window.from {
            // The last instant is at most so much later than the first, by which the index goes.
            Some(key) if *tag == tag::DATE && descending => Some(date::earlier(key)),
            from => from.clone(),
        };
        Lookup::Range { from: place(*tag, from.as_deref()), to: place(*tag, window.to.as_deref()) }
    };
    tags(search_type, descending).iter().map(lookup).collect()
}

/// What a value of an index says: of several values of a resource only the resource knows which counts.
pub(super) fn accepts(descending: bool, window: &Window, found: &[u8]) -> Verdict {
    let key = match found.split_first() {
        Some((&tag::STRING, text)) if text.len() >= KEPT_BYTES => return Verdict::Unsure,
        Some((&tag::STRING, text)) => Some(text.to_vec()),
        Some((&(tag::DATE | tag::DATE_FROM | tag::DATE_TO), _)) => {
            date::read(found).map(|span| end_of(span, descending))
        }
        Some((_, number)) => Numbers::first_of(number),
        None => None,
    };
    match key.is_some_and(|key| window.contains(&key)) {
        true => Verdict::Unsure,
        false => Verdict::No,
    }
}

fn end_of(Span { from, to }: Span, descending: bool) -> Vec<u8> {
    date::ordered(if descending { to } else { from }).to_vec()
}

/// The key of a resource by a parameter; see [`Sort::key`](super::Sort::key).
pub(super) fn key_of(
    parameter: &SearchParameter,
    descending: bool,
    resource: Node<'_>,
    base_url: Option<&str>,
) -> Option<Vec<u8>> {
    let items = items_of(&parameter.expression, resource);
    let keys = items.into_iter().flat_map(|item| keys(parameter, descending, item, base_url));
    let keys = keys.filter(|key| !key.is_empty());
    if descending { keys.max() } else { keys.min() }
}

fn keys(
    parameter: &SearchParameter,
    descending: bool,
    item: Item<'_>,
    base_url: Option<&str>,
) -> Vec<Vec<u8>> {
    let end = |numbers: Numbers| if descending { numbers.high } else { numbers.low };
    let ends = |numbers: Option<Numbers>| {
        numbers.map(|numbers| end(numbers).as_bytes().to_vec()).into_iter().collect()
    };
    let texts: Vec<String> = match parameter.search_type {
        SearchType::Date => {
            return date::span(item).map(|span| end_of(span, descending)).into_iter().collect();
        }
        SearchType::String => string::parts(item).iter().map(|part| string::fold(part)).collect(),
        SearchType::Token => {
            tokens(item, None).into_iter().map(|token| token.code.into_owned()).collect()
        }
        SearchType::Reference => reference::names_of(item, base_url),
        SearchType::Uri => uri::text(item).map(|text| text.into_owned()).into_iter().collect(),
        SearchType::Number => return ends(number::numbers(item)),
        SearchType::Quantity => return ends(quantity::sorted_by(item)),
        SearchType::Composite | SearchType::Special => Vec::new(),
    };
    let cut = |text: String| {
        let mut key = text.into_bytes();
        key.truncate(KEY_BYTES_MAX);
        key
    };
    texts.into_iter().map(cut).collect()
}
