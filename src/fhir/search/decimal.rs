//! Decimal numbers, exact, as bytes in the order of the numbers.
//!
//! A number is kept to 34 significant digits; R4 asks for 18. The bytes are part of the format of
//! the index on disk.

/// Most significant digits that are kept.
const DIGITS_MAX: usize = 34;
/// Powers of ten beyond this are no numbers of medicine, and are not understood.
const EXPONENT_MAX: i32 = 10_000;

/// First byte of minus infinity, of negative numbers, zero, positive numbers and infinity.
const MINUS_INFINITY: u8 = 0;
const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
const INFINITY: u8 = 4;

/// `mantissa` × 10^`exponent`, as written: `1.50` is 150 × 10^-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Decimal {
    pub mantissa: i128,
    pub exponent: i32,
}

/// A number as bytes: comparing them compares the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ordered(Vec<u8>);

impl Decimal {
    /// Reads a decimal of FHIR, which is a number of JSON (§2.24.0.1).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (unsigned, is_negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (number, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (unsigned.get(..at)?, exponent(unsigned.get(at + 1..)?)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (number, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let kept = digits.get(..DIGITS_MAX).unwrap_or(digits);
        let dropped = i32::try_from(digits.len() - kept.len()).ok()?;
        let exponent = exponent + dropped - i32::try_from(fraction.len()).ok()?;
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let mantissa: i128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
        Some(Self { mantissa: if is_negative { -mantissa } else { mantissa }, exponent })
    }

    /// The numbers that round to this one at its precision, from the first up to the second:
    /// `100` stands for 99.5 to 100.5 (§3.1.1.4.9).
    pub(super) fn precision(self) -> (Self, Self) {
        let around = |half| Self {
            mantissa: self.mantissa.saturating_mul(10).saturating_add(half),
            exponent: self.exponent - 1,
        };
        (around(-5), around(5))
    }

    /// From a tenth below to a tenth above.
    pub(super) fn vicinity(self) -> (Self, Self) {
        let times = |tenths| Self {
            mantissa: self.mantissa.saturating_mul(tenths),
            exponent: self.exponent - 1,
        };
        let (one, other) = (times(9), times(11));
        if self.mantissa < 0 { (other, one) } else { (one, other) }
    }

    /// The product, exact unless it has more than 37 digits: then of the first 18 of each.
    pub(super) fn times(self, other: Self) -> Self {
        const DIGITS: u32 = 18;
        let product = |one: Self, other: Self| {
            let mantissa = one.mantissa.checked_mul(other.mantissa)?;
            Some(Self { mantissa, exponent: one.exponent.saturating_add(other.exponent) })
        };
        product(self, other)
            .or_else(|| product(self.rounded(DIGITS), other.rounded(DIGITS)))
            .unwrap_or(self)
    }

    /// The sum, exact unless it has more than 37 digits.
    pub(super) fn plus(self, other: Self) -> Self {
        if other.mantissa == 0 {
            return self;
        }
        let exponent = self.exponent.min(other.exponent);
        let aligned = |one: Self| {
            let power = u32::try_from(one.exponent - exponent).ok()?;
            one.mantissa.checked_mul(10_i128.checked_pow(power)?)
        };
        let sum = aligned(self).zip(aligned(other));
        let sum = sum.and_then(|(one, other)| one.checked_add(other));
        match sum {
            Some(mantissa) => Self { mantissa, exponent },
            // So far apart that one of them does not count.
            None if self.exponent >= other.exponent => self,
            None => other,
        }
    }

    /// With at most so many significant digits.
    pub(super) fn rounded(self, digits: u32) -> Self {
        let has = self.mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1);
        let Some(excess) = has.checked_sub(digits).filter(|excess| *excess > 0) else {
            return self;
        };
        let power = 10_i128.pow(excess);
        let half = if self.mantissa < 0 { -(power / 2) } else { power / 2 };
        let mantissa = self.mantissa.saturating_add(half) / power;
        Self { mantissa, exponent: self.exponent.saturating_add(excess.cast_signed()) }
    }

    /// The number as bytes in order.
    pub(super) fn ordered(self) -> Ordered {
        let digits = self.mantissa.unsigned_abs().to_string();
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Ordered(vec![ZERO]);
        }
        // The number is 0.digits × 10^scale.
        let scale = i64::from(self.exponent) + i64::try_from(digits.len()).unwrap_or(0);
        let biased = u16::try_from(scale + (1 << 15)).unwrap_or(0);
        let mut bytes = vec![POSITIVE];
        bytes.extend(biased.to_be_bytes());
        for pair in significant.as_bytes().chunks(2) {
            let digit = |at: usize| pair.get(at).map_or(0, |byte| byte - b'0');
            // 0 ends the number, so that a longer one with the same beginning is behind it.
            bytes.push(1 + 10 * digit(0) + digit(1));
        }
        bytes.push(0);
        if self.mantissa < 0 {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
            if let Some(first) = bytes.first_mut() {
                *first = NEGATIVE;
            }
        }
        Ordered(bytes)
    }
}

impl Ordered {
    /// Below all numbers.
    pub(super) fn minus_infinity() -> Self {
        Self(vec![MINUS_INFINITY])
    }

    /// Above all numbers.
    pub(super) fn infinity() -> Self {
        Self(vec![INFINITY])
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number that some bytes begin with, and what is behind it.
    pub(super) fn split_first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        // Behind the first byte and two of the power of ten come the digits up to their end.
        const DIGITS_AT: usize = 3;
        let end = match *bytes.first()? {
            NEGATIVE => Some(u8::MAX),
            POSITIVE => Some(0),
            _ => None,
        };
        let length = match end {
            Some(end) => {
                let digits = bytes.get(DIGITS_AT..)?;
                DIGITS_AT + digits.iter().position(|byte| *byte == end)? + 1
            }
            None => 1,
        };
        let (number, rest) = bytes.split_at_checked(length)?;
        Some((Self(number.to_vec()), rest))
    }
}

/// The digits behind `e`, with a sign or without.
fn exponent(text: &str) -> Option<i32> {
    const DIGITS_MAX: usize = 8;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_right = !digits.is_empty() && digits.len() <= DIGITS_MAX && is_digits;
    is_right.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ordered(text: &str) -> Ordered {
        Decimal::parse(text).unwrap().ordered()
    }

    #[test]
    fn the_bytes_are_in_the_order_of_the_numbers() {
        let ascending = [
            "-1e10000",
            "-123456789012345678",
            "-100.01",
            "-100",
            "-99.99",
            "-1",
            "-0.5",
            "-1e-30",
            "0",
            "1e-10000",
            "1e-30",
            "0.001",
            "0.0011",
            "0.01",
            "0.5",
            "0.50000000000000000000001",
            "1",
            "1.5",
            "9.99",
            "10",
            "10.5",
            "99",
            "100",
            "100.01",
            "123456789012345678",
            "123456789012345679",
            "1e30",
            "1e10000",
        ];
        for pair in ascending.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
        }
        for text in ascending {
            assert!(Ordered::minus_infinity() < ordered(text), "{text}");
            assert!(ordered(text) < Ordered::infinity(), "{text}");
        }
    }

    #[test]
    fn the_same_number_has_the_same_bytes() {
        for (one, other) in [
            ("0", "-0.00"),
            ("1", "1.000"),
            ("100", "1e2"),
            ("0.5", "5E-1"),
            ("-20", "-2.0e+1"),
            ("007", "7"),
        ] {
            assert_eq!(ordered(one), ordered(other), "{one} {other}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in
            ["", "-", ".5", "1.", "+1", "1e", "1e+", "1e1.5", "1,5", "--1", "1e20000", "x", "1 "]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn stands_for_what_rounds_to_it() {
        let cases = [
            ("100", "99.5", "100.5"),
            ("100.00", "99.995", "100.005"),
            ("5.40e-3", "0.005395", "0.005405"),
            ("-3", "-3.5", "-2.5"),
            ("1e2", "50", "150"),
            ("0", "-0.5", "0.5"),
        ];
        for (text, low, high) in cases {
            let (from, to) = Decimal::parse(text).unwrap().precision();
            assert_eq!((from.ordered(), to.ordered()), (ordered(low), ordered(high)), "{text}");
        }
        let (from, to) = Decimal::parse("-50").unwrap().vicinity();
        assert_eq!((from.ordered(), to.ordered()), (ordered("-55"), ordered("-45")));
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_numbers(one in -1_000_000_i64..1_000_000, other in any::<i64>(), scale in 0_i32..12) {
            let decimal = |value: i64| Decimal { mantissa: i128::from(value), exponent: -scale };
            prop_assert_eq!(decimal(one).ordered().cmp(&decimal(other).ordered()), one.cmp(&other));
            let mut bytes = decimal(one).ordered().as_bytes().to_vec();
            bytes.extend(decimal(other).ordered().as_bytes());
            let (first, rest) = Ordered::split_first(&bytes).unwrap();
            prop_assert_eq!(first, decimal(one).ordered());
            let other = decimal(other).ordered();
            prop_assert_eq!(rest, other.as_bytes());
        }

        #[test]
        fn never_panics(text in "[-+0-9.eE]{0,60}") {
            if let Some(decimal) = Decimal::parse(&text) {
                prop_assert!(decimal.ordered().as_bytes().len() <= 22);
                let _ = (decimal.precision().0.ordered(), decimal.vicinity().0.ordered());
            }
        }
    }
}
