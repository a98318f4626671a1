//! Quantities: FHIR R4 §3.1.1.4.16.
//!
//! A number without a unit compares with the number as it is stated. With a unit of UCUM, both sides
//! are brought into the canonical unit first, so that `5 mg` is found as `0.005 g`; with another
//! unit, system and code must be the same.

use super::decimal::{Decimal, Ordered};
use super::number::{NUMBER_TAGS, NumberPredicate, Numbers, Tags, decimal_of};
use super::problem::{Refusal, invalid};
use super::split::{split_unescaped, unescaped};
use super::term::{hash, tag};
use super::{Lookup, Verdict};
use crate::fhir::path::Item;
use crate::fhir::types::quotable;
use crate::fhir::ucum;
use crate::json::Node;

/// The system of currencies.
const CURRENCIES: &str = "urn:iso:std:iso:4217";
/// Bytes of the hash of a unit.
const UNIT_BYTES: usize = 8;

const UNIT_TAGS: Tags =
    Tags { point: tag::QUANTITY, from: tag::QUANTITY_FROM, to: tag::QUANTITY_TO };

/// A predicate over quantities.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct QuantityPredicate {
    number: NumberPredicate,
    unit: UnitPredicate,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum UnitPredicate {
    /// `5.4`
    Any,
    /// `5.4||mg`: the code or what a person reads.
    Text(String),
    /// `5.4|http://unitsofmeasure.org|mg`
    Is([u8; UNIT_BYTES]),
}

/// A unit in which numbers compare, and how a number in the stated unit becomes one in it.
#[derive(Debug, Clone)]
struct Unit {
    key: [u8; UNIT_BYTES],
    factor: Decimal,
    offset: Decimal,
    /// Factor and offset are as exact as the numbers that they convert.
    is_exact: bool,
}

/// A quantity of a resource: as stated, and in the unit in which it compares.
struct Quantity {
    stated: Numbers,
    in_unit: Option<([u8; UNIT_BYTES], Numbers)>,
    /// Code and name of the unit.
    texts: Vec<String>,
}

impl QuantityPredicate {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let parts = split_unescaped(text, '|')?;
        match parts.as_slice() {
            [number] | [number, "", ""] => {
                Ok(Self { number: NumberPredicate::parse(number)?, unit: UnitPredicate::Any })
            }
            [number, "", unit] => Ok(Self {
                number: NumberPredicate::parse(number)?,
                unit: UnitPredicate::Text(unescaped(unit)),
            }),
            [number, system, code] if !code.is_empty() => {
                let unit = Unit::of(&unescaped(system), &unescaped(code));
                let number = NumberPredicate::parse_with(number, |number| unit.convert(number))?;
                Ok(Self { number, unit: UnitPredicate::Is(unit.key) })
            }
            _ => Err(invalid(format!(
                "\"{}\" is not a quantity of the form number, number|system|code or number||unit",
                quotable(text)
            ))),
        }
    }

    pub(super) fn lookups(&self) -> Vec<Lookup> {
        match &self.unit {
            UnitPredicate::Any | UnitPredicate::Text(_) => self.number.lookups(NUMBER_TAGS, &[]),
            UnitPredicate::Is(unit) => self.number.lookups(UNIT_TAGS, unit),
        }
    }

    pub(super) fn accepts(&self, found: &[u8]) -> Verdict {
        match &self.unit {
            UnitPredicate::Any => self.number.accepts(NUMBER_TAGS, 0, found),
            // The index does not have the text of the unit.
            UnitPredicate::Text(_) => match self.number.accepts(NUMBER_TAGS, 0, found) {
                Verdict::Yes => Verdict::Unsure,
                verdict => verdict,
            },
            UnitPredicate::Is(unit) if found.get(1..=UNIT_BYTES) == Some(unit) => {
                self.number.accepts(UNIT_TAGS, UNIT_BYTES, found)
            }
            UnitPredicate::Is(_) => Verdict::No,
        }
    }

    pub(super) fn matches(&self, item: Item<'_>) -> bool {
        let Some(quantity) = Quantity::of(item) else { return false };
        match (&self.unit, quantity.in_unit) {
            (UnitPredicate::Any, _) => self.number.matches_numbers(&quantity.stated),
            (UnitPredicate::Text(text), _) => {
                quantity.texts.contains(text) && self.number.matches_numbers(&quantity.stated)
            }
            (UnitPredicate::Is(wanted), Some((unit, numbers))) => {
                unit == *wanted && self.number.matches_numbers(&numbers)
            }
            (UnitPredicate::Is(_), None) => false,
        }
    }
}

/// The values under which a quantity is found.
pub(super) fn add_values(item: Item<'_>, out: &mut Vec<Vec<u8>>) {
    let Some(quantity) = Quantity::of(item) else { return };
    quantity.stated.add_values(NUMBER_TAGS, &[], out);
    if let Some((unit, numbers)) = quantity.in_unit {
        numbers.add_values(UNIT_TAGS, &unit, out);
    }
}

/// The numbers by which a quantity is sorted: in the canonical unit, so that grams and milligrams
/// stand in one order.
pub(super) fn sorted_by(item: Item<'_>) -> Option<Numbers> {
    let quantity = Quantity::of(item)?;
    Some(quantity.in_unit.map_or(quantity.stated, |(_, numbers)| numbers))
}

impl Quantity {
    /// Of a Quantity, Money or Range.
    fn of(item: Item<'_>) -> Option<Self> {
        let Item::Node(node) = item else { return None };
        let (low, high) = (node.get("low"), node.get("high"));
        if low.is_none() && high.is_none() {
            return Self::between(Some(node), Some(node), node);
        }
        Self::between(low, high, low.or(high)?)
    }

    /// From one quantity to another, in the unit of a third.
    fn between(low: Option<Node<'_>>, high: Option<Node<'_>>, unit: Node<'_>) -> Option<Self> {
        let comparator = unit.get_str("comparator").unwrap_or_default();
        let low = low.and_then(decimal_of).filter(|_| !comparator.starts_with('<'));
        let high = high.and_then(decimal_of).filter(|_| !comparator.starts_with('>'));
        if low.is_none() && high.is_none() {
            return None;
        }
        let numbers = |convert: &dyn Fn(Decimal) -> Ordered| {
            Numbers::between(low.map(convert), high.map(convert))
        };
        let currency = unit.get_str("currency");
        let is_currency = currency.is_some();
        let code = currency.or_else(|| unit.get_str("code"));
        let system = match is_currency {
            true => CURRENCIES.into(),
            false => unit.get_str("system").unwrap_or_default(),
        };
        let known = code.as_deref().filter(|_| !system.is_empty());
        let in_unit = known.map(|code| {
            let unit = Unit::of(&system, code);
            (unit.key, numbers(&|number| unit.convert(number)))
        });
        let name = unit.get_str("unit");
        let texts = code.into_iter().chain(name).map(std::borrow::Cow::into_owned).collect();
        Some(Self { stated: numbers(&Decimal::ordered), in_unit, texts })
    }
}

impl Unit {
    fn of(system: &str, code: &str) -> Self {
        let canonical = (system == ucum::SYSTEM).then(|| Self::canonical(code)).flatten();
        canonical.unwrap_or_else(|| Self {
            key: hash(&format!("{system}|{code}")),
            factor: Decimal { mantissa: 1, exponent: 0 },
            offset: Decimal { mantissa: 0, exponent: 0 },
            is_exact: true,
        })
    }

    /// `None` if UCUM does not know the code, or its scale is not linear.
    fn canonical(code: &str) -> Option<Self> {
        /// The library rounds to 28 digits.
        const EXACT_BELOW: i128 = 10_i128.pow(24);
        let canonical = ucum::canonical(code)?;
        let decimal = |(mantissa, exponent)| Decimal { mantissa, exponent };
        let (factor, offset) = (decimal(canonical.factor), decimal(canonical.offset));
        let is_exact = factor.mantissa.abs() < EXACT_BELOW && offset.mantissa.abs() < EXACT_BELOW;
        let system = ucum::SYSTEM;
        Some(Self { key: hash(&format!("{system}|={}", canonical.unit)), factor, offset, is_exact })
    }

    fn convert(&self, number: Decimal) -> Ordered {
        /// What a conversion keeps that is not exact anyway, such as that of degrees Fahrenheit.
        const DIGITS: u32 = 15;
        let product = number.times(self.factor);
        let sum = product.plus(self.offset);
        if self.is_exact { sum.ordered() } else { sum.rounded(DIGITS).ordered() }
    }
}
