//! Numbers: FHIR R4 §3.1.1.4.9.
//!
//! Without a prefix, a number stands for all that round to it at the precision with which it is
//! written; behind a prefix that compares, for itself. The numbers in resources are exact.

use super::decimal::{Decimal, Ordered};
use super::prefix::{PREFIXES, Prefix};
use super::problem::{Refusal, invalid};
use super::term::{tag, value};
use super::{Lookup, Verdict};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::json::{Kind, Node};

/// From the lowest to the highest number of a range, both included; twice the same for a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    pub low: Ordered,
    pub high: Ordered,
}

/// The tags of a number, of a range by its lowest, and by its highest number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tags {
    pub point: u8,
    pub from: u8,
    pub to: u8,
}

/// Those of numbers, and of quantities whatever their unit.
pub(super) const NUMBER_TAGS: Tags =
    Tags { point: tag::NUMBER, from: tag::NUMBER_FROM, to: tag::NUMBER_TO };

/// A predicate over numbers and ranges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NumberPredicate {
    prefix: Prefix,
    low: Ordered,
    /// Not included if the prefix is `eq` or `ne`.
    high: Ordered,
}

impl NumberPredicate {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        Self::parse_with(text, Decimal::ordered)
    }

    /// The same for a number in a unit, which `convert` brings into another.
    pub(super) fn parse_with(
        text: &str,
        convert: impl Fn(Decimal) -> Ordered,
    ) -> Result<Self, Refusal> {
        let (prefix, number) = Prefix::split(text);
        let number = Decimal::parse(number).ok_or_else(|| {
            invalid(format!(
                "\"{}\" is not a number such as 100, -1.50 or 5.4e-3 behind one of the prefixes \
                 {PREFIXES} or none",
                quotable(text)
            ))
        })?;
        let (low, high) = match prefix {
            Prefix::Equal | Prefix::NotEqual => number.precision(),
            Prefix::Approximately => number.vicinity(),
            _ => (number, number),
        };
        Ok(Self { prefix, low: convert(low), high: convert(high) })
    }

    /// `unit` stands between the tag and the number.
    pub(super) fn lookups(&self, tags: Tags, unit: &[u8]) -> Vec<Lookup> {
        let Tags { point, from, to } = tags;
        let (first, last) = (&Ordered::minus_infinity(), &Ordered::infinity());
        let (low, high) = (&self.low, &self.high);
        let ranges: &[(u8, &Ordered, &Ordered)] = match self.prefix {
            Prefix::Equal => &[(point, low, high), (from, low, high)],
            Prefix::NotEqual => &[(point, first, last), (from, first, last)],
            Prefix::Greater | Prefix::GreaterOrEqual => &[(point, low, last), (to, low, last)],
            Prefix::Less | Prefix::LessOrEqual => &[(point, first, high), (from, first, high)],
            Prefix::StartsAfter => &[(point, low, last), (from, low, last)],
            Prefix::EndsBefore => &[(point, first, high), (to, first, high)],
            Prefix::Approximately => &[(point, low, high), (from, first, high)],
        };
        let lookup = |(tag, from, to): &(u8, &Ordered, &Ordered)| Lookup::Range {
            from: value(*tag, &[unit, from.as_bytes()]),
            to: value(*tag, &[unit, to.as_bytes()]),
        };
        ranges.iter().map(lookup).collect()
    }

    /// For a term with one of the tags, and so many bytes of a unit behind it.
    pub(super) fn accepts(&self, tags: Tags, unit_length: usize, found: &[u8]) -> Verdict {
        let numbers = read(tags, unit_length, found);
        Verdict::from(numbers.is_some_and(|numbers| self.matches_numbers(&numbers)))
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        numbers(item).is_some_and(|numbers| self.matches_numbers(&numbers))
    }

    pub(super) fn matches_numbers(&self, numbers: &Numbers) -> bool {
        let Numbers { low, high } = numbers;
        let is_within = || self.low <= *low && *high < self.high;
        match self.prefix {
            Prefix::Equal => is_within(),
            Prefix::NotEqual => !is_within(),
            Prefix::Greater => *high > self.high,
            Prefix::Less => *low < self.low,
            Prefix::GreaterOrEqual => *high >= self.high,
            Prefix::LessOrEqual => *low <= self.low,
            Prefix::StartsAfter => *low > self.high,
            Prefix::EndsBefore => *high < self.low,
            Prefix::Approximately => *low <= self.high && *high >= self.low,
        }
    }
}

impl Numbers {
    /// From one number to another; an end that is missing is open. Ends that are the wrong way round
    /// stand for the first alone.
    pub(super) fn between(low: Option<Ordered>, high: Option<Ordered>) -> Self {
        let low = low.unwrap_or_else(Ordered::minus_infinity);
        let high = high.unwrap_or_else(Ordered::infinity).max(low.clone());
        Self { low, high }
    }

    /// The bytes of the number that a value begins with, behind its tag.
    pub(super) fn first_of(value: &[u8]) -> Option<Vec<u8>> {
        Ordered::split_first(value).map(|(first, _)| first.as_bytes().to_vec())
    }

    /// The values under which they are found.
    pub(super) fn add_values(&self, tags: Tags, unit: &[u8], out: &mut Vec<Vec<u8>>) {
        let (low, high) = (self.low.as_bytes(), self.high.as_bytes());
        if low == high {
            out.push(value(tags.point, &[unit, low]));
        } else {
            out.push(value(tags.from, &[unit, low, high]));
            out.push(value(tags.to, &[unit, high, low]));
        }
    }
}

/// The values under which a number or Range is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    if let Some(numbers) = numbers(item) {
        numbers.add_values(NUMBER_TAGS, &[], out);
    }
}

/// A number, or the numbers of a Range; an end that is missing is open.
pub(super) fn numbers(item: Item<'_>) -> Option<Numbers> {
    let Item::Node(node) = item else { return None };
    if node.kind() == Kind::Number {
        let number = Decimal::parse(node.text())?.ordered();
        return Some(Numbers { low: number.clone(), high: number });
    }
    let end_of = |name| Some(decimal_of(node.get(name)?)?.ordered());
    let (low, high) = (end_of("low"), end_of("high"));
    (low.is_some() || high.is_some()).then(|| Numbers::between(low, high))
}

/// `Quantity.value`
pub(super) fn decimal_of(quantity: Node<'_>) -> Option<Decimal> {
    let value = quantity.get("value").filter(|value| value.kind() == Kind::Number)?;
    Decimal::parse(value.text())
}

fn read(tags: Tags, unit_length: usize, found: &[u8]) -> Option<Numbers> {
    let (tag, rest) = found.split_first()?;
    let (first, rest) = Ordered::split_first(rest.get(unit_length..)?)?;
    if *tag == tags.point {
        return Some(Numbers { low: first.clone(), high: first });
    }
    let (second, _) = Ordered::split_first(rest)?;
    if *tag == tags.from {
        Some(Numbers { low: first, high: second })
    } else {
        (*tag == tags.to).then_some(Numbers { low: second, high: first })
    }
}
