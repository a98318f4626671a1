//! The rules of `_sort`: FHIR R4 §3.1.1.5.1.

use std::sync::Arc;

use super::number::Numbers;
use super::order::{key_of, place, tags};
use super::term::tag;
use super::{Condition, SearchParameter, Window};
use crate::json::Node;

/// One rule of `_sort`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// The highest first.
    pub descending: bool,
}

/// What resources are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// `_id`
    Id,
    /// `_lastUpdated`
    LastUpdated,
    /// The values of a parameter.
    Parameter(Arc<SearchParameter>),
}

impl Sort {
    /// The bytes by whose order resources are sorted; `None` for a resource without a value, which
    /// comes last whatever the direction.
    ///
    /// Of several values the lowest counts if ascending, the highest if descending. For
    /// [`SortBy::LastUpdated`] always `None`: the instant does not stand in a stored resource.
    #[must_use]
    pub fn key(&self, resource: Node<'_>, base_url: Option<&str>) -> Option<Vec<u8>> {
        match &self.by {
            SortBy::LastUpdated => None,
            SortBy::Id => resource.get_str("id").map(|id| id.as_bytes().to_vec()),
            SortBy::Parameter(parameter) => key_of(parameter, self.descending, resource, base_url),
        }
    }

    /// The parameter, if an index has its values in this order.
    #[must_use]
    pub fn indexed(&self) -> Option<&SearchParameter> {
        match &self.by {
            SortBy::Parameter(parameter) if !self.tags(parameter).is_empty() => Some(parameter),
            _ => None,
        }
    }

    /// That the key of a resource lies in a window; without one, that it has no key. `None` if no index
    /// has the values in this order.
    #[must_use]
    pub fn within(&self, window: Option<Window>) -> Option<Condition> {
        match &self.by {
            SortBy::Parameter(parameter) if self.indexed().is_some() => {
                Some(Condition::sorted(parameter, self.descending, window))
            }
            _ => None,
        }
    }

    /// The place of a key in each order in which an index has the values; where they begin without one.
    #[must_use]
    pub fn places(&self, key: Option<&[u8]>) -> Vec<Vec<u8>> {
        let tags = self.indexed().map_or(&[][..], |parameter| self.tags(parameter));
        tags.iter().map(|tag| place(*tag, key)).collect()
    }

    /// The key of a resource that is sorted by this value of an index. (Of dates, the newest first, the
    /// key may be later: it is where a period ends, the index has where it begins.)
    #[must_use]
    pub fn key_at(&self, value: &[u8]) -> Option<Vec<u8>> {
        let (tag, rest) = value.split_first()?;
        match *tag {
            tag::DATE | tag::DATE_FROM | tag::DATE_TO => Some(rest.get(..8)?.to_vec()),
            tag::STRING => Some(rest.to_vec()),
            _ => Numbers::first_of(rest),
        }
    }

    fn tags(&self, parameter: &SearchParameter) -> &'static [u8] {
        tags(parameter.search_type, self.descending)
    }
}
