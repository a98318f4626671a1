//! By what resources are sorted: FHIR R4 §3.1.1.5.1.

use super::number::Numbers;
use super::terms::items_of;
use super::token::tokens;
use super::{
    SearchParameter, SearchType, Sort, SortBy, date, number, quantity, reference, string, uri,
};
use crate::fhir::path::Item;
use crate::json::Node;

/// Longest key in bytes; what is behind does not count.
const KEY_BYTES_MAX: usize = 64;

impl Sort {
    /// The bytes by whose order resources are sorted; `None` for a resource without a value, which
    /// comes last whatever the direction.
    ///
    /// Of several values the lowest counts if ascending, the highest if descending. For
    /// [`SortBy::LastUpdated`] always `None`: the instant does not stand in a stored resource.
    #[must_use]
    pub fn key(&self, resource: Node<'_>, base_url: Option<&str>) -> Option<Vec<u8>> {
        let keys = match &self.by {
            SortBy::LastUpdated => return None,
            SortBy::Id => {
                resource.get_str("id").map(|id| id.as_bytes().to_vec()).into_iter().collect()
            }
            SortBy::Parameter(parameter) => {
                let items = items_of(&parameter.expression, resource);
                let keys = items.into_iter().flat_map(|item| self.keys(parameter, item, base_url));
                keys.collect::<Vec<_>>()
            }
        };
        let keys = keys.into_iter().filter(|key| !key.is_empty());
        if self.descending { keys.max() } else { keys.min() }
    }

    fn keys(
        &self,
        parameter: &SearchParameter,
        item: Item<'_>,
        base_url: Option<&str>,
    ) -> Vec<Vec<u8>> {
        let texts: Vec<String> = match parameter.search_type {
            SearchType::Date => {
                let end = |span| if self.descending { span_end(span) } else { span_start(span) };
                return date::span(item).map(end).into_iter().collect();
            }
            SearchType::String => {
                string::parts(item).iter().map(|part| string::fold(part)).collect()
            }
            SearchType::Token => {
                tokens(item, None).into_iter().map(|token| token.code.into_owned()).collect()
            }
            SearchType::Reference => reference::names_of(item, base_url),
            SearchType::Uri => uri::text(item).map(|text| text.into_owned()).into_iter().collect(),
            SearchType::Number => return self.ends(number::numbers(item)),
            SearchType::Quantity => return self.ends(quantity::sorted_by(item)),
            SearchType::Composite | SearchType::Special => Vec::new(),
        };
        let cut = |text: String| {
            let mut key = text.into_bytes();
            key.truncate(KEY_BYTES_MAX);
            key
        };
        texts.into_iter().map(cut).collect()
    }

    fn ends(&self, numbers: Option<Numbers>) -> Vec<Vec<u8>> {
        let end = |numbers: Numbers| if self.descending { numbers.high } else { numbers.low };
        numbers.map(|numbers| end(numbers).as_bytes().to_vec()).into_iter().collect()
    }
}

fn span_start(span: super::instant::Span) -> Vec<u8> {
    date::ordered(span.from).to_vec()
}

fn span_end(span: super::instant::Span) -> Vec<u8> {
    date::ordered(span.to).to_vec()
}
