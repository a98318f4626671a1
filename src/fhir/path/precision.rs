//! Parts of dates and times, and the durations that are counted in them: FHIRPath N1 §4.1.6 and §4.1.9.

pub(super) const SECOND_NANOS: i64 = 1_000_000_000;
pub(super) const DAY_NANOS: i64 = 86_400 * SECOND_NANOS;

/// The smallest part that is stated, or the unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precision {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Precision {
    /// The calendar duration of that name, in the singular or plural.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.strip_suffix('s').unwrap_or(name) {
            "year" => Self::Year,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            _ => return None,
        })
    }

    /// The code of UCUM for the same duration. A year and a month of the calendar are not those of UCUM,
    /// which are means.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Year => "a",
            Self::Month => "mo",
            Self::Week => "wk",
            Self::Day => "d",
            Self::Hour => "h",
            Self::Minute => "min",
            Self::Second => "s",
            Self::Millisecond => "ms",
        }
    }

    /// The calendar duration that is exactly that of a UCUM code.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        use Precision::{Day, Hour, Millisecond, Minute, Second, Week};
        [Week, Day, Hour, Minute, Second, Millisecond].into_iter().find(|one| one.code() == code)
    }

    pub(super) fn nanos(self) -> i64 {
        match self {
            Self::Year | Self::Month | Self::Week | Self::Day => DAY_NANOS,
            Self::Hour => 3_600 * SECOND_NANOS,
            Self::Minute => 60 * SECOND_NANOS,
            Self::Second => SECOND_NANOS,
            Self::Millisecond => SECOND_NANOS / 1_000,
        }
    }
}
