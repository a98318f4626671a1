//! Operators that compute and compare: FHIRPath N1 §6.2, §6.6 and §6.7.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use smallvec::smallvec;

use super::context::{Context, EvaluationError, error};
use super::precision::Precision;
use super::quantity::{Quantity, Unit};
use super::relation::{compare, decimal, quantity};
use super::syntax::Operator;
use super::value::{Collection, Value, one, text};

type Outcome<'a> = Result<Option<Value<'a>>, EvaluationError>;

/// `-a` and `+a`
pub(super) fn signed(
    items: Collection<'_>,
    is_negative: bool,
) -> Result<Collection<'_>, EvaluationError> {
    let Some(item) = super::collection::single(items, "a sign")? else {
        return Ok(Collection::new());
    };
    let value = item.converted();
    let signed = match value.as_deref() {
        Some(Value::Integer(integer)) => match is_negative {
            true => integer.checked_neg().map(Value::Integer),
            false => Some(Value::Integer(*integer)),
        },
        Some(Value::Decimal(decimal)) => {
            Some(Value::Decimal(if is_negative { -*decimal } else { *decimal }))
        }
        Some(Value::Quantity(quantity)) => {
            let value = if is_negative { -quantity.value } else { quantity.value };
            Some(Value::Quantity(Quantity { value, unit: quantity.unit.clone() }.into()))
        }
        _ => return Err(error(format!("a {} has no sign", item.type_name()))),
    };
    Ok(one(signed))
}

/// Operators between two items; empty if one of them is.
pub(super) fn binary<'a>(
    context: &Context<'a>,
    operator: Operator,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    for items in [left, right] {
        if items.len() > 1 {
            let count = items.len();
            return Err(error(format!("the operator takes one item, and there are {count}")));
        }
    }
    if operator == Operator::Concatenate {
        return concatenated(context, left, right);
    }
    let (Some(left), Some(right)) = (left.first(), right.first()) else {
        return Ok(Collection::new());
    };
    let ordered = |holds: fn(Ordering) -> bool| {
        let order = compare(left, right)?;
        Ok(order.map(|order| Value::Boolean(holds(order))))
    };
    let outcome = match operator {
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        operator => computed(context, operator, left, right),
    };
    outcome.map(one)
}

/// `a & b`: what is empty is an empty text.
fn concatenated<'a>(
    context: &Context<'a>,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    let left = super::collection::text(left, "the left side of '&'")?;
    let right = super::collection::text(right, "the right side of '&'")?;
    let sides = [&left, &right].map(|side| side.as_deref().unwrap_or_default());
    let joined = sides.concat();
    context.charge_text(joined.len())?;
    Ok(smallvec![text(joined)])
}

fn computed<'a>(
    context: &Context<'a>,
    operator: Operator,
    left: &Value<'a>,
    right: &Value<'a>,
) -> Outcome<'a> {
    let wrong = || {
        let (left, right) = (left.type_name(), right.type_name());
        error(format!("there is no such operation on {left} and {right}"))
    };
    let (Some(one), Some(other)) = (left.converted(), right.converted()) else {
        return Err(wrong());
    };
    match (&*one, operator, &*other) {
        (Value::Text(one), Operator::Add, Value::Text(other)) => {
            context.charge_text(one.len() + other.len())?;
            Ok(Some(text(format!("{}{}", &**one, &**other))))
        }
        (Value::Integer(one), operator, Value::Integer(other)) => {
            Ok(integers(operator, *one, *other))
        }
        (Value::Moment(moment), Operator::Add | Operator::Subtract, Value::Quantity(quantity)) => {
            let amount = match operator {
                Operator::Subtract => -quantity.value,
                _ => quantity.value,
            };
            moved(*moment, amount, quantity)
        }
        (one, operator, other) => match (decimal(one), decimal(other)) {
            (Some(one), Some(other)) => Ok(decimals(operator, one, other)),
            _ => match (quantity(one), quantity(other)) {
                (Some(one), Some(other)) => quantities(operator, &one, &other).ok_or_else(wrong)?,
                _ => Err(wrong()),
            },
        },
    }
}

/// What does not fit into 32 bits is empty: N1 §6.6.
fn integers<'a>(operator: Operator, one: i32, other: i32) -> Option<Value<'a>> {
    let integer = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        Operator::WholeDivide => one.checked_div(other),
        Operator::Remainder => one.checked_rem(other),
        _ => return decimals(operator, Decimal::from(one), Decimal::from(other)),
    };
    integer.map(Value::Integer)
}

fn decimals<'a>(operator: Operator, one: Decimal, other: Decimal) -> Option<Value<'a>> {
    let decimal = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        // The digits of a quotient say nothing of those of the numbers.
        Operator::Divide => one.checked_div(other).map(|quotient| quotient.normalize()),
        Operator::WholeDivide => {
            return one.checked_div(other)?.trunc().to_i32().map(Value::Integer);
        }
        Operator::Remainder => one.checked_rem(other),
        _ => None,
    };
    decimal.map(Value::Decimal)
}

/// `None` if there is no such operation on quantities.
fn quantities<'a>(operator: Operator, one: &Quantity, other: &Quantity) -> Option<Outcome<'a>> {
    let value = |quantity: Option<Quantity>| {
        Some(Ok(quantity.map(|quantity| Value::Quantity(quantity.into()))))
    };
    match operator {
        Operator::Multiply => value(one.combined(other, false)),
        Operator::Divide => value(one.combined(other, true)),
        Operator::Add | Operator::Subtract => {
            let sum = |one: Decimal, other: Decimal| match operator {
                Operator::Add => one.checked_add(other),
                _ => one.checked_sub(other),
            };
            // In the unit of the left side, if that of the right one is a multiple of it.
            let unit = Quantity { value: Decimal::ONE, unit: one.unit.clone() };
            let converted =
                unit.in_one_unit(other).and_then(|(unit, other)| other.checked_div(unit));
            let sum = converted.and_then(|other| sum(one.value, other.normalize()));
            value(sum.map(|value| Quantity { value, unit: one.unit.clone() }))
        }
        _ => None,
    }
}

/// A date or time so much later: N1 §6.6.7.
fn moved<'a>(moment: super::moment::Moment, amount: Decimal, quantity: &Quantity) -> Outcome<'a> {
    let duration = match &quantity.unit {
        Unit::Ucum(code)
            if [Precision::Year, Precision::Month].iter().any(|unit| unit.code() == &**code) =>
        {
            return Err(error(format!(
                "the unit '{code}' is a mean; a calendar has 'year' and 'month'"
            )));
        }
        _ => quantity.duration(),
    };
    let unit = duration.ok_or_else(|| {
        error(format!("'{}' is no duration, such as 1 day or 1 'h'", quantity.code()))
    })?;
    moment.plus(amount, unit).map(|moment| moment.map(Value::Moment)).map_err(error)
}
