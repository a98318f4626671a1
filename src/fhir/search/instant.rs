//! Dates as periods: FHIR R4 §3.1.1.4.7.

use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// A period in microseconds since 1970-01-01T00:00:00Z, both ends included; [`i64::MIN`] and
/// [`i64::MAX`] for open ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first.
    pub from: i64,
    /// The last.
    pub to: i64,
}

impl Span {
    /// All instants that a date with its precision names, such as the whole of `2024-02`; in UTC if
    /// it names no time zone.
    #[must_use]
    pub fn named(date: &str) -> Option<Self> {
        span_of(date)
    }

    /// Whether it holds an instant, in microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn contains(self, instant: i64) -> bool {
        (self.from..=self.to).contains(&instant)
    }
}

/// All instants that a date names: the whole year, month, day, minute, second or fraction, in its
/// time zone; without one, in UTC.
pub(super) fn span_of(text: &str) -> Option<Span> {
    match text.split_once('T') {
        None => day_range(text),
        Some((date, time)) => time_range(full_date(date)?, time),
    }
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, with or without a time zone.
fn day_range(text: &str) -> Option<Span> {
    let (from, until) = match text.len() {
        4 => {
            let first = NaiveDate::from_ymd_opt(digits(text, 4)?, 1, 1)?;
            (first, first.checked_add_months(Months::new(12))?)
        }
        7 => {
            let first = full_date(&format!("{text}-01"))?;
            (first, first.checked_add_months(Months::new(1))?)
        }
        _ => {
            let day = full_date(text)?;
            (day, day.checked_add_days(Days::new(1))?)
        }
    };
    let micros = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    Some(Span { from: micros(from), to: micros(until) - 1 })
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s…`, with or without a time zone.
fn time_range(date: NaiveDate, text: &str) -> Option<Span> {
    let (time, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let (time, fraction) = match time.split_once('.') {
        Some((time, fraction)) if time.len() == 8 => (time, Some(fraction)),
        Some(_) => return None,
        None => (time, None),
    };
    let mut parts = time.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second =
        parts.next().map(|second| digits(second, 2)).map_or(Some(None), |read| read.map(Some))?;
    if parts.next().is_some() {
        return None;
    }
    let (micros, width) = match (second, fraction) {
        (None, _) => (0, 60_000_000),
        (Some(_), None) => (0, 1_000_000),
        (Some(_), Some(fraction)) => fraction_micros(fraction)?,
    };
    // A leap second belongs to the second before it.
    let second = second.map_or(0, |second: u32| if second == 60 { 59 } else { second });
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    let from = in_zone(date.and_time(time), zone)?.timestamp_micros();
    Some(Span { from, to: from + width - 1 })
}

/// A fraction of a second in microseconds, and how many of them its last digit stands for.
fn fraction_micros(digits_text: &str) -> Option<(u32, i64)> {
    const MICROS_DIGITS: usize = 6;
    const DIGITS_MAX: usize = 9;
    if digits_text.len() > DIGITS_MAX {
        return None;
    }
    let kept = digits_text.get(..MICROS_DIGITS).unwrap_or(digits_text);
    digits::<u32>(digits_text, digits_text.len())?;
    let scale = 10_u32.pow(u32::try_from(MICROS_DIGITS - kept.len()).ok()?);
    Some((digits::<u32>(kept, kept.len())? * scale, i64::from(scale)))
}

fn in_zone(local: NaiveDateTime, zone: &str) -> Option<DateTime<FixedOffset>> {
    let offset = if zone == "Z" {
        TimeDelta::zero()
    } else {
        let (sign, rest) = zone.split_at_checked(1)?;
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i64, i64) = (digits(hours, 2)?, digits(minutes, 2)?);
        if hours > 14 || minutes > 59 {
            return None;
        }
        let offset = TimeDelta::minutes(hours * 60 + minutes);
        if sign == "-" { -offset } else { offset }
    };
    Some(local.checked_sub_signed(offset)?.and_utc().fixed_offset())
}

fn full_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    NaiveDate::from_ymd_opt(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?)
}

/// A number of exactly so many digits, and nothing else.
fn digits<T: std::str::FromStr>(text: &str, count: usize) -> Option<T> {
    let only_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok())?
}
