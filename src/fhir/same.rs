//! When two JSON values are equal: RFC 6902 §4.6, and FHIR R4 §2.6.2.

use std::borrow::Cow;

use crate::json::{Kind, Node};

/// Whether two values are equal: numbers by their value, strings by their characters, objects
/// whatever the order of their members. The parser bounds the depth.
pub(super) fn same(one: Node<'_>, other: Node<'_>) -> bool {
    equal(one, other, same_number)
}

/// Whether two values say the same to the digit: the order of the members of an object means nothing.
#[must_use]
pub fn says_the_same(one: Node<'_>, other: Node<'_>) -> bool {
    // The digits of a decimal say how precise it is (FHIR R4 §2.24.0.1).
    equal(one, other, |one, other| one == other)
}

fn equal(one: Node<'_>, other: Node<'_>, is_number_same: fn(&str, &str) -> bool) -> bool {
    if one.kind() != other.kind() {
        return false;
    }
    match one.kind() {
        Kind::Null | Kind::True | Kind::False => true,
        Kind::Number => is_number_same(one.text(), other.text()),
        Kind::String | Kind::Name => one.as_str() == other.as_str(),
        Kind::Array => {
            one.items().count() == other.items().count()
                && one
                    .items()
                    .zip(other.items())
                    .all(|(one, other)| equal(one, other, is_number_same))
        }
        Kind::Object => {
            let (ones, others) = (by_name(one), by_name(other));
            ones.len() == others.len()
                && ones.iter().zip(&others).all(|((name, value), (other_name, other_value))| {
                    name == other_name && equal(*value, *other_value, is_number_same)
                })
        }
    }
}

fn by_name<'a>(object: Node<'a>) -> Vec<(Cow<'a, str>, Node<'a>)> {
    let mut members: Vec<_> = object.members().collect();
    members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    members
}

/// Whether two numbers are equal, however they are written.
fn same_number(one: &str, other: &str) -> bool {
    one == other
        || match (worth(one), worth(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
}

/// Sign, digits without zeros at their ends, and the power of ten behind the last digit; `None`
/// where that power is out of range.
fn worth(number: &str) -> Option<(bool, String, i64)> {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let power: i64 = power.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let trimmed = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - trimmed.len()).ok()?;
    let digits = trimmed.trim_start_matches('0');
    if digits.is_empty() {
        return Some((false, String::new(), 0));
    }
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
    Some((sign, digits.to_owned(), power))
}
