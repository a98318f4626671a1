//! Dates in a search as ranges of instants: FHIR R4 §3.1.1.4.7 and §3.1.1.4.8 (prefixes).

use chrono::{DateTime, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// Instants in microseconds since 1970-01-01T00:00:00Z: `from` is inside, `until` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InstantRange {
    /// The first instant inside.
    pub from: i64,
    /// The first instant behind.
    pub until: i64,
}

impl InstantRange {
    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, instant: i64) -> bool {
        (self.from..self.until).contains(&instant)
    }

    /// All instants that a date with its precision names, such as the whole of `2024-02`; in UTC if
    /// it names no time zone.
    #[must_use]
    pub fn named(date: &str) -> Option<Self> {
        date_range(date)
    }

    /// The ranges of instants, of which any may match, that a prefix and a date ask for.
    ///
    /// A date stands for the whole year, month, day, minute, second or fraction that it names, in
    /// its time zone; without one, in UTC.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let (prefix, date) = match text.bytes().take_while(u8::is_ascii_lowercase).count() {
            2 => text.split_at_checked(2).unwrap_or(("", text)),
            _ => ("", text),
        };
        let named = date_range(date).ok_or_else(|| {
            let hint = if date.contains(' ') { "; in a URL, '+' is written %2B" } else { "" };
            let date = crate::fhir::types::quotable(date);
            format!(
                "\"{date}\" is not a date of the form YYYY, YYYY-MM, YYYY-MM-DD or \
                 YYYY-MM-DDThh:mm[:ss[.sss]] with an optional time zone Z or ±hh:mm{hint}"
            )
        })?;
        let before = Self { from: i64::MIN, until: named.from };
        let until_its_end = Self { from: i64::MIN, until: named.until };
        let since_its_start = Self { from: named.from, until: i64::MAX };
        let after = Self { from: named.until, until: i64::MAX };
        Ok(match prefix {
            "" | "eq" => vec![named],
            "ne" => vec![before, after],
            "gt" | "sa" => vec![after],
            "lt" | "eb" => vec![before],
            "ge" => vec![since_its_start],
            "le" => vec![until_its_end],
            _ => {
                return Err(format!(
                    "the prefix \"{prefix}\" is not supported; supported are eq, ne, gt, lt, ge, le, \
                     sa, eb"
                ));
            }
        })
    }
}

/// All instants that a date with its precision names.
fn date_range(text: &str) -> Option<InstantRange> {
    match text.split_once('T') {
        None => day_range(text),
        Some((date, time)) => time_range(full_date(date)?, time),
    }
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, with or without a time zone.
fn day_range(text: &str) -> Option<InstantRange> {
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
    Some(InstantRange { from: micros(from), until: micros(until) })
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s…`, with or without a time zone.
fn time_range(date: NaiveDate, text: &str) -> Option<InstantRange> {
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
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second.unwrap_or(0), micros)?;
    let from = in_zone(date.and_time(time), zone)?.timestamp_micros();
    Some(InstantRange { from, until: from + width })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn micros(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn a_date_stands_for_all_that_it_names() {
        let cases = [
            ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-12", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29T23:59", "2024-02-29T23:59:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29T10:00:59", "2024-02-29T10:00:59Z", "2024-02-29T10:01:00Z"),
            ("2024-02-29T10:00:00.5Z", "2024-02-29T10:00:00.5Z", "2024-02-29T10:00:00.6Z"),
            ("2024-02-29T10:00:00.123Z", "2024-02-29T10:00:00.123Z", "2024-02-29T10:00:00.124Z"),
            (
                "2024-02-29T10:00:00.1234567Z",
                "2024-02-29T10:00:00.123456Z",
                "2024-02-29T10:00:00.123457Z",
            ),
            ("2024-03-01T00:30+02:00", "2024-02-29T22:30:00Z", "2024-02-29T22:31:00Z"),
            ("2024-02-29T22:30:00-05:30", "2024-03-01T04:00:00Z", "2024-03-01T04:00:01Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
        ];
        for (text, from, until) in cases {
            let range = InstantRange { from: micros(from), until: micros(until) };
            assert_eq!(InstantRange::parse(text), Ok(vec![range]), "{text}");
        }
    }

    #[test]
    fn prefixes_compare_with_the_whole_range() {
        let (before, start) =
            (micros("2024-02-29T23:59:59.999999Z"), micros("2024-03-01T00:00:00Z"));
        let (end, after) = (micros("2024-03-31T23:59:59.999999Z"), micros("2024-04-01T00:00:00Z"));
        let cases = [
            ("", [false, true, true, false]),
            ("eq", [false, true, true, false]),
            ("ne", [true, false, false, true]),
            ("gt", [false, false, false, true]),
            ("sa", [false, false, false, true]),
            ("ge", [false, true, true, true]),
            ("lt", [true, false, false, false]),
            ("eb", [true, false, false, false]),
            ("le", [true, true, true, false]),
        ];
        for (prefix, expected) in cases {
            let ranges = InstantRange::parse(&format!("{prefix}2024-03")).unwrap();
            let found = [before, start, end, after]
                .map(|instant| ranges.iter().any(|range| range.contains(instant)));
            assert_eq!(found, expected, "{prefix}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        let cases = [
            "",
            "gt",
            "24",
            "2024-",
            "2024-13",
            "2024-1",
            "2023-02-29",
            "2024-02-29T",
            "2024-02-29T10",
            "2024-02-29T24:00",
            "2024-02-29T10:60",
            "2024-02-29T10:00:60",
            "2024-02-29T10:00.5",
            "2024-02-29T10:00:00.",
            "2024-02-29T10:00:00.1234567890",
            "2024-02-29T10:00:00+2",
            "2024-02-29T10:00:00 02:00",
            "2024-02-29T10:00:00+15:00",
            "2024Z",
            "+024",
            "2024-02-29-01",
            "2024-02-29t10:00",
            "2024-02-29T10:00:00:00",
        ];
        for text in cases {
            assert!(InstantRange::parse(text).is_err(), "{text}");
        }
        let error = InstantRange::parse("ap2024").unwrap_err();
        assert!(error.starts_with("the prefix \"ap\" is not supported"), "{error}");
        let error = InstantRange::parse("2024-02-29T10:00:00 02:00").unwrap_err();
        assert!(error.ends_with("in a URL, '+' is written %2B"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z]{0,2}[0-9TZ:.+-]{0,30}", other in ".{0,20}") {
            let _ = InstantRange::parse(&text);
            let _ = InstantRange::parse(&other);
        }
    }
}
