//! Quoting: what already stands in an earlier frame of the same log is named instead of repeated.
//!
//! The payload of such a frame is lines of text. In the payload that quotes, a byte 4, which no payload holds,
//! stands for each line; the lines are named in front, in the order in which they are used. A text that quotes is
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 255, which is no dictionary |
//! | 1 to 10 | position of the frame whose lines are quoted: 7 bits each, lowest first, bit 7 set in all but the last |
//! | 2 | u16, little-endian: number of quotes |
//! | 2 each | u16: the number of the line, from 0 |
//! | the rest | the text of the payload with a byte 4 for each quote |

use std::ops::Range;

use crate::numbers::Position;

const QUOTES: u8 = 255;
const QUOTE: u8 = 4;
const NEXT_BYTE: u8 = 0x80;

/// The lines of a payload, which others quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    payload: Vec<u8>,
    /// Where each ends, without its line feed.
    ends: Vec<usize>,
}

impl Lines {
    /// Those of a payload; none is ended by a line feed but all are parted by one.
    #[must_use]
    pub fn of(payload: Vec<u8>) -> Self {
        let ends = memchr::memchr_iter(b'\n', &payload).chain([payload.len()]).collect();
        Self { payload, ends }
    }

    fn line(&self, number: u16) -> Option<&[u8]> {
        let number = usize::from(number);
        let start = match number.checked_sub(1) {
            Some(before) => self.ends.get(before)? + 1,
            None => 0,
        };
        self.payload.get(start..*self.ends.get(number)?)
    }
}

/// What a payload quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotes {
    /// Position of the frame whose lines are quoted.
    pub from: Position,
    /// Where in the payload they stand, ascending, and the number of each.
    pub places: Vec<(Range<usize>, u16)>,
}

impl Quotes {
    /// The payload with a byte for each quote; `None` if the places are not in it, or are too many.
    pub(super) fn take_out(&self, payload: &[u8]) -> Option<Vec<u8>> {
        u16::try_from(self.places.len()).ok()?;
        let mut rest = Vec::with_capacity(payload.len());
        let mut copied = 0;
        for (place, _) in &self.places {
            rest.extend_from_slice(payload.get(copied..place.start)?);
            rest.push(QUOTE);
            copied = place.end;
        }
        rest.extend_from_slice(payload.get(copied..)?);
        Some(rest)
    }

    /// What stands before the text of the rest.
    pub(super) fn prefix(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(13 + 2 * self.places.len());
        out.push(QUOTES);
        let mut from = self.from.get();
        loop {
            let [low, ..] = from.to_le_bytes();
            from >>= 7;
            if from == 0 {
                out.push(low & !NEXT_BYTE);
                break;
            }
            out.push(low | NEXT_BYTE);
        }
        let count = u16::try_from(self.places.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        out.extend(self.places.iter().flat_map(|(_, line)| line.to_le_bytes()));
        out
    }
}

/// What a text quotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    pub from: Position,
    lines: &'a [[u8; 2]],
    /// The text of the payload with a byte for each quote.
    pub rest: &'a [u8],
}

impl<'a> Quoted<'a> {
    /// `Ok(None)` if the text quotes nothing, `Err` if it is none.
    pub fn parse(text: &'a [u8]) -> Result<Option<Self>, ()> {
        match text.split_first() {
            Some((&QUOTES, text)) => Self::parse_behind(text).map(Some).ok_or(()),
            _ => Ok(None),
        }
    }

    fn parse_behind(mut text: &'a [u8]) -> Option<Self> {
        let mut from = 0_u64;
        for shift in (0..).step_by(7) {
            let (byte, rest) = text.split_first()?;
            let bits = u64::from(byte & !NEXT_BYTE);
            let shifted = bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            from |= shifted;
            text = rest;
            if byte & NEXT_BYTE == 0 {
                break;
            }
        }
        let (count, text) = text.split_first_chunk()?;
        let (lines, rest) = text.split_at_checked(usize::from(u16::from_le_bytes(*count)) * 2)?;
        Some(Self { from: Position::new(from), lines: lines.as_chunks().0, rest })
    }

    /// The payload, from itself with a byte for each quote; `None` if the lines are not those that it quotes.
    pub fn put_in(&self, payload: &[u8], lines: &Lines) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(payload.len() * 2);
        let mut numbers = self.lines.iter();
        let mut copied = 0;
        for at in memchr::memchr_iter(QUOTE, payload) {
            out.extend_from_slice(payload.get(copied..at)?);
            out.extend_from_slice(lines.line(u16::from_le_bytes(*numbers.next()?))?);
            copied = at + 1;
        }
        out.extend_from_slice(payload.get(copied..)?);
        numbers.next().is_none().then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines() -> Lines {
        Lines::of(b"zero\none\n\nthree".to_vec())
    }

    #[test]
    fn lines_are_numbered_from_zero() {
        let all: Vec<_> = (0..5).map(|number| lines().line(number).map(<[u8]>::to_vec)).collect();
        let expected = [Some(&b"zero"[..]), Some(b"one"), Some(b""), Some(b"three"), None];
        assert_eq!(all, expected.map(|line| line.map(<[u8]>::to_vec)));
    }

    #[test]
    fn quotes_are_as_documented() {
        let quotes = Quotes { from: Position::new(300), places: vec![(1..4, 1), (5..9, 0)] };
        let rest = quotes.take_out(b"[one,zero]").unwrap();
        assert_eq!(rest, b"[\x04,\x04]");
        let mut text = quotes.prefix();
        assert_eq!(text, b"\xff\xac\x02\x02\0\x01\0\0\0");
        text.extend_from_slice(b"rest");
        let quoted = Quoted::parse(&text).unwrap().unwrap();
        assert_eq!((quoted.from, quoted.rest), (Position::new(300), &b"rest"[..]));
        assert_eq!(quoted.put_in(&rest, &lines()).unwrap(), b"[one,zero]");
        assert_eq!(quoted.put_in(b"[\x04]", &lines()), None, "a line that is not used");
        assert_eq!(quoted.put_in(b"[\x04\x04\x04]", &lines()), None, "more than are named");
        assert_eq!(quoted.put_in(&rest, &Lines::of(b"zero".to_vec())), None, "no such line");
        let beyond = Quotes { from: Position::new(1), places: vec![(5..90, 0)] };
        assert_eq!(beyond.take_out(b"[one]"), None);
    }

    proptest! {
        #[test]
        fn every_position_reads_back(from in any::<u64>(), shift in 0u32..64) {
            let quotes = Quotes { from: Position::new(from >> shift), places: Vec::new() };
            let text = quotes.prefix();
            prop_assert_eq!(Quoted::parse(&text).unwrap().unwrap().from, quotes.from);
            for end in 1..text.len() {
                prop_assert!(Quoted::parse(&text[..end]).is_err());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = [&[QUOTES], text.as_slice()].concat();
            if let Ok(Some(quoted)) = Quoted::parse(&text) {
                let _ = quoted.put_in(quoted.rest, &lines());
            }
        }
    }
}
