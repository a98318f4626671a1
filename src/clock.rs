//! Time: one type for instants, and the only place that reads the system's clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, Months, SecondsFormat, Timelike, Utc};

/// A moment in UTC, in whole microseconds: the type of `recordedAt` and `lastUpdated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    /// The operating system's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// From microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads an RFC 3339 date-time with a time zone; anything below a microsecond is cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| Self(time.timestamp_micros()))
    }

    /// As RFC 9110 §5.6.7 wants it in a header, to the second.
    #[must_use]
    pub fn http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The same date and time so many years before.
    #[must_use]
    pub fn years_before(self, years: u64) -> Self {
        let months = u32::try_from(years.saturating_mul(12)).unwrap_or(u32::MAX);
        let before = self.utc().checked_sub_months(Months::new(months));
        before.map_or(Self(i64::MIN), |time| Self(time.timestamp_micros()))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

/// The clock that the logs are stamped by: the system's or, while a made-up past is recorded, one that is set.
///
/// Only the times that are recorded come from it. Whether a token has expired, how often somebody may ask, and whatever
/// else a server decides by the time, goes by the system's clock always.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that stands at a moment until it is set. It is never ahead of the system's.
    #[must_use]
    pub fn standing(at: Instant) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.0))))
    }

    /// Puts it to a moment. The system's stays as it is.
    pub fn set(&self, at: Instant) {
        if let Some(stands) = &self.0 {
            stands.store(at.0, Ordering::SeqCst);
        }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        let now = Instant::now();
        self.0.as_ref().map_or(now, |stands| Instant(stands.load(Ordering::SeqCst)).min(now))
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC with six digits of a second: a FHIR `instant`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.utc();
        let Some(year) = u32::try_from(utc.year()).ok().filter(|year| *year < 10_000) else {
            return formatter.write_str(&utc.to_rfc3339_opts(SecondsFormat::Micros, true));
        };
        // The library takes several times as long, and this stands in every answer.
        let mut text = [0; "0000-00-00T00:00:00.000000Z".len()];
        let mut places = text.iter_mut().rev();
        for (mut number, digits, mark) in [
            (utc.nanosecond() / 1_000, 6, b'Z'),
            (utc.second(), 2, b'.'),
            (utc.minute(), 2, b':'),
            (utc.hour(), 2, b':'),
            (utc.day(), 2, b'T'),
            (utc.month(), 2, b'-'),
            (year, 4, b'-'),
        ] {
            places.by_ref().take(1).for_each(|place| *place = mark);
            for place in places.by_ref().take(digits) {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        formatter.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_written_as_the_library_writes_it(micros in prop_oneof![any::<i64>(), 0i64..1 << 58]) {
            let instant = Instant::from_micros(micros);
            let expected = instant.utc().to_rfc3339_opts(SecondsFormat::Micros, true);
            prop_assert_eq!(instant.to_string(), expected);
        }
    }

    #[test]
    fn a_clock_that_is_set_stands_still_and_is_never_ahead() {
        let (early, late) = (Instant::from_micros(7), Instant::from_micros(i64::MAX));
        let clock = Clock::standing(early);
        assert_eq!(clock.now(), early);
        clock.clone().set(late);
        assert!(clock.now() <= Instant::now());
        let system = Clock::default();
        system.set(early);
        assert!(system.now() > early);
    }

    #[test]
    fn reads_what_it_writes() {
        let instant = Instant::parse("2026-02-28T23:59:59.123456789+01:00").unwrap();
        assert_eq!(instant.to_string(), "2026-02-28T22:59:59.123456Z");
        assert_eq!(Instant::parse(&instant.to_string()), Some(instant));
        assert_eq!(instant.http_date(), "Sat, 28 Feb 2026 22:59:59 GMT");
        assert_eq!(Instant::parse("2026-02-28T23:59:59"), None);
        let leap_day = Instant::parse("2024-02-29T12:00:00Z").unwrap();
        assert_eq!(leap_day.years_before(6).to_string(), "2018-02-28T12:00:00.000000Z");
        assert_eq!(leap_day.years_before(u64::MAX), Instant::from_micros(i64::MIN));
    }
}
