//! Numbers with units: FHIRPath N1 §4.1.9, §6.1 and §6.6, FHIR R4 §2.9.1.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::precision::Precision;
use crate::fhir::ucum;
use crate::json::Node;

/// A number with a unit.
#[derive(Debug, Clone)]
pub struct Quantity {
    /// The number, with its digits.
    pub value: Decimal,
    /// What is counted.
    pub unit: Unit,
}

/// The unit of a quantity.
#[derive(Debug, Clone)]
pub enum Unit {
    /// A duration of the calendar, as it was written: `day`, `days`.
    Calendar(Box<str>),
    /// A code of UCUM.
    Ucum(Box<str>),
    /// A code of another system, or a word without one.
    Other {
        /// The system; empty if there is none.
        system: Box<str>,
        /// The code, or what a person reads.
        code: Box<str>,
    },
}

/// The unit of what has none.
const NO_UNIT: &str = "1";

impl Quantity {
    /// A plain number.
    pub(super) fn plain(value: Decimal) -> Self {
        Self { value, unit: Unit::Ucum(NO_UNIT.into()) }
    }

    /// A number with what stands behind it in an expression: `4 'mg'`. A duration of the calendar may
    /// stand in quotes.
    pub(super) fn literal(value: Decimal, unit: &str) -> Self {
        let unit = match Precision::named(unit) {
            Some(_) => Unit::Calendar(unit.into()),
            None => Unit::Ucum(unit.into()),
        };
        Self { value, unit }
    }

    /// Reads a text: FHIRPath N1 §5.5.9, `toQuantity`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end =
            text.find(|part: char| !part.is_ascii_digit() && !matches!(part, '.' | '+' | '-'));
        let (value, unit) = text.split_at_checked(end.unwrap_or(text.len()))?;
        let value = value.parse().ok()?;
        match unit.trim_start() {
            "" => Some(Self::plain(value)),
            unit => match unit.strip_prefix('\'').and_then(|unit| unit.strip_suffix('\'')) {
                Some(code) => Some(Self { value, unit: Unit::Ucum(code.into()) }),
                None => {
                    let unit = Precision::named(unit).map(|_| Unit::Calendar(unit.into()));
                    unit.map(|unit| Self { value, unit })
                }
            },
        }
    }

    /// Of a FHIR Quantity; `None` if it has no number, or says only that it is more or less than that.
    pub(super) fn of_node(node: Node<'_>) -> Option<Self> {
        if node.get("comparator").is_some() {
            return None;
        }
        let value = number(node.get("value")?.text())?;
        let system = node.get_str("system").unwrap_or_default();
        let code = node.get_str("code").or_else(|| node.get_str("unit"));
        let unit = match code {
            None => Unit::Ucum(NO_UNIT.into()),
            Some(code) if system == ucum::SYSTEM => Unit::Ucum((*code).into()),
            Some(code) => Unit::Other { system: (*system).into(), code: (*code).into() },
        };
        Some(Self { value, unit })
    }

    /// The duration that it is; `None` if it is none that the calendar knows.
    pub(super) fn duration(&self) -> Option<Precision> {
        match &self.unit {
            Unit::Calendar(name) => Precision::named(name),
            Unit::Ucum(code) => Precision::of_code(code),
            Unit::Other { .. } => None,
        }
    }

    /// Both numbers in one unit; `None` if they measure different things, or the means of UCUM for a
    /// month and a year stand beside those of the calendar.
    pub(super) fn in_one_unit(&self, other: &Self) -> Option<(Decimal, Decimal)> {
        match (&self.unit, &other.unit) {
            (Unit::Other { system, code }, Unit::Other { system: other_system, code: same }) => {
                (system == other_system && code == same).then_some((self.value, other.value))
            }
            (Unit::Other { .. }, _) | (_, Unit::Other { .. }) => None,
            (Unit::Calendar(_), _) | (_, Unit::Calendar(_)) => {
                let (unit, other_unit) = (self.duration()?, other.duration()?);
                let (is_long, other_is_long) =
                    (unit <= Precision::Month, other_unit <= Precision::Month);
                if is_long && other_is_long {
                    let months = |value: Decimal, unit| match unit {
                        Precision::Year => value.checked_mul(Decimal::from(12)),
                        _ => Some(value),
                    };
                    return Some((months(self.value, unit)?, months(other.value, other_unit)?));
                }
                if is_long || other_is_long {
                    return None;
                }
                in_canonical(self.value, unit.code(), other.value, other_unit.code())
            }
            (Unit::Ucum(code), Unit::Ucum(other_code)) => {
                in_canonical(self.value, code, other.value, other_code)
            }
        }
    }

    /// The same with a year of the calendar taken for that of UCUM, and a month for a month: N1 §6.1.3.
    pub(super) fn with_code(&self) -> Self {
        match (&self.unit, self.duration()) {
            (Unit::Calendar(_), Some(unit)) => {
                Self { value: self.value, unit: Unit::Ucum(unit.code().into()) }
            }
            _ => self.clone(),
        }
    }

    /// Their product or quotient, in canonical units; `None` if one has no unit of UCUM.
    pub(super) fn combined(&self, other: &Self, is_quotient: bool) -> Option<Self> {
        let (one, other) = (self.with_code(), other.with_code());
        let (Unit::Ucum(code), Unit::Ucum(other_code)) = (&one.unit, &other.unit) else {
            return None;
        };
        let value = |one: Decimal, other: Decimal| match is_quotient {
            true if other.is_zero() => None,
            true => one.checked_div(other),
            false => one.checked_mul(other),
        };
        if **other_code == *NO_UNIT {
            return Some(Self { value: value(one.value, other.value)?, unit: one.unit.clone() });
        }
        let (number, unit) = canonical(one.value, code)?;
        let (other_number, other_unit) = canonical(other.value, other_code)?;
        let mark = if is_quotient { '/' } else { '.' };
        let combined = format!("({unit}){mark}({other_unit})");
        let (factor, unit) = canonical(Decimal::ONE, &combined)?;
        let value = value(number, other_number)?.checked_mul(factor)?;
        Some(Self { value, unit: Unit::Ucum((*unit).into()) })
    }

    /// The code or word of its unit.
    #[must_use]
    pub fn code(&self) -> &str {
        match &self.unit {
            Unit::Calendar(code) | Unit::Ucum(code) | Unit::Other { code, .. } => code,
        }
    }
}

/// A number of JSON with its digits; `None` if it is beyond what is computed with.
pub(super) fn number(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

fn in_canonical(
    value: Decimal,
    code: &str,
    other: Decimal,
    other_code: &str,
) -> Option<(Decimal, Decimal)> {
    if code == other_code {
        return Some((value, other));
    }
    let (value, unit) = canonical(value, code)?;
    let (other, other_unit) = canonical(other, other_code)?;
    (unit == other_unit).then_some((value, other))
}

/// A number in the canonical unit of a code.
fn canonical(value: Decimal, code: &str) -> Option<(Decimal, Arc<str>)> {
    /// The library of units rounds to 28 digits; what has fewer is exact.
    const EXACT_BELOW: u128 = 10_u128.pow(24);
    /// What a conversion keeps that is not exact anyway, such as that of degrees Fahrenheit.
    const DIGITS: u32 = 15;
    let canonical = ucum::canonical(code)?;
    let (factor, offset) = (canonical.factor, canonical.offset);
    let is_exact =
        [factor, offset].iter().all(|(mantissa, _)| mantissa.unsigned_abs() < EXACT_BELOW);
    let value = value.checked_mul(decimal(factor)?)?.checked_add(decimal(offset)?)?;
    let value = if is_exact { value } else { value.round_sf(DIGITS)? };
    Some((value, canonical.unit))
}

fn decimal((mantissa, exponent): (i128, i32)) -> Option<Decimal> {
    match u32::try_from(exponent) {
        Ok(exponent) => {
            let integer = 10_i128.checked_pow(exponent)?.checked_mul(mantissa)?;
            Decimal::try_from_i128_with_scale(integer, 0).ok()
        }
        Err(_) => Decimal::try_from_i128_with_scale(mantissa, exponent.unsigned_abs()).ok(),
    }
}

impl fmt::Display for Quantity {
    /// As an expression writes it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Calendar(name) => write!(formatter, "{} {name}", self.value),
            unit => {
                let (Unit::Calendar(code) | Unit::Ucum(code) | Unit::Other { code, .. }) = unit;
                write!(formatter, "{} '{code}'", self.value)
            }
        }
    }
}
