//! Whether items are equal, alike or in order: FHIRPath N1 §6.1 and §6.2.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use rust_decimal::{Decimal, RoundingStrategy};
use rustc_hash::FxHasher;

use super::context::{Context, EvaluationError, error};
use super::quantity::{Quantity, number};
use super::value::Value;
use crate::json::{Kind, Node};

type Outcome<T> = Result<T, EvaluationError>;

/// `a = b`: the same items in the same order; `None` if that cannot be said.
pub(super) fn equal<'a>(
    context: &Context<'a>,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Outcome<Option<bool>> {
    if left.is_empty() || right.is_empty() {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Ok(Some(false));
    }
    context.charge(left.len())?;
    let mut all = Some(true);
    for (one, other) in left.iter().zip(right) {
        match same(context, one, other)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => all = None,
        }
    }
    Ok(all)
}

/// Whether two items are equal; `None` if that cannot be said.
pub(super) fn same<'a>(
    context: &Context<'a>,
    one: &Value<'a>,
    other: &Value<'a>,
) -> Outcome<Option<bool>> {
    let (Some(left), Some(right)) = (one.converted(), other.converted()) else {
        return match (one.element(), other.element()) {
            (Some(one), Some(other)) => {
                alike_nodes(context, one.node(), other.node(), &exactly).map(Some)
            }
            _ => Ok(Some(false)),
        };
    };
    Ok(match (&*left, &*right) {
        (Value::Text(one), Value::Text(other)) => Some(**one == **other),
        (Value::Moment(one), Value::Moment(other)) if one.is_comparable(other) => {
            one.compare(other).map(Ordering::is_eq)
        }
        (Value::Type(one), Value::Type(other)) => Some(one == other),
        (Value::Boolean(one), Value::Boolean(other)) => Some(one == other),
        (left, right) => match (decimal(left), decimal(right)) {
            (Some(one), Some(other)) => Some(one == other),
            _ => match (quantity(left), quantity(right)) {
                (Some(one), Some(other)) => {
                    one.in_one_unit(&other).map(|(one, other)| one == other)
                }
                _ => Some(false),
            },
        },
    })
}

/// `a ~ b`: alike items in any order, of which there may be none.
pub(super) fn equivalent<'a>(
    context: &Context<'a>,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Outcome<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    let mut rest: Vec<&Value<'a>> = right.iter().collect();
    for one in left {
        let mut found = None;
        for (at, other) in rest.iter().enumerate() {
            context.charge(1)?;
            if alike(context, one, other)? {
                found = Some(at);
                break;
            }
        }
        match found {
            Some(at) => drop(rest.swap_remove(at)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

fn alike<'a>(context: &Context<'a>, one: &Value<'a>, other: &Value<'a>) -> Outcome<bool> {
    let (Some(left), Some(right)) = (one.converted(), other.converted()) else {
        return match (one.element(), other.element()) {
            (Some(one), Some(other)) => {
                alike_nodes(context, one.node(), other.node(), &alike_texts)
            }
            _ => Ok(false),
        };
    };
    Ok(match (&*left, &*right) {
        (Value::Text(one), Value::Text(other)) => alike_texts(one, other),
        (Value::Moment(_), Value::Moment(_)) | (Value::Type(_), Value::Type(_)) => {
            same(context, one, other)? == Some(true)
        }
        (Value::Boolean(one), Value::Boolean(other)) => one == other,
        (left, right) => match (decimal(left), decimal(right)) {
            (Some(one), Some(other)) => about(one, other),
            _ => match (quantity(left), quantity(right)) {
                (Some(one), Some(other)) => alike_quantities(&one, &other),
                _ => false,
            },
        },
    })
}

fn alike_quantities(one: &Quantity, other: &Quantity) -> bool {
    let (one, other) = (one.with_code(), other.with_code());
    // Compared in the unit of the one that is stated less exactly, to the digits that it has.
    let converted = |one: &Quantity, other: &Quantity| {
        let unit = Quantity { value: Decimal::ONE, unit: one.unit.clone() };
        let (factor, number) = unit.in_one_unit(other)?;
        number.checked_div(factor).map(|number| about(one.value, number.normalize()))
    };
    let (first, second) =
        if one.value.scale() <= other.value.scale() { (&one, &other) } else { (&other, &one) };
    converted(first, second).unwrap_or(false)
}

/// The same to the digits of the one that has fewer behind the decimal point.
fn about(one: Decimal, other: Decimal) -> bool {
    let scale = one.scale().min(other.scale());
    let rounded = |number: Decimal| {
        number.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero)
    };
    rounded(one) == rounded(other)
}

fn exactly(one: &str, other: &str) -> bool {
    one == other
}

/// The same but for case and kinds of white space.
fn alike_texts(one: &str, other: &str) -> bool {
    let normal = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ")
    };
    one == other || normal(one) == normal(other)
}

/// Whether values of JSON have the same members, items and values.
fn alike_nodes(
    context: &Context<'_>,
    one: Node<'_>,
    other: Node<'_>,
    texts: &dyn Fn(&str, &str) -> bool,
) -> Outcome<bool> {
    context.charge(1)?;
    if std::ptr::eq(one.text(), other.text()) {
        return Ok(true);
    }
    if one.kind() != other.kind() {
        return Ok(false);
    }
    match one.kind() {
        Kind::Object => {
            let mut count = 0;
            for (name, value) in one.members() {
                count += 1;
                let Some(same) = other.get(&name) else { return Ok(false) };
                if !alike_nodes(context, value, same, texts)? {
                    return Ok(false);
                }
            }
            Ok(count == other.members().count())
        }
        Kind::Array => {
            let mut others = other.items();
            for item in one.items() {
                let Some(same) = others.next() else { return Ok(false) };
                if !alike_nodes(context, item, same, texts)? {
                    return Ok(false);
                }
            }
            Ok(others.next().is_none())
        }
        Kind::Number => Ok(one.text() == other.text()
            || matches!((number(one.text()), number(other.text())), (Some(one), Some(other)) if one == other)),
        Kind::String | Kind::Name => {
            let (one, other) = (one.as_str(), other.as_str());
            Ok(matches!((one, other), (Some(one), Some(other)) if texts(&one, &other)))
        }
        Kind::Null | Kind::True | Kind::False => Ok(true),
    }
}

/// How two items lie to each other; `None` if that cannot be said.
///
/// # Errors
///
/// They are of different types, or of one that has no order.
pub(super) fn compare(one: &Value<'_>, other: &Value<'_>) -> Outcome<Option<Ordering>> {
    let wrong = || {
        let (one, other) = (one.type_name(), other.type_name());
        error(format!("{one} and {other} have no order"))
    };
    let (Some(left), Some(right)) = (one.converted(), other.converted()) else {
        return Err(wrong());
    };
    match (&*left, &*right) {
        (Value::Text(one), Value::Text(other)) => Ok(Some((**one).cmp(other))),
        (Value::Moment(one), Value::Moment(other)) if one.is_comparable(other) => {
            Ok(one.compare(other))
        }
        (left, right) => match (decimal(left), decimal(right)) {
            (Some(one), Some(other)) => Ok(Some(one.cmp(&other))),
            _ => match (quantity(left), quantity(right)) {
                (Some(one), Some(other)) => {
                    Ok(one.in_one_unit(&other).map(|(one, other)| one.cmp(&other)))
                }
                _ => Err(wrong()),
            },
        },
    }
}

/// The number that a value is.
pub(super) fn decimal(value: &Value<'_>) -> Option<Decimal> {
    match value {
        Value::Integer(integer) => Some(Decimal::from(*integer)),
        Value::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

/// The quantity that a value is; a number is one without a unit.
pub(super) fn quantity(value: &Value<'_>) -> Option<Quantity> {
    match value {
        Value::Quantity(quantity) => Some(Quantity::clone(quantity)),
        other => decimal(other).map(Quantity::plain),
    }
}

/// A number that equal items have in common.
pub(super) fn hash_of(value: &Value<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    match value.converted().as_deref() {
        Some(Value::Text(text)) => text.hash(&mut hasher),
        Some(Value::Boolean(truth)) => truth.hash(&mut hasher),
        Some(number @ (Value::Integer(_) | Value::Decimal(_))) => {
            decimal(number).map(|decimal| decimal.normalize()).hash(&mut hasher);
        }
        Some(_) => {}
        None => return value.element().map_or(0, |element| hash_of_node(element.node())),
    }
    hasher.finish()
}

fn hash_of_node(node: Node<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    match node.kind() {
        // Members may stand in any order.
        Kind::Object => {
            return node.members().fold(1, |sum: u64, (name, value)| {
                let mut hasher = FxHasher::default();
                (name, hash_of_node(value)).hash(&mut hasher);
                sum.wrapping_add(hasher.finish())
            });
        }
        Kind::Array => node.items().for_each(|item| hash_of_node(item).hash(&mut hasher)),
        Kind::String => node.as_str().hash(&mut hasher),
        Kind::Number => number(node.text()).map(|number| number.normalize()).hash(&mut hasher),
        kind => (kind as u8).hash(&mut hasher),
    }
    hasher.finish()
}
