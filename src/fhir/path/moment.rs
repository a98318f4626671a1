//! Dates and times as precise as they are stated: FHIRPath N1 §4.1.6 to 4.1.8, §6.2.1 and §6.6.7.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::precision::{DAY_NANOS, Precision, SECOND_NANOS};
use super::types::System;

/// A date, a time, or both.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    kind: MomentKind,
    /// The first day that it can mean; of a time, any.
    date: NaiveDate,
    /// Nanoseconds of the day.
    nanos: i64,
    precision: Precision,
    /// How many digits of a second are stated.
    fraction_digits: u32,
    /// Minutes east of UTC.
    offset: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MomentKind {
    Date,
    DateTime,
    Time,
}

/// How far zones lie from UTC, in minutes to the east.
const OFFSETS: [i32; 2] = [-12 * 60, 14 * 60];
/// How many digits of a second are computed with.
const FRACTION_DIGITS_MAX: usize = 9;

/// Digits up to each precision, of which boundaries and `precision()` speak.
const DATE_DIGITS: [(u32, Precision); 7] = [
    (4, Precision::Year),
    (6, Precision::Month),
    (8, Precision::Day),
    (10, Precision::Hour),
    (12, Precision::Minute),
    (14, Precision::Second),
    (17, Precision::Millisecond),
];
/// Digits of the date before the time.
const DIGITS_OF_DATE: u32 = 8;

impl Moment {
    /// Reads a date: `2026`, `2026-03`, `2026-03-01`.
    #[must_use]
    pub fn date(text: &str) -> Option<Self> {
        let (date, precision) = date(text)?;
        Some(Self::of(MomentKind::Date, date, precision))
    }

    /// Reads a date with or without a time; an hour may stand alone.
    #[must_use]
    pub fn date_time(text: &str) -> Option<Self> {
        let (day, behind) = text.split_once('T').unwrap_or((text, ""));
        let (date, precision) = date(day)?;
        let read = Self::of(MomentKind::DateTime, date, precision);
        match behind {
            "" => Some(read),
            _ if precision != Precision::Day => None,
            behind => {
                let (time, offset) = split_offset(behind)?;
                Some(Self { offset, ..read.with_time(time)? })
            }
        }
    }

    /// Reads a time of the day: `12`, `12:30`, `12:30:15.25`.
    #[must_use]
    pub fn time(text: &str) -> Option<Self> {
        Self::of(MomentKind::Time, NaiveDate::default(), Precision::Day).with_time(text)
    }

    /// Reads what stands in an expression behind `@`.
    pub(super) fn literal(text: &str) -> Option<Self> {
        match text.strip_prefix('T') {
            Some(time) => Self::time(time),
            None if text.contains('T') => Self::date_time(text),
            None => Self::date(text),
        }
    }

    fn of(kind: MomentKind, date: NaiveDate, precision: Precision) -> Self {
        Self { kind, date, nanos: 0, precision, fraction_digits: 0, offset: None }
    }

    fn with_time(mut self, text: &str) -> Option<Self> {
        let (time, fraction) = match text.split_once('.') {
            Some((time, fraction)) => (time, Some(fraction)),
            None => (text, None),
        };
        let units = [Precision::Hour, Precision::Minute, Precision::Second];
        let mut count = 0;
        for (at, part) in time.split(':').enumerate() {
            let unit = units.get(at)?;
            let most = if at == 0 { 23 } else { 59 };
            // A leap second is taken as the second before it.
            let number =
                digits(part, 2).map(|second| if at == 2 { second.min(59) } else { second });
            self.nanos += i64::from(number.filter(|number| *number <= most)?) * unit.nanos();
            self.precision = *unit;
            count += 1;
        }
        if let Some(fraction) = fraction {
            let is_number =
                !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            if count != units.len() || !is_number {
                return None;
            }
            let kept = fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(fraction);
            self.fraction_digits = u32::try_from(kept.len()).ok()?;
            let scale = 10_i64.pow(u32::try_from(FRACTION_DIGITS_MAX).ok()? - self.fraction_digits);
            self.nanos += kept.parse::<i64>().ok()? * scale;
        }
        Some(self)
    }

    pub(super) fn system(&self) -> System {
        match self.kind {
            MomentKind::Date => System::Date,
            MomentKind::DateTime => System::DateTime,
            MomentKind::Time => System::Time,
        }
    }

    /// True if they can be compared: a time only with a time.
    pub(super) fn is_comparable(&self, other: &Self) -> bool {
        (self.kind == MomentKind::Time) == (other.kind == MomentKind::Time)
    }

    /// How they lie to each other, as far as their precision says.
    pub(super) fn compare(&self, other: &Self) -> Option<std::cmp::Ordering> {
        // Without a zone, any may be meant; it matters only beside one that is known.
        let (low, high) = self.bounds(other.offset.is_some());
        let (other_low, other_high) = other.bounds(self.offset.is_some());
        let is_same = self.precision == other.precision;
        let is_known = self.offset.is_some() == other.offset.is_some();
        if high < other_low {
            Some(std::cmp::Ordering::Less)
        } else if low > other_high {
            Some(std::cmp::Ordering::Greater)
        } else if is_same && is_known && low == other_low {
            Some(std::cmp::Ordering::Equal)
        } else {
            None
        }
    }

    /// The first and the last nanosecond that it can mean. A second is a moment, however many digits
    /// are stated: N1 §6.1.1.
    fn bounds(&self, is_widened: bool) -> (i128, i128) {
        let start = |date: NaiveDate, nanos: i64, offset: i32| {
            let nanos = i128::from(nanos) - i128::from(offset) * i128::from(60 * SECOND_NANOS);
            i128::from(date.num_days_from_ce()) * i128::from(DAY_NANOS) + nanos
        };
        let (last_date, last_nanos) = self.last();
        let [west, east] = OFFSETS;
        let (first_offset, last_offset) = match self.offset {
            Some(offset) => (offset, offset),
            None if is_widened => (east, west),
            None => (0, 0),
        };
        (start(self.date, self.nanos, first_offset), start(last_date, last_nanos, last_offset))
    }

    /// The end of the span of time that it means.
    fn last(&self) -> (NaiveDate, i64) {
        let months = |months| {
            let next = self.date.checked_add_months(Months::new(months));
            next.and_then(|next| next.pred_opt()).unwrap_or(self.date)
        };
        match self.precision {
            Precision::Year => (months(12), DAY_NANOS - 1),
            Precision::Month => (months(1), DAY_NANOS - 1),
            Precision::Week | Precision::Day => (self.date, DAY_NANOS - 1),
            Precision::Second | Precision::Millisecond => (self.date, self.nanos),
            hour_or_minute => (self.date, self.nanos + hour_or_minute.nanos() - 1),
        }
    }

    /// So much later, or earlier: N1 §6.6.7. `None` if that is no date any more.
    pub(super) fn plus(mut self, amount: Decimal, unit: Precision) -> Result<Option<Self>, String> {
        if self.kind == MomentKind::Time && unit < Precision::Hour {
            return Err("a time has no years, months, weeks or days to add to".to_owned());
        }
        let (amount, unit) = match unit {
            Precision::Week => (amount * Decimal::from(7), Precision::Day),
            unit => (amount, unit),
        };
        let (amount, unit) = self.in_own_precision(amount, unit);
        let Some(whole) = amount.trunc().to_i64() else { return Ok(None) };
        let moved = match unit {
            Precision::Year => self.plus_months(whole.saturating_mul(12)),
            Precision::Month => self.plus_months(whole),
            Precision::Week | Precision::Day => self.plus_days(whole),
            unit => {
                let exact = match unit {
                    Precision::Second => amount.checked_mul(Decimal::from(SECOND_NANOS)),
                    unit => Decimal::from(whole).checked_mul(Decimal::from(unit.nanos())),
                };
                let nanos = exact.and_then(|nanos| nanos.to_i64());
                nanos.and_then(|nanos| {
                    let sum = self.nanos.checked_add(nanos)?;
                    self.nanos = sum.rem_euclid(DAY_NANOS);
                    self.plus_days(sum.div_euclid(DAY_NANOS))
                })
            }
        };
        Ok(moved)
    }

    /// A duration in a unit that the moment states.
    fn in_own_precision(&self, mut amount: Decimal, mut unit: Precision) -> (Decimal, Precision) {
        while unit > self.precision {
            let (divisor, larger) = match unit {
                Precision::Millisecond => (1_000, Precision::Second),
                Precision::Second => (60, Precision::Minute),
                Precision::Minute => (60, Precision::Hour),
                Precision::Hour => (24, Precision::Day),
                Precision::Day | Precision::Week if self.precision == Precision::Year => {
                    (365, Precision::Year)
                }
                Precision::Day | Precision::Week => (30, Precision::Month),
                Precision::Month | Precision::Year => (12, Precision::Year),
            };
            // A second shows its milliseconds when it has them.
            if unit == Precision::Millisecond && self.precision == Precision::Second {
                return (amount / Decimal::from(divisor), larger);
            }
            amount = (amount / Decimal::from(divisor)).trunc();
            unit = larger;
        }
        (amount, unit)
    }

    fn plus_months(self, months: i64) -> Option<Self> {
        let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        let date = match months {
            0.. => self.date.checked_add_months(count),
            _ => self.date.checked_sub_months(count),
        };
        self.on(date?)
    }

    fn plus_days(self, days: i64) -> Option<Self> {
        if self.kind == MomentKind::Time {
            return Some(self);
        }
        let count = Days::new(days.unsigned_abs());
        let date = match days {
            0.. => self.date.checked_add_days(count),
            _ => self.date.checked_sub_days(count),
        };
        self.on(date?)
    }

    fn on(self, date: NaiveDate) -> Option<Self> {
        (0..=9999).contains(&date.year()).then_some(Self { date, ..self })
    }

    /// How many digits are stated.
    pub(super) fn digits(&self) -> u32 {
        if self.fraction_digits > 0 {
            return self.digits_before_time(14) + self.fraction_digits;
        }
        let known = DATE_DIGITS.iter().find(|(_, precision)| *precision == self.precision);
        self.digits_before_time(known.map_or(0, |(digits, _)| *digits))
    }

    fn digits_before_time(&self, digits: u32) -> u32 {
        if self.kind == MomentKind::Time { digits - DIGITS_OF_DATE } else { digits }
    }

    /// The earliest or latest moment that it can mean, with so many digits; `None` if there is no
    /// such number of digits.
    pub(super) fn boundary(&self, digits: Option<i32>, is_high: bool) -> Option<Self> {
        let most = if self.kind == MomentKind::Date { 8 } else { 17 };
        let digits = match digits {
            Some(digits) if self.kind == MomentKind::Time => {
                u32::try_from(digits).ok()?.checked_add(DIGITS_OF_DATE)?
            }
            Some(digits) => u32::try_from(digits).ok()?,
            None => most,
        };
        let (_, precision) = DATE_DIGITS.iter().find(|(known, _)| *known == digits)?;
        if digits > most {
            return None;
        }
        let (date, nanos) = if is_high { self.last() } else { (self.date, self.nanos) };
        let has_time = *precision >= Precision::Hour && self.kind == MomentKind::DateTime;
        let [west, east] = OFFSETS;
        let widest = if is_high { west } else { east };
        // A second that is stated without digits ends with its last one.
        let second_end = match self.fraction_digits {
            0 if is_high && self.precision == Precision::Second => SECOND_NANOS - 1,
            _ => 0,
        };
        let nanos = nanos + second_end;
        let unit = precision.nanos();
        let is_fraction = *precision == Precision::Millisecond;
        Some(Self {
            kind: self.kind,
            date: match precision {
                Precision::Year => date.with_month(1)?.with_day(1)?,
                Precision::Month => date.with_day(1)?,
                _ => date,
            },
            nanos: nanos - nanos % unit,
            precision: if is_fraction { Precision::Second } else { *precision },
            fraction_digits: if is_fraction { 3 } else { 0 },
            offset: self.offset.or(Some(widest)).filter(|_| has_time),
        })
    }

    /// Its date alone; `None` if it has none.
    pub(super) fn date_part(&self) -> Option<Self> {
        let precision = self.precision.min(Precision::Day);
        (self.kind != MomentKind::Time).then(|| Self::of(MomentKind::Date, self.date, precision))
    }

    /// Its time alone; `None` if it has none.
    pub(super) fn time_part(&self) -> Option<Self> {
        let has_time = self.precision >= Precision::Hour;
        has_time.then_some(Self { kind: MomentKind::Time, offset: None, ..*self })
    }

    /// The same date as one with a time that is not stated.
    pub(super) fn as_date_time(&self) -> Option<Self> {
        (self.kind != MomentKind::Time).then_some(Self { kind: MomentKind::DateTime, ..*self })
    }

    /// One of its parts as a number; `None` if it is not stated.
    pub(super) fn part(&self, part: Precision) -> Option<i32> {
        let has_date = self.kind != MomentKind::Time;
        let second = self.nanos % (60 * SECOND_NANOS);
        let part = match part {
            _ if part > self.precision && part != Precision::Millisecond => return None,
            Precision::Year | Precision::Month | Precision::Week | Precision::Day if !has_date => {
                return None;
            }
            Precision::Year => return Some(self.date.year()),
            Precision::Month => return i32::try_from(self.date.month()).ok(),
            Precision::Week | Precision::Day => return i32::try_from(self.date.day()).ok(),
            Precision::Hour => self.nanos / Precision::Hour.nanos(),
            Precision::Minute => self.nanos % Precision::Hour.nanos() / Precision::Minute.nanos(),
            Precision::Second => second / SECOND_NANOS,
            Precision::Millisecond if self.fraction_digits == 0 => return None,
            Precision::Millisecond => second % SECOND_NANOS / Precision::Millisecond.nanos(),
        };
        i32::try_from(part).ok()
    }

    /// Minutes east of UTC, if they are stated.
    pub(super) fn offset(&self) -> Option<i32> {
        self.offset
    }
}

impl fmt::Display for Moment {
    /// As FHIR writes it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != MomentKind::Time {
            write!(formatter, "{:04}", self.date.year())?;
            if self.precision >= Precision::Month {
                write!(formatter, "-{:02}", self.date.month())?;
            }
            if self.precision >= Precision::Day {
                write!(formatter, "-{:02}", self.date.day())?;
            }
            if self.precision >= Precision::Hour {
                formatter.write_str("T")?;
            }
        }
        let parts = [(Precision::Hour, ""), (Precision::Minute, ":"), (Precision::Second, ":")];
        for (part, mark) in parts.into_iter().filter(|(part, _)| *part <= self.precision) {
            write!(formatter, "{mark}{:02}", self.part(part).unwrap_or_default())?;
        }
        if self.fraction_digits > 0 {
            let nanos = format!("{:09}", self.nanos % SECOND_NANOS);
            let digits = usize::try_from(self.fraction_digits).unwrap_or_default();
            write!(formatter, ".{}", nanos.get(..digits).unwrap_or_default())?;
        }
        match self.offset {
            None => Ok(()),
            Some(0) => formatter.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.abs();
                write!(formatter, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// Reads a year, month or day.
fn date(text: &str) -> Option<(NaiveDate, Precision)> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map(|part| digits(part, 2).ok_or(()));
    let day = parts.next().map(|part| digits(part, 2).ok_or(()));
    if parts.next().is_some() {
        return None;
    }
    let (month, day) = (month.transpose().ok()?, day.transpose().ok()?);
    let precision = match (month, day) {
        (None, _) => Precision::Year,
        (_, None) => Precision::Month,
        _ => Precision::Day,
    };
    let year = i32::try_from(year).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    Some((date, precision))
}

/// A time, and the minutes of its zone.
fn split_offset(text: &str) -> Option<(&str, Option<i32>)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, None)) };
    let (time, offset) = text.split_at_checked(at)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let minutes = digits(hours, 2)? * 60 + digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    let minutes = i32::try_from(minutes).ok().filter(|minutes| *minutes <= 14 * 60)?;
    Some((time, Some(if offset.starts_with('-') { -minutes } else { minutes })))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
