//! Dates and periods: FHIR R4 §3.1.1.4.7.

use super::instant::{Span, span_of};
use super::prefix::{PREFIXES, Prefix};
use super::problem::{Refusal, invalid};
use super::term::{tag, value};
use super::{Lookup, Verdict};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::json::Node;

/// Longest period, in microseconds, that has one term: a day in any time zone.
const SHORT: i64 = 36 * 3_600_000_000;

/// A predicate over dates and periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DatePredicate {
    prefix: Prefix,
    wanted: Span,
}

impl DatePredicate {
    /// Parses a date of any precision, with a prefix.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let (prefix, date) = Prefix::split(text);
        let wanted = span_of(date).ok_or_else(|| {
            let hint = if date.contains(' ') { "; in a URL, '+' is written %2B" } else { "" };
            let date = quotable(date);
            invalid(format!(
                "\"{date}\" is not a date of the form YYYY, YYYY-MM, YYYY-MM-DD or \
                 YYYY-MM-DDThh:mm[:ss[.sss]] with an optional time zone Z or ±hh:mm, behind one of \
                 the prefixes {PREFIXES} or none{hint}"
            ))
        })?;
        let wanted = if prefix == Prefix::Approximately { widened(wanted) } else { wanted };
        Ok(Self { prefix, wanted })
    }

    /// Whether it holds of an instant, in microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn contains(&self, instant: i64) -> bool {
        self.matches_span(Span { from: instant, to: instant })
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        let Span { from, to } = self.wanted;
        let (first, last) = (i64::MIN, i64::MAX);
        // Each: first and last value of what the tag orders by.
        let ranges: &[(u8, i64, i64)] = match self.prefix {
            Prefix::Equal => &[(tag::DATE, from, to), (tag::DATE_FROM, from, to)],
            Prefix::NotEqual => &[(tag::DATE, first, last), (tag::DATE_FROM, first, last)],
            Prefix::Greater => {
                &[(tag::DATE, to.saturating_sub(SHORT), last), (tag::DATE_TO, to, last)]
            }
            Prefix::GreaterOrEqual => &[
                (tag::DATE, from.min(to.saturating_sub(SHORT)), last),
                (tag::DATE_TO, to, last),
                (tag::DATE_FROM, from, to),
            ],
            Prefix::Less => &[(tag::DATE, first, from), (tag::DATE_FROM, first, from)],
            Prefix::LessOrEqual => &[(tag::DATE, first, to), (tag::DATE_FROM, first, to)],
            Prefix::StartsAfter => &[(tag::DATE, to, last), (tag::DATE_FROM, to, last)],
            Prefix::EndsBefore => &[(tag::DATE, first, from), (tag::DATE_TO, first, from)],
            Prefix::Approximately => {
                &[(tag::DATE, from.saturating_sub(SHORT), to), (tag::DATE_FROM, first, to)]
            }
        };
        let lookup = |(tag, from, to): &(u8, i64, i64)| Lookup::Range {
            from: value(*tag, &[&ordered(*from)]),
            to: value(*tag, &[&ordered(*to)]),
        };
        ranges.iter().map(lookup).collect()
    }

    pub(super) fn accepts(&self, found: &[u8]) -> Verdict {
        Verdict::from(read(found).is_some_and(|span| self.matches_span(span)))
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        span(item).is_some_and(|span| self.matches_span(span))
    }

    fn matches_span(&self, span: Span) -> bool {
        let wanted = self.wanted;
        match self.prefix {
            Prefix::Equal => self.is_within(span),
            Prefix::NotEqual => !self.is_within(span),
            Prefix::Greater => span.to > wanted.to,
            Prefix::Less => span.from < wanted.from,
            Prefix::GreaterOrEqual => span.to > wanted.to || self.is_within(span),
            Prefix::LessOrEqual => span.from < wanted.from || self.is_within(span),
            Prefix::StartsAfter => span.from > wanted.to,
            Prefix::EndsBefore => span.to < wanted.from,
            Prefix::Approximately => span.from <= wanted.to && span.to >= wanted.from,
        }
    }

    fn is_within(&self, span: Span) -> bool {
        self.wanted.from <= span.from && span.to <= self.wanted.to
    }
}

/// The values under which a date or period is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    let Some(Span { from, to }) = span(item) else { return };
    match to.checked_sub(from) {
        Some(length) if length <= SHORT => {
            // 36 hours of microseconds take five bytes.
            let [_, _, _, length @ ..] = length.to_be_bytes();
            out.push(value(tag::DATE, &[&ordered(from), &length]));
        }
        _ => {
            out.push(value(tag::DATE_FROM, &[&ordered(from), &ordered(to)]));
            out.push(value(tag::DATE_TO, &[&ordered(to), &ordered(from)]));
        }
    }
}

/// The period that an element stands for: a date of any precision, a Period, or the outer limits of
/// a Timing.
pub(super) fn span(item: Item<'_>) -> Option<Span> {
    let Item::Node(node) = item else { return None };
    if let Some(text) = node.as_str() {
        return span_of(&text);
    }
    let repeat = node.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
    let events = node.get("event").into_iter().flat_map(|events| events.items());
    let events = events.filter_map(|event| span_of(&event.as_str()?));
    let spans = events.chain(repeat.and_then(period)).chain(period(node));
    spans.reduce(|one, other| Span { from: one.from.min(other.from), to: one.to.max(other.to) })
}

/// What a Period stands for; an end that is missing is open.
fn period(node: Node<'_>) -> Option<Span> {
    let end_of = |name| node.get_str(name).map(|text| span_of(&text));
    let (start, end) = match (end_of("start"), end_of("end")) {
        (None, None) => return None,
        (start, end) => (start, end),
    };
    let from = start.map_or(Some(i64::MIN), |span| Some(span?.from))?;
    let to = end.map_or(Some(i64::MAX), |span| Some(span?.to))?;
    Some(Span { from, to: to.max(from) })
}

/// The date itself, and as much before and behind it as its precision: a year, a month, a day. The
/// standard leaves the width to the server, and this one needs no clock.
fn widened(wanted: Span) -> Span {
    let width = wanted.to.saturating_sub(wanted.from).saturating_add(1);
    Span { from: wanted.from.saturating_sub(width), to: wanted.to.saturating_add(width) }
}

/// Eight bytes in the order of the numbers.
pub(super) fn ordered(micros: i64) -> [u8; 8] {
    (micros.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// By as much earlier as the longest period lasts that has one term.
pub(super) fn earlier(key: &[u8]) -> Vec<u8> {
    let instant = key.first_chunk().map_or(i64::MIN, |key| instant(*key));
    ordered(instant.saturating_sub(SHORT)).to_vec()
}

fn instant(ordered: [u8; 8]) -> i64 {
    (u64::from_be_bytes(ordered) ^ (1 << 63)).cast_signed()
}

/// What a value stands for.
pub(super) fn read(found: &[u8]) -> Option<Span> {
    let (tag, rest) = found.split_first()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let first = instant(*first);
    let second = || Some(instant(rest.try_into().ok()?));
    Some(match *tag {
        tag::DATE => {
            let length = rest.iter().fold(0, |length, byte| length << 8 | i64::from(*byte));
            Span { from: first, to: first.saturating_add(length) }
        }
        tag::DATE_FROM => Span { from: first, to: second()? },
        tag::DATE_TO => Span { from: second()?, to: first },
        _ => return None,
    })
}
