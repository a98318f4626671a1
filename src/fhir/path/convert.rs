//! Conversions: FHIRPath N1 §5.5.

use rust_decimal::Decimal;
use smallvec::smallvec;

use super::collection;
use super::context::{EvaluationError, error};
use super::function::Target;
use super::moment::Moment;
use super::quantity::Quantity;
use super::relation::{decimal, quantity};
use super::value::{Collection, Value, one, text};

/// `toX()`: empty if the item cannot be converted.
pub(super) fn to<'a>(
    target: Target,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    let item = collection::single(items, "a conversion")?;
    let unit = unit(target, argument)?;
    Ok(one(item.and_then(|item| converted(target, &item, unit.as_deref()))))
}

/// `convertsToX()`
pub(super) fn converts_to<'a>(
    target: Target,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    let Some(item) = collection::single(items, "a conversion")? else {
        return Ok(Collection::new());
    };
    let unit = unit(target, argument)?;
    Ok(smallvec![Value::Boolean(converted(target, &item, unit.as_deref()).is_some())])
}

/// The unit in which a quantity is wanted.
fn unit(target: Target, argument: &[Value<'_>]) -> Result<Option<String>, EvaluationError> {
    if target != Target::Quantity {
        return Ok(None);
    }
    let unit = collection::text(argument, "the unit")?;
    Ok(unit.map(|unit| unit.trim_matches('\'').to_owned()))
}

fn converted<'a>(target: Target, item: &Value<'a>, unit: Option<&str>) -> Option<Value<'a>> {
    let value = item.converted()?;
    let value = &*value;
    match target {
        Target::Boolean => boolean(value).map(Value::Boolean),
        Target::Integer => match value {
            Value::Integer(integer) => Some(Value::Integer(*integer)),
            Value::Boolean(truth) => Some(Value::Integer(i32::from(*truth))),
            Value::Text(digits) => digits.parse().ok().map(Value::Integer),
            _ => None,
        },
        Target::Decimal => match value {
            Value::Boolean(truth) => Some(Value::Decimal(number_of(*truth))),
            Value::Text(digits) => read_decimal(digits).map(Value::Decimal),
            other => decimal(other).map(Value::Decimal),
        },
        Target::String => match value {
            Value::Text(same) => Some(Value::Text(same.clone())),
            Value::Boolean(truth) => Some(text(truth.to_string())),
            Value::Integer(integer) => Some(text(integer.to_string())),
            Value::Decimal(decimal) => Some(text(decimal.to_string())),
            Value::Moment(moment) => Some(text(moment.to_string())),
            Value::Quantity(quantity) => Some(text(quantity.to_string())),
            Value::Element(_) | Value::Type(_) => None,
        },
        Target::Date => {
            let moment = moment(value, |text| Moment::date(text.get(..10).unwrap_or(text)))?;
            moment.date_part().map(Value::Moment)
        }
        Target::DateTime => moment(value, Moment::date_time)?.as_date_time().map(Value::Moment),
        Target::Time => match value {
            Value::Moment(moment) if moment.date_part().is_none() => Some(Value::Moment(*moment)),
            Value::Text(text) => {
                Moment::time(text.strip_prefix('T').unwrap_or(text)).map(Value::Moment)
            }
            _ => None,
        },
        Target::Quantity => {
            let quantity = match value {
                Value::Text(text) => Quantity::parse(text)?,
                Value::Boolean(truth) => Quantity::plain(number_of(*truth)),
                other => quantity(other)?,
            };
            let quantity = match unit {
                None => quantity,
                Some(unit) => {
                    let wanted = Quantity::literal(Decimal::ONE, unit);
                    let (one, number) = wanted.in_one_unit(&quantity)?;
                    Quantity { value: number.checked_div(one)?.normalize(), unit: wanted.unit }
                }
            };
            Some(Value::Quantity(quantity.into()))
        }
    }
}

fn number_of(truth: bool) -> Decimal {
    if truth { Decimal::ONE } else { Decimal::ZERO }
}

fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Boolean(truth) => Some(*truth),
        Value::Text(word) => match word.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        other => match decimal(other)? {
            number if number == Decimal::ONE => Some(true),
            number if number.is_zero() => Some(false),
            _ => None,
        },
    }
}

fn read_decimal(digits: &str) -> Option<Decimal> {
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    let is_number = unsigned
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number.then(|| digits.parse().ok()).flatten()
}

fn moment(value: &Value<'_>, read: impl Fn(&str) -> Option<Moment>) -> Option<Moment> {
    match value {
        Value::Moment(moment) => Some(*moment),
        Value::Text(text) => read(text),
        _ => None,
    }
}

/// What `getValue` gives: FHIR R4 §2.9.1.2.
pub(super) fn own_value<'a>(item: &Value<'a>) -> Option<Value<'a>> {
    item.converted().map(std::borrow::Cow::into_owned)
}

/// An error for what takes one item of a resource.
pub(super) fn not_an_element(item: &Value<'_>) -> EvaluationError {
    error(format!("the input is an element of a resource, not a {}", item.type_name()))
}
