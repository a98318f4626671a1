//! Dates and times as texts: FHIR R4 §2.24.0.1, with the days that the calendar has.

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
pub(super) fn is_date(text: &str) -> bool {
    let mut reader = Reader(text.as_bytes());
    reader.date().is_some() && reader.is_at_end()
}

/// A date, or a day with a time and its zone.
pub(super) fn is_date_time(text: &str) -> bool {
    is_date(text) || is_instant(text)
}

/// A day with a time and its zone.
pub(super) fn is_instant(text: &str) -> bool {
    let mut reader = Reader(text.as_bytes());
    reader.instant().is_some() && reader.is_at_end()
}

/// A time of the day, without a zone.
pub(super) fn is_time(text: &str) -> bool {
    let mut reader = Reader(text.as_bytes());
    reader.time().is_some() && reader.is_at_end()
}

/// How much of a day a date names.
#[derive(PartialEq)]
enum Precision {
    Year,
    Month,
    Day,
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn date(&mut self) -> Option<Precision> {
        let year = self.number(4, 1, 9999)?;
        if self.byte(b"-").is_none() {
            return Some(Precision::Year);
        }
        let month = self.number(2, 1, 12)?;
        if self.byte(b"-").is_none() {
            return Some(Precision::Month);
        }
        self.number(2, 1, days(year, month))?;
        Some(Precision::Day)
    }

    fn instant(&mut self) -> Option<()> {
        self.date().filter(|precision| *precision == Precision::Day)?;
        self.byte(b"T")?;
        self.time()?;
        if self.byte(b"Z").is_some() {
            return Some(());
        }
        self.byte(b"+-")?;
        let hours = self.number(2, 0, 14)?;
        self.byte(b":")?;
        self.number(2, 0, if hours == 14 { 0 } else { 59 })?;
        Some(())
    }

    /// With the sixtieth second of a leap minute.
    fn time(&mut self) -> Option<()> {
        self.number(2, 0, 23)?;
        self.byte(b":")?;
        self.number(2, 0, 59)?;
        self.byte(b":")?;
        self.number(2, 0, 60)?;
        if self.byte(b".").is_some() {
            self.number(1, 0, 9)?;
            while self.number(1, 0, 9).is_some() {}
        }
        Some(())
    }

    /// Exactly so many digits, which make a number in the range.
    fn number(&mut self, digits: usize, from: u32, to: u32) -> Option<u32> {
        let (read, rest) = self.0.split_at_checked(digits)?;
        let mut number = 0;
        for byte in read {
            number = number * 10 + char::from(*byte).to_digit(10)?;
        }
        self.0 = rest;
        (from..=to).contains(&number).then_some(number)
    }

    /// One of the bytes.
    fn byte(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }
}

/// Number of days of a month.
fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use proptest::prelude::*;

    #[test]
    fn knows_the_precisions() {
        let dates = ["2024", "2024-02", "2024-02-29", "0001-01-01", "9999-12-31", "2000-02-29"];
        let moments = [
            "2024-02-29T00:00:00Z",
            "2024-02-29T23:59:60Z",
            "2024-02-29T10:00:00.1234567890+14:00",
            "2024-02-29T10:00:00-13:59",
        ];
        let neither = [
            "",
            "24",
            "0000",
            "2024-",
            "2024-13",
            "2024-00",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-2-1",
            "2024-02-29T",
            "2024-02-29T10:00Z",
            "2024-02-29T10:00:00",
            "2024-02-29T24:00:00Z",
            "2024-02-29T10:60:00Z",
            "2024-02-29T10:00:61Z",
            "2024-02-29T10:00:00.Z",
            "2024-02-29T10:00:00+14:01",
            "2024-02-29T10:00:00+1:00",
            "2024-02-29t10:00:00z",
            "2024-02-29 10:00:00Z",
            "2024-02T10:00:00Z",
            "2024Z",
            " 2024",
            "2024-02-29T10:00:00Z ",
            "+2024",
            "２０２４",
        ];
        for text in dates {
            assert!(is_date(text) && is_date_time(text) && !is_instant(text), "{text}");
        }
        for text in moments {
            assert!(!is_date(text) && is_date_time(text) && is_instant(text), "{text}");
        }
        for text in neither {
            assert!(!is_date(text) && !is_date_time(text) && !is_instant(text), "{text}");
        }
        for text in ["00:00:00", "23:59:60", "12:30:00.5"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["", "1:00:00", "12:30", "24:00:00", "12:30:00Z", "12:30:00."] {
            assert!(!is_time(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_calendar(year in 0u32..=9999, month in 0u32..=13, day in 0u32..=32) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let known = NaiveDate::from_ymd_opt(i32::try_from(year).unwrap(), month, day);
            prop_assert_eq!(is_date(&text), known.is_some() && year > 0);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = (is_date(&text), is_date_time(&text), is_instant(&text), is_time(&text));
        }
    }
}
