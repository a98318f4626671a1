//! Results in an order that was asked for: FHIR R4 §3.1.1.5.1.
//!
//! Few matches are all found and then put in order. Of many, only those are found that can be on the page:
//! the index is walked in the order of the first rule, window by window, and each window is one more
//! criterion.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::candidates::Matches;
use super::{After, Found, Page, RecordsError, Search};
use crate::clock::Instant;
use crate::fhir::search::{Criterion, Sort, SortBy, Window};
use crate::numbers::{Position, ResourceNumber};
use crate::records::resource::PAGE_BYTES_MAX;
use crate::view::{Order, ViewError};

/// Matches that are all found before they are looked for in their order.
const FEW: usize = 1_000;
/// Most matches that are put in order without a look into them; what has to be opened is bounded by
/// the context.
const UNOPENED_MAX: u64 = 200_000;
/// Places of the index, or changes, in the windows, one after the other. Up to 256 the index knows at
/// once where they are; if these do not fill a page, matches are rare.
const PLACES: [usize; 8] = [64, 256, 256, 256, 4_096, 8_192, 16_384, 32_768];
/// The same in all further windows.
const PLACES_MAX: usize = 1 << 16;

/// The place of a match among all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rank {
    /// What is compared first, by the rule at its place; resources without a value come last.
    keys: Vec<Option<Vec<u8>>>,
    /// Then the queries in their order, and the numbers of resources.
    query: usize,
    number: ResourceNumber,
}

/// The matches of a page, and one more if there is one.
struct Best<'a> {
    rules: &'a [Sort],
    after: Option<&'a Rank>,
    kept_max: usize,
    kept: Vec<Rank>,
}

impl Search<'_> {
    /// A page in the order that was asked for.
    pub(super) fn sorted_page(&self) -> Result<Page, RecordsError> {
        // All queries of a request have the same rules.
        let rules = self.request.queries.first().map_or(&[][..], |(_, query)| &query.sort);
        let after = match self.request.start.as_ref().map(|start| &start.after) {
            Some(After::Rank(after)) => Some(after),
            _ => None,
        };
        let kept_max = self.request.limit + 1;
        let mut best = Best { rules, after, kept_max, kept: Vec::new() };
        let total = self.best_of_few(&mut best)?;
        if total.is_none() {
            match rules {
                [rule, ..] if rule.by == SortBy::LastUpdated => self.by_changes(rule, &mut best)?,
                [rule, ..] => self.by_windows(rule, &mut best)?,
                [] => {}
            }
        }
        let ranks = best.into_sorted();
        let mut page = Page { total, ..Page::default() };
        let (mut last, mut bytes) = (None, 0);
        for (rank, further) in ranks.iter().zip(1..).take(self.request.limit) {
            if let Some(held) = self.context.held(rank.number)?
                && let Some(resource) = self.shown(Found::Held(held))?
            {
                bytes += resource.body.len();
                page.matches.push(resource);
            }
            last = Some(rank).filter(|_| further < ranks.len());
            if bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        page.next = last.map(|last| self.start(After::Rank(last.clone())));
        Ok(page)
    }

    /// Of all matches; how many they are, or `None` if they are many and can be found in their order.
    fn best_of_few(&self, best: &mut Best<'_>) -> Result<Option<u64>, RecordsError> {
        let few = match (best.rules, self.request.queries.as_slice()) {
            // The chart as it was is small.
            _ if self.past.is_some() => None,
            ([rule, ..], [(kind, query)]) => match &rule.by {
                SortBy::LastUpdated => {
                    let is_every = query.criteria.is_empty() && self.chart.is_none();
                    let is_every = is_every && self.context.reach(*kind)?.is_everything();
                    is_every.then_some(FEW)
                }
                _ => rule.indexed().map(|_| FEW),
            },
            // Several types have no common index.
            _ => None,
        };
        let (mut waiting, mut total) = (Vec::new(), 0);
        for found in self.matches(0, None) {
            if few == Some(waiting.len()) {
                return Ok(None);
            }
            waiting.push(found?);
            if few.is_none() {
                total += self.take_all(&mut waiting, best)?;
            }
            if total > UNOPENED_MAX {
                return Err(ViewError::Costly.into());
            }
        }
        total += self.take_all(&mut waiting, best)?;
        Ok(Some(total))
    }

    fn take_all(
        &self,
        waiting: &mut Vec<(usize, Found)>,
        best: &mut Best<'_>,
    ) -> Result<u64, RecordsError> {
        let mut count = 0;
        for (query, found) in waiting.drain(..) {
            if let Some(rank) = self.rank(query, found)? {
                count += 1;
                best.take(rank);
            }
        }
        Ok(count)
    }

    /// In the order of a parameter whose values the index has in that order.
    fn by_windows(&self, rule: &Sort, best: &mut Best<'_>) -> Result<(), RecordsError> {
        let mut edge = match best.after.map(|after| after.keys.first()) {
            None => None,
            // Behind all that have a value.
            Some(None | Some(None)) => return self.within(rule, None, best),
            Some(Some(Some(key))) if rule.descending => Some(behind(key)),
            Some(Some(Some(key))) => Some(key.clone()),
        };
        for places in windows() {
            let far = self.far_edge(rule, edge.as_deref(), places)?;
            let window = match rule.descending {
                true => Window { from: far.clone(), to: edge },
                false => Window { from: edge, to: far.clone() },
            };
            self.within(rule, Some(window), best)?;
            if best.is_full() {
                break;
            }
            if far.is_none() {
                return self.within(rule, None, best);
            }
            edge = far;
        }
        Ok(())
    }

    /// Where a window ends that begins at a key and has about so many places; `None`: nowhere.
    fn far_edge(
        &self,
        rule: &Sort,
        edge: Option<&[u8]>,
        places: usize,
    ) -> Result<Option<Vec<u8>>, RecordsError> {
        let Some((kind, _)) = self.request.queries.first() else { return Ok(None) };
        let Some(parameter) = rule.indexed() else { return Ok(None) };
        let order = if rule.descending { Order::Descending } else { Order::Ascending };
        let (view, records) = (self.context.view, &self.context.records);
        let mut far: Option<Vec<u8>> = None;
        for start in rule.places(edge) {
            let value = view.value_away(*kind, parameter.code, &start, order, places, records)?;
            let Some(key) = value.and_then(|value| rule.key_at(&value)) else { continue };
            // The nearest of those in which a tag has so many.
            far = Some(match (far, rule.descending) {
                (None, true) => key,
                (None, false) => behind(&key),
                (Some(far), true) => far.max(key),
                (Some(far), false) => far.min(behind(&key)),
            });
        }
        Ok(far)
    }

    /// The matches whose keys lie in a window; without one, those that have no key.
    fn within(
        &self,
        rule: &Sort,
        window: Option<Window>,
        best: &mut Best<'_>,
    ) -> Result<(), RecordsError> {
        let Some((kind, query)) = self.request.queries.first() else { return Ok(()) };
        let mut criteria = query.criteria.clone();
        criteria.extend(rule.within(window).map(Criterion::Condition));
        for found in Matches::new(self.context, *kind, &criteria, self.chart, None)? {
            if let Some(rank) = self.rank(0, found?)? {
                best.take(rank);
            }
        }
        Ok(())
    }

    /// All of a type, in the order in which the versions that count were recorded.
    fn by_changes(&self, rule: &Sort, best: &mut Best<'_>) -> Result<(), RecordsError> {
        let Some((kind, _)) = self.request.queries.first() else { return Ok(()) };
        let after = best.after.and_then(|after| recorded_at(after.keys.first()?.as_ref()?));
        let (view, mut left) = (self.context.view, Position::new(0)..self.context.end);
        let order = match (rule.descending, after) {
            (true, Some(after)) => {
                left.end = left
                    .end
                    .min(view.position_at(Instant::from_micros(after.micros().saturating_add(1)))?);
                Order::Descending
            }
            (true, None) => Order::Descending,
            (false, Some(after)) => {
                left.start = view.position_at(after)?;
                Order::Ascending
            }
            (false, None) => Order::Ascending,
        };
        let mut windows = windows();
        let mut places = windows.next().unwrap_or(PLACES_MAX);
        let mut open: Option<Times> = None;
        for record in view.changes(left, order)? {
            self.context.records.take(1)?;
            let (_, changes) = record?;
            let Some(time) = changes.first().map(|change| change.recorded_at) else { continue };
            // What was recorded at one time stays together.
            if let Some(times) =
                open.take_if(|open| open.last != time && open.numbers.len() >= places)
            {
                self.recorded_within(&times, best)?;
                if best.is_full() {
                    return Ok(());
                }
                places = windows.next().unwrap_or(PLACES_MAX);
            }
            let times = open.get_or_insert_with(|| Times::from(time));
            times.last = time;
            let of_kind = changes.iter().filter(|change| change.kind == *kind && change.live);
            times.numbers.extend(of_kind.map(|change| change.number));
        }
        open.map_or(Ok(()), |times| self.recorded_within(&times, best))
    }

    /// The matches among some resources whose version that counts was recorded at these times.
    fn recorded_within(&self, times: &Times, best: &mut Best<'_>) -> Result<(), RecordsError> {
        let Some((kind, _)) = self.request.queries.first() else { return Ok(()) };
        for found in Matches::among(self.context, *kind, &[], &times.numbers, None)? {
            let found = found?;
            let time = found.held().recorded_at;
            let is_within =
                times.first.min(times.last) <= time && time <= times.first.max(times.last);
            if is_within && let Some(rank) = self.rank(0, found)? {
                best.take(rank);
            }
        }
        Ok(())
    }

    fn rank(&self, query: usize, found: Found) -> Result<Option<Rank>, RecordsError> {
        let Some((_, rules)) = self.request.queries.get(query) else { return Ok(None) };
        let (number, recorded_at) = (found.held().number, found.held().recorded_at);
        let needs_content = |rule: &Sort| !matches!(rule.by, SortBy::LastUpdated);
        let opened = match rules.sort.iter().any(needs_content) {
            false => None,
            true => match found.open(self.context)? {
                Some(opened) => Some(opened),
                None => return Ok(None),
            },
        };
        let keys = rules.sort.iter().map(|rule| match (&rule.by, &opened) {
            (SortBy::LastUpdated, _) => Some(ascending(recorded_at.micros()).to_vec()),
            (SortBy::Id, Some(opened)) => Some(opened.key.id.as_str().as_bytes().to_vec()),
            (SortBy::Parameter(_), Some(opened)) => {
                rule.key(opened.document.root(), self.context.base_url)
            }
            (_, None) => None,
        });
        Ok(Some(Rank { keys: keys.collect(), query, number }))
    }
}

/// How many places there are in each window.
fn windows() -> impl Iterator<Item = usize> {
    PLACES.into_iter().chain(std::iter::repeat(PLACES_MAX))
}

/// Resources that were changed in a stretch of time.
struct Times {
    /// As the walk goes: the first may be the latest.
    first: Instant,
    last: Instant,
    numbers: BTreeSet<ResourceNumber>,
}

impl Times {
    fn from(time: Instant) -> Self {
        Self { first: time, last: time, numbers: BTreeSet::new() }
    }
}

impl Best<'_> {
    fn take(&mut self, rank: Rank) {
        /// How many times as many as are wanted are kept before they are put in order.
        const SLACK: usize = 4;
        if self.after.is_some_and(|after| order(self.rules, &rank, after) != Ordering::Greater) {
            return;
        }
        self.kept.push(rank);
        if self.kept.len() >= SLACK * self.kept_max {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.kept.sort_unstable_by(|one, other| order(self.rules, one, other));
        self.kept.truncate(self.kept_max);
    }

    fn is_full(&self) -> bool {
        self.kept.len() >= self.kept_max
    }

    fn into_sorted(mut self) -> Vec<Rank> {
        self.cut();
        self.kept
    }
}

/// The order of two matches.
fn order(rules: &[Sort], one: &Rank, other: &Rank) -> Ordering {
    let mut keys = rules.iter().zip(one.keys.iter().zip(&other.keys));
    let first = keys.find_map(|(rule, (one, other))| {
        Some(by_rule(rule, one.as_deref(), other.as_deref())).filter(|order| order.is_ne())
    });
    first.unwrap_or_else(|| (one.query, one.number).cmp(&(other.query, other.number)))
}

fn by_rule(rule: &Sort, one: Option<&[u8]>, other: Option<&[u8]>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) if rule.descending => other.cmp(one),
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// Behind all that begin with a key, whatever an index has behind it: at most eight bytes, of an instant.
fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[u8::MAX; 9]].concat()
}

/// Bytes that sort as the numbers do.
fn ascending(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The instant of a key of `_lastUpdated`.
fn recorded_at(key: &[u8]) -> Option<Instant> {
    let number = u64::from_be_bytes(key.try_into().ok()?) ^ (1 << 63);
    Some(Instant::from_micros(number.cast_signed()))
}
