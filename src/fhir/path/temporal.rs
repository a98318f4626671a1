//! Functions on dates and times, and on how exact values are: FHIRPath N1 §5.9 (today, now), and the draft
//! after it (parts, boundaries, precision).

use rust_decimal::{Decimal, RoundingStrategy};
use smallvec::smallvec;

use super::collection;
use super::context::{Context, EvaluationError, error};
use super::function::OnMoment;
use super::moment::Moment;
use super::precision::Precision;
use super::quantity::Quantity;
use super::relation::quantity;
use super::value::{Collection, Value, one};

/// Digits behind the decimal point of a boundary, unless said otherwise.
const BOUNDARY_DIGITS: u32 = 8;
/// Most digits behind the decimal point.
const DIGITS_MAX: u32 = 28;

pub(super) fn call<'a>(
    context: &Context<'a>,
    function: OnMoment,
    items: Collection<'a>,
    argument: &[Value<'a>],
) -> Result<Collection<'a>, EvaluationError> {
    if let OnMoment::Now | OnMoment::Today | OnMoment::TimeOfDay = function {
        return present(context, function);
    }
    let Some(item) = collection::single(items, "the function")? else {
        return Ok(Collection::new());
    };
    let converted = item.converted();
    let wrong =
        |wanted: &str| Err(error(format!("the input is {wanted}, not a {}", item.type_name())));
    let integer = |number: Option<i32>| Ok(one(number.map(Value::Integer)));
    match (function, converted.as_deref()) {
        (OnMoment::LowBoundary | OnMoment::HighBoundary, Some(value)) => {
            let digits = collection::integer(argument, "the precision")?;
            boundary(value, digits, function == OnMoment::HighBoundary)
        }
        (OnMoment::Precision, Some(Value::Moment(moment))) => {
            integer(i32::try_from(moment.digits()).ok())
        }
        (OnMoment::Precision, Some(value)) if quantity(value).is_some() => {
            let scale = quantity(value).map_or(0, |quantity| quantity.value.scale());
            integer(i32::try_from(scale).ok())
        }
        (OnMoment::Precision | OnMoment::LowBoundary | OnMoment::HighBoundary, _) => {
            wrong("a number, a quantity, a date or a time")
        }
        (OnMoment::Comparable, Some(value)) => {
            let other = argument.first().and_then(Value::converted);
            let (one, other) = (quantity(value), other.as_deref().and_then(quantity));
            let (Some(one), Some(other)) = (one, other) else {
                return wrong("a quantity, like the argument");
            };
            Ok(smallvec![Value::Boolean(one.in_one_unit(&other).is_some())])
        }
        (function, Some(Value::Moment(moment))) => Ok(one(part(function, moment))),
        _ => wrong("a date or a time"),
    }
}

fn present<'a>(
    context: &Context<'a>,
    function: OnMoment,
) -> Result<Collection<'a>, EvaluationError> {
    /// `2026-03-01T12:00:00.000`, and the zone.
    const MILLISECONDS: usize = 23;
    let now = context.now()?.to_string();
    let now = now.get(..MILLISECONDS).map(|time| format!("{time}Z"));
    let now = now.as_deref().and_then(Moment::date_time);
    let part = now.and_then(|now| match function {
        OnMoment::Today => now.date_part(),
        OnMoment::TimeOfDay => now.time_part(),
        _ => Some(now),
    });
    Ok(one(part.map(Value::Moment)))
}

fn part<'a>(function: OnMoment, moment: &Moment) -> Option<Value<'a>> {
    let part = match function {
        OnMoment::DateOf => return moment.date_part().map(Value::Moment),
        OnMoment::TimeOf => return moment.time_part().map(Value::Moment),
        OnMoment::TimezoneOffsetOf => {
            let hours = Decimal::from(moment.offset()?) / Decimal::from(60);
            return Some(Value::Decimal(hours.normalize()));
        }
        OnMoment::YearOf => Precision::Year,
        OnMoment::MonthOf => Precision::Month,
        OnMoment::DayOf => Precision::Day,
        OnMoment::HourOf => Precision::Hour,
        OnMoment::MinuteOf => Precision::Minute,
        OnMoment::SecondOf => Precision::Second,
        _ => Precision::Millisecond,
    };
    moment.part(part).map(Value::Integer)
}

fn boundary<'a>(
    value: &Value<'a>,
    digits: Option<i32>,
    is_high: bool,
) -> Result<Collection<'a>, EvaluationError> {
    let number = |number: Decimal| number_boundary(number, digits, is_high);
    let found = match value {
        Value::Integer(integer) => number(Decimal::from(*integer)).map(Value::Decimal),
        Value::Decimal(decimal) => number(*decimal).map(Value::Decimal),
        Value::Quantity(quantity) => number(quantity.value)
            .map(|value| Value::Quantity(Quantity { value, unit: quantity.unit.clone() }.into())),
        Value::Moment(moment) => moment.boundary(digits, is_high).map(Value::Moment),
        other => {
            let name = other.type_name();
            return Err(error(format!("a {name} has no boundaries")));
        }
    };
    Ok(one(found))
}

/// The smallest or largest number that would be written so, with so many digits behind the decimal point.
fn number_boundary(number: Decimal, digits: Option<i32>, is_high: bool) -> Option<Decimal> {
    let digits = digits.map_or(Some(BOUNDARY_DIGITS), |digits| u32::try_from(digits).ok())?;
    if digits > DIGITS_MAX {
        return None;
    }
    let half = Decimal::try_from_i128_with_scale(5, number.scale().checked_add(1)?).ok()?;
    let (bound, strategy) = if is_high {
        (number.checked_add(half)?, RoundingStrategy::ToPositiveInfinity)
    } else {
        (number.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity)
    };
    let mut bound = bound.round_dp_with_strategy(digits, strategy);
    bound.rescale(digits);
    Some(bound)
}
