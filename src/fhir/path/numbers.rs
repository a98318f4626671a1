//! Functions on numbers: FHIRPath N1 §5.7.
//!
//! What can be exact is exact. Roots, powers that are no whole numbers, and logarithms are computed in
//! decimals of 28 digits and cut to those of which all are right.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

use super::collection;
use super::context::{EvaluationError, error};
use super::function::OnNumber;
use super::quantity::Quantity;
use super::relation::decimal;
use super::value::{Collection, Value, one};

/// Digits behind the decimal point of what is not exact.
const DIGITS: u32 = 16;

pub(super) fn call<'a>(
    function: OnNumber,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    let Some(item) = collection::single(items, "the function")? else {
        return Ok(Collection::new());
    };
    let value = item.converted();
    let wrong = || error(format!("the input is a number, not a {}", item.type_name()));
    let value = value.as_deref().ok_or_else(wrong)?;
    if let Value::Quantity(quantity) = value {
        return on_quantity(function, quantity, argument).ok_or_else(wrong).map(one);
    }
    let number = decimal(value).ok_or_else(wrong)?;
    let is_integer = matches!(value, Value::Integer(_));
    let whole = |number: Decimal| number.to_i32().map(Value::Integer);
    let rounded = |number: Option<Decimal>| number.map(|number| Value::Decimal(shortened(number)));
    let outcome = match function {
        OnNumber::Abs if is_integer => whole(number.abs()),
        OnNumber::Abs => Some(Value::Decimal(number.abs())),
        OnNumber::Ceiling => whole(number.ceil()),
        OnNumber::Floor => whole(number.floor()),
        OnNumber::Truncate => whole(number.trunc()),
        OnNumber::Round => {
            let digits = collection::integer(argument, "the precision")?.unwrap_or(0);
            let digits = u32::try_from(digits).map_err(|_| error("the precision is below 0"))?;
            Some(Value::Decimal(round(number, digits)))
        }
        OnNumber::Exp => rounded(number.checked_exp()),
        OnNumber::Ln => rounded(number.checked_ln()),
        OnNumber::Sqrt => rounded(number.sqrt()),
        OnNumber::Log | OnNumber::Power => {
            let [operand] = argument else { return Ok(Collection::new()) };
            let operand_value = operand.converted();
            let operand = operand_value.as_deref().and_then(decimal).ok_or_else(|| {
                error(format!("the argument is a number, not a {}", operand.type_name()))
            })?;
            match function {
                OnNumber::Log => {
                    let quotient = number.checked_ln().zip(operand.checked_ln());
                    rounded(quotient.and_then(|(one, other)| one.checked_div(other)))
                }
                _ => power(number, operand, is_integer),
            }
        }
    };
    Ok(one(outcome))
}

fn on_quantity<'a>(
    function: OnNumber,
    quantity: &Quantity,
    argument: &[Value<'a>],
) -> Option<Value<'a>> {
    let value = match function {
        OnNumber::Abs => quantity.value.abs(),
        OnNumber::Ceiling => quantity.value.ceil(),
        OnNumber::Floor => quantity.value.floor(),
        OnNumber::Truncate => quantity.value.trunc(),
        OnNumber::Round => {
            let digits = argument.first().map_or(Some(0), Value::integer);
            round(quantity.value, u32::try_from(digits?).ok()?)
        }
        _ => return None,
    };
    Some(Value::Quantity(Quantity { value, unit: quantity.unit.clone() }.into()))
}

/// Halves are rounded away from zero: N1 §5.7.8.
fn round(number: Decimal, digits: u32) -> Decimal {
    number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

fn shortened(number: Decimal) -> Decimal {
    round(number, DIGITS).normalize()
}

fn power<'a>(number: Decimal, exponent: Decimal, is_integer: bool) -> Option<Value<'a>> {
    if let Some(exponent) = exponent.to_i64().filter(|_| exponent.is_integer()) {
        let power = number.checked_powi(exponent)?;
        return match is_integer && exponent >= 0 {
            true => power.to_i32().map(Value::Integer),
            false => Some(Value::Decimal(power)),
        };
    }
    if number.is_sign_negative() {
        return None;
    }
    number.checked_powd(exponent).map(|power| Value::Decimal(shortened(power)))
}
