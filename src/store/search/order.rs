//! Results in an order that was asked for: FHIR R4 §3.1.1.5.1.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{After, Found, Page, Search, StoreError};
use crate::fhir::search::{Sort, SortBy};
use crate::view::ViewError;

/// Most matches that are put in order: the keys of all of them are held in memory.
const SORTED_MAX: usize = 20_000;

/// The place of a match among all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rank {
    /// What is compared first, by the rule at its place; resources without a value come last.
    keys: Vec<Option<Vec<u8>>>,
    /// Then the queries in their order, and the numbers of resources.
    query: usize,
    number: u64,
}

impl Search<'_> {
    /// A page in the order that was asked for.
    pub(super) fn sorted_page(&self) -> Result<Page, StoreError> {
        // All queries of a request have the same rules.
        let rules = self.request.queries.first().map_or(&[][..], |(_, query)| &query.sort);
        let compare = |one: &Rank, other: &Rank| {
            let mut keys = rules.iter().zip(one.keys.iter().zip(&other.keys));
            let first = keys.find_map(|(rule, (one, other))| {
                Some(order(rule, one.as_deref(), other.as_deref())).filter(|order| order.is_ne())
            });
            let rest = (one.query, one.number).cmp(&(other.query, other.number));
            first.unwrap_or(rest)
        };
        let mut ranks = Vec::new();
        for found in self.matches(0, None) {
            let (query, found) = found?;
            if ranks.len() == SORTED_MAX {
                return Err(ViewError::Costly.into());
            }
            ranks.extend(self.rank(query, found)?);
        }
        let total = ranks.len();
        ranks.sort_unstable_by(compare);
        let after = match self.request.start.as_ref().map(|start| &start.after) {
            Some(After::Rank(after)) => {
                ranks.partition_point(|rank| compare(rank, after) != Ordering::Greater)
            }
            _ => 0,
        };
        let mut page = Page { total: Some(total as u64), ..Page::default() };
        let rest = ranks.get(after..).unwrap_or_default();
        for rank in rest.iter().take(self.request.limit) {
            if let Some(held) = self.scope.held(rank.number)?
                && let Some(opened) = self.scope.open(held)?
            {
                page.matches.push(self.show(&opened));
            }
        }
        if rest.len() > self.request.limit {
            let last = self.request.limit.checked_sub(1).and_then(|last| rest.get(last));
            page.next = last.map(|last| self.start(After::Rank(last.clone())));
        }
        Ok(page)
    }

    fn rank(&self, query: usize, found: Found) -> Result<Option<Rank>, StoreError> {
        let Some((_, rules)) = self.request.queries.get(query) else { return Ok(None) };
        let (number, recorded_at) = (found.held().number, found.held().recorded_at);
        let needs_content = |rule: &Sort| !matches!(rule.by, SortBy::LastUpdated);
        let opened = match rules.sort.iter().any(needs_content) {
            false => None,
            true => match found.open(self.scope)? {
                Some(opened) => Some(opened),
                None => return Ok(None),
            },
        };
        let keys = rules.sort.iter().map(|rule| match (&rule.by, &opened) {
            (SortBy::LastUpdated, _) => Some(ascending(recorded_at.micros()).to_vec()),
            (SortBy::Id, Some(opened)) => Some(opened.key.id.as_str().as_bytes().to_vec()),
            (SortBy::Parameter(_), Some(opened)) => {
                rule.key(opened.document.root(), self.scope.base_url)
            }
            (_, None) => None,
        });
        Ok(Some(Rank { keys: keys.collect(), query, number }))
    }
}

fn order(rule: &Sort, one: Option<&[u8]>, other: Option<&[u8]>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) if rule.descending => other.cmp(one),
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Bytes that sort as the numbers do.
fn ascending(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}
