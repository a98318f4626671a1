//! A length of time as a person writes it: `30s`, `15m`, `12h`, `7d`.

use std::time::Duration;

/// Reads a whole number and its unit: `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// When the text is not of that form, is zero, or is longer than can be counted in seconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let refused = || DurationError { text: text.to_owned() };
    let digits_end =
        text.find(|character: char| !character.is_ascii_digit()).ok_or_else(refused)?;
    let (digits, unit) = text.split_at(digits_end);
    let count: u64 = digits.parse().map_err(|_| refused())?;
    let unit_seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(refused()),
    };
    match count.checked_mul(unit_seconds) {
        None | Some(0) => Err(refused()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a length of time: write a whole number above 0 and a unit, such as 30s, 15m, 12h or 7d"
)]
pub struct DurationError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn every_unit_counts() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(parse_duration(text).unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        let too_long = format!("{}d", u64::MAX);
        for text in
            ["", "12", "h", "0s", "-1h", "1.5h", "12 h", "1h30m", "7w", "7D", "९s", &too_long]
        {
            let message = parse_duration(text).unwrap_err().to_string();
            assert!(message.contains(&format!("{text:?}")), "{message}");
            assert!(message.contains("such as 30s, 15m, 12h or 7d"), "{message}");
        }
    }
}
